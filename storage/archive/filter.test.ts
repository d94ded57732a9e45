import fc from 'fast-check';
import { expect, it } from 'vitest';
import { hashText } from '../../model/hash.ts';
import { buildFilter, filterBlock, mayHold } from './filter.ts';

function asks(filter: Uint8Array, key: bigint): boolean {
  const { offset, length } = filterBlock(key, filter.length);
  return mayHold(filter.subarray(offset, offset + length), key);
}

it('holds whatever was put in', () => {
  fc.assert(
    fc.property(fc.array(fc.bigInt({ min: 0n, max: 2n ** 64n - 1n })), (keys) => {
      const filter = buildFilter(new Set(keys));
      expect(keys.every((key) => asks(filter, key))).toBe(true);
    }),
  );
});

it('holds little else, and has few bytes', () => {
  const keys = Array.from({ length: 20_000 }, (_, i) => hashText(`in ${i}`));
  const filter = buildFilter(new Set(keys));
  const wrong = Array.from({ length: 20_000 }, (_, i) => asks(filter, hashText(`out ${i}`))).filter(Boolean).length;
  expect(wrong / 20_000).toBeLessThan(0.02);
  expect(filter.length / keys.length).toBeLessThan(1.6);
});
