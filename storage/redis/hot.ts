/**
 * The hot tier in Redis: the blocks as all tiers have them, found by the same keys, for every process. It is only ever a copy: a Redis
 * that is away, was flushed or drops what it likes costs speed.
 */
import type { Redis } from 'ioredis';
import { LRUCache } from 'lru-cache';
import type { Clock } from '../../base/clock.ts';
import { DebugError } from '../../base/errors.ts';
import type { Logger } from '../../base/log.ts';
import type { Meter } from '../../base/meter.ts';
import type { Block } from '../../model/block.ts';
import { hex64 } from '../../model/ids.ts';
import { type BlockSelector, type FilterProbe, type FoundBlock, holds, type RefillableHotStore } from '../contract.ts';
import { createRedisConnection, type RedisConnection } from './connection.ts';
import { LatestBlocks } from './latest.ts';
import { createRefilling } from './refill.ts';
import { FIND, PUT } from './scripts.ts';

export interface RedisHotOptions {
  url: string;
  /** First part of every key. */
  keyPrefix: string;
  /** How long a block stays after it was put. */
  ttlMs: number;
  /** What the shards that this process writes may take in Redis together, each an equal share; the oldest blocks go first. */
  bytesMax: number;
  clock: Clock;
  log: Logger;
  meter: Meter;
}

export function createRedisHotStore(options: RedisHotOptions): RefillableHotStore {
  const { keyPrefix, ttlMs, bytesMax, clock, meter } = options;
  const connection = createRedisConnection('hot tier in Redis', options);
  defineScripts(connection.redis);
  const lost = meter.counter('redis_hot_lost_total', 'Blocks that the hot tier did not take because Redis was away.');
  const written = new Set<string>();
  const latest = new LatestBlocks({ bytesMax: LATEST_BYTES, ttlMs, clock });
  /** One way to Redis less for each look-up. */
  const shards = new LRUCache<string, Promise<string[]>>({ max: TENANTS_MAX, ttl: SHARDS_KNOWN_MS });
  let stopped = false;

  const tenantOf = (tenant: string) => encodeURIComponent(tenant.toWellFormed());
  const shardsKey = (tenant: string) => `${keyPrefix}:{${tenantOf(tenant)}}:shards`;
  const wholeKey = (tenant: string) => `${keyPrefix}:{${tenantOf(tenant)}}:whole`;
  const baseOf = (tenant: string, shard: number | string) => `${keyPrefix}:{${tenantOf(tenant)}:${shard}}`;
  const refilling = createRefilling({
    ...{ connection, ttlMs, shardsKey, wholeKey, baseOf },
    add: (block, leftMs) => connection.run((redis) => putAll(redis, [block], { staysMs: leftMs, dropsNothing: true })),
  });

  /** All commands go out at once; Redis takes other clients' turns between them. */
  async function putAll(
    redis: Redis,
    blocks: readonly Block[],
    { staysMs = ttlMs, dropsNothing = false } = {},
  ): Promise<boolean> {
    const nowMs = clock.nowNanos() / 1_000_000n;
    const replies: Promise<unknown>[] = [];
    const puts: Promise<number>[] = [];
    for (const [base, { tenant, shard }] of new Map(
      blocks.map((block) => [baseOf(block.tenant, block.shard), block]),
    )) {
      written.add(base);
      replies.push(redis.sadd(shardsKey(tenant), shard), redis.pexpire(shardsKey(tenant), ttlMs));
    }
    const share = Math.floor(bytesMax / written.size);
    for (const block of blocks) {
      puts.push(
        (redis as Scripts).putBlock(
          baseOf(block.tenant, block.shard),
          ...[String(nowMs), ttlMs, share, block.id, hex64(block.timeMin), bytesOf(block)],
          ...[bufferOf(block.index), bufferOf(block.payload), reachOf(block)],
          ...[staysMs, dropsNothing ? 1 : 0],
          ...[block.keys.map(keyHex).join(''), bufferOf(block.filters.texts), bufferOf(block.filters.attributes)],
        ),
      );
    }
    const [there] = await Promise.all([Promise.all(puts), ...replies]);
    return there.every((one) => one === 1);
  }

  /** Of a shard that is new within a second the blocks are found in the warm tier, which is asked beside. */
  async function shardsOf(tenant: string): Promise<string[]> {
    let asked = shards.get(tenant);
    if (asked === undefined) {
      asked = connection.run((redis) => redis.smembers(shardsKey(tenant)));
      shards.set(tenant, asked);
      asked.then(
        (found) => found.length === 0 && shards.delete(tenant),
        () => shards.delete(tenant),
      );
    }
    return asked;
  }

  async function* find(selector: BlockSelector): AsyncGenerator<FoundBlock> {
    if (stopped) throw new DebugError('UNAVAILABLE', 'the hot tier is stopped');
    if (selector.keys?.length === 0) return;
    const shards = await shardsOf(selector.tenant);
    yield* newestOf(shards.map((shard) => findInShard(connection, baseOf(selector.tenant, shard), selector)));
  }

  return {
    name: connection.name,
    tier: 'hot',
    start: connection.start,
    async stop() {
      stopped = true;
      await connection.stop();
    },
    async put(blocks) {
      if (stopped || blocks.length === 0) return;
      latest.add(blocks);
      try {
        await connection.run((redis) => putAll(redis, blocks));
      } catch {
        lost.inc(blocks.length); // the connection has told why
        refilling.lost(blocks[0]!.tenant);
      }
    },
    blocks: find,
    latest: (selector) => latest.of(selector),
    /**
     * Never: several processes put, each may have missed a moment in which Redis was away, and Redis drops what it likes when its own
     * memory ends. The warm tier is asked beside it.
     */
    completeSince: async () => null,
    lacking: refilling.lacking,
    refill: refilling.refill,
  };
}

// Some 300,000 events: an hour of eighty a second.
const LATEST_BYTES = 32 << 20;
const TENANTS_MAX = 10_000;
const SHARDS_KNOWN_MS = 1_000;
// A page of 100 events is mostly in the first blocks; who reads on wants many. An index has 10 to 30 kB.
const CHUNK_FIRST = 8;
const CHUNK = 128;
const INDEXES_AT_ONCE = 32;
// A moment is mostly in one or two blocks: their payloads come with their indexes.
const ALONG_MAX = 2;
// Measured on Redis 7 (used_memory): a member of 48 bytes in a large sorted set; four strings with expiry and a member; what the
// allocator rounds up.
const BYTES_PER_KEY = 160;
const BYTES_PER_BLOCK = 900;
const ALLOCATED_PER_BYTE = 1.08;
/** Above every id. */
const ABOVE = 'g';

async function* findInShard(
  connection: RedisConnection,
  base: string,
  { start = 0n, end, keys: asked = [], besides, mayHold, withPayloads }: BlockSelector,
): AsyncGenerator<FoundBlock> {
  // Those of an older version lie in the warm tier too, which is always asked.
  const keys = besides === undefined ? asked : [besides];
  const least = idFrom(start);
  const until = end === undefined ? '' : hex64(end);
  const bounds = [...REACHES, UINT64_MAX].map((reach) => (end === undefined ? ABOVE : idFrom(end + reach + 1n)));
  let below = ABOVE;
  for (let limit = CHUNK_FIRST; ; limit = CHUNK) {
    const [count, last, ...ids] = await connection.run((redis) =>
      (redis as Scripts).findBlocks(base, below, least, until, limit, ...bounds, ...keys.map(keyHex)),
    );
    const held = mayHold === undefined ? ids : await holding(connection, base, ids, mayHold);
    for (let from = 0; from < held.length; from += INDEXES_AT_ONCE) {
      yield* foundBlocks(connection, base, held.slice(from, from + INDEXES_AT_ONCE), withPayloads === true);
    }
    if (count < limit) return;
    below = last;
  }
}

/** Those that no filter denies. They come as they are and are asked here: two pieces of 2 and 4 kB in place of an index of 10 to 30. */
async function holding(
  connection: RedisConnection,
  base: string,
  ids: readonly string[],
  mayHold: FilterProbe,
): Promise<string[]> {
  if (ids.length === 0) return [];
  const read = (redis: Redis, kind: 't' | 'a') => redis.mgetBuffer(ids.map((id) => `${base}:${kind}:${id}`));
  const [texts, attributes] = await connection.run((redis) =>
    Promise.all([mayHold.texts && read(redis, 't'), mayHold.attributes && read(redis, 'a')]),
  );
  // Of a block that an older version put nothing is known.
  return ids.filter((_, i) =>
    holds(mayHold, { texts: texts?.[i] ?? NO_FILTER, attributes: attributes?.[i] ?? NO_FILTER }),
  );
}

const NO_FILTER = new Uint8Array();

/** Those that are still there. */
async function* foundBlocks(
  connection: RedisConnection,
  base: string,
  ids: readonly string[],
  withPayloads: boolean,
): AsyncGenerator<FoundBlock> {
  const keys = (kind: 'i' | 'p') => ids.map((id) => `${base}:${kind}:${id}`);
  const [values, payloads] = await connection.run((redis) =>
    Promise.all([
      redis.mgetBuffer(keys('i')),
      withPayloads && ids.length <= ALONG_MAX ? redis.mgetBuffer(keys('p')) : undefined,
    ]),
  );
  for (const [i, id] of ids.entries()) {
    const value = values[i];
    if (value != null) yield foundBlock(connection, base, { id, value, along: payloads?.[i] ?? null });
  }
}

function foundBlock(
  connection: RedisConnection,
  base: string,
  { id, value, along }: { id: string; value: Buffer; along: Buffer | null },
): FoundBlock {
  return {
    id,
    timeMin: BigInt(`0x${value.toString('latin1', 0, 16)}`),
    timeMax: BigInt(`0x${id.slice(0, 16)}`),
    index: value.subarray(16),
    async payload() {
      const payload = along ?? (await connection.run((redis) => redis.getBuffer(`${base}:p:${id}`)));
      if (payload === null) throw new DebugError('UNAVAILABLE', `block ${id} left the hot tier while it was read`);
      return payload;
    },
  };
}

/** One order over several shards; mostly there is one. */
async function* newestOf(shards: AsyncGenerator<FoundBlock>[]): AsyncGenerator<FoundBlock> {
  const heads = await Promise.all(shards.map((shard) => shard.next()));
  let last: string | undefined;
  for (;;) {
    let newest = -1;
    for (const [i, head] of heads.entries()) {
      if (!head.done && (newest === -1 || head.value.id > heads[newest]!.value.id)) newest = i;
    }
    if (newest === -1) return;
    const block = heads[newest]!.value as FoundBlock;
    if (block.id !== last) yield block;
    last = block.id;
    heads[newest] = await shards[newest]!.next();
  }
}

/** How far a block of each class reaches back from its newest record at most, in nanoseconds; the last class holds the rest. */
const REACHES = [10n, 120n, 3600n].map((seconds) => seconds * 1_000_000_000n);
const UINT64_MAX = 0xffff_ffff_ffff_ffffn;

function reachOf({ timeMin, timeMax }: Block): number {
  const known = REACHES.findIndex((reach) => timeMax - timeMin <= reach);
  return known === -1 ? REACHES.length : known;
}

/** The smallest id of a time. */
function idFrom(time: bigint): string {
  return time > UINT64_MAX ? ABOVE : hex64(time > 0n ? time : 0n) + '0'.repeat(16);
}

type Scripts = Redis & {
  putBlock(base: string, ...values: (string | number | Buffer)[]): Promise<number>;
  findBlocks(base: string, ...values: (string | number)[]): Promise<[number, string, ...string[]]>;
};

function defineScripts(redis: Redis): void {
  redis.defineCommand('putBlock', { numberOfKeys: 1, lua: PUT });
  redis.defineCommand('findBlocks', { numberOfKeys: 1, lua: FIND });
}

function bytesOf({ index, payload, filters, keys }: Block): number {
  const bytes = index.length + payload.length + filters.texts.length + filters.attributes.length;
  return Math.ceil(bytes * ALLOCATED_PER_BYTE) + keys.length * BYTES_PER_KEY + BYTES_PER_BLOCK;
}

/** The same bytes, not a copy. */
function bufferOf({ buffer, byteOffset, byteLength }: Uint8Array): Buffer {
  return Buffer.from(buffer, byteOffset, byteLength);
}

function keyHex(key: bigint): string {
  return hex64(BigInt.asUintN(64, key));
}
