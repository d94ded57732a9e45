/**
 * A mergeable sketch of positive values with bounded relative error: DDSketch (Masson, Rim, Lee; VLDB 2019) in its
 * logarithmic form. Quantiles are right within 1%; two sketches merge by adding their buckets, in any order.
 */
const RELATIVE_ERROR = 0.01;
const GAMMA = (1 + RELATIVE_ERROR) / (1 - RELATIVE_ERROR);
const LOG_GAMMA = Math.log(GAMMA);
// Values under this count as zero: a nanosecond, in milliseconds.
const VALUE_MIN = 1e-6;
// 1% error over 15 decades needs 1,730 buckets; a minute of one component touches a few dozen.
const BUCKET_MAX = 1024;
const BUCKET_MIN = -700;
const INT32_MAX = 0x7fff_ffff;

export class Sketch {
  readonly #buckets = new Map<number, number>();
  /** The buckets in order, until one changes: minutes are asked for a quantile far more often than they are added to. */
  #ordered: Int32Array | null = null;
  #zeros = 0;
  #count = 0;

  get count(): number {
    return this.#count;
  }

  /** Without a value, and without any taken away. */
  get isEmpty(): boolean {
    return this.#count === 0 && this.#zeros === 0 && this.#buckets.size === 0;
  }

  /**
   * @param value 0 or more, not NaN; negative ones (a broken clock) count as 0
   * @param times below 0 takes away what this sketch, or another that it will be merged with, was given
   */
  add(value: number, times = 1): void {
    this.#count += times;
    if (!(value > VALUE_MIN)) {
      this.#zeros += times;
      return;
    }
    const bucket = Math.min(Math.max(Math.ceil(Math.log(value) / LOG_GAMMA), BUCKET_MIN), BUCKET_MAX);
    this.#addTo(bucket, times);
  }

  merge(other: Sketch): void {
    this.#count += other.#count;
    this.#zeros += other.#zeros;
    for (const [bucket, times] of other.#buckets) this.#addTo(bucket, times);
  }

  /** What {@link Sketch.toBytes} wrote, merged without a sketch between. @throws RangeError when the bytes are cut off */
  addBytes(bytes: Uint8Array): void {
    const numbers = numbersOf(bytes);
    this.#addNumbers(numbers, 0, numbers.length);
  }

  /** The same of many behind each other, each behind its length in bytes, a big-endian number of 32 bits: without a view of each. */
  addAll(bytes: Uint8Array): void {
    const numbers = numbersOf(bytes);
    const lengths = new DataView(numbers.buffer, numbers.byteOffset, numbers.byteLength);
    for (let at = 0; at < numbers.length; ) {
      const start = at + 1;
      at = start + lengths.getInt32(4 * at) / 4;
      this.#addNumbers(numbers, start, at);
    }
  }

  #addNumbers(numbers: Int32Array, start: number, end: number): void {
    if (start === end) return;
    this.#zeros += numbers[start]!;
    this.#count += numbers[start]!;
    for (let i = start + 1; i + 1 < end; i += 2) {
      this.#addTo(numbers[i]!, numbers[i + 1]!);
      this.#count += numbers[i + 1]!;
    }
  }

  #addTo(bucket: number, times: number): void {
    this.#ordered = null;
    const sum = (this.#buckets.get(bucket) ?? 0) + times;
    if (sum === 0) this.#buckets.delete(bucket);
    else this.#buckets.set(bucket, sum);
  }

  /** In an array of numbers, which V8 sorts by itself: in pairs with a function that compares, it was most of what a quantile took. */
  #inOrder(): Int32Array {
    if (this.#ordered !== null) return this.#ordered;
    const ordered = new Int32Array(this.#buckets.size);
    let size = 0;
    for (const bucket of this.#buckets.keys()) ordered[size++] = bucket;
    return (this.#ordered = ordered.sort());
  }

  /** The value at rank `floor(n * q)`, within 1%. @param q 0 to 1  @returns null when empty */
  quantile(q: number): number | null {
    if (this.#count === 0) return null;
    const rank = Math.min(Math.floor(this.#count * q), this.#count - 1);
    let seen = this.#zeros;
    if (seen > rank) return 0;
    for (const bucket of this.#inOrder()) {
      seen += this.#buckets.get(bucket)!;
      if (seen > rank) return (2 * GAMMA ** bucket) / (GAMMA + 1);
    }
    return null;
  }

  /** Zeros, then bucket and times in turn, ascending: what {@link Sketch.fromBytes} reads. Times past 2^31 - 1 stay there. */
  toBytes(): Uint8Array {
    const ordered = this.#inOrder();
    const numbers = new Int32Array(1 + 2 * ordered.length);
    numbers[0] = Math.min(this.#zeros, INT32_MAX);
    let size = 1;
    for (const bucket of ordered) {
      numbers[size++] = bucket;
      numbers[size++] = Math.min(this.#buckets.get(bucket)!, INT32_MAX);
    }
    return new Uint8Array(numbers.buffer);
  }

  /**
   * What {@link Sketch.merge} of two makes, from bytes to bytes: both are sorted, so that no map is made of either. A store that adds to a
   * minute does this for every row of every flush.
   * @throws RangeError when the bytes are cut off
   */
  static mergeBytes(one: Uint8Array, other: Uint8Array): Uint8Array {
    const [a, b] = [numbersOf(one), numbersOf(other)];
    const merged = new Int32Array(a.length + b.length + 1);
    merged[0] = Math.min((a[0] ?? 0) + (b[0] ?? 0), INT32_MAX);
    let size = 1;
    for (let i = 1, j = 1; i + 1 < a.length || j + 1 < b.length; ) {
      const bucketA = i + 1 < a.length ? a[i]! : Number.POSITIVE_INFINITY;
      const bucketB = j + 1 < b.length ? b[j]! : Number.POSITIVE_INFINITY;
      let times = 0;
      if (bucketA <= bucketB) {
        times += a[i + 1]!;
        i += 2;
      }
      if (bucketB <= bucketA) {
        times += b[j + 1]!;
        j += 2;
      }
      if (times === 0) continue; // taken away again
      merged[size++] = Math.min(bucketA, bucketB);
      merged[size++] = Math.min(times, INT32_MAX);
    }
    return new Uint8Array(merged.buffer, 0, size * 4);
  }

  /** @throws RangeError when the bytes are cut off */
  static fromBytes(bytes: Uint8Array): Sketch {
    const numbers = numbersOf(bytes);
    const sketch = new Sketch();
    sketch.#zeros = numbers[0] ?? 0;
    sketch.#count = sketch.#zeros;
    for (let i = 1; i + 1 < numbers.length; i += 2) {
      sketch.#buckets.set(numbers[i]!, numbers[i + 1]!);
      sketch.#count += numbers[i + 1]!;
    }
    return sketch;
  }
}

/** In place where they can be; else a copy, as what drivers hand out may lie anywhere in a pool (and a Buffer's slice is none). */
function numbersOf(bytes: Uint8Array): Int32Array {
  const { buffer, byteOffset, length } = bytes;
  if (((byteOffset | length) & 3) === 0) return new Int32Array(buffer, byteOffset, length / 4);
  return new Int32Array(new Uint8Array(bytes).buffer);
}
