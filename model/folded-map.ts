/**
 * A map of bits that is filled at its largest and then folded in half, upper bits onto lower ones, for as long as at most a quarter of it is
 * set, or what else is aimed at: nobody has to know beforehand how many bits will come. Who asks takes the low bits of a position, as many as the map has.
 */

/** Of a filter of a block: reading one in vain costs more than the bytes. */
export const SHARE_AIMED_AT = 1 / 4;

/**
 * @param map its bytes a power of two, beginning at a word
 * @param shareAimedAt of what it may be folded to
 * @param bytesMin it is not folded below
 * @param shareMax of a map of which more is set, `null` is answered: it rules out too little for its bytes
 */
export function foldedMap(
  map: Uint8Array,
  shareAimedAt: number,
  bytesMin: number,
  shareMax: number,
): Uint8Array | null {
  const set = bitsSet(map);
  if (set > map.length * 8 * shareMax) return null;
  let last = map;
  while (last.length > bytesMin) {
    const folded = last.slice(0, last.length / 2);
    const words = new Uint32Array(folded.buffer);
    const upper = new Uint32Array(last.buffer, last.byteOffset + folded.length, words.length);
    for (let i = 0; i < words.length; i++) words[i]! |= upper[i]!;
    // Folding never sets more: only where the last count is too high, counting anew can tell.
    const most = folded.length * 8 * shareAimedAt;
    if (set > most && bitsSet(folded) > most) break;
    last = folded;
  }
  return last;
}

/** The positions of what is set in a map that begins at a word, ascending. */
export function setBits(map: Uint8Array): Uint32Array {
  const positions = new Uint32Array(bitsSet(map));
  const words = new Uint32Array(map.buffer, map.byteOffset, map.length / 4);
  let count = 0;
  for (let i = 0; i < words.length; i++) {
    for (let rest = words[i]!; rest !== 0; rest &= rest - 1)
      positions[count++] = i * 32 + 31 - Math.clz32(rest & -rest);
  }
  return positions;
}

/** Of a map that begins at a word (Warren, Hacker's Delight, 2002, 5-1). */
function bitsSet(map: Uint8Array): number {
  let set = 0;
  for (const word of new Uint32Array(map.buffer, map.byteOffset, map.length / 4)) {
    let bits = word - ((word >>> 1) & 0x55555555);
    bits = (bits & 0x33333333) + ((bits >>> 2) & 0x33333333);
    set += Math.imul((bits + (bits >>> 4)) & 0x0f0f0f0f, 0x01010101) >>> 24;
  }
  return set;
}
