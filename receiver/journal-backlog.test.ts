import fc from 'fast-check';
import { expect, test } from 'vitest';
import { Backlog } from './journal-backlog.ts';

test('tells how many wait and since when, until the store has them', () => {
  const backlog = new Backlog();
  expect([backlog.entries, backlog.oldest]).toEqual([0, null]);
  backlog.add(100n, 3, 5n);
  backlog.add(250n, 2, 9n);
  expect([backlog.entries, backlog.oldest]).toEqual([5, 5n]);
  backlog.release(99n); // of a step the store has all or it counts whole
  expect([backlog.entries, backlog.oldest]).toEqual([5, 5n]);
  backlog.release(100n);
  expect([backlog.entries, backlog.oldest]).toEqual([2, 9n]);
  backlog.release(1000n);
  expect([backlog.entries, backlog.oldest]).toEqual([0, null]);
});

test('stays small, forgets nobody who waits, and never calls anything younger than it is', () => {
  fc.assert(
    fc.property(fc.array(fc.integer({ min: 1, max: 5 }), { maxLength: 300 }), fc.nat(300), (batches, released) => {
      const backlog = new Backlog(8);
      for (const [i, entries] of batches.entries()) backlog.add(BigInt(i + 1), entries, BigInt(i));
      backlog.release(BigInt(released));
      const waiting = batches.slice(released);
      expect(backlog.entries).toBeGreaterThanOrEqual(waiting.reduce((sum, entries) => sum + entries, 0));
      if (waiting.length === 0) expect([backlog.entries, backlog.oldest]).toEqual([0, null]);
      else expect(backlog.oldest).toBeLessThanOrEqual(BigInt(released));
    }),
  );
});
