/**
 * The calls of a window: spans as trees with the log records that were written during each, in milliseconds, cheap enough to build
 * for tens of thousands of records at every question.
 */
import type { ComponentRef } from '../../model/block.ts';
import type { DebugEvent } from '../../model/event.ts';
import { componentKey, componentOf } from '../window.ts';

/** One span, where it was called from and what happened in it; where there are no spans, what one component logged of an operation. */
export interface Call {
  /** The trace's id, or the correlation's where there is no trace. */
  trace: string;
  component: Component;
  /** The span's name; empty where there is none. */
  operation: string;
  /** The span, or the first of the logs. */
  event: DebugEvent;
  /** Milliseconds after the window's start; of a node whose clock disagrees with its caller's, moved to where it must have been. */
  start: number;
  end: number;
  parent: Call | null;
  /** By start. */
  children: Call[];
  /** By time. */
  logs: DebugEvent[];
  /** It ended inside the window: what is not seen in it did not happen. */
  whole: boolean;
  /** The part of its duration in which it waited for no other call. */
  ownMs: number;
}

export interface Component extends ComponentRef {
  /** `service/orders` */
  key: string;
}

export interface Calls {
  /** Every call once, callers before what they called. */
  all: readonly Call[];
  /** The calls of each trace, callers first. */
  traces: ReadonlyMap<string, readonly Call[]>;
  /** Log records of no trace or correlation, by time. */
  loose: readonly DebugEvent[];
  /** Milliseconds after the window's start. */
  timeOf(event: DebugEvent): number;
}

/** @param events spans and log records of the window, in any order, each once  @param window nanoseconds, inclusive */
export function joinCalls(events: readonly DebugEvent[], window: { start: bigint; end: bigint }): Calls {
  const origin = Number(window.start / 1_000_000n);
  const lengthMs = Number(window.end / 1_000_000n) - origin;
  // Reading a date costs most of joining; within a minute only the seconds differ.
  let minute = '';
  let minuteMs = 0;
  const timeOf = ({ timestamp }: DebugEvent) => {
    if (!timestamp.startsWith(minute) || minute === '') {
      minute = timestamp.slice(0, 17);
      minuteMs = Date.parse(`${minute}00Z`) - origin;
    }
    return minuteMs + Number(timestamp.slice(17, 29)) * 1000;
  };
  const components = new Map<string, Component>();
  const byId = new Map<string, Call>();
  const traces = new Map<string, Call[]>();
  const add = (id: string, trace: string, event: DebugEvent, end: number): Call => {
    const key = componentKey(event);
    let component = components.get(key);
    if (component === undefined) components.set(key, (component = { ...componentOf(event), key }));
    const start = timeOf(event);
    const call: Call = {
      trace,
      component,
      operation: event.span === undefined ? '' : (event.name ?? event.message),
      event,
      start,
      end,
      parent: null,
      children: [],
      logs: [],
      whole: end <= lengthMs,
      ownMs: 0,
    };
    byId.set(id, call);
    const ofTrace = traces.get(trace);
    if (ofTrace === undefined) traces.set(trace, [call]);
    else ofTrace.push(call);
    return call;
  };

  // In order of time, so that the answer does not depend on the order of arrival.
  const ordered = [...events].sort(byTime);
  for (const event of ordered) {
    if (event.span === undefined || event.span_id === null || event.trace_id === null) continue;
    const id = event.trace_id + event.span_id;
    // Exporters repeat themselves, and not always word for word.
    if (!byId.has(id)) add(id, event.trace_id, event, timeOf(event) + Math.max(event.duration_ms ?? 0, 0));
  }
  const loose: DebugEvent[] = [];
  for (const event of ordered) {
    if (event.span !== undefined || event.metric !== undefined) continue;
    const trace = event.trace_id ?? event.correlation_id;
    if (trace === null) {
      loose.push(event);
      continue;
    }
    const id = trace + event.span_id;
    const beside = `${trace} ${componentKey(event)}`;
    const call = byId.get(id) ?? byId.get(beside) ?? add(beside, trace, event, timeOf(event));
    call.logs.push(event);
    if (call.event.span === undefined) call.end = timeOf(event);
  }

  const all: Call[] = [];
  for (const [id, calls] of traces) {
    for (const call of calls) {
      const { parent_span_id, span } = call.event;
      const parent = span === undefined || parent_span_id === null ? undefined : byId.get(id + parent_span_id);
      if (parent !== undefined && !isBelow(parent, call)) {
        call.parent = parent;
        parent.children.push(call);
      }
    }
    const callers = callersFirst(calls);
    traces.set(id, callers);
    for (const call of callers) {
      alignClock(call);
      all.push(call);
    }
    for (const call of callers) call.ownMs = ownTime(call);
  }
  return { all, traces, loose, timeOf };
}

/** The call that another component answered: what a client span waited for. */
export function answered(call: Call): Call | undefined {
  return call.children.find((child) => child.component !== call.component);
}

function byTime(a: DebugEvent, b: DebugEvent): number {
  return a.timestamp < b.timestamp ? -1 : a.timestamp > b.timestamp ? 1 : a.id < b.id ? -1 : 1;
}

/** Whether `call` is among what `of` was called from: a circle of parents is cut there. */
function isBelow(of: Call, call: Call): boolean {
  for (let at: Call | null = of; at !== null; at = at.parent) if (at === call) return true;
  return false;
}

function callersFirst(calls: readonly Call[]): Call[] {
  const ordered = calls.filter(({ parent }) => parent === null);
  for (const call of ordered) {
    call.children.sort((a, b) => a.start - b.start);
    ordered.push(...call.children);
  }
  return ordered;
}

/** Clocks of nodes disagree: what seems to run outside of its caller is moved to its middle, with what lies below (Jaeger's rule). */
function alignClock(call: Call): void {
  const { parent } = call;
  if (parent === null || parent.event.node_id === call.event.node_id) return;
  const slack = parent.end - parent.start - (call.end - call.start);
  if (slack < 0 || (call.start >= parent.start && call.end <= parent.end)) return;
  shift(call, parent.start + slack / 2 - call.start);
}

function shift(root: Call, ms: number): void {
  const below = [root];
  for (const call of below) {
    call.start += ms;
    call.end += ms;
    for (const child of call.children) if (child.event.node_id === root.event.node_id) below.push(child);
  }
}

/** Time in which neither a child ran nor a remote call that its caller made beside it: reactive servers hang calls next to handlers. */
function ownTime(call: Call): number {
  const beside = call.parent?.children.filter(
    (other) => other !== call && other.start >= call.start && isRemote(other),
  );
  const pending = beside?.length ? [...call.children, ...beside].sort((a, b) => a.start - b.start) : call.children;
  let own = call.end - call.start;
  let covered = call.start;
  for (const other of pending) {
    const from = Math.max(other.start, covered);
    const to = Math.min(other.end, call.end);
    if (to <= from) continue;
    own -= to - from;
    covered = to;
  }
  return own;
}

function isRemote(call: Call): boolean {
  return call.event.span?.kind === 'client' && answered(call) !== undefined;
}
