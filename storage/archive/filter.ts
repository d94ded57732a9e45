/**
 * Which keys a file may hold: a Bloom filter (Bloom, 1970) in blocks of one cache line (Putze, Sanders, Singler, 2007), so that a
 * look-up reads 64 bytes of a file instead of its directory. 12 bits a key: 1 in 100 files is opened for nothing.
 */
const BLOCK_BYTES = 64;
const BLOCK_BITS = BLOCK_BYTES * 8;
const BITS_PER_KEY = 12;
const PROBES = 6;

export function buildFilter(keys: ReadonlySet<bigint>): Uint8Array {
  const builder = new FilterBuilder(keys.size);
  for (const key of keys) builder.add(key);
  return builder.bytes;
}

/** For so many keys as a byte of a filter stands for, it is as good as it should be. */
export const KEYS_PER_BYTE = 8 / BITS_PER_KEY;

export class FilterBuilder {
  readonly bytes: Uint8Array;

  /** @param keysMax how many are to come at most; with more it holds more that nobody put in */
  constructor(keysMax: number) {
    const blocks = Math.max(1, Math.ceil((keysMax * BITS_PER_KEY) / BLOCK_BITS));
    this.bytes = new Uint8Array(blocks * BLOCK_BYTES);
  }

  add(key: bigint): void {
    const { offset } = filterBlock(key, this.bytes.length);
    for (const bit of bitsOf(key)) this.bytes[offset + (bit >> 3)]! |= 1 << (bit & 7);
  }
}

/** Where the block of a key lies in a filter of this length. */
export function filterBlock(key: bigint, filterLength: number): { offset: number; length: number } {
  const blocks = BigInt(filterLength / BLOCK_BYTES);
  return { offset: Number((key >> 32n) % blocks) * BLOCK_BYTES, length: BLOCK_BYTES };
}

/** @param block the bytes that {@link filterBlock} names  @returns false: the key is not there; true: it probably is */
export function mayHold(block: Uint8Array, key: bigint): boolean {
  return bitsOf(key).every((bit) => (block[bit >> 3]! & (1 << (bit & 7))) !== 0);
}

/** Keys are hashes: their low half, stepped by an odd number, is as good as hashes of its own. */
function bitsOf(key: bigint): number[] {
  const low = Number(key & 0xffffffffn);
  const step = Math.imul(low ^ (low >>> 15), 0x2c1b3c6d) | 1;
  return Array.from({ length: PROBES }, (_, probe) => (Math.imul(step, probe) + low) >>> 23);
}
