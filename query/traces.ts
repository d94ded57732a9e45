/** One trace as a tree of spans, with what failed in it and what decided how long it took. */
import type { DebugEvent } from '../model/event.ts';
import { formatNanos, parseNanos } from '../model/time.ts';
import { type TraceNode, type TraceProblem, type TraceSpan, traceTree } from '../model/trace.ts';
import { type Answer, beginReading, coverageOf, notFound, type ReadEvents, readAll } from './answer.ts';
import { isError } from './counts.ts';
import type { QueryNeeds } from './needs.ts';

export interface SpanNodeView {
  /** The event of this span. */
  event_id: string;
  span_id: string;
  parent_span_id: string | null;
  /** Steps below its root. */
  depth: number;
  /** Span ids, by start. */
  children: string[];
  name: string;
  kind: string;
  component_type: string;
  component_id: string;
  node_id: string | null;
  status: string;
  status_message: string | null;
  timestamp: string;
  /** From the start of the trace. */
  offset_ms: number;
  duration_ms: number;
  /** The part of the duration in which no child ran. */
  self_time_ms: number;
  /** The part of the duration that decided how long the trace took. */
  critical_path_ms: number;
}

export interface CriticalSegmentView {
  span_id: string;
  name: string;
  component_type: string;
  component_id: string;
  timestamp: string;
  duration_ms: number;
}

export interface TraceView {
  trace_id: string;
  started_at: string;
  ended_at: string;
  duration_ms: number;
  span_count: number;
  /** Events at ERROR and above, spans and others. */
  error_count: number;
  /** Whether spans are known to be missing, or do not fit together. */
  incomplete: boolean;
  problems: TraceProblem[];
  /** Depth first, children by start: indent by `depth` and it is the tree. */
  spans: SpanNodeView[];
  /** By time. */
  critical_path: CriticalSegmentView[];
  /** Errors that are not spans: logs and exceptions, by time. */
  errors: {
    event_id: string;
    span_id: string | null;
    component_type: string;
    component_id: string;
    message: string;
    timestamp: string;
  }[];
}

export interface TraceAnswers {
  /** @throws DebugError NOT_FOUND */
  trace(tenant: string, traceId: string): Promise<Answer<TraceView>>;
}

export function createTraceAnswers(needs: QueryNeeds): TraceAnswers {
  return {
    async trace(tenant, traceId) {
      const reading = await beginReading(needs);
      const trace_id = traceId.toLowerCase();
      const read = TRACE_ID.test(trace_id)
        ? await readAll(needs.events, { tenant, trace_id }, TRACE_EVENTS_MAX)
        : NOTHING_READ;
      if (read.events.length === 0) throw notFound('TRACE', `trace ${traceId}`);
      const view = traceView(trace_id, read.events);
      if (read.truncated) view.incomplete = true;
      return reading.answer(view, { truncated: read.truncated, coverage: coverageOf(read) });
    },
  };
}

const NOTHING_READ: ReadEvents = { events: [], truncated: false, tiers: [] };

/** @param events all that is known of the trace, in any order, at least one */
export function traceView(trace_id: string, events: readonly DebugEvent[]): TraceView {
  const spans = events.filter((event) => event.span !== undefined && event.span_id !== null).map(spanOf);
  const { nodes, criticalPath, problems } = traceTree(spans);
  const times = events.map((event) => parseNanos(event.timestamp)!);
  const start = least(times);
  const end = greatest([...times, ...spans.map((span) => span.end)]);
  const failed = events.filter(isError);
  return {
    trace_id,
    started_at: formatNanos(start),
    ended_at: formatNanos(end),
    duration_ms: milliseconds(end - start),
    span_count: spans.length,
    error_count: failed.length,
    // Records that carry a trace id of which no span came: the trace was not sampled, or is still under way.
    incomplete: problems.length > 0 || spans.length === 0,
    problems,
    spans: nodes.map((node) => nodeView(node, start)),
    critical_path: criticalPath.map(({ node, start, end }) => ({
      span_id: node.span.span_id,
      name: node.span.event.name ?? '',
      component_type: node.span.event.component_type,
      component_id: node.span.event.component_id,
      timestamp: formatNanos(start),
      duration_ms: milliseconds(end - start),
    })),
    errors: failed
      .filter((event) => event.span === undefined)
      .sort((a, b) => (a.id < b.id ? -1 : 1))
      .map(({ id, span_id, component_type, component_id, message, timestamp }) => ({
        event_id: id,
        span_id,
        component_type,
        component_id,
        message,
        timestamp,
      })),
  };
}

const TRACE_ID = /^[0-9a-f]{32}$/;
// More spans than anybody reads; decoding them takes some 150 ms.
const TRACE_EVENTS_MAX = 10_000;

interface EventSpan extends TraceSpan {
  event: DebugEvent;
}

function spanOf(event: DebugEvent): EventSpan {
  return {
    event,
    span_id: event.span_id!,
    parent_span_id: event.parent_span_id,
    start: parseNanos(event.timestamp)!,
    end: parseNanos(event.span!.end_timestamp)!,
  };
}

function nodeView(
  { span, depth, children, selfNanos, criticalNanos }: TraceNode<EventSpan>,
  start: bigint,
): SpanNodeView {
  const { event } = span;
  return {
    event_id: event.id,
    span_id: span.span_id,
    parent_span_id: span.parent_span_id,
    depth,
    children: children.map((child) => child.span.span_id),
    name: event.name ?? '',
    kind: event.span!.kind,
    component_type: event.component_type,
    component_id: event.component_id,
    node_id: event.node_id,
    status: event.status ?? 'unset',
    status_message: event.span!.status_message ?? null,
    timestamp: event.timestamp,
    offset_ms: milliseconds(span.start - start),
    duration_ms: event.duration_ms ?? 0,
    self_time_ms: milliseconds(selfNanos),
    critical_path_ms: milliseconds(criticalNanos),
  };
}

function milliseconds(nanos: bigint): number {
  return Number(nanos) / 1e6;
}

function least(times: readonly bigint[]): bigint {
  return times.reduce((a, b) => (b < a ? b : a));
}

function greatest(times: readonly bigint[]): bigint {
  return times.reduce((a, b) => (b > a ? b : a));
}
