import { expect, test } from 'vitest';
import { stateDiff } from './diff.ts';

test('names what changed, with both values', () => {
  expect(stateDiff({ progress: 0.5, name: 'x' }, { progress: 0.8, name: 'x' }, 'full')).toEqual({
    progress: { from: 0.5, to: 0.8 },
  });
});

test('goes deep into objects, takes arrays whole, and tells a null from nothing', () => {
  const before = { a: { b: { c: 1 }, same: [1, { x: 1 }] }, list: [1, 2], gone: true, null: null };
  const after = { a: { b: { c: '1' }, same: [1, { x: 1 }], new: {} }, list: [2, 1], null: 0 };
  expect(stateDiff(before, after, 'full')).toEqual({
    'a.b.c': { from: 1, to: '1' },
    'a.new': { to: {} },
    list: { from: [1, 2], to: [2, 1] },
    gone: { from: true },
    null: { from: null, to: 0 },
  });
});

test.each(['partial', 'incremental'] as const)('a %s snapshot removes nothing by leaving it out', (type) => {
  expect(stateDiff({ a: 1, b: { c: 1, d: 1 } }, { b: { c: 2 } }, type)).toEqual({ 'b.c': { from: 1, to: 2 } });
});

test('keys are only keys', () => {
  const hostile = JSON.parse('{"__proto__": {"x": 1}, "a": {"b.c": 1, "b": {"c": 1}}}');
  expect(Object.keys(stateDiff({}, hostile, 'full'))).toEqual(['__proto__', 'a']);
  expect(stateDiff({ a: {} }, hostile, 'partial')).toMatchObject({ 'a."b.c"': { to: 1 }, 'a.b': { to: { c: 1 } } });
});
