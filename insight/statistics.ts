/** The few tests that analyzers rest on. All are rank-based: latencies have heavy tails, and a mean believes the tail. */

/** The value at rank `floor(n * q)`. @param sorted ascending, not empty  @param q 0 to 1 */
export function quantile(sorted: readonly number[], q: number): number {
  return sorted[Math.min(Math.floor(sorted.length * q), sorted.length - 1)]!;
}

export function ascending(values: readonly number[]): number[] {
  return [...values].sort((a, b) => a - b);
}

export interface Change {
  /** The first value after the change. */
  index: number;
  /** That a series without a change looks like this, 0 to 1. */
  p: number;
  /** The chance that a value after the change is above one before it (Vargha and Delaney, 2000): 0.5 no effect, from 0.71 large. */
  superiority: number;
}

/**
 * The most likely point at which a series changed level: Pettitt's test (Pettitt, Applied Statistics 28, 1979), a
 * Mann-Whitney test for every split at once. No distribution is assumed, no window has to be guessed.
 * @param series in order of time
 * @param shortest least number of values on either side; fewer than twice as many in all: null
 */
export function changePoint(series: readonly number[], shortest: number): Change | null {
  const n = series.length;
  if (n < shortest * 2) return null;
  const ranks = ranksOf(series);
  let sum = 0;
  let best = 0;
  let index = -1;
  let rankSum = 0;
  for (let i = 0; i < n - shortest; i++) {
    sum += ranks[i]!;
    const before = i + 1;
    const u = 2 * sum - before * (n + 1);
    if (before >= shortest && Math.abs(u) > Math.abs(best)) {
      best = u;
      index = before;
      rankSum = sum;
    }
  }
  if (index < 0) return { index: shortest, p: 1, superiority: 0.5 };
  const p = Math.min(2 * Math.exp((-6 * best * best) / (n ** 3 + n ** 2)), 1);
  // Mann-Whitney U of the values before, turned round.
  const below = rankSum - (index * (index + 1)) / 2;
  return { index, p, superiority: 1 - below / (index * (n - index)) };
}

/** 1 for the smallest; equal values share the mean of their ranks. */
export function ranksOf(values: readonly number[]): Float64Array {
  const order = Uint32Array.from(values.keys()).sort((a, b) => values[a]! - values[b]!);
  const ranks = new Float64Array(values.length);
  for (let i = 0; i < order.length; ) {
    let j = i + 1;
    while (j < order.length && values[order[j]!] === values[order[i]!]) j++;
    for (let k = i; k < j; k++) ranks[order[k]!] = (i + 1 + j) / 2;
    i = j;
  }
  return ranks;
}

/**
 * That a share is above a threshold, given `hits` of `total`: the tail of the Beta posterior from a uniform prior (Bayes, 1763),
 * for whole counts a sum of binomials.
 * @param threshold 0 to 1
 */
export function shareAbove(hits: number, total: number, threshold: number): number {
  // P(Beta(h+1, n-h+1) > t) = P(Binomial(n+1, t) <= h)
  const n = total + 1;
  if (n > EXACT_MAX) {
    const sd = Math.sqrt(n * threshold * (1 - threshold));
    return normalBelow((hits + 0.5 - n * threshold) / sd);
  }
  let term = (1 - threshold) ** n;
  let sum = term;
  for (let k = 1; k <= hits; k++) {
    term *= ((n - k + 1) / k) * (threshold / (1 - threshold));
    sum += term;
  }
  return Math.min(sum, 1);
}

/** The standard normal distribution: Abramowitz and Stegun 26.2.17, right within 1e-7. */
export function normalBelow(z: number): number {
  const t = 1 / (1 + 0.2316419 * Math.abs(z));
  const density = Math.exp((-z * z) / 2) / Math.sqrt(2 * Math.PI);
  const tail =
    density * t * (0.31938153 + t * (-0.356563782 + t * (1.781477937 + t * (-1.821255978 + t * 1.330274429))));
  return z > 0 ? 1 - tail : tail;
}

// Beyond this the first term of the exact sum gets too small for a double at usual thresholds.
const EXACT_MAX = 500;
