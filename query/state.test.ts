import { expect, test } from 'vitest';
import type { JsonObject } from '../model/json.ts';
import type { Snapshot } from '../model/snapshot.ts';
import { describeSnapshot } from './state.ts';

const snapshot = (time: bigint, state_data: JsonObject, more: Partial<Snapshot> = {}): Snapshot => ({
  id: String(time).padStart(32, '0'),
  component_type: 'service',
  component_id: 'inventory',
  node_id: null,
  operation_id: null,
  correlation_id: null,
  checkpoint_name: null,
  snapshot_type: 'full',
  state_data,
  time,
  ...more,
});

test('a snapshot is compared with the one before it of its own node and operation', async () => {
  const own = snapshot(1n, { qty: 1 });
  const newestFirst = [
    snapshot(5n, { qty: 5 }),
    snapshot(4n, { qty: 4 }),
    snapshot(3n, { qty: 3 }, { operation_id: 'op' }),
    snapshot(2n, { qty: 2 }, { node_id: 'node-2' }),
    own,
  ];
  const describe = (which: Snapshot) => describeSnapshot({ snapshots: async () => newestFirst }, 't', which);
  expect((await describe(newestFirst[0]!)).diff_from_previous).toEqual({ qty: { from: 4, to: 5 } });
  expect((await describe(newestFirst[1]!)).diff_from_previous).toEqual({ qty: { from: 1, to: 4 } });
  expect((await describe(own)).diff_from_previous).toBeNull();
});

test('of two at one instant the one with the smaller id came first', async () => {
  const [a, b] = [snapshot(1n, { n: 1 }, { id: 'a' }), snapshot(1n, { n: 2 }, { id: 'b' })];
  const describe = (which: Snapshot) => describeSnapshot({ snapshots: async () => [b, a] }, 't', which);
  expect((await describe(b)).diff_from_previous).toEqual({ n: { from: 1, to: 2 } });
  expect((await describe(a)).diff_from_previous).toBeNull();
});
