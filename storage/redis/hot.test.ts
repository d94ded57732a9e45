/** What a Redis that is away, hangs, was flushed or is full does to the hot tier: FAULTS.md F6. */
import { randomBytes } from 'node:crypto';
import { Redis } from 'ioredis';
import { pino } from 'pino';
import { afterEach, beforeEach, describe, expect, inject, it, vi } from 'vitest';
import type { Clock } from '../../base/clock.ts';
import { createMeter } from '../../base/meter.ts';
import { attributeProbe } from '../../model/attribute-filter.ts';
import { blockKey } from '../../model/block.ts';
import { textProbe } from '../../model/text-filter.ts';
import { collect, logBlock, NOON, SECOND } from '../../test/support/blocks.ts';
import { type Link, startLink } from '../../test/support/link.ts';
import type { FilterProbe, HotStore } from '../contract.ts';
import { createRedisHotStore } from './hot.ts';

let link: Link;
let admin: Redis;
let keyPrefix: string;
let nowMs: number;
let stores: HotStore[];
const clock: Clock = { nowNanos: () => NOON + BigInt(nowMs) * 1_000_000n, monotonicMs: () => nowMs };
const block = logBlock([{ time: NOON, correlation: 'c' }]);
const next = logBlock([{ time: NOON + SECOND }]);

beforeEach(async () => {
  link = await startLink(inject('redisUrl'));
  admin = new Redis(inject('redisUrl'));
  keyPrefix = `test-${randomBytes(8).toString('hex')}`;
  nowMs = 0;
  stores = [];
});
afterEach(async () => {
  for (const store of stores) await store.stop();
  await link.stop();
  admin.disconnect();
});

function storeAt(url: string, limits: { ttlMs?: number; bytesMax?: number } = {}): HotStore {
  const store = createRedisHotStore({
    url,
    keyPrefix,
    ttlMs: 3_600_000,
    bytesMax: 64 << 20,
    clock,
    log: pino({ level: 'silent' }),
    meter: createMeter(),
    ...limits,
  });
  stores.push(store);
  return store;
}

const ids = async (store: HotStore) => (await collect(store.blocks({ tenant: 'default' }))).map(({ id }) => id);

describe('F6 a Redis that is away', () => {
  it('keeps nobody from starting, and is used as soon as it is there', async () => {
    await link.refuse();
    const store = storeAt(link.url);
    await store.start();
    await store.put([block]);
    await expect(ids(store)).rejects.toMatchObject({ name: 'DebugError', code: 'UNAVAILABLE' });
    await link.accept();
    await vi.waitFor(async () => {
      nowMs += 10_000;
      await store.put([block]);
      expect(await ids(store)).toEqual([block.id]);
    }, 10_000);
  });

  it('loses puts, not the blocks before; and heals by itself', async () => {
    const store = storeAt(link.url);
    await store.start();
    await store.put([block]);
    await link.refuse();
    await store.put([next]);
    await expect(ids(store)).rejects.toMatchObject({ code: 'UNAVAILABLE' });
    await link.accept();
    await vi.waitFor(async () => {
      nowMs += 10_000;
      expect(await ids(store)).toEqual([block.id]);
    }, 10_000);
  });

  it('that hangs makes one put wait; those after it go on at once', async () => {
    const store = storeAt(link.url);
    await store.start();
    link.hang();
    await store.put([block]);
    // Were these to wait for their own time-out each, the test would run into its own.
    for (let i = 0; i < 1000; i++) await store.put([block]);
    link.resume();
    nowMs += 10_000;
    await store.put([next]);
    expect(await ids(store)).toContain(next.id);
  });
});

it.each([
  ['a password that it does not take', (url: string) => url.replace('right', 'secret-word')],
  ['a database that it does not have', (url: string) => `${url}/999`],
  ['what is no Redis URL', (url: string) => url.replace('redis:', 'http:')],
])('%s is a wrong setting, named without the password', async (_, change) => {
  await admin.acl('SETUSER', keyPrefix, 'on', '>right', '~*', '+@all');
  const url = new URL(inject('redisUrl'));
  url.username = keyPrefix;
  url.password = 'right';
  const refused = storeAt(change(url.href)).start();
  await expect(refused).rejects.toMatchObject({ code: 'INVALID', fields: [{ field: 'DEBUG_REDIS_URL' }] });
  await refused.catch((error) => expect(`${error} ${JSON.stringify(error)}`).not.toContain('secret-word'));
  await admin.acl('DELUSER', keyPrefix);
});

it('F6 what was flushed is gone, and what is put after that is there', async () => {
  const store = storeAt(inject('redisUrl'));
  await store.start();
  await store.put([block]);
  await removeAll();
  await admin.script('FLUSH');
  expect(await ids(store)).toEqual([]);
  await store.put([next, block]);
  expect(await ids(store)).toEqual([next.id, block.id]);
});

it('F6 whatever single key Redis drops, the rest is read and nothing wrong', async () => {
  const blocks = Array.from({ length: 20 }, (_, i) => logBlock([{ time: NOON + BigInt(i), correlation: 'c' }]));
  const store = storeAt(inject('redisUrl'));
  await store.start();
  await store.put(blocks);
  for (const key of await admin.keys(`${keyPrefix}*`)) {
    await admin.del(key);
    for (const keys of [undefined, [blockKey('correlation', 'c')]]) {
      for (const found of await collect(store.blocks({ tenant: 'default', ...(keys && { keys }) }))) {
        const original = blocks.find(({ id }) => id === found.id)!;
        expect(Buffer.compare(found.index, original.index)).toBe(0);
        const payload = await found.payload().catch(() => original.payload);
        expect(Buffer.compare(payload, original.payload)).toBe(0);
      }
    }
    nowMs += 10_000; // after a payload that was gone
    await store.put(blocks);
  }
});

it('F6 a key of ours that is something else costs the hot tier only', async () => {
  await admin.set(`${keyPrefix}:{default:0}:g`, 'not a hash');
  const store = storeAt(inject('redisUrl'));
  await store.start();
  await store.put([block]);
  await admin.del(`${keyPrefix}:{default:0}:g`);
  nowMs += 10_000;
  await store.put([block]);
  expect(await ids(store)).toEqual([block.id]);
});

it('nothing stays in Redis for longer than its time', async () => {
  const store = storeAt(inject('redisUrl'), { ttlMs: 100 });
  await store.start();
  await store.put([block]);
  expect(await ids(store)).toEqual([block.id]);
  await vi.waitFor(async () => expect(await admin.keys(`${keyPrefix}*`)).toEqual([]));
  expect(await ids(store)).toEqual([]);
});

it('drops the keys with the blocks that make room', async () => {
  const store = storeAt(inject('redisUrl'), { bytesMax: 100_000 });
  await store.start();
  for (let i = 0; i < 400; i++) {
    await store.put([logBlock([{ time: NOON + BigInt(i), correlation: `c${i}`, message: 'x'.repeat(1000) }])]);
  }
  const kept = (await ids(store)).length;
  expect(kept).toBeGreaterThan(20);
  let keys = 0;
  for (const key of await admin.keys(`${keyPrefix}:{default:0}:*:keys`)) keys += await admin.zcard(key);
  expect(keys).toBe(2 * kept); // component and correlation
  for (const kind of 'ipta') expect(await admin.keys(`${keyPrefix}:{default:0}:${kind}:*`)).toHaveLength(kept);
});

it('hands out what no filter denies, and what an older version put without filters', async () => {
  const store = storeAt(inject('redisUrl'));
  await store.start();
  const blocks = [0n, 1n, 2n].map((i) =>
    logBlock([{ time: NOON + i, message: `number ${i}`, attributes: { n: `number-${i}` } }]),
  );
  await store.put(blocks);
  const found = async (mayHold: FilterProbe) =>
    (await collect(store.blocks({ tenant: 'default', mayHold }))).map(({ id }) =>
      blocks.findIndex((one) => one.id === id),
    );
  const texts = textProbe(['number 1'])!;
  const attributes = attributeProbe([['n', 'number-1']])!;
  expect(await found({ texts })).toEqual([1]);
  expect(await found({ attributes })).toEqual([1]);
  expect(await found({ texts, attributes: attributeProbe([['n', 'number-2']])! })).toEqual([]);
  for (const kind of 'ta') await admin.del(`${keyPrefix}:{default:0}:${kind}:${blocks[2]!.id}`);
  expect(await found({ texts, attributes })).toEqual([2, 1]);
});

it('tells shards and tenants apart, and merges the shards of one', async () => {
  const store = storeAt(inject('redisUrl'));
  await store.start();
  const of = (shard: number, second: bigint, tenant = 'a:1}{') =>
    logBlock([{ time: NOON + second * SECOND, message: `${shard}`, correlation: 'c' }], { shard, tenant });
  const blocks = [of(0, 1n), of(7, 2n), of(7, 3n), of(1023, 4n), of(0, 5n)];
  await store.put([...blocks, of(0, 9n, 'a'), of(1, 9n, 'a:1')]);
  for (const keys of [undefined, [blockKey('correlation', 'c')]]) {
    const found = await collect(store.blocks({ tenant: 'a:1}{', ...(keys && { keys }) }));
    expect(found.map(({ id }) => id)).toEqual(blocks.map(({ id }) => id).reverse());
  }
});

async function removeAll(): Promise<void> {
  for (const key of await admin.keys(`${keyPrefix}*`)) await admin.del(key);
}
