/**
 * What Redis may lack, and filling it again. A tenant is whole when its mark says so and names its shards, and each shard has a mark beside
 * its blocks: whatever takes the blocks away takes the mark too, on each node of a Cluster for itself. Marks of a refill carry its
 * token until it ends, so that one that was flushed meanwhile, or died, is none.
 */
import { randomUUID } from 'node:crypto';
import type { Redis } from 'ioredis';
import { type Block, decodeIndex } from '../../model/block.ts';
import type { Refill } from '../contract.ts';
import type { RedisConnection } from './connection.ts';

export interface RefillingOptions {
  connection: RedisConnection;
  ttlMs: number;
  /** Of a tenant: the set of its shards, and its mark. */
  shardsKey(tenant: string): string;
  wholeKey(tenant: string): string;
  baseOf(tenant: string, shard: number | string): string;
  add(block: Block, leftMs: number): Promise<boolean>;
}

export function createRefilling({ connection, ttlMs, shardsKey, wholeKey, baseOf, add }: RefillingOptions) {
  /** Tenants of which a block could not be put, and how often that was. */
  const losers = new Map<string, number>();

  async function isWhole(redis: Redis, tenant: string): Promise<boolean> {
    const [mark, put] = await Promise.all([redis.get(wholeKey(tenant)), redis.smembers(shardsKey(tenant))]);
    if (mark === null) return false;
    const shards = new Set([...put, ...(JSON.parse(mark) as number[]).map(String)]);
    const marks = await Promise.all([...shards].map((shard) => redis.hget(`${baseOf(tenant, shard)}:g`, MARK)));
    // For as long as somebody looks: of a quiet tenant all is gone after its time, and nothing is missing.
    await redis.pexpire(wholeKey(tenant), ttlMs);
    return marks.every((mark) => mark === WHOLE);
  }

  return {
    lost(tenant: string): void {
      losers.set(tenant, (losers.get(tenant) ?? 0) + 1);
    },

    async lacking(tenants: readonly string[]): Promise<string[]> {
      const lacking = [...losers.keys()].filter((tenant) => !tenants.includes(tenant));
      for (let i = 0; i < tenants.length; i += AT_ONCE) {
        const some = tenants.slice(i, i + AT_ONCE);
        const whole = await connection.run((redis) => Promise.all(some.map((tenant) => isWhole(redis, tenant))));
        lacking.push(...some.filter((tenant, i) => !whole[i] || losers.has(tenant)));
      }
      return lacking;
    },

    refill(tenant: string): Refill {
      const token = randomUUID();
      const begun = new Set<number>();
      const losses = losers.get(tenant);

      async function begin(redis: Redis, shard: number): Promise<void> {
        if (begun.has(shard)) return;
        begun.add(shard);
        const key = `${baseOf(tenant, shard)}:g`;
        await Promise.all([redis.hset(key, MARK, token), redis.pexpire(key, ttlMs)]);
      }

      return {
        async missing(blocks) {
          return connection.run(async (redis) => {
            const shards = blocks.map(({ index }) => decodeIndex(index).header.shard);
            for (const shard of new Set(shards)) await begin(redis, shard);
            const known = await Promise.all(
              blocks.map(({ id }, i) => redis.exists(`${baseOf(tenant, shards[i]!)}:p:${id}`)),
            );
            return blocks.filter((_, i) => known[i] === 0);
          });
        },

        add,

        async end() {
          return connection.run(async (redis) => {
            for (const shard of await redis.smembers(shardsKey(tenant))) await begin(redis, Number(shard));
            const keys = [...begun].map((shard) => `${baseOf(tenant, shard)}:g`);
            const marks = await Promise.all(keys.map((key) => redis.hget(key, MARK)));
            if (!marks.every((mark) => mark === token)) return false;
            await Promise.all(keys.map((key) => redis.hset(key, MARK, WHOLE)));
            await redis.set(wholeKey(tenant), JSON.stringify([...begun]), 'PX', ttlMs);
            if (losers.get(tenant) !== losses) return false;
            losers.delete(tenant);
            return true;
          });
        },
      };
    },
  };
}

const MARK = 'whole';
const WHOLE = '1';
const AT_ONCE = 64;
