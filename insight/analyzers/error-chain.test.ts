import { expect, test } from 'vitest';
import type { DebugEvent } from '../../model/event.ts';
import { errorLog, exception, log, span, unbounded, windowOf } from '../../test/support/telemetry.ts';
import { errorChain } from './error-chain.ts';

const find = (events: DebugEvent[]) => errorChain.analyze(windowOf(events), unbounded);

const stack = `TypeError: cannot read
    at Object.get (node:internal/x:10:5)
    at query (/app/node_modules/pg/lib/client.js:1:2)
    at reserve (/app/stock.js:42:7)`;

function buy(i: number, failed: boolean): DebugEvent[] {
  const trace = `t${i}`;
  const ms = i * 1000;
  const tree = [
    span({ ms, by: 'front', trace, id: 'a', name: 'POST /buy', kind: 'server', took: 100, failed }),
    span({ ms: ms + 5, by: 'front', trace, id: 'b', parent: 'a', kind: 'client', took: 90, failed }),
    span({ ms: ms + 10, by: 'orders', trace, id: 'c', parent: 'b', kind: 'server', took: 80, failed }),
    span({ ms: ms + 15, by: 'orders', trace, id: 'd', parent: 'c', kind: 'client', took: 70, failed }),
    span({ ms: ms + 20, by: 'stock@n2', trace, id: 'e', parent: 'd', kind: 'server', took: 60, failed }),
    log({ ms: ms + 1, by: 'front', trace, span: 'a', message: 'request received' }),
  ];
  if (!failed) return tree;
  return [
    ...tree,
    exception({
      ms: ms + 60,
      by: 'stock@n2',
      trace,
      span: 'e',
      message: `sku ${i} is undefined`,
      data: { 'exception.stacktrace': stack },
    }),
    errorLog({ ms: ms + 95, by: 'front', trace, span: 'a', message: 'buy failed' }),
  ];
}

test('the component in which a deep chain began is named, once for all operations that it broke', () => {
  const findings = find([0, 1, 2, 3, 4, 5].flatMap((i) => buy(i, i % 2 === 0)));
  expect(findings).toMatchObject([
    {
      insight_type: 'error',
      severity: 'critical',
      where: { id: 'stock' },
      components: [{ id: 'stock' }, { id: 'orders' }, { id: 'front' }],
      evidence: {
        numbers: {
          chain_length: 5,
          operations: 3,
          basis: 'spans',
          root_cause: { component: 'service/stock', node_id: 'n2' },
        },
      },
    },
  ]);
  const [finding] = findings;
  expect(finding!.confidence).toBeGreaterThan(0.85);
  expect(finding!.suggestions![0]!.action).toBe('Open /app/stock.js:42, reserve');
});

test('30: a chain of two by parent links: the parent is the root, an INFO above it is not, a circle ends', () => {
  const correlation = 'c';
  const two = [
    log({ ms: 0, by: 'api', correlation, id: 'e0', message: 'start' }),
    errorLog({ ms: 1, by: 'db', correlation, id: 'e1', parent: 'e0', message: 'deadlock' }),
    errorLog({ ms: 2, by: 'api', correlation, id: 'e2', parent: 'e1', message: 'query failed' }),
  ];
  expect(find(two)).toMatchObject([
    {
      severity: 'critical',
      where: { id: 'db' },
      evidence: { numbers: { chain_length: 2, root_cause: { event_id: 'e1' } } },
    },
  ]);
  const circle = two.map((event) => (event.id === 'e1' ? { ...event, parent_event_id: 'e2' } : event));
  expect(find(circle)).toMatchObject([{ evidence: { numbers: { chain_length: 2 } } }]);
});

test('quiet: all went well, a single error that led to nothing, the same error on two components', () => {
  expect(find([0, 1, 2].flatMap((i) => buy(i, false)))).toEqual([]);
  expect(find([errorLog({ ms: 0, by: 'api', correlation: 'c', message: 'x' })])).toEqual([]);
  expect(
    find([0, 1, 2, 3, 4].map((i) => errorLog({ ms: i, by: `w${i % 2}`, correlation: 'c', message: 'x' }))),
  ).toEqual([]);
});
