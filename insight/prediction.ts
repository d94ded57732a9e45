/** What is likely to come: how often something will fail, when something will be full, how much is at risk. Pure functions of counts. */
import { ascending, quantile, shareAbove } from './statistics.ts';

export interface FailureForecast {
  /** That the next run fails, 0 to 1. */
  probability: number;
  /** 0 to 1: what the runs have added to knowing nothing. */
  confidence: number;
  /** That the newer half fails more often than the older one did, 0 to 1. */
  worsening: number;
  runs: number;
  failed: number;
}

/**
 * The Beta-Binomial model with Jeffreys' prior (Jeffreys, 1946): without a history 0.5 at confidence 0; three of ten failed 0.32; a
 * hundred good runs 0.005. Where the newer half of the runs fails more often than the older one, beyond chance, the
 * newer half alone counts: the past does not excuse what is broken now.
 * @param failed one for each run, the oldest first
 */
export function forecastFailure(failed: readonly boolean[]): FailureForecast {
  const half = failed.length >> 1;
  const [older, newer] = [countOf(failed.slice(0, half)), countOf(failed.slice(half))];
  const worsening = failed.length < HALVES_MIN ? 0.5 : chanceOfRise(older, newer);
  const all = countOf(failed);
  const counted = worsening > WORSENING_MIN ? newer : all;
  const probability = (counted.hits + PRIOR) / (counted.of + 2 * PRIOR);
  // How much narrower than the prior the posterior is.
  const confidence = 1 - spreadOf(counted.hits, counted.of) / spreadOf(0, 0);
  return { probability, confidence: Math.max(confidence, 0), worsening, runs: all.of, failed: all.hits };
}

/** Runs of which fewer say nothing about a trend. */
const HALVES_MIN = 10;
const WORSENING_MIN = 0.95;
const PRIOR = 0.5;

interface Count {
  hits: number;
  of: number;
}

function countOf(failed: readonly boolean[]): Count {
  return { hits: failed.filter(Boolean).length, of: failed.length };
}

function spreadOf(hits: number, of: number): number {
  const [a, b] = [hits + PRIOR, of - hits + PRIOR];
  return Math.sqrt((a * b) / ((a + b) ** 2 * (a + b + 1)));
}

/** That the second share is higher than the first: a sum over the first's posterior, in a hundred steps of equal weight. */
function chanceOfRise(older: Count, newer: Count): number {
  let sum = 0;
  let weights = 0;
  for (let i = 0; i < STEPS; i++) {
    const share = (i + 0.5) / STEPS;
    const weight = share ** older.hits * (1 - share) ** (older.of - older.hits);
    sum += weight * shareAbove(newer.hits, newer.of, share);
    weights += weight;
  }
  return weights === 0 ? 0.5 : sum / weights;
}

const STEPS = 100;

export interface Trend {
  /** Units an hour; the bounds hold nine times in ten. */
  slope: number;
  slopeLow: number;
  slopeHigh: number;
  /** At the last point, on the trend. */
  level: number;
  points: number;
}

/**
 * The trend of a series: the median of the slopes between all pairs of points (Theil, 1950; Sen, JASA 63, 1968), which up to 29% of
 * outliers do not move, and the interval by the variance of Kendall's statistic.
 * @param points by time; more than 200 are put together in 200 equal spans of time, each by its median
 * @returns null for fewer than three points, or points of one instant
 */
export function trendOf(points: readonly { hours: number; value: number }[]): Trend | null {
  const thin = points.length > TREND_POINTS_MAX ? thinned(points) : points;
  const slopes: number[] = [];
  for (let i = 0; i < thin.length; i++) {
    for (let j = i + 1; j < thin.length; j++) {
      const hours = thin[j]!.hours - thin[i]!.hours;
      if (hours > 0) slopes.push((thin[j]!.value - thin[i]!.value) / hours);
    }
  }
  const n = thin.length;
  if (n < 3 || slopes.length < n - 1) return null;
  slopes.sort((a, b) => a - b);
  const half = (Z90 * Math.sqrt((n * (n - 1) * (2 * n + 5)) / 18)) / 2;
  const at = (rank: number) => slopes[Math.min(Math.max(Math.round(rank), 0), slopes.length - 1)]!;
  const slope = at((slopes.length - 1) / 2);
  const last = thin.at(-1)!;
  const level = quantile(ascending(thin.map(({ hours, value }) => value + slope * (last.hours - hours))), 0.5);
  const [slopeLow, slopeHigh] = [at(slopes.length / 2 - half), at(slopes.length / 2 + half)];
  return { slope, slopeLow, slopeHigh, level, points: points.length };
}

const TREND_POINTS_MAX = 200;
const Z90 = 1.645;

function thinned(points: readonly { hours: number; value: number }[]): { hours: number; value: number }[] {
  const [from, until] = [points[0]!.hours, points.at(-1)!.hours];
  const bins = Map.groupBy(points, ({ hours }) =>
    Math.min(
      Math.floor(((hours - from) / Math.max(until - from, Number.MIN_VALUE)) * TREND_POINTS_MAX),
      TREND_POINTS_MAX - 1,
    ),
  );
  return [...bins.values()]
    .map((bin) => ({
      hours: bin[bin.length >> 1]!.hours,
      value: quantile(ascending(bin.map(({ value }) => value)), 0.5),
    }))
    .sort((a, b) => a.hours - b.hours);
}

export interface Risk {
  /** 0 to 100. */
  score: number;
  level: 'low' | 'medium' | 'high';
  urgency: 'monitor' | 'soon' | 'immediate';
}

/**
 * How much of a component's work is at risk: the part that fails or is very slow. A critical error weighs as one and a half, a very slow
 * record as half of one.
 */
export function riskOf(counts: { total: number; errors: number; critical: number; slow: number }): Risk {
  const { total, errors, critical, slow } = counts;
  if (total === 0) return { score: 0, level: 'low', urgency: 'monitor' };
  const failing = Math.min((errors + critical / 2) / total, 1);
  const spoiled = 1 - (1 - failing) * (1 - slow / total / 2);
  const score = Math.round(spoiled * 1000) / 10;
  if (score >= 70) return { score, level: 'high', urgency: 'immediate' };
  return score >= 40 ? { score, level: 'medium', urgency: 'soon' } : { score, level: 'low', urgency: 'monitor' };
}
