/**
 * What waits for one live reader. Messages are handed on together (live-flusher.ts) while the reader takes them; when it is slower than they
 * come the oldest are dropped and counted, and the count is told where they would have stood. A reader that takes nothing for a
 * while is given up. So a slow reader costs a bounded queue, and neither ingest nor any other reader.
 */
import type { Clock } from '../base/clock.ts';
import type { Flushable, Flusher } from './live-flusher.ts';

/** @typeParam T text, or what the transport makes its bytes of */
export interface OutboxSettings<T extends Sized> {
  clock: Pick<Clock, 'monotonicMs'>;
  flusher: Flusher;
  /** Hands messages on; `taken` MUST be called once they have left this process's buffers. */
  write(messages: readonly T[], taken: () => void): void;
  /** What tells of a gap; null: nobody knows how many. */
  gapText(dropped: number | null): T;
  /** The reader has taken nothing for {@link STUCK_MS} while messages were dropped. */
  giveUp(): void;
  /** One message will never be sent. */
  lost?(): void;
  /** Of waiting messages, and characters or bytes. */
  messagesMax?: number;
  charsMax?: number;
}

interface Sized {
  readonly length: number;
}

export interface Outbox<T extends Sized> {
  push(message: T): void;
  /** Says that messages were lost before they came here. */
  gap(dropped: number | null): void;
  /** Hands on what the reader takes now, before its connection is ended. */
  flush(): void;
  /** Nothing is written after it. */
  close(): void;
}

export function createOutbox<T extends Sized>(settings: OutboxSettings<T>): Outbox<T> {
  const { clock, flusher, write, gapText, giveUp, messagesMax = MESSAGES_MAX, charsMax = CHARS_MAX } = settings;
  let waiting: T[] = [];
  let waitingChars = 0;
  let inFlightChars = 0;
  /** Since the last message handed on; null: more than anybody knows. */
  let dropped: number | null = 0;
  let takenMs = clock.monotonicMs();
  let scheduled = false;
  let closed = false;
  const buffer: Flushable = {
    flushedMs: Number.NEGATIVE_INFINITY,
    flush() {
      scheduled = false;
      flush();
    },
  };

  function flush(): void {
    while (!closed && inFlightChars < IN_FLIGHT_CHARS && (waiting.length > 0 || dropped !== 0)) {
      let [count, chars] = [0, 0];
      while (count < waiting.length && chars < IN_FLIGHT_CHARS) chars += waiting[count++]!.length;
      const messages = waiting.splice(0, count);
      waitingChars -= chars;
      if (dropped !== 0) {
        messages.unshift(gapText(dropped));
        dropped = 0;
      }
      send(messages, chars);
    }
  }

  function send(messages: readonly T[], chars: number): void {
    inFlightChars += chars;
    write(messages, () => {
      const wasFull = inFlightChars >= IN_FLIGHT_CHARS;
      inFlightChars -= chars;
      takenMs = clock.monotonicMs();
      if (wasFull) flush();
    });
  }

  function schedule(): void {
    if (scheduled || inFlightChars >= IN_FLIGHT_CHARS) return;
    scheduled = true;
    flusher.schedule(buffer);
  }

  return {
    push(message) {
      if (closed) return;
      if (waiting.length === 0 && inFlightChars === 0) takenMs = clock.monotonicMs();
      waiting.push(message);
      waitingChars += message.length;
      if (waitingChars >= IN_FLIGHT_CHARS || waiting.length >= messagesMax) flush();
      else schedule();
      while (waiting.length > messagesMax || waitingChars > charsMax) {
        waitingChars -= waiting.shift()!.length;
        if (dropped !== null) dropped++;
        settings.lost?.();
        if (clock.monotonicMs() - takenMs > STUCK_MS) {
          closed = true;
          giveUp();
          return;
        }
      }
    },
    gap(count) {
      if (closed) return;
      // What came before the gap is told before it.
      flush();
      dropped = count === null || dropped === null ? null : dropped + count;
      schedule();
    },
    flush,
    close() {
      closed = true;
      waiting = [];
    },
  };
}

// Some seconds of what one reader can look at.
const MESSAGES_MAX = 1000;
const CHARS_MAX = 4 << 20;
// Enough to keep a fast connection busy. What is in flight can no longer be dropped, and is the reader's own copy: 2,000 that take nothing
// hold 256 MB of it at the most.
const IN_FLIGHT_CHARS = 64 << 10;
export const STUCK_MS = 30_000;
