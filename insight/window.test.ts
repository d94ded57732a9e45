import { expect, test } from 'vitest';
import { errorLog, log, span, windowOf } from '../test/support/telemetry.ts';

test('what shares a correlation or a trace belongs together, whatever came first', () => {
  const window = windowOf([
    span({ ms: 30, by: 'b', trace: 't2', id: 's2', correlation: 'order-1', took: 1 }),
    log({ ms: 10, by: 'a', trace: 't1', message: 'no correlation of its own' }),
    log({ ms: 20, by: 'a', trace: 't1', correlation: 'order-1' }),
    log({ ms: 5, by: 'c', correlation: 'order-2' }),
    errorLog({ ms: 1, by: 'd', correlation: null, message: 'belongs to nothing' }),
  ]);
  expect(window.events.map(({ component_id }) => component_id)).toEqual(['d', 'c', 'a', 'a', 'b']);
  expect(window.correlations.map(({ id, events, traces }) => [id, events.length, traces.length])).toEqual([
    ['order-2', 1, 0],
    ['order-1', 3, 1],
  ]);
});

test('a window of one correlation is one, also with traces that carry another id', () => {
  const window = windowOf(
    [log({ ms: 1, by: 'a', correlation: 'c' }), span({ ms: 2, by: 'b', trace: 't', id: 's', took: 1 })],
    {
      scope: { tenant: 'test', correlation_id: 'c' },
    },
  );
  expect(window.correlations).toMatchObject([{ id: 'c' }]);
  expect(window.correlations[0]!.events).toHaveLength(2);
});

test('the baseline has no traces that the window also saw', () => {
  const cut = span({ ms: 1, by: 'a', trace: 't1', id: 's1', took: 1 });
  const before = span({ ms: 1, by: 'a', trace: 't0', id: 's0', took: 1 });
  const window = windowOf([span({ ms: 5, by: 'a', trace: 't1', id: 's2', took: 1 })], { baseline: [cut, before] });
  expect(window.baseline.map(({ id }) => id)).toEqual(['t0']);
});
