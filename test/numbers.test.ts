/** What an OTLP receiver has to do (R1 to R37) and which faults it has to survive (F1 to F41) is numbered: each number has a test in whose title it stands. */
import { globSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, it } from 'vitest';

const ROOT = join(import.meta.dirname, '..');
// A title begins with its numbers, also where it stands in a table of cases.
const NUMBERS = /['"`]((?:[RF]\d+\b[ ,:]*)+)/g;

/** Numbers in titles of tests, with the files that they stand in. */
function numbered(): Map<string, Set<string>> {
  const found = new Map<string, Set<string>>();
  const files = globSync('**/*.test.ts', { cwd: ROOT, exclude: ['**/node_modules', 'dist', 'instrumentation'] });
  for (const file of files) {
    for (const [, numbers] of readFileSync(join(ROOT, file), 'utf8').matchAll(NUMBERS)) {
      for (const number of numbers!.match(/[RF]\d+/g)!) found.set(number, (found.get(number) ?? new Set()).add(file));
    }
  }
  return found;
}

it.each([
  ['R', 37],
  ['F', 41],
])('every %s from 1 to %i has a test that says so', (letter, last) => {
  const found = numbered();
  const numbers = Array.from({ length: last }, (_, i) => `${letter}${i + 1}`);
  expect(numbers.filter((number) => !found.has(number))).toEqual([]);
  expect(found.has(`${letter}0`)).toBe(false);
});
