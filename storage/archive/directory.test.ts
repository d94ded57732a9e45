import fc from 'fast-check';
import { expect, it } from 'vitest';
import { hex64 } from '../../model/ids.ts';
import { decodeDirectory, encodeDirectory } from './directory.ts';

const uint64 = fc.bigInt({ min: 0n, max: 2n ** 64n - 1n });
const place = fc.nat({ max: Number.MAX_SAFE_INTEGER });
const entry = fc.record({
  id: fc.tuple(uint64, uint64).map(([time, hash]) => hex64(time) + hex64(hash)),
  timeMin: uint64,
  indexOffset: place,
  indexLength: place,
  patchLength: place,
  frameOffset: place,
  frameLength: place,
  payloadHash: uint64,
  keys: fc.array(uint64, { maxLength: 20 }),
});

it('is read as it was written', () => {
  fc.assert(
    fc.property(fc.array(entry, { maxLength: 20 }), (entries) => {
      expect(decodeDirectory(encodeDirectory(entries))).toEqual(entries);
    }),
  );
});
