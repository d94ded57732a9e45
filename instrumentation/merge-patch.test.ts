import { expect, it } from 'vitest';
import { mergePatch } from './merge-patch.ts';

it.each([
  ['what changed', { a: 1, b: 2 }, { a: 1, b: 3 }, { b: 3 }],
  ['what came', { a: 1 }, { a: 1, b: { c: 2 } }, { b: { c: 2 } }],
  ['what went', { a: 1, b: 2 }, { a: 1 }, { b: null }],
  ['what is deep inside', { a: { b: { c: 1, d: 2 } } }, { a: { b: { c: 5 } } }, { a: { b: { c: 5, d: null } } }],
  ['lists whole', { a: [1, 2] }, { a: [1, 2, 3] }, { a: [1, 2, 3] }],
])('says %s', (_, from, to, patch) => {
  expect(mergePatch(from, to)).toEqual(patch);
});

it.each([
  ['a null is set', { a: 1 }, { a: null }],
  ['a null comes inside of what is new', {}, { a: { b: null } }],
  ['the state is no object', 1, 2],
])('does not say it where %s', (_, from, to) => {
  expect(mergePatch(from, to)).toBeUndefined();
});
