import { expect, test } from 'vitest';
import { believed, rankChance, shareChance } from './significance.ts';

test('shares: equal ones are chance, far ones are not, and few samples are worth less than many', () => {
  expect(shareChance(50, 100, 50, 100)).toBeCloseTo(1, 5);
  expect(shareChance(5, 5, 0, 5)).toBeLessThan(0.001);
  expect(shareChance(10, 100, 20, 100)).toBeCloseTo(0.046, 2);
  expect(shareChance(1, 10, 2, 10)).toBeGreaterThan(0.5);
  expect(shareChance(0, 0, 5, 5)).toBe(1);
});

test('ranks: shifted samples are no chance, equal and tied ones are', () => {
  const values = (from: number) => Array.from({ length: 30 }, (_, i) => from + i);
  expect(rankChance(values(0), values(0))).toBeGreaterThan(0.9);
  expect(rankChance(values(0), values(25))).toBeLessThan(1e-6);
  expect(rankChance(Array(20).fill(5), Array(20).fill(5))).toBe(1);
  // By hand: U is 24.5 of a mean of 50, the standard deviation with seven ties of two 13.19.
  expect(rankChance([1, 2, 3, 4, 5, 6, 7, 8, 9, 10], [4, 5, 6, 7, 8, 9, 10, 11, 12, 13])).toBeCloseTo(0.0581, 3);
});

test('of a thousand that differ by chance hardly any is believed, of ten that do all are', () => {
  const noise = Array.from({ length: 1000 }, (_, i) => ({ chance: (i + 1) / 1001, real: false }));
  const real = Array.from({ length: 10 }, () => ({ chance: 1e-6, real: true }));
  const kept = believed([...noise, ...real], 0.01);
  expect(kept.filter((each) => each.real)).toHaveLength(10);
  expect(kept.length).toBeLessThanOrEqual(11);
  expect(believed(noise, 0.01)).toEqual([]);
});
