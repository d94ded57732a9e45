import { expect, test } from 'vitest';
import { chanceOfCount, chanceOfShare } from './counts.ts';

test('ten after one a minute is no chance from two minutes on, four after three is', () => {
  expect(chanceOfCount(10, [1, 1])).toBeLessThan(1e-3);
  expect(chanceOfCount(4, [3, 3, 3])).toBeGreaterThan(0.1);
  expect(chanceOfCount(0, [3])).toBe(1);
});

test('counts that always vary widely need more', () => {
  const bursty = [2, 40, 1, 35, 3, 50];
  expect(chanceOfCount(60, bursty)).toBeGreaterThan(0.01);
  expect(chanceOfCount(60, [20, 22, 21, 19, 20, 21])).toBeLessThan(1e-6);
  expect(chanceOfCount(6000, [2000, 2050, 1990])).toBeLessThan(1e-6);
});

test('a share is compared with what is known of it', () => {
  expect(chanceOfShare(10, 20, 1, 200)).toBeLessThan(1e-6);
  expect(chanceOfShare(1, 20, 10, 200)).toBeGreaterThan(0.3);
  expect(chanceOfShare(3, 3, 0, 3)).toBeGreaterThan(1e-3);
});
