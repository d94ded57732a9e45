/** The hot tier and the live feed on a real Redis. */
import { randomBytes } from 'node:crypto';
import { pino } from 'pino';
import { inject } from 'vitest';
import { systemClock } from '../../base/clock.ts';
import { createMeter } from '../../base/meter.ts';
import { createRedisFeed } from '../../storage/redis/feed.ts';
import { createRedisHotStore } from '../../storage/redis/hot.ts';
import { describeFeed } from './feed.suite.ts';
import { describeHotStore } from './hot-store.suite.ts';

const log = pino({ level: 'silent' });
const freshPrefix = () => `test-${randomBytes(8).toString('hex')}`;

describeHotStore(
  'Redis',
  async (limits) => {
    const options = { url: inject('redisUrl'), keyPrefix: freshPrefix(), log, meter: createMeter() };
    const store = createRedisHotStore({ ...options, ...limits });
    await store.start();
    return { store, drop: () => store.stop() };
  },
  { ageByOurClock: 'Redis expires keys by its own clock' },
);

describeFeed('Redis', async () => {
  const options = {
    url: inject('redisUrl'),
    keyPrefix: freshPrefix(),
    clock: systemClock(),
    log,
    meter: createMeter(),
  };
  return {
    async open() {
      const feed = createRedisFeed(options);
      await feed.start();
      return feed;
    },
    async drop() {},
  };
});
