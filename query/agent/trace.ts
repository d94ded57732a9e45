/** What happened in one operation: a trace as a tree, or everything under a correlation or operation id as a timeline. */
import { DebugError } from '../../base/errors.ts';
import type { DebugEvent } from '../../model/event.ts';
import { parseNanos } from '../../model/time.ts';
import type { AnswerMeta } from '../answer.ts';
import { coverageWords, type Draft, type DraftItem, type NextCall, nameOf, quote } from '../budget.ts';
import type { CorrelationView } from '../correlations.ts';
import type { SpanNodeView, TraceView } from '../traces.ts';
import type { Facts } from './facts.ts';
import { rawCost, rawCostOf } from './raw.ts';
import { componentName, insightItem, listed, millis, percent, plural, refName } from './say.ts';
import { notKnown } from './unknown.ts';

export interface TraceInput {
  /** Of a trace, a correlation or an operation. */
  id: string;
}

export async function draftTrace(facts: Facts, tenant: string, { id }: TraceInput): Promise<Draft> {
  const isTraceId = /^[0-9a-fA-F]{32}$/.test(id);
  return (
    (isTraceId ? await orNone(ofTrace(facts, tenant, id)) : null) ??
    (await orNone(ofCorrelation(facts, tenant, id))) ??
    (await orNone(ofOperation(facts, tenant, id))) ??
    notKnown(facts, tenant, `Nothing is known by the id ${nameOf(id)}: no trace, correlation or operation.`)
  );
}

async function orNone(draft: Promise<Draft>): Promise<Draft | null> {
  try {
    return await draft;
  } catch (error) {
    if (error instanceof DebugError && error.code === 'NOT_FOUND') return null;
    throw error;
  }
}

async function ofTrace(facts: Facts, tenant: string, id: string): Promise<Draft> {
  const { data: trace, meta } = await facts.trace(tenant, id);
  if (trace.span_count === 0) return ofCorrelation(facts, tenant, id);
  const failed = trace.spans.filter(({ status }) => status === 'error');
  const deepest = failed.toSorted((a, b) => b.depth - a.depth)[0];
  const slowest = trace.spans.toSorted((a, b) => b.critical_path_ms - a.critical_path_ms)[0]!;
  const parts = [
    `${plural(trace.span_count, 'span')} over ${plural(new Set(trace.spans.map(nameOfSpan)).size, 'component')} took ${millis(trace.duration_ms)}.`,
    deepest === undefined
      ? 'No span failed.'
      : `${plural(failed.length, 'span')} failed, deepest: ${nameOfSpan(deepest)} ${quote(deepest.name, 80)}${deepest.status_message ? ` ${quote(deepest.status_message, 120)}` : ''}.`,
    `Most of the critical path: ${nameOfSpan(slowest)} ${quote(slowest.name, 80)}, ${millis(slowest.critical_path_ms)} (${percent(trace.duration_ms === 0 ? 1 : slowest.critical_path_ms / trace.duration_ms)}).`,
  ];
  const next: NextCall[] = [];
  const error = trace.errors[0]?.event_id ?? deepest?.event_id;
  if (error !== undefined) next.push({ tool: 'explain', arguments: { id: error } });
  next.push({ tool: 'health', arguments: { component: (deepest ?? slowest).component_id } });
  return {
    answer: parts.join(' '),
    lists: [
      { name: 'spans', items: rankedSpans(trace) },
      {
        name: 'errors',
        items: trace.errors.map(({ component_type, component_id, message, event_id, timestamp }) => ({
          forms: [
            `+${millis(since(trace.started_at, timestamp))} ${componentName(component_type, component_id)} ${quote(message)} id=${event_id}`,
            `${componentName(component_type, component_id)} ${quote(message, 80)}`,
          ],
        })),
      },
    ],
    next,
    coverage: [
      ...coverageWords(meta),
      ...[...new Set(trace.problems.map(({ kind }) => `incomplete: ${kind.replaceAll('_', ' ')}`))],
    ],
    as_of: meta.as_of,
    raw: await rawCost(facts, tenant, { trace_id: trace.trace_id }, trace.span_count + trace.errors.length),
  };
}

const nameOfSpan = (span: SpanNodeView) => componentName(span.component_type, span.component_id);

/** Failures first, then what decided how long it took; shown as the tree that they stand in. */
function rankedSpans({ spans }: TraceView): DraftItem[] {
  const weight = (span: SpanNodeView) =>
    (span.status === 'error' ? 1e12 : 0) + span.critical_path_ms * 1e3 + span.self_time_ms;
  const placed = spans.map((span, place) => ({ span, place }));
  placed.sort((a, b) => weight(b.span) - weight(a.span) || a.place - b.place);
  return placed.map(({ span, place }) => {
    const failed = span.status === 'error' ? ' FAILED' : '';
    const head = `${'>'.repeat(Math.min(span.depth, DEPTH_SHOWN_MAX))}${nameOfSpan(span)} ${quote(span.name, 80)}${failed}`;
    const times = `+${millis(span.offset_ms)} took ${millis(span.duration_ms)}, critical ${millis(span.critical_path_ms)}`;
    return { forms: [`${head} ${times}`, `${head} ${millis(span.duration_ms)}`], place };
  });
}

async function ofCorrelation(facts: Facts, tenant: string, id: string): Promise<Draft> {
  const { data, meta } = await facts.correlation(tenant, id, { limit: TIMELINE_MAX });
  return timeline(data, data.events, meta, await rawCost(facts, tenant, { correlation_id: id }, data.event_count));
}

async function ofOperation(facts: Facts, tenant: string, id: string): Promise<Draft> {
  const [progress, events] = await Promise.all([
    facts.progress(tenant, id),
    facts.events(tenant, { operation_id: id, limit: TIMELINE_MAX }),
  ]);
  const { status, progress: share, steps } = progress.data;
  const { as_of } = events.meta;
  const oldestFirst = events.data.toReversed();
  const correlations = [...new Set(events.data.map(({ correlation_id }) => correlation_id))].filter(
    (each) => each !== null,
  );
  return {
    answer: `Operation ${nameOf(id)}: ${status}, ${percent(share)} done, ${plural(steps.length, 'step')} known.`,
    facts: { status, progress: share },
    lists: [
      {
        name: 'steps',
        items: steps.map((step) => ({
          forms: [
            `${nameOf(String(step.step ?? 'whole'))}: ${step.status} ${percent(step.progress)} by ${componentName(step.component_type, step.component_id)}`,
          ],
        })),
      },
      { name: 'timeline', items: rankedEvents(oldestFirst), more: events.meta.truncated },
    ],
    next: correlations.slice(0, 1).map((correlation) => ({ tool: 'trace', arguments: { id: correlation } })),
    coverage: coverageWords(progress.meta, events.meta),
    as_of,
    raw: rawCostOf(events.data),
  };
}

function timeline(view: CorrelationView, events: readonly DebugEvent[], meta: AnswerMeta, raw: Draft['raw']): Draft {
  const error = events.find(({ level }) => level === 'ERROR' || level === 'CRITICAL');
  const silent = view.components.filter(
    ({ type, id }) => !events.some((e) => e.span && e.component_type === type && e.component_id === id),
  );
  const parts = [
    `${plural(view.event_count, 'event')} of ${listed(view.components.map(refName), 6)} in ${millis(view.duration_ms)}, ${plural(view.error_count, 'error')}.`,
    ...(error === undefined
      ? []
      : [`First error: ${componentName(error.component_type, error.component_id)} ${quote(error.message, 200)}.`]),
  ];
  const next: NextCall[] = [];
  if (error !== undefined) next.push({ tool: 'explain', arguments: { id: error.id } });
  for (const trace of view.traces.slice(0, 1))
    if (trace !== view.correlation_id) next.push({ tool: 'trace', arguments: { id: trace } });
  return {
    answer: parts.join(' '),
    lists: [
      { name: 'insights', items: view.insights.map((insight) => insightItem(insight, meta.as_of)) },
      { name: 'timeline', items: rankedEvents(events), total: view.event_count },
    ],
    next,
    coverage: [
      ...coverageWords({ ...meta, truncated: false }),
      ...(silent.length > 0
        ? [`no spans of ${listed(silent.map(refName))}: not instrumented for traces, or not sampled`]
        : []),
    ],
    as_of: meta.as_of,
    raw,
  };
}

/** Errors, then the first and the last, then by level; shown by time. @param events the oldest first */
function rankedEvents(events: readonly DebugEvent[]): DraftItem[] {
  const start = events[0]?.timestamp ?? '';
  const weight = (event: DebugEvent, i: number) =>
    event.severity_number * 2 + (event.status === 'error' ? 34 : 0) + (i === 0 || i === events.length - 1 ? 20 : 0);
  return events
    .map((event, place) => ({ event, place, weight: weight(event, place) }))
    .sort((a, b) => b.weight - a.weight || a.place - b.place)
    .map(({ event, place }) => {
      const { timestamp, level, event_type, component_type, component_id, message, duration_ms } = event;
      const head = `+${millis(since(start, timestamp))} ${level ?? event_type} ${componentName(component_type, component_id)}`;
      const took = duration_ms === undefined ? '' : ` took ${millis(duration_ms)}`;
      return { forms: [`${head} ${quote(message)}${took}`, `${head} ${quote(message, 80)}${took}`], place };
    });
}

function since(start: string, time: string): number {
  return Number(parseNanos(time)! - parseNanos(start)!) / 1e6;
}

const TIMELINE_MAX = 500;
const DEPTH_SHOWN_MAX = 10;
