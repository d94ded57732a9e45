import { setImmediate as nextTurn } from 'node:timers/promises';
import { expect, test } from 'vitest';
import { createTurns } from './turns.ts';

/** The turn in which each of these was let in, and the order. */
async function turnsOf(sizes: readonly number[], bytesATurn: () => number): Promise<{ order: number[]; at: number[] }> {
  const turns = createTurns(bytesATurn);
  const order: number[] = [];
  const at: number[] = [];
  let turn = 0;
  const all = sizes.map(async (bytes, i) => {
    await turns.take(bytes);
    order.push(i);
    at[i] = turn;
  });
  while (order.length < sizes.length) {
    await nextTurn();
    turn++;
  }
  await Promise.all(all);
  return { order, at };
}

test('what fits a turn does not wait', () => {
  const turns = createTurns(() => 100);
  expect(turns.take(60)).toBeUndefined();
  expect(turns.take(30)).toBeUndefined();
});

test('a burst is spread over turns, in the order of asking, as many bytes in each as it is given', async () => {
  const { order, at } = await turnsOf(new Array(12).fill(50), () => 100);
  expect(order).toEqual([0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11]);
  // The first two do not wait, and the turn that begins behind them is counted with theirs.
  expect(at).toEqual([0, 0, 0, 0, 1, 1, 2, 2, 3, 3, 4, 4]);
});

test('what is larger than a turn is paid for by those that follow, and nothing waits for ever', async () => {
  const { at } = await turnsOf([250, 10, 1 << 30, 10], () => 100);
  expect(at[0]).toBe(0);
  expect(at[1]).toBe(1);
  expect(at[2]).toBe(1);
  expect(at[3]).toBeGreaterThan(1000);
  expect(at[3]).toBeLessThan(10_000);
});

test('a turn may have less room than the one before', async () => {
  const room = [100, 50];
  const { at } = await turnsOf(new Array(6).fill(50), () => room.shift() ?? 25);
  expect(at).toEqual([0, 0, 0, 1, 3, 5]);
});
