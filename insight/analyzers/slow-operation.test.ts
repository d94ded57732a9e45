import { expect, test } from 'vitest';
import type { DebugEvent } from '../../model/event.ts';
import { log, span, unbounded, windowOf } from '../../test/support/telemetry.ts';
import { slowOperation } from './slow-operation.ts';

const find = (events: DebugEvent[]) => slowOperation.analyze(windowOf(events), unbounded);
const timed = (durations: number[]) =>
  durations.map((duration_ms, i) => log({ ms: i * 100, by: 'api', correlation: 'c', data: { duration_ms } }));

test('16: 6000 ms is slow, 1000 ms is not', () => {
  expect(find(timed([6000]))).toMatchObject([
    { insight_type: 'performance', severity: 'warning', where: { id: 'api' }, evidence: { numbers: { max_ms: 6000 } } },
  ]);
  expect(find(timed([6000]))[0]!.confidence).toBeGreaterThan(0.7);
  expect(find(timed([1000]))).toEqual([]);
});

test('26: nine at 10 ms and one at 20 s: the 95th percentile is 20 s; twelve around 100 ms are fine; too few have none', () => {
  expect(find(timed([...Array(9).fill(10), 20_000]))).toMatchObject([
    { severity: 'warning', evidence: { numbers: { p95_ms: 20_000, sample_count: 10 } } },
  ]);
  expect(find(timed(Array.from({ length: 12 }, (_, i) => 95 + i)))).toEqual([]);
  expect(find(timed([10, 20_000]))[0]!.evidence.numbers).not.toHaveProperty('p95_ms');
});

test('who only waited is not slow: the component whose own time it was is', () => {
  const trace = 't1';
  const findings = find([
    span({ ms: 0, by: 'front', trace, id: 'a', name: 'GET /report', kind: 'server', took: 9000 }),
    span({ ms: 10, by: 'front', trace, id: 'b', parent: 'a', kind: 'client', took: 8980 }),
    span({ ms: 20, by: 'reports', trace, id: 'c', parent: 'b', name: 'render', kind: 'server', took: 8950 }),
  ]);
  expect(findings).toMatchObject([
    { where: { id: 'reports' }, evidence: { numbers: { slowest_step: 'render', slow_count: 1 } } },
  ]);
});

test('one slow step among hundreds is information', () => {
  expect(find(timed([...Array(300).fill(20), 6000]))).toMatchObject([{ severity: 'info' }]);
});

test('quiet: a call tree within the limit', () => {
  expect(find([span({ ms: 0, by: 'front', trace: 't', id: 'a', took: 4900 })])).toEqual([]);
});
