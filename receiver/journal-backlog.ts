import type { RequestIndex } from '../otlp/walk.ts';

/**
 * How much waits for the store and for how long, told in steps: one a group commit, joined two by two when there are too many,
 * so that a backlog of millions of entries costs no more to know than one of a thousand. A step counts whole until the store has
 * all of it: nobody who waits is left out, and the oldest is never called younger than it is.
 */
export class Backlog {
  readonly #stepsMax: number;
  #steps: Step[] = [];

  constructor(stepsMax = 1024) {
    this.#stepsMax = stepsMax;
  }

  /** Entries that end at `end`, behind all that were added; the first of them arrived at `since`. */
  add(end: bigint, entries: number, since: bigint): void {
    if (this.#steps.length >= this.#stepsMax) this.#steps = joined(this.#steps);
    this.#steps.push({ end, entries, since });
  }

  /** The store has everything up to and including this position. */
  release(position: bigint): void {
    const first = this.#steps.findIndex(({ end }) => end > position);
    this.#steps = first < 0 ? [] : this.#steps.slice(first);
  }

  get entries(): number {
    return this.#steps.reduce((sum, { entries }) => sum + entries, 0);
  }

  /** Nanoseconds; null when nothing waits. */
  get oldest(): bigint | null {
    return this.#steps[0]?.since ?? null;
  }
}

interface Step {
  end: bigint;
  entries: number;
  since: bigint;
}

function joined(steps: readonly Step[]): Step[] {
  const half: Step[] = [];
  for (let i = 0; i < steps.length; i += 2) {
    const [a, b = a] = [steps[i]!, steps[i + 1]];
    half.push({ end: b.end, entries: a.entries + (b === a ? 0 : b.entries), since: a.since });
  }
  return half;
}

/** What an entry that waits takes of the heap. */
export function memoryBytesOf({ body, index }: { body: Uint8Array; index: RequestIndex | null }): number {
  if (index === null) return body.length;
  const { words, pairs, correlations, operations, traces } = index.records;
  return (
    body.length +
    words.byteLength +
    pairs.words.byteLength +
    (correlations.length + operations.length + traces.length) * TEXT_BYTES
  );
}

// An id of 32 characters with what V8 keeps beside it, and its place in a list that has grown.
const TEXT_BYTES = 80;
