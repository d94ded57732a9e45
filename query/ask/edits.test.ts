import { expect, test } from 'vitest';
import { editDistance } from './edits.ts';

test.each([
  ['orders', 'orders', 0],
  ['ordres', 'orders', 1],
  ['paymets', 'payments', 1],
  ['', 'ab', 2],
  ['abcdef', 'ghijkl', 3],
])('%s and %s are %i edits apart, as far as two are looked for', (a, b, edits) => {
  expect(editDistance(a, b, 2)).toBe(edits);
  expect(editDistance(b, a, 2)).toBe(edits);
});
