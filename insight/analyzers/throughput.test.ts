import { expect, test } from 'vitest';
import type { ComponentMinute } from '../../model/rollup.ts';
import { Sketch } from '../../model/sketch.ts';
import { NANOS_PER_MINUTE } from '../../model/time.ts';
import { at, unbounded, windowOf } from '../../test/support/telemetry.ts';
import { throughput } from './throughput.ts';

const START = (at(0) / NANOS_PER_MINUTE) * NANOS_PER_MINUTE;
const MINUTES = 33;
/** Counts by minute; the last whole two are 30 and 31. */
const minutesOf = (component_id: string, countOf: (minute: number) => number): ComponentMinute[] =>
  Array.from({ length: MINUTES }, (_, i) => ({
    minute: START + BigInt(i) * NANOS_PER_MINUTE,
    component_type: 'service',
    component_id,
    total: countOf(i),
    errors: 0,
    critical: 0,
    latency: new Sketch(),
  })).filter(({ total }) => total > 0);
const find = (...minutes: ComponentMinute[][]) =>
  throughput.analyze(
    windowOf([], { componentMinutes: minutes.flat(), now: START + BigInt(MINUTES) * NANOS_PER_MINUTE }),
    unbounded,
  );
const steady = (i: number) => 60 + (i % 5);

test('one that falls silent while the others go on is told', () => {
  const findings = find(
    minutesOf('worker', (i) => (i < 30 ? steady(i) : 0)),
    minutesOf('api', steady),
  );
  expect(findings).toMatchObject([
    { where: { id: 'worker' }, severity: 'warning', title: 'service/worker fell silent' },
  ]);
  expect(findings[0]!.confidence).toBeGreaterThan(0.7);
});

test('quiet: all fall silent alike, a quarter less, one that is often idle, one that has just begun', () => {
  const ends = (i: number) => (i < 30 ? steady(i) : 0);
  expect(find(minutesOf('worker', ends), minutesOf('api', ends))).toEqual([]);
  expect(
    find(
      minutesOf('worker', (i) => (i < 30 ? 60 : 45)),
      minutesOf('api', steady),
    ),
  ).toEqual([]);
  expect(
    find(
      minutesOf('worker', (i) => (i % 10 === 0 ? 100 : 0)),
      minutesOf('api', steady),
    ),
  ).toEqual([]);
  expect(
    find(
      minutesOf('worker', (i) => (i > 25 && i < 30 ? 60 : 0)),
      minutesOf('api', steady),
    ),
  ).toEqual([]);
});
