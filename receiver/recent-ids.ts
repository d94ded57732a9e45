/**
 * The ids that were stored lately, so that a re-sent record is left out of blocks and counts. Two generations of an
 * open-addressing table of 64-bit fingerprints: when the young one is full it becomes the old one, whose ids go. Bounded, and
 * 16 bytes an id where a Map of strings takes over a hundred. A fingerprint that collides (1 in 2^64 a pair) costs one record.
 */
import { hashText } from '../model/hash.ts';

export class RecentIds {
  readonly #capacity: number;
  #young: Table;
  #old: Table;
  #tenant = '';
  #tenantSalt = 0n;

  /** @param capacity ids of one generation; between one and two times as many are remembered */
  constructor(capacity: number) {
    this.#capacity = capacity;
    this.#young = new Table(capacity);
    this.#old = new Table(1);
  }

  /** Remembers an id. @returns false when it was known already */
  add(tenant: string, time: bigint, hash: bigint): boolean {
    if (tenant !== this.#tenant) {
      this.#tenant = tenant;
      this.#tenantSalt = hashText(tenant);
    }
    // The hash is uniform already; the time only has to be in it. Zero marks an empty place.
    const fingerprint = hash ^ BigInt.asUintN(64, time * 0x9e3779b97f4a7c15n) ^ this.#tenantSalt || 1n;
    if (this.#old.has(fingerprint)) return false;
    if (!this.#young.add(fingerprint)) return false;
    if (this.#young.size >= this.#capacity) {
      this.#old = this.#young;
      this.#young = new Table(this.#capacity);
    }
    return true;
  }
}

class Table {
  size = 0;
  readonly #slots: BigUint64Array;
  readonly #mask: number;

  constructor(capacity: number) {
    // Half full at most, so that probes stay short.
    const slots = 2 ** Math.ceil(Math.log2(Math.max(capacity, 1) * 2));
    this.#slots = new BigUint64Array(slots);
    this.#mask = slots - 1;
  }

  has(fingerprint: bigint): boolean {
    return this.#slots[this.#find(fingerprint)] === fingerprint;
  }

  /** @returns false when it was there */
  add(fingerprint: bigint): boolean {
    const at = this.#find(fingerprint);
    if (this.#slots[at] === fingerprint) return false;
    this.#slots[at] = fingerprint;
    this.size++;
    return true;
  }

  #find(fingerprint: bigint): number {
    const slots = this.#slots;
    let at = Number(fingerprint & 0xffffffffn) & this.#mask;
    while (slots[at] !== 0n && slots[at] !== fingerprint) at = (at + 1) & this.#mask;
    return at;
  }
}
