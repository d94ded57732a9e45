/**
 * Which texts the messages of a block may hold: a signature of their n-grams (Harrison, 1971; as Zobel, Moffat, Sacks-Davis, 1993, index
 * fragments), so that a search for a part of a message leaves out blocks without reading their payload. Each four bytes in a row of a message, in
 * lower case, set one bit of a map; a text can be there only where all of its own are set.
 *
 * One bit a gram and not several: a text of twenty bytes asks for seventeen bits anyway. The map is folded as far as it stays sparse (folded-map.ts).
 * Grams with a digit have a map of their own, since ids and amounts, of which each record brings others, would fill that of words. A map
 * that is full all the same is left out: it would rule out nothing.
 *
 * Messages of one template are the same but for their values, so that most grams of a message are in the map already: each is compared with an
 * earlier one that begins alike and is as long, and only what differs is hashed (`node test/bench/text-filter.ts`).
 */

import { foldedMap, SHARE_AIMED_AT, setBits } from './folded-map.ts';

/** Bits of the largest map of a block: 4 kB, of two such maps 8 bytes a record of a full block. */
const BITS_MAX = 1 << 15;
const BYTES_MIN = 8;
/** A map of which more is set rules out too little for its bytes. */
const SHARE_MAX = 1 / 2;
const GRAM = 4;
/** First byte of what is written, then for each map the logarithm of its bytes, or NONE. */
const VERSION = 1;
const HEAD_BYTES = 3;
const NONE = 0xff;
const MAPS = 2;
/** Places of the maps. */
export const WORDS = 0;
export const NUMBERS = 1;

const encoder = new TextEncoder();
// As records are read: what is no UTF-8 becomes U+FFFD.
const decoder = new TextDecoder('utf-8', { fatal: false, ignoreBOM: true });

/** Of a byte its lower case, and whether it is a digit or not ASCII. */
const DIGIT = 0x100;
const BEYOND = 0x200;
const KINDS = Uint16Array.from({ length: 256 }, (_, byte) => {
  if (byte >= 0x80) return byte | BEYOND;
  if (isDigit(byte)) return byte | DIGIT;
  return byte >= 0x41 && byte <= 0x5a ? byte + 0x20 : byte;
});

/** A power of two; as many messages are remembered. A slot is 12 bytes, cleared with each block. */
const SLOTS = 512;
const SLOT_SHIFT = 32 - Math.log2(SLOTS);
const SLOT_WORDS = 3;
const VIEW = 0; // place of the view of its bytes, plus one; 0: none yet
const START = 1;
const LENGTH = 2;
const NO_VIEW = new DataView(new ArrayBuffer(0));

/** Takes messages until it is asked for their filter. Bytes that were given MUST NOT change until then. */
export class TextFilterBuilder {
  /** The map of words, then that of numbers. */
  readonly #maps: Uint8Array;
  readonly #bits: number;
  #known = true;
  /** One message of those that begin alike and are as long, all of whose grams are in the maps. */
  readonly #slots = new Uint32Array(SLOTS * SLOT_WORDS);
  #views: DataView[] = [];
  /** What was given last, and a view of it: two words are compared in the time of two bytes. */
  #bytes: Uint8Array | null = null;
  #view: DataView = NO_VIEW;

  /** @param bits of each map before it is folded: for more than one block, more. A power of two */
  constructor(bits = BITS_MAX) {
    this.#bits = bits;
    this.#maps = new Uint8Array((MAPS * bits) / 8);
  }

  /** The message in a range, as a row of a record table has it: where it ends before it begins, it is not known, and the filter says nothing. */
  add(bytes: Uint8Array, start: number, end: number): void {
    if (end <= start) {
      if (end < start) this.giveUp();
      return;
    }
    if (this.#addAscii(bytes, start, end)) return;
    // What folds beyond ASCII is left to the one who knows all of Unicode: a Kelvin sign is a k.
    const folded = encoder.encode(decoder.decode(bytes.subarray(start, end)).toLowerCase());
    this.#addFolded(folded);
  }

  /** There is a message that cannot be told: the filter says nothing. */
  giveUp(): void {
    this.#known = false;
  }

  /** For {@link mayHoldText}; empty where it would rule out nothing. @param shareAimedAt as of {@link foldedMap} */
  build(shareAimedAt = SHARE_AIMED_AT): Uint8Array {
    if (!this.#known) return new Uint8Array();
    const maps = [WORDS, NUMBERS].map((map) => foldedMap(this.#mapOf(map), shareAimedAt, BYTES_MIN, SHARE_MAX));
    if (maps.every((map) => map === null)) return new Uint8Array();
    const filter = new Uint8Array(maps.reduce((sum, map) => sum + (map?.length ?? 0), HEAD_BYTES));
    filter[0] = VERSION;
    let offset = HEAD_BYTES;
    for (const [i, map] of maps.entries()) {
      filter[1 + i] = map === null ? NONE : Math.log2(map.length);
      if (map === null) continue;
      filter.set(map, offset);
      offset += map.length;
    }
    return filter;
  }

  /** What is set, for {@link addBits} of a builder of as many bits; null where a message is not known. */
  bits(): Uint32Array | null {
    return this.#known ? setBits(this.#maps) : null;
  }

  addBits(bits: Uint32Array | null): void {
    if (bits === null) this.#known = false;
    else for (const bit of bits) this.#maps[bit >>> 3]! |= 1 << (bit & 7);
  }

  clear(): void {
    this.#maps.fill(0);
    this.#known = true;
    this.#slots.fill(0);
    this.#views = [];
    this.#bytes = null;
    this.#view = NO_VIEW;
  }

  /** @returns false at the first byte that is none */
  #addAscii(bytes: Uint8Array, start: number, end: number): boolean {
    if (bytes !== this.#bytes) {
      this.#bytes = bytes;
      this.#view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
    }
    const slots = this.#slots;
    const slot = slotOf(bytes, start, end) * SLOT_WORDS;
    const known = slots[slot + VIEW]!;
    const other = known === 0 ? NO_VIEW : this.#views[known - 1]!;
    const shift = slots[slot + START]! - start;
    const until = start + Math.min(slots[slot + LENGTH]!, end - start);
    if (!this.#addWhatDiffers(bytes, start, end, other, shift, until)) return false;
    if (known !== 0) return true;
    if (this.#views.at(-1) !== this.#view) this.#views.push(this.#view);
    slots[slot + VIEW] = this.#views.length;
    slots[slot + START] = start;
    slots[slot + LENGTH] = end - start;
    return true;
  }

  /**
   * A gram whose four bytes another message has in the same place is in the map already.
   * @param other bytes of which those from `start` to `until` were added before, `shift` further on
   * @returns false at the first byte that is not ASCII
   */
  #addWhatDiffers(
    bytes: Uint8Array,
    start: number,
    end: number,
    other: DataView,
    shift: number,
    until: number,
  ): boolean {
    const maps = this.#maps;
    const bits = this.#bits;
    const view = this.#view;
    const first = start + GRAM - 1;
    for (let i = start; i < end; ) {
      while (i + 4 <= until && view.getInt32(i) === other.getInt32(i + shift)) i += 4;
      while (i < until && bytes[i] === other.getUint8(i + shift)) i++;
      let gram = 0;
      let digits = 0;
      for (let before = Math.max(start, i - GRAM + 1); before < i; before++) {
        const kind = KINDS[bytes[before]!]!;
        gram = (gram << 8) | (kind & 0xff);
        digits = (digits << 8) | (kind >>> 8);
      }
      for (let same = 0; i < end && same < GRAM - 1; i++) {
        same = i < until && bytes[i] === other.getUint8(i + shift) ? same + 1 : 0;
        const kind = KINDS[bytes[i]!]!;
        if (kind >= BEYOND) return false;
        gram = (gram << 8) | (kind & 0xff);
        digits = (digits << 8) | (kind >>> 8);
        if (i < first) continue;
        const bit = (hashOf(gram) & (bits - 1)) | (digits === 0 ? 0 : bits);
        maps[bit >>> 3]! |= 1 << (bit & 7);
      }
    }
    return true;
  }

  #addFolded(bytes: Uint8Array): void {
    for (const { hash, map } of gramsOf(bytes)) {
      this.#mapOf(map)[(hash & (this.#bits - 1)) >>> 3]! |= 1 << (hash & 7);
    }
  }

  #mapOf(map: number): Uint8Array {
    return this.#maps.subarray((map * this.#bits) / 8, ((map + 1) * this.#bits) / 8);
  }
}

function slotOf(bytes: Uint8Array, start: number, end: number): number {
  const head = bytes[start]! | (bytes[start + 1]! << 8) | (bytes[start + 2]! << 16) | (bytes[start + 3]! << 24);
  return Math.imul(head ^ (end - start), 0x9e3779b1) >>> SLOT_SHIFT;
}

/** Of a text in lower case. */
function* gramsOf(bytes: Uint8Array): Generator<{ hash: number; map: number }> {
  for (let i = GRAM; i <= bytes.length; i++) {
    const gram = bytes.subarray(i - GRAM, i);
    yield { hash: hashOf(gram.reduce((sum, byte) => (sum << 8) | byte, 0)), map: gram.some(isDigit) ? NUMBERS : WORDS };
  }
}

/** What {@link mayHoldText} asks of a filter, made once for many. */
export interface TextProbe {
  /** Of the grams, for each map. */
  readonly hashes: readonly (readonly number[])[];
}

/**
 * @param texts that a message holds, all of them, in any case, as `message.toLowerCase().includes(text.toLowerCase())` says
 * @returns null where no filter can tell anything: none of them is four bytes long
 */
export function textProbe(texts: readonly string[]): TextProbe | null {
  const hashes = Array.from({ length: MAPS }, () => new Set<number>());
  // Half of a surrogate pair has no bytes that could be looked for.
  const parts = texts.flatMap((text) => text.toLowerCase().match(/[^\ud800-\udfff]+/g) ?? []);
  for (const part of parts) {
    for (const { hash, map } of gramsOf(encoder.encode(part))) hashes[map]!.add(hash);
  }
  return hashes.every(({ size }) => size === 0) ? null : { hashes: hashes.map((set) => [...set]) };
}

/** @param filter as built, or empty  @returns false: no message holds all the texts; true: one may, or the filter cannot say */
export function mayHoldText(filter: Uint8Array, { hashes }: TextProbe): boolean {
  if (filter.length < HEAD_BYTES || filter[0] !== VERSION) return true;
  let offset = HEAD_BYTES;
  for (const [i, wanted] of hashes.entries()) {
    const log = filter[1 + i]!;
    if (log === NONE) continue;
    const length = 2 ** log;
    const mask = length * 8 - 1;
    for (const hash of wanted) if ((filter[offset + ((hash & mask) >>> 3)]! & (1 << (hash & 7))) === 0) return false;
    offset += length;
  }
  return true;
}

function isDigit(byte: number): boolean {
  return byte >= 0x30 && byte <= 0x39;
}

/** All of its low bits depend on all four bytes, as folding leaves only those. */
function hashOf(gram: number): number {
  const hash = Math.imul(gram ^ (gram >>> 16), 0x9e3779b1);
  return hash ^ (hash >>> 15);
}
