/** The stores that the settings name, not started yet: for the process that receives and answers, and for threads beside it. */
import { join } from 'node:path';
import type { Clock } from '../base/clock.ts';
import type { Part } from '../base/lifecycle.ts';
import type { Logger } from '../base/log.ts';
import type { Meter } from '../base/meter.ts';
import { archivePath, type Config } from '../config.ts';
import { createArchive } from '../storage/archive/archive.ts';
import type { ColdStore, Feed, HotStore, WarmStore } from '../storage/contract.ts';
import { createEmbeddedStore } from '../storage/embedded/store.ts';
import { createMemoryFeed } from '../storage/memory/feed.ts';
import { createMemoryHotStore } from '../storage/memory/hot.ts';
import { createPostgresStore } from '../storage/postgres/store.ts';
import { createRedisFeed } from '../storage/redis/feed.ts';
import { createRedisHotStore } from '../storage/redis/hot.ts';
import { createRefiller } from '../storage/refill.ts';

/** What every store is given. */
interface Shared {
  clock: Clock;
  log: Logger;
  meter: Meter;
}

/** The stores, and what fills the hot one again where that is not ours alone. */
export function createStores(
  config: Config,
  shared: Shared,
): { warm: WarmStore; hot: HotStore; refiller: Part | null; feed: Feed } {
  const ttlMs = config.redisHotTtlHours * HOUR_MS;
  const warm = warmOf(config, shared);
  if (!hasRedis(config)) {
    return {
      warm,
      hot: createMemoryHotStore({ bytesMax: config.hotBytesMax, ttlMs, clock: shared.clock }),
      refiller: null,
      feed: createMemoryFeed(),
    };
  }
  const redis = { url: config.redisUrl, keyPrefix: config.redisKeyPrefix, ...shared };
  const hot = createRedisHotStore({ ...redis, ttlMs, bytesMax: config.hotBytesMax });
  return { warm, hot, refiller: createRefiller({ hot, warm, ttlMs, ...shared }), feed: createRedisFeed(redis) };
}

export function warmOf(config: Config, shared: Shared): WarmStore {
  if (config.pgUrl === '') return createEmbeddedStore({ directory: config.dataDir, ...shared });
  return createPostgresStore({
    url: config.pgUrl,
    retentionHours: config.eventRetentionHours,
    partitionByDay: config.pgPartitionByDay,
    rowSecurity: config.pgRowSecurity,
    ...shared,
  });
}

export function coldOf(config: Config, shared: Shared): ColdStore {
  const { archiveS3Endpoint: endpoint, archiveS3Region: region, dataDir } = config;
  return createArchive({
    url: archivePath(config),
    s3: { ...(endpoint !== '' && { endpoint }), ...(region !== '' && { region }) },
    scratch: join(dataDir, 'archive', 'growing'),
    ...shared,
  });
}

export function hasRedis({ redisUrl, redisEnabled }: Config): boolean {
  return redisUrl !== '' && redisEnabled;
}

export const HOUR_MS = 3_600_000;
