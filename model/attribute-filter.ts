/**
 * Which attributes the records of a block may have: a Bloom filter (Bloom, 1970) of pairs of key and value, so that a search for `key=value`
 * leaves out blocks without reading their payload. Beside the text filter of text-filter.ts, and folded as that is (folded-map.ts).
 *
 * Texts and integers are told apart by their value. Of what else a value can be (a fraction, bytes, a list) only the key counts.
 */

import { foldedMap, SHARE_AIMED_AT, setBits } from './folded-map.ts';
import { NO_PAIRS, type PairLists } from './pair-lists.ts';

/** Bits of the largest map of a block: 8 kB. A block of 1,024 usual records has some 2,000 different pairs. */
const BITS_MAX = 1 << 16;
const BYTES_MIN = 32;
/** Bits of a pair. Of pairs that are nowhere, this power of the share that is set is taken for there. */
export const PROBES = 4;
/** A map of which more is set rules out too little for its bytes. */
const SHARE_MAX = 5 / 8;
/** First byte of what is written. */
const VERSION = 1;
/** Of a long value the beginning and the end count, so many bytes each. */
const SAMPLED_BYTES = 32;

const TEXT = 1;
const INTEGER = 2;
const OTHER = 3;

/** Takes pairs until it is asked for their filter. */
export class AttributeFilterBuilder {
  readonly #map: Uint8Array;
  #known = true;

  /** @param bits of the map before it is folded: for more than one block, more. A power of two */
  constructor(bits = BITS_MAX) {
    this.#map = new Uint8Array(bits / 8);
  }

  /** @param pair of {@link textPair}, {@link integerPair} or {@link otherPair} */
  add(pair: number): void {
    const map = this.#map;
    const mask = map.length * 8 - 1;
    const step = stepOf(pair);
    for (let i = 0, bit = pair; i < PROBES; i++, bit = (bit + step) | 0) {
      map[(bit & mask) >>> 3]! |= 1 << (bit & 7);
    }
  }

  /** One of the lists of a record table. @param at where it begins */
  addList(lists: PairLists, at: number): void {
    const { words } = lists;
    const last = at + words[at]!;
    for (let i = at + 1; i <= last; i++) this.add(words[i]!);
  }

  /** All of them. */
  addLists(lists: PairLists): void {
    if (!lists.known) this.giveUp();
    for (let at = NO_PAIRS; at < lists.length; at += 1 + lists.words[at]!) this.addList(lists, at);
  }

  /** There is something that cannot be told: the filter says nothing. */
  giveUp(): void {
    this.#known = false;
  }

  /** For {@link mayHoldAttributes}; empty where it would rule out nothing. @param shareAimedAt as of {@link foldedMap} */
  build(shareAimedAt = SHARE_AIMED_AT): Uint8Array {
    const map = this.#known ? foldedMap(this.#map, shareAimedAt, BYTES_MIN, SHARE_MAX) : null;
    if (map === null) return new Uint8Array();
    const filter = new Uint8Array(1 + map.length);
    filter[0] = VERSION;
    filter.set(map, 1);
    return filter;
  }

  /** What is set, for {@link addBits} of a builder of as many bits; null where there is something that cannot be told. */
  bits(): Uint32Array | null {
    return this.#known ? setBits(this.#map) : null;
  }

  addBits(bits: Uint32Array | null): void {
    if (bits === null) this.#known = false;
    else for (const bit of bits) this.#map[bit >>> 3]! |= 1 << (bit & 7);
  }

  clear(): void {
    this.#map.fill(0);
    this.#known = true;
  }
}

/** What {@link mayHoldAttributes} asks of a filter, made once for many: for each pair the hashes of which one must be there. */
export type AttributeProbe = readonly (readonly number[])[];

/**
 * @param attributes keys, and the text of their values as answers write it; all of them on one record
 * @returns null where no filter can tell anything
 */
export function attributeProbe(attributes: Iterable<readonly [key: string, text: string]>): AttributeProbe | null {
  const pairs = [...attributes].filter(([key, text]) => isExact(key) && isExact(text));
  if (pairs.length === 0) return null;
  return pairs.map(([key, text]) => {
    const [keyView, textView] = [viewOf(key), viewOf(text)];
    const hash = keyHash(keyView, 0, keyView.byteLength);
    const hashes = [textPair(hash, textView, 0, textView.byteLength), otherPair(hash)];
    if (/^(0|-?[1-9]\d{0,18})$/.test(text)) {
      const value = BigInt.asUintN(64, BigInt(text));
      hashes.push(integerPair(hash, Number(value & 0xffff_ffffn), Number(value >> 32n)));
    }
    return hashes;
  });
}

/** @param filter as built, or empty  @returns false: no record has them all; true: one may, or the filter cannot say */
export function mayHoldAttributes(filter: Uint8Array, probe: AttributeProbe): boolean {
  if (filter.length < 2 || filter[0] !== VERSION) return true;
  const mask = (filter.length - 1) * 8 - 1;
  return probe.every((hashes) =>
    hashes.some((hash) => {
      const step = stepOf(hash);
      for (let i = 0, bit = hash; i < PROBES; i++, bit = (bit + step) | 0) {
        if ((filter[1 + ((bit & mask) >>> 3)]! & (1 << (bit & 7))) === 0) return false;
      }
      return true;
    }),
  );
}

const encoder = new TextEncoder();

function viewOf(text: string): DataView {
  const bytes = encoder.encode(text);
  return new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
}

/** A string of which the bytes are known: what was no UTF-8 reads as U+FFFD and was something else. */
function isExact(text: string): boolean {
  return text.isWellFormed() && !text.includes('\uFFFD');
}

/** Of a key, UTF-8 in a range, by its length and its end: keys are few, and what begins alike ends differently. */
export function keyHash(view: DataView, start: number, end: number): number {
  const length = end - start;
  return mixed(Math.imul(length, 0x9e3779b1), length >= 4 ? view.getInt32(end - 4, true) : tailOf(view, start, end));
}

/** A pair as the filter knows it: a key ({@link keyHash}) and a text, as UTF-8 in a range of `view`. */
export function textPair(key: number, view: DataView, start: number, end: number): number {
  const length = end - start;
  let hash = mixed(key ^ TEXT, length);
  if (length > 2 * SAMPLED_BYTES) {
    hash = mixedRange(hash, view, start, start + SAMPLED_BYTES);
    return finished(mixedRange(hash, view, end - SAMPLED_BYTES, end));
  }
  return finished(mixedRange(hash, view, start, end));
}

/** A key and an integer of 64 bits, in halves. */
export function integerPair(key: number, low: number, high: number): number {
  return finished(mixed(mixed(key ^ INTEGER, low), high));
}

/** A key with a value of another kind. */
export function otherPair(key: number): number {
  return finished(key ^ OTHER);
}

/** As MurmurHash3 (Appleby, 2011) takes its words. */
function mixed(hash: number, word: number): number {
  let k = Math.imul(word, 0xcc9e2d51);
  k = Math.imul((k << 15) | (k >>> 17), 0x1b873593);
  const h = hash ^ k;
  return (Math.imul((h << 13) | (h >>> 19), 5) + 0xe6546b64) | 0;
}

function mixedRange(hash: number, view: DataView, start: number, end: number): number {
  let h = hash;
  let i = start;
  for (const last = end - 3; i < last; i += 4) h = mixed(h, view.getInt32(i, true));
  return i < end ? mixed(h, tailOf(view, i, end)) : h;
}

/** At most three bytes. */
function tailOf(view: DataView, start: number, end: number): number {
  let tail = 0;
  for (let i = start, shift = 0; i < end; i++, shift += 8) tail |= view.getUint8(i) << shift;
  return tail;
}

/** All of its low bits depend on all of it, as folding leaves only those. */
function finished(hash: number): number {
  let h = Math.imul(hash ^ (hash >>> 16), 0x85ebca6b);
  h = Math.imul(h ^ (h >>> 13), 0xc2b2ae35);
  return h ^ (h >>> 16);
}

/** Odd, so that no two probes of a pair meet; of the half of the hash that does not say where they begin. */
export function stepOf(hash: number): number {
  return (hash >>> 16) | 1;
}
