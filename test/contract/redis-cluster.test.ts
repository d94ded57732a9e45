/** The hot tier and the live feed on a real Redis Cluster of three nodes. */
import { randomBytes } from 'node:crypto';
import { Cluster } from 'ioredis';
import { pino } from 'pino';
import { afterAll, beforeAll, expect, it } from 'vitest';
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
