import fc from 'fast-check';
import { expect, test } from 'vitest';
import type { JsonObject } from './json.ts';
import type { Snapshot, SnapshotType } from './snapshot.ts';
import { assembled, assembledBefore, type EarlierQuery, wholeSnapshots } from './state-assembly.ts';

let made = 0;
function snapshot(type: SnapshotType, state_data: JsonObject, more: Partial<Snapshot> = {}): Snapshot {
  made++;
  return {
    ...{ id: String(made).padStart(8, '0'), component_type: 'service', component_id: 'cart', node_id: 'n1' },
    ...{ operation_id: null, correlation_id: null, checkpoint_name: null, state_name: 'cart' },
    ...{ snapshot_type: type, state_data, time: BigInt(made) },
    ...more,
  };
}

function storeOf(stored: readonly Snapshot[]) {
  return async ({ component_id, node_id, operation_id, end, limit }: EarlierQuery) =>
    stored
      .filter((one) => one.component_id === component_id && one.time <= end)
      .filter((one) => node_id === undefined || one.node_id === node_id)
      .filter((one) => operation_id === undefined || one.operation_id === operation_id)
      .sort((a, b) => (a.id < b.id ? 1 : -1))
      .slice(0, limit);
}

const whole = async (stored: readonly Snapshot[], of: Snapshot) => (await assembled([of], storeOf(stored)))[0]!;

test('an incremental snapshot is a merge patch onto what was before, a partial one replaces whole keys', async () => {
  const stored = [
    snapshot('full', { a: 1, b: { x: 1, y: 2 }, c: [1] }),
    snapshot('incremental', { a: null, b: { y: 3 } }),
    snapshot('partial', { b: { z: 1 }, d: null }),
  ];
  expect(await whole(stored, stored[1]!)).toMatchObject({ state_data: { b: { x: 1, y: 3 }, c: [1] }, complete: true });
  const last = await whole(stored, stored[2]!);
  expect(last.state_data).toEqual({ b: { z: 1 }, c: [1], d: null });
  expect(last.assembled_from).toEqual(stored.map(({ id }) => id));
});

test('other nodes, names and components are not what was before; other operations of a named state are', async () => {
  const stored = [
    snapshot('full', { a: 1 }, { operation_id: 'o1' }),
    snapshot('full', { a: 2 }, { node_id: 'n2' }),
    snapshot('full', { a: 3 }, { state_name: 'queue' }),
    snapshot('incremental', { b: 1 }, { operation_id: 'o2' }),
  ];
  expect((await whole(stored, stored[3]!)).state_data).toEqual({ a: 1, b: 1 });
  const nameless = stored.map((one) => ({ ...one, state_name: undefined }) as unknown as Snapshot);
  expect(await whole(nameless, nameless[3]!)).toMatchObject({ state_data: { b: 1 }, complete: false });
});

test('without a full snapshot below, what is not known is said and not guessed', async () => {
  const stored = [snapshot('incremental', { a: 1, b: null }), snapshot('incremental', { c: 1 })];
  const last = await whole(stored, stored[1]!);
  expect(last).toMatchObject({ state_data: { a: 1, c: 1 }, complete: false });
  expect((await wholeSnapshots(async () => [stored[1]!])('default', {}))[0]!.snapshot_type).toBe('incremental');
});

test('a long chain, and many snapshots of one instant, are followed to their base', async () => {
  const base = snapshot('full', { n: 0 });
  const patches = Array.from({ length: 120 }, (_, i) => snapshot('incremental', { n: i + 1 }, { time: base.time }));
  const stored = [base, ...patches];
  expect(await whole(stored, patches.at(-1)!)).toMatchObject({ state_data: { n: 120 }, complete: true });
  expect((await assembledBefore(patches.at(-1)!, storeOf(stored)))!.state_data).toEqual({ n: 119 });
});

test('assembled together or each alone, states are the same', async () => {
  const state = fc.dictionary(fc.constantFrom('a', 'b'), fc.constantFrom(1, null, 'x'), { maxKeys: 2 });
  const spec = fc.record({
    type: fc.constantFrom<SnapshotType>('full', 'incremental', 'partial'),
    state,
    name: fc.constantFrom('cart', undefined),
  });
  await fc.assert(
    fc.asyncProperty(fc.array(spec, { minLength: 1, maxLength: 12 }), async (specs) => {
      const stored = specs.map(({ type, state, name }) =>
        snapshot(type, state, { state_name: name } as Partial<Snapshot>),
      );
      const together = await assembled(stored, storeOf(stored));
      for (const [i, one] of stored.entries()) expect(together[i]).toEqual(await whole(stored, one));
    }),
    { numRuns: 60 },
  );
});
