import fc from 'fast-check';
import { expect, test } from 'vitest';
import { foldedSearch } from './folded-search.ts';

const letter = fc.constantFrom('a', 'A', 'k', 'K', '\u212a', 'i', 'I', '\u0130', '7', ' ', 'é', '[', '{');
const letters = fc.string({ unit: letter, maxLength: 40 });

test('a text is found exactly where the lower case of the bytes has it', () => {
  fc.assert(
    fc.property(letters, letters, fc.nat(30), fc.integer({ min: 1, max: 6 }), (message, other, from, length) => {
      const lower = message.toLowerCase();
      for (const text of [lower.slice(from, from + length), other.toLowerCase().slice(0, length)]) {
        const [ascii = ''] = /[\0-\x7f]*/.exec(text)!;
        const bytes = Buffer.from(`${ascii}${message}${ascii}`);
        const search = foldedSearch(ascii);
        if (search === null) expect(ascii.replaceAll('k', '').replace(/^i$/, '')).toBe('');
        else expect(search(bytes, ascii.length, bytes.length - ascii.length)).toBe(lower.includes(ascii));
      }
    }),
    { numRuns: 2_000 },
  );
});

test('of a text that is longer than any step', () => {
  const text = 'ab'.repeat(200);
  const bytes = Buffer.from(`${'b'.repeat(333)}A${text.slice(2)}B${text.toUpperCase()}`);
  expect(foldedSearch(text)!(bytes, 0, bytes.length)).toBe(true);
  expect(foldedSearch(text)!(bytes, 0, bytes.length - 1)).toBe(false);
});
