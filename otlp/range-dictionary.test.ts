import fc from 'fast-check';
import { expect, test } from 'vitest';
import { RangeDictionary } from './range-dictionary.ts';
import { textOf } from './wire.ts';

test('equal bytes have one code wherever they lie, others have others', () => {
  fc.assert(
    fc.property(fc.array(fc.stringMatching(/^[a-c]{0,3}$/), { maxLength: 200 }), (texts) => {
      const bytes = Buffer.from(texts.join(''));
      const dictionary = new RangeDictionary(bytes, textOf);
      let at = 0;
      for (const text of texts) {
        const code = dictionary.code(at, (at += text.length));
        expect(code).toBeGreaterThan(0);
        expect(dictionary.values[code - 1]).toBe(text);
      }
      expect(dictionary.values).toHaveLength(new Set(texts).size);
    }),
  );
});

test('thousands of values keep their codes while it grows', () => {
  const texts = Array.from({ length: 5000 }, (_, i) => String(i).padStart(8, '0'));
  const dictionary = new RangeDictionary(Buffer.from(texts.join('')), textOf);
  const codes = () => texts.map((_, i) => dictionary.code(i * 8, i * 8 + 8));
  const first = codes();
  expect(dictionary.add('not of the bytes')).toBe(5001);
  expect(codes()).toEqual(first);
  expect(new Set(first).size).toBe(5000);
});
