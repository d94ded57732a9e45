/**
 * The distinct values of one request by the bytes they are: an id that stands on every span of a trace is decoded once. Open addressing
 * over a seeded hash, so that no sender can choose ids that all fall on one place.
 */
export class RangeDictionary {
  /** In the order of their codes: code 1 is values[0]. */
  readonly values: string[] = [];
  readonly #bytes: Uint8Array;
  readonly #view: DataView;
  readonly #decode: (bytes: Uint8Array, start: number, end: number) => string;
  #starts: number[] = [];
  #ends: number[] = [];
  #hashes: number[] = [];
  /** Codes; 0 for an empty place. */
  #slots = new Uint32Array(16);
  #lastCode = 0;

  constructor(bytes: Uint8Array, decode: (bytes: Uint8Array, start: number, end: number) => string) {
    this.#bytes = bytes;
    this.#view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
    this.#decode = decode;
  }

  /** 1 and up; 0 stands for none and is never given out. */
  code(start: number, end: number): number {
    const bytes = this.#bytes;
    if (this.#lastCode !== 0 && this.#is(this.#lastCode, start, end)) return this.#lastCode;
    let hash = SEED ^ (end - start);
    let i = start;
    // By words: the upper bytes of one reach the lower bits, by which places are given, through the shift alone.
    for (const last = end - 3; i < last; i += 4) {
      hash = Math.imul(hash ^ this.#view.getInt32(i, true), 0x9e3779b1);
      hash ^= hash >>> 15;
    }
    for (; i < end; i++) hash = Math.imul(hash ^ bytes[i]!, 0x01000193);
    hash ^= hash >>> 15;
    const mask = this.#slots.length - 1;
    let slot = hash & mask;
    for (let code = this.#slots[slot]!; code !== 0; code = this.#slots[slot]!) {
      if (this.#hashes[code - 1] === hash && this.#is(code, start, end)) {
        this.#lastCode = code;
        return code;
      }
      slot = (slot + 1) & mask;
    }
    const code = this.#add(this.#decode(bytes, start, end), start, end, hash);
    this.#slots[slot] = code;
    if (code * 2 > mask) this.#grow();
    this.#lastCode = code;
    return code;
  }

  /** A value that is no range of the bytes: a number, as text. Not looked for among the others. */
  add(value: string): number {
    return this.#add(value, 0, -1, 0);
  }

  #add(value: string, start: number, end: number, hash: number): number {
    this.#starts.push(start);
    this.#ends.push(end);
    this.#hashes.push(hash);
    return this.values.push(value);
  }

  #is(code: number, start: number, end: number): boolean {
    const bytes = this.#bytes;
    const view = this.#view;
    const at = this.#starts[code - 1]!;
    if (this.#ends[code - 1]! - at !== end - start) return false;
    // From behind: ids begin alike.
    let i = end - start;
    for (; i >= 4; i -= 4) if (view.getInt32(at + i - 4) !== view.getInt32(start + i - 4)) return false;
    for (i--; i >= 0; i--) if (bytes[at + i] !== bytes[start + i]) return false;
    return true;
  }

  #grow(): void {
    const slots = new Uint32Array(this.#slots.length * 4);
    const mask = slots.length - 1;
    for (let code = 1; code <= this.values.length; code++) {
      if (this.#ends[code - 1] === -1) continue;
      let slot = this.#hashes[code - 1]! & mask;
      while (slots[slot] !== 0) slot = (slot + 1) & mask;
      slots[slot] = code;
    }
    this.#slots = slots;
  }
}

const SEED = Math.floor(Math.random() * 2 ** 32) | 0;
