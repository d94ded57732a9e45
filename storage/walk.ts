/** One walk over the blocks of several tiers: newest first, each block once, from the fastest tier that has it. */
import type { BlockReader, BlockSelector, FileTally, FoundBlock, TierName } from './contract.ts';

export interface TieredBlock extends FoundBlock {
  /** The fastest tier that has it. */
  tier: TierName;
}

/** One reading of blocks, by `timeMax` descending, then id descending, each once. */
export interface BlockWalk extends AsyncIterable<TieredBlock> {
  /** The tiers that were asked so far and answered. */
  answered(): TierName[];
  /** What was looked at in tiers of files so far. */
  readonly files: FileTally;
}

export interface WalkOptions {
  selector: BlockSelector;
  /** Fastest first. */
  readers: readonly BlockReader[];
  /** Called when a tier fails. Throwing ends the walk; returning lets it go on without the tier. */
  failed(tier: TierName, error: unknown): void;
  /**
   * The time from which on the first reader alone has every block, asked before each step; null: it cannot tell. The others are
   * left alone until the walk gets there.
   */
  firstReach?(): Promise<bigint | null>;
  /** The version of the other readers' blocks, asked at the beginning: what is merged on the way must not change what they have. */
  version?(): Promise<bigint>;
}

export function walkTiers({ selector: asked, readers, failed, firstReach, version }: WalkOptions): BlockWalk {
  const answered = new Set<TierName>();
  const files: FileTally = { considered: 0, opened: 0 };
  let selector = asked;

  async function* walk(): AsyncGenerator<TieredBlock> {
    if (version !== undefined) selector = { ...asked, version: await version() };
    let waiting = firstReach === undefined ? [] : readers.slice(1);
    const sources = readers
      .slice(0, readers.length - waiting.length)
      .map((reader) => new Source(reader, selector, files));
    let last: string | undefined;
    try {
      for (;;) {
        for (const { reader } of await fill(sources, last, failed)) answered.add(reader.tier);
        const newest = newestOf(sources);
        if (waiting.length > 0) {
          const reach = sources[0]!.failed ? null : await firstReach!();
          const enough = reach !== null && ((newest?.timeMax ?? 0n) >= reach || (selector.start ?? 0n) >= reach);
          if (!enough) {
            // What was handed out bounds what is to come, and not the reach: it moves while the first reader drops blocks.
            sources.push(...waiting.map((reader) => new Source(reader, until(selector, last), files)));
            waiting = [];
            continue;
          }
        }
        if (newest === undefined) return;
        last = newest.id;
        const copies = sources.filter(({ head }) => head?.id === newest.id).map(copyOf);
        yield { ...copies[0]!.block, tier: copies[0]!.tier, payload: () => payloadOf(copies) };
      }
    } finally {
      await Promise.all(sources.map((source) => source.close()));
    }
  }

  /** From the fastest copy that can still be read; one that has left its tier since its index was read is looked for in the next. */
  async function payloadOf(copies: readonly { tier: TierName; block: FoundBlock }[]): Promise<Uint8Array> {
    let failure: unknown;
    for (const { block } of copies) {
      try {
        return await block.payload();
      } catch (error) {
        failure ??= error;
      }
    }
    const { id, timeMax } = copies[0]!.block;
    for (const reader of readers.filter(({ tier }) => !copies.some((copy) => copy.tier === tier))) {
      try {
        for await (const block of reader.blocks({ ...ofTenant(selector), start: timeMax, end: timeMax })) {
          if (block.id === id) return await block.payload();
        }
      } catch {
        // What the caller should hear is why the copy that was there could not be read.
      }
    }
    throw failure;
  }

  return {
    files,
    answered: () => readers.map(({ tier }) => tier).filter((tier) => answered.has(tier)),
    [Symbol.asyncIterator]: walk,
  };
}

/** A tier's blocks, one read ahead. */
class Source {
  readonly reader: BlockReader;
  readonly #blocks: AsyncIterator<FoundBlock>;
  head: FoundBlock | undefined;
  failed = false;
  #done = false;

  constructor(reader: BlockReader, selector: BlockSelector, files: FileTally) {
    this.reader = reader;
    this.#blocks = reader.blocks(selector, files)[Symbol.asyncIterator]();
  }

  /** Goes on to the first block older than the last one handed out. */
  async fill(last: string | undefined): Promise<void> {
    while (!this.#done && (this.head === undefined || (last !== undefined && this.head.id >= last))) {
      const { value, done } = await this.#blocks.next();
      this.#done = done === true;
      this.head = done === true ? undefined : value;
    }
  }

  fail(): void {
    this.failed = true;
    this.#done = true;
    this.head = undefined;
  }

  async close(): Promise<void> {
    await this.#blocks.return?.();
  }
}

/** @returns those that did not fail */
async function fill(
  sources: readonly Source[],
  last: string | undefined,
  failed: WalkOptions['failed'],
): Promise<Source[]> {
  const filled = await Promise.allSettled(sources.map((source) => source.fill(last)));
  for (const [i, result] of filled.entries()) {
    if (result.status === 'fulfilled') continue;
    sources[i]!.fail();
    failed(sources[i]!.reader.tier, result.reason);
  }
  return sources.filter((source) => !source.failed);
}

function newestOf(sources: readonly Source[]): FoundBlock | undefined {
  let newest: FoundBlock | undefined;
  for (const { head } of sources)
    if (head !== undefined && (newest === undefined || head.id > newest.id)) newest = head;
  return newest;
}

function copyOf({ reader, head }: Source): { tier: TierName; block: FoundBlock } {
  return { tier: reader.tier, block: head! };
}

function ofTenant({ tenant, version }: BlockSelector): BlockSelector {
  return { tenant, ...(version !== undefined && { version }) };
}

/** @param last id of the block before */
function until(selector: BlockSelector, last: string | undefined): BlockSelector {
  if (last === undefined) return selector;
  const time = BigInt(`0x${last.slice(0, 16)}`);
  return selector.end !== undefined && selector.end < time ? selector : { ...selector, end: time };
}
