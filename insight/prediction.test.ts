import { describe, expect, test } from 'vitest';
import { forecastFailure, riskOf, trendOf } from './prediction.ts';

const outcomes = (...parts: [runs: number, every: number][]) =>
  parts.flatMap(([runs, every]) => Array.from({ length: runs }, (_, i) => every > 0 && i % every === 0));

describe('45: the probability that the next run fails', () => {
  test('no history is an even chance at confidence 0', () => {
    expect(forecastFailure([])).toMatchObject({ probability: 0.5, confidence: 0, runs: 0 });
  });

  test('three of ten is about 0.3, and the more is known the surer it is', () => {
    const few = forecastFailure([true, false, false, true, false, false, true, false, false, false]);
    expect(few.probability).toBeCloseTo(0.32, 2);
    const many = forecastFailure(outcomes([300, 3]));
    expect(many.probability).toBeCloseTo(0.33, 1);
    expect(few.confidence).toBeGreaterThan(0.4);
    expect(many.confidence).toBeGreaterThan(0.9);
  });

  test('all that went well stays low, however much there is of it', () => {
    expect(forecastFailure(outcomes([20, 0])).probability).toBeLessThan(0.03);
    expect(forecastFailure(outcomes([5000, 0])).probability).toBeLessThan(0.001);
  });

  test('a newer half that is worse counts alone, and is told as a trend', () => {
    const worse = forecastFailure(outcomes([20, 0], [20, 2]));
    expect(worse.worsening).toBeGreaterThan(0.95);
    expect(worse.probability).toBeCloseTo(0.5, 1);
    expect(forecastFailure(outcomes([40, 4])).worsening).toBeLessThan(0.95);
  });
});

describe('46: a trend', () => {
  const line = (count: number, risen: (i: number) => number) =>
    Array.from({ length: count }, (_, i) => ({ hours: i, value: risen(i) }));

  test('is the slope, and outliers do not move it', () => {
    const trend = trendOf(line(101, (i) => (i % 10 === 0 ? 0 : 50 + i / 2)))!;
    expect(trend.slope).toBeCloseTo(0.5, 1);
    expect(trend.slopeLow).toBeGreaterThan(0);
    expect(trend.level).toBeCloseTo(100, 0);
  });

  test('noise has none: its interval holds zero', () => {
    const noise = trendOf(line(500, (i) => 50 + ((i * 7919) % 101) / 10))!;
    expect(noise.slopeLow).toBeLessThanOrEqual(0);
    expect(noise.slopeHigh).toBeGreaterThanOrEqual(0);
    expect(trendOf(line(2, (i) => i))).toBeNull();
  });
});

test('47: five percent of errors are a low risk, sixty with forty critical a high one, none is none', () => {
  expect(riskOf({ total: 100, errors: 5, critical: 0, slow: 0 })).toMatchObject({ level: 'low', urgency: 'monitor' });
  expect(riskOf({ total: 100, errors: 60, critical: 40, slow: 0 })).toMatchObject({
    level: 'high',
    urgency: 'immediate',
  });
  expect(riskOf({ total: 100, errors: 0, critical: 0, slow: 0 })).toMatchObject({ level: 'low', score: 0 });
  expect(riskOf({ total: 0, errors: 0, critical: 0, slow: 0 }).level).toBe('low');
});
