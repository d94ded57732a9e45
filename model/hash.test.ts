import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { ContentHash, hashText } from './hash.ts';

describe('the content hash', () => {
  it('is the same in every process and version: ids and keys are stored', () => {
    expect(hashText('correlation', 'order-1').toString(16)).toMatchInlineSnapshot(`"53779f2289b24b8"`);
    expect(hashText('').toString(16)).toMatchInlineSnapshot(`"1ef2bd40c43c3842"`);
    expect(
      new ContentHash()
        .reset()
        .bytes(Uint8Array.from({ length: 259 }, (_, i) => i))
        .digest()
        .toString(16),
    ).toMatchInlineSnapshot(`"484420e62b51d7f5"`);
    expect(
      new ContentHash()
        .reset()
        .bigint(2n ** 64n - 1n)
        .number(-1)
        .digest()
        .toString(16),
    ).toMatchInlineSnapshot(`"318f92591b1a0b97"`);
  });

  it('is of the bytes, not of where they lie', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 100 }), fc.nat(9), (bytes, offset) => {
        const elsewhere = new Uint8Array(offset + bytes.length + 5).fill(7);
        elsewhere.set(bytes, offset);
        const hash = new ContentHash()
          .reset()
          .bytes(elsewhere, offset, offset + bytes.length)
          .digest();
        expect(hash).toBe(new ContentHash().reset().bytes(bytes).digest());
      }),
    );
  });

  it('of a field is that of its number, its length and its bytes', () => {
    fc.assert(
      fc.property(fc.nat(), fc.uint8Array({ maxLength: 40 }), fc.nat(5), (number, bytes, start) => {
        const from = Math.min(start, bytes.length);
        const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
        const whole = new ContentHash().reset().number(9).field(number, view, from, bytes.length).digest();
        const apart = new ContentHash()
          .reset()
          .number(9)
          .number(number)
          .number(bytes.length - from);
        expect(whole).toBe(apart.range(view, from, bytes.length).digest());
      }),
    );
  });

  it('starts anew after a reset', () => {
    const used = new ContentHash().reset().text('before').number(3);
    expect(used.reset().text('after').digest()).toBe(new ContentHash().reset().text('after').digest());
  });

  it('tells apart where one text ends and the next begins, and zeros at an end', () => {
    const told = new Set([
      hashText('ab', 'c'),
      hashText('a', 'bc'),
      hashText('abc'),
      hashText('abc', ''),
      hashText('', 'abc'),
      hashText('abc\0'),
      hashText('abc\0\0'),
    ]);
    expect(told.size).toBe(7);
  });

  it('spreads neighbours over 64 bits', () => {
    const hashes = Array.from({ length: 100_000 }, (_, i) => hashText(`trace-${i}`));
    expect(new Set(hashes).size).toBe(hashes.length);
    for (let bit = 0n; bit < 64n; bit++) {
      const ones = hashes.reduce((sum, hash) => sum + Number((hash >> bit) & 1n), 0);
      expect(Math.abs(ones - 50_000)).toBeLessThan(1_000); // six standard deviations
    }
  });
});
