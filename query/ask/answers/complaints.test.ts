import { expect, test } from 'vitest';
import { errorLog, log, span } from '../../../test/support/telemetry.ts';
import { byComplaint, operationsIn } from './complaints.ts';

test('an operation is a correlation, or each of those that a correlation names; what belongs to none is no operation', () => {
  const events = [
    ...[0, 1, 2].map((ms) => log({ ms, by: 'shop', correlation: 'order-1' })),
    { ...log({ ms: 3, by: 'shop', correlation: 'order-1' }), operation_id: 'pay' },
    ...['a', 'b', 'b'].map((operation_id, ms) => ({
      ...log({ ms, by: 'shop', correlation: 'session' }),
      operation_id,
    })),
    { ...log({ ms: 4, by: 'shop' }), correlation_id: null },
  ];
  expect(
    operationsIn(events)
      .map(({ length }) => length)
      .sort(),
  ).toEqual([1, 2, 4]);
});

test('what says something comes before spans of which only the name is known, however many', () => {
  const mute = [0, 1, 2].map((ms) => span({ ms, by: 'shop', trace: 't', id: `s${ms}`, name: 'POST', took: 1 }));
  const said = errorLog({ ms: 5, by: 'shop', correlation: 'c', message: 'card refused' });
  expect(byComplaint([...mute.map((each) => ({ ...each, message: 'POST' })), said])[0]).toEqual([said]);
});
