import { expect, test } from 'vitest';
import type { DebugEvent } from '../../model/event.ts';
import { log, span, unbounded, windowOf } from '../../test/support/telemetry.ts';
import { bottleneck } from './bottleneck.ts';

const correlation = 'c';
const steps = (...durations: number[]) =>
  durations.map((duration_ms, i) =>
    log({ ms: i * 10_000, by: `step-${i}`, correlation, message: `step ${i}`, data: { duration_ms } }),
  );
const find = (events: DebugEvent[], asked = false) =>
  bottleneck.analyze(
    windowOf(events, asked ? { scope: { tenant: 'test', correlation_id: correlation } } : {}),
    unbounded,
  );

test('27: of 9000 and 100 ms the first takes 98.9%', () => {
  expect(find(steps(9000, 100))).toMatchObject([
    {
      severity: 'warning',
      where: { id: 'step-0' },
      evidence: { numbers: { slowest_percentage: 98.9, total_duration_ms: 9100 } },
    },
  ]);
});

test('27: quiet on three equal steps, on a single one, and on fast operations that nobody asked about', () => {
  expect(find(steps(3000, 3000, 3000))).toEqual([]);
  expect(find(steps(50, 50, 50), true)).toEqual([]);
  expect(find(steps(9000))).toEqual([]);
  expect(find(steps(90, 10))).toEqual([]);
});

test('asked about one operation, it tells where the time goes', () => {
  expect(find(steps(90, 10), true)).toMatchObject([
    { severity: 'info', evidence: { numbers: { slowest_percentage: 90 } } },
  ]);
});

test('what runs beside the critical path is no bottleneck, however long', () => {
  const trace = 't';
  const findings = find([
    span({ ms: 0, by: 'front', trace, id: 'a', took: 10_000 }),
    span({ ms: 0, by: 'audit', trace, id: 'b', parent: 'a', name: 'write audit', took: 6000 }),
    span({ ms: 0, by: 'bank', trace, id: 'c', parent: 'a', name: 'settle', took: 9900 }),
  ]);
  expect(findings).toMatchObject([
    { where: { id: 'bank' }, evidence: { numbers: { slowest_step: 'settle', slowest_percentage: 99 } } },
  ]);
});

test('time lost on the way to a component names it once', () => {
  const trace = 't';
  const [finding] = find([
    span({ ms: 0, by: 'front', trace, id: 'a', took: 10_000 }),
    span({ ms: 0, by: 'front', trace, id: 'b', parent: 'a', kind: 'client', name: 'POST', took: 9900 }),
    span({ ms: 9000, by: 'bank', trace, id: 'c', parent: 'b', kind: 'server', name: 'settle', took: 100 }),
  ]);
  expect(finding?.title).toMatch(/^the way to service\/bank takes 9\d(\.\d)?% of an operation of \d+(\.\d+)? s$/);
});
