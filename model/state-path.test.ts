import { expect, test } from 'vitest';
import { diffStates } from './state-diff.ts';
import { parsePath, valueAt } from './state-path.ts';

test('whatever a diff names can be asked for', () => {
  const after = { orders: [{ state: 'new' }], 'sku.42': { 'a"b': 1 }, été: { x: null } };
  for (const [path, { to }] of Object.entries(diffStates({ orders: [{}], 'sku.42': {}, été: {} }, after))) {
    expect(valueAt(after, parsePath(path)!)).toEqual(to);
  }
});

test.each(['', 'a..b', '.a', 'a[', '["a]', 'a b', 'a.'])('%j is no path', (path) => {
  expect(parsePath(path)).toBe(null);
});

test('what is not there is undefined, whatever it is asked of', () => {
  expect(valueAt({ a: null }, ['a', 'b'])).toBe(undefined);
  expect(valueAt({ a: [1] }, ['a', 'length'])).toBe(undefined);
  expect(valueAt({}, ['constructor'])).toBe(undefined);
});
