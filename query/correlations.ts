/** What happened under one correlation id, in the order in which it happened, across services and traces. */
import type { ComponentRef } from '../model/block.ts';
import type { DebugEvent } from '../model/event.ts';
import { parseNanos } from '../model/time.ts';
import { type Answer, beginReading, coverageOf, malformed, notFound, readAll } from './answer.ts';
import { isError } from './counts.ts';
import { decodeCursor, encodeCursor } from './cursor.ts';
import { briefOf, type InsightBrief } from './insights.ts';
import type { QueryNeeds } from './needs.ts';

export interface CorrelationRequest {
  /** 1 to 1000. */
  limit: number;
  cursor?: string | undefined;
}

export interface CorrelationView {
  correlation_id: string;
  started_at: string;
  ended_at: string;
  duration_ms: number;
  event_count: number;
  error_count: number;
  /** By their first event. */
  components: (ComponentRef & { event_count: number; error_count: number })[];
  operations: string[];
  traces: string[];
  /** Open ones about this correlation. */
  insights: InsightBrief[];
  /** A page of its events, the oldest first. */
  events: DebugEvent[];
}

export interface CorrelationAnswers {
  /** @throws DebugError NOT_FOUND */
  correlation(tenant: string, id: string, request: CorrelationRequest): Promise<Answer<CorrelationView>>;
}

export function createCorrelationAnswers(needs: QueryNeeds): CorrelationAnswers {
  return {
    async correlation(tenant, id, { limit, cursor }) {
      const reading = await beginReading(needs);
      const read = await readAll(needs.events, { tenant, correlation_id: id }, TIMELINE_EVENTS_MAX);
      if (read.events.length === 0) throw notFound('CORRELATION', `correlation ${id}`);
      const timeline = read.events.reverse();
      const question = { correlation_id: id };
      const after = cursor === undefined ? '' : decodeCursor(question, cursor, 1).position[0]!;
      const from = timeline.findIndex((event) => event.id > after);
      if (from < 0) throw malformed('cursor', 'points behind the last event');
      const events = timeline.slice(from, from + limit);
      const more = from + limit < timeline.length;
      const insights = await needs.rows.insights(tenant, {
        correlation_id: id,
        states: ['open', 'regressed'],
        limit: 10,
      });
      return reading.answer(
        { correlation_id: id, ...summary(timeline), insights: insights.map(briefOf), events },
        {
          count: events.length,
          truncated: more || read.truncated,
          ...(more && { next_cursor: encodeCursor(question, {}, [events.at(-1)!.id]) }),
          coverage: coverageOf(read),
        },
      );
    },
  };
}

// Read whole for the summary; a correlation with more events is one that was chosen badly, and the answer says it is cut.
const TIMELINE_EVENTS_MAX = 5000;

function summary(timeline: readonly DebugEvent[]): Omit<CorrelationView, 'correlation_id' | 'insights' | 'events'> {
  const components = new Map<string, CorrelationView['components'][number]>();
  const operations = new Set<string>();
  const traces = new Set<string>();
  const started_at = timeline[0]!.timestamp;
  let ended_at = started_at;
  let error_count = 0;
  for (const event of timeline) {
    const { component_type: type, component_id: id, operation_id, trace_id } = event;
    const component = components.get(`${type}\0${id}`) ?? { type, id, event_count: 0, error_count: 0 };
    components.set(`${type}\0${id}`, component);
    component.event_count++;
    if (isError(event)) {
      component.error_count++;
      error_count++;
    }
    if (operation_id !== null) operations.add(operation_id);
    if (trace_id !== null) traces.add(trace_id);
    const end = event.span?.end_timestamp ?? event.timestamp;
    if (end > ended_at) ended_at = end;
  }
  return {
    started_at,
    ended_at,
    duration_ms: Number(parseNanos(ended_at)! - parseNanos(started_at)!) / 1e6,
    event_count: timeline.length,
    error_count,
    components: [...components.values()],
    operations: [...operations],
    traces: [...traces],
  };
}
