import { expect, test } from 'vitest';
import type { ComponentMinute } from '../../model/rollup.ts';
import { Sketch } from '../../model/sketch.ts';
import { at, errorLog, exception, span, unbounded, windowOf } from '../../test/support/telemetry.ts';
import { anomaly } from './anomaly.ts';

const MINUTE_MS = 60_000;

/** A minute of a component; the index of the minute may leave gaps. */
function minute(index: number, more: { total?: number; errors?: number; ms?: readonly number[] }): ComponentMinute {
  const latency = new Sketch();
  for (const each of more.ms ?? []) latency.add(each);
  return {
    minute: at(index * MINUTE_MS),
    component_type: 'service',
    component_id: 'orders',
    total: more.total ?? 100,
    errors: more.errors ?? 0,
    critical: 0,
    latency,
  };
}

function find(
  componentMinutes: readonly ComponentMinute[],
  events = [errorLog({ ms: 3 * MINUTE_MS + 1, by: 'orders' })],
) {
  return anomaly.analyze(windowOf(events, { componentMinutes, now: at(200 * MINUTE_MS) }), unbounded);
}

const totals = (...counts: number[]) => counts.map((total, i) => minute(i, { total }));

test('SEED 18: ten events in a minute against one a minute, with two or three minutes of history; not four against three', () => {
  for (const before of [
    [1, 1],
    [1, 1, 1],
  ]) {
    const [found] = find(totals(...before, 10));
    expect(found).toMatchObject({ what: 'volume', insight_type: 'anomaly', where: { id: 'orders' } });
    expect(found!.confidence).toBeGreaterThan(0.7);
  }
  expect(find(totals(3, 3, 3, 4))).toEqual([]);
});

test('SEED 18: after an idle gap the usual rate is usual', () => {
  expect(find([0, 1, 2, 3, 40, 41, 42].map((i) => minute(i, { total: 100 })))).toEqual([]);
});

test('a start is no surge, a bursty component may burst, and busy hours come and go', () => {
  expect(find(totals(20, 300, 310, 290))).toEqual([]);
  expect(find(totals(2, 400, 3, 350, 5, 420, 1, 500))).toEqual([]);
  expect(find(totals(...Array.from({ length: 90 }, (_, i) => 100 + 40 * Math.sin(i / 10) + (i % 7))))).toEqual([]);
});

test('a larger share of errors is found with its events; the same share is not', () => {
  const before = [0, 1, 2].map((i) => minute(i, { errors: 1 }));
  const [found, ...others] = find([...before, minute(3, { errors: 30 })]);
  expect(others).toEqual([]);
  expect(found).toMatchObject({ what: 'error_rate', severity: 'warning', evidence: { numbers: { value: 0.3 } } });
  expect(found!.evidence.event_ids).toHaveLength(1);
  const failed = span({ ms: 3 * MINUTE_MS + 1, by: 'orders', trace: 't', id: 'a', took: 1, failed: true });
  const fine = span({ ms: 3 * MINUTE_MS + 1, by: 'orders', trace: 't', id: 'b', took: 1 });
  const [bySpans] = find([...before, minute(3, { errors: 30 })], [failed, fine]);
  expect(bySpans!.evidence.event_ids).toEqual([failed.id]);
  expect(find([...before, minute(3, { errors: 2 })])).toEqual([]);
  expect(find([0, 1, 2, 3].map((i) => minute(i, { errors: 30 })))).toEqual([]);
});

test('more exceptions that their spans got over are information', () => {
  const rows = [...[0, 1, 2].map((i) => minute(i, { errors: 1 })), minute(3, { errors: 30 })];
  const lookups = (failed: boolean) =>
    Array.from({ length: 30 }, (_, i) => {
      const of = { by: 'orders', trace: `t${i}` };
      const ms = 3 * MINUTE_MS + i * 100;
      return [
        span({ ...of, ms, id: 'a', took: 50, kind: 'server', failed }),
        exception({ ...of, ms: ms + 1, span: 'a', message: 'not in cache' }),
      ];
    }).flat();
  expect(find(rows, lookups(false))).toMatchObject([{ what: 'error_rate', severity: 'info' }]);
  expect(find(rows, lookups(true))).toMatchObject([{ what: 'error_rate', severity: 'warning' }]);
});

test('slower spans are found, a slow one among them is not', () => {
  const spans = (ms: number) => Array.from({ length: 40 }, (_, i) => ms + (i % 5));
  const before = [0, 1, 2].map((i) => minute(i, { ms: spans(20) }));
  expect(find([...before, minute(3, { ms: spans(60) })])).toMatchObject([{ what: 'latency' }]);
  expect(find([...before, minute(3, { ms: [...spans(20), 900] })])).toEqual([]);
});

test('where an hour is known the detector must agree, and an alarm that goes on stays one', () => {
  const calm = Array.from({ length: 80 }, (_, i) => 100 + (i % 9));
  const [found] = find(totals(...calm, 900, 900, 900));
  expect(found!.evidence.numbers).toMatchObject({ odd_minutes: 3 });
  expect(found!.evidence.numbers.detector_score).toBeGreaterThan(0.5);
});

test('only what is odd within the window is told', () => {
  const componentMinutes = totals(10, 10, 10, 90, 10, 10, 10);
  const scope = { tenant: 'test', start: at(5 * MINUTE_MS) };
  expect(anomaly.analyze(windowOf([], { componentMinutes, scope }), unbounded)).toEqual([]);
});

test('a start, what most others show too, and errors that interrupted nothing are information', () => {
  const named = (rows: readonly ComponentMinute[], component_id: string) =>
    rows.map((row) => ({ ...row, component_id }));
  const steady = Array<number>(20).fill(100);
  expect(find(totals(1, 1, 1, 10))).toMatchObject([{ severity: 'info' }]);
  expect(find(totals(...steady, 900))).toMatchObject([{ severity: 'warning' }]);
  const risen = totals(...steady, 900);
  const all = find(['a', 'b', 'c'].flatMap((id) => named(risen, id)));
  expect(all.map(({ severity }) => severity)).toEqual(['info', 'info', 'info']);
  const alone = find([...named(risen, 'a'), ...['b', 'c'].flatMap((id) => named(totals(...steady, 105), id))]);
  expect(alone).toMatchObject([{ where: { id: 'a' }, severity: 'warning' }]);

  const slow = (...medians: number[]) =>
    medians.map((ms, i) => minute(i, { ms: Array.from({ length: 40 }, (_, each) => ms + (each % 5)) }));
  const busy = find(['a', 'b', 'c'].flatMap((id) => named(slow(20, 20, 20, 60), id)));
  expect(busy.map(({ severity }) => severity)).toEqual(['info', 'info', 'info']);

  // Every run of it says so, and goes on.
  const runs = Array.from({ length: 30 }, (_, i) => {
    const [ms, trace] = [3 * MINUTE_MS + i * 100, `t${i}`];
    return [
      span({ ms, by: 'front', trace, id: `a${i}`, name: 'GET /', took: 50 }),
      span({ ms: ms + 5, by: 'orders', trace, id: `b${i}`, parent: `a${i}`, name: 'list', took: 20 }),
      errorLog({ ms: ms + 10, by: 'orders', trace, span: `b${i}`, message: 'cache is cold' }),
    ];
  }).flat();
  const [noisy] = find([...[0, 1, 2].map((i) => minute(i, { errors: 0 })), minute(3, { errors: 30 })], runs);
  expect(noisy).toMatchObject({ what: 'error_rate', severity: 'info' });
});
