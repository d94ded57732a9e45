import fc from 'fast-check';
import { expect, test } from 'vitest';
import { createRateLimit } from './rate.ts';

function limit(perSecond: number, burstSeconds: number) {
  let nowMs = 0;
  const clock = { nowNanos: () => 0n, monotonicMs: () => nowMs };
  return {
    rate: createRateLimit(perSecond, clock, burstSeconds),
    pass: (ms: number) => {
      nowMs += ms;
    },
  };
}

test('a burst is let through, what is over it is paid off in time', () => {
  const { rate, pass } = limit(10, 2);
  rate.spend('a', 20);
  expect(rate.owes('a')).toBe(0);
  rate.spend('a', 5);
  expect(rate.owes('a')).toBe(0.5);
  expect(rate.owes('b')).toBe(0);
  pass(500);
  expect(rate.owes('a')).toBe(0);
});

test('0 is no limit', () => {
  const { rate } = limit(0, 2);
  rate.spend('a', 1e12);
  expect(rate.owes('a')).toBe(0);
});

test('over time nobody gets more than the rate and one burst, however it is asked', () => {
  const steps = fc.array(
    fc.record({ ms: fc.integer({ min: 0, max: 3000 }), amount: fc.integer({ min: 1, max: 100 }) }),
  );
  fc.assert(
    fc.property(steps, (steps) => {
      const { rate, pass } = limit(10, 2);
      let [spent, ms, largest] = [0, 0, 0];
      for (const step of steps) {
        pass(step.ms);
        ms += step.ms;
        if (rate.owes('a') > 0) continue;
        rate.spend('a', step.amount);
        spent += step.amount;
        largest = Math.max(largest, step.amount);
      }
      expect(spent).toBeLessThanOrEqual(20 + (ms / 1000) * 10 + largest);
    }),
  );
});
