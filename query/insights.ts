/** Insights: listed, made, resolved, and an error explained by them. */
import type { ComponentRef } from '../model/block.ts';
import type { DebugEvent } from '../model/event.ts';
import { parseEventId } from '../model/ids.ts';
import {
  type Evidence,
  INSIGHT_STATES,
  type Insight,
  type InsightState,
  type InsightType,
  type Scope,
  SEVERITIES,
  type Severity,
  type Suggestion,
} from '../model/insight.ts';
import { formatNanos } from '../model/time.ts';
import type { InsightQuery } from '../storage/contract.ts';
import { type Answer, beginReading, notFound, type Reading } from './answer.ts';
import { isError } from './counts.ts';
import { decodeCursor, encodeCursor } from './cursor.ts';
import type { QueryNeeds } from './needs.ts';
import { parseTimeRange, type Range, type TimeRangeInput } from './params.ts';

export interface InsightsRequest extends TimeRangeInput {
  insight_type?: InsightType | undefined;
  severity?: Severity | undefined;
  scope?: Scope | undefined;
  /** Every state but `resolved` when false. */
  resolved?: boolean | undefined;
  state?: InsightState | undefined;
  component_type?: string | undefined;
  component_id?: string | undefined;
  correlation_id?: string | undefined;
  operation_id?: string | undefined;
  /** 1 to 1000. */
  limit: number;
  cursor?: string | undefined;
}

export interface GenerateInput extends TimeRangeInput {
  correlation_id?: string | null | undefined;
  component_type?: string | null | undefined;
  component_id?: string | null | undefined;
  operation_id?: string | null | undefined;
}

export interface ConsistencyInput {
  operation_id: string;
  component_ids?: readonly string[] | null | undefined;
  component_type?: string | null | undefined;
}

export interface StateChange {
  notes?: string | null | undefined;
  /** Who did it: a person or an agent. */
  actor?: string | null | undefined;
}

/** An insight where it is not the subject. */
export type InsightBrief = Pick<
  Insight,
  'id' | 'insight_type' | 'severity' | 'title' | 'summary' | 'state' | 'confidence_score' | 'last_seen'
>;

/** One event of a causal chain, small enough to read many. */
export interface ChainLink {
  event_id: string;
  component_type: string;
  component_id: string;
  level: DebugEvent['level'];
  message: string;
  timestamp: string;
}

export interface Explanation {
  /** The event that is explained; null where an insight names none that is still kept. */
  event_id: string | null;
  /** The insight that explains it, when there is one. */
  insight_id: string | null;
  description: string;
  root_cause: ChainLink | null;
  /** From the error back to its root cause. */
  chain: ChainLink[];
  affected_components: ComponentRef[];
  suggestions: Suggestion[];
  /** The insight's; without one it is low, as nothing but the chain speaks for it; 0 for an event that is no error. */
  confidence: number;
  evidence: Evidence | null;
}

export interface InsightAnswers {
  /** Newest `last_seen` first; `time_range` is over `last_seen`. */
  insights(tenant: string, request: InsightsRequest): Promise<Answer<Insight[]>>;
  /** @throws DebugError NOT_FOUND; so do the three that follow */
  insight(tenant: string, id: string): Promise<Answer<Insight>>;
  resolve(tenant: string, id: string, change: StateChange): Promise<Answer<Insight>>;
  ignore(tenant: string, id: string, change: StateChange): Promise<Answer<Insight>>;
  reopen(tenant: string, id: string, change: StateChange): Promise<Answer<Insight>>;
  generate(tenant: string, input: GenerateInput): Promise<Answer<Insight[]>>;
  /** @throws DebugError NOT_FOUND when nothing reported a state under the operation */
  consistency(tenant: string, input: ConsistencyInput): Promise<Answer<Insight>>;
  /** @param id of an event or of an insight  @throws DebugError NOT_FOUND */
  explain(tenant: string, id: string): Promise<Answer<Explanation>>;
}

export function createInsightAnswers(needs: QueryNeeds): InsightAnswers {
  const { rows, engine, clock } = needs;
  return {
    async insights(tenant, request) {
      const reading = await beginReading(needs);
      const { limit } = request;
      // One more than is shown tells whether there are more.
      const { range, query } = insightQuery(request, reading.now);
      const found = query.states?.length === 0 ? [] : await rows.insights(tenant, { ...query, limit: limit + 1 });
      const shown = found.slice(0, limit);
      const last = shown.at(-1);
      const more = found.length > limit && last !== undefined;
      return reading.answer(shown, {
        truncated: more,
        ...(more && { next_cursor: encodeCursor(request, range, [last.last_seen, last.id]) }),
      });
    },

    async insight(tenant, id) {
      const reading = await beginReading(needs);
      const insight = await rows.insight(tenant, id);
      if (insight === null) throw notFound('INSIGHT', `insight ${id}`);
      return reading.answer(insight);
    },

    resolve(tenant, id, { notes = null, actor = null }) {
      return change(tenant, id, 'resolved', (now) => ({
        state: 'resolved',
        resolution_notes: notes,
        resolved_by: actor,
        resolved_at: now,
      }));
    },

    ignore(tenant, id, { notes = null, actor = null }) {
      return change(tenant, id, 'updated', (now) => ({
        state: 'ignored',
        resolution_notes: notes,
        resolved_by: actor,
        resolved_at: now,
      }));
    },

    /** What was noted stays: it is what the next one who looks wants to know. */
    reopen(tenant, id, { notes }) {
      return change(tenant, id, 'updated', () => ({
        state: 'open',
        resolved_at: null,
        ...(notes != null && { resolution_notes: notes }),
      }));
    },

    async generate(tenant, input) {
      const reading = await beginReading(needs);
      const { correlation_id, component_type, component_id, operation_id } = input;
      const insights = await engine.generate({
        tenant,
        ...parseTimeRange(input, reading.now),
        ...(correlation_id != null && { correlation_id }),
        ...(component_type != null && { component_type }),
        ...(component_id != null && { component_id }),
        ...(operation_id != null && { operation_id }),
      });
      return reading.answer(insights);
    },

    async consistency(tenant, { operation_id, component_ids, component_type }) {
      const reading = await beginReading(needs);
      const insight = await engine.consistency({
        tenant,
        operation_id,
        ...(component_ids != null && { component_ids }),
        ...(component_type != null && { component_type }),
      });
      if (insight === null) throw notFound('SNAPSHOT', `a snapshot under operation ${operation_id}`);
      return reading.answer(insight);
    },

    async explain(tenant, id) {
      const reading = await beginReading(needs);
      const insight = await rows.insight(tenant, id);
      const found = insight === null && parseEventId(id) !== null ? await needs.events.event(tenant, id) : null;
      if (found !== null) return explainEvent(reading, tenant, found.event);
      if (insight !== null) return explainInsight(reading, tenant, insight);
      throw notFound('EVENT', `an event or insight ${id}`);
    },
  };

  async function change(
    tenant: string,
    id: string,
    kind: 'resolved' | 'updated',
    changed: (now: string) => Partial<Insight>,
  ): Promise<Answer<Insight>> {
    const reading = await beginReading(needs);
    const now = formatNanos(clock.nowNanos());
    const insight = await rows.changeInsight(
      tenant,
      id,
      (current) => current && { ...current, ...changed(now), updated_at: now },
    );
    if (insight === null) throw notFound('INSIGHT', `insight ${id}`);
    needs.publish({ kind: 'insight', tenant, change: kind, insight });
    return reading.answer(insight);
  }

  async function explainEvent(reading: Reading, tenant: string, event: DebugEvent): Promise<Answer<Explanation>> {
    const linked = await linkedInsight(tenant, event);
    if (linked === null && !isError(event)) {
      const links = [linkOf(event)];
      const description = `This event is not an error: its level is ${event.level ?? 'not set'}.`;
      return reading.answer({ ...explained(event, links, null), description, root_cause: null, confidence: 0 });
    }
    const now = await engine.explain(tenant, event);
    return reading.answer(
      explained(event, now.chain.map(linkOf), linked, linked ?? now.insight, now.affected_components),
    );
  }

  async function explainInsight(reading: Reading, tenant: string, insight: Insight): Promise<Answer<Explanation>> {
    for (const id of insight.evidence.event_ids) {
      const found = await needs.events.event(tenant, id);
      if (found === null) continue;
      const now = await engine.explain(tenant, found.event);
      return reading.answer(explained(found.event, now.chain.map(linkOf), insight));
    }
    return reading.answer(explained(null, [], insight));
  }

  /** The gravest insight that has the event among its evidence. */
  async function linkedInsight(tenant: string, event: DebugEvent): Promise<Insight | null> {
    const { component_type, component_id, correlation_id } = event;
    const near = await Promise.all([
      rows.insights(tenant, { component_type, component_id, limit: LINKED_MAX }),
      ...(correlation_id === null ? [] : [rows.insights(tenant, { correlation_id, limit: LINKED_MAX })]),
    ]);
    const linked = near.flat().filter((insight) => insight.evidence.event_ids.includes(event.id));
    return linked.sort((a, b) => weight(b) - weight(a))[0] ?? null;
  }
}

export function briefOf(insight: Insight): InsightBrief {
  const { id, insight_type, severity, title, summary, state, confidence_score, last_seen } = insight;
  return { id, insight_type, severity, title, summary, state, confidence_score, last_seen };
}

// An insight far behind this many newer ones of the same component explains something else.
const LINKED_MAX = 200;

function weight({ severity, confidence_score }: Insight): number {
  return SEVERITIES.indexOf(severity) + confidence_score;
}

function insightQuery(request: InsightsRequest, now: bigint): { range: Range; query: Omit<InsightQuery, 'limit'> } {
  const { resolved, state, cursor } = request;
  const page = cursor === undefined ? undefined : decodeCursor(request, cursor, 2);
  const range = page?.range ?? parseTimeRange(request, now);
  const query: Omit<InsightQuery, 'limit'> = { ...range };
  if (page !== undefined) query.after = { last_seen: page.position[0]!, id: page.position[1]! };
  if (request.insight_type !== undefined) query.insight_type = request.insight_type;
  if (request.severity !== undefined) query.severity = request.severity;
  if (request.scope !== undefined) query.scope = request.scope;
  for (const key of PLAIN_FILTERS) if (request[key] !== undefined) query[key] = request[key];
  if (state !== undefined || resolved !== undefined) {
    query.states = INSIGHT_STATES.filter(
      (each) => (state ?? each) === each && (resolved ?? each === 'resolved') === (each === 'resolved'),
    );
  }
  return { range, query };
}

const PLAIN_FILTERS = ['component_type', 'component_id', 'correlation_id', 'operation_id'] as const;

// Without an insight only the links between events speak for a cause: better than a guess, below what is stored by default.
const CONFIDENCE_CHAIN = 0.5;
const CONFIDENCE_ALONE = 0.3;

/** @param finding what explains it: the stored insight, else one that was found now  @param affected where the finding names none */
function explained(
  event: DebugEvent | null,
  chain: ChainLink[],
  stored: Insight | null,
  finding: Insight | null = stored,
  affected: readonly ComponentRef[] = [],
): Explanation {
  return {
    event_id: event?.id ?? null,
    insight_id: stored?.id ?? null,
    description: finding?.description ?? inOwnWords(chain),
    root_cause: chain.at(-1) ?? null,
    chain,
    affected_components: finding?.affected_components ?? [...affected],
    suggestions: finding?.suggestions ?? [],
    confidence: finding?.confidence_score ?? (chain.length > 1 ? CONFIDENCE_CHAIN : CONFIDENCE_ALONE),
    evidence: finding?.evidence ?? null,
  };
}

function linkOf({ id, component_type, component_id, level, message, timestamp }: DebugEvent): ChainLink {
  return { event_id: id, component_type, component_id, level, message, timestamp };
}

function inOwnWords(chain: readonly ChainLink[]): string {
  const error = chain[0];
  const root = chain.at(-1);
  if (error === undefined || root === undefined) return 'Nothing is known about it.';
  const said = root.message === '' ? 'it left no message' : `it said: ${root.message}`;
  if (chain.length === 1) return `Nothing earlier is known to have led to this error of ${error.component_id}; ${said}`;
  return `The earliest failure behind this error of ${error.component_id} is in ${root.component_id}; ${said}`;
}
