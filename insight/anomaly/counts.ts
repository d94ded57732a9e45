/** Whether counts and shares are larger than those before explain, from a handful of numbers on. */
import { normalBelow } from '../statistics.ts';

/**
 * That a count as large as this one comes by chance: the tail of the gamma-Poisson prediction from earlier counts (Jeffreys' prior).
 * Counts that vary more than Poisson's do are divided by their index of dispersion first (Fisher, 1925).
 * @param before counts over equal times, at least one
 * @returns 0 to 1
 */
export function chanceOfCount(count: number, before: readonly number[]): number {
  const dispersion = dispersionOf(before);
  const known = before.reduce((sum, each) => sum + each, 0) / dispersion;
  return predictedTail(Math.floor(count / dispersion), known + 0.5, before.length);
}

/**
 * That as many of `total` fail by chance, when `failed` of `tried` did before: the tail of a Poisson with the rate before, whose own
 * uncertainty counts; right for shares that are small and too high for large ones, which is the safe side.
 * @returns 0 to 1
 */
export function chanceOfShare(hits: number, total: number, failed: number, tried: number): number {
  return total === 0 ? 1 : predictedTail(hits, failed + 0.5, tried / total);
}

/** P(X >= count) of a negative binomial with this shape, `exposure` times the time to come was watched. */
function predictedTail(count: number, shape: number, exposure: number): number {
  if (count <= 0) return 1;
  const mean = shape / exposure;
  if (count > EXACT_MAX) {
    const deviation = Math.sqrt(mean * (1 + 1 / exposure));
    return 1 - normalBelow((count - 0.5 - mean) / deviation);
  }
  const miss = 1 / (exposure + 1);
  let term = (exposure / (exposure + 1)) ** shape;
  let below = term;
  for (let k = 1; k < count; k++) {
    term *= ((shape + k - 1) / k) * miss;
    below += term;
  }
  return Math.max(1 - below, 0);
}

const EXACT_MAX = 1000;

/** Variance over mean, 1 at least: what is more regular than chance is still a count. */
function dispersionOf(counts: readonly number[]): number {
  const mean = counts.reduce((sum, each) => sum + each, 0) / counts.length;
  if (counts.length < 2 || mean === 0) return 1;
  const variance = counts.reduce((sum, each) => sum + (each - mean) ** 2, 0) / (counts.length - 1);
  return Math.max(variance / mean, 1);
}
