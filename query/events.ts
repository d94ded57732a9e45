/** Events: posted, listed over all tiers, and found by id. */
import { randomUUID } from 'node:crypto';
import { compileLinear } from '../base/linear-pattern.ts';
import type { DebugEvent, EventType, Level } from '../model/event.ts';
import { eventId, parseEventId } from '../model/ids.ts';
import { indexRequest } from '../otlp/walk.ts';
import type { EventQuery } from '../storage/query.ts';
import { type Answer, beginReading, type Coverage, coverageOf, malformed, notFound } from './answer.ts';
import { decodeCursor, encodeCursor } from './cursor.ts';
import type { QueryNeeds } from './needs.ts';
import { parseTime, parseTimeRange, type Range, type TimeRangeInput } from './params.ts';
import { encodeEvents, type Post, type PostedEvent } from './records.ts';

/** Conditions on events; those given hold together. */
export interface EventFilter {
  component_type?: string | undefined;
  component_id?: string | undefined;
  /** Everything that carries it and everything in the traces that it touches. */
  correlation_id?: string | undefined;
  operation_id?: string | undefined;
  trace_id?: string | undefined;
  event_type?: readonly EventType[] | undefined;
  level?: Level | undefined;
  min_level?: Level | undefined;
  template_id?: string | undefined;
  /** Text that the message contains, in any case. */
  q?: string | undefined;
  /** A pattern that the message contains, in RE2's syntax. */
  regex?: string | undefined;
  /** Attribute keys and the text of their values. */
  attributes?: Readonly<Record<string, string>> | undefined;
}

export interface EventsRequest extends EventFilter, TimeRangeInput {
  /** 1 to 1000. */
  limit: number;
  cursor?: string | undefined;
}

export interface EventAnswers {
  /**
   * @param key of a request that may be sent again (`Idempotency-Key`): with the same key and a timestamp of its own, the same
   * event is the same event
   */
  postEvents(tenant: string, posted: readonly PostedEvent[], key?: string): Promise<Answer<{ event_ids: string[] }>>;
  /** Newest first. */
  events(tenant: string, request: EventsRequest): Promise<Answer<DebugEvent[]>>;
  /** @throws DebugError NOT_FOUND */
  event(tenant: string, id: string): Promise<Answer<DebugEvent>>;
}

export function createEventAnswers(needs: QueryNeeds): EventAnswers {
  return {
    async postEvents(tenant, posted, key = randomUUID()) {
      const posts = posted.map(
        (event, i): Post<PostedEvent> => ({
          posted: event,
          time: event.timestamp == null ? needs.clock.nowNanos() : parseTime('timestamp', event.timestamp),
          postId: `${key}/${i}`,
        }),
      );
      const body = encodeEvents(posts, needs.keys);
      needs.redact(tenant, body);
      const event_ids = indexRequest('log', body).records.map((record) => eventId(record.time, record.hash));
      if (posts.length > 0) await needs.ingest(tenant, [body]);
      const reading = await beginReading(needs);
      return reading.answer({ event_ids }, { count: event_ids.length });
    },

    async events(tenant, request) {
      const reading = await beginReading(needs);
      const { limit, cursor } = request;
      const { range, before } = cursor === undefined ? firstPage(request, reading.now) : nextPage(request, cursor);
      const filter = eventQuery(tenant, request, range);
      const page = await needs.events.events({ ...filter, limit, ...(before !== undefined && { before }) });
      const last = page.events.at(-1);
      const empty = last === undefined ? await whyEmpty(tenant, range, reading.now) : undefined;
      const rejected = needs.rejected?.(tenant) ?? 0;
      return reading.answer(page.events, {
        truncated: page.next !== null,
        ...(page.next !== null && { next_cursor: encodeCursor(request, range, [page.next]) }),
        coverage: { ...coverageOf(page), ...(rejected > 0 && { rejected }), ...(empty !== undefined && { empty }) },
      });
    },

    async event(tenant, id) {
      const reading = await beginReading(needs);
      const found = parseEventId(id) === null ? null : await needs.events.event(tenant, id);
      if (found === null) throw notFound('EVENT', `event ${id}`);
      return reading.answer(found.event, { tier: found.tier, coverage: { tiers: [found.tier] } });
    },
  };

  async function whyEmpty(tenant: string, range: Range, now: bigint): Promise<Coverage['empty']> {
    if (range.end !== undefined && range.end < now - needs.retentionNanos) return 'out_of_retention';
    const any = await needs.events.events({ tenant, limit: 1 });
    return any.events.length === 0 ? 'no_data' : 'no_match';
  }
}

export function eventQuery(tenant: string, filter: EventFilter, range: Range): Omit<EventQuery, 'limit' | 'before'> {
  const { event_type, attributes } = filter;
  const query: Omit<EventQuery, 'limit' | 'before'> = { tenant, ...range };
  if (filter.regex !== undefined) refuseOddPattern(filter.regex);
  for (const key of PLAIN_FILTERS) if (filter[key] !== undefined) query[key] = filter[key];
  if (filter.level !== undefined) query.level = filter.level;
  if (filter.min_level !== undefined) query.min_level = filter.min_level;
  if (event_type !== undefined && event_type.length > 0) query.event_types = event_type;
  if (attributes !== undefined) query.attributes = new Map(Object.entries(attributes));
  return query;
}

/** @throws DebugError MALFORMED */
function refuseOddPattern(regex: string): void {
  try {
    compileLinear(regex);
  } catch (error) {
    throw malformed('regex', (error as Error).message);
  }
}

const PLAIN_FILTERS = [
  'component_type',
  'component_id',
  'correlation_id',
  'operation_id',
  'trace_id',
  'template_id',
  'q',
  'regex',
] as const;

function firstPage(request: EventsRequest, now: bigint): { range: Range; before?: string } {
  return { range: parseTimeRange(request, now) };
}

function nextPage(request: EventsRequest, cursor: string): { range: Range; before?: string } {
  const { range, position } = decodeCursor(request, cursor, 1);
  const before = position[0]!;
  if (parseEventId(before) === null) throw malformed('cursor', 'is not a cursor of this endpoint');
  return { range, before };
}
