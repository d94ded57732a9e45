/** F6: a Redis that was flushed, restarted, full or away is filled again from the warm tier, and no answer is ever short of a record. */
import { randomBytes } from 'node:crypto';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import fc from 'fast-check';
import { Redis } from 'ioredis';
import { afterEach, beforeEach, expect, inject, it, vi } from 'vitest';
import type { Clock } from '../base/clock.ts';
import { createLogger } from '../base/log.ts';
import { createMeter } from '../base/meter.ts';
import { type Block, blockKey } from '../model/block.ts';
import { flush } from '../test/contract/warm-store.suite.ts';
import { collect, logBlock, NOON, SECOND } from '../test/support/blocks.ts';
import { type Link, startLink } from '../test/support/link.ts';
import type { RefillableHotStore, WarmStore } from './contract.ts';
import { createEmbeddedStore } from './embedded/store.ts';
import { createRedisHotStore, type RedisHotOptions } from './redis/hot.ts';
import { createRefiller, type Refiller } from './refill.ts';
import { createTiers } from './tiers.ts';

const TTL_MS = 3_600_000;
const MINUTES = 60n * SECOND;
let nowMs: number;
const clock: Clock = { nowNanos: () => NOON + BigInt(Math.round(nowMs)) * 1_000_000n, monotonicMs: () => nowMs };

let directory: string;
let warm: WarmStore;
let link: Link;
let admin: Redis;
let keyPrefix: string;
let hots: RefillableHotStore[];
let shared: ReturnType<typeof sharedOf>;
const sharedOf = () => ({ clock, log: createLogger('silent'), meter: createMeter() });

beforeEach(async () => {
  nowMs = 0;
  shared = sharedOf();
  directory = await mkdtemp(join(tmpdir(), 'refill-'));
  warm = createEmbeddedStore({ directory, ...shared });
  await warm.start();
  link = await startLink(inject('redisUrl'));
  admin = new Redis(inject('redisUrl'));
  keyPrefix = `test-${randomBytes(8).toString('hex')}`;
  hots = [];
});
afterEach(async () => {
  for (const hot of hots) await hot.stop();
  await flushed();
  admin.disconnect();
  await link.stop();
  await warm.stop();
  await rm(directory, { recursive: true });
});

async function opened(more: Partial<RedisHotOptions> = {}): Promise<{ hot: RefillableHotStore; refiller: Refiller }> {
  const hot = createRedisHotStore({ url: link.url, keyPrefix, ttlMs: TTL_MS, bytesMax: 64 << 20, ...shared, ...more });
  hots.push(hot);
  await hot.start();
  return { hot, refiller: createRefiller({ hot, warm, ttlMs: TTL_MS, ...shared }) };
}

const block = (i: number, more: { tenant?: string; shard?: number; receivedAt?: bigint } = {}) =>
  logBlock([{ time: NOON - BigInt(i) * MINUTES, message: `${i}`, correlation: `c${i}` }], more);
const ids = async (store: RefillableHotStore, tenant = 'default') =>
  (await collect(store.blocks({ tenant }))).map(({ id }) => id);
const idsOf = (blocks: readonly Block[]) =>
  blocks
    .map(({ id }) => id)
    .sort()
    .reverse();

async function flushed(): Promise<void> {
  const keys = await admin.keys(`${keyPrefix}*`);
  if (keys.length > 0) await admin.del(...keys);
}

it('what was flushed is there again after one round, found by its keys, and the next round finds nothing to do', async () => {
  const { hot, refiller } = await opened();
  const blocks = Array.from({ length: 40 }, (_, i) => block(i, { shard: i % 3 }));
  await warm.commit(flush({ blocks }));
  await hot.put(blocks);
  await refiller.run();
  await flushed();
  expect(await ids(hot)).toEqual([]);
  expect(await refiller.run()).toBe(40);
  expect(await ids(hot)).toEqual(idsOf(blocks));
  const [one] = await collect(hot.blocks({ tenant: 'default', keys: [blockKey('correlation', 'c7')] }));
  expect(await one!.payload()).toEqual(Buffer.from(blocks[7]!.payload));
  expect(await refiller.run()).toBe(0);
  expect(await hot.lacking(['default'])).toEqual([]);
});

it('it begins by itself, and ends when it is told', async () => {
  const { hot, refiller } = await opened();
  await warm.commit(flush({ blocks: [block(1)] }));
  await refiller.start();
  await vi.waitFor(async () => expect(await ids(hot)).toHaveLength(1), 20_000);
  await refiller.stop();
  expect(await shared.meter.registry.metrics()).toMatch(/hot_refills_total\{outcome="whole"\} 1/);
});

it('a shard that is lost alone is seen, as on a Cluster of which one node was emptied', async () => {
  const { hot, refiller } = await opened();
  const blocks = [block(1, { shard: 1 }), block(2, { shard: 2 }), block(3, { tenant: 'other' })];
  await warm.commit(flush({ blocks: blocks.slice(0, 2) }));
  await warm.commit({ ...flush({ blocks: blocks.slice(2) }), tenant: 'other' });
  await hot.put(blocks);
  await refiller.run();
  await admin.del(...(await admin.keys(`${keyPrefix}:{default:2}*`)));
  expect(await hot.lacking(['default', 'other'])).toEqual(['default']);
  expect(await refiller.run()).toBe(1);
  expect(await ids(hot)).toEqual(idsOf(blocks.slice(0, 2)));
});

it('what could not be put while Redis was away is put when it is back', async () => {
  const { hot, refiller } = await opened();
  const blocks = [block(1), block(2)];
  await warm.commit(flush({ blocks: blocks.slice(0, 1) }));
  await refiller.run();
  await link.refuse();
  await warm.commit(flush({ blocks: blocks.slice(1) }));
  await hot.put(blocks.slice(1));
  await expect(refiller.run()).rejects.toMatchObject({ code: 'UNAVAILABLE' });
  await link.accept();
  await vi.waitFor(async () => {
    nowMs += 10_000;
    expect(await refiller.run()).toBe(1);
  }, 10_000);
  expect(await ids(hot)).toEqual(idsOf(blocks));
});

it('stays no longer than it would have, and what is older does not come', async () => {
  const { hot, refiller } = await opened();
  const ago = (ms: number) => NOON - BigInt(ms) * 1_000_000n;
  const [leaving, old] = [block(1, { receivedAt: ago(TTL_MS - 700) }), block(2, { receivedAt: ago(TTL_MS + 1) })];
  await warm.commit(flush({ blocks: [leaving!, old!] }));
  expect(await refiller.run()).toBe(1);
  expect(await ids(hot)).toEqual([leaving!.id]);
  await vi.waitFor(async () => expect(await ids(hot)).toEqual([]));
});

it('newest first, and nothing is dropped for it where there is no room', async () => {
  const { hot, refiller } = await opened({ bytesMax: 60_000 });
  const noise = () => randomBytes(2_000).toString('hex');
  const blocks = Array.from({ length: 40 }, (_, i) =>
    logBlock([{ time: NOON - BigInt(i) * MINUTES, message: noise() }]),
  );
  await warm.commit(flush({ blocks }));
  const added = (await refiller.run())!;
  expect(added).toBeGreaterThan(5);
  expect(await ids(hot)).toEqual(idsOf(blocks).slice(0, added));
  expect(await refiller.run()).toBe(0);
});

it('of two processes one does it', async () => {
  const [one, other] = [await opened(), await opened()];
  const blocks = Array.from({ length: 100 }, (_, i) => block(i % 50, { tenant: `${i}` }));
  for (const each of blocks) await warm.commit({ ...flush({ blocks: [each] }), tenant: each.tenant });
  const done = await Promise.all([one.refiller.run(), other.refiller.run()]);
  expect(done.toSorted()).toEqual([100, null]);
});

it('what is flushed again while it is filled is not taken for whole', async () => {
  const { hot } = await opened();
  const blocks = [block(1), block(2)];
  await warm.commit(flush({ blocks }));
  const refill = hot.refill('default');
  expect(await refill.missing(await collect(warm.blocks({ tenant: 'default' })))).toHaveLength(2);
  await refill.add(blocks[0]!, TTL_MS);
  await flushed();
  await refill.add(blocks[1]!, TTL_MS);
  expect(await refill.end()).toBe(false);
  expect(await hot.lacking(['default'])).toEqual(['default']);
});

it('F6 whatever happens to Redis, and whenever it is filled again, an answer has every event once', async () => {
  const { hot, refiller } = await opened();
  const tiers = createTiers({ hot, warm, cold: null, ...shared });
  const steps = fc.array(fc.constantFrom('commit', 'flush', 'evict', 'away', 'back', 'refill', 'read'), {
    maxLength: 15,
  });
  let committed = 0;
  await fc.assert(
    fc.asyncProperty(steps, async (schedule) => {
      const running: Promise<unknown>[] = [];
      for (const step of schedule) {
        nowMs += 3_000;
        if (step === 'commit') {
          await tiers.commit(
            flush({ blocks: [logBlock([{ time: NOON + BigInt(committed++), message: `${committed}` }])] }),
          );
        } else if (step === 'flush') await flushed();
        else if (step === 'evict') {
          const [key] = await admin.keys(`${keyPrefix}:*`);
          if (key !== undefined) await admin.del(key);
        } else if (step === 'away') await link.refuse();
        else if (step === 'back') await link.accept();
        else if (step === 'refill') running.push(refiller.run().catch(() => {}));
        const { events } = await tiers.reader.events({ tenant: 'default', limit: 1_000 });
        expect(events.length).toBe(committed);
        expect(new Set(events.map(({ id }) => id)).size).toBe(committed);
        const some = events[Math.floor(events.length / 2)];
        if (some !== undefined)
          expect(await tiers.reader.event('default', some.id)).toMatchObject({ event: { id: some.id } });
      }
      await link.accept();
      await Promise.all(running);
    }),
    { numRuns: 10 },
  );
}, 120_000);
