import { describe, expect, test } from 'vitest';
import type { JsonObject } from '../model/json.ts';
import type { Snapshot } from '../model/snapshot.ts';
import { snapshot, unbounded } from '../test/support/telemetry.ts';
import { type ConsistencyRequest, checkOperation } from './consistency.ts';

const check = (snapshots: Snapshot[], request: Partial<ConsistencyRequest> = {}) =>
  checkOperation({ tenant: 'test', operation_id: 'op', ...request }, snapshots, unbounded);

/** One snapshot for each agent, a millisecond apart. */
const agents = (states: Record<string, JsonObject>, everyMs = 1) =>
  Object.entries(states).map(([id, state], i) =>
    snapshot({ ms: i * everyMs, by: `agent/${id}`, operation: 'op', state }),
  );

const ids = (...component_ids: string[]) => ({ component_ids, component_type: 'agent' });

describe('20: presence and values', () => {
  test('snapshots on two of three nodes warn and list the third', () => {
    const finding = check(agents({ a: { x: 1 }, b: { x: 1 } }), ids('a', 'b', 'c'))!;
    expect(finding).toMatchObject({
      severity: 'warning',
      components: [{ type: 'agent', id: 'c' }, { id: 'a' }, { id: 'b' }],
    });
    expect(finding.evidence.numbers).toMatchObject({
      missing_components: ['c'],
      expected_replicas: 3,
      actual_replicas: 2,
    });
    expect(finding.summary).toContain('2 of 3');
  });

  test('four of five', () => {
    const states = { a: { x: 1 }, b: { x: 1 }, c: { x: 1 }, d: { x: 1 } };
    expect(check(agents(states), ids('a', 'b', 'c', 'd', 'e'))!.title).toContain('4 of 5');
  });

  test('a value that differs is named with both values, whatever the order asked in', () => {
    for (const order of [
      ['a', 'b'],
      ['b', 'a'],
    ]) {
      const finding = check(
        agents({ a: { deep: { qty: 5, ok: true } }, b: { deep: { ok: true, qty: 4 } } }),
        ids(...order),
      )!;
      expect(finding).toMatchObject({ severity: 'warning' });
      expect(finding.evidence.numbers.inconsistencies).toEqual([
        { key: 'deep.qty', values: { a: 5, b: 4 }, absent_on: [], deviating: ['a', 'b'] },
      ]);
      expect(finding.title).toContain('deep.qty is 5 on a, 4 on b');
    }
  });

  test('a key on one node only is an inconsistency in either order', () => {
    for (const order of [
      ['a', 'b'],
      ['b', 'a'],
    ]) {
      const finding = check(agents({ a: { x: 1 }, b: { x: 1, y: null } }), ids(...order))!;
      expect(finding.evidence.numbers.inconsistencies).toMatchObject([
        { key: 'y', values: { b: null }, absent_on: ['a'] },
      ]);
    }
  });

  test('types count, the order of keys does not', () => {
    expect(check(agents({ a: { x: true }, b: { x: 1 } }), ids('a', 'b'))).toMatchObject({ severity: 'warning' });
    expect(
      check(agents({ a: { x: 1, y: [1, { z: 2 }] }, b: { y: [1, { z: 2 }], x: 1 } }), ids('a', 'b')),
    ).toMatchObject({ severity: 'info', confidence: 1 });
  });

  test('of three, the one that is not with the others deviates', () => {
    const finding = check(agents({ a: { x: 1 }, b: { x: 2 }, c: { x: 1 } }), { component_type: 'agent' })!;
    expect(finding).toMatchObject({ components: [{ id: 'b' }, { id: 'a' }, { id: 'c' }] });
  });
});

describe('21: lag', () => {
  test('ten seconds apart lag ten seconds, one second is nothing', () => {
    expect(check(agents({ a: { x: 1 }, b: { x: 1 } }, 10_000), ids('a', 'b'))).toMatchObject({
      severity: 'warning',
      evidence: { numbers: { replication_lag_seconds: 10 } },
    });
    expect(check(agents({ a: { x: 1 }, b: { x: 1 } }, 1000), ids('a', 'b'))).toMatchObject({
      severity: 'info',
      confidence: 1,
    });
  });

  test('repeated snapshots of one node are no lag', () => {
    const again = snapshot({ ms: 60_000, by: 'agent/a', operation: 'op', state: { x: 1 } });
    expect(check([...agents({ a: { x: 1 }, b: { x: 1 } }), again], ids('a', 'b'))).toMatchObject({ severity: 'info' });
  });
});

test('22: the same component twice is one replica; one of three is a third', () => {
  const twice = [...agents({ a: { x: 1 } }), ...agents({ a: { x: 1 } })];
  expect(check(twice, ids('a', 'b', 'c'))!.evidence.numbers).toMatchObject({
    actual_replicas: 1,
    completion_rate: 0.3333,
  });
  expect(check(twice, ids('a', 'a', 'b'))!.evidence.numbers).toMatchObject({ expected_replicas: 2 });
});

test('nobody reported: nothing to say; one alone: nothing to compare', () => {
  expect(check([], ids('a', 'b'))).toBeNull();
  expect(check(agents({ a: { x: 1 } }))).toMatchObject({ severity: 'info', confidence: 0.5 });
});

test('checkpoints are compared with the same checkpoint', () => {
  const at = (by: string, checkpoint: string, x: number, ms: number) =>
    snapshot({ ms, by: `agent/${by}`, operation: 'op', checkpoint, state: { x } });
  const both = [at('a', 'begin', 0, 0), at('b', 'begin', 0, 1), at('a', 'end', 1, 10), at('b', 'end', 1, 11)];
  expect(check(both, ids('a', 'b'))).toMatchObject({ severity: 'info', confidence: 1 });
  expect(check(both.slice(0, 3), ids('a', 'b'))!.evidence.numbers).toMatchObject({ missing_components: ['b'] });
});

describe('nodes of one component', () => {
  const nodes = (ms: number, operation: string, states: Record<string, JsonObject>) =>
    Object.entries(states).map(([node, state], i) =>
      snapshot({ ms: ms + i, by: `stock@${node}`, operation, state: { ...state, node } }),
    );

  test('the node that missed the write is named with the operation; what is a node’s own does not count', () => {
    const history = [
      ...nodes(0, 'op0', { n1: { a: 5 }, n2: { a: 5 }, n3: { a: 5 } }),
      ...nodes(1000, 'op', { n1: { a: 4 }, n2: { a: 5 }, n3: { a: 4 } }),
    ];
    const finding = check(history)!;
    expect(finding.evidence.numbers).toMatchObject({
      inconsistencies: [{ key: 'a', values: { n1: 4, n2: 5, n3: 4 }, deviating: ['n2'] }],
      first_divergence: { operation_id: 'op' },
    });
  });

  test('of two, the one that stood still deviates', () => {
    const history = [
      ...nodes(0, 'op0', { n1: { a: 5 }, n2: { a: 5 } }),
      ...nodes(1000, 'op', { n1: { a: 4 }, n2: { a: 5 } }),
    ];
    expect(check(history)!.evidence.numbers.inconsistencies).toMatchObject([{ deviating: ['n2'] }]);
  });

  test('one that usually reports and did not is missing, without being asked for', () => {
    const usual = [0, 1, 2].flatMap((i) => nodes(i * 1000, `op${i}`, { n1: { a: i }, n2: { a: i }, n3: { a: i } }));
    const history = [...usual, ...nodes(9000, 'op', { n1: { a: 9 }, n3: { a: 9 } })];
    expect(check(history)!.evidence.numbers).toMatchObject({ missing_components: ['n2'], expected_replicas: 3 });
  });

  test('a difference that was gone right after is healthy lag', () => {
    const history = [
      ...nodes(0, 'op0', { n1: { a: 5, b: 1 }, n2: { a: 5, b: 1 } }),
      ...nodes(1000, 'op', { n1: { a: 4, b: 2 }, n2: { a: 4, b: 1 } }),
      ...nodes(1010, 'op2', { n1: { a: 4, b: 2 }, n2: { a: 4, b: 2 } }),
    ];
    expect(check(history)).toMatchObject({ severity: 'info', confidence: 1 });
  });
});
