import { describe, expect, it } from 'vitest';
import {
  decodeSegmentHeader,
  encodeRecordHead,
  encodeSegmentHeader,
  type ReadableFile,
  SEGMENT_HEADER_BYTES,
  type SegmentEntry,
  SegmentReader,
  seedOf,
} from './segment.ts';

const ID = '00112233445566778899aabbccddeeff';
const BASE = 5_000_000_000_000n;
const SEED = seedOf(ID);

const entryOf = (body: Uint8Array): SegmentEntry => ({ signal: 'log', tenant: 'default', receivedAt: 1n, body });

/** A segment with these bodies, and where each record begins. */
function segmentOf(bodies: readonly Uint8Array[], seed = SEED, base = BASE): { bytes: Buffer; starts: number[] } {
  const pieces: Uint8Array[] = [encodeSegmentHeader(ID, base)];
  const starts: number[] = [];
  let offset = SEGMENT_HEADER_BYTES;
  for (const body of bodies) {
    starts.push(offset);
    const headBytes = encodeRecordHead(entryOf(body), 0n, seed).length;
    offset += headBytes + body.length;
    pieces.push(encodeRecordHead(entryOf(body), base + BigInt(offset), seed), body);
  }
  return { bytes: Buffer.concat(pieces), starts };
}

const fileOf = (bytes: Buffer): ReadableFile => ({
  read: async (buffer, offset, length, position) => ({
    bytesRead: bytes.copy(buffer, offset, position, Math.min(bytes.length, position + length)),
  }),
});

async function bodiesIn(bytes: Buffer): Promise<Buffer[]> {
  const reader = new SegmentReader(fileOf(bytes), BASE, SEED);
  const bodies: Buffer[] = [];
  for (let entry = await reader.next(bytes.length); entry !== null; entry = await reader.next(bytes.length)) {
    bodies.push(Buffer.from(entry.body));
  }
  return bodies;
}

describe('a segment', () => {
  it('says whose it is and where it begins', () => {
    expect(encodeSegmentHeader(ID, BASE)).toHaveLength(SEGMENT_HEADER_BYTES);
    expect(decodeSegmentHeader(encodeSegmentHeader(ID, BASE))).toEqual({ id: ID, base: BASE, readable: true });
    const torn = encodeSegmentHeader(ID, BASE);
    torn[20]! ^= 1;
    expect(decodeSegmentHeader(torn)).toBeNull();
    expect(decodeSegmentHeader(Buffer.alloc(10))).toBeNull();
  });

  it('finds the next record behind a damaged one, wherever the windows of the reader end', async () => {
    const window = 1024 * 1024;
    const headBytes = encodeRecordHead(entryOf(new Uint8Array(0)), 0n, SEED).length;
    for (let around = -6; around <= 6; around++) {
      const { bytes, starts } = segmentOf([Buffer.alloc(window + around - headBytes), Buffer.from('next')]);
      bytes[starts[0]! + 16]! ^= 1;
      expect((await bodiesIn(bytes)).map(String)).toEqual(['next']);
    }
  });

  it('takes no record for its own that a sender wrote into a body, even at the right place', async () => {
    // The body begins at a known offset; whoever guesses it can write a record that is right in all but the checksum's start.
    const headBytes = encodeRecordHead(entryOf(new Uint8Array(0)), 0n, SEED).length;
    const inner = Buffer.from('forged');
    const end = BASE + BigInt(SEGMENT_HEADER_BYTES + headBytes + headBytes + inner.length);
    for (const [seed, expected] of [
      [seedOf('f'.repeat(32)), ['next']],
      [SEED, ['forged', 'next']], // the journal's own id is what makes the difference
    ] as const) {
      const forged = Buffer.concat([encodeRecordHead(entryOf(inner), end, seed), inner]);
      const { bytes, starts } = segmentOf([forged, Buffer.from('next')]);
      bytes[starts[0]! + 16]! ^= 1;
      expect((await bodiesIn(bytes)).map(String)).toEqual(expected);
    }
  });

  it('hands out bodies that later reads leave alone', async () => {
    const bodies = Array.from({ length: 40 }, (_, i) => Buffer.alloc(100_000, i));
    const { bytes } = segmentOf(bodies);
    const reader = new SegmentReader(fileOf(bytes), BASE, SEED);
    const read: Uint8Array[] = [];
    for (let entry = await reader.next(bytes.length); entry !== null; entry = await reader.next(bytes.length))
      read.push(entry.body);
    expect(read.map((body, i) => Buffer.compare(body, bodies[i]!))).toEqual(bodies.map(() => 0));
  });
});
