import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { emptyObject, isJsonObject, type Json, type JsonObject, jsonEqual } from './json.ts';

const json = fc.jsonValue() as fc.Arbitrary<Json>;

describe('equality of JSON', () => {
  it('holds between a value and its copy, whatever the order of its keys', () => {
    fc.assert(
      fc.property(json, (value) => {
        const copy = JSON.parse(JSON.stringify(value)) as Json;
        expect(jsonEqual(value, copy)).toBe(true);
        expect(jsonEqual(value, reversed(copy))).toBe(true);
      }),
    );
  });

  it('is that of the sorted texts, both ways', () => {
    fc.assert(
      fc.property(json, json, (a, b) => {
        const equal = JSON.stringify(sorted(a)) === JSON.stringify(sorted(b));
        expect(jsonEqual(a, b)).toBe(equal);
        expect(jsonEqual(b, a)).toBe(equal);
      }),
    );
  });

  it.each<[Json | undefined, Json | undefined]>([
    [1, '1'],
    [0, false],
    [null, undefined],
    [[], {}],
    [
      [1, 2],
      [2, 1],
    ],
    [[1], [1, null]],
    [{ a: 1 }, { a: 1, b: null }],
    [{ a: null }, { b: null }],
    [{}, null],
    [JSON.parse('{"__proto__": 1}') as Json, {}],
    [{ toString: 1 }, {}],
  ])('does not hold between %j and %j', (a, b) => {
    expect(jsonEqual(a, b)).toBe(false);
    expect(jsonEqual(b, a)).toBe(false);
  });

  it('does not see prototypes', () => {
    const bare = emptyObject();
    bare.a = [1, { b: 2 }];
    expect(jsonEqual(bare, { a: [1, { b: 2 }] })).toBe(true);
  });
});

describe('an empty object', () => {
  it('takes every key for a key', () => {
    const object = emptyObject();
    for (const key of ['__proto__', 'constructor', 'toString']) {
      expect(object[key]).toBeUndefined();
      object[key] = key;
    }
    expect(JSON.parse(JSON.stringify(object))).toEqual(
      JSON.parse('{"__proto__":"__proto__","constructor":"constructor","toString":"toString"}'),
    );
    expect(isJsonObject(object)).toBe(true);
  });
});

it('objects are neither arrays nor null', () => {
  expect([[], null, 'text', 1, true, undefined].map(isJsonObject)).not.toContain(true);
});

function reversed(value: Json): Json {
  return mapKeys(value, (keys) => keys.reverse());
}

function sorted(value: Json): Json {
  return mapKeys(value, (keys) => keys.sort());
}

function mapKeys(value: Json, order: (keys: string[]) => string[]): Json {
  if (Array.isArray(value)) return value.map((item) => mapKeys(item, order));
  if (!isJsonObject(value)) return Object.is(value, -0) ? 0 : value;
  const object: JsonObject = emptyObject();
  for (const key of order(Object.keys(value))) object[key] = mapKeys(value[key]!, order);
  return object;
}
