import { expect, test } from 'vitest';
import type { DebugEvent } from '../model/event.ts';
import type { JsonObject } from '../model/json.ts';
import type { Snapshot } from '../model/snapshot.ts';
import { errorLog, log, snapshot, span } from '../test/support/telemetry.ts';
import { type Difference, differencesOf } from './differences.ts';

let made = 0;
const side = (events: DebugEvent[], snapshots: Snapshot[] = []) => ({ events, snapshots });
const runs = (
  count: number,
  wordsOf: (i: number) => { took?: number; failed?: boolean; data?: JsonObject } = () => ({}),
) =>
  Array.from({ length: count }, (_, i) => {
    const trace = `t${made++}`;
    return span({ ms: i, by: 'api', trace, id: `s${made}`, name: 'GET /cart', took: 10 + (i % 5), ...wordsOf(i) });
  });
const versioned = (events: DebugEvent[], version: string) =>
  events.map((event) => ({
    ...event,
    resource: { attributes: { 'service.version': version, 'service.name': 'api' } },
  }));
const kinds = (differences: Difference[]) => differences.map(({ kind, name }) => `${kind} ${name}`);

test('two sides of the same have no differences', () => {
  const data = (i: number) => ({ data: { region: i % 2 === 0 ? 'eu' : 'us', tenant: i % 7, request: `r${made++}` } });
  expect(differencesOf([side(runs(200, data)), side(runs(200, data))])).toEqual([]);
});

test('a new version of a component comes first, told of that component alone', () => {
  const others = Array.from({ length: 300 }, (_, i) => log({ ms: i, by: 'db', correlation: `c${i}` }));
  const [first] = differencesOf([
    side([...versioned(runs(20), '1.4.0'), ...others]),
    side([
      ...versioned(
        runs(20, () => ({ took: 500 })),
        '1.5.0',
      ),
      ...others,
    ]),
  ]);
  expect(first).toMatchObject({ kind: 'version', name: 'service.version of service/api', score: 1 });
});

test('spans that take longer, errors that are new, whatever values they carry', () => {
  const failing = Array.from({ length: 20 }, (_, i) => ({
    ...errorLog({ ms: i, by: 'api', correlation: `e${i}`, message: `order ${i} lost` }),
    template_id: 'abc',
  }));
  const found = differencesOf([side(runs(50)), side([...runs(50, () => ({ took: 40 })), ...failing])]);
  expect(kinds(found)).toEqual(expect.arrayContaining(['span_latency GET /cart', 'error abc']));
  expect(found.find(({ kind }) => kind === 'error')).toMatchObject({ value: 'service/api: order 0 lost' });
  expect(found.find(({ kind }) => kind === 'span_latency')).toMatchObject({ per_side: [12, 40], score: 0.7 });
});

test("spans of one name are each component's own, and compared across them only where they are the sides", () => {
  const calls = (by: string, took: number) =>
    Array.from({ length: 20 }, (_, i) => span({ ms: i, by, trace: `t${made}`, id: `s${made++}`, name: 'POST', took }));
  const before = side([...calls('front', 10), ...calls('orders', 10)]);
  const now = side([...calls('front', 10), ...calls('orders', 90)]);
  const slower = (found: Difference[]) => found.filter(({ kind }) => kind === 'span_latency');
  expect(slower(differencesOf([before, now]))).toMatchObject([
    { name: 'POST', value: 'service/orders', per_side: [10, 90] },
  ]);
  const components = [side(calls('front', 10)), side(calls('orders', 90))];
  expect(slower(differencesOf(components))).toEqual([]);
  expect(slower(differencesOf(components, true))).toMatchObject([{ name: 'POST', value: null, per_side: [10, 90] }]);
});

test('the attribute that separates the bad from the good, though both sides have it equally often', () => {
  const of = (isBad: boolean) => (i: number) => ({
    data: { region: i % 4 === 0 ? 'eu' : 'us', plan: i % 3 === 0 ? 'free' : 'paid' },
    failed: isBad && i % 4 === 0,
  });
  const rates = differencesOf([side(runs(120, of(false))), side(runs(120, of(true)))]).filter(
    ({ kind }) => kind === 'error_rate',
  );
  expect(rates).toMatchObject([{ name: 'region', value: 'eu', per_side: [0, 1], score: 1 }]);
});

test('state: what all of one side hold and none of the other, where the states are of the same thing', () => {
  const states = (state: JsonObject) => [
    snapshot({ ms: 0, by: 'api@n1', state }),
    snapshot({ ms: 0, by: 'api@n2', state }),
  ];
  const found = differencesOf([
    side([], states({ mode: 'primary', limit: 5 })),
    side([], states({ mode: 'degraded', limit: 5 })),
  ]);
  expect(found).toMatchObject([{ kind: 'state', name: 'mode', value: '"degraded"', per_side: [0, 1] }]);
  expect(differencesOf([side([], states({ a: 1 })), side([], states({ b: 2, c: 3 }))])).toEqual([]);
});
