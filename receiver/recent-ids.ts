/**
 * The ids that were stored lately, so that a re-sent record is left out of blocks and counts. Two generations of an
 * open-addressing table of 64-bit fingerprints: when the young one is full it becomes the old one, whose ids go. Bounded, and
 * 16 bytes an id where a Map of strings takes over a hundred. A fingerprint that collides (1 in 2^64 a pair) costs one record.
 */
import { ContentHash } from '../model/hash.ts';

export class RecentIds {
  readonly #capacity: number;
  #young: Table;
  #old: Table;
  #covered = -1n;
  #tenant = '';
  #saltHigh = 0;
  #saltLow = 0;

  /** @param capacity ids of one generation; between one and two times as many are remembered */
  constructor(capacity: number) {
    this.#capacity = capacity;
    this.#young = new Table(capacity);
    this.#old = new Table(1);
  }

  /** Whatever is stored of a later time is remembered, as far as `reach` was told the truth. -1n: everything is. */
  get covered(): bigint {
    return this.#covered;
  }

  /** What is being remembered now is not later than this; to be said before and after, as a generation may end in between. */
  reach(time: bigint): void {
    if (time > this.#young.reach) this.#young.reach = time;
  }

  /** Something up to this time is stored that was never told here. */
  lacks(time: bigint): void {
    if (time > this.#covered) this.#covered = time;
  }

  /** Remembers an id. @returns false when it was known already */
  add(tenant: string, time: bigint, hash: bigint): boolean {
    return this.addWords(tenant, high(time), low(time), high(hash), low(hash));
  }

  /** The same without a bigint: halves of 32 bits, signed or not. */
  addWords(tenant: string, timeHigh: number, timeLow: number, hashHigh: number, hashLow: number): boolean {
    if (tenant !== this.#tenant) this.#enter(tenant);
    // The hash is uniform already; the time only has to be in it.
    const a = hashLow ^ Math.imul(timeLow, 0x7f4a7c15) ^ this.#saltLow;
    const b = hashHigh ^ Math.imul(timeLow, 0x9e3779b9) ^ Math.imul(timeHigh, 0x7f4a7c15) ^ this.#saltHigh;
    if (this.#old.has(a, b)) return false;
    if (!this.#young.add(a, b)) return false;
    if (this.#young.size >= this.#capacity) {
      this.lacks(this.#old.reach);
      this.#old = this.#young;
      this.#young = new Table(this.#capacity);
    }
    return true;
  }

  #enter(tenant: string): void {
    const salt = new ContentHash().reset().text(tenant).end();
    this.#tenant = tenant;
    this.#saltHigh = salt.high;
    this.#saltLow = salt.low;
  }
}

/** Fingerprints of two words each; two zeros mark an empty place, so that of all zeros is kept as another. */
class Table {
  size = 0;
  /** The latest time of what is in it. */
  reach = -1n;
  readonly #words: Int32Array;
  readonly #mask: number;
  readonly #shift: number;

  constructor(capacity: number) {
    // Half full at most, so that probes stay short.
    const bits = Math.ceil(Math.log2(Math.max(capacity, 1) * 2));
    this.#words = new Int32Array(2 ** bits * 2);
    this.#mask = 2 ** bits - 1;
    this.#shift = 32 - bits;
  }

  has(a: number, b: number): boolean {
    const at = this.#find(a, b);
    return (this.#words[at]! | this.#words[at + 1]!) !== 0;
  }

  /** @returns false when it was there */
  add(a: number, b: number): boolean {
    const at = this.#find(a, b);
    const words = this.#words;
    if ((words[at]! | words[at + 1]!) !== 0) return false;
    words[at] = a;
    words[at + 1] = (a | b) === 0 ? 1 : b;
    this.size++;
    return true;
  }

  /** Where it is, or the empty place where it would be. */
  #find(a: number, b: number): number {
    const words = this.#words;
    const mask = this.#mask;
    const second = (a | b) === 0 ? 1 : b;
    for (let slot = Math.imul(a ^ b, SPREAD) >>> this.#shift; ; slot = (slot + 1) & mask) {
      const at = slot * 2;
      const one = words[at]!;
      const two = words[at + 1]!;
      if ((one === a && two === second) || (one | two) === 0) return at;
    }
  }
}

/** Of this process alone, so that no sender can choose ids that all fall on one place. */
const SPREAD = Math.floor(Math.random() * 2 ** 32) | 1;

function high(value: bigint): number {
  return Number(value >> 32n) | 0;
}

function low(value: bigint): number {
  return Number(value & 0xffff_ffffn) | 0;
}
