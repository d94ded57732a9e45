/**
 * A component against its own history, minute by minute: far more records than before, a larger share of errors, slower spans. A few
 * minutes of history are enough for a test of counts; where an hour is known, the {@link AnomalyDetector} must agree, which
 * has learned how the series usually varies. Only minutes in which the component was heard are compared: after an idle gap it goes on
 * where it was.
 *
 * Told as information is what is no trouble of the component: more records than usual before it was heard for ten minutes (it starts, and
 * its load comes later), what most others show at the same time (the load rose, the machine is busy), and more errors that
 * interrupted nothing (../harm.ts).
 */
import type { ComponentRef } from '../../model/block.ts';
import type { DebugEvent } from '../../model/event.ts';
import type { JsonObject } from '../../model/json.ts';
import type { ComponentMinute } from '../../model/rollup.ts';
import { Sketch } from '../../model/sketch.ts';
import { formatNanos, NANOS_PER_MINUTE } from '../../model/time.ts';
import type { Analyzer, Budget } from '../analyzer.ts';
import { chanceOfCount, chanceOfShare } from '../anomaly/counts.ts';
import { ALARM_SCORE, AnomalyDetector } from '../anomaly/detector.ts';
import { isError } from '../event-facts.ts';
import {
  confidenceOf,
  evidenceOf,
  type Finding,
  latestCorrelation,
  marginSignal,
  round,
  sampleSignal,
} from '../finding.ts';
import { failureGroups, handledExceptions } from '../harm.ts';
import { componentKey, timeOf, type Window } from '../window.ts';

export const anomaly: Analyzer = {
  name: 'anomaly',
  needs: ['events', 'minutes'],
  analyze(window, budget) {
    const findings: Finding[] = [];
    const series = Map.groupBy(window.componentMinutes, (row) =>
      componentKey({ type: row.component_type, id: row.component_id }),
    );
    for (const rows of series.values()) {
      budget.check();
      const minutes = rows.toSorted((a, b) => (a.minute < b.minute ? -1 : 1)).slice(-MINUTES_MAX);
      for (const signal of [VOLUME, ERROR_RATE, LATENCY]) {
        const odd = oddMinutes(minutes, signal, window);
        if (odd.length > 0) findings.push(oddFinding(signal, odd, [...series.values()], window, budget));
      }
    }
    return findings;
  },
};

const MINUTES_MAX = 1440;
const HISTORY_MIN = 2;
/** What a chance must stay under: a hundred components are looked at each minute, and one false alarm a day is too many. */
const CHANCE_MAX = 1e-3;
const CHANCE_MAX_LEARNED = 1e-5;
const LEARNED_MIN = 60;
/** With errors, a rise that matters; below it nobody would look. */
const SHARE_RISE_MIN = 0.05;
const ERRORS_MIN = 3;
const VOLUME_RATIO_MIN = 2;
const VOLUME_MIN = 8;
/** From here on more records are more than a busy minute. */
const SURGE_RATIO = 5;
/** Before it was heard for so long, a component starts. */
const STARTED_MINUTES = 10;
/** How much of its own change, as a factor, others must show for it to be theirs as well. */
const SHARED_PART = 0.5;
const LATENCY_RATIO_MIN = 1.5;
const SPANS_MIN = 10;
const SPANS_BEFORE_MIN = 20;

interface Signal {
  name: 'volume' | 'error_rate' | 'latency';
  title: string;
  /** The number that is compared; null where the minute tells nothing of it. */
  valueOf(row: ComponentMinute): number | null;
  /** How the minute compares with those before; null when it is as usual. */
  compare(row: ComponentMinute, before: readonly ComponentMinute[]): Compared | null;
  /** Events of the minute that show it. */
  shows(event: DebugEvent): boolean;
}

interface Compared {
  chance: number;
  value: number;
  usual: number;
}

const VOLUME: Signal = {
  name: 'volume',
  title: 'has far more records than usual',
  valueOf: (row) => row.total,
  compare(row, before) {
    const counts = before.map(({ total }) => total);
    // The busiest minute lately is usual too: a start looks like a surge from its first, broken minute.
    const most = Math.max(...counts);
    if (row.total < VOLUME_MIN || row.total < most * VOLUME_RATIO_MIN) return null;
    return { chance: chanceOfCount(row.total, counts), value: row.total, usual: mean(counts) };
  },
  shows: () => true,
};

const ERROR_RATE: Signal = {
  name: 'error_rate',
  title: 'fails more often than usual',
  valueOf: (row) => row.errors / row.total,
  compare(row, before) {
    const failed = before.reduce((sum, { errors }) => sum + errors, 0);
    const tried = before.reduce((sum, { total }) => sum + total, 0);
    const share = row.errors / row.total;
    const worst = Math.max(...before.map(({ errors, total }) => (total < ERRORS_MIN ? 0 : errors / total)));
    if (row.errors < ERRORS_MIN || tried < SPANS_MIN || share < Math.max(worst, failed / tried) + SHARE_RISE_MIN)
      return null;
    return { chance: chanceOfShare(row.errors, row.total, failed, tried), value: share, usual: failed / tried };
  },
  shows: isFailure,
};

const LATENCY: Signal = {
  name: 'latency',
  title: 'is slower than usual',
  valueOf: (row) => row.latency.quantile(0.5),
  compare(row, before) {
    const now = row.latency.quantile(0.5);
    if (now === null || row.latency.count < SPANS_MIN) return null;
    // Nearly always one of the minutes just before says no; adding up all of them costs fifty times as much.
    const isUsual = ({ latency }: ComponentMinute) =>
      latency.count >= SPANS_MIN / 2 && now < latency.quantile(0.5)! * LATENCY_RATIO_MIN;
    if (before.findLast(isUsual) !== undefined) return null;
    const all = new Sketch();
    for (const { latency } of before) all.merge(latency);
    if (all.count < SPANS_BEFORE_MIN) return null;
    const usual = all.quantile(0.5)!;
    if (now <= all.quantile(0.95)! || now < usual * LATENCY_RATIO_MIN) return null;
    // Half of the spans took longer than all but one in twenty before.
    const beyond = Math.ceil(row.latency.count / 2);
    return { chance: chanceOfShare(beyond, row.latency.count, all.count * 0.05, all.count), value: now, usual };
  },
  shows: (event) => event.span !== undefined,
};

/** As the minutes count them: error records, and spans that say that they failed. */
function isFailure(event: DebugEvent): boolean {
  return isError(event) || (event.span !== undefined && event.status === 'error');
}

interface OddMinute extends Compared {
  row: ComponentMinute;
  known: number;
  score: number | null;
}

/** Odd minutes of the window; such a minute is no part of what later ones are compared with. */
function oddMinutes(rows: readonly ComponentMinute[], signal: Signal, { scope, asOf }: Window): OddMinute[] {
  const start = scope.start === undefined ? 0n : scope.start - NANOS_PER_MINUTE;
  const odd: OddMinute[] = [];
  const before: ComponentMinute[] = [];
  let scores: Map<bigint, number> | undefined;
  for (const row of rows) {
    if (row.minute > asOf) break;
    if (signal.valueOf(row) === null) continue;
    const isSeen = row.minute > start && before.length >= HISTORY_MIN;
    const compared = isSeen ? signal.compare(row, before.slice(-LEARNED_MIN)) : null;
    const isLearned = before.length >= LEARNED_MIN;
    if (compared === null || compared.chance > (isLearned ? CHANCE_MAX_LEARNED : CHANCE_MAX)) {
      before.push(row);
      continue;
    }
    // Rarely asked, and then for all: nearly every minute is told to be usual by the counts alone.
    if (isLearned) scores ??= scoresOf(rows, signal);
    const score = isLearned ? scores!.get(row.minute)! : null;
    // Right after an alarm the detector is quiet; what goes on is as odd.
    const goesOn = odd.at(-1)?.row.minute === row.minute - NANOS_PER_MINUTE;
    if (score !== null && score < ALARM_SCORE && !goesOn) before.push(row);
    else odd.push({ ...compared, row, known: before.length, score });
  }
  return odd;
}

function scoresOf(rows: readonly ComponentMinute[], signal: Signal): Map<bigint, number> {
  const detector = new AnomalyDetector({ capacity: rows.length });
  const scores = new Map<bigint, number>();
  for (const row of rows) {
    const value = signal.valueOf(row);
    if (value !== null) scores.set(row.minute, detector.score(value, row.minute).score);
  }
  return scores;
}

function oddFinding(
  signal: Signal,
  odd: readonly OddMinute[],
  all: readonly (readonly ComponentMinute[])[],
  window: Window,
  budget: Budget,
): Finding {
  const worst = odd.reduce((a, b) => (b.chance < a.chance ? b : a));
  const { row, chance, value, usual, known, score } = worst;
  const where: ComponentRef = { type: row.component_type, id: row.component_id };
  const name = componentKey(where);
  const events = window.events.filter(
    (event) =>
      componentKey(event) === name && signal.shows(event) && odd.some((each) => isWithin(event, each.row.minute)),
  );
  const at = formatNanos(row.minute);
  const excuse = excuseFor(signal, worst, events, all, window, budget);
  const [is, was] = [told(signal, value), told(signal, usual)];
  return {
    analyzer: anomaly.name,
    what: signal.name,
    where,
    insight_type: 'anomaly',
    severity: excuse !== null || (signal.name === 'volume' && value < usual * SURGE_RATIO) ? 'info' : 'warning',
    title: `${name} ${signal.title}`,
    summary: `${name} ${signal.title}: ${is} in the minute of ${at}, usually ${was}.${excuse ?? ''}`,
    description: `In the minute of ${at} ${name} had ${is}; over the ${known} minutes before in which it was heard it was ${was}. The chance of that is ${chance.toExponential(1)}${score === null ? '' : `, the detector's score ${round(score, 2)}`}. ${odd.length} minute${odd.length === 1 ? '' : 's'} of the window stand out.${excuse ?? ''}`,
    components: [where],
    correlation_id: latestCorrelation(events),
    operation_id: null,
    evidence: evidenceOf(events, numbersOf(signal, worst, odd.length)),
    confidence: confidenceOf([1 - Math.sqrt(chance), marginSignal(value, usual), sampleSignal(known, 10) / 2]),
    times: odd.map((each) => formatNanos(each.row.minute)),
    symptoms: signal.name === 'latency' ? ['slow'] : events.slice(0, 3).map(({ message }) => message),
  };
}

/** Why it is no trouble of the component, as a sentence; null when it may be. */
function excuseFor(
  { name }: Signal,
  { row, known, value, usual }: OddMinute,
  errors: readonly DebugEvent[],
  all: readonly (readonly ComponentMinute[])[],
  window: Window,
  budget: Budget,
): string | null {
  if (name === 'volume' && known < STARTED_MINUTES) return ` It is heard for ${known} minutes only.`;
  if (name === 'error_rate') {
    const harmless = handledExceptions(window);
    for (const { failures, endured } of failureGroups(window, budget))
      if (endured !== null) for (const { failure } of failures) for (const event of failure.errors) harmless.add(event);
    const words = errors.filter(isError);
    return words.length > 0 && words.every((event) => harmless.has(event)) ? ' They interrupted nothing.' : null;
  }
  const shared = 1 + (value / usual - 1) * SHARED_PART;
  const changes = all.flatMap((rows) => changeOf(name, rows, row) ?? []);
  const alike = changes.filter((change) => change >= shared).length;
  return changes.length > 0 && alike * 2 > changes.length ? ' Most of the others show the same.' : null;
}

/** The minute of another component to its minutes before, as a factor; null where that is not known. */
function changeOf(name: 'volume' | 'latency', rows: readonly ComponentMinute[], odd: ComponentMinute): number | null {
  if (rows[0]!.component_type === odd.component_type && rows[0]!.component_id === odd.component_id) return null;
  const value = (row: ComponentMinute) => (name === 'volume' ? row.total : row.latency.quantile(0.5));
  const now = rows.find(({ minute }) => minute === odd.minute);
  // The last minutes are enough for a factor; of a thousand components an hour each would cost more than all else.
  const from = odd.minute - BigInt(STARTED_MINUTES) * NANOS_PER_MINUTE;
  const before = rows.flatMap((row) => (row.minute < odd.minute && row.minute >= from ? (value(row) ?? []) : []));
  const is = now === undefined ? null : value(now);
  return is === null || before.length < HISTORY_MIN ? null : is / Math.max(mean(before), Number.MIN_VALUE);
}

function numbersOf(
  signal: Signal,
  { value, usual, chance, known, score, row }: OddMinute,
  minutes: number,
): JsonObject {
  return {
    signal: signal.name,
    value: round(value, 4),
    usual: round(usual, 4),
    p_value: Number(chance.toPrecision(3)),
    minutes_known: known,
    odd_minutes: minutes,
    minute: formatNanos(row.minute),
    ...(score !== null && { detector_score: round(score, 3) }),
  };
}

function told(signal: Signal, value: number): string {
  if (signal.name === 'volume') return `${round(value, 1)} records`;
  return signal.name === 'latency' ? `a median of ${round(value, 1)} ms` : `${round(value * 100, 1)}% errors`;
}

function isWithin(event: DebugEvent, minute: bigint): boolean {
  const time = timeOf(event);
  return time >= minute && time < minute + NANOS_PER_MINUTE;
}

function mean(values: readonly number[]): number {
  return values.reduce((sum, value) => sum + value, 0) / values.length;
}
