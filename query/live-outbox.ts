/**
 * What waits for one live reader. Messages are handed on while the reader takes them; when it is slower than they come the oldest
 * are dropped and counted, and the count is told where they would have stood. A reader that takes nothing for a
 * while is given up. So a slow reader costs a bounded queue, and neither ingest nor any other reader.
 */
import type { Clock } from '../base/clock.ts';

/** @typeParam T text, or a frame of the transport that is ready to be sent */
export interface OutboxSettings<T extends string | Buffer> {
  clock: Pick<Clock, 'monotonicMs'>;
  /** Hands a message on; `taken` MUST be called once it has left this process's buffers. */
  write(message: T, taken: () => void): void;
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

export interface Outbox<T extends string | Buffer> {
  push(message: T): void;
  /** Says that messages were lost before they came here. */
  gap(dropped: number | null): void;
  /** Nothing is written after it. */
  close(): void;
}

export function createOutbox<T extends string | Buffer>(settings: OutboxSettings<T>): Outbox<T> {
  const { clock, write, gapText, giveUp, messagesMax = MESSAGES_MAX, charsMax = CHARS_MAX } = settings;
  let waiting: T[] = [];
  let waitingChars = 0;
  let inFlightChars = 0;
  /** Since the last message handed on; null: more than anybody knows. */
  let dropped: number | null = 0;
  let takenMs = clock.monotonicMs();
  let closed = false;

  function pump(): void {
    while (!closed && inFlightChars < IN_FLIGHT_CHARS) {
      if (dropped !== 0) {
        const text = gapText(dropped);
        dropped = 0;
        send(text);
        continue;
      }
      const text = waiting.shift();
      if (text === undefined) return;
      waitingChars -= text.length;
      send(text);
    }
  }

  function send(text: T): void {
    inFlightChars += text.length;
    write(text, () => {
      inFlightChars -= text.length;
      takenMs = clock.monotonicMs();
      pump();
    });
  }

  return {
    push(text) {
      if (closed) return;
      if (waiting.length === 0 && inFlightChars === 0) takenMs = clock.monotonicMs();
      waiting.push(text);
      waitingChars += text.length;
      pump();
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
      dropped = count === null || dropped === null ? null : dropped + count;
      pump();
    },
    close() {
      closed = true;
      waiting = [];
    },
  };
}

// Some seconds of what one reader can look at.
const MESSAGES_MAX = 1000;
const CHARS_MAX = 4 << 20;
// Enough to keep a fast connection busy; what is in flight can no longer be dropped.
const IN_FLIGHT_CHARS = 256 << 10;
export const STUCK_MS = 30_000;
