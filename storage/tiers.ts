/** Hot, warm and cold as one store: a flush goes to warm, then to hot; reads go over all of them. */
import { LRUCache } from 'lru-cache';
import type { Logger } from '../base/log.ts';
import type { Meter } from '../base/meter.ts';
import type { BlockReader, BlockSelector, ColdStore, HotStore, TierName, WarmStore } from './contract.ts';
import { type ColumnReader, createEventReader, type EventReader, type RequestReader } from './query.ts';
import { type BlockWalk, type TieredBlock, walkTiers } from './walk.ts';

export interface Tiers {
  /** As the warm tier promises; a hot tier that is away changes nothing. */
  commit: WarmStore['commit'];
  blocks(selector: BlockSelector): BlockWalk;
  reader: EventReader & ColumnReader & RequestReader;
}

export interface TiersOptions {
  hot: HotStore | null;
  warm: WarmStore;
  cold: ColdStore | null;
  /**
   * Whether all that is committed to `warm` while this runs passes through `commit` here. Then the newest blocks are read from hot
   * alone; else hot may lack what others wrote, and warm is always asked.
   */
  soleWriter?: boolean;
  /** The newest record of a tenant that was merged into another block in `warm` while this runs: hot has it in blocks of other ids. */
  mergedUntil?: (tenant: string) => bigint;
  log: Logger;
  meter: Meter;
}

/** Opens and closes nothing: the stores are started by whoever made them. */
export function createTiers({ hot, warm, cold, soleWriter = false, mergedUntil, log, meter }: TiersOptions): Tiers {
  const readers: BlockReader[] = [hot, warm, cold].filter((tier) => tier !== null);
  const failures = meter.counter('tier_failures_total', 'Reads and copies that a tier failed.', ['tier']);
  const failedOnce = new Set<TierName>();
  const reaches = new LRUCache<string, Promise<bigint>>({ max: TENANTS_MAX });

  function failed(tier: TierName, error: unknown): void {
    failures.inc({ tier });
    // Hot is a copy and cold holds what is old: an answer without them is still one, and says so. Without warm there is none.
    if (tier === 'warm') throw error;
    if (!failedOnce.has(tier)) log.warn({ tier, err: error }, 'a tier failed; answers go on without it');
    failedOnce.add(tier);
  }

  function blocks(selector: BlockSelector): BlockWalk {
    const hotFirst = { firstReach: () => hotReach(selector.tenant), version: warm.version };
    return walkTiers({ selector, readers, failed, ...(hot !== null && soleWriter && hotFirst) });
  }

  function hotBlocks(selector: BlockSelector): BlockWalk {
    return walkTiers({ selector, readers: [hot!], failed });
  }

  function latestBlocks(selector: BlockSelector): TieredBlock[] {
    return hot?.latest?.(selector).map((block) => ({ ...block, tier: 'hot' })) ?? [];
  }

  /** The time from which on hot has every block of the tenant; null while nobody can tell. */
  async function hotReach(tenant: string): Promise<bigint | null> {
    let before = reaches.get(tenant);
    if (before === undefined) {
      before = newestNotInHot(tenant);
      reaches.set(tenant, before);
    }
    try {
      const [complete, unknown] = await Promise.all([hot!.completeSince(), before]);
      const merged = mergedUntil?.(tenant) ?? -1n;
      const missing = merged > unknown ? merged : unknown;
      return complete !== null && complete <= missing ? missing + 1n : complete;
    } catch {
      reaches.delete(tenant);
      return null;
    }
  }

  /** Time of the newest block that hot lacks: what was written before this process, which hot itself cannot know of. */
  async function newestNotInHot(tenant: string): Promise<bigint> {
    const rethrow = (_tier: TierName, error: unknown) => {
      throw error;
    };
    for await (const block of walkTiers({ selector: { tenant }, readers, failed: rethrow })) {
      if (block.tier !== 'hot') return block.timeMax;
    }
    return -1n;
  }

  return {
    async commit(flush, others) {
      const repeated = await warm.commit(flush, others);
      if (repeated.length > 0) return repeated;
      await hot?.put(flush.blocks).catch((error) => failed('hot', error));
      return [];
    },
    blocks,
    reader: createEventReader({ blocks, ...(hot !== null && { hotBlocks, latestBlocks }), rows: warm }),
  };
}

// Of each one number is kept; who comes back after so many others pays one more walk.
const TENANTS_MAX = 1000;
