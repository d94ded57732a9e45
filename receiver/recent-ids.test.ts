import fc from 'fast-check';
import { expect, test } from 'vitest';
import { RecentIds } from './recent-ids.ts';

test('an id is new once, for each tenant', () => {
  const recent = new RecentIds(16);
  expect(recent.add('a', 1n, 2n)).toBe(true);
  expect(recent.add('a', 1n, 2n)).toBe(false);
  expect(recent.add('b', 1n, 2n)).toBe(true);
  expect(recent.add('a', 2n, 2n)).toBe(true);
});

test('remembers at least as many as one generation holds, whatever they are', () => {
  fc.assert(
    fc.property(fc.uniqueArray(fc.bigInt(0n, 2n ** 64n - 1n), { minLength: 1, maxLength: 64 }), (hashes) => {
      const recent = new RecentIds(hashes.length);
      for (const hash of hashes) expect(recent.add('a', 7n, hash)).toBe(true);
      for (const hash of hashes) expect(recent.add('a', 7n, hash)).toBe(false);
    }),
  );
});

test('forgets the oldest in the end: its memory is bounded', () => {
  const recent = new RecentIds(8);
  recent.add('a', 0n, 1n);
  for (let i = 2n; i < 40n; i++) recent.add('a', 0n, i);
  expect(recent.add('a', 0n, 1n)).toBe(true);
});
