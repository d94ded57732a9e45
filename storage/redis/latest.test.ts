import { expect, test } from 'vitest';
import type { Block } from '../../model/block.ts';
import { logBlock } from '../../test/support/blocks.ts';
import { LatestBlocks } from './latest.ts';

const NOON = 1_768_478_400_000_000_000n;

function make({ bytesMax = 1 << 20, ttlMs = 1000 } = {}) {
  let nowMs = 0;
  const clock = { nowNanos: () => NOON, monotonicMs: () => nowMs };
  const latest = new LatestBlocks({ bytesMax, ttlMs, clock });
  return { latest, pass: (ms: number) => (nowMs += ms) };
}

function blockAt(second: number, tenant = 'default'): Block {
  const time = NOON + BigInt(second) * 1_000_000_000n;
  return logBlock([{ time, message: `at ${second}` }], { tenant });
}

const ids = (found: { id: string }[]) => found.map(({ id }) => id);

test('finds what was put, of its tenant and window, newest first and each once', async () => {
  const { latest } = make();
  const [one, two, three] = [blockAt(1), blockAt(2), blockAt(3)];
  latest.add([three, one]);
  latest.add([two, one, blockAt(2, 'other')]);
  expect(ids(latest.of({ tenant: 'default' }))).toEqual(ids([three, two, one]));
  expect(ids(latest.of({ tenant: 'default', start: two.timeMin, end: two.timeMax }))).toEqual([two.id]);
  expect(await latest.of({ tenant: 'default', end: one.timeMax })[0]!.payload()).toBe(one.payload);
});

test('lets the oldest go where there is no room', () => {
  const blocks = [1, 2, 3, 4].map((second) => blockAt(second));
  const bytes = blocks.reduce((sum, { index, payload }) => sum + index.length + payload.length, 0);
  const { latest } = make({ bytesMax: Math.floor(bytes * 0.6) });
  latest.add(blocks);
  expect(ids(latest.of({ tenant: 'default' }))).toEqual(ids([blocks[3]!, blocks[2]!]));
});

test('lets go what has been there for its time', () => {
  const { latest, pass } = make();
  latest.add([blockAt(1)]);
  pass(600);
  latest.add([blockAt(2)]);
  pass(600);
  expect(ids(latest.of({ tenant: 'default' }))).toEqual([blockAt(2).id]);
});
