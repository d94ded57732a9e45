import type { FeedMessage } from '../storage/contract.ts';

interface Entry {
  sequence: number;
  message: FeedMessage;
  bytes: number;
}

/** The latest messages of the feed, bounded in number and in bytes, the oldest dropped first. Sequences count from 1. */
export class FeedRing {
  readonly #messagesMax: number;
  readonly #bytesMax: number;
  #entries: Entry[] = [];
  /** Entries before this one are dropped; they are cut off when they are half of the array. */
  #first = 0;
  #bytes = 0;
  #last = 0;

  constructor(messagesMax: number, bytesMax: number) {
    this.#messagesMax = messagesMax;
    this.#bytesMax = bytesMax;
  }

  /** @returns the message's sequence */
  push(message: FeedMessage): number {
    const bytes = message.kind === 'block' ? message.index.length + message.payload.length : INSIGHT_BYTES;
    this.#entries.push({ sequence: ++this.#last, message, bytes });
    this.#bytes += bytes;
    while (this.#entries.length - this.#first > this.#messagesMax || this.#bytes > this.#bytesMax) {
      this.#bytes -= this.#entries[this.#first++]!.bytes;
    }
    if (this.#first > this.#entries.length / 2) {
      this.#entries = this.#entries.slice(this.#first);
      this.#first = 0;
    }
    return this.#last;
  }

  /** Whether everything behind this sequence is there; unless it is `whole`, the rest of its own message too. */
  holdsAfter(sequence: number, whole: boolean): boolean {
    const oldest = this.#entries[this.#first]?.sequence ?? this.#last + 1;
    return sequence >= oldest - (whole ? 1 : 0);
  }

  /** The messages from this sequence on, oldest first. */
  from(sequence: number): Entry[] {
    const kept = this.#entries.slice(this.#first);
    return kept.slice(Math.max(0, sequence - (kept[0]?.sequence ?? 0)));
  }

  clear(): void {
    this.#entries = [];
    this.#first = this.#bytes = 0;
  }
}

// What an insight takes, about.
const INSIGHT_BYTES = 4096;
