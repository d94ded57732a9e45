import { expect, test } from 'vitest';
import type { Level } from '../../model/event.ts';
import { log, unbounded, windowOf } from '../../test/support/telemetry.ts';
import { componentRisk } from './component-risk.ts';

const find = (count: number, levelOf: (i: number) => Level) =>
  componentRisk.analyze(
    windowOf(Array.from({ length: count }, (_, i) => log({ ms: i, by: 'api', correlation: 'c', level: levelOf(i) }))),
    unbounded,
  );

test('47: sixty percent of errors, forty critical: high, immediate, with advice', () => {
  const findings = find(100, (i) => (i < 40 ? 'CRITICAL' : i < 60 ? 'ERROR' : 'INFO'));
  expect(findings).toMatchObject([
    {
      insight_type: 'prediction',
      severity: 'warning',
      evidence: { numbers: { risk_level: 'high', urgency: 'immediate' } },
    },
  ]);
  expect(findings[0]!.suggestions).toHaveLength(1);
  expect(findings[0]!.confidence).toBeGreaterThan(0.7);
});

test('47, quiet: five percent, none, too little to say', () => {
  expect(find(100, (i) => (i < 5 ? 'ERROR' : 'INFO'))).toEqual([]);
  expect(find(100, () => 'INFO')).toEqual([]);
  expect(find(5, () => 'CRITICAL')).toEqual([]);
});
