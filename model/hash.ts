/**
 * A 64-bit content hash over byte ranges, for ids and keys: two lanes of MurmurHash3 x86 32 (Austin Appleby, 2011, public
 * domain) with different seeds, fed in one pass. Not cryptographic: it tells records apart, it guards nothing.
 * Over a record of 400 bytes it takes 0.3 µs where createHash takes 2.0.
 *
 * Every id that was ever stored depends on it: what it makes of the same input must not change.
 */
export class ContentHash {
  /** Halves of the digest, 32 bits each, once {@link ContentHash.end} was called. */
  high = 0;
  low = 0;
  #a = 0;
  #b = 0;
  #length = 0;

  reset(): this {
    this.#a = 0x9747b28c | 0;
    this.#b = 0x3c6ef372;
    this.#length = 0;
    return this;
  }

  /** Feeds bytes[start, end). Ranges are told apart by the numbers fed between them, not by where they begin. */
  bytes(bytes: Uint8Array, start = 0, end = bytes.length): this {
    return this.range(new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength), start, end);
  }

  /** The same through a view that is there already; four single bytes in place of one word take twice as long. */
  range(view: DataView, start: number, end: number): this {
    let a = this.#a;
    let b = this.#b;
    let i = start;
    for (const last = end - 3; i < last; i += 4) {
      const value = view.getInt32(i, true);
      a = mixedA(a, value);
      b = mixedB(b, value);
    }
    if (i < end) {
      const tail = tailOf(view, i, end);
      a = mixedA(a, tail);
      b = mixedB(b, tail);
    }
    this.#a = a;
    this.#b = b;
    this.#length += end - start;
    return this;
  }

  /**
   * A field of a message: its number, its length and its bytes, as number, number and range would feed them one after the other. Of a log
   * record, with eighteen of them, done in one it takes less; the loop that stands here and in `range` takes more in a method of its own.
   */
  field(number: number, view: DataView, start: number, end: number): this {
    let a = mixedA(mixedA(this.#a, number), end - start);
    let b = mixedB(mixedB(this.#b, number), end - start);
    let i = start;
    for (const last = end - 3; i < last; i += 4) {
      const value = view.getInt32(i, true);
      a = mixedA(a, value);
      b = mixedB(b, value);
    }
    if (i < end) {
      const tail = tailOf(view, i, end);
      a = mixedA(a, tail);
      b = mixedB(b, tail);
    }
    this.#a = a;
    this.#b = b;
    this.#length += end - start;
    return this;
  }

  /** Feeds 32 bits. */
  number(value: number): this {
    this.#a = mixedA(this.#a, value);
    this.#b = mixedB(this.#b, value);
    return this;
  }

  text(text: string): this {
    const { length } = text;
    if (length > SCRATCH.length / 3) return this.bytes(encoder.encode(text)).number(length);
    // Ids and names, a few dozen bytes: an array made by the encoder for each would cost more than hashing it.
    const { written } = encoder.encodeInto(text, SCRATCH);
    return this.range(SCRATCH_VIEW, 0, written).number(length);
  }

  /** Feeds 64 bits. */
  pair(high: number, low: number): this {
    return this.number(low).number(high);
  }

  bigint(value: bigint): this {
    return this.pair(Number((value >> 32n) & 0xffffffffn), Number(value & 0xffffffffn));
  }

  /** Ends the hash; `high` and `low` are its digest, without a bigint being made. */
  end(): this {
    this.high = finish(this.#a ^ this.#length);
    this.low = finish(this.#b ^ this.#length ^ this.high);
    return this;
  }

  digest(): bigint {
    this.end();
    return (BigInt(this.high) << 32n) | BigInt(this.low);
  }
}

/** The hash of some texts together; where one ends and the next begins counts. */
export function hashText(...texts: string[]): bigint {
  const hash = new ContentHash().reset();
  for (const text of texts) hash.text(text);
  return hash.digest();
}

/** One word into the first lane. */
function mixedA(a: number, word: number): number {
  const k = Math.imul(word, 0xcc9e2d51);
  const x = a ^ Math.imul((k << 15) | (k >>> 17), 0x1b873593);
  return (Math.imul((x << 13) | (x >>> 19), 5) + 0xe6546b64) | 0;
}

/** One word into the second. */
function mixedB(b: number, word: number): number {
  const k = Math.imul(word, 0x239b961b);
  const x = b ^ Math.imul((k << 16) | (k >>> 16), 0xab0e9789);
  return (Math.imul((x << 17) | (x >>> 15), 5) + 0x561ccd1b) | 0;
}

/** At most three bytes. */
function tailOf(view: DataView, start: number, end: number): number {
  let tail = 0;
  for (let i = start, shift = 0; i < end; i++, shift += 8) tail |= view.getUint8(i) << shift;
  return tail;
}

const encoder = new TextEncoder();
const SCRATCH = new Uint8Array(1024);
const SCRATCH_VIEW = new DataView(SCRATCH.buffer);

function finish(value: number): number {
  let h = value ^ (value >>> 16);
  h = Math.imul(h, 0x85ebca6b);
  h ^= h >>> 13;
  h = Math.imul(h, 0xc2b2ae35);
  return (h ^ (h >>> 16)) >>> 0;
}
