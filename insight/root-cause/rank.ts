/**
 * Which component is behind what is wrong in a window, against a time when it was not. Four signals, each of which is true of any system, say for
 * each component which part of the window's traces it spoiled; a component's score is the chance that one of them is right
 * (noisy-or), so that a sure signal is not watered down by those that cannot see its kind of fault.
 *
 * | signal | sees | file |
 * |---|---|---|
 * | departures | wrong returns, exceptions, calls not made | paths.ts |
 * | slowdowns | delay in a component or on the way to it | slowness.ts |
 * | resources | starvation, also before anybody notices | resources.ts |
 * | untraced errors | errors of what is not traced | untraced.ts |
 *
 * Nothing here waits or reads: what was read goes in, the same answer comes out.
 */
import type { ComponentRef } from '../../model/block.ts';
import type { DebugEvent } from '../../model/event.ts';
import { knownFailures } from './background.ts';
import { joinCalls } from './calls.ts';
import { type Departure, departures, type Step } from './paths.ts';
import { type ResourceShift, resourceShifts } from './resources.ts';
import { type Slowdown, slowdowns } from './slowness.ts';
import { type UntracedErrors, untracedErrors } from './untraced.ts';

export interface RootCauseInput {
  window: TimeRange;
  baseline: TimeRange;
  /** Spans and log records of the window. */
  events: readonly DebugEvent[];
  /** Spans and log records of the baseline. */
  baselineEvents: readonly DebugEvent[];
  /** Metric points of the window and some time before it, at best half an hour. */
  points: readonly DebugEvent[];
  /** For ablation; absent: all. */
  signals?: readonly Signal[];
}

/** Nanoseconds, inclusive. */
export interface TimeRange {
  start: bigint;
  end: bigint;
}

export const SIGNALS = ['departures', 'slowdowns', 'resources', 'untraced'] as const;
export type Signal = (typeof SIGNALS)[number];

export interface RankedCause {
  component_type: string;
  component_id: string;
  /** 0 to 1: the part of the window that this component spoiled, as far as the signals tell. */
  score: number;
  /** 0 to 1: how far its score stands out from the others' and from zero, and how many traces or points it rests on. */
  confidence: number;
  /** Where in the component, by the strongest signal. */
  region: Region;
  /** In plain words with the numbers, the strongest first. */
  reasons: string[];
  /** Ids of events, the most telling first. */
  evidence: string[];
  /** What each signal gave, 0 to 1. */
  signals: Partial<Record<Signal, number>>;
}

/** Where the failing traces leave the healthy path, or what has run out. */
export interface Region {
  kind: 'log_template' | 'operation' | 'connection' | 'resource';
  /** In words: between which statements, in which operation, which metric. */
  name: string;
  /** The span's name; absent for resources. */
  operation?: string;
  template_id?: string;
  metric_name?: string;
}

export interface RootCauses {
  /** Best first. */
  ranked: RankedCause[];
  /** Traces (or correlations, where there are no spans) of window and baseline. */
  traces: { window: number; baseline: number };
}

export function rankRootCauses(input: RootCauseInput): RootCauses {
  const { signals = SIGNALS } = input;
  const window = joinCalls(input.events, input.window);
  const baseline = joinCalls(input.baselineEvents, input.baseline);
  const background = knownFailures(window, baseline);
  const traces = Math.max(window.traces.size, 1);
  const suspects = new Map<string, Suspect>();
  const note = (
    component: ComponentRef & { key: string },
    signal: Signal,
    share: number,
    clue: Omit<Clue, 'share'>,
  ) => {
    if (!(share > 0)) return;
    let suspect = suspects.get(component.key);
    if (suspect === undefined) suspects.set(component.key, (suspect = { component, clues: [], shares: {} }));
    suspect.clues.push({ ...clue, share });
    suspect.shares[signal] = Math.min((suspect.shares[signal] ?? 0) + share, 1);
  };
  if (signals.includes('departures')) {
    for (const each of departures(window, baseline, background))
      note(each.component, 'departures', each.blamed / traces, { ...aboutDeparture(each), support: each.blamed });
  }
  if (signals.includes('slowdowns')) {
    for (const each of slowdowns(window, baseline))
      note(each.component, 'slowdowns', each.blamed / traces, { ...aboutSlowdown(each), support: each.blamed });
  }
  if (signals.includes('resources')) {
    const seen = new Set<string>();
    for (const each of resourceShifts(input.points, input.window)) {
      // Of several resources of a component the scarcest counts: they are one machine's, not independent witnesses.
      if (!seen.has(each.component.key)) note(each.component, 'resources', starvation(each), aboutResource(each));
      seen.add(each.component.key);
    }
  }
  if (signals.includes('untraced')) {
    for (const each of untracedErrors(window, background))
      note(each.component, 'untraced', each.blamed, aboutErrors(each));
  }
  return {
    ranked: rank([...suspects.values()]),
    traces: { window: window.traces.size, baseline: baseline.traces.size },
  };
}

interface Suspect {
  component: ComponentRef & { key: string };
  clues: Clue[];
  shares: Partial<Record<Signal, number>>;
}

interface Clue {
  share: number;
  reason: string;
  region: Region;
  evidence: readonly DebugEvent[];
  /** How many traces or points it rests on. */
  support: number;
}

// One trace in twenty is odd in health too: a score of as much is half believed.
const HEALTHY_ODDITY = 0.05;
const REASONS_MAX = 5;
const EVIDENCE_MAX = 10;

function rank(suspects: readonly Suspect[]): RankedCause[] {
  const scored = suspects
    .map((suspect) => ({ suspect, score: scoreOf(suspect) }))
    .sort((a, b) => b.score - a.score || (a.suspect.component.key < b.suspect.component.key ? -1 : 1));
  const total = scored.reduce((sum, { score }) => sum + score, 0);
  return scored.map(({ suspect, score }): RankedCause => {
    const clues = suspect.clues.sort((a, b) => b.share - a.share);
    const support = clues.reduce((sum, clue) => sum + clue.support, 0);
    return {
      component_type: suspect.component.type,
      component_id: suspect.component.id,
      // So fine that ranks do not tie where scores do not.
      score: Number(score.toFixed(6)),
      // Laplace's rule of succession on what it rests on, times how far it stands out from the others and from what is odd in health.
      confidence: round((support / (support + 1)) * (score / total) * (score / (score + HEALTHY_ODDITY))),
      region: clues[0]!.region,
      reasons: clues.slice(0, REASONS_MAX).map(({ reason }) => reason),
      evidence: [...new Set(clues.flatMap(({ evidence }) => evidence.map(({ id }) => id)))].slice(0, EVIDENCE_MAX),
      signals: Object.fromEntries(Object.entries(suspect.shares).map(([signal, share]) => [signal, round(share)])),
    };
  });
}

function scoreOf({ shares }: Suspect): number {
  let none = 1;
  for (const share of Object.values(shares)) none *= 1 - share;
  return 1 - none;
}

/** What is short slows down the more, the shorter: half the head-room gone is hardly felt, all of it stops everything. */
function starvation({ gone }: ResourceShift): number {
  return gone ** 2;
}

function aboutDeparture(departure: Departure): Omit<Clue, 'share' | 'support'> {
  const { operation, after, instead, expected, baseline, window, evidence } = departure;
  const place = `${operation === '' ? 'a request' : operation}${after === null ? '' : ` after "${shown(after)}"`}`;
  const now = instead === null ? 'it ends' : `"${shown(instead)}" comes`;
  const before = expected === null ? 'it ended' : `"${shown(expected)}" came`;
  const template_id = instead?.template_id ?? after?.template_id;
  return {
    reason:
      `in ${place} ${now} in ${window.took} of ${window.traces} traces, in the baseline in ${baseline.took} of ` +
      `${baseline.traces}${sameStep(instead, expected) ? '' : ` where ${before}`}; the earliest departure of ${round(departure.blamed)} traces`,
    region: {
      kind: departure.sequence === 'logs' ? 'log_template' : 'operation',
      name: `${place}: ${instead === null ? 'ends' : shown(instead)}`,
      operation,
      ...(template_id !== undefined && { template_id }),
    },
    evidence,
  };
}

function aboutSlowdown(slowdown: Slowdown): Omit<Clue, 'share' | 'support'> {
  const { operation, between, baseline, window, excessMs, blamed } = slowdown;
  const name =
    between === null ? operation : `on the way between ${between.caller.id} and ${between.callee.id} for ${operation}`;
  return {
    reason:
      `${name} takes ${ms(window.medianMs)} of its own, in the baseline ${ms(baseline.medianMs)} ` +
      `(medians of ${window.calls} and ${baseline.calls} calls), ${ms(excessMs)} too long in all: ` +
      `the time of ${round(blamed)} traces`,
    region: { kind: between === null ? 'operation' : 'connection', name, operation },
    evidence: slowdown.evidence,
  };
}

function aboutResource({ metric, unit, before, now, gone, evidence }: ResourceShift): Omit<Clue, 'share'> {
  const of = (value: number) => `${round(value)}${unit === '1' ? '' : ` ${unit}`}`.replace(' %', '%');
  return {
    reason: `${metric} rose from ${of(before)} to ${of(now)}: ${Math.round(100 * gone)}% of what was free is used`,
    region: { kind: 'resource', name: metric, metric_name: metric },
    evidence,
    support: evidence.length,
  };
}

function aboutErrors({ count, evidence }: UntracedErrors): Omit<Clue, 'share'> {
  const [first] = evidence;
  return {
    reason: `${count} errors that the baseline does not know, the first "${first!.message.slice(0, SHOWN_LENGTH_MAX)}"`,
    region: {
      kind: 'log_template',
      name: first!.message.slice(0, SHOWN_LENGTH_MAX),
      ...(first!.template_id !== null && { template_id: first!.template_id }),
    },
    evidence,
    support: count,
  };
}

const SHOWN_LENGTH_MAX = 120;

function shown({ text }: Step): string {
  return text.length <= SHOWN_LENGTH_MAX ? text : `${text.slice(0, SHOWN_LENGTH_MAX - 1)}…`;
}

function sameStep(a: Step | null, b: Step | null): boolean {
  return a?.text === b?.text;
}

function ms(value: number): string {
  return value < 10
    ? `${value.toFixed(1)} ms`
    : value < 10_000
      ? `${Math.round(value)} ms`
      : `${(value / 1000).toFixed(1)} s`;
}

function round(value: number): number {
  return Math.round(value * 1000) / 1000;
}
