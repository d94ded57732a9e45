/** What nobody may notice: blocks that are merged while others read them. Run over every warm store. */
import fc from 'fast-check';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { Clock } from '../../base/clock.ts';
import { createLogger } from '../../base/log.ts';
import { createMeter } from '../../base/meter.ts';
import { type Block, blockKey, decodeIndex } from '../../model/block.ts';
import { eventId } from '../../model/ids.ts';
import { mayHoldText, textProbe } from '../../model/text-filter.ts';
import type { FoundBlock, WarmStore } from '../../storage/contract.ts';
import { createMemoryHotStore } from '../../storage/memory/hot.ts';
import { createMerger, type Merger } from '../../storage/merge.ts';
import { createTiers } from '../../storage/tiers.ts';
import { collect, eventsOf, found, type LogSpec, logBlock, MINUTE, NOON, SECOND } from '../support/blocks.ts';
import { flush } from './warm-store.suite.ts';

export interface MergeHarness {
  open(clock: Clock): Promise<WarmStore>;
  drop(): Promise<void>;
}

/** @param runs how many schedules are tried: a server takes its time */
export function describeMerging(name: string, runs: number, make: () => Promise<MergeHarness>): void {
  describe(`merging in ${name}`, () => {
    let now = NOON + 60n * MINUTE;
    const clock: Clock = { nowNanos: () => now++, monotonicMs: () => Number(now / 1_000_000n) };
    const shared = { clock, log: createLogger('silent'), meter: createMeter() };
    let harness: MergeHarness;
    let store: WarmStore;
    let merger: Merger;
    let tenants = 0;

    beforeEach(async () => {
      now = NOON + 60n * MINUTE;
      harness = await make();
      store = await harness.open(clock);
      merger = createMerger({ warm: store, settleMs: 0, ...shared });
    });
    afterEach(async () => {
      await store?.stop();
      await harness?.drop();
    });

    const commit = (tenant: string, blocks: readonly Block[]) => store.commit(flush({ tenant, blocks }));
    const idsIn = (blocks: readonly FoundBlock[]) => blocks.flatMap((block) => recordIds(block)).sort();

    it('makes few blocks of many and keeps every record, its place and its bytes', async () => {
      const logs = Array.from({ length: 1100 }, (_, i) => log(i));
      const blocks = Array.from({ length: 110 }, (_, i) => logBlock(logs.slice(i * 10, i * 10 + 10)));
      await commit('default', blocks);
      expect(await merger.run()).toEqual({ replaced: 110, merged: 1 });
      const merged = await collect(store.blocks({ tenant: 'default' }));
      expect(merged).toHaveLength(1);
      const events = (await eventsOf(merged[0]!)).sort((a, b) => (a.id < b.id ? -1 : 1));
      const before = (await Promise.all(blocks.map((block) => eventsOf(found(block))))).flat();
      expect(events).toEqual(before.sort((a, b) => (a.id < b.id ? -1 : 1)));
      // Records of a correlation lie side by side.
      const { columns } = decodeIndex(merged[0]!.index);
      expect(
        columns.correlation.reduce((turns, code, i) => turns + Number(columns.correlation[i - 1] !== code), 0),
      ).toBe(decodeIndex(merged[0]!.index).header.correlations.length);
      for (const correlation of ['c0', 'c6']) {
        const keys = [blockKey('correlation', correlation)];
        expect(await collect(store.blocks({ tenant: 'default', keys }))).toHaveLength(1);
      }
      // It says of its texts what those said that it replaces.
      const { texts } = decodeIndex(merged[0]!.index);
      for (const [text, holds] of [
        ['message 1099', true],
        ['sage 5', true],
        ['nowhere', false],
        ['massage', false],
      ] as const)
        expect(mayHoldText(texts, textProbe([text])!)).toBe(holds);
      expect(await merger.run()).toEqual({ replaced: 0, merged: 0 });
    });

    it('leaves alone what is large, what has arrived lately, other days, and a few that are not worth it', async () => {
      const large = logBlock(Array.from({ length: 1024 }, (_, i) => log(i)));
      const few = Array.from({ length: 7 }, (_, i) => logBlock([log(2000 + i)]));
      const old = Array.from({ length: 9 }, (_, i) => logBlock([log(3000 + i)], { day: '2026-01-10' }));
      const late = Array.from({ length: 9 }, (_, i) => logBlock([log(4000 + i)], { receivedAt: now }));
      await commit('default', [large, ...few, ...old, ...late]);
      const patient = createMerger({ warm: store, settleMs: 60_000, ...shared });
      expect(await patient.run()).toEqual({ replaced: 0, merged: 0 });
    });

    it('is done by one process at a time, and undone for who comes second', async () => {
      await commit('default', many(20, 0));
      expect(await store.takeLease('merge', 'another process', 60_000)).toBe(true);
      expect(await merger.run()).toBeNull();
      await store.endLease('merge', 'another process');
      const [day] = await store.days();
      const small = await store.smallBlocks('default', day!, { until: now, limit: 100 });
      const ids = small.map(({ id }) => id);
      const [one, other] = [logBlock([log(0), log(1)]), logBlock([log(1), log(0)])];
      const done = await Promise.all([store.replaceBlocks(ids, one), store.replaceBlocks(ids, other)]);
      expect(done.sort()).toEqual([false, true]);
      expect(await collect(store.blocks({ tenant: 'default' }))).toHaveLength(1);
    });

    it('gives the space back after a while, when no reader may need it', async () => {
      await commit('default', many(30, 0));
      await merger.run();
      expect(await store.forgetReplaced(now - 10n * MINUTE)).toBe(0);
      now += 11n * MINUTE;
      expect(await store.forgetReplaced(now - 10n * MINUTE)).toBe(30);
      expect(await store.forgetReplaced(now)).toBe(0);
      expect(idsIn(await collect(store.blocks({ tenant: 'default' })))).toHaveLength(30);
      const keys = [blockKey('correlation', 'c1')];
      expect(await collect(store.blocks({ tenant: 'default', keys }))).toHaveLength(1);
      const [day] = await store.days();
      expect(await collect(store.blocksOfDay('default', day!))).toHaveLength(1);
      await store.dropDay(day!);
      expect(await store.days()).toEqual([]);
    });

    it('whatever happens while one reads: each record comes once, or the reader hears that it took too long', async () => {
      const step = fc.oneof(
        fc.record({ do: fc.constant('commit' as const), blocks: fc.integer({ min: 1, max: 14 }), at: fc.nat(600) }),
        fc.record({ do: fc.constant('merge' as const), later: fc.constantFrom(0n, 1n, 11n) }),
        fc.record({ do: fc.constant('open' as const), key: fc.boolean() }),
        fc.record({ do: fc.constant('read' as const), reader: fc.nat(3), blocks: fc.integer({ min: 1, max: 20 }) }),
      );
      await fc.assert(
        fc.asyncProperty(fc.array(step, { minLength: 4, maxLength: 25 }), async (steps) => {
          const tenant = `tenant-${tenants++}`;
          const committed = new Map<string, LogSpec>();
          const readers: Reading[] = [];
          let next = 0;
          for (const step of steps) {
            if (step.do === 'commit') {
              const logs = Array.from({ length: step.blocks }, () => log(step.at + next++ * 0.001, next));
              const blocks = logs.map((one) => logBlock([one], { tenant }));
              for (const [i, block] of blocks.entries()) committed.set(recordIds(found(block))[0]!, logs[i]!);
              await commit(tenant, blocks);
            } else if (step.do === 'merge') {
              now += step.later * MINUTE;
              await merger.run();
            } else if (step.do === 'open') {
              const keys = step.key ? [blockKey('correlation', 'c1')] : undefined;
              const wanted = [...committed]
                .filter(([, one]) => !step.key || one.correlation === 'c1')
                .map(([id]) => id);
              readers.push(new Reading(store.blocks({ tenant, ...(keys && { keys }) }), wanted));
              await readers.at(-1)!.read(1);
            } else await readers[step.reader]?.read(step.blocks);
          }
          for (const reader of readers) {
            await reader.read(Number.MAX_SAFE_INTEGER);
            reader.mustBeExact();
          }
          const whole = await collect(store.blocks({ tenant }));
          expect(idsIn(whole)).toEqual([...committed.keys()].sort());
        }),
        { numRuns: runs },
      );
    });

    it('pages over hot and warm hold every event once, when all between them is merged', async () => {
      const shape = fc.record({
        commits: fc.array(fc.record({ blocks: fc.integer({ min: 1, max: 14 }), at: fc.nat(600) }), {
          minLength: 1,
          maxLength: 6,
        }),
        limit: fc.integer({ min: 1, max: 17 }),
        hotBytes: fc.constantFrom(3_000, 20_000, 1 << 20),
        merges: fc.array(fc.boolean(), { minLength: 12, maxLength: 12 }),
      });
      await fc.assert(
        fc.asyncProperty(shape, async ({ commits, limit, hotBytes, merges }) => {
          const tenant = `tenant-${tenants++}`;
          const hot = createMemoryHotStore({ bytesMax: hotBytes, ttlMs: 3_600_000, clock });
          const own = createMerger({ warm: store, settleMs: 0, ...shared });
          const tiers = createTiers({
            ...{ hot, warm: store, cold: null, soleWriter: true, mergedUntil: own.mergedUntil },
            ...shared,
          });
          const expected: string[] = [];
          let next = 0;
          for (const [i, { blocks, at }] of commits.entries()) {
            const logs = Array.from({ length: blocks }, () => log(at + next++ * 0.001, next));
            const made = logs.map((one) => logBlock([one], { tenant }));
            expected.push(...made.flatMap((block) => recordIds(found(block))));
            await tiers.commit(flush({ tenant, blocks: made }));
            if (merges[i] === true) await own.run();
          }
          const paged: string[] = [];
          let before: string | undefined;
          for (let page = 6; ; page++) {
            const { events, next } = await tiers.reader.events({ tenant, limit, ...(before && { before }) });
            paged.push(...events.map(({ id }) => id));
            if (next === null) break;
            before = next;
            if (merges[page] === true) await own.run();
          }
          expect(paged).toEqual(expected.sort().reverse());
          const counted: string[] = [];
          await tiers.reader.scan({ tenant }, ({ columns }, i) => {
            counted.push(eventId(columns.time[i]!, columns.hash[i]!));
          });
          expect(counted.sort().reverse()).toEqual(expected);
        }),
        { numRuns: runs },
      );
    });
  });
}

/** A read that goes on now and then. */
class Reading {
  readonly #blocks: AsyncIterator<FoundBlock>;
  readonly #wanted: readonly string[];
  readonly #seen: string[] = [];
  #failed = false;

  constructor(blocks: AsyncIterable<FoundBlock>, wanted: readonly string[]) {
    this.#blocks = blocks[Symbol.asyncIterator]();
    this.#wanted = wanted;
  }

  async read(blocks: number): Promise<void> {
    for (let i = 0; i < blocks && !this.#failed; i++) {
      try {
        const { value, done } = await this.#blocks.next();
        if (done === true) return;
        await value.payload();
        this.#seen.push(...recordIds(value));
      } catch (error) {
        expect(error).toMatchObject({ name: 'DebugError', code: 'UNAVAILABLE' });
        this.#failed = true;
      }
    }
  }

  /** What was there when it began came once; what came later may. */
  mustBeExact(): void {
    expect(new Set(this.#seen).size).toBe(this.#seen.length);
    if (!this.#failed) expect(this.#wanted.filter((id) => !this.#seen.includes(id))).toEqual([]);
  }
}

function log(second: number, number = second): LogSpec {
  const time = NOON + BigInt(Math.round(second * 1000)) * (SECOND / 1000n);
  return { time, message: `message ${number}`, correlation: `c${Math.trunc(number) % 7}` };
}

function many(count: number, from: number): Block[] {
  return Array.from({ length: count }, (_, i) => logBlock([log(from + i)]));
}

function recordIds({ index }: FoundBlock): string[] {
  const { columns, count } = decodeIndex(index);
  return Array.from({ length: count }, (_, i) => eventId(columns.time[i]!, columns.hash[i]!));
}
