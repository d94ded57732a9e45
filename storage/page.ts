/** The newest records met so far, so many at most, each id once. */
import type { DebugEvent } from '../model/event.ts';
import { eventId } from '../model/ids.ts';
import { Heap } from './heap.ts';

export interface Hit<Block> {
  id: string;
  block: Block;
  position: number;
  /** Where it had to be decoded to be looked at. */
  event?: DebugEvent | undefined;
}

export class NewestPage<Block> {
  readonly #size: number;
  /** The oldest on top: it leaves first. */
  readonly #hits = new Heap<Hit<Block>>((a, b) => a.id < b.id);
  readonly #ids = new Set<string>();
  #oldestTime = 0n;

  constructor(size: number) {
    this.#size = size;
  }

  get isFull(): boolean {
    return this.#hits.size >= this.#size;
  }

  get oldest(): string | undefined {
    return this.#hits.top?.id;
  }

  /** False when a record of this time can no longer be on the page. */
  takes(time: bigint): boolean {
    return !this.isFull || time >= this.#oldestTime;
  }

  add(time: bigint, hash: bigint, block: Block, position: number, event?: DebugEvent): void {
    const id = eventId(time, hash);
    if (this.#ids.has(id)) return;
    if (this.isFull) {
      const oldest = this.#hits.top!.id;
      if (id < oldest) return;
      this.#ids.delete(oldest);
      this.#hits.replaceTop({ id, block, position, event });
    } else this.#hits.push({ id, block, position, event });
    this.#ids.add(id);
    this.#oldestTime = BigInt(`0x${this.#hits.top!.id.slice(0, 16)}`);
  }

  /** Empties the page. */
  newestFirst(): Hit<Block>[] {
    const hits: Hit<Block>[] = [];
    for (let hit = this.#hits.pop(); hit !== undefined; hit = this.#hits.pop()) hits.push(hit);
    return hits.reverse();
  }
}
