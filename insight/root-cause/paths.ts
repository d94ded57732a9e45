/**
 * Where traces leave the healthy path. Every call is read as two sequences, what it logged and whom it called; a step is the passage
 * from one to the next, as in Nezha's event patterns (Yu et al., FSE 2023). A step that the baseline took rarely or never, from a
 * place that it knows well, is a departure, and a trace is blamed on the component of its earliest departure: what comes
 * after it, in callers and in other components, is consequence.
 *
 * How sure a departure is comes from counts alone, in traces, since the steps of one trace are not independent:
 * - how often the baseline may take it unseen: Good-Turing (Good, Biometrika 1953), the share of once-seen steps from the same place;
 * - how often the window takes it at least: the lower Clopper-Pearson bound; and how likely the baseline, at that rate, had shown it;
 * - how much the place says at all: Simpson's index (Nature 1949), the chance that two healthy traces go on alike. Where
 *   requests part by what they ask for, another mix of requests is no fault; where the baseline itself failed, it shows no healthy way.
 */
import type { DebugEvent } from '../../model/event.ts';
import { isError } from '../event-facts.ts';
import type { Background } from './background.ts';
import { countAbove, shareAtLeast } from './bounds.ts';
import { answered, type Call, type Calls, type Component } from './calls.ts';

/** A kind of departure, seen in one or more traces of the window. */
export interface Departure {
  component: Component;
  operation: string;
  sequence: 'logs' | 'calls';
  /** The step before; null at the start of the call. */
  after: Step | null;
  /** What came; null where the call ended. */
  instead: Step | null;
  /** What the baseline mostly did there; null: it ended the call. */
  expected: Step | null;
  /** Traces that came by this place, and those that took the step. */
  baseline: { traces: number; took: number };
  window: { traces: number; took: number };
  /** Traces blamed on it: at most `window.took`. */
  blamed: number;
  evidence: DebugEvent[];
}

/** A log statement or a call, as it recurs. */
export interface Step {
  /** In words that can be shown: the code location and message of a log statement, the callee and operation of a call. */
  text: string;
  /** Of log statements. */
  template_id?: string;
  event: DebugEvent;
}

/** @returns by blamed traces, the most first */
export function departures(window: Calls, baseline: Calls, background: Background): Departure[] {
  const places = new Places();
  let trace = 0;
  for (const calls of baseline.traces.values()) {
    trace++;
    walk(calls, baseline, (passage) => places.count(passage, 0, trace));
  }
  const taken: Taken[][] = [];
  for (const calls of window.traces.values()) {
    trace++;
    const ofTrace: Taken[] = [];
    walk(calls, window, (passage) => ofTrace.push({ ...passage, branch: places.count(passage, 1, trace) }));
    taken.push(ofTrace);
  }
  const expectOf = places.judge();
  for (const ofTrace of taken) blame(ofTrace, background);
  return [...places.branches()]
    .filter(({ blamed }) => blamed > 0)
    .map((branch): Departure => {
      const { place, first } = branch;
      return {
        component: first!.call.component,
        operation: first!.call.operation,
        sequence: place.sequence,
        after: place.step,
        instead: branch.step,
        expected: expectOf(place),
        baseline: { traces: place.traces[0], took: branch.traces[0] },
        window: { traces: place.traces[1], took: branch.traces[1] },
        blamed: branch.blamed,
        evidence: branch.evidence,
      };
    })
    .sort((a, b) => b.blamed - a.blamed || (a.component.key < b.component.key ? -1 : 1));
}

/** From a place one or other branch is taken. */
interface Place {
  sequence: Departure['sequence'];
  step: Step | null;
  traces: [baseline: number, window: number];
  lastTrace: number;
  branches: Map<string, Branch>;
}

interface Branch {
  place: Place;
  step: Step | null;
  isError: boolean;
  traces: [baseline: number, window: number];
  lastTrace: number;
  /** Traces of the baseline that took it in a call that did not fail. */
  healthy: number;
  lastHealthy: number;
  /** That one who takes it leaves the healthy path, 0 to 1. */
  weight: number;
  blamed: number;
  first: Passage | null;
  evidence: DebugEvent[];
}

interface Passage {
  call: Call;
  sequence: Departure['sequence'];
  /** Names the sequence, the same in every trace. */
  of: string;
  from: string;
  fromEvent: DebugEvent | null;
  to: string;
  toEvent: DebugEvent | null;
  toRemote: Call | null;
  at: number;
  /** An error came out of the call. */
  failed: boolean;
}

interface Taken extends Passage {
  branch: Branch;
}

// A branch that more than one in twenty baseline traces takes is a healthy path, whatever its share in the window.
const HEALTHY_SHARE = 0.05;
const CONFIDENCE = 0.95;
const EVIDENCE_MAX = 5;
const START = '^';
const END = '$';
const FAILED_END = '$!';

class Places {
  /** By sequence, then by the step before. */
  readonly #places = new Map<string, Map<string, Place>>();

  count(passage: Passage, side: 0 | 1, trace: number): Branch {
    const { sequence, of, from, to } = passage;
    let places = this.#places.get(of);
    if (places === undefined) this.#places.set(of, (places = new Map()));
    let place = places.get(from);
    if (place === undefined) {
      const step = passage.fromEvent === null ? null : stepOf(passage.fromEvent, null);
      places.set(from, (place = { sequence, step, traces: [0, 0], lastTrace: 0, branches: new Map() }));
    }
    if (place.lastTrace !== trace) {
      place.lastTrace = trace;
      place.traces[side]++;
    }
    let branch = place.branches.get(to);
    if (branch === undefined) {
      branch = {
        place,
        step: passage.toEvent === null ? null : stepOf(passage.toEvent, passage.toRemote),
        isError: to === FAILED_END || (passage.toEvent !== null && isError(passage.toEvent)),
        traces: [0, 0],
        lastTrace: 0,
        healthy: 0,
        lastHealthy: 0,
        weight: 0,
        blamed: 0,
        first: null,
        evidence: [],
      };
      place.branches.set(to, branch);
    }
    if (branch.lastTrace !== trace) {
      branch.lastTrace = trace;
      branch.traces[side]++;
    }
    if (side === 0 && !passage.failed && branch.lastHealthy !== trace) {
      branch.lastHealthy = trace;
      branch.healthy++;
    }
    return branch;
  }

  /** Weighs every branch. @returns what the baseline mostly does at a place */
  judge(): (place: Place) => Step | null {
    // Good-Turing over all places: how often, in health, a step is one that was never seen before. Errors apart, which are rarer.
    const onceSeen = [1, 1];
    let steps = 1;
    for (const { branches } of this.#all()) {
      for (const { traces, isError } of branches.values()) {
        steps += traces[0];
        if (traces[0] === 1) onceSeen[Number(isError)]!++;
      }
    }
    for (const { traces, branches } of this.#all()) {
      if (traces[0] === 0 || traces[1] === 0) continue;
      const onceSeenHere = [0, 0];
      let alike = 0;
      for (const branch of branches.values()) {
        if (branch.traces[0] === 1) onceSeenHere[Number(branch.isError)]!++;
        // That an error stays away is no departure.
        if (!branch.isError) alike += (branch.healthy / (traces[0] + 1)) ** 2;
      }
      for (const branch of branches.values()) {
        const kind = Number(branch.isError);
        if (branch.traces[1] === 0 || branch.traces[0] > HEALTHY_SHARE * traces[0]) continue;
        const unseen = onceSeen[kind]! / steps;
        const healthy = (Math.max(branch.traces[0], onceSeenHere[kind]!) + unseen) / (traces[0] + 1);
        const now = shareAtLeast(branch.traces[1], traces[1], CONFIDENCE);
        const shown = countAbove(branch.traces[0], traces[0], now);
        branch.weight = Math.max(0, 1 - healthy / now) * shown * Math.min(alike, 1);
      }
    }
    return ({ branches }) => {
      let most: Branch | null = null;
      for (const branch of branches.values()) if (branch.traces[0] > (most?.traces[0] ?? 0)) most = branch;
      return most?.step ?? null;
    };
  }

  *branches(): Generator<Branch> {
    for (const { branches } of this.#all()) yield* branches.values();
  }

  *#all(): Generator<Place> {
    for (const places of this.#places.values()) yield* places.values();
  }
}

/** Gives a trace's blame to its departures, the earliest first: each takes what it is sure of and leaves the rest. */
function blame(passages: readonly Taken[], background: Background): void {
  const departing = passages.filter(({ branch }) => branch.weight > 0).sort((a, b) => a.at - b.at);
  let left = 1;
  for (const passage of departing) {
    const { branch, call } = passage;
    const taken = left * branch.weight;
    left -= taken;
    const blamed = taken * background.novelty(call);
    if (blamed <= 0) continue;
    branch.blamed += blamed;
    branch.first ??= passage;
    if (branch.evidence.length < EVIDENCE_MAX) branch.evidence.push(passage.toEvent ?? call.event);
  }
}

function walk(calls: readonly Call[], { timeOf }: Calls, pass: (passage: Passage) => void): void {
  for (const call of calls) {
    if (!call.whole) continue;
    const end = call.event.status === 'error' ? FAILED_END : END;
    // Logs are moved with their span where its clock was set right.
    const moved = call.logs.length === 0 ? 0 : call.start - timeOf(call.event);
    const failed = endedInError(call, timeOf) || call.children.some((child) => endedInError(child, timeOf));
    const name = `${call.component.key}\0${servedBy(call)}\0${call.operation}`;
    const logs = { call, failed, sequence: 'logs' as const, of: name, toRemote: null };
    let from = START;
    let fromEvent: DebugEvent | null = null;
    for (const log of call.logs) {
      const to = statementOf(log);
      pass({ ...logs, from, fromEvent, to, toEvent: log, at: timeOf(log) + moved });
      from = to;
      fromEvent = log;
    }
    pass({ ...logs, from, fromEvent, to: end, toEvent: null, at: call.end });
    const calls = { call, failed, sequence: 'calls' as const, of: `${name}\0` };
    from = START;
    fromEvent = null;
    for (const child of call.children) {
      const remote = answered(child) ?? (child.component === call.component ? null : child);
      const shown = remote ?? child;
      // Whom a client call reaches is decided above it, by whoever made it; here it only counts that it was answered.
      const to = call.event.span?.kind === 'client' ? 'answered' : `${shown.component.key}\0${shown.operation}`;
      pass({ ...calls, from, fromEvent, to, toEvent: child.event, toRemote: remote, at: child.start });
      from = to;
      fromEvent = child.event;
    }
    pass({ ...calls, from, fromEvent, to: end, toEvent: null, toRemote: null, at: call.end });
  }
}

/** What the component was asked for: helpers of a framework do what whoever uses them needs. */
function servedBy(call: Call): string {
  let entry = call;
  while (entry.parent !== null && entry.parent.component === call.component) entry = entry.parent;
  return entry.operation;
}

/** It says so, or whoever made the call in the same component logs an error once it is over. */
function endedInError(call: Call, timeOf: Calls['timeOf']): boolean {
  if (call.event.status === 'error') return true;
  const end = timeOf(call.event) + (call.end - call.start) - CLOCK_GRAIN_MS;
  for (let at = call.parent; at !== null && at.component === call.component; at = at.parent) {
    for (const log of at.logs) if (isError(log) && timeOf(log) >= end) return true;
  }
  return false;
}

// Many log layouts keep milliseconds only.
const CLOCK_GRAIN_MS = 1;

/**
 * Names a log statement: by where it stands in the code, if the record or its message tells, else by its template. A place in the code
 * holds whatever values are printed there; a template with long or odd values falls apart.
 */
export function statementOf(log: DebugEvent): string {
  return `${log.level ?? ''} ${codeLocation(log) ?? log.template_id ?? ''}`;
}

/** `file:line` or `Class#line`, as `code.*` attributes or common log layouts tell. */
export function codeLocation({ data, message }: DebugEvent): string | null {
  const line = data['code.line.number'] ?? data['code.lineno'];
  const file = data['code.file.path'] ?? data['code.filepath'] ?? data['code.function.name'] ?? data['code.namespace'];
  if (line !== undefined && typeof file === 'string') return `${file}:${String(line)}`;
  const layout = message.length > LAYOUT_LENGTH_MAX ? message.slice(0, LAYOUT_LENGTH_MAX) : message;
  const numbered = LINE_NUMBER.exec(layout);
  if (numbered === null) return null;
  let start = numbered.index;
  while (start > 0 && NAME.test(layout[start - 1]!)) start--;
  return start === numbered.index ? null : layout.slice(start, numbered.index + numbered[0].length);
}

// `Orders.java:17`, `orders/main.go:17`, `c.s.Orders#17`: a name, and a line number behind `#` or a file's extension. The number is
// looked for first: hardly a message has one that is not of a place in the code, and names are everywhere.
const LINE_NUMBER = /(?:#|\.[a-z]{1,4}:)\d+(?=[\s:)\],|]|$)/i;
const NAME = /[\w$.[\]/-]/;
const LAYOUT_LENGTH_MAX = 200;

function stepOf(event: DebugEvent, remote: Call | null): Step {
  if (event.span !== undefined) {
    return { text: remote === null ? event.message : `${remote.component.id} ${remote.operation}`, event };
  }
  const location = codeLocation(event);
  const words = event.message.slice(0, WORDS_LENGTH_MAX).replace(/\s+/g, ' ');
  const text = location === null ? words : `${location}${words.slice(words.indexOf(location) + location.length)}`;
  return { text, ...(event.template_id !== null && { template_id: event.template_id }), event };
}

const WORDS_LENGTH_MAX = 200;
