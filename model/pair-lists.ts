/**
 * The attributes of the records of one request as the walk leaves them: hashes of pairs of key and value (attribute-filter.ts), in lists.
 * A record, and a resource or a scope, has one; the events of a span and the points of a metric share that of their owner. A list is the number of
 * its pairs, then the pairs.
 */
export class PairLists {
  /** Lists, back to back; replaced when it grows. */
  words: Uint32Array;
  /** Words that are used: the first list begins behind the empty one. */
  length = 1;
  /** False: there is a pair that could not be told, or no place for one, and no filter over these may deny anything. */
  known = true;
  #open = NO_PAIRS;

  /** @param capacity pairs to begin with */
  constructor(capacity: number) {
    this.words = new Uint32Array(Math.min(capacity + 1, PAIR_WORDS_MAX));
  }

  /** What is added from here on is of a new list. @returns where it begins */
  begin(): number {
    if (this.length === this.words.length && !this.#grow()) return NO_PAIRS;
    this.#open = this.length++;
    return this.#open;
  }

  add(pair: number): void {
    if (this.length === this.words.length && !this.#grow()) return;
    this.words[this.length++] = pair;
    this.words[this.#open]!++;
  }

  /** @returns false at the bound */
  #grow(): boolean {
    if (this.words.length === PAIR_WORDS_MAX) {
      this.known = false;
      return false;
    }
    const words = new Uint32Array(Math.min(this.words.length * 2, PAIR_WORDS_MAX));
    words.set(this.words);
    this.words = words;
    return true;
  }
}

/** Where an empty list is. */
export const NO_PAIRS = 0;

/** 16 MiB. A request of 64 MiB has some 1.6 million usual attributes, but could bring 32 million empty ones. */
export const PAIR_WORDS_MAX = 1 << 22;
