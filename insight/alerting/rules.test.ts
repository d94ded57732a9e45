import { expect, test } from 'vitest';
import { errorRate } from './error-rate.ts';
import { errorSpike } from './error-spike.ts';
import type { HourCounts } from './rule.ts';

const counts = (id: string, errors: number, total: number): HourCounts => ({
  component: { type: 'service', id },
  total,
  errors,
});

const rate = (...last: HourCounts[]) => errorRate.check({ last, before: [] });
const spike = (now: HourCounts, then: HourCounts | null) =>
  errorSpike.check({ last: [now], before: then === null ? [] : [then] });

test('42: ten errors of ten events are over the rate; nine events are too few, 40% is not most', () => {
  expect(rate(counts('a', 10, 10))).toMatchObject({ severity: 'critical', insight_type: 'error' });
  expect(rate(counts('a', 10, 10))!.confidence).toBeGreaterThan(0.9);
  expect(rate(counts('a', 9, 9))).toBeNull();
  expect(rate(counts('a', 40, 100))).toBeNull();
});

test('half of ten is at the threshold, but a sample that small is not sure of it', () => {
  expect(rate(counts('a', 5, 10))!.confidence).toBeLessThan(0.7);
});

test('44: several components over the rate are one breach, the worst first', () => {
  const breach = rate(counts('fine', 0, 500), counts('bad', 60, 100), counts('worst', 99, 100));
  expect(breach!.components.map(({ id }) => id)).toEqual(['worst', 'bad']);
  expect(breach!.title).toContain('and of 1 more');
});

test('42: from 5 to 20 errors is a spike of factor 4; from 10 to 15 is none, nor from nothing, nor of a handful', () => {
  const breach = spike(counts('a', 20, 100), counts('a', 5, 100));
  expect(breach).toMatchObject({ severity: 'critical', numbers: { spike_factor: 4 } });
  expect(breach!.confidence).toBeGreaterThan(0.9);
  expect(spike(counts('a', 15, 100), counts('a', 10, 100))).toBeNull();
  expect(spike(counts('a', 20, 100), null)).toBeNull();
  expect(spike(counts('a', 9, 100), counts('a', 1, 100))).toBeNull();
});

test('errors that grew with the traffic are no spike, and a small share of much is a warning', () => {
  expect(spike(counts('a', 40, 10_000), counts('a', 10, 1000))).toBeNull();
  expect(spike(counts('a', 40, 10_000), counts('a', 10, 10_000))).toMatchObject({ severity: 'warning' });
});
