/** What every warm tier promises: `WarmStore` in storage/contract.ts. */
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { type Block, blockKey } from '../../model/block.ts';
import { emptyFlush, type Flush, type WarmStore } from '../../storage/contract.ts';
import { collect, logBlock, MINUTE, NOON, SECOND } from '../support/blocks.ts';
import { componentMinute, snapshot, templateMinute } from '../support/rows.ts';
import { describeBlockReader } from './block-reader.suite.ts';
import { describeMinutes } from './minutes.suite.ts';
import { describeRowStore } from './row-store.suite.ts';

export interface WarmHarness {
  /** A started store over this harness's data. Opened again it is the same data, as another process would see it. */
  open(): Promise<WarmStore>;
  /** Removes the data, once all that was opened is stopped. */
  drop(): Promise<void>;
}

/** @param make fresh, empty data for each test */
export function describeWarmStore(name: string, make: () => Promise<WarmHarness>): void {
  describe(`${name} as warm store`, () => {
    let harness: WarmHarness;
    let store: WarmStore;
    const opened: WarmStore[] = [];

    async function open(): Promise<WarmStore> {
      const another = await harness.open();
      opened.push(another);
      return another;
    }
    async function drop(): Promise<void> {
      for (const one of opened.splice(0)) await one.stop();
      await harness?.drop();
    }

    beforeEach(async () => {
      harness = await make();
      store = await open();
    });
    afterEach(drop);

    const ids = async (selector: { keys?: bigint[]; tenant?: string } = {}) =>
      (await collect(store.blocks({ tenant: 'default', ...selector }))).map(({ id }) => id);

    describe('commit', () => {
      it('is there after a restart', async () => {
        const block = logBlock([{ time: NOON, correlation: 'c' }]);
        await store.commit(flush({ blocks: [block], snapshots: [snapshot()], ledger: { journal: 'j', position: 7n } }));
        await store.stop();
        store = await open();
        expect(await ids({ keys: [blockKey('correlation', 'c')] })).toEqual([block.id]);
        expect(await store.snapshots('default', { limit: 10 })).toEqual([snapshot()]);
        expect(await store.committedPosition('j')).toBe(7n);
      });

      it('made again at the same ledger line changes nothing', async () => {
        const once = flush({
          blocks: [logBlock([{ time: NOON }])],
          componentMinutes: [componentMinute({ total: 3 })],
          ledger: { journal: 'j', position: 10n },
        });
        await store.commit(once);
        await store.commit(once);
        await store.commit({ ...once, ledger: { journal: 'j', position: 9n } });
        const range = { start: 0n, end: NOON + MINUTE };
        expect((await store.componentMinutes('default', range)).map(({ total }) => total)).toEqual([3]);
        expect(await store.committedPosition('j')).toBe(10n);

        await store.commit({ ...once, ledger: { journal: 'j', position: 11n } });
        await store.commit({ ...once, ledger: { journal: 'another', position: 10n } });
        await store.commit({ ...once, ledger: null });
        expect((await store.componentMinutes('default', range)).map(({ total }) => total)).toEqual([12]);
        expect(await ids()).toHaveLength(1);
        expect(await store.committedPosition('j')).toBe(11n);
        expect(await store.committedPosition('unknown')).toBe(0n);
      });

      it('F15 tells which requests it has, whoever brought them, and changes nothing then', async () => {
        const [a, b, c] = ['a', 'b', 'c'].map((digit) => digit.repeat(32)) as [string, string, string];
        const range = { start: 0n, end: NOON + MINUTE };
        const bring = (journal: string, position: bigint, requests: string[], more: Partial<Flush> = {}) =>
          store.commit(
            flush({
              requests,
              componentMinutes: [componentMinute({ total: 1 })],
              ...more,
              ledger: { journal, position },
            }),
          );
        expect(await bring('j', 1n, [a, b])).toEqual([]);
        expect((await bring('other', 5n, [c, b, a])).toSorted()).toEqual([a, b]);
        expect(await store.committedPosition('other')).toBe(0n);
        expect(await bring('other', 5n, [c])).toEqual([]);
        expect(await bring('j', 1n, [a, b])).toEqual([]); // committed already: nothing is to be made again
        expect(await bring('j', 2n, [a], { tenant: 'theirs' })).toEqual([]);
        await store.stop();
        store = await open();
        expect(await bring('j', 3n, [b])).toEqual([b]);
        expect((await store.componentMinutes('default', range)).map(({ total }) => total)).toEqual([2]);
      });

      it('F15 of two processes that bring the same request at once, one is told', async () => {
        const other = await open();
        const request = 'd'.repeat(32);
        const told = await Promise.all(
          [store, other].map((one, i) =>
            one.commit(flush({ requests: [request], ledger: { journal: `j${i}`, position: 1n } })),
          ),
        );
        expect(told.toSorted((x, y) => x.length - y.length)).toEqual([[], [request]]);
      });

      it('happens once when two processes bring the same flush at the same time', async () => {
        const other = await open();
        const once = flush({
          componentMinutes: [componentMinute({ total: 1 })],
          ledger: { journal: 'j', position: 1n },
        });
        await Promise.all([store, other, store, other].map((one) => one.commit(once)));
        const [minute] = await other.componentMinutes('default', { start: 0n, end: NOON });
        expect(minute!.total).toBe(1);
      });

      it('is whole or not at all', async () => {
        const broken = {
          ...snapshot(),
          get state_data(): never {
            throw new Error('broken on purpose');
          },
        };
        const half = flush({
          blocks: [logBlock([{ time: NOON }])],
          componentMinutes: [componentMinute()],
          templateMinutes: [templateMinute()],
          templates: [{ id: '00000000000000aa', text: 'text' }],
          traceCorrelations: [{ trace_id: 'a'.repeat(32), correlation_id: 'c', time: NOON }],
          snapshots: [snapshot(), broken],
          ledger: { journal: 'j', position: 1n },
        });
        await expect(store.commit(half)).rejects.toThrow('broken on purpose');
        const range = { start: 0n, end: NOON + MINUTE };
        expect(await ids()).toEqual([]);
        expect(await store.componentMinutes('default', range)).toEqual([]);
        expect(await store.templateMinutes('default', range)).toEqual([]);
        expect(await store.templates('default', ['00000000000000aa'])).toEqual([]);
        expect(await store.traceCorrelations('default', { correlations: ['c'] })).toEqual([]);
        expect(await store.snapshots('default', { limit: 10 })).toEqual([]);
        expect(await store.committedPosition('j')).toBe(0n);

        await store.commit({ ...half, snapshots: [snapshot()] });
        expect(await ids()).toHaveLength(1);
      });

      it('of nothing only moves the ledger', async () => {
        await store.commit(flush({ ledger: { journal: 'j', position: 5n } }));
        expect(await store.committedPosition('j')).toBe(5n);
        expect(await store.days()).toEqual([]);
      });
    });

    describe('days', () => {
      const monday = logBlock([{ time: NOON, correlation: 'c' }], { day: '2026-01-12' });
      const tuesday = logBlock([{ time: NOON + SECOND, correlation: 'c' }], { day: '2026-01-13' });
      const theirs = logBlock([{ time: NOON, correlation: 'c' }], { day: '2026-01-12', tenant: 'theirs' });
      const keys = [blockKey('correlation', 'c')];

      beforeEach(async () => {
        await store.commit(flush({ blocks: [tuesday, monday], snapshots: [snapshot()] }));
        await store.commit(flush({ tenant: 'theirs', blocks: [theirs] }));
      });

      it('belong to tenants, which are listed too', async () => {
        expect(await store.tenants()).toEqual(['default', 'theirs']);
      });

      it('are listed ascending, each once', async () => {
        expect(await store.days()).toEqual(['2026-01-12', '2026-01-13']);
      });

      it('hand out their blocks to the archive', async () => {
        const [block, ...others] = await collect(store.blocksOfDay('default', '2026-01-12'));
        expect(others).toEqual([]);
        expect(block).toMatchObject({ id: monday.id, timeMin: monday.timeMin, timeMax: monday.timeMax });
        expect(Buffer.compare(block!.index, monday.index)).toBe(0);
        expect(Buffer.compare(await block!.payload(), monday.payload)).toBe(0);
        expect(await collect(store.blocksOfDay('default', '2026-01-14'))).toEqual([]);
      });

      it('of many blocks are handed out whole', async () => {
        const many = Array.from({ length: 500 }, (_, i) =>
          logBlock([{ time: NOON + BigInt(i) }], { day: '2026-01-14' }),
        );
        await store.commit(flush({ blocks: many }));
        const copied = (await collect(store.blocksOfDay('default', '2026-01-14'))).map(({ id }) => id);
        expect(copied.sort()).toEqual(many.map(({ id }) => id).sort());
      });

      it('are dropped with blocks and keys, of every tenant, and nothing else', async () => {
        await store.dropDay('2026-01-12');
        expect(await store.days()).toEqual(['2026-01-13']);
        expect(await ids()).toEqual([tuesday.id]);
        expect(await ids({ keys })).toEqual([tuesday.id]);
        expect(await ids({ keys, tenant: 'theirs' })).toEqual([]);
        expect(await store.snapshots('default', { limit: 10 })).toEqual([snapshot()]);
        await store.dropDay('2026-01-12');
        await store.dropDay('1999-01-01');
        expect(await ids()).toEqual([tuesday.id]);
      });

      it('take back what was dropped', async () => {
        await store.dropDay('2026-01-12');
        await store.commit(flush({ blocks: [monday] }));
        expect(await ids({ keys })).toEqual([tuesday.id, monday.id]);
      });

      it('dropped under a reader leave it with an error, not with wrong bytes', async () => {
        const found = (await collect(store.blocks({ tenant: 'default' }))).find(({ id }) => id === monday.id)!;
        await store.dropDay('2026-01-12');
        await expect(found.payload()).rejects.toMatchObject({ name: 'DebugError', code: 'UNAVAILABLE' });
      });
    });

    describe('leases', () => {
      it('are held by one at a time, until they end or run out', async () => {
        const other = await open();
        expect(await store.takeLease('merge', 'one', 60_000)).toBe(true);
        expect(await other.takeLease('merge', 'two', 60_000)).toBe(false);
        expect(await store.takeLease('merge', 'one', 60_000)).toBe(true);
        expect(await other.takeLease('mail', 'two', 60_000)).toBe(true);
        expect(await other.leases('m')).toEqual(['mail', 'merge']);
        await other.endLease('merge', 'two');
        expect(await other.leases('me')).toEqual(['merge']);
        await store.endLease('merge', 'one');
        expect(await other.takeLease('merge', 'two', -1)).toBe(true);
        expect(await store.leases('me')).toEqual([]);
        expect(await store.takeLease('merge', 'one', 1)).toBe(true);
        const both = await Promise.all([store.takeLease('new', 'one', 9e4), other.takeLease('new', 'two', 9e4)]);
        expect(both.sort()).toEqual([false, true]);
      });
    });

    describe('as a part', () => {
      it('is stopped as often as one likes, and refuses work after', async () => {
        await store.stop();
        await store.stop();
        const refused = { name: 'DebugError', code: 'UNAVAILABLE' };
        await expect(store.commit(flush({}))).rejects.toMatchObject(refused);
        await expect(store.componentMinutes('default', { start: 0n, end: 1n })).rejects.toMatchObject(refused);
        await expect(collect(store.blocks({ tenant: 'default' }))).rejects.toMatchObject(refused);
      });

      it('opens the same data at the same time in two processes', async () => {
        const [one, two] = await Promise.all([open(), open()]);
        await Promise.all([
          one.commit(flush({ blocks: [logBlock([{ time: NOON }])] })),
          two.commit(flush({ blocks: [logBlock([{ time: NOON + 1n }])] })),
        ]);
        expect(await ids()).toHaveLength(2);
      });
    });
    describeMinutes(async () => ({ open, drop: async () => {} }));
    describeRowStore(async () => ({ open, drop: async () => {} }));
    describeBlockReader(async () => ({
      reader: store,
      drop: async () => {},
      async add(blocks) {
        for (const [tenant, own] of byTenant(blocks)) await store.commit(flush({ tenant, blocks: own }));
      },
    }));
  });
}

export function flush(parts: Partial<Flush>): Flush {
  return { ...emptyFlush('default'), ...parts };
}

export function byTenant(blocks: readonly Block[]): Map<string, Block[]> {
  return Map.groupBy(blocks, ({ tenant }) => tenant);
}
