/**
 * An online detector of anomalies in one series, whatever it measures: each value is told how surprising it is by those before it.
 *
 * Several views of the series, because what is odd in one is plain in another: the value among all values, its distance to those just
 * before, the step from the last one, the level of the last few from above and below, the spread of a short and of a longer
 * run, and the distance to the same time on earlier days. Each view's number is turned into a tail probability by its
 * own history ({@link Tail}), as Numenta's anomaly likelihood does with the prediction error (Ahmad et al., Neurocomputing 262,
 * 2017) and the conformal detectors with a distance (Burnaev and Ishimtsev, 2016); the quadratic mean of their logarithms lets
 * one very sure view speak as well as many that are a little so. An alarm is followed by quiet: until it is over, only what is
 * clearly more surprising scores.
 */
import { NANOS_PER_DAY } from '../../model/time.ts';
import { Tail } from './tail.ts';

export interface AnomalyScore {
  /** 0 to 1; from {@link ALARM_SCORE} on it is worth an alarm. */
  score: number;
  /** Before the quiet after an alarm: the quadratic mean over views of `-ln` of the chance of a value as odd, 0 and up. */
  surprise: number;
}

/** From here on: one point in about two thousand of an ordinary series is as odd. */
export const ALARM_SCORE = 0.5;

/** What is remembered is bounded: the last values, and of each view the last numbers, 24 bytes a value and view. */
export class AnomalyDetector {
  readonly #values: Float64Array;
  readonly #history: Tail;
  readonly #tails: Tail[];
  readonly #gaps: bigint[] = [];
  #count = 0;
  #lastTime: bigint | null = null;
  #alarm = 0;
  #quietUntil = -1;

  /** @param options.capacity values that are remembered: the more, the rarer is what can be told from the ordinary */
  constructor(options: { capacity?: number } = {}) {
    const capacity = options.capacity ?? CAPACITY;
    this.#values = new Float64Array(capacity);
    this.#history = new Tail(capacity);
    this.#tails = Array.from({ length: VIEWS }, () => new Tail(capacity));
  }

  /** @param value finite  @param time nanoseconds, ascending */
  score(value: number, time: bigint): AnomalyScore {
    this.#noteTime(time);
    this.#values[this.#count % this.#values.length] = value;
    const views = this.#views(value);
    let squares = 0;
    for (let i = 0; i < VIEWS; i++) {
      const view = views[i]!;
      if (view === null) continue;
      squares += this.#tails[i]!.surprise(view) ** 2;
      this.#tails[i]!.add(view);
    }
    this.#history.add(value);
    const surprise = Math.sqrt(squares / VIEWS);
    const heard = this.#afterAlarm(surprise);
    this.#count++;
    return { score: heard / (heard + ALARM_SURPRISE), surprise };
  }

  /** Null for what needs more values than there are. */
  #views(value: number): (number | null)[] {
    const last = this.#mean(0, LEVEL_RUN);
    return [
      this.#amongAll(value),
      this.#fromRecent(value),
      this.#count > 0 ? Math.abs(value - this.#back(1)) : null,
      last,
      -last,
      this.#spread(SHORT_RUN),
      this.#spread(LONG_RUN),
      this.#fromEarlierDays(),
    ];
  }

  /** In units of the distance from the middle to the end of what is usual, on either side. */
  #amongAll(value: number): number | null {
    if (this.#count < USUAL_MIN) return null;
    const middle = this.#history.quantile(0.5);
    const end = this.#history.quantile(value > middle ? 0.95 : 0.05);
    return Math.abs(value - middle) / (Math.abs(end - middle) + Math.abs(middle) * 1e-3 + 1e-9);
  }

  #fromRecent(value: number): number | null {
    const run = Math.min(this.#count, RECENT_RUN);
    if (run < RECENT_RUN / 2) return null;
    const recent = Array.from({ length: run }, (_, i) => this.#back(i + 1)).sort((a, b) => a - b);
    return Math.abs(value - recent[run >> 1]!);
  }

  #spread(run: number): number {
    const length = Math.min(run, this.#count + 1);
    const mean = this.#mean(0, length);
    let squares = 0;
    for (let i = 0; i < length; i++) squares += (this.#back(i) - mean) ** 2;
    return Math.sqrt(squares / length);
  }

  /** The level now to the most similar one at about this time on one of the last days; null until two of them are known. */
  #fromEarlierDays(): number | null {
    const step = this.#step();
    const day = step > 0n ? Number(NANOS_PER_DAY / step) : 0;
    const known = Math.min(this.#count, this.#values.length - LEVEL_RUN - DAY_SLACK);
    if (day < DAY_VALUES_MIN || known < 2 * day + LEVEL_RUN) return null;
    const now = this.#mean(0, LEVEL_RUN);
    let nearest = Number.POSITIVE_INFINITY;
    for (let back = day; back <= DAYS_MAX * day && back + LEVEL_RUN < known; back += day) {
      for (let slack = -DAY_SLACK; slack <= DAY_SLACK; slack += DAY_SLACK)
        nearest = Math.min(nearest, Math.abs(now - this.#mean(back + slack, LEVEL_RUN)));
    }
    return nearest;
  }

  /** Of `run` values, the last of them `back` values ago. */
  #mean(back: number, run: number): number {
    const length = Math.min(run, this.#count + 1 - back);
    let sum = 0;
    for (let i = 0; i < length; i++) sum += this.#back(back + i);
    return sum / length;
  }

  #back(steps: number): number {
    return this.#values[(this.#count - steps) % this.#values.length]!;
  }

  #afterAlarm(surprise: number): number {
    const isQuiet = this.#count <= this.#quietUntil;
    if (surprise < ALARM_SURPRISE) return isQuiet ? 0 : surprise;
    if (isQuiet && surprise <= this.#alarm * LOUDER) return 0;
    this.#alarm = surprise;
    // In proportion to what is known: a new series changes its mind sooner.
    this.#quietUntil = this.#count + Math.min(Math.max(Math.floor(this.#count * QUIET_SHARE), QUIET_MIN), QUIET_MAX);
    return surprise;
  }

  /** The usual time between values, nanoseconds. */
  #step(): bigint {
    return this.#gaps[this.#gaps.length >> 1] ?? 0n;
  }

  /** The first gaps are enough to know the usual one; later ones only cost. */
  #noteTime(time: bigint): void {
    if (this.#lastTime !== null && this.#gaps.length < GAPS_MAX) {
      this.#gaps.push(time - this.#lastTime);
      this.#gaps.sort((a, b) => (a < b ? -1 : a > b ? 1 : 0));
    }
    this.#lastTime = time;
  }
}

// Two weeks of five-minute values.
const CAPACITY = 4096;
const VIEWS = 8;
const USUAL_MIN = 20;
const LEVEL_RUN = 6;
const SHORT_RUN = 12;
const RECENT_RUN = 24;
const LONG_RUN = 48;
const DAYS_MAX = 7;
const DAY_SLACK = 2;
// With fewer values a day there is no time of day to speak of.
const DAY_VALUES_MIN = 12;
const GAPS_MAX = 31;
const ALARM_SURPRISE = 5;
const LOUDER = 1.3;
const QUIET_SHARE = 0.05;
const QUIET_MIN = 30;
const QUIET_MAX = 500;
