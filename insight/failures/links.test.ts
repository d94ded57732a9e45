import { expect, test } from 'vitest';
import type { DebugEvent } from '../../model/event.ts';
import { errorLog, span, unbounded, windowOf } from '../../test/support/telemetry.ts';
import { failuresOf } from './find.ts';

const failuresIn = (events: DebugEvent[]) => failuresOf(windowOf(events), unbounded).map(({ failure }) => failure);
const correlation = 'c1';

test('of logs alone the origin is who others complain of, also where its clock is up to a second behind', () => {
  const events = [
    errorLog({ ms: 900, by: 'web', correlation, message: 'orders answered 500' }),
    errorLog({ ms: 100, by: 'orders', correlation, message: 'call to inventory failed' }),
    errorLog({ ms: 950, by: 'inventory', correlation, message: 'disk full' }),
  ];
  expect(failuresIn(events)).toMatchObject([
    {
      culprit: { id: 'inventory' },
      basis: 'names',
      chain: [{ component_id: 'orders' }, { component_id: 'inventory' }],
      errors: { length: 3 },
    },
  ]);
});

test('an address that was called names it too; what comes later than clocks differ was no cause', () => {
  const told = (ms: number, message: string, data = {}) => errorLog({ ms, by: 'orders', correlation, message, data });
  const origin = (ms: number) => errorLog({ ms, by: 'inventory', correlation, message: 'disk full' });
  expect(failuresIn([told(0, 'timeout', { 'server.address': 'inventory' }), origin(500)])).toMatchObject([
    { culprit: { id: 'inventory' } },
  ]);
  expect(failuresIn([told(0, 'call to inventory failed'), origin(5000)])).toMatchObject([
    { culprit: { id: 'orders' } },
  ]);
});

test('two that name each other end with the second, and nobody is named by part of a word', () => {
  const one = errorLog({ ms: 0, by: 'a1', correlation, message: 'b2 is gone' });
  const other = errorLog({ ms: 1, by: 'b2', correlation, message: 'a1 is gone' });
  expect(failuresIn([one, other])).toMatchObject([{ culprit: { id: 'b2' } }]);
  const part = errorLog({ ms: 0, by: 'web', correlation, message: 'database is gone' });
  expect(failuresIn([part, errorLog({ ms: 1, by: 'data', correlation, message: 'no' })])).toMatchObject([
    { culprit: { id: 'web' } },
  ]);
});

test('what a message started fails because of who sent it, over a span link', () => {
  const producer = span({
    ms: 0,
    by: 'orders',
    correlation,
    trace: 't1',
    id: 'p',
    name: 'publish',
    kind: 'producer',
    took: 10,
    failed: true,
  });
  const consumer = span({
    ms: 500,
    by: 'mailer',
    correlation,
    trace: 't2',
    id: 'c',
    name: 'send mail',
    kind: 'consumer',
    took: 10,
    failed: true,
  });
  consumer.span!.links.push({ trace_id: 't1', span_id: 'p', attributes: {} });
  expect(failuresIn([producer, consumer])).toMatchObject([
    {
      culprit: { id: 'orders' },
      components: [{ id: 'orders' }, { id: 'mailer' }],
      chain: [{ component_id: 'mailer' }, { component_id: 'orders' }],
    },
  ]);
  const healthy = { ...producer, status: 'ok' as const };
  expect(failuresIn([healthy, consumer])).toMatchObject([{ culprit: { id: 'mailer' } }]);
});

test('a circle of links ends', () => {
  const spans = ['1', '2', '3'].map((n, i) => {
    const each = span({ ms: i, by: `s${n}`, correlation, trace: `t${n}`, id: `x${n}`, took: 1, failed: true });
    each.span!.links.push({ trace_id: `t${((i + 1) % 3) + 1}`, span_id: 'x', attributes: {} });
    return each;
  });
  expect(failuresIn(spans).length).toBeGreaterThan(0);
});
