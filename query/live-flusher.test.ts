import { setImmediate as nextTurn, setTimeout as sleep } from 'node:timers/promises';
import { expect, test } from 'vitest';
import { createFlusher, type Flushable } from './live-flusher.ts';

function startFlusher(rest: () => Promise<unknown> | undefined = () => undefined) {
  let nowMs = 0;
  const flushed: string[] = [];
  const flusher = createFlusher({ monotonicMs: () => nowMs }, () => rest);
  const buffers = new Map<string, Flushable>();
  return {
    flushed,
    wait: (ms: number) => {
      nowMs += ms;
    },
    schedule(name: string) {
      const fresh = { flushedMs: Number.NEGATIVE_INFINITY, flush: () => void flushed.push(name) };
      const buffer = buffers.get(name) ?? fresh;
      buffers.set(name, buffer);
      flusher.schedule(buffer);
    },
    async flushedAre(...names: string[]) {
      while (flushed.length < names.length) await sleep(1);
      expect(flushed).toEqual(names);
    },
  };
}

test('whoever was quiet is flushed in the next turn, in the order of asking', async () => {
  const { schedule, flushed } = startFlusher();
  schedule('a');
  schedule('b');
  expect(flushed).toEqual([]);
  await nextTurn();
  await nextTurn();
  expect(flushed).toEqual(['a', 'b']);
});

test('whoever was flushed just now waits, and nobody else for it', async () => {
  const { schedule, flushedAre, wait } = startFlusher();
  schedule('busy');
  await flushedAre('busy');
  wait(5);
  schedule('busy');
  schedule('quiet');
  await flushedAre('busy', 'quiet');
  await flushedAre('busy', 'quiet', 'busy');
});

test('between two of them others have a turn when it is theirs', async () => {
  const others: string[] = [];
  const { schedule, flushed, flushedAre } = startFlusher(async () => {
    others.push(`after ${flushed.length}`);
    await nextTurn();
  });
  for (const name of ['a', 'b', 'c']) schedule(name);
  await flushedAre('a', 'b', 'c');
  expect(others.slice(0, 2)).toEqual(['after 1', 'after 2']);
});
