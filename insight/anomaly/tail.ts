/** How surprising a number is, told by the numbers before it. */

/**
 * The upper tail of what was seen lately. Within it a surprise is a rank; beyond, peaks over a high threshold decay exponentially
 * (Pickands, 1975, with shape 0; Siffer et al., Anomaly detection in streams with extreme value theory, KDD 2017).
 */
export class Tail {
  readonly #sorted: Float64Array;
  /** A ring: the oldest is forgotten first. */
  readonly #inOrder: Float64Array;
  #seen = 0;

  /** @param capacity numbers that are remembered, 16 bytes each */
  constructor(capacity: number) {
    this.#sorted = new Float64Array(capacity);
    this.#inOrder = new Float64Array(capacity);
  }

  /** `-ln` of the chance that a number is as large as this one, 0 and up; 0 while too few are known. */
  surprise(value: number): number {
    const count = Math.min(this.#seen, this.#sorted.length);
    if (count < KNOWN_MIN) return 0;
    const peaks = Math.max(Math.floor(count * PEAKS_SHARE), PEAKS_MIN);
    const threshold = this.#sorted[count - peaks]!;
    if (value <= threshold) return -Math.log((count - this.#below(value, count) + 1) / (count + 1));
    let excess = 0;
    for (let i = count - peaks; i < count; i++) excess += this.#sorted[i]! - threshold;
    // Where peaks are all alike, a hair above them must not be a wonder.
    const scale = Math.max(excess / peaks, Math.abs(threshold) * RESOLUTION, Number.MIN_VALUE);
    return Math.min((value - threshold) / scale - Math.log(peaks / count), SURPRISE_MAX);
  }

  add(value: number): void {
    const capacity = this.#sorted.length;
    let count = Math.min(this.#seen, capacity);
    const slot = this.#seen++ % capacity;
    if (count === capacity) {
      const at = this.#below(this.#inOrder[slot]!, count);
      this.#sorted.copyWithin(at, at + 1, count);
      count--;
    }
    const at = this.#below(value, count);
    this.#sorted.copyWithin(at + 1, at, count);
    this.#sorted[at] = value;
    this.#inOrder[slot] = value;
  }

  /** @param q 0 to 1; 0 while nothing is known */
  quantile(q: number): number {
    const count = Math.min(this.#seen, this.#sorted.length);
    return count === 0 ? 0 : this.#sorted[Math.min(Math.floor(count * q), count - 1)]!;
  }

  /** How many of the first `count` are smaller. */
  #below(value: number, count: number): number {
    let low = 0;
    let high = count;
    while (low < high) {
      const middle = (low + high) >> 1;
      if (this.#sorted[middle]! < value) low = middle + 1;
      else high = middle;
    }
    return low;
  }
}

const KNOWN_MIN = 30;
/** Of a few thousand numbers the largest hundred tell how the rest goes on. */
const PEAKS_SHARE = 0.03;
const PEAKS_MIN = 8;
const RESOLUTION = 1e-9;
// What is beyond has been impossible anyhow; one view must not drown the others.
const SURPRISE_MAX = 1000;
