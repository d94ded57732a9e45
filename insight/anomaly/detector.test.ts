import { expect, test } from 'vitest';
import { ALARM_SCORE, AnomalyDetector } from './detector.ts';

const MINUTE = 60_000_000_000n;

/** Repeatable noise, 0 to 1. */
function noise(seed = 1): () => number {
  let state = seed;
  return () => {
    state = (state * 1_103_515_245 + 12_345) % 2_147_483_648;
    return state / 2_147_483_648;
  };
}

function alarmsOf(values: readonly number[], stepNanos = MINUTE): number[] {
  const detector = new AnomalyDetector();
  return values.flatMap((value, i) => {
    const { score } = detector.score(value, BigInt(i) * stepNanos);
    expect(score).toBeGreaterThanOrEqual(0);
    expect(score).toBeLessThanOrEqual(1);
    return score >= ALARM_SCORE ? [i] : [];
  });
}

test('a spike, a drop and a change of level are told at once', () => {
  const random = noise();
  const usual = Array.from({ length: 600 }, () => 100 + 10 * random());
  expect(alarmsOf(usual)).toEqual([]);
  expect(alarmsOf([...usual, 400])).toEqual([600]);
  expect(alarmsOf([...usual, 5])).toEqual([600]);
  const shifted = alarmsOf([...usual, ...Array.from({ length: 50 }, () => 140 + 10 * random())]);
  expect(shifted[0]).toBe(600);
  expect(shifted.length).toBeLessThan(5);
});

test('a day without its usual peak is odd, and nothing else tells', () => {
  const random = noise(7);
  const hour = 60n * MINUTE;
  const day = (hours: number) => (hours % 24 >= 9 && hours % 24 < 17 ? 80 : 20) + random();
  const days = Array.from({ length: 24 * 12 }, (_, i) => day(i));
  expect(alarmsOf(days, hour)).toEqual([]);
  const idle = [...days, ...Array.from({ length: 24 }, () => 20 + random())];
  expect(alarmsOf(idle, hour).some((i) => i >= days.length + 8)).toBe(true);
});

test('a flat line, and one with too little behind it, are not odd', () => {
  expect(alarmsOf(Array(500).fill(45))).toEqual([]);
  expect(alarmsOf([1, 2, 3, 50, 2, 1])).toEqual([]);
});

test('what is remembered has a bound, and forgetting does not disturb', () => {
  const detector = new AnomalyDetector({ capacity: 128 });
  const random = noise(3);
  let last = 0;
  for (let i = 0; i < 5000; i++) last = detector.score(random(), BigInt(i) * MINUTE).score;
  expect(last).toBeLessThan(ALARM_SCORE);
  expect(detector.score(50, 5000n * MINUTE).score).toBeGreaterThan(ALARM_SCORE);
});
