import { expect, test } from 'vitest';
import type { DebugEvent } from '../../model/event.ts';
import { log, unbounded, windowOf } from '../../test/support/telemetry.ts';
import { workflowFailure } from './workflow-failure.ts';

const find = (events: DebugEvent[]) => workflowFailure.analyze(windowOf(events), unbounded);
const runs = (count: number, failed: number, correlationOf: (i: number) => string = (i) => `run-${i}`) =>
  Array.from({ length: count }, (_, i) =>
    log({
      ms: i * 1000,
      by: 'workflow/nightly',
      correlation: correlationOf(i),
      level: i < failed ? 'ERROR' : 'INFO',
      message: i < failed ? 'export failed' : 'export done',
    }),
  );

test('24: four of eleven runs failed, also where they cannot be told apart', () => {
  for (const correlationOf of [undefined, () => 'all']) {
    const findings = find(runs(11, 4, correlationOf));
    expect(findings).toMatchObject([
      {
        severity: 'critical',
        where: { type: 'workflow', id: 'nightly' },
        evidence: { numbers: { total_executions: 11, failed_executions: 4, error_rate: 0.3636 } },
      },
    ]);
    expect(findings[0]!.confidence).toBeGreaterThan(0.7);
  }
});

test('quiet: one of eleven, ten runs, services, runs of which a failed step was tried again and went well', () => {
  expect(find(runs(11, 1))).toEqual([]);
  expect(find(runs(10, 5))).toEqual([]);
  expect(find(runs(11, 4).map((event) => ({ ...event, component_type: 'service' })))).toEqual([]);
  const recovered = runs(12, 5).flatMap((event) => {
    const step = { ...event, data: { step: 'export' } };
    if (event.level !== 'ERROR') return [step];
    return [
      step,
      log({
        ms: 60_000,
        by: 'workflow/nightly',
        correlation: event.correlation_id,
        data: { step: 'export', status: 'completed' },
      }),
    ];
  });
  expect(find(recovered)).toEqual([]);
});
