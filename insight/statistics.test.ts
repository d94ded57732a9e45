import { expect, test } from 'vitest';
import { changePoint, normalBelow, quantile, ranksOf, shareAbove } from './statistics.ts';

test('a quantile is a value that was seen', () => {
  expect(quantile([10, 10, 10, 10, 10, 10, 10, 10, 10, 20_000], 0.95)).toBe(20_000);
  expect(quantile([1, 2, 3], 0.5)).toBe(2);
  expect(quantile([7], 1)).toBe(7);
});

test('ranks: ties share their mean', () => {
  expect([...ranksOf([30, 10, 20, 20])]).toEqual([4, 1, 2.5, 2.5]);
});

test('a step is found where it happened; noise has none', () => {
  const step = changePoint([...Array(10).fill(100), ...Array(10).fill(500)], 10)!;
  expect(step).toMatchObject({ index: 10, superiority: 1 });
  expect(step.p).toBeLessThan(0.01);
  const uneven = changePoint([5, 6, 5, 4, 6, 5, 4, 5, 6, 6, 5, 4, 50, 60, 55, 52, 58], 5)!;
  expect(uneven.index).toBe(12);
  const flat = changePoint(
    Array.from({ length: 60 }, (_, i) => 100 + ((i * 37) % 11)),
    10,
  )!;
  expect(flat.p).toBeGreaterThan(0.1);
  expect(changePoint(Array(30).fill(1), 10)).toMatchObject({ p: 1, superiority: 0.5 });
  expect(changePoint(Array(19).fill(1), 10)).toBeNull();
});

test('a fall has a superiority below one half', () => {
  expect(changePoint([...Array(12).fill(9), ...Array(12).fill(3)], 10)!.superiority).toBe(0);
});

test('belief that a share is above a threshold grows with the samples', () => {
  expect(shareAbove(3, 6, 0.3)).toBeCloseTo(0.874, 3);
  expect(shareAbove(1, 9, 0.3)).toBeCloseTo(0.149, 2);
  expect(shareAbove(300, 600, 0.3)).toBeGreaterThan(0.999);
  expect(shareAbove(100, 600, 0.3)).toBeLessThan(0.001);
});

test('the normal distribution', () => {
  expect(normalBelow(0)).toBeCloseTo(0.5, 6);
  expect(normalBelow(1.96)).toBeCloseTo(0.975, 4);
  expect(normalBelow(-1.96)).toBeCloseTo(0.025, 4);
});
