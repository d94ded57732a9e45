import { expect, test } from 'vitest';
import type { DebugEvent } from '../../model/event.ts';
import { log, span, unbounded, windowOf } from '../../test/support/telemetry.ts';
import { degradation } from './degradation.ts';

const find = (events: DebugEvent[], baseline: DebugEvent[] = []) =>
  degradation.analyze(windowOf(events, { baseline }), unbounded);

/** Latency as services have it: a long tail upwards. Same seed, same numbers. */
function noise(seed: number): (middle: number) => number {
  let state = seed * 2654435761 + 1;
  const uniform = () => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    return (state + 0.5) / 2 ** 32;
  };
  return (middle) => middle * Math.exp(0.35 * Math.sqrt(-2 * Math.log(uniform())) * Math.cos(2 * Math.PI * uniform()));
}

interface Speed {
  front?: number;
  orders?: number;
  way?: number;
  stock?: number;
  database?: number;
}

/** front → orders → one of three stocks and a database that reports nothing, each with its own time in ms. */
function buy(i: number, random: (middle: number) => number, speed: Speed): DebugEvent[] {
  const trace = `t${i}`;
  const ms = i * 500;
  const own = (key: keyof Speed, usual: number) => random(speed[key] ?? usual);
  const [front, orders, way, stock, database] = [
    own('front', 3),
    own('orders', 5),
    own('way', 1),
    own('stock', 20),
    own('database', 4),
  ];
  const call = way + stock;
  const inner = orders + call + database;
  const address = { 'server.address': 'db', 'server.port': 5432 };
  return [
    span({ ms, by: 'front', trace, id: 'a', name: 'POST /buy', kind: 'server', took: front + way + inner }),
    span({ ms: ms + front, by: 'front', trace, id: 'b', parent: 'a', name: 'POST', kind: 'client', took: way + inner }),
    span({
      ms: ms + front + way,
      by: 'orders',
      trace,
      id: 'c',
      parent: 'b',
      name: 'POST /orders',
      kind: 'server',
      took: inner,
    }),
    span({
      ms: ms + front + way + orders,
      by: 'orders',
      trace,
      id: 'd',
      parent: 'c',
      name: 'PUT',
      kind: 'client',
      took: call,
    }),
    span({
      ms: ms + front + way + orders + way,
      by: `stock@n${i % 3}`,
      trace,
      id: 'e',
      parent: 'd',
      name: 'PUT /stock',
      kind: 'server',
      took: stock,
    }),
    span({
      ms: ms + front + way + orders + call,
      by: 'orders',
      trace,
      id: 'f',
      parent: 'c',
      name: 'INSERT',
      kind: 'client',
      took: database,
      data: address,
    }),
  ];
}

function runs(from: number, until: number, seed: number, speedOf: (i: number) => Speed): DebugEvent[] {
  const random = noise(seed);
  return Array.from({ length: until - from }, (_, i) => buy(from + i, random, speedOf(from + i))).flat();
}

const healthy = (from: number, until: number, seed = 1) => runs(from, until, seed, () => ({}));

test('28: ten at 100 ms then ten at 500 ms is 400% slower; flat is not, and fifteen are too few', () => {
  const steps = (...durations: number[]) =>
    durations.map((duration_ms, i) => log({ ms: i * 1000, by: 'api', correlation: 'c', data: { duration_ms } }));
  const step = find(steps(...Array(10).fill(100), ...Array(10).fill(500)));
  expect(step).toMatchObject([
    { severity: 'warning', where: { id: 'api' }, evidence: { numbers: { degradation_percent: 400 } } },
  ]);
  expect(step[0]!.confidence).toBeGreaterThan(0.7);
  expect(find(steps(...Array(20).fill(100)))).toEqual([]);
  expect(find(steps(...Array(7).fill(100), ...Array(8).fill(500)))).toEqual([]);
});

test('a slow dependency is named, not those who wait for it, though it is far below any fixed limit', () => {
  const slow = runs(60, 90, 2, () => ({ stock: 1000 }));
  const findings = find(slow, healthy(0, 60));
  expect(findings).toMatchObject([{ where: { id: 'stock' }, components: [{ id: 'stock' }, { id: 'front' }] }]);
  expect(findings[0]!.confidence).toBeGreaterThan(0.85);
  expect(find([...healthy(0, 60), ...slow])).toMatchObject([{ where: { id: 'stock' } }]);
});

test('one slow replica of three is named with its node', () => {
  const findings = find(
    runs(60, 120, 2, (i) => (i % 3 === 1 ? { stock: 400 } : {})),
    healthy(0, 60),
  );
  expect(findings).toMatchObject([{ where: { id: 'stock' }, evidence: { numbers: { nodes: ['n1'] } } }]);
});

test('time lost on the way to a component is that component’s; time lost in what reports nothing is named by its address', () => {
  expect(
    find(
      runs(60, 100, 2, () => ({ way: 200 })),
      healthy(0, 60),
    )[0],
  ).toMatchObject({ evidence: { numbers: { step: expect.stringContaining('the way to') } } });
  expect(
    find(
      runs(60, 100, 2, () => ({ database: 200 })),
      healthy(0, 60),
    ),
  ).toMatchObject([{ where: { id: 'orders' }, evidence: { numbers: { step: 'INSERT, waiting for db:5432' } } }]);
});

test('quiet: noise', () => {
  for (let seed = 1; seed <= 40; seed++) expect(find(healthy(60, 120, seed + 100), healthy(0, 60, seed))).toEqual([]);
});

test('quiet: a machine that slows everything alike, a slow start, and a slow time that is over', () => {
  const doubled = { front: 6, orders: 10, way: 2, stock: 40, database: 8 };
  expect(
    find(
      runs(60, 120, 2, () => doubled),
      healthy(0, 60),
    ),
  ).toEqual([]);
  expect(
    find(
      healthy(30, 90),
      runs(0, 30, 2, () => doubled),
    ),
  ).toEqual([]);
  expect(find(healthy(90, 130, 3), [...healthy(0, 40), ...runs(40, 90, 2, () => ({ stock: 500 }))])).toEqual([]);
});

test('quiet: a level that it had before', () => {
  const busy = (from: number, until: number) => runs(from, until, from, () => ({ stock: 200 }));
  expect(find(busy(180, 270), [...busy(0, 60), ...healthy(60, 180)])).toEqual([]);
});

test('one that is worst while all are slower is information', () => {
  const overloaded = { front: 8, orders: 13, way: 3, stock: 900, database: 10 };
  expect(
    find(
      runs(60, 120, 2, () => overloaded),
      healthy(0, 60),
    ),
  ).toMatchObject([{ where: { id: 'stock' }, severity: 'info' }]);
});

test('a few milliseconds are information, however many times as long it takes', () => {
  const durations = [...Array(10).fill(1), ...Array(10).fill(4)];
  const steps = durations.map((duration_ms, i) =>
    log({ ms: i * 1000, by: 'api', correlation: 'c', data: { duration_ms } }),
  );
  expect(find(steps)).toMatchObject([{ severity: 'info', evidence: { numbers: { degradation_percent: 300 } } }]);
});

test('quiet: a change too small for the operation to notice', () => {
  expect(
    find(
      runs(60, 120, 2, () => ({ way: 1.6 })),
      healthy(0, 60),
    ),
  ).toEqual([]);
});
