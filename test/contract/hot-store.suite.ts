/** What every hot tier promises: `HotStore` in storage/contract.ts. */
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { Clock } from '../../base/clock.ts';
import type { Block } from '../../model/block.ts';
import type { HotStore } from '../../storage/contract.ts';
import { collect, logBlock, NOON, SECOND } from '../support/blocks.ts';
import { describeBlockReader } from './block-reader.suite.ts';

export interface HotLimits {
  bytesMax: number;
  ttlMs: number;
  clock: Clock;
}

export interface HotHarness {
  /** Started. */
  store: HotStore;
  drop(): Promise<void>;
}

/**
 * @param make a started, empty store for each test, with these limits
 * @param cannot what this store cannot show, and why
 */
export function describeHotStore(
  name: string,
  make: (limits: HotLimits) => Promise<HotHarness>,
  cannot: { ageByOurClock?: string } = {},
): void {
  describe(`${name} as hot store`, () => {
    let harness: HotHarness | undefined;
    let nowMs: number;
    const clock: Clock = { nowNanos: () => NOON + BigInt(nowMs) * 1_000_000n, monotonicMs: () => nowMs };

    async function open(limits: Partial<HotLimits> = {}): Promise<HotStore> {
      harness = await make({ bytesMax: 64 << 20, ttlMs: 3_600_000, clock, ...limits });
      return harness.store;
    }
    beforeEach(() => {
      nowMs = 0;
    });
    afterEach(async () => {
      await harness?.drop();
      harness = undefined;
    });

    const ids = async (store: HotStore) => (await collect(store.blocks({ tenant: 'default' }))).map(({ id }) => id);

    it('drops the oldest first when its bytes are full', async () => {
      const blocks = Array.from({ length: 40 }, (_, i) => incompressible(i));
      const bytesMax = blocks.slice(0, 10).reduce((sum, { index, payload }) => sum + index.length + payload.length, 0);
      const store = await open({ bytesMax });
      for (const block of blocks) await store.put([block]);
      const kept = await ids(store);
      expect(kept.length).toBeGreaterThanOrEqual(5);
      expect(kept.length).toBeLessThanOrEqual(10);
      expect(kept).toEqual(
        blocks
          .map(({ id }) => id)
          .toReversed()
          .slice(0, kept.length),
      );
      const since = await store.completeSince();
      if (since !== null) expect(since).toBeGreaterThan(blocks[40 - kept.length - 1]!.timeMax);
    });

    it('does not take what is larger than all of it', async () => {
      const store = await open({ bytesMax: 1000 });
      const large = incompressible(0);
      await store.put([large]);
      expect(await ids(store)).toEqual([]);
      const since = await store.completeSince();
      if (since !== null) expect(since).toBeGreaterThan(large.timeMax);
    });

    it.skipIf(cannot.ageByOurClock !== undefined)('drops what has grown old', async () => {
      const store = await open({ ttlMs: 1000 });
      const old = logBlock([{ time: NOON, message: 'old' }]);
      const young = logBlock([{ time: NOON + SECOND, message: 'young' }]);
      await store.put([old]);
      nowMs = 600;
      await store.put([young]);
      expect(await ids(store)).toEqual([young.id, old.id]);
      nowMs = 1100;
      expect(await ids(store)).toEqual([young.id]);
      const since = await store.completeSince();
      if (since !== null) expect(since).toBe(old.timeMax + 1n);
      nowMs = 1700;
      expect(await ids(store)).toEqual([]);
    });

    it('is stopped as often as one likes, and a put after that is only lost', async () => {
      const store = await open();
      await store.stop();
      await store.stop();
      await store.put([logBlock([{ time: NOON }])]);
    });

    describeBlockReader(async () => {
      const store = await open();
      return { reader: store, add: (blocks) => store.put(blocks), drop: async () => {} };
    });
  });
}

/** About 20 kB, each newer than the one before. */
function incompressible(i: number): Block {
  let message = '';
  for (let state = i + 1; message.length < 20_000; ) {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    message += state.toString(36);
  }
  return logBlock([{ time: NOON + BigInt(i) * SECOND, message }]);
}
