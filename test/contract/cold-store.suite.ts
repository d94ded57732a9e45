/** What every cold tier promises: `ColdStore` in storage/contract.ts. */
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { blockKey } from '../../model/block.ts';
import type { ColdStore } from '../../storage/contract.ts';
import { collect, eventsOf, found, logBlock, MINUTE, NOON } from '../support/blocks.ts';
import { describeBlockReader } from './block-reader.suite.ts';

export interface ColdHarness {
  /** A started store over this harness's data; opened again it is the same data, as another process would see it. */
  open(): Promise<ColdStore>;
  /** Removes the data, once all that was opened is stopped. */
  drop(): Promise<void>;
}

/** @param make fresh, empty data for each test */
export function describeColdStore(name: string, make: () => Promise<ColdHarness>): void {
  describe(`${name} as cold store`, () => {
    let harness: ColdHarness;
    let store: ColdStore;
    const opened: ColdStore[] = [];

    async function open(): Promise<ColdStore> {
      const another = await harness.open();
      opened.push(another);
      return another;
    }
    beforeEach(async () => {
      harness = await make();
      store = await open();
    });
    afterEach(async () => {
      for (const one of opened.splice(0)) await one.stop();
      await harness?.drop();
    });

    const ids = async (from: ColdStore, keys?: bigint[]) =>
      (await collect(from.blocks({ tenant: 'default', ...(keys && { keys }) }))).map(({ id }) => id);

    it('shows nothing before it is sealed, everything after, and to others too', async () => {
      const block = logBlock([{ time: NOON, correlation: 'c' }]);
      await store.put(found(block));
      expect(await ids(await open())).toEqual([]);
      await store.seal();
      expect(await ids(store)).toEqual([block.id]);
      const other = await open();
      expect(await ids(other, [blockKey('correlation', 'c')])).toEqual([block.id]);
      const [read] = await collect(other.blocks({ tenant: 'default' }));
      expect(await eventsOf(read!)).toEqual(await eventsOf(found(block)));
      expect(await other.days()).toMatchObject([
        { tenant: 'default', day: '2026-01-15', files: 1, blocks: 1, records: 1 },
      ]);
    });

    it('holds a block once, however often it is put: before the seal, after it, after a restart', async () => {
      const block = logBlock([{ time: NOON }]);
      await store.put(found(block));
      await store.put(found(block));
      await store.seal();
      await store.put(found(block));
      await store.seal();
      await store.stop();
      store = await open();
      await store.put(found(block));
      await store.seal();
      await store.seal();
      expect(await ids(store)).toEqual([block.id]);
    });

    it('keeps what was sealed when the next run dies before its seal', async () => {
      const sealed = logBlock([{ time: NOON }]);
      const lost = logBlock([{ time: NOON + MINUTE }]);
      await store.put(found(sealed));
      await store.seal();
      await store.put(found(lost));
      const next = await open();
      expect(await ids(next)).toEqual([sealed.id]);
      await next.put(found(lost));
      await next.seal();
      expect(await ids(next)).toEqual([lost.id, sealed.id]);
    });

    it('is stopped as often as one likes', async () => {
      await store.stop();
      await store.stop();
    });

    describeBlockReader(async () => ({
      reader: store,
      drop: async () => {},
      relays: true,
      async add(blocks) {
        for (const block of blocks) await store.put(found(block));
        await store.seal();
      },
    }));
  });
}
