import { expect, test } from 'vitest';
import type { DebugEvent } from '../../model/event.ts';
import { errorLog, exception, log, span, windowOf } from '../../test/support/telemetry.ts';
import type { Failure } from './failure.ts';
import { findFailures } from './find.ts';
import { learnPeers } from './peers.ts';

function failuresIn(events: DebugEvent[], correlation?: string): Failure[] {
  const window = windowOf(
    events,
    correlation === undefined ? {} : { scope: { tenant: 'test', correlation_id: correlation } },
  );
  const peers = learnPeers(window.correlations.flatMap(({ traces }) => traces));
  return window.correlations.flatMap((each) => findFailures(each, peers));
}

const trace = 't1';

/** front → orders → stock, as HTTP instrumentation tells it. */
function call(fault: { failed?: boolean } = {}): DebugEvent[] {
  return [
    span({ ms: 0, by: 'front', trace, id: 'a', name: 'POST /buy', kind: 'server', took: 100, ...fault }),
    span({ ms: 5, by: 'front', trace, id: 'b', parent: 'a', name: 'POST', kind: 'client', took: 90, ...fault }),
    span({
      ms: 10,
      by: 'orders',
      trace,
      id: 'c',
      parent: 'b',
      name: 'POST /orders',
      kind: 'server',
      took: 80,
      ...fault,
    }),
    span({ ms: 15, by: 'orders', trace, id: 'd', parent: 'c', name: 'PUT', kind: 'client', took: 70, ...fault }),
    span({
      ms: 20,
      by: 'stock@n2',
      trace,
      id: 'e',
      parent: 'd',
      name: 'PUT /stock',
      kind: 'server',
      took: 60,
      ...fault,
    }),
  ];
}

test('the culprit is the deepest failing span, not the loudest and not the first to speak', () => {
  const events = [
    log({ ms: 1, by: 'front', trace, span: 'a', message: 'request received' }),
    ...call({ failed: true }),
    errorLog({ ms: 70, by: 'stock@n2', trace, span: 'e', message: 'cannot read qty of undefined' }),
    errorLog({ ms: 88, by: 'orders', trace, span: 'c', message: 'stock answered 500' }),
    errorLog({ ms: 96, by: 'front', trace, span: 'a', message: 'buy failed' }),
    errorLog({ ms: 97, by: 'front', trace, span: 'a', message: 'buy failed, really' }),
  ];
  const [failure, ...others] = failuresIn(events);
  expect(others).toEqual([]);
  expect(failure).toMatchObject({
    culprit: { type: 'service', id: 'stock' },
    culpritNode: 'n2',
    basis: 'spans',
    fatal: true,
    origin: { message: 'cannot read qty of undefined' },
  });
  expect(failure!.chain.map((event) => event.message)).toEqual([
    'buy failed',
    'POST',
    'stock answered 500',
    'PUT',
    'cannot read qty of undefined',
  ]);
  expect(failure!.components.map(({ id }) => id)).toEqual(['stock', 'orders', 'front']);
});

test('a call tree in which all goes well has no failure', () => {
  expect(failuresIn(call())).toEqual([]);
});

test('an exception that its span handled is no failure', () => {
  expect(failuresIn([...call(), exception({ ms: 30, by: 'stock', trace, span: 'e', message: 'cache miss' })])).toEqual(
    [],
  );
});

test('a failing call that its caller survived without a word is no failure; one that was logged is', () => {
  const events = call();
  const survived = [...events.slice(0, 4), { ...events[4]!, status: 'error' as const, level: 'ERROR' as const }];
  expect(failuresIn(survived)).toEqual([]);
  const [failure] = failuresIn([
    ...survived,
    errorLog({ ms: 40, by: 'stock', trace, span: 'e', message: 'lost a write' }),
  ]);
  expect(failure).toMatchObject({ culprit: { id: 'stock' }, fatal: false });
});

test('errors are found without any span status, through calls that do not tell how they ended, not through those that went well', () => {
  const tree = (data = {}) => [
    span({ ms: 0, by: 'front', trace, id: 'a', kind: 'unspecified', took: 100 }),
    span({ ms: 5, by: 'orders', trace, id: 'b', parent: 'a', kind: 'server', took: 90, data }),
    span({ ms: 10, by: 'stock', trace, id: 'c', parent: 'b', kind: 'unspecified', took: 80 }),
    errorLog({ ms: 50, by: 'stock', trace, span: 'c', message: 'boom' }),
    errorLog({ ms: 98, by: 'front', trace, span: 'a', message: 'failed' }),
  ];
  expect(failuresIn(tree())).toMatchObject([
    { culprit: { id: 'stock' }, chain: [{ message: 'failed' }, { message: 'boom' }] },
  ]);
  expect(failuresIn(tree({ 'http.response.status_code': 200 }))).toMatchObject([
    { culprit: { id: 'stock' } },
    { culprit: { id: 'front' } },
  ]);
});

test('of several failing children the one that failed first is the origin', () => {
  const events = [
    span({ ms: 0, by: 'front', trace, id: 'a', took: 100, failed: true }),
    span({ ms: 10, by: 'audit', trace, id: 'b', parent: 'a', took: 80, failed: true }),
    span({ ms: 10, by: 'bank', trace, id: 'c', parent: 'a', took: 20, failed: true }),
  ];
  expect(failuresIn(events)).toMatchObject([{ culprit: { id: 'bank' } }]);
});

test('a component that complained before it called anyone did not fail because of the call', () => {
  const events = [
    span({ ms: 0, by: 'front', trace, id: 'a', took: 100, failed: true }),
    errorLog({ ms: 5, by: 'front', trace, span: 'a', message: 'bad input' }),
    span({ ms: 10, by: 'audit', trace, id: 'b', parent: 'a', took: 80, failed: true }),
  ];
  expect(failuresIn(events)).toMatchObject([{ culprit: { id: 'front' } }]);
});

test('a retried step that recovered is no failure, nor is what was said about it', () => {
  const root = span({ ms: 0, by: 'front', trace, id: 'a', kind: 'server', took: 100 });
  const first = span({
    ms: 5,
    by: 'front',
    trace,
    id: 'b',
    parent: 'a',
    name: 'GET',
    kind: 'client',
    took: 10,
    failed: true,
  });
  const second = span({ ms: 30, by: 'front', trace, id: 'c', parent: 'a', name: 'GET', kind: 'client', took: 10 });
  const said = errorLog({ ms: 16, by: 'front', trace, span: 'a', message: 'attempt 1 failed' });
  expect(failuresIn([root, first, said, second])).toEqual([]);
  expect(failuresIn([root, first, said])).toMatchObject([{ culprit: { id: 'front' } }]);
  const elsewhere = { ...second, data: { 'url.path': '/other' } };
  expect(failuresIn([root, first, said, elsewhere])).toMatchObject([{ culprit: { id: 'front' } }]);
});

test('the same call for another item is no retry when the caller failed', () => {
  const events = [
    span({ ms: 0, by: 'front', trace, id: 'a', took: 100, failed: true }),
    span({ ms: 5, by: 'front', trace, id: 'b', parent: 'a', name: 'GET', kind: 'client', took: 10, failed: true }),
    span({ ms: 20, by: 'front', trace, id: 'c', parent: 'a', name: 'GET', kind: 'client', took: 10 }),
  ];
  expect(failuresIn(events)).toMatchObject([{ chain: [{ span_id: 'a' }, { span_id: 'b' }] }]);
});

test('a call that was given up blames the slowest part of what did not answer in time', () => {
  const events = [
    span({ ms: 0, by: 'front', trace, id: 'a', kind: 'server', took: 1000, failed: true }),
    span({
      ms: 0,
      by: 'front',
      trace,
      id: 'b',
      parent: 'a',
      kind: 'client',
      took: 1000,
      failed: true,
      reason: 'timeout',
    }),
    span({ ms: 5, by: 'orders', trace, id: 'c', parent: 'b', kind: 'server', took: 1500 }),
    span({ ms: 10, by: 'orders', trace, id: 'd', parent: 'c', kind: 'client', took: 1480 }),
    span({ ms: 20, by: 'stock', trace, id: 'e', parent: 'd', kind: 'server', took: 1460 }),
  ];
  expect(failuresIn(events)).toMatchObject([{ culprit: { id: 'stock' }, silent: true }]);
});

test('where nobody answers, whoever used to answer at that address is to blame', () => {
  const address = { 'server.address': 'stock.local', 'server.port': 9000 };
  const before = [
    span({ ms: 0, by: 'orders', trace: 't0', id: 'x', kind: 'client', took: 9, data: address }),
    span({ ms: 1, by: 'stock', trace: 't0', id: 'y', parent: 'x', kind: 'server', took: 7 }),
  ];
  const refused = [
    span({ ms: 100, by: 'orders', trace, id: 'a', kind: 'server', took: 5, failed: true }),
    span({ ms: 101, by: 'orders', trace, id: 'b', parent: 'a', kind: 'client', took: 2, failed: true, data: address }),
  ];
  expect(failuresIn([...before, ...refused])).toMatchObject([
    { culprit: { id: 'stock' }, silent: true, dependency: 'stock.local:9000' },
  ]);
  expect(failuresIn(refused)).toMatchObject([
    { culprit: { id: 'orders' }, silent: false, dependency: 'stock.local:9000' },
  ]);
});

test('without spans the origin is the topmost failing ancestor; an INFO above it is not', () => {
  const correlation = 'c1';
  const events = [
    log({ ms: 0, by: 'front', correlation, id: 'e0', message: 'request received' }),
    errorLog({ ms: 10, by: 'db', correlation, id: 'e1', parent: 'e0', message: 'pool exhausted' }),
    log({ ms: 15, by: 'api', correlation, id: 'e2', parent: 'e1', message: 'retrying' }),
    errorLog({ ms: 20, by: 'api', correlation, id: 'e3', parent: 'e2', message: 'query failed' }),
  ];
  const [failure, ...others] = failuresIn(events);
  expect(others).toEqual([]);
  expect(failure).toMatchObject({ culprit: { id: 'db' }, basis: 'parent_links' });
  expect(failure!.chain.map(({ id }) => id)).toEqual(['e3', 'e1']);
});

test('a circle of parents ends, with the earliest as origin', () => {
  const correlation = 'c1';
  const events = [
    errorLog({ ms: 10, by: 'a', correlation, id: 'e1', parent: 'e2', message: 'one' }),
    errorLog({ ms: 20, by: 'b', correlation, id: 'e2', parent: 'e1', message: 'two' }),
  ];
  const [failure, ...others] = failuresIn(events);
  expect(others).toEqual([]);
  expect(failure!.chain.map(({ id }) => id)).toEqual(['e2', 'e1']);
});

test('errors without any link are ordered by time; the same words on another component are the same error', () => {
  const correlation = 'c1';
  const different = [
    errorLog({ ms: 10, by: 'db', correlation, message: 'pool exhausted' }),
    errorLog({ ms: 20, by: 'api', correlation, message: 'query 7 failed' }),
  ];
  expect(failuresIn(different)).toMatchObject([
    { culprit: { id: 'db' }, basis: 'time', chain: [{ message: 'query 7 failed' }, { message: 'pool exhausted' }] },
  ]);
  const same = [1, 2, 3].map((n) => errorLog({ ms: n, by: `worker-${n}`, correlation, message: `disk ${n} is full` }));
  const [failure] = failuresIn(same);
  expect(failure).toMatchObject({ basis: 'alone' });
  expect(failure!.errors).toHaveLength(3);
});

test('a step that was said to have gone well after its error did not fail', () => {
  const step = (ms: number, status: string, level: 'ERROR' | 'INFO') =>
    log({
      ms,
      by: 'agent/planner',
      correlation: 'c1',
      operation: 'op',
      level,
      data: { step: 'fetch', status },
      message: status,
    });
  expect(failuresIn([step(1, 'failed', 'ERROR'), step(2, 'completed', 'INFO')])).toEqual([]);
  expect(failuresIn([step(1, 'completed', 'INFO'), step(2, 'failed', 'ERROR')])).toHaveLength(1);
});

test('a log without a span joins the failure that reached its component', () => {
  const events = [...call({ failed: true }), errorLog({ ms: 99, by: 'front', trace, message: 'buy failed' })];
  const failures = failuresIn(events);
  expect(failures).toHaveLength(1);
  expect(failures[0]!.errors.some(({ message }) => message === 'buy failed')).toBe(true);
});

test('a deep chain of ten thousand spans or events ends quickly and finds its end', { timeout: 5000 }, () => {
  const spans = Array.from({ length: 10_000 }, (_, i) =>
    span({
      ms: i / 1000,
      by: `s${i % 9}`,
      trace,
      id: `x${i}`,
      ...(i > 0 && { parent: `x${i - 1}` }),
      took: 100 - i / 1000,
      failed: true,
    }),
  );
  expect(failuresIn(spans)).toMatchObject([{ origin: { span_id: 'x9999' } }]);
  const links = Array.from({ length: 10_000 }, (_, i) =>
    errorLog({ ms: i, by: 'a', correlation: 'c', id: `e${i}`, ...(i > 0 && { parent: `e${i - 1}` }), message: 'x' }),
  );
  expect(failuresIn(links)).toMatchObject([{ origin: { id: 'e0' } }]);
});
