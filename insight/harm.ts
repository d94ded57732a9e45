/**
 * Whether an error did harm. Systems that work log errors all day: an operation that went on after its error, and ran like those beside it
 * that had none, was not interrupted by it. What takes the excuse away: a span that says that it failed, a CRITICAL, an operation
 * that ended with the error or took longer by it, and an error that began where others had gone well without it.
 *
 * The onset is found by exchangeability: were n errors spread over N runs by chance, the first k runs would all be free of them with the
 * probability C(N - k, n) / C(N, n), the hypergeometric distribution (Fisher's exact test with one margin at zero).
 */
import type { DebugEvent } from '../model/event.ts';
import type { Budget } from './analyzer.ts';
import { chanceOfCount } from './anomaly/counts.ts';
import { isError, isRecordedException, patternOf } from './event-facts.ts';
import { type FailedOperation, failuresOf } from './failures/find.ts';
import { ascending, quantile } from './statistics.ts';
import { patternId } from './templates.ts';
import { type Correlation, componentKey, type SpanNode, timeOf, type Window } from './window.ts';

/** What one component said first in however many operations, and whether they went on. */
export interface FailureGroup {
  /** By correlation and time, at least one. */
  failures: readonly FailedOperation[];
  /** Null when at least one was interrupted, or nothing tells that it was not. */
  endured: Endured | null;
}

/** Operations that went on after an error. */
export interface Endured {
  /** Runs of the same operation that are known, with and without the error. */
  runs: number;
  carrying: number;
}

/** In order of the first failure of each; found once and kept for the analyzers that come after. */
export function failureGroups(window: Window, budget: Budget): readonly FailureGroup[] {
  let groups = groupsOf.get(window);
  if (groups === undefined) {
    const runs = runsOf(window, budget);
    const byOrigin = Map.groupBy(
      failuresOf(window, budget),
      ({ failure }) => `${componentKey(failure.culprit)}\0${patternOf(failure.origin)}`,
    );
    groups = [...byOrigin.values()].map((failures) => {
      budget.check();
      return { failures, endured: enduredBy(failures, runs, window) };
    });
    groupsOf.set(window, groups);
  }
  return groups;
}

/** Exceptions that a span recorded and got over: it is known, and says of no failure. */
export function handledExceptions({ correlations }: Window): Set<DebugEvent> {
  const handled = new Set<DebugEvent>();
  for (const { events, traces } of correlations) {
    const recorded = events.filter(isRecordedException);
    if (recorded.length === 0) continue;
    const byTrace = new Map(traces.map((trace) => [trace.id, trace]));
    for (const event of recorded) {
      const span = byTrace.get(event.trace_id ?? '')?.byId.get(event.span_id!)?.span.event;
      if (span !== undefined && span.status !== 'error') handled.add(event);
    }
  }
  return handled;
}

/** As a sentence. */
export function describeEndured({ runs, carrying }: Endured): string {
  return `The flow went on after it: nothing around it is known to have failed or to have taken longer. ${carrying} of ${runs} runs of the operation carry it.`;
}

/**
 * Whether an error is as frequent as before the window: said in so many minutes that its rate is known, and not more now than chance
 * explains. Null when that is not known.
 * @param events equal by the pattern of their message, at least one
 */
export function isUsual(events: readonly DebugEvent[], window: Window): boolean | null {
  const { start } = window.scope;
  if (start === undefined) return null;
  const said = new Set(events.map(componentKey));
  const templates = new Set([patternId(patternOf(events[0]!)), ...events.map((event) => event.template_id)]);
  const heard = new Set<bigint>();
  const before = new Map<bigint, number>();
  const now = new Map<bigint, number>();
  for (const { minute, template_id, component_type, component_id, count, first_time } of window.templateHistory) {
    if (minute > window.asOf || !said.has(`${component_type}/${component_id}`)) continue;
    const isBefore = first_time < start;
    if (isBefore) heard.add(minute);
    if (!templates.has(template_id)) continue;
    const counts = isBefore ? before : now;
    counts.set(minute, (counts.get(minute) ?? 0) + count);
  }
  if (heard.size < MINUTES_BEFORE_MIN) return null;
  const most = Math.max(0, ...now.values());
  // The busiest of some minutes is above most minutes by being chosen.
  const counts = [...heard].map((minute) => before.get(minute) ?? 0);
  return before.size > 0 && chanceOfCount(most, counts) * Math.max(now.size, 1) >= CHANCE_MAX;
}

/** As long as the counts of templates need to be listened to before silence means anything. */
const MINUTES_BEFORE_MIN = 10;
/** As for new templates: dozens of errors are looked at every ten seconds, and one in a thousand would come true each hour. */
const CHANCE_MAX = 1e-4;
/** As many others tell how long an operation takes, and how it ends. */
const OTHERS_MIN = 5;
const SLOWER_MIN = 1.5;
const SLOW_QUANTILE = 0.95;

const groupsOf = new WeakMap<Window, FailureGroup[]>();

function enduredBy(failures: readonly FailedOperation[], runs: Runs, window: Window): Endured | null {
  const carrying = new Set<Run>();
  const keys = new Set<string>();
  for (const failed of failures) {
    const run = wentOn(failed, runs);
    if (run === null) return null;
    carrying.add(run);
    keys.add(run.key);
  }
  const all = [...keys].flatMap((key) => runs.byKey.get(key)!).sort((a, b) => Number(a.start - b.start));
  if (tookLonger(all, carrying)) return null;
  const usual = isUsual(
    failures.map(({ failure }) => failure.origin),
    window,
  );
  if (usual === false || (usual === null && hasJustBegun(all, carrying))) return null;
  return { runs: all.length, carrying: carrying.size };
}

/** One run of an operation: what a component did when it was called, or a correlation without spans. */
interface Run {
  key: string;
  start: bigint;
  tookNanos: bigint;
}

interface Runs {
  byKey: ReadonlyMap<string, Run[]>;
  ofSpan: ReadonlyMap<SpanNode, Run>;
  ofCorrelation: ReadonlyMap<Correlation, Run>;
  /** How runs without errors ended that have no spans, by what they are a run of. */
  endings: ReadonlyMap<string, Map<string, number>>;
}

/** The run that the failure was part of; null when it ended with it, or may have. */
function wentOn({ correlation, failure }: FailedOperation, runs: Runs): Run | null {
  if (failure.silent || failure.errors.some((event) => event.level === 'CRITICAL' || event.status === 'error'))
    return null;
  const trace = correlation.traces.find(({ id }) => id === failure.origin.trace_id);
  const [origin, symptom] = [failure.origin, failure.chain[0]!].map((event) => trace?.byId.get(event.span_id ?? ''));
  if (origin === undefined || symptom === undefined) return endedAsOthers(correlation, failure.errors.at(-1)!, runs);
  const { parent } = symptom;
  const isWaitedFor = parent !== null && symptom.span.event.span?.kind !== 'consumer';
  if (!isWaitedFor || symptom.span.end > parent.span.end) return null;
  for (let above: SpanNode | null = parent; above !== null; above = above.parent)
    if (above.span.event.status === 'error') return null;
  return runs.ofSpan.get(entryOf(origin)) ?? null;
}

/** Without spans only the last words tell: those of a run that went well, said after the error. */
function endedAsOthers(correlation: Correlation, lastError: DebugEvent, runs: Runs): Run | null {
  const run = runs.ofCorrelation.get(correlation);
  const last = correlation.events.at(-1)!;
  if (run === undefined || isError(last) || last.timestamp <= lastError.timestamp) return null;
  const endings = runs.endings.get(run.key) ?? new Map<string, number>();
  const others = [...endings.values()].reduce((sum, count) => sum + count, 0);
  return others >= OTHERS_MIN && (endings.get(saidBy(last)) ?? 0) * 2 > others ? run : null;
}

/** Half of those with the error took clearly longer than nearly all of those without. */
function tookLonger(all: readonly Run[], carrying: ReadonlySet<Run>): boolean {
  const others = ascending(all.filter((run) => !carrying.has(run)).map(({ tookNanos }) => Number(tookNanos)));
  if (others.length < OTHERS_MIN) return false;
  const median = quantile(ascending([...carrying].map(({ tookNanos }) => Number(tookNanos))), 0.5);
  return median > quantile(others, SLOW_QUANTILE) * SLOWER_MIN;
}

/** @param all by start */
function hasJustBegun(all: readonly Run[], carrying: ReadonlySet<Run>): boolean {
  const free = all.findIndex((run) => carrying.has(run));
  let chance = 1;
  for (let i = 0; i < carrying.size && chance >= CHANCE_MAX; i++) chance *= (all.length - free - i) / (all.length - i);
  return chance < CHANCE_MAX;
}

function runsOf(window: Window, budget: Budget): Runs {
  const byKey = new Map<string, Run[]>();
  const ofSpan = new Map<SpanNode, Run>();
  const ofCorrelation = new Map<Correlation, Run>();
  const endings = new Map<string, Map<string, number>>();
  const add = (run: Run): Run => {
    const known = byKey.get(run.key);
    if (known === undefined) byKey.set(run.key, [run]);
    else known.push(run);
    return run;
  };
  for (const correlation of window.correlations) {
    budget.check();
    for (const { tree } of correlation.traces) {
      for (const node of tree.nodes) {
        const { event, start, end } = node.span;
        if (node.parent !== null && componentKey(node.parent.span.event) === componentKey(event)) continue;
        ofSpan.set(node, add({ key: `${componentKey(event)}\0${event.name}`, start, tookNanos: end - start }));
      }
    }
    if (correlation.traces.length > 0) continue;
    const [first, last] = [correlation.events[0]!, correlation.events.at(-1)!];
    const start = timeOf(first);
    const run = add({ key: `\0${saidBy(first)}`, start, tookNanos: timeOf(last) - start });
    ofCorrelation.set(correlation, run);
    if (correlation.events.some(isError)) continue;
    const counts = endings.get(run.key) ?? new Map<string, number>();
    counts.set(saidBy(last), (counts.get(saidBy(last)) ?? 0) + 1);
    endings.set(run.key, counts);
  }
  return { byKey, ofSpan, ofCorrelation, endings };
}

/** The span with which the component was entered. */
function entryOf(node: SpanNode): SpanNode {
  let entry = node;
  const own = componentKey(node.span.event);
  while (entry.parent !== null && componentKey(entry.parent.span.event) === own) entry = entry.parent;
  return entry;
}

function saidBy(event: DebugEvent): string {
  return `${componentKey(event)}\0${patternOf(event)}`;
}
