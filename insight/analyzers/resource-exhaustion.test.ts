import { expect, test } from 'vitest';
import { gauge, unbounded, windowOf } from '../../test/support/telemetry.ts';
import { resourceExhaustion } from './resource-exhaustion.ts';

const HOUR_MS = 3_600_000;
const series = (
  count: number,
  percentOf: (i: number) => number,
  by = 'api',
  metric = 'process.memory.utilization',
  stepMs = HOUR_MS,
) => Array.from({ length: count }, (_, i) => gauge({ ms: i * stepMs, by, metric, value: percentOf(i) / 100 }));
const find = (...metrics: ReturnType<typeof series>[]) =>
  resourceExhaustion.analyze(windowOf([], { metrics: metrics.flat(), now: 1n << 62n }), unbounded);

test('46: memory from 50 to 90 in 100 h will be full within a week; each component for itself', () => {
  const findings = find(
    series(101, (i) => 50 + i * 0.4),
    series(101, () => 50, 'other'),
    series(101, (i) => 20 + i * 0.5, 'slower'),
  );
  expect(findings.map(({ where }) => where.id)).toEqual(['api', 'slower']);
  expect(findings[0]).toMatchObject({
    insight_type: 'prediction',
    severity: 'warning',
    evidence: { numbers: { hours_until_exhaustion: 25, slope_percent_per_hour: 0.4 } },
  });
  for (const { confidence } of findings) expect(confidence).toBeGreaterThan(0.7);
});

test('46: what is full now is critical', () => {
  expect(find(series(101, (i) => 50 + i / 2))).toMatchObject([{ severity: 'critical' }]);
});

test('46, quiet: fifty readings, a warm-up, a level that was found, a saw, the day, what is CPU', () => {
  expect(find(series(50, (i) => 50 + i))).toEqual([]);
  expect(find(series(120, (i) => 50 + i / 10, 'api', 'jvm.memory.utilization', 10_000))).toEqual([]);
  expect(find(series(200, (i) => Math.min(30 + i, 80)))).toEqual([]);
  expect(find(series(200, (i) => 40 + (i % 20) * 2))).toEqual([]);
  expect(find(series(160, (i) => 50 + 30 * Math.sin((i / 24) * 2 * Math.PI)))).toEqual([]);
  expect(find(series(101, (i) => 40 + i / 2, 'api', 'process.cpu.utilization'))).toEqual([]);
});
