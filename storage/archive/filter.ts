/**
 * Which keys a file may hold: a Bloom filter (Bloom, 1970) in blocks of one cache line (Putze, Sanders, Singler, 2007), so that a
 * look-up reads 64 bytes of a file instead of its directory. 12 bits a key: 1 in 100 files is opened for nothing.
 */
const BLOCK_BYTES = 64;
const BLOCK_BITS = BLOCK_BYTES * 8;
const BITS_PER_KEY = 12;
const PROBES = 6;

export function buildFilter(keys: ReadonlySet<bigint>): Uint8Array {
  const blocks = Math.max(1, Math.ceil((keys.size * BITS_PER_KEY) / BLOCK_BITS));
  const filter = new Uint8Array(blocks * BLOCK_BYTES);
  for (const key of keys) {
    const { offset } = filterBlock(key, filter.length);
    for (const bit of bitsOf(key)) filter[offset + (bit >> 3)]! |= 1 << (bit & 7);
  }
  return filter;
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
