import { describe, expect, test } from 'vitest';
import type { DebugEvent } from '../../model/event.ts';
import { errorLog, log, span, unbounded, windowOf } from '../../test/support/telemetry.ts';
import { flow } from './flow.ts';

const find = (events: DebugEvent[]) => flow.analyze(windowOf(events), unbounded);
const correlation = 'c1';

describe('interrupted', () => {
  test('17: one ERROR or CRITICAL interrupts its correlation, with count 1 and its message', () => {
    for (const level of ['ERROR', 'CRITICAL'] as const) {
      const findings = find([
        log({ ms: 0, by: 'api', correlation, message: 'request received' }),
        log({ ms: 5000, by: 'api', correlation, level, message: 'card declined' }),
      ]);
      expect(findings).toMatchObject([
        {
          insight_type: 'flow',
          severity: 'critical',
          where: { id: 'api' },
          correlation_id: correlation,
          evidence: { numbers: { error_count: 1, error_messages: ['card declined'] } },
        },
      ]);
      expect(findings[0]!.summary).toContain('card declined');
      expect(findings[0]!.confidence).toBeGreaterThan(0.7);
    }
  });

  test('the same error in many operations is one finding that counts them', () => {
    const findings = find(
      Array.from({ length: 7 }, (_, i) =>
        errorLog({ ms: i, by: 'api', correlation: `c${i}`, message: `order ${i} lost` }),
      ),
    );
    expect(findings).toHaveLength(1);
    expect(findings[0]).toMatchObject({ correlation_id: 'c6', evidence: { numbers: { operations: 7 } } });
    expect(findings[0]!.times).toHaveLength(7);
  });

  test('one that its callers went on after is information, and says so', () => {
    const trace = 't1';
    const events = [
      span({ ms: 0, by: 'front', trace, id: 'a', kind: 'server', took: 100 }),
      span({ ms: 10, by: 'stock', trace, id: 'b', parent: 'a', kind: 'server', took: 50 }),
      errorLog({ ms: 20, by: 'stock', trace, span: 'b', message: 'no picture' }),
    ];
    expect(find(events)).toMatchObject([
      {
        severity: 'info',
        where: { id: 'stock' },
        title: 'service/stock logged an error, the flow went on: no picture',
      },
    ]);
  });

  test('an error without a message is told of as well', () => {
    expect(find([errorLog({ ms: 0, by: 'api', correlation })])).toMatchObject([{ severity: 'critical' }]);
  });

  test('quiet: warnings, errors that belong to no operation, a retried step that recovered', () => {
    expect(find([log({ ms: 0, by: 'api', correlation, level: 'WARNING', message: 'slow' })])).toEqual([]);
    expect(find([errorLog({ ms: 0, by: 'api', correlation: null, message: 'gc' })])).toEqual([]);
    const step = (ms: number, status: string, level: 'ERROR' | 'INFO') =>
      log({ ms, by: 'api', correlation, level, data: { step: 'pay', status } });
    expect(find([step(0, 'failed', 'ERROR'), step(100, 'completed', 'INFO')])).toEqual([]);
  });
});

describe('blocked', () => {
  const gap = (seconds: number, more: Partial<Parameters<typeof log>[0]> = {}) => [
    log({ ms: 0, by: 'api', correlation, message: 'begin' }),
    log({ ms: 1000, by: 'worker', correlation, message: 'waiting for lock', ...more }),
    log({ ms: 1000 + seconds * 1000, by: 'api', correlation, message: 'go on' }),
  ];

  test('23: a gap of 60 s blocks on the component before it, one of 10 s does not', () => {
    expect(find(gap(60))).toMatchObject([
      { severity: 'warning', where: { id: 'worker' }, evidence: { numbers: { block_duration_seconds: 60 } } },
    ]);
    expect(find(gap(10))).toEqual([]);
  });

  test('23: blocked and failed reports both', () => {
    const findings = find([...gap(60), errorLog({ ms: 62_000, by: 'api', correlation, message: 'gave up' })]);
    expect(findings.map(({ what }) => what.split(' ')[0])).toEqual(['interrupted', 'blocked']);
  });

  test('in a call tree it is the deepest span that stood still', () => {
    const trace = 't1';
    const findings = find([
      span({ ms: 0, by: 'front', trace, id: 'a', took: 100_000 }),
      span({ ms: 10, by: 'orders', trace, id: 'b', parent: 'a', took: 99_000 }),
      span({ ms: 20, by: 'stock', trace, id: 'c', parent: 'b', took: 100 }),
      span({ ms: 90_000, by: 'stock', trace, id: 'd', parent: 'b', took: 100 }),
    ]);
    expect(findings).toMatchObject([{ what: 'blocked', where: { id: 'orders' } }]);
  });

  test('quiet: a long step that works, idle time between two finished traces, time after the operation was completed', () => {
    const busy = [span({ ms: 0, by: 'batch', trace: 't1', id: 'a', took: 300_000 })];
    expect(find(busy)).toEqual([]);
    const steps = Array.from({ length: 20 }, (_, i) =>
      log({ ms: i * 20_000, by: 'batch', correlation, message: `row ${i}` }),
    );
    expect(find(steps)).toEqual([]);
    const clicks = [
      span({ ms: 0, by: 'shop', trace: 't1', id: 'a', correlation, took: 10 }),
      span({ ms: 120_000, by: 'shop', trace: 't2', id: 'b', correlation, took: 10 }),
    ];
    expect(find(clicks)).toEqual([]);
    expect(find(gap(60, { data: { status: 'completed' } }))).toEqual([]);
  });
});
