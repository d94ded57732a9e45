/** The hot tier in this process: the newest blocks as they were put, bounded in bytes and in age. */
import type { Clock } from '../../base/clock.ts';
import { DebugError } from '../../base/errors.ts';
import type { Block, BlockFilters } from '../../model/block.ts';
import { type BlockSelector, type FoundBlock, type HotStore, holds } from '../contract.ts';
import { Heap } from '../heap.ts';

export interface MemoryHotOptions {
  /** What blocks and their keys may take together; the oldest are dropped first. */
  bytesMax: number;
  /** How long a block stays after it was put. */
  ttlMs: number;
  clock: Clock;
}

export function createMemoryHotStore(options: MemoryHotOptions): HotStore {
  let held = new Held(options);
  let stopped = false;
  return {
    name: 'hot tier in memory',
    tier: 'hot',
    async start() {},
    async stop() {
      stopped = true;
      held = new Held(options);
    },
    async put(blocks) {
      if (stopped) return;
      for (const block of blocks) held.add(block);
    },
    async *blocks(selector) {
      if (stopped) throw new DebugError('UNAVAILABLE', 'the hot tier is stopped');
      yield* held.find(selector);
    },
    async completeSince() {
      held.dropOld();
      return stopped ? null : held.completeSince;
    },
  };
}

interface HeldBlock extends FoundBlock {
  tenant: string;
  filters: BlockFilters;
  keys: readonly bigint[];
  bytes: number;
  putMs: number;
}

// Measured over 20,000 blocks and a million keys that no two blocks share, the worst case.
const BYTES_PER_BLOCK = 900;
const BYTES_PER_KEY = 64;

class Held {
  readonly #bytesMax: number;
  readonly #ttlMs: number;
  readonly #clock: Clock;
  /** By tenant and id, in the order in which they were put: the order in which they are dropped. */
  readonly #blocks = new Map<string, HeldBlock>();
  readonly #tenants = new Map<string, { all: Run; byKey: Map<bigint, HeldBlock | Run> }>();
  #bytes = 0;
  /** Everything that was put and whose newest record is at or after this time is still here. */
  completeSince = 0n;

  constructor({ bytesMax, ttlMs, clock }: MemoryHotOptions) {
    this.#bytesMax = bytesMax;
    this.#ttlMs = ttlMs;
    this.#clock = clock;
  }

  add(block: Block): void {
    const { id, tenant, timeMin, timeMax, keys, filters } = block;
    const name = nameOf(block);
    if (this.#blocks.has(name)) return;
    const index = ownBytes(block.index);
    const payload = ownBytes(block.payload);
    const filterBytes = filters.texts.length + filters.attributes.length;
    const bytes = index.length + payload.length + filterBytes + keys.length * BYTES_PER_KEY + BYTES_PER_BLOCK;
    const putMs = this.#clock.monotonicMs();
    const held = { id, timeMin, timeMax, index, payload: async () => payload, tenant, keys, filters, bytes, putMs };
    this.#blocks.set(name, held);
    this.#bytes += bytes;

    let own = this.#tenants.get(tenant);
    if (own === undefined) this.#tenants.set(tenant, (own = { all: new Run(), byKey: new Map() }));
    own.all.add(held);
    for (const key of keys) {
      const known = own.byKey.get(key);
      if (known instanceof Run) known.add(held);
      else own.byKey.set(key, known === undefined ? held : new Run(known, held));
    }
    this.dropOld();
  }

  dropOld(): void {
    const oldestMs = this.#clock.monotonicMs() - this.#ttlMs;
    for (const block of this.#blocks.values()) {
      if (this.#bytes <= this.#bytesMax && block.putMs > oldestMs) return;
      this.#drop(block);
    }
  }

  #drop(block: HeldBlock): void {
    this.#blocks.delete(nameOf(block));
    this.#bytes -= block.bytes;
    if (block.timeMax >= this.completeSince) this.completeSince = block.timeMax + 1n;
    const own = this.#tenants.get(block.tenant)!;
    own.all.drop(block);
    for (const key of block.keys) {
      const known = own.byKey.get(key)!;
      if (known instanceof Run && known.size > 1) known.drop(block);
      else own.byKey.delete(key);
    }
    if (own.all.size === 0) this.#tenants.delete(block.tenant);
  }

  *find({ tenant, keys: asked, besides, start = 0n, end, mayHold }: BlockSelector): Generator<FoundBlock> {
    this.dropOld();
    const own = this.#tenants.get(tenant);
    if (own === undefined) return;
    const keys = besides === undefined ? asked : [besides];
    // By id and not by position: blocks come and go between two steps of the reader.
    const heads = new Heap<{ of: HeldBlock | Run; block: HeldBlock }>((a, b) => a.block.id > b.block.id);
    const push = (of: HeldBlock | Run | undefined, before: string) => {
      const block = of instanceof Run ? of.before(before) : of !== undefined && of.id < before ? of : undefined;
      if (block !== undefined && block.timeMax >= start) heads.push({ of: of!, block });
    };
    if (keys === undefined) push(own.all, AFTER_ALL);
    else for (const key of new Set(keys)) push(own.byKey.get(key), AFTER_ALL);
    let last: HeldBlock | undefined;
    for (let head = heads.pop(); head !== undefined; head = heads.pop()) {
      const { of, block } = head;
      const isMeant = (end === undefined || block.timeMin <= end) && holds(mayHold, block.filters);
      if (block !== last && isMeant) yield block;
      last = block;
      push(of, block.id);
    }
  }
}

/** Blocks in the order of their ids. They come nearly in it, and are dropped nearly from the front. */
class Run {
  #blocks: HeldBlock[];
  /** Dropped ones at the front, still in the list: removing each would move all others. */
  #gone = 0;

  constructor(...blocks: HeldBlock[]) {
    this.#blocks = blocks.sort((a, b) => (a.id < b.id ? -1 : 1));
  }

  get size(): number {
    return this.#blocks.length - this.#gone;
  }

  add(block: HeldBlock): void {
    this.#blocks.splice(this.#position(block.id), 0, block);
  }

  drop(block: HeldBlock): void {
    const position = this.#position(block.id);
    if (position !== this.#gone) this.#blocks.splice(position, 1);
    else if (++this.#gone * 2 > this.#blocks.length) {
      this.#blocks = this.#blocks.slice(this.#gone);
      this.#gone = 0;
    }
  }

  /** The newest block whose id is smaller. */
  before(id: string): HeldBlock | undefined {
    const position = this.#position(id);
    return position > this.#gone ? this.#blocks[position - 1] : undefined;
  }

  /** Of the first block whose id is not smaller. */
  #position(id: string): number {
    let low = this.#gone;
    let high = this.#blocks.length;
    while (low < high) {
      const middle = (low + high) >> 1;
      if (this.#blocks[middle]!.id < id) low = middle + 1;
      else high = middle;
    }
    return low;
  }
}

/** Above every id of hex digits. */
const AFTER_ALL = 'g';

function nameOf({ tenant, id }: { tenant: string; id: string }): string {
  return `${id} ${tenant}`;
}

/** zlib hands out views of 16 kB chunks: kept as they are, a block of one record would take thirty times its size. */
function ownBytes(bytes: Uint8Array): Uint8Array {
  return bytes.buffer.byteLength === bytes.byteLength ? bytes : new Uint8Array(bytes);
}
