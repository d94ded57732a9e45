import fc from 'fast-check';
import { expect, it } from 'vitest';
import { foldedMap, setBits } from './folded-map.ts';

const [BYTES, SHARE, BYTES_MIN] = [256, 1 / 4, 8];

it('is as small as it can be with at most the share that is aimed at, and has every position', () => {
  const positions = fc.array(fc.nat(BYTES * 8 - 1), { maxLength: 600, size: 'max' });
  fc.assert(
    fc.property(positions, (bits) => {
      const map = new Uint8Array(BYTES);
      for (const bit of bits) map[bit >>> 3]! |= 1 << (bit & 7);
      const folded = foldedMap(map, SHARE, BYTES_MIN, 1)!;
      const distinct = (bytes: number) => new Set(bits.map((bit) => bit % (bytes * 8)));
      expect(new Set(setBits(folded))).toEqual(distinct(folded.length));
      const fits = (bytes: number) => distinct(bytes).size <= bytes * 8 * SHARE;
      expect(folded.length === BYTES || fits(folded.length)).toBe(true);
      expect(folded.length === BYTES_MIN || !fits(folded.length / 2)).toBe(true);
    }),
  );
});
