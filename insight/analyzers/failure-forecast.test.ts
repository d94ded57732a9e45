import { expect, test } from 'vitest';
import { errorLog, log, span, unbounded, windowOf } from '../../test/support/telemetry.ts';
import { failureForecast } from './failure-forecast.ts';

const runs = (count: number, fails: (i: number) => boolean) =>
  Array.from({ length: count }, (_, i) =>
    span({
      ms: i * 1000,
      by: 'api',
      trace: `t${i}`,
      id: `s${i}`,
      name: 'POST /orders',
      took: 10,
      failed: fails(i),
      reason: 'no stock',
    }),
  );
const find = (events: ReturnType<typeof runs>) => failureForecast.analyze(windowOf(events), unbounded);

test('45: an operation that fails most of the time will fail again', () => {
  const findings = find(runs(40, (i) => i % 4 !== 0));
  expect(findings).toMatchObject([
    {
      insight_type: 'prediction',
      severity: 'warning',
      where: { id: 'api' },
      evidence: { numbers: { failed_runs: 30, total_runs: 40 } },
    },
  ]);
  expect(Number(findings[0]!.evidence.numbers.failure_probability)).toBeCloseTo(0.74, 1);
  expect(findings[0]!.confidence).toBeGreaterThan(0.7);
});

test('45: one that got worse is told before it is even', () => {
  expect(find(runs(60, (i) => i >= 30 && i % 3 === 0))).toMatchObject([
    { severity: 'warning', evidence: { numbers: { factors: [{ factor: 'failed_share' }, { factor: 'trend' }] } } },
  ]);
});

test('45, quiet: all went well, now and then one failed, too few to say, failures that were made good', () => {
  expect(find(runs(500, () => false))).toEqual([]);
  expect(find(runs(100, (i) => i % 10 === 0))).toEqual([]);
  expect(find(runs(9, () => true))).toEqual([]);
  const mended = Array.from({ length: 20 }, (_, i) => [
    log({ ms: i * 1000, by: 'api', correlation: `c${i}`, message: 'begin' }),
    errorLog({ ms: i * 1000 + 1, by: 'api', correlation: `c${i}`, data: { step: 'pay' } }),
    log({ ms: i * 1000 + 2, by: 'api', correlation: `c${i}`, data: { step: 'pay', status: 'completed' } }),
  ]);
  expect(find(mended.flat())).toEqual([]);
});
