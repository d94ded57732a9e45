import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
  AttributeFilterBuilder,
  attributeProbe,
  integerPair,
  keyHash,
  mayHoldAttributes,
  otherPair,
  textPair,
} from './attribute-filter.ts';

type Pair = [key: string, value: string | bigint | null];

/** A filter over pairs; of null only the key counts. */
function filterOf(pairs: Iterable<Pair>): Uint8Array {
  const builder = new AttributeFilterBuilder();
  for (const [key, value] of pairs) {
    const bytes = Buffer.from(`${key}${typeof value === 'string' ? value : ''}`);
    const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
    const keyEnd = Buffer.byteLength(key);
    const hash = keyHash(view, 0, keyEnd);
    if (value === null) builder.add(otherPair(hash));
    else if (typeof value === 'string') builder.add(textPair(hash, view, keyEnd, bytes.length));
    else {
      const word = BigInt.asUintN(64, value);
      builder.add(integerPair(hash, Number(word & 0xffff_ffffn), Number(word >> 32n)));
    }
  }
  return builder.build();
}

function mayHold(filter: Uint8Array, ...pairs: [string, string][]): boolean {
  const probe = attributeProbe(pairs);
  return probe === null || mayHoldAttributes(filter, probe);
}

const text = fc.string({ unit: 'grapheme', maxLength: 100 });
const pair = fc.tuple(text, fc.oneof(text, fc.bigInt({ min: -(2n ** 63n), max: 2n ** 63n - 1n }), fc.constant(null)));

describe('an attribute filter', () => {
  it('never denies a pair that it was given, however many there are', () => {
    fc.assert(
      fc.property(fc.array(pair, { minLength: 1, maxLength: 300 }), (pairs) => {
        const filter = filterOf(pairs);
        for (const [key, value] of pairs) expect(mayHold(filter, [key, String(value)])).toBe(true);
      }),
      { numRuns: 200 },
    );
  });

  it('denies a pair of which the key or the value is another', () => {
    const filter = filterOf([
      ['user.id', 'user-17'],
      ['status', 500n],
      ['ratio', null],
    ]);
    for (const asked of [
      ['user.id', 'user-17'],
      ['status', '500'],
      ['ratio', '0.5'],
    ] satisfies [string, string][])
      expect(mayHold(filter, asked)).toBe(true);
    for (const asked of [
      ['user.id', 'user-18'],
      ['user.id', '17'],
      ['order.key', 'user-17'],
      ['status', '501'],
      ['status', '-500'],
      ['share', '0.5'],
    ] satisfies [string, string][])
      expect(mayHold(filter, asked)).toBe(false);
    expect(mayHold(filter, ['status', '500'], ['user.id', 'user-18'])).toBe(false);
  });

  it('takes few bytes for few pairs, and denies 19 of 20 that are nowhere among 8,000', () => {
    expect(filterOf([['a', 'b']]).length).toBeLessThan(40);
    const filter = filterOf(Array.from({ length: 8000 }, (_, i): Pair => ['user.id', `user-${i}`]));
    expect(filter.length).toBeLessThan(8200);
    const taken = Array.from({ length: 2000 }, (_, i) => mayHold(filter, ['user.id', `guest-${i}`])).filter(Boolean);
    expect(taken.length).toBeLessThan(100);
  });

  it('says nothing where it is too full, or something could not be told', () => {
    expect(filterOf(Array.from({ length: 40_000 }, (_, i): Pair => ['user.id', `user-${i}`]))).toHaveLength(0);
    const builder = new AttributeFilterBuilder();
    builder.giveUp();
    expect(builder.build()).toHaveLength(0);
    expect(mayHold(new Uint8Array(), ['user.id', 'nowhere'])).toBe(true);
  });

  it('tells nothing of a text that stands for bytes which are none', () => {
    expect(attributeProbe([['key', 'caf\ufffd']])).toBeNull();
    expect(attributeProbe([['key', '\ud83d']])).toBeNull();
  });
});
