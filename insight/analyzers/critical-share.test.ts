import { expect, test } from 'vitest';
import { log, unbounded, windowOf } from '../../test/support/telemetry.ts';
import { criticalShare } from './critical-share.ts';

function find(critical: number, errors: number) {
  const events = Array.from({ length: errors }, (_, i) =>
    log({ ms: i, by: 'a', level: i < critical ? 'CRITICAL' : 'ERROR', message: `e${i}` }),
  );
  return criticalShare.analyze(windowOf([...events, log({ ms: 99, by: 'a', message: 'fine' })]), unbounded);
}

test('32: three critical of six errors are critical, with a share of one half', () => {
  const findings = find(3, 6);
  expect(findings).toMatchObject([{ severity: 'critical', evidence: { numbers: { critical_rate: 0.5 } } }]);
  expect(findings[0]!.confidence).toBeGreaterThan(0.7);
});

test('32: one of nine is not, nor two of two, nor none at all', () => {
  expect(find(1, 9)).toEqual([]);
  expect(find(2, 2)).toEqual([]);
  expect(find(0, 0)).toEqual([]);
});

test('two of six are over the limit, but too few to be sure', () => {
  expect(find(2, 6)[0]!.confidence).toBeLessThan(0.7);
  expect(find(200, 600)[0]!.confidence).toBeGreaterThan(0.9);
});
