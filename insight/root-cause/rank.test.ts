import { expect, test } from 'vitest';
import type { DebugEvent } from '../../model/event.ts';
import { at, gauge, log, span } from '../../test/support/telemetry.ts';
import { type RootCauseInput, rankRootCauses } from './rank.ts';

const MINUTE = 60_000;
const BASELINE = { start: at(0), end: at(MINUTE) };
const WINDOW = { start: at(10 * MINUTE), end: at(11 * MINUTE) };

interface Order {
  /** Milliseconds that the way to stock takes. */
  wayMs?: number;
  /** Stock stops after its first statement. */
  cut?: boolean;
  /** What goes wrong in shipping, which has nothing to do with it; empty: it is called and all is well; absent: it is not called. */
  shippingError?: string;
}

/** Thirty orders through shop, orders and stock, one every two seconds. */
function orders(fromMs: number, how: (i: number) => Order): DebugEvent[] {
  return Array.from({ length: 30 }, (_, i) => order(fromMs + i * 1900, `${fromMs}-${i}`, how(i))).flat();
}

function order(ms: number, trace: string, { wayMs = 2, cut = false, shippingError }: Order): DebugEvent[] {
  const stockAt = ms + 10 + wayMs / 2;
  const back = stockAt + 10 + wayMs / 2;
  const of = { trace };
  return [
    span({ ...of, ms, by: 'shop', id: 'a', name: 'POST /orders', kind: 'server', took: back + 20 - ms }),
    span({
      ...of,
      ms: ms + 2,
      by: 'orders',
      id: 'b',
      parent: 'a',
      name: 'place',
      kind: 'server',
      took: back + 15 - ms,
    }),
    log({ ...of, ms: ms + 3, by: 'orders', span: 'b', message: 'placing order' }),
    span({ ...of, ms: ms + 10, by: 'orders', id: 'c', parent: 'b', name: 'GET', kind: 'client', took: back - ms - 10 }),
    span({ ...of, ms: stockAt, by: 'stock', id: 'd', parent: 'c', name: 'reserve', kind: 'server', took: 10 }),
    log({ ...of, ms: stockAt + 1, by: 'stock', span: 'd', message: 'Stock.java:10 looking' }),
    ...(cut ? [] : [log({ ...of, ms: stockAt + 5, by: 'stock', span: 'd', message: 'Stock.java:20 reserved' })]),
    log({
      ...of,
      ms: back + 2,
      by: 'orders',
      span: 'b',
      level: cut ? 'ERROR' : 'INFO',
      message: cut ? 'no stock, order refused' : 'order placed',
    }),
    ...(shippingError === undefined
      ? []
      : [
          span({ ...of, ms: ms + 4, by: 'shipping', id: 'e', parent: 'b', name: 'ship', kind: 'server', took: 3 }),
          log({
            ...of,
            ms: ms + 5,
            by: 'shipping',
            span: 'e',
            level: shippingError === '' ? 'INFO' : 'ERROR',
            message: shippingError || 'shipped',
          }),
        ]),
  ].map((event) => ({ ...event, template_id: event.span === undefined ? event.message : null }));
}

function rank(window: DebugEvent[], more: Partial<RootCauseInput> = {}) {
  return rankRootCauses({
    window: WINDOW,
    baseline: BASELINE,
    events: window,
    baselineEvents: orders(0, () => ({})),
    points: [],
    ...more,
  }).ranked;
}

test('where the callee stops early it is to blame, however loud its callers are', () => {
  const [first, second] = rank(orders(10 * MINUTE, (i) => ({ cut: i % 2 === 0 })));
  expect(first).toMatchObject({ component_id: 'stock', region: { kind: 'log_template', operation: 'reserve' } });
  expect(first!.region.name).toContain('Stock.java:10');
  expect(first!.reasons[0]).toMatch(/in 15 of 30 traces, in the baseline in 0 of 30/);
  expect(first!.confidence).toBeGreaterThan(0.7);
  expect(first!.score).toBeGreaterThan(3 * (second?.score ?? 0));
});

test('evidence are ids of events that were given', () => {
  const events = orders(10 * MINUTE, () => ({ cut: true }));
  const ids = new Set(events.map(({ id }) => id));
  const [first] = rank(events);
  expect(first!.evidence.length).toBeGreaterThan(0);
  expect(first!.evidence.every((id) => ids.has(id))).toBe(true);
});

test('delay on the way goes to the end that all who call it wait for', () => {
  const [first] = rank(orders(10 * MINUTE, () => ({ wayMs: 900 })));
  expect(first!.region).toMatchObject({ kind: 'connection', operation: 'reserve' });
  expect(first!.reasons[0]).toMatch(/between orders and stock/);
});

test('who ran out of a resource is told though nobody has noticed yet', () => {
  const points = Array.from({ length: 16 }, (_, minute) =>
    ['stock', 'orders'].map((by) =>
      gauge({
        ms: minute * MINUTE,
        by,
        metric: 'container.cpu.utilization',
        value: by === 'stock' && minute > 10 ? 0.98 : 0.1 + 0.01 * (minute % 3),
      }),
    ),
  ).flat();
  const ranked = rank(
    orders(10 * MINUTE, () => ({})),
    { points },
  );
  expect(ranked.map(({ component_id }) => component_id)).toEqual(['stock']);
  expect(ranked[0]!.region).toMatchObject({ kind: 'resource', metric_name: 'container.cpu.utilization' });
});

test('a window like the baseline blames nobody', () => {
  expect(rank(orders(10 * MINUTE, () => ({})))).toEqual([]);
});

test('an error that is gone blames nobody', () => {
  const failing = orders(0, () => ({ shippingError: 'no instances of stock' }));
  const healthy = orders(10 * MINUTE, () => ({ shippingError: '' }));
  expect(rank(healthy, { baselineEvents: failing })[0]?.confidence ?? 0).toBeLessThan(0.3);
});

test('errors of a kind that the baseline knows are no news, whomever they name', () => {
  const before = orders(0, (i) => (i % 3 === 0 ? { shippingError: 'no instances of stock' } : {}));
  const now = orders(10 * MINUTE, (i) => ({
    cut: i < 10,
    ...(i % 3 === 0 && { shippingError: 'no instances of orders' }),
  }));
  const ranked = rank(now, { baselineEvents: before });
  expect(ranked[0]!.component_id).toBe('stock');
  expect(ranked.find(({ component_id }) => component_id === 'shipping')?.score ?? 0).toBeLessThan(ranked[0]!.score / 3);
});

test('logs of a trace suffice where there are no spans', () => {
  const logsOnly = (events: DebugEvent[]) => events.filter(({ span }) => span === undefined);
  const [first] = rank(logsOnly(orders(10 * MINUTE, () => ({ cut: true }))), {
    baselineEvents: logsOnly(orders(0, () => ({}))),
  });
  expect(first!.component_id).toBe('stock');
});

test('errors of no trace are blamed on whoever erred first', () => {
  const errors = ['stock', 'orders'].flatMap((by, i) =>
    [0, 1, 2].map((n) =>
      log({ ms: 10 * MINUTE + i * 50 + n * 1000, by, level: 'ERROR', message: `${by} is out`, correlation: null }),
    ),
  );
  const ranked = rank(
    errors.map((event) => ({ ...event, trace_id: null })),
    { baselineEvents: [] },
  );
  expect(ranked.map(({ component_id }) => component_id)).toEqual(['stock', 'orders']);
});

test('the order in which records came does not matter', () => {
  const events = orders(10 * MINUTE, (i) => ({ cut: i % 2 === 0 }));
  expect(rank(events.toReversed())).toEqual(rank(events));
});

test('what things are called and when it was does not matter', () => {
  const events = orders(10 * MINUTE, (i) => ({ cut: i % 2 === 0 }));
  const called = { shop: 'a', orders: 'zz', stock: 'm' } as Record<string, string>;
  const rename = (event: DebugEvent) => ({ ...event, component_id: called[event.component_id]! });
  const plain = rank(events).map(({ component_id, score }) => [called[component_id], score]);
  const renamed = rank(events.map(rename), { baselineEvents: orders(0, () => ({})).map(rename) });
  expect(plain.length).toBeGreaterThan(0);
  expect(renamed.map(({ component_id, score }) => [component_id, score])).toEqual(plain);
  const later = orders(1010 * MINUTE, (i) => ({ cut: i % 2 === 0 }));
  const moved = rank(later, {
    window: { start: at(1010 * MINUTE), end: at(1011 * MINUTE) },
    baselineEvents: orders(1000 * MINUTE, () => ({})),
    baseline: { start: at(1000 * MINUTE), end: at(1001 * MINUTE) },
  });
  expect(moved.map(({ component_id, score }) => [called[component_id], score])).toEqual(plain);
});

test('nothing at all is an empty ranking', () => {
  expect(rank([], { baselineEvents: [] })).toEqual([]);
});
