import { describe, expect, test } from 'vitest';
import type { FeedMessage } from '../storage/contract.ts';
import { FeedRing } from './live-ring.ts';

const block = (bytes: number): FeedMessage => ({
  kind: 'block',
  tenant: 't',
  index: new Uint8Array(bytes),
  payload: new Uint8Array(0),
});
const sequences = (ring: FeedRing, from: number) => ring.from(from).map(({ sequence }) => sequence);

describe('a ring', () => {
  test('keeps so many messages', () => {
    const ring = new FeedRing(3, 1000);
    for (let i = 0; i < 10; i++) ring.push(block(1));
    expect(sequences(ring, 0)).toEqual([8, 9, 10]);
    expect(sequences(ring, 9)).toEqual([9, 10]);
    expect(sequences(ring, 11)).toEqual([]);
  });

  test('keeps so many bytes', () => {
    const ring = new FeedRing(100, 1000);
    for (let i = 0; i < 5; i++) ring.push(block(400));
    expect(sequences(ring, 0)).toEqual([4, 5]);
    ring.push(block(2000));
    expect(sequences(ring, 0)).toEqual([]);
  });

  test('knows whether it has all that came behind a message', () => {
    const ring = new FeedRing(2, 1000);
    expect(ring.holdsAfter(0, true)).toBe(true);
    for (let i = 0; i < 4; i++) ring.push(block(1));
    expect(ring.holdsAfter(3, false)).toBe(true);
    expect(ring.holdsAfter(2, true)).toBe(true); // 3 and 4 are there
    expect(ring.holdsAfter(2, false)).toBe(false); // the rest of 2 is not
    expect(ring.holdsAfter(1, true)).toBe(false);
    expect(ring.holdsAfter(4, true)).toBe(true);
  });
});
