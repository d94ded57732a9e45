import { zstdDecompressSync } from 'node:zlib';
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { compress, compressSync } from './compression.ts';

const bytes = fc.oneof(
  fc.uint8Array({ maxLength: 2000 }),
  fc.nat(1_500_000).map((length) => new Uint8Array(length).map((_, i) => (i * i) % 251)),
  // What does not shrink, and so comes out in several chunks.
  fc.nat(900_000).map((length) => {
    let state = length + 1;
    return new Uint8Array(length).map(() => (state = Math.imul(state, 48_271) >>> 0) >>> 24);
  }),
);

test('frames that are made at once, by streams that made others before, each give back their own bytes', async () => {
  await fc.assert(
    fc.asyncProperty(fc.array(bytes, { maxLength: 20 }), async (all) => {
      const frames = await Promise.all(all.map(compress));
      for (const [i, frame] of frames.entries()) expect(Buffer.compare(zstdDecompressSync(frame), all[i]!)).toBe(0);
    }),
    { numRuns: 25 },
  );
});

test('a frame is as large as one that is made by itself', async () => {
  const text = Buffer.from('GET /api/orders/7 took 12 ms '.repeat(10_000));
  const alone = compressSync(text).length;
  for (let i = 0; i < 20; i++) expect(Math.abs((await compress(text)).length - alone)).toBeLessThan(16);
});
