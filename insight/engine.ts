/**
 * Runs the analyzers and keeps what they find. One that fails or takes too long costs its own findings and is counted. What is
 * found again updates what is known; what is below the threshold is not stored.
 */
import { randomUUID } from 'node:crypto';
import type { Clock } from '../base/clock.ts';
import { DebugError } from '../base/errors.ts';
import type { Part } from '../base/lifecycle.ts';
import type { Logger } from '../base/log.ts';
import type { Meter } from '../base/meter.ts';
import type { DebugEvent } from '../model/event.ts';
import {
  type Insight,
  type InsightState,
  type InsightType,
  QUIET_NANOS,
  type Since,
  sinceOf,
} from '../model/insight.ts';
import { formatNanos } from '../model/time.ts';
import { alertChange, type InsightChangeKind } from './alerting/alert-change.ts';
import { watchRules } from './alerting/watch.ts';
import { type Analyzer, BudgetSpent } from './analyzer.ts';
import { createAutomaticRuns, type Flushed } from './automatic.ts';
import { type ConsistencyRequest, checkOperation } from './consistency.ts';
import { type ErrorExplanation, explainError } from './explain.ts';
import { type Finding, familyOf, fingerprintOf, insightId, mergeInsight, toInsight } from './finding.ts';
import { type AnalyzerRun, analyze, budgetUntil, createLook, type Look } from './look.ts';
import { readCorrelation, withHistory } from './read-window.ts';
import type { Reader, Scope } from './reader.ts';
import { withSince } from './resolutions.ts';
import { STANDARD_ANALYZERS } from './standard.ts';
import { suggestionsFor } from './suggestions.ts';
import { componentKey, createWindow } from './window.ts';

export interface InsightEngine extends Part {
  /**
   * Looks into the scope, stores what it finds and returns it as stored: the gravest first, each once however often it is asked.
   * @throws what the reader throws when the events themselves cannot be read
   */
  generate(scope: Scope): Promise<Insight[]>;
  /** Compares what the replicas of an operation reported; null when nobody did. Stored when something is wrong. */
  consistency(request: ConsistencyRequest): Promise<Insight | null>;
  /** What is behind an error, as far as the evidence goes now. Stores nothing. */
  explain(tenant: string, event: DebugEvent): Promise<ErrorExplanation>;
  /** Told of each flush, so that it can look on its own when `automatic` is set. Never waits, never throws. */
  observe(flush: Flushed): void;
}

export interface InsightEngineOptions {
  reader: Reader;
  insights: InsightStore;
  clock: Clock;
  /** 0 to 1; findings below it are not stored. */
  confidenceThreshold: number;
  /** How long an insight stays after it was last seen. */
  retentionHours: number;
  log: Logger;
  meter: Meter;
  /** Tells the live feed. Must not throw. */
  publish?: (message: InsightChange) => void;
  /** Whether to look at what {@link InsightEngine.observe} tells of; absent: not. */
  automatic?: boolean;
  /** For these looks, which nobody waits for. Absent: as those that somebody asked for. */
  background?: Look;
  analyzers?: readonly Analyzer[];
}

export interface InsightStore {
  /** Atomic; null stores nothing. `change` is pure and may run again. */
  changeInsight(
    tenant: string,
    id: string,
    change: (current: Insight | null) => Insight | null,
  ): Promise<Insight | null>;
  /** Newest `last_seen` first. @param query its `end` is of `last_seen`, nanoseconds */
  insights(
    tenant: string,
    query: { insight_type?: InsightType; states?: readonly InsightState[]; end?: bigint; limit: number },
  ): Promise<Insight[]>;
  /**
   * Takes a name for so long, or prolongs it; false while another holder has it. Absent: no other process writes. A holder that outlives
   * its time does no harm: `changeInsight` is atomic, and the same finding is the same insight.
   */
  takeLease?(name: string, holder: string, durationMs: number): Promise<boolean>;
}

export interface InsightChange {
  kind: 'insight';
  tenant: string;
  change: InsightChangeKind;
  insight: Insight;
}

export function createInsightEngine(options: InsightEngineOptions): InsightEngine {
  const { reader, insights, clock, confidenceThreshold, log, meter, publish, analyzers = STANDARD_ANALYZERS } = options;
  const retentionNanos = BigInt(Math.round(options.retentionHours * 3600)) * 1_000_000_000n;
  const runs = meter.counter('insight_analyzer_runs_total', 'Runs of analyzers by outcome', ['analyzer', 'outcome']);
  const unread = meter.counter('insight_unread_total', 'Inputs of analyzers that could not be read', ['need']);
  const weak = meter.counter('insight_below_threshold_total', 'Findings not stored for want of confidence', [
    'analyzer',
  ]);
  const changes = meter.counter('insight_changes_total', 'Insights by what became of them', ['change']);
  const complained = new Set<string>();

  const asked = createLook({ reader, analyzers, clock });

  async function generate(scope: Scope, look = asked): Promise<Insight[]> {
    const now = clock.nowNanos();
    const known = await maybeFixed(scope, now);
    const { findings, since, unread: failed, runs } = await look({ scope, now, known });
    for (const [need, error] of failed) {
      unread.inc({ need });
      complain(`read ${need}`, error, `insights: ${need} could not be read; analyzers that need it are left out`);
    }
    count(runs);
    const stored = await store(scope.tenant, findings, now);
    for (const insight of known) {
      const ran = since.get(insight.id);
      if (ran !== undefined) await noteSince(scope.tenant, insight, ran);
    }
    return stored;
  }

  function count(ran: readonly AnalyzerRun[]): void {
    for (const { analyzer, outcome, error } of ran) {
      runs.inc({ analyzer, outcome });
      if (error !== undefined) complain(analyzer, error, `analyzer ${analyzer} gave up`);
    }
  }

  /** Only what is looked at without being asked: who asks about a part of it wants to know what happened, not whether to be woken. */
  async function watch({ tenant, end }: Scope): Promise<void> {
    const { componentSums, events } = reader;
    if (componentSums === undefined) return;
    const now = clock.nowNanos();
    try {
      const ignored = () => insights.insights(tenant, { states: ['ignored'], limit: KNOWN_MAX });
      await store(tenant, await watchRules({ componentSums, events }, tenant, end ?? now, ignored), now);
    } catch (error) {
      unread.inc({ need: 'alerts' });
      complain('watch', error, 'alerts: the rules could not be looked at');
    }
  }

  /** What ran again, since it was resolved or last seen, and did not fail is fixed. Only where all that happened is looked at. */
  async function maybeFixed(scope: Scope, now: bigint): Promise<Insight[]> {
    const { tenant, correlation_id, operation_id, component_id, component_type, end } = scope;
    if (correlation_id ?? operation_id ?? component_id ?? component_type) return [];
    const asOf = end !== undefined && end < now ? end : now;
    const [resolved, quiet] = await Promise.all([
      insights.insights(tenant, { states: ['resolved'], limit: VERIFIED_MAX }),
      insights.insights(tenant, { states: ['open', 'regressed'], end: asOf - QUIET_NANOS, limit: VERIFIED_MAX }),
    ]);
    return [...resolved, ...quiet];
  }

  /** @param known as it was when it was looked: what has been seen or resolved again since then is looked at another time */
  async function noteSince(tenant: string, known: Insight, since: Since): Promise<void> {
    let isNews = false;
    const updated_at = formatNanos(clock.nowNanos());
    const stored = await insights.changeInsight(tenant, known.id, (current) => {
      if (current === null || !isUnchanged(current, known)) return null;
      isNews = since.verdict !== sinceOf(current)?.verdict;
      return { ...withSince(current, since), ...(isNews && { updated_at }) };
    });
    if (isNews && stored !== null) publish?.({ kind: 'insight', tenant, change: 'updated', insight: stored });
  }

  async function store(tenant: string, findings: readonly Finding[], now: bigint): Promise<Insight[]> {
    const known = knownInsights(tenant);
    const stored = new Map<string, Insight>();
    for (const finding of findings) {
      if (finding.confidence < confidenceThreshold) {
        weak.inc({ analyzer: finding.analyzer });
        continue;
      }
      const insight = await keep(tenant, finding, known, now);
      if (insight !== null) stored.set(insight.id, insight);
    }
    return [...stored.values()].sort(gravestFirst);
  }

  async function keep(tenant: string, finding: Finding, known: KnownInsights, now: bigint): Promise<Insight | null> {
    const fingerprint = (finding.spreads && (await known.spreadFrom(finding))) || fingerprintOf(finding);
    const suggestions = suggestionsFor(finding, await known.resolved(finding.insight_type));
    const fresh = toInsight(finding, fingerprint, suggestions, now, now + retentionNanos);
    let change: InsightChange['change'] | null = null;
    let unchanged: Insight | null = null;
    const stored = await insights.changeInsight(tenant, insightId(fingerprint), (current) => {
      const next = current === null ? fresh : mergeInsight(current, fresh, finding.times);
      unchanged = next === null ? current : null;
      change = next === null ? null : alertChange(current, next);
      return next;
    });
    if (change !== null && stored !== null) {
      changes.inc({ change });
      // Whoever ignored it has asked to hear no more of it.
      if (stored.state !== 'ignored') publish?.({ kind: 'insight', tenant, change, insight: stored });
    }
    return unchanged ?? stored;
  }

  /** Insights that findings are compared with, each list read once and only when needed. */
  function knownInsights(tenant: string): KnownInsights {
    const lists = new Map<string, Promise<Insight[]>>();
    const list = (insight_type: InsightType, states: readonly InsightState[]) => {
      const key = `${insight_type} ${states}`;
      let found = lists.get(key);
      if (found === undefined) {
        found = insights.insights(tenant, { insight_type, states, limit: KNOWN_MAX });
        lists.set(key, found);
      }
      return found;
    };
    return {
      resolved: (type) => list(type, ['resolved', 'regressed']),
      async spreadFrom(finding) {
        const family = `${familyOf(finding)}|`;
        const places = new Set(finding.components.map(componentKey));
        const earlier = await list(finding.insight_type, ['open', 'regressed', 'resolved', 'ignored']);
        return earlier.find(
          ({ fingerprint, affected_components }) =>
            fingerprint.startsWith(family) &&
            affected_components.some((component) => places.has(componentKey(component))),
        )?.fingerprint;
      },
    };
  }

  async function consistency(request: ConsistencyRequest): Promise<Insight | null> {
    const { tenant, operation_id } = request;
    const now = clock.nowNanos();
    const reported = await reader.snapshots(tenant, { operation_id, limit: REPORTED_MAX });
    if (reported.length === 0) return null;
    const snapshots = await withHistory(reader, tenant, reported);
    const finding = inTime(() =>
      checkOperation(request, snapshots, budgetUntil(clock, clock.monotonicMs() + ASKED_MS)),
    );
    if (finding === null) return null;
    if (finding.severity !== 'info') {
      const [insight] = await store(tenant, [finding], now);
      if (insight !== undefined) return insight;
    }
    return toInsight(finding, fingerprintOf(finding), suggestionsFor(finding, []), now, now + retentionNanos);
  }

  async function explain(tenant: string, event: DebugEvent): Promise<ErrorExplanation> {
    const now = clock.nowNanos();
    const { correlation_id } = event;
    const events = correlation_id === null ? [event] : await readCorrelation(reader, tenant, correlation_id);
    const window = createWindow({ scope: { tenant, ...(correlation_id !== null && { correlation_id }) }, now, events });
    const { findings, runs } = await analyze(window, analyzers, clock, ({ needs }) => needs.includes('events'));
    count(runs);
    const known = knownInsights(tenant);
    return explainError(event, window, findings, async (finding) => {
      const suggestions = suggestionsFor(finding, await known.resolved(finding.insight_type));
      return toInsight(finding, fingerprintOf(finding), suggestions, now, now + retentionNanos);
    });
  }

  const holder = randomUUID();
  const automatic = createAutomaticRuns({
    async generate(scope) {
      await watch(scope);
      await generate(scope, options.background);
    },
    ...(insights.takeLease !== undefined && {
      takeTurn: (name: string, durationMs: number) => insights.takeLease!(name, holder, durationMs),
    }),
    clock,
    log,
    meter,
  });

  return {
    name: 'insight engine',
    generate: (scope) => generate(scope),
    consistency,
    explain,
    observe: options.automatic ? automatic.observe : () => {},
    start: options.automatic ? automatic.start : async () => {},
    stop: automatic.stop,
  };

  /** The first time to the log, after that only counted: a broken analyzer would fill the disk. */
  function complain(about: string, error: unknown, message: string): void {
    if (complained.has(about)) return;
    complained.add(about);
    log.warn({ err: error }, message);
  }
}

interface KnownInsights {
  resolved(type: InsightType): Promise<Insight[]>;
  /** The fingerprint of the finding that this one is, seen elsewhere before. */
  spreadFrom(finding: Finding): Promise<string | undefined>;
}

// One question that somebody waits for, with no other analyzer behind it.
const ASKED_MS = 10_000;
const KNOWN_MAX = 500;
const REPORTED_MAX = 2000;
// The newest; what was resolved or fell silent before so many others was looked at long enough.
const VERIFIED_MAX = 100;

function isUnchanged(a: Insight, b: Insight): boolean {
  return (
    a.state === b.state &&
    a.last_seen === b.last_seen &&
    a.resolved_at === b.resolved_at &&
    sinceOf(a)?.checked_until === sinceOf(b)?.checked_until
  );
}

/** @throws DebugError UNAVAILABLE in the place of BudgetSpent: who asked can ask again, when the machine has less to do */
function inTime<T>(look: () => T): T {
  try {
    return look();
  } catch (error) {
    if (!(error instanceof BudgetSpent)) throw error;
    throw new DebugError('UNAVAILABLE', `comparing the states took over ${ASKED_MS / 1000} s`, {
      retryAfterSeconds: 5,
    });
  }
}

const GRAVITY = { critical: 2, warning: 1, info: 0 } as const;

function gravestFirst(a: Insight, b: Insight): number {
  return GRAVITY[b.severity] - GRAVITY[a.severity] || b.confidence_score - a.confidence_score || (a.id < b.id ? -1 : 1);
}
