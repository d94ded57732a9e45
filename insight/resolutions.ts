/**
 * Whether what was resolved, or what has not been seen for a while, is gone, or only has not run again: an error that does not recur because
 * nobody calls the code says nothing.
 * When a finding is kept, what was being done when it was seen is kept with it (its context). From then on each window is searched for
 * that context: as often as it ran without the finding, it ran clean. It is fixed once the clean runs would be chance in fewer than one
 * of twenty cases, if it still failed as often as before (for one that failed always, three runs; for one in ten, 29).
 */
import type { DebugEvent } from '../model/event.ts';
import { goesOn, type Insight, type Since, sinceOf } from '../model/insight.ts';
import type { Json, JsonObject } from '../model/json.ts';
import { isJsonObject } from '../model/json.ts';
import { isError, stepOf } from './event-facts.ts';
import type { Finding } from './finding.ts';
import { type Correlation, componentKey, type Window } from './window.ts';

/** Under `context` among the numbers of an insight: what ran when it was found, as `service/api POST /orders`. */
export interface Context extends JsonObject {
  steps: string[];
  /** How often it ran in the window in which it was found, and how often it had the finding. */
  runs: number;
  found: number;
}

/** @returns null where nothing tells what was being done: no spans, and nothing but errors was said */
export function contextOf(finding: Finding, window: Window): Context | null {
  const { byId } = indexOf(window);
  const steps = new Set<string>();
  for (const id of finding.evidence.event_ids) {
    const known = byId.get(id);
    if (known === undefined || steps.size === STEPS_MAX) continue;
    const step = stepAround(known.event, known.correlation);
    if (step !== undefined) steps.add(nameOf(step));
  }
  if (steps.size === 0) return null;
  const runs = runsIn(window, steps, '');
  return { steps: [...steps], runs, found: Math.min(finding.times.length, runs) };
}

/** The span that an event is or belongs to, else what its component said beside it. */
function stepAround(event: DebugEvent, { events, traces }: Correlation): DebugEvent | undefined {
  if (event.span !== undefined) return event;
  const trace = event.span_id === null ? undefined : traces.find(({ id }) => id === event.trace_id);
  const span = trace?.byId.get(event.span_id!)?.span.event;
  return span ?? events.find((other) => !isError(other) && componentKey(other) === componentKey(event));
}

/**
 * What is known of an insight after another window in which its finding did not come again: since it was resolved, or where it is open and
 * quiet, since it was last seen.
 * @returns null when that is nothing new: it is fixed already, was looked at until then, still goes on, or its context is not known
 */
export function whatRanSince(insight: Insight, window: Window, until: string): Since | null {
  const context = contextIn(insight.evidence.numbers.context);
  const beginning = insight.state === 'resolved' ? insight.resolved_at : insight.last_seen;
  if (context === null || beginning === null || (insight.state !== 'resolved' && goesOn(insight, until))) return null;
  const known = sinceOf(insight);
  const isOfThis = known !== null && known.checked_until >= beginning;
  if (isOfThis && (known.verdict === 'fixed' || known.checked_until >= until)) return null;
  const from = isOfThis ? known.checked_until : beginning;
  if (from >= until) return null;
  const more = runsIn(window, context.steps, from, until);
  // Of a quiet one nobody asked: it is written when there is something to say, not every minute.
  if (isOfThis && more === 0 && insight.state !== 'resolved') return null;
  const clean = (isOfThis ? known.clean_runs : 0) + more;
  const needed = runsNeeded(context);
  const verdict = clean === 0 ? 'not_exercised' : clean < needed ? 'too_few_runs' : 'fixed';
  return { verdict, clean_runs: clean, runs_needed: needed, checked_until: until };
}

export function withSince(insight: Insight, since: Since): Insight {
  const key = insight.state === 'resolved' ? 'after_resolve' : 'since_last_seen';
  const numbers = { ...insight.evidence.numbers, [key]: { ...since } };
  return { ...insight, evidence: { ...insight.evidence, numbers } };
}

const STEPS_MAX = 10;
const CHANCE = 0.05;
const RUNS_MIN = 3;
const RUNS_MAX = 1000;

function runsNeeded({ runs, found }: Context): number {
  const share = Math.min(Math.max(found, 1) / Math.max(runs, 1), 0.95);
  return Math.min(Math.max(Math.ceil(Math.log(CHANCE) / Math.log(1 - share)), RUNS_MIN), RUNS_MAX);
}

/** Events of these steps after one time, up to another. */
function runsIn(window: Window, steps: Iterable<string>, from: string, until?: string): number {
  const { times } = indexOf(window);
  let runs = 0;
  for (const step of steps)
    for (const time of times.get(step) ?? []) if (time > from && (until === undefined || time <= until)) runs++;
  return runs;
}

interface Index {
  /** When each step ran. */
  times: Map<string, string[]>;
  byId: Map<string, { event: DebugEvent; correlation: Correlation }>;
}

/** Made once for all findings of a window: without it they took most of a run over a thousand components. */
function indexOf(window: Window): Index {
  let index = indexes.get(window);
  if (index !== undefined) return index;
  index = { times: new Map(), byId: new Map() };
  for (const event of window.events) {
    if (isError(event)) continue;
    const name = nameOf(event);
    const times = index.times.get(name);
    if (times === undefined) index.times.set(name, [event.timestamp]);
    else times.push(event.timestamp);
  }
  for (const correlation of window.correlations)
    for (const event of correlation.events) index.byId.set(event.id, { event, correlation });
  indexes.set(window, index);
  return index;
}

const indexes = new WeakMap<Window, Index>();

function nameOf(event: DebugEvent): string {
  return `${componentKey(event)} ${stepOf(event)}`;
}

function contextIn(value: Json | undefined): Context | null {
  return isJsonObject(value) && Array.isArray(value.steps) ? (value as Context) : null;
}
