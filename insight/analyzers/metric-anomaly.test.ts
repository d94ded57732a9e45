import { expect, test } from 'vitest';
import type { DebugEvent, MetricView } from '../../model/event.ts';
import { at, gauge, log, unbounded, windowOf } from '../../test/support/telemetry.ts';
import { metricAnomaly } from './metric-anomaly.ts';

const STEP_MS = 10_000;

/** Repeatable noise, 0 to 1. */
function noise(seed = 1): () => number {
  let state = seed;
  return () => {
    state = (state * 1_103_515_245 + 12_345) % 2_147_483_648;
    return state / 2_147_483_648;
  };
}

function points(values: readonly number[], metric = 'pool.size', by = 'orders'): DebugEvent[] {
  return values.map((value, i) => gauge({ ms: i * STEP_MS, by, metric, value }));
}

function find(metricPoints: readonly DebugEvent[], startMs?: number) {
  const scope = { tenant: 'test', ...(startMs !== undefined && { start: at(startMs) }) };
  return metricAnomaly.analyze(windowOf([], { metricPoints, scope, now: at(10_000_000) }), unbounded);
}

const usual = (count: number, seed = 1) => {
  const random = noise(seed);
  return Array.from({ length: count }, () => 50 + 4 * random());
};

test('a gauge far outside of what it was is told with its points, also with little history', () => {
  for (const count of [15, 60, 300]) {
    const [found, ...others] = find(points([...usual(count), 500]));
    expect(others).toEqual([]);
    expect(found).toMatchObject({
      insight_type: 'anomaly',
      severity: 'info',
      where: { type: 'service', id: 'orders' },
      evidence: { numbers: { metric_name: 'pool.size', value: 500, odd_points: 1, points_known: count } },
    });
    expect(found!.evidence.event_ids).toHaveLength(1);
    expect(found!.confidence).toBeGreaterThan(0.7);
  }
  expect(find(points([...usual(60), 3]))[0]!.title).toContain('lower');
});

test('a change of level is told once it stays, and one of a steady value as well', () => {
  expect(find(points([...usual(60), 66, 67, 66]))).toMatchObject([{ evidence: { numbers: { odd_points: 3 } } }]);
  expect(find(points([...usual(60), 66]))).toEqual([]);
  expect(find(points([...Array(60).fill(4), 8, 8, 8]))).toHaveLength(1);
  expect(find(points([...Array(60).fill(4), 8]))).toEqual([]);
});

test('more of what does harm is a warning while it stays, unless most others show the same', () => {
  const slow = [...usual(60), 300, 310, 290];
  expect(find(points(slow, 'http.server.request.duration'))).toMatchObject([{ severity: 'warning' }]);
  expect(find(points([...usual(60), 300], 'http.server.request.duration'))).toMatchObject([{ severity: 'info' }]);
  const all = ['a', 'b', 'c'].flatMap((by) => points(slow, 'http.server.request.duration', by));
  expect(find(all).map(({ severity }) => severity)).toEqual(['info', 'info', 'info']);
});

test('a counter is looked at as a rate, a histogram as a mean, a posted number as a gauge', () => {
  const of = (view: Partial<MetricView>, i: number): DebugEvent => {
    const point = gauge({ ms: i * STEP_MS, by: 'orders', metric: 'jobs', value: 0 });
    return { ...point, metric: { ...point.metric!, temporality: 'cumulative', start_timestamp: 'then', ...view } };
  };
  let total = 0;
  const counter = [...usual(60), 900].map((value, i) =>
    of({ type: 'sum', is_monotonic: true, value: (total += value) }, i),
  );
  expect(find(counter)).toMatchObject([{ evidence: { numbers: { measure: 'rate', value: 90 } } }]);
  // A restart is no fall.
  expect(
    find([...counter.slice(0, 60), of({ type: 'sum', is_monotonic: true, value: 1, start_timestamp: 'now' }, 60)]),
  ).toEqual([]);
  let [sum, count] = [0, 0];
  const histogram = [...usual(60), 900].map((value, i) =>
    of({ type: 'histogram', sum: (sum += 2 * value), count: (count += 2) }, i),
  );
  expect(find(histogram)).toMatchObject([{ evidence: { numbers: { measure: 'mean', value: 900 } } }]);
  const posted = [...usual(60), 900].map(
    (value, i): DebugEvent => ({
      ...log({ ms: i * STEP_MS, by: 'orders', message: 'queue', data: { depth: value } }),
      event_type: 'metric',
    }),
  );
  expect(find(posted)).toMatchObject([{ evidence: { numbers: { metric_name: 'depth', value: 900 } } }]);
});

test('quiet: noise of any kind, growth, a start, and what was before the window', () => {
  const random = noise(5);
  const gauss = () => Math.sqrt(-2 * Math.log(random() + 1e-9)) * Math.cos(2 * Math.PI * random());
  let walk = 100;
  const kinds = [
    () => 100 + 10 * gauss(),
    () => Math.exp(gauss()),
    () => (walk += gauss()),
    () => (random() < 0.05 ? 1 : 0),
  ];
  for (const kind of kinds) expect(find(points(Array.from({ length: 300 }, kind)))).toEqual([]);
  expect(find(points(Array.from({ length: 100 }, (_, i) => 10 + i)))).toEqual([]);
  expect(find(points([0, 5, 20, 60, 90, 100, 101, 99, 100, 100]))).toEqual([]);
  expect(find(points([...usual(60), 500, ...usual(20)]), 70 * STEP_MS)).toEqual([]);
});
