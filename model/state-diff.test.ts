import fc from 'fast-check';
import { expect, test } from 'vitest';
import { type JsonObject, jsonEqual } from './json.ts';
import { diffStates } from './state-diff.ts';

test('a changed value is named with both values', () => {
  expect(diffStates({ progress: 0.5 }, { progress: 0.8 })).toEqual({ progress: { from: 0.5, to: 0.8 } });
});

test('nested keys and array elements have paths; odd keys are quoted', () => {
  const before = { order: { items: [{ qty: 1 }, { qty: 2 }] }, stock: { 'sku.42': 3, 'it-1': 1 } };
  const after = { order: { items: [{ qty: 1 }, { qty: 5 }] }, stock: { 'sku.42': 4, 'it-1': 2 } };
  expect(diffStates(before, after)).toEqual({
    'order.items[1].qty': { from: 2, to: 5 },
    'stock["sku.42"]': { from: 3, to: 4 },
    'stock.it-1': { from: 1, to: 2 },
  });
});

test('added, removed and null are three things', () => {
  const diff = diffStates({ gone: 1, emptied: 1, list: [1, 2] }, { emptied: null, fresh: { a: null }, list: [1] });
  expect(diff).toEqual({
    gone: { from: 1 },
    emptied: { from: 1, to: null },
    fresh: { to: { a: null } },
    'list[1]': { from: 2 },
  });
});

test('types count, the order of keys does not', () => {
  expect(diffStates({ a: true, b: '1' }, { b: 1, a: 1 })).toEqual({
    a: { from: true, to: 1 },
    b: { from: '1', to: 1 },
  });
  expect(diffStates({ a: { x: 1, y: 2 } }, { a: { y: 2, x: 1 } })).toEqual({});
  expect(diffStates({ a: {} }, { a: [] })).toEqual({ a: { from: {}, to: [] } });
});

test('what a partial state leaves out is not gone', () => {
  const before = { a: 1, deep: { b: 2, c: 3 }, list: [1, 2] };
  expect(diffStates(before, { deep: { b: 4 }, list: [1] }, false)).toEqual({
    'deep.b': { from: 2, to: 4 },
    'list[1]': { from: 2 },
  });
});

test('keys with names of object members are only keys', () => {
  const state = JSON.parse('{"__proto__": {"a": 1}, "constructor": 2}') as JsonObject;
  expect(Object.keys(diffStates({}, state))).toEqual(['__proto__', 'constructor']);
  expect(diffStates(state, JSON.parse('{"__proto__": {"a": 1}, "constructor": 2}'))).toEqual({});
});

test('the diff is empty exactly when the states are equal, and turns round with them', () => {
  const states = fc.tuple(
    fc.dictionary(fc.string({ maxLength: 3 }), fc.jsonValue()),
    fc.dictionary(fc.string({ maxLength: 3 }), fc.jsonValue()),
  );
  fc.assert(
    fc.property(states, ([a, b]) => {
      const there = diffStates(a as JsonObject, b as JsonObject);
      const back = diffStates(b as JsonObject, a as JsonObject);
      expect(Object.keys(there).length === 0).toBe(jsonEqual(a as JsonObject, b as JsonObject));
      expect(Object.keys(back).sort()).toEqual(Object.keys(there).sort());
      expect(diffStates(a as JsonObject, structuredClone(a) as JsonObject)).toEqual({});
    }),
  );
});
