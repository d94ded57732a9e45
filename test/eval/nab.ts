/**
 * The scoring of the Numenta anomaly benchmark (Lavin and Ahmad, Evaluating real-time anomaly detection algorithms, ICMLA 2015),
 * standard profile: inside a labelled window only the earliest detection counts, worth more the earlier it comes; each detection
 * outside costs, the more the farther it is behind a window; a window without one costs.
 */

export interface ScoredSeries {
  /** One of each point, as the windows spell them. */
  timestamps: readonly string[];
  /** 0 to 1, one of each point. */
  scores: readonly number[];
  /** First and last timestamp, in order of time. */
  windows: readonly (readonly [string, string])[];
}

/** @returns 100 for every window caught at its left edge, 0 for no detections; negative for worse than none */
export function nabScore(series: readonly ScoredSeries[], threshold: number | 'best'): number {
  const points = series.flatMap(weighPoints).sort((a, b) => b.score - a.score);
  const windowCount = series.reduce((sum, { windows }) => sum + windows.length, 0);
  // What each window has brought so far. Only windows with a scored point can be missed.
  const caught = new Map<string, number>();
  for (const { window } of points) if (window !== null) caught.set(window, -MISS_COST);
  const missable = caught.size;
  let total = -MISS_COST * missable;
  let best = total;
  for (let i = 0; i < points.length; ) {
    const level = points[i]!.score;
    if (threshold !== 'best' && level < threshold) break;
    for (; i < points.length && points[i]!.score === level; i++) {
      const { worth, window } = points[i]!;
      if (window === null) total += worth;
      else if (worth > caught.get(window)!) {
        total += worth - caught.get(window)!;
        caught.set(window, worth);
      }
    }
    best = Math.max(best, total);
  }
  const reached = threshold === 'best' ? best : total;
  return (100 * (reached + MISS_COST * missable)) / (windowCount + MISS_COST * missable);
}

const FALSE_ALARM_COST = 0.11;
const MISS_COST = 1;
const PROBATION_SHARE = 0.15;
const PROBATION_MAX = 750;

interface WeighedPoint {
  score: number;
  /** What a detection here brings. */
  worth: number;
  window: string | null;
}

function weighPoints({ timestamps, scores, windows }: ScoredSeries, series: number): WeighedPoint[] {
  const indexOf = new Map<string, number>();
  for (const [i, timestamp] of timestamps.entries()) if (!indexOf.has(timestamp)) indexOf.set(timestamp, i);
  const spans = windows.map(([from, to]) => ({ from: indexOf.get(from)!, to: indexOf.get(to)! }));
  const probation = Math.min(Math.floor(PROBATION_SHARE * timestamps.length), PROBATION_MAX);
  const points: WeighedPoint[] = [];
  let next = 0;
  for (let i = 0; i < timestamps.length; i++) {
    while (next < spans.length && i > spans[next]!.to) next++;
    if (i < probation) continue;
    const span = spans[next];
    const last = spans[next - 1];
    if (span !== undefined && i >= span.from) {
      const worth = sigmoid(-(span.to - i + 1) / (span.to - span.from + 1)) / sigmoid(-1);
      points.push({ score: scores[i]!, worth, window: `${series} ${next}` });
    } else {
      const behind = last === undefined ? -1 : sigmoid((i - last.to) / (last.to - last.from));
      points.push({ score: scores[i]!, worth: behind * FALSE_ALARM_COST, window: null });
    }
  }
  return points;
}

function sigmoid(x: number): number {
  return x > 3 ? -1 : 2 / (1 + Math.exp(5 * x)) - 1;
}
