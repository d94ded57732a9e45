import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { mayHoldText, TextFilterBuilder, textProbe } from './text-filter.ts';

/** A filter over messages. */
function filterOf(messages: readonly string[]): Uint8Array {
  const builder = new TextFilterBuilder();
  for (const message of messages) {
    const bytes = Buffer.from(`..${message}..`);
    builder.add(bytes, 2, bytes.length - 2);
  }
  return builder.build();
}

function mayHold(filter: Uint8Array, ...texts: string[]): boolean {
  const probe = textProbe(texts);
  return probe === null || mayHoldText(filter, probe);
}

// What folds in other ways than byte by byte: a Kelvin sign, a dotted I, a sigma at the end of a word, a pair of surrogates, no UTF-16 at all.
const piece = fc.constantFrom(
  'Kiel',
  '\u212aiel',
  '\u0130x',
  'stra\u00dfe',
  '\u00c9T\u00c9',
  'a',
  'B-17',
  '0042',
  ' ',
  '\u65e5\u672c',
  '\u03a3',
  '\u039f\u03a3',
  '\ud83d\ude80',
  '\ud83d',
  '\0',
  '\ufffd',
);
const message = fc.array(fc.oneof({ weight: 4, arbitrary: piece }, fc.string({ unit: 'grapheme' })), { maxLength: 8 });
const messages = fc.array(
  message.map((parts) => parts.join('')),
  { minLength: 1, maxLength: 30 },
);

describe('a text filter', () => {
  it('never denies a text that a message holds, in any case', () => {
    const asked = fc.record({ of: fc.nat(), from: fc.nat(), length: fc.nat(30), text: message });
    fc.assert(
      fc.property(messages, fc.array(asked, { minLength: 1, maxLength: 20 }), (all, queries) => {
        const filter = filterOf(all);
        // As records come: of bytes.
        const stored = all.map((text) => Buffer.from(text).toString());
        for (const { of, from, length, text } of queries) {
          const source = stored[of % stored.length]!.toLowerCase();
          const at = from % (source.length + 1);
          for (const q of [source.slice(at, at + length), text.join('')]) {
            if (!stored.some((one) => one.toLowerCase().includes(q.toLowerCase()))) continue;
            expect(mayHold(filter, q)).toBe(true);
            expect(mayHold(filter, q.toUpperCase().toLowerCase() === q.toLowerCase() ? q.toUpperCase() : q)).toBe(true);
          }
        }
      }),
      { numRuns: 500 },
    );
  });

  it('never denies a part of a message that differs from others of its kind in some places only', () => {
    const values = fc.tuple(...Array.from({ length: 3 }, () => fc.stringMatching(/^[a-cA-C0-9\u00e9]{2,5}$/)));
    fc.assert(
      fc.property(fc.array(values, { minLength: 2, maxLength: 40 }), (all) => {
        const stored = all.map(([a, b, c]) => `order ${a} of ${b} took ${c} ms`);
        const filter = filterOf(stored);
        for (const message of stored) {
          for (let at = 0; at + 4 <= message.length; at++)
            expect(mayHold(filter, message.slice(at, at + 4))).toBe(true);
        }
      }),
    );
  });

  it('denies a text of which a part is nowhere', () => {
    const filter = filterOf(['Payment REFUSED by bank', 'order 5512 shipped', 'f\u00fcr \u65e5\u672c']);
    for (const q of ['refused', 'ED BY', 'order 55', 'F\u00dcR', '\u65e5\u672c']) expect(mayHold(filter, q)).toBe(true);
    for (const q of ['certificate', 'order 71', 'refunded', 'f\u00fcrth', '\u672c\u65e5'])
      expect(mayHold(filter, q)).toBe(false);
    expect(mayHold(filter, 'payment', 'shipped')).toBe(true);
    expect(mayHold(filter, 'payment', 'nowhere')).toBe(false);
  });

  it('tells nothing of texts of three bytes', () => {
    expect(textProbe(['abc', ''])).toBeNull();
    expect(textProbe(['abcd'])).not.toBeNull();
  });

  it('tells nothing once a message is not known', () => {
    const builder = new TextFilterBuilder();
    builder.add(Buffer.from('known'), 0, 5);
    builder.add(Buffer.from(''), 1, 0);
    expect(builder.build()).toEqual(new Uint8Array());
    builder.clear();
    builder.add(Buffer.from('known'), 0, 5);
    expect(mayHold(builder.build(), 'nowhere')).toBe(false);
  });

  it('is as small as its texts are few, and bounded', () => {
    const ids = Array.from({ length: 20_000 }, (_, i) => Math.imul(i + 1, 0x9e3779b1).toString(36));
    expect(filterOf(['connection closed']).length).toBeLessThan(24);
    expect(filterOf(ids).length).toBeLessThanOrEqual(2 * 4096 + 3);
  });

  it('leaves out what is too full to tell anything, and keeps the words beside ids', () => {
    // A digit in every four characters.
    const ids = Array.from({ length: 40_000 }, (_, i) => {
      const letters = [...(Math.imul(i + 1, 0x9e3779b1) >>> 0).toString(26)].map((digit) =>
        String.fromCharCode(97 + Number.parseInt(digit, 26)),
      );
      return `order #${letters.map((letter, at) => letter + ((Math.imul(i + at, 0x85ebca6b) >>> 9) % 10)).join('')}`;
    });
    const filter = filterOf(ids);
    expect(filter.length).toBeLessThan(200);
    expect(mayHold(filter, '#z9z9')).toBe(true);
    expect(mayHold(filter, 'refund #')).toBe(false);
  });

  it('cannot say anything by bytes of another version', () => {
    const filter = filterOf(['known']);
    filter[0] = 2;
    expect(mayHold(filter, 'nowhere')).toBe(true);
    expect(mayHold(new Uint8Array(), 'nowhere')).toBe(true);
  });
});
