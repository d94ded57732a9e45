import { describe, expect, test } from 'vitest';
import type { Flushable } from './live-flusher.ts';
import { createOutbox, STUCK_MS } from './live-outbox.ts';

/** A reader that takes when it is told to. */
function slowReader(limits: { messagesMax?: number; charsMax?: number } = {}) {
  let nowMs = 0;
  const written: string[] = [];
  const pending: (() => void)[] = [];
  const scheduled: Flushable[] = [];
  let givenUp = 0;
  const outbox = createOutbox<string>({
    clock: { monotonicMs: () => nowMs },
    flusher: { schedule: (buffer) => scheduled.push(buffer) },
    write: (texts, taken) => {
      written.push(texts.map((text) => (text.length > 20 ? text[0] : text)).join(' '));
      pending.push(taken);
    },
    gapText: (dropped) => `gap ${dropped}`,
    giveUp: () => givenUp++,
    ...limits,
  });
  return {
    ...outbox,
    written,
    flushAll: () => {
      for (const buffer of scheduled.splice(0)) buffer.flush();
    },
    take: () => {
      for (const taken of pending.splice(0)) taken();
    },
    wait: (ms: number) => {
      nowMs += ms;
    },
    givenUp: () => givenUp,
  };
}

/** One that fills what may be in flight. */
const BIG = (letter: string) => letter.repeat(300_000);

test('a reader that takes gets everything in order, what came meanwhile in one write', () => {
  const reader = slowReader();
  for (const text of ['a', 'b', 'c']) reader.push(text);
  expect(reader.written).toEqual([]);
  reader.flushAll();
  reader.push('d');
  reader.take();
  expect(reader.written).toEqual(['a b c']);
  reader.flushAll();
  expect(reader.written).toEqual(['a b c', 'd']);
});

test('many do not wait for the others', () => {
  const reader = slowReader({ messagesMax: 3 });
  for (const text of ['a', 'b', 'c', 'd']) reader.push(text);
  expect(reader.written).toEqual(['a b c']);
  reader.push(BIG('x'));
  expect(reader.written).toEqual(['a b c', 'd x']);
});

test('a gap stands between what came before and after it', () => {
  const reader = slowReader();
  reader.push('a');
  reader.gap(3);
  reader.push('b');
  reader.flushAll();
  expect(reader.written).toEqual(['a', 'gap 3 b']);
});

test('before its connection ends a reader is told what waits', () => {
  const reader = slowReader();
  reader.push('a');
  reader.flush();
  reader.flushAll();
  expect(reader.written).toEqual(['a']);
});

describe('a slow reader', () => {
  test('loses the oldest, and is told how many where they would have stood', () => {
    const reader = slowReader({ messagesMax: 2 });
    reader.push(BIG('x'));
    for (const text of ['a', 'b', 'c', 'd', 'e']) reader.push(text);
    expect(reader.written).toEqual(['x']);
    reader.take();
    expect(reader.written).toEqual(['x', 'gap 3 d e']);
    reader.push('f');
    reader.flushAll();
    expect(reader.written).toEqual(['x', 'gap 3 d e', 'f']);
  });

  test('is bounded in characters too', () => {
    const reader = slowReader({ charsMax: 5 });
    reader.push(BIG('x'));
    for (const text of ['aaa', 'bbb', 'cc']) reader.push(text);
    reader.take();
    expect(reader.written).toEqual(['x', 'gap 1 bbb cc']);
  });

  test('is told of what was lost before', () => {
    const reader = slowReader();
    reader.gap(2);
    reader.flushAll();
    reader.push(BIG('x'));
    reader.gap(null);
    reader.gap(7);
    reader.take();
    expect(reader.written).toEqual(['gap 2', 'x', 'gap null']);
  });

  test('is given up when it takes nothing for long, and only then', () => {
    const reader = slowReader({ messagesMax: 1 });
    reader.push(BIG('x'));
    reader.wait(STUCK_MS - 1);
    reader.push('a');
    reader.push('b');
    expect(reader.givenUp()).toBe(0);
    reader.wait(2);
    reader.push('c');
    expect(reader.givenUp()).toBe(1);
    reader.push('d');
    reader.take();
    expect(reader.givenUp()).toBe(1);
    expect(reader.written).toEqual(['x']);
  });

  test('that was idle for long is not stuck', () => {
    const reader = slowReader({ messagesMax: 1 });
    reader.wait(10 * STUCK_MS);
    reader.push(BIG('x'));
    for (const text of ['a', 'b']) reader.push(text);
    expect(reader.givenUp()).toBe(0);
  });
});

test('nothing is written after close', () => {
  const reader = slowReader();
  reader.push(BIG('x'));
  reader.push('a');
  reader.close();
  reader.take();
  reader.push('b');
  expect(reader.written).toEqual(['x']);
});
