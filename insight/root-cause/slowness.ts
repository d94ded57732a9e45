/**
 * Where time is spent that the baseline did not spend. A call's own time (no child running) beyond what its operation needed in the
 * baseline is excess; a trace's excess as a part of its duration says how slow it is, and who spent it is to blame.
 *
 * Between a client span and the span that answers it lies time of neither: the way, the queue, a starved runtime on either side. It
 * goes to the end that explains more: to the callee as far as all who call it wait, to the caller as far as it waits for all whom it
 * calls (the spectrum idea of MicroRank, Yu et al., WWW 2021, on edges instead of operations). Quantiles of the baseline, not
 * means: latencies have tails.
 */
import type { DebugEvent } from '../../model/event.ts';
import { ascending, quantile } from '../statistics.ts';
import { shareAtLeast } from './bounds.ts';
import { answered, type Call, type Calls, type Component } from './calls.ts';

/** Operations or connections of one component that take longer than in the baseline. */
export interface Slowdown {
  component: Component;
  /** The span's name; of a connection the operation that was called. */
  operation: string;
  /** Where the time lies between two components. */
  between: { caller: Component; callee: Component } | null;
  /** Medians in milliseconds, and how many calls. */
  baseline: { medianMs: number; calls: number };
  window: { medianMs: number; calls: number };
  /** Traces' worth of time: the sum over traces of the part of their duration that is excess here. */
  blamed: number;
  excessMs: number;
  /** The calls with the most excess first. */
  evidence: DebugEvent[];
}

/** @returns by blame, the greatest first */
export function slowdowns(window: Calls, baseline: Calls): Slowdown[] {
  const groups = new Map<string, Group>();
  for (const call of baseline.all) groupOf(groups, call).baseline.push(call.ownMs);
  for (const call of window.all) groupOf(groups, call).calls.push(call);
  const slow = new Map<string, Group>();
  const everyConnection = ascending(
    [...groups.values()].flatMap(({ callee, baseline }) => (callee === null ? [] : baseline)),
  );
  for (const [key, group] of groups) {
    // What lies between two components is the network's, much the same for all: where few calls were seen, the others stand in.
    const few = group.baseline.length < BASELINE_CALLS_MIN;
    group.baseline = few && group.callee !== null ? everyConnection : ascending(group.baseline);
    if (group.baseline.length < BASELINE_CALLS_MIN || group.calls.length === 0) continue;
    group.mostMs = usualMost(group.baseline);
    slow.set(key, group);
  }
  const found: Slowdown[] = [];
  const shareOf = sharesOfConnections([...slow.values()]);
  const durations = traceDurations(window);
  for (const group of slow.values()) {
    let blamed = 0;
    let excessMs = 0;
    const slowest: { excess: number; event: DebugEvent }[] = [];
    for (const { trace, ownMs, event } of group.calls) {
      const excess = ownMs - group.mostMs;
      if (excess <= 0) continue;
      excessMs += excess;
      blamed += excess / durations.get(trace)!;
      slowest.push({ excess, event });
    }
    const beyond = shareAtLeast(slowest.length, group.calls.length, CONFIDENCE);
    const news = Math.max(0, 1 - (1 - USUAL) / beyond);
    if (!(news > 0)) continue;
    blamed *= news;
    const { caller, callee } = group;
    const common = {
      operation: group.operation,
      baseline: { medianMs: quantile(group.baseline, 0.5), calls: group.baseline.length },
      window: { medianMs: quantile(ascending(group.calls.map(({ ownMs }) => ownMs)), 0.5), calls: group.calls.length },
      evidence: slowest
        .sort((a, b) => b.excess - a.excess)
        .slice(0, EVIDENCE_MAX)
        .map(({ event }) => event),
    };
    const between = callee === null ? null : { caller, callee };
    for (const [component, share] of callee === null ? [[caller, 1] as const] : shareOf(caller, callee)) {
      if (share > 0) found.push({ ...common, component, between, blamed: blamed * share, excessMs: excessMs * share });
    }
  }
  return found.sort((a, b) => b.blamed - a.blamed || (a.component.key < b.component.key ? -1 : 1));
}

/** Calls that should take alike. */
interface Group {
  caller: Component;
  /** Who answered; null for calls that no other component answered. */
  callee: Component | null;
  operation: string;
  baseline: number[];
  calls: Call[];
  /** The most that a healthy call is expected to take. */
  mostMs: number;
}

const BASELINE_CALLS_MIN = 3;
const EVIDENCE_MAX = 5;
// A connection counts as slow when most of its calls take longer than nearly all of the baseline's did.
const USUAL = 0.95;
const CONFIDENCE = 0.95;

function groupOf(groups: Map<string, Group>, call: Call): Group {
  const remote = call.event.span?.kind === 'client' ? answered(call) : undefined;
  const operation = remote?.operation ?? call.operation;
  const key = `${call.component.key}\0${remote?.component.key ?? ''}\0${operation}`;
  let group = groups.get(key);
  if (group === undefined) {
    const callee = remote?.component ?? null;
    groups.set(key, (group = { caller: call.component, callee, operation, baseline: [], calls: [], mostMs: 0 }));
  }
  return group;
}

/** The 95th percentile, and as far again from the median as a small sample may have missed it. */
function usualMost(sorted: readonly number[]): number {
  const median = quantile(sorted, 0.5);
  const most = quantile(sorted, USUAL);
  return most + (most - median) / Math.sqrt(sorted.length);
}

/** How the time on the way between two components is divided between them. */
function sharesOfConnections(groups: readonly Group[]) {
  const pairs = new Map<string, { caller: Component; callee: Component; slow: number; all: number }>();
  for (const { caller, callee, calls, mostMs } of groups) {
    if (callee === null) continue;
    const key = `${caller.key}\0${callee.key}`;
    let pair = pairs.get(key);
    if (pair === undefined) pairs.set(key, (pair = { caller, callee, slow: 0, all: 0 }));
    for (const { ownMs } of calls) if (ownMs > mostMs) pair.slow++;
    pair.all += calls.length;
  }
  const toCallee = new Spectrum();
  const fromCaller = new Spectrum();
  for (const { caller, callee, slow, all } of pairs.values()) {
    toCallee.add(callee.key, slow / all);
    fromCaller.add(caller.key, slow / all);
  }
  return (caller: Component, callee: Component): [Component, number][] => {
    const ofCallee = toCallee.slowShare(callee.key) ** 2;
    const ofCaller = fromCaller.slowShare(caller.key) ** 2;
    const total = ofCallee + ofCaller;
    if (total === 0) return [];
    return [
      [callee, ofCallee / total],
      [caller, ofCaller / total],
    ];
  };
}

/** Which part of the connections at one end are slow. */
class Spectrum {
  readonly #ends = new Map<string, { slow: number; all: number }>();

  add(end: string, slowShare: number): void {
    let known = this.#ends.get(end);
    if (known === undefined) this.#ends.set(end, (known = { slow: 0, all: 0 }));
    known.slow += slowShare;
    known.all++;
  }

  /** As if there were one more that is not slow: of two ends with nothing but slow connections the one with more explains more. */
  slowShare(end: string): number {
    const { slow, all } = this.#ends.get(end)!;
    return slow / (all + 1);
  }
}

function traceDurations(window: Calls): Map<string, number> {
  const durations = new Map<string, number>();
  for (const [id, calls] of window.traces) {
    let start = Number.POSITIVE_INFINITY;
    let end = Number.NEGATIVE_INFINITY;
    for (const call of calls) {
      if (call.start < start) start = call.start;
      if (call.end > end) end = call.end;
    }
    durations.set(id, Math.max(end - start, Number.EPSILON));
  }
  return durations;
}
