import { describe, expect, test } from 'vitest';
import type { Snapshot } from '../../model/snapshot.ts';
import { at, snapshot, unbounded, windowOf } from '../../test/support/telemetry.ts';
import { stateConsistency } from './state-consistency.ts';

const NODES = ['n1', 'n2', 'n3'];

interface Story {
  operations?: number;
  /** Milliseconds between operations. */
  every?: number;
  seed?: number;
  /** `counter`: each operation takes one off a key; `value`: each writes a new value to it. */
  writes?: 'counter' | 'value';
  /** What becomes of an operation on a node; absent: it is applied and reported. */
  fate?: (operation: number, node: string) => 'unapplied' | 'unreported' | 'applied';
  /** Milliseconds from the operation to its application; absent: 1 to 40, out of order now and then. */
  lag?: (operation: number, node: string) => number | undefined;
}

/** Three nodes that each apply the same operations, and snapshot their state after each: stock of five items, and what is their own. */
function tell({
  operations = 60,
  every = 200,
  seed = 1,
  writes = 'counter',
  fate = () => 'applied',
  lag = () => undefined,
}: Story): Snapshot[] {
  let random = seed * 7919;
  const next = (below: number) => {
    random = (Math.imul(random, 1664525) + 1013904223) >>> 0;
    return Math.floor((random / 2 ** 32) * below);
  };
  const wanted = Array.from({ length: operations }, (_, i) => ({
    item: `sku${next(5)}`,
    ms: i * every,
    value: next(1000),
  }));
  return NODES.flatMap((node) => {
    const stock: Record<string, number> = { sku0: 500, sku1: 500, sku2: 500, sku3: 500, sku4: 500 };
    let served = 0;
    let collected = 0;
    const arrivals = wanted.map((operation, i) => ({
      ...operation,
      i,
      time: operation.ms + (lag(i, node) ?? 1 + next(40)),
    }));
    return arrivals
      .sort((a, b) => a.time - b.time)
      .flatMap(({ item, value, i, time }) => {
        const what = fate(i, node);
        if (what !== 'unapplied') stock[item] = writes === 'counter' ? stock[item]! - 1 : value;
        served += 1 + next(3);
        // Work that only one of them does.
        if (node === 'n3') collected += next(2);
        if (what === 'unreported') return [];
        return [
          snapshot({
            ms: time,
            by: `stock@${node}`,
            operation: `op${i}`,
            state: { stock: { ...stock }, node: { name: node, served, collected } },
          }),
        ];
      });
  });
}

/** Seen a while after the last operation, unless said otherwise. */
const find = (snapshots: Snapshot[], nowMs = 3_600_000) =>
  stateConsistency.analyze(windowOf([], { snapshots, now: at(nowMs) }), unbounded);

describe('a replica that misses a write', () => {
  test('it reported the operation but did not apply it: node, key and operation are named', () => {
    const findings = find(tell({ fate: (i, node) => (i === 30 && node === 'n2' ? 'unapplied' : 'applied') }));
    expect(findings).toMatchObject([
      {
        insight_type: 'consistency',
        severity: 'warning',
        where: { id: 'stock' },
        what: 'diverged n2',
        evidence: { numbers: { affected_keys: 1, first_divergence: { operation_id: 'op30' } } },
      },
    ]);
    const [finding] = findings;
    expect(finding!.evidence.numbers.inconsistencies).toMatchObject([
      { key: expect.stringMatching(/^stock\.sku\d$/), deviating: ['n2'] },
    ]);
    expect(finding!.confidence).toBeGreaterThan(0.9);
  });

  test('also when the value is written over seconds later, and when writes are far between', () => {
    expect(
      find(
        tell({
          writes: 'value',
          every: 8000,
          fate: (i, node) => (i === 30 && node === 'n3' ? 'unapplied' : 'applied'),
        }),
      ),
    ).toMatchObject([{ what: 'diverged n3' }]);
  });

  test('it never got the operation: the missing report and the state that is wrong since', () => {
    const findings = find(
      tell({ fate: (i, node) => (i === 30 && node === 'n2' ? 'unapplied' : 'applied') }).filter(
        ({ operation_id, node_id }) => operation_id !== 'op30' || node_id !== 'n2',
      ),
    );
    expect(findings).toMatchObject([
      { what: 'diverged n2' },
      { what: 'missing n2', title: expect.stringContaining('2 of 3') },
    ]);
  });

  test('in the last operation of all, once nothing can be on its way any more; before that it is quiet', () => {
    const told = tell({ operations: 40, fate: (i, node) => (i === 39 && node === 'n2' ? 'unapplied' : 'applied') });
    const lastMs = 39 * 200 + 41;
    expect(find(told, lastMs + 3000)).toEqual([]);
    expect(find(told, lastMs + 10_000)).toMatchObject([{ what: 'diverged n2' }]);
  });

  test('in an operation that was asked for, also without a history', () => {
    const told = ['n1', 'n2'].map((node, i) =>
      snapshot({ ms: i, by: `stock@${node}`, operation: 'op', state: { qty: node === 'n1' ? 1 : '1' } }),
    );
    const asked = windowOf([], { snapshots: told, scope: { tenant: 'test', operation_id: 'op' } });
    expect(stateConsistency.analyze(asked, unbounded)).toMatchObject([
      { severity: 'warning', operation_id: 'op', summary: expect.stringContaining('qty is 1 on n1, "1" on n2') },
    ]);
    expect(find(told)).toEqual([]);
  });

  test('all but one fell silent: both are named; a leader that goes on alone and workers that each report their own are healthy', () => {
    const silent = tell({ fate: (i, node) => (i >= 30 && node !== 'n1' ? 'unreported' : 'applied') });
    expect(find(silent)).toMatchObject([{ what: 'missing n2 n3', title: expect.stringContaining('1 of 3 replicas') }]);
    // Three writes whose reports are still on their way from two nodes each, in whatever order.
    const under = tell({ fate: (i, node) => (i >= 57 && NODES[i % 3] !== node ? 'unreported' : 'applied') });
    expect(find(under, 60 * 200 + 10_000)).toEqual([]);
    const leader = tell({ fate: (i, node) => (i >= 20 && node !== 'n1' ? 'unreported' : 'applied') });
    expect(find(leader)).toEqual([]);
    const workers = tell({ fate: (i, node) => (NODES[i % 3] === node ? 'applied' : 'unreported') });
    expect(find(workers)).toEqual([]);
  });

  test('quiet: its report of the last operation may be on its way, for a minute', () => {
    const told = tell({ fate: () => 'applied' });
    const last = told.reduce((a, b) => (b.time > a.time ? b : a));
    const snapshots = told.filter((each) => each.operation_id !== last.operation_id || each.node_id !== 'n2');
    const lastMs = Number((last.time - at(0)) / 1_000_000n);
    expect(find(snapshots, lastMs + 20_000)).toEqual([]);
    expect(find(snapshots, lastMs + 70_000)).toMatchObject([{ what: 'missing n2' }]);
  });

  test('quiet: a request with some of its reports may come after the next one, for half a minute', () => {
    const late = tell({ fate: (i, node) => (i >= 30 && i < 35 && node === 'n2' ? 'unreported' : 'applied') });
    const lateMs = 35 * 200;
    // The next look finds them there, or still not.
    expect(find(late, lateMs + 20_000)).toEqual([]);
    expect(find(tell({}), lateMs + 40_000)).toEqual([]);
    expect(find(late, lateMs + 40_000)).toMatchObject([{ what: 'missing n2' }]);
  });

  test('quiet: what was read begins between the reports of one operation', () => {
    const told = tell({});
    const reports = told.filter(({ operation_id }) => operation_id === 'op5').map(({ time }) => time);
    const [, second] = reports.sort((a, b) => Number(a - b));
    expect(find(told.filter(({ time }) => time >= second!))).toEqual([]);
  });

  test('it fell silent', () => {
    const findings = find(tell({ fate: (i, node) => (i >= 30 && node === 'n1' ? 'unreported' : 'applied') }));
    expect(findings).toMatchObject([
      {
        what: 'missing n1',
        evidence: { numbers: { missing_components: ['n1'], actual_replicas: 2, expected_replicas: 3 } },
      },
    ]);
  });

  test('one that applies late by more than 5 s lags', () => {
    expect(
      find(tell({ every: 20_000, lag: (i, node) => (i === 30 && node === 'n3' ? 9000 : undefined) })),
    ).toMatchObject([
      { what: 'lag', evidence: { numbers: { replication_lag_seconds: expect.closeTo(9, 0), nodes: ['n3'] } } },
    ]);
  });
});

describe('quiet', () => {
  test('replicas that apply the same writes a little apart and out of order, slowly or fast, seen at any moment', () => {
    for (let seed = 1; seed <= 10; seed++) {
      for (const writes of ['counter', 'value'] as const) {
        // Out of order, values would truly differ: one after the other then, as replicas that write values must.
        const lag = writes === 'value' ? () => 5 + (seed % 3) : undefined;
        for (const every of [5, 50, 500]) {
          const snapshots = tell({ seed, every, writes, operations: 100, ...(lag && { lag }) });
          expect(find(snapshots)).toEqual([]);
          const middle = every * 50;
          const seen = snapshots.filter(({ time }) => time <= at(middle));
          expect(find(seen, middle)).toEqual([]);
        }
      }
    }
  });

  test('workers that share the load, each with its own operations', () => {
    const shared = tell({}).filter(
      ({ operation_id, node_id }) => Number(operation_id!.slice(2)) % 3 === NODES.indexOf(node_id!),
    );
    expect(find(shared)).toEqual([]);
  });

  test('workers that share the load, and now and then do one together', () => {
    const mostlyShared = tell({}).filter(({ operation_id, node_id }) => {
      const operation = Number(operation_id!.slice(2));
      if (operation === 10 || operation === 20) return true;
      return operation === 30 ? node_id !== 'n3' : operation % 3 === NODES.indexOf(node_id!);
    });
    expect(find(mostlyShared)).toEqual([]);
  });

  test('each write goes to two of three', () => {
    const partial = tell({}).filter(
      ({ operation_id, node_id }) => Number(operation_id!.slice(2)) % 3 !== NODES.indexOf(node_id!),
    );
    expect(find(partial)).toEqual([]);
  });

  test('a node that was replaced by another', () => {
    const replaced = tell({}).map((each) =>
      each.node_id === 'n3' && each.time > at(6000) ? { ...each, node_id: 'n4' } : each,
    );
    expect(find(replaced)).toEqual([]);
  });

  test('a single node, and nodes whose states have nothing in common', () => {
    expect(find(tell({}).filter(({ node_id }) => node_id === 'n1'))).toEqual([]);
    const own = NODES.flatMap((node, n) =>
      [1, 2, 3].map((i) =>
        snapshot({ ms: i * 10_000, by: `cache@${node}`, state: { hits: i * (n + 2), size: n + 7 } }),
      ),
    );
    expect(find(own)).toEqual([]);
  });
});

test('components of one type are compared when their operation is asked for and their states are alike', () => {
  const agents = (a: Record<string, number>, b: Record<string, number>) =>
    Object.entries({ a, b }).map(([id, state]) => snapshot({ ms: 0, by: `agent/${id}`, operation: 'op', state }));
  const asked = (snapshots: Snapshot[], operation_id: string | undefined) =>
    stateConsistency.analyze(
      windowOf([], { snapshots, scope: { tenant: 'test', ...(operation_id !== undefined && { operation_id }) } }),
      unbounded,
    );
  expect(asked(agents({ x: 1, y: 2 }, { x: 1, y: 3 }), 'op')).toMatchObject([
    { severity: 'warning', operation_id: 'op' },
  ]);
  expect(asked(agents({ x: 1, y: 2 }, { x: 1, y: 2 }), 'op')).toEqual([]);
  expect(asked(agents({ x: 1, y: 2 }, { plan: 1, goal: 3 }), 'op')).toEqual([]);
  expect(asked(agents({ x: 1, y: 2 }, { x: 1, y: 3 }), undefined)).toEqual([]);
});
