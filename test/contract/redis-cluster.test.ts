/** The hot tier and the live feed on a real Redis Cluster of three nodes. */
import { randomBytes } from 'node:crypto';
import { Cluster } from 'ioredis';
import { pino } from 'pino';
import { afterAll, beforeAll, expect, it, vi } from 'vitest';
import { systemClock } from '../../base/clock.ts';
import { createMeter } from '../../base/meter.ts';
import { createRedisFeed } from '../../storage/redis/feed.ts';
import { createRedisHotStore } from '../../storage/redis/hot.ts';
import { collect, logBlock, NOON } from '../support/blocks.ts';
import { type RedisCluster, startRedisCluster } from '../support/redis-cluster.ts';
import { describeFeed } from './feed.suite.ts';
import { describeHotStore } from './hot-store.suite.ts';

const log = pino({ level: 'silent' });
const freshPrefix = () => `test-${randomBytes(8).toString('hex')}`;
let cluster: RedisCluster;

beforeAll(async () => {
  cluster = await startRedisCluster();
}, 60_000);
afterAll(() => cluster?.stop());

const optionsOf = () => ({ url: cluster.url, keyPrefix: freshPrefix(), log, meter: createMeter() });
const limits = { bytesMax: 64 << 20, ttlMs: 3_600_000, clock: systemClock() };

describeHotStore(
  'Redis Cluster',
  async (limits) => {
    const store = createRedisHotStore({ ...optionsOf(), ...limits });
    await store.start();
    return { store, drop: () => store.stop() };
  },
  { ageByOurClock: 'Redis expires keys by its own clock' },
);

describeFeed('Redis Cluster', async () => {
  const options = { ...optionsOf(), clock: systemClock() };
  return {
    async open() {
      const feed = createRedisFeed(options);
      await feed.start();
      return feed;
    },
    async drop() {},
  };
});

it('tenants lie on all nodes, each whole on one, and a node that dies takes its own and no others', async () => {
  const options = optionsOf();
  const store = createRedisHotStore({ ...options, ...limits });
  await store.start();
  const tenants = Array.from({ length: 24 }, (_, i) => `tenant-${i}`);
  const blocks = tenants.flatMap((tenant) => [0, 1, 2].map((i) => logBlock([{ time: NOON + BigInt(i) }], { tenant })));
  await store.put(blocks);
  const found = (tenant: string) => collect(store.blocks({ tenant }));
  for (const tenant of tenants) expect(await found(tenant)).toHaveLength(3);

  const { hostname, port } = new URL(cluster.url);
  const admin = new Cluster([{ host: hostname, port: Number(port) }]);
  await admin.ping();
  const sizes = await Promise.all(admin.nodes('master').map((node) => node.dbsize()));
  expect(Math.min(...sizes)).toBeGreaterThan(0);
  admin.disconnect();

  await cluster.nodes[2]!.stop();
  const results = await Promise.allSettled(tenants.map(found));
  const answered = results.filter((result) => result.status === 'fulfilled' && result.value.length === 3);
  const failed = results.filter((result) => result.status === 'rejected');
  expect(failed.length).toBeGreaterThan(0);
  expect(answered.length + failed.length).toBe(tenants.length);
  // A copy that cannot be made costs nobody a commit.
  await store.put(blocks);
  await store.stop();
}, 30_000);

it('a replica that takes the place of its node answers with what it has, and what was put meanwhile comes back', async () => {
  const replicated = await startRedisCluster({ withReplicas: true });
  const store = createRedisHotStore({ ...optionsOf(), ...limits, url: replicated.url });
  try {
    await store.start();
    const tenants = Array.from({ length: 12 }, (_, i) => `tenant-${i}`);
    const blockOf = (tenant: string, i: number) => logBlock([{ time: NOON + BigInt(i) }], { tenant });
    const found = async (tenant: string) => (await collect(store.blocks({ tenant }))).map(({ id }) => id);
    const before = new Map(tenants.map((tenant) => [tenant, blockOf(tenant, 1)]));
    await store.put([...before.values()]);

    await replicated.nodes[1]!.stop();
    // Nobody waits for it, and nothing that is read is wrong.
    const meanwhile = new Map(tenants.map((tenant) => [tenant, blockOf(tenant, 2)]));
    for (const block of meanwhile.values()) await store.put([block]);
    for (const tenant of tenants) {
      const ids = await found(tenant).catch(() => []);
      for (const id of ids) expect([before.get(tenant)!.id, meanwhile.get(tenant)!.id]).toContain(id);
    }

    const isWhole = async () => {
      for (const tenant of tenants) expect(await found(tenant)).toContain(before.get(tenant)!.id);
    };
    await vi.waitFor(isWhole, { timeout: 20_000, interval: 500 });
    await store.put([blockOf('tenant-0', 3)]);
    for (const tenant of await store.lacking(tenants)) {
      const refill = store.refill(tenant);
      const block = meanwhile.get(tenant)!;
      const [missing] = await refill.missing([{ ...block, payload: async () => block.payload }]);
      if (missing !== undefined) expect(await refill.add(block, 60_000)).toBe(true);
      await refill.end();
    }
    for (const tenant of tenants) {
      expect(await found(tenant)).toEqual(expect.arrayContaining([before.get(tenant)!.id, meanwhile.get(tenant)!.id]));
    }
  } finally {
    await store.stop();
    await replicated.stop();
  }
}, 60_000);
