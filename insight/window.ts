/**
 * What an analyzer looks at: the events of a window in order of time, joined to correlations and span trees, and what is known from
 * before. Joining is done when first asked for, once for all analyzers.
 */
import type { ComponentRef } from '../model/block.ts';
import type { DebugEvent } from '../model/event.ts';
import type { ComponentMinute, TemplateMinute } from '../model/rollup.ts';
import type { Snapshot } from '../model/snapshot.ts';
import { NANOS_PER_MS } from '../model/time.ts';
import { type TraceNode, type TraceTree, traceTree } from '../model/trace.ts';
import { alignClocks, type TimedSpan } from './clock-skew.ts';
import type { Scope } from './reader.ts';

/** What was read. Lists in any order; metric points are not among the events. */
export interface WindowInput {
  scope: Scope;
  /** When it was asked, nanoseconds. */
  now: bigint;
  events: readonly DebugEvent[];
  /** Share of the window's events that were read, 0 to 1; 1 when all were. */
  coverage?: number;
  snapshots?: readonly Snapshot[];
  /** Spans from before the window. */
  baseline?: readonly DebugEvent[];
  templateMinutes?: readonly TemplateMinute[];
  componentMinutes?: readonly ComponentMinute[];
  templateHistory?: readonly TemplateMinute[];
  templateTexts?: ReadonlyMap<string, string>;
  /** Metric points of the window, and samples of the time before. */
  metrics?: readonly DebugEvent[];
  /** Points of all metrics, of the window and the time before. */
  metricPoints?: readonly DebugEvent[];
}

export interface Window {
  readonly scope: Scope;
  /** From when it is looked at: its end, or now if that is earlier. What is younger than a settle time may still be on its way. */
  readonly asOf: bigint;
  /** By time, then id. */
  readonly events: readonly DebugEvent[];
  readonly coverage: number;
  /** By time, then id. */
  readonly snapshots: readonly Snapshot[];
  readonly templateMinutes: readonly TemplateMinute[];
  /** Of the window and the time before; empty for a window of one correlation or operation. */
  readonly componentMinutes: readonly ComponentMinute[];
  /** The same of templates, each under the id of what it stands for now. */
  readonly templateHistory: readonly TemplateMinute[];
  /** Of the templates of the history, by id. */
  readonly templateTexts: ReadonlyMap<string, string>;
  /** Points that tell how full something is, of the window and in samples of the week before; by time, then id. */
  readonly metrics: readonly DebugEvent[];
  /** Points of all metrics of the window and the time before it, of as many components as there was room for; in any order. */
  readonly metricPoints: readonly DebugEvent[];
  /** Events that carry one, or are in a trace that does, in order of their first event. */
  readonly correlations: readonly Correlation[];
  /** Traces from before the window; those that the window also saw are left out. */
  readonly baseline: readonly Trace[];
}

/** Everything known of one distributed operation. */
export interface Correlation {
  readonly id: string;
  /** By time, then id. */
  readonly events: readonly DebugEvent[];
  readonly traces: readonly Trace[];
}

/** Its spans are joined when first asked for. */
export interface Trace {
  readonly id: string;
  readonly tree: TraceTree<TimedSpan>;
  readonly byId: ReadonlyMap<string, SpanNode>;
}

export type SpanNode = TraceNode<TimedSpan>;

export function createWindow(input: WindowInput): Window {
  const events = [...input.events].sort(byTime);
  let correlations: Correlation[] | undefined;
  let baseline: Trace[] | undefined;
  const { end } = input.scope;
  return {
    scope: input.scope,
    asOf: end !== undefined && end < input.now ? end : input.now,
    events,
    coverage: input.coverage ?? 1,
    snapshots: [...(input.snapshots ?? [])].sort((a, b) => compare(a.time, b.time) || compare(a.id, b.id)),
    templateMinutes: input.templateMinutes ?? [],
    componentMinutes: input.componentMinutes ?? [],
    templateHistory: input.templateHistory ?? [],
    templateTexts: input.templateTexts ?? new Map(),
    metrics: [...(input.metrics ?? [])].sort(byTime),
    metricPoints: input.metricPoints ?? [],
    get correlations() {
      return (correlations ??= correlate(events, input.scope.correlation_id));
    },
    get baseline() {
      return (baseline ??= tracesBefore(input.baseline ?? [], events));
    },
  };
}

/** @param spans with a trace; others are left out */
export function joinTraces(spans: readonly DebugEvent[]): Trace[] {
  const byTrace = new Map<string, TimedSpan[]>();
  for (const event of spans) {
    const span = timedSpan(event);
    if (span === null) continue;
    const sameTrace = byTrace.get(event.trace_id!);
    if (sameTrace === undefined) byTrace.set(event.trace_id!, [span]);
    else sameTrace.push(span);
  }
  return [...byTrace].map(([id, timed]) => new JoinedTrace(id, timed));
}

/** All of a window, each joined as it is come to: whoever has other things to do need not do it in one go. */
export function* traceTreesOf({ baseline, correlations }: Window): Generator<TraceTree<TimedSpan>> {
  for (const { tree } of baseline) yield tree;
  for (const { traces } of correlations) for (const { tree } of traces) yield tree;
}

class JoinedTrace implements Trace {
  readonly id: string;
  readonly #spans: readonly TimedSpan[];
  #tree: TraceTree<TimedSpan> | undefined;
  #byId: Map<string, SpanNode> | undefined;

  constructor(id: string, spans: readonly TimedSpan[]) {
    this.id = id;
    this.#spans = spans;
  }

  get tree(): TraceTree<TimedSpan> {
    return (this.#tree ??= traceTree(alignClocks(this.#spans)));
  }

  get byId(): ReadonlyMap<string, SpanNode> {
    if (this.#byId === undefined) {
      this.#byId = new Map();
      for (const node of this.tree.nodes)
        if (!this.#byId.has(node.span.span_id)) this.#byId.set(node.span.span_id, node);
    }
    return this.#byId;
  }
}

export function componentOf(event: DebugEvent): ComponentRef {
  return { type: event.component_type, id: event.component_id };
}

/** Text that tells components apart, as `service/orders`. */
export function componentKey(of: ComponentRef | DebugEvent): string {
  return 'component_id' in of ? `${of.component_type}/${of.component_id}` : `${of.type}/${of.id}`;
}

/** Each once, where it stands first. */
export function distinctComponents(components: readonly ComponentRef[]): ComponentRef[] {
  return [...new Map(components.map((component) => [componentKey(component), component])).values()];
}

/** Nanoseconds. Events carry their time in one form, `…:05.123456789Z`; reading any RFC 3339 would cost three times as much. */
export function timeOf({ timestamp }: DebugEvent): bigint {
  return BigInt(Date.parse(`${timestamp.slice(0, 23)}Z`)) * NANOS_PER_MS + BigInt(timestamp.slice(23, 29));
}

/** Event times all have nine decimals and four-digit years: text order is time order. */
export function byTime(a: DebugEvent, b: DebugEvent): number {
  return compare(a.timestamp, b.timestamp) || compare(a.id, b.id);
}

function timedSpan(event: DebugEvent): TimedSpan | null {
  if (event.span === undefined || event.trace_id === null || event.span_id === null) return null;
  const start = timeOf(event);
  const end = start + BigInt(Math.round((event.duration_ms ?? 0) * 1e6));
  return { span_id: event.span_id, parent_span_id: event.parent_span_id, start, end, event };
}

function tracesBefore(baseline: readonly DebugEvent[], events: readonly DebugEvent[]): Trace[] {
  const seen = new Set<string | null>(events.map((event) => event.trace_id));
  return joinTraces(baseline.filter((event) => !seen.has(event.trace_id)));
}

/** Joins what shares a correlation id or a trace, as union-find; all of it is one when the window is one correlation's. */
function correlate(events: readonly DebugEvent[], only: string | undefined): Correlation[] {
  const parents = new Map<string, string>();
  const rootOf = (key: string): string => {
    let root = key;
    for (let up = parents.get(root); up !== undefined && up !== root; up = parents.get(root)) root = up;
    for (let at = key; at !== root; ) {
      const up = parents.get(at)!;
      parents.set(at, root);
      at = up;
    }
    return root;
  };
  const groups = new Map<string, DebugEvent[]>();
  const keyOf = ({ trace_id, correlation_id }: DebugEvent) =>
    only !== undefined
      ? 'only'
      : trace_id !== null
        ? `t${trace_id}`
        : correlation_id !== null
          ? `c${correlation_id}`
          : null;
  if (only === undefined) {
    for (const { trace_id, correlation_id } of events) {
      if (trace_id !== null && correlation_id !== null) {
        parents.set(rootOf(`t${trace_id}`), rootOf(`c${correlation_id}`));
      }
    }
  }
  for (const event of events) {
    const key = keyOf(event);
    if (key === null) continue;
    const root = rootOf(key);
    const group = groups.get(root);
    if (group === undefined) groups.set(root, [event]);
    else group.push(event);
  }
  return [...groups.values()].map((group) => {
    let traces: Trace[] | undefined;
    return {
      id: only ?? idOf(group),
      events: group,
      get traces() {
        return (traces ??= joinTraces(group));
      },
    };
  });
}

/** A correlation that somebody named goes before a trace id that stands in for one. */
function idOf(group: readonly DebugEvent[]): string {
  const named = group.find(({ correlation_id, trace_id }) => correlation_id !== null && correlation_id !== trace_id);
  return (named ?? group[0]!).correlation_id ?? group[0]!.trace_id!;
}

function compare<T extends bigint | string>(a: T, b: T): number {
  return a < b ? -1 : a > b ? 1 : 0;
}
