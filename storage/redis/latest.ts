/**
 * The blocks that this process put last, as they went to Redis: one event by its id, which an answer has just named, is mostly asked of the
 * process that took it in. Reading 90 kB over a socket takes longer than decompressing them.
 */
import type { Clock } from '../../base/clock.ts';
import type { Block } from '../../model/block.ts';
import type { BlockSelector, FoundBlock } from '../contract.ts';

export interface LatestBlocksOptions {
  bytesMax: number;
  /** How long a block is kept after it was put. */
  ttlMs: number;
  clock: Clock;
}

export class LatestBlocks {
  readonly #options: LatestBlocksOptions;
  /** The oldest put first. */
  readonly #held = new Map<string, { block: Block; putMs: number }>();
  #bytes = 0;

  constructor(options: LatestBlocksOptions) {
    this.#options = options;
  }

  add(blocks: readonly Block[]): void {
    const putMs = this.#options.clock.monotonicMs();
    for (const block of blocks) {
      const name = `${block.id} ${block.tenant}`;
      if (this.#held.has(name)) continue;
      this.#held.set(name, { block, putMs });
      this.#bytes += bytesOf(block);
    }
    this.#dropOld();
  }

  /** Those of the selector's tenant and window, newest first. */
  of({ tenant, start = 0n, end }: BlockSelector): FoundBlock[] {
    this.#dropOld();
    const blocks = [...this.#held.values()].map(({ block }) => block);
    return blocks
      .filter((one) => one.tenant === tenant && one.timeMax >= start && (end === undefined || one.timeMin <= end))
      .sort((a, b) => (a.id < b.id ? 1 : -1))
      .map(({ id, timeMin, timeMax, index, payload }) => ({
        id,
        timeMin,
        timeMax,
        index,
        payload: async () => payload,
      }));
  }

  #dropOld(): void {
    const { bytesMax, ttlMs, clock } = this.#options;
    const oldestMs = clock.monotonicMs() - ttlMs;
    for (const [name, { block, putMs }] of this.#held) {
      if (this.#bytes <= bytesMax && putMs > oldestMs) return;
      this.#held.delete(name);
      this.#bytes -= bytesOf(block);
    }
  }
}

/** Keys and filters are a tenth of it. */
function bytesOf({ index, payload }: Block): number {
  return index.length + payload.length;
}
