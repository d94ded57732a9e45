import { expect, test } from 'vitest';
import type { DebugEvent } from '../../model/event.ts';
import { at, errorLog, exception, log, span, unbounded, windowOf } from '../../test/support/telemetry.ts';
import type { WindowInput } from '../window.ts';
import { repeatedError } from './repeated-error.ts';

const find = (events: DebugEvent[], more: Partial<WindowInput> = {}) =>
  repeatedError.analyze(windowOf(events, more), unbounded);

const five = (level: 'ERROR' | 'CRITICAL' = 'ERROR') =>
  Array.from({ length: 5 }, (_, i) =>
    log({
      ms: i * 60_000,
      by: `worker-${i % 2}`,
      correlation: 'c',
      level: i === 3 ? level : 'ERROR',
      message: 'connection refused',
    }),
  );

test('15, 31: five equal errors over four minutes on two components are one finding, 1.25 a minute', () => {
  const findings = find(five());
  expect(findings).toMatchObject([
    {
      insight_type: 'error',
      severity: 'warning',
      components: [{ id: 'worker-0' }, { id: 'worker-1' }],
      evidence: { numbers: { occurrence_count: 5, frequency_per_min: 1.25 } },
    },
  ]);
  const { times, confidence } = findings[0]!;
  expect(times).toHaveLength(5);
  expect(times[0]! < times.at(-1)!).toBe(true);
  expect(confidence).toBeGreaterThan(0.7);
});

test('15: a CRITICAL among them makes it critical', () => {
  expect(find(five('CRITICAL'))).toMatchObject([{ severity: 'critical' }]);
});

test('equal up to their values, also with no message at all', () => {
  expect(
    find(Array.from({ length: 5 }, (_, i) => errorLog({ ms: i, by: 'a', message: `timeout after ${i} ms` }))),
  ).toHaveLength(1);
  expect(find(Array.from({ length: 5 }, (_, i) => errorLog({ ms: i, by: 'a' })))).toMatchObject([
    { evidence: { numbers: { frequency_per_min: expect.any(Number) } } },
  ]);
});

test('all in one instant have no rate', () => {
  expect(find(Array.from({ length: 5 }, () => errorLog({ ms: 1, by: 'a', message: 'x' })))).toMatchObject([
    { evidence: { numbers: { frequency_per_min: null } } },
  ]);
});

test('31: quiet on four of them, and on five that differ', () => {
  expect(find(five().slice(0, 4))).toEqual([]);
  expect(
    find(['one', 'two', 'three', 'four', 'five'].map((message, i) => errorLog({ ms: i, by: 'a', message }))),
  ).toEqual([]);
  expect(find(Array.from({ length: 9 }, (_, i) => log({ ms: i, by: 'a', level: 'WARNING', message: 'x' })))).toEqual(
    [],
  );
});

test('exceptions that spans recorded and got over are information; one whose span failed is not', () => {
  const lookup = (i: number, failed: boolean) => [
    span({ ms: i * 1000, by: 'geo', trace: `t${i}`, id: 'a', kind: 'server', took: 100, failed }),
    exception({ ms: i * 1000 + 50, by: 'geo', trace: `t${i}`, span: 'a', message: 'not in cache' }),
  ];
  const found = (failed: boolean) => find(Array.from({ length: 6 }, (_, i) => lookup(i, failed)).flat());
  expect(found(false)).toMatchObject([{ severity: 'info', summary: expect.stringContaining('went on') }]);
  expect(found(true)).toMatchObject([{ severity: 'warning' }]);
});

test('an error that only follows from a failure elsewhere is information, and names where it comes from', () => {
  const failing = (i: number) => {
    const trace = `t${i}`;
    const ms = i * 1000;
    return [
      span({ ms, by: 'front', trace, id: 'a', kind: 'server', took: 100, failed: true }),
      span({ ms: ms + 10, by: 'stock', trace, id: 'b', parent: 'a', kind: 'server', took: 50, failed: true }),
      exception({ ms: ms + 50, by: 'stock', trace, span: 'b', message: 'no such sku' }),
      errorLog({ ms: ms + 90, by: 'front', trace, span: 'a', message: 'buy failed' }),
    ];
  };
  const findings = find(Array.from({ length: 6 }, (_, i) => failing(i)).flat());
  const severities = findings.map(({ where, severity }) => [where.id, severity]).sort();
  expect(severities).toEqual([
    ['front', 'info'],
    ['stock', 'warning'],
  ]);
  expect(findings.find(({ where }) => where.id === 'front')!.evidence.numbers).toMatchObject({
    follows_from: 'service/stock',
  });
});

test('where not all events were read, the minutes count', () => {
  const events = five().map((event) => ({ ...event, template_id: 'abc' }));
  const row = {
    minute: at(0),
    template_id: 'abc',
    component_type: 'service',
    component_id: 'worker-0',
    count: 700,
    severity_max: 17,
    first_time: at(0),
    last_time: at(1),
    example_event_id: '',
  };
  const counted = (coverage: number) =>
    find(events, { coverage, templateMinutes: [row] })[0]!.evidence.numbers.occurrence_count;
  expect(counted(0.5)).toBe(700);
  expect(counted(1)).toBe(5);
});
