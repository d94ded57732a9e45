/**
 * When what waits for live readers is written. A write to a socket costs more than several messages cost to make (test/bench/live-hub.ts), so that those of
 * a reader go out together: at once where it was quiet, else when {@link TOGETHER_MS} have passed. And a thousand readers are not written to in one turn of the
 * loop: after a few milliseconds others have theirs, the acknowledgements of ingest first.
 */
import { setImmediate as nextTurn } from 'node:timers/promises';
import type { Clock } from '../base/clock.ts';
import type { Pause } from '../base/pause.ts';

export interface Flusher {
  /** Calls `flush` once, in a turn to come. Whoever is scheduled MUST NOT be again before it was called. */
  schedule(buffer: Flushable): void;
}

export interface Flushable {
  /** MUST NOT throw. */
  flush(): void;
  /** When it was last, by the monotonic clock. */
  flushedMs: number;
}

/** @param newPause for each time that there is something to do */
export function createFlusher(clock: Pick<Clock, 'monotonicMs'>, newPause: () => Pause): Flusher {
  let due: Flushable[] = [];
  let later: Flushable[] = [];
  let runs = false;

  async function run(): Promise<void> {
    runs = true;
    await nextTurn();
    const pause = newPause();
    while (due.length > 0) {
      const flushed = due;
      due = [];
      for (const buffer of flushed) {
        buffer.flushedMs = clock.monotonicMs();
        buffer.flush();
        const rest = pause();
        if (rest !== undefined) await rest;
      }
    }
    runs = false;
  }

  function gather(): void {
    due = due.concat(later);
    later = [];
    if (!runs) void run();
  }

  return {
    schedule(buffer) {
      if (clock.monotonicMs() - buffer.flushedMs < TOGETHER_MS) {
        if (later.push(buffer) === 1) setTimeout(gather, TOGETHER_MS).unref();
      } else {
        due.push(buffer);
        if (!runs) void run();
      }
    },
  };
}

// Of the 100 ms that a message may take to its reader.
const TOGETHER_MS = 25;
