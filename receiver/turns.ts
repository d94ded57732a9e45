import { setImmediate as nextTurn } from 'node:timers/promises';

/**
 * Divides the loop between requests that come in and all else. In each turn of it so many bytes of them are begun; what has come beyond
 * waits for the next, behind answers of the disk and of the store and a block that is derived. Without it a burst of requests is read in
 * one go, dozens of milliseconds long, a commit of a dozen statements waits for a dozen of them, and what is acknowledged piles up until
 * it has to be read back from the disk. Where there is nothing else to do a turn takes microseconds.
 */
export interface Turns {
  /** Resolves in a turn that has room, in the order of asking; undefined where this one has. */
  take(bytes: number): Promise<void> | undefined;
}

/** @param bytesATurn asked at the beginning of each */
export function createTurns(bytesATurn: () => number): Turns {
  const waiting: { bytes: number; resolve: () => void }[] = [];
  let room = bytesATurn();
  let begins = false;

  function begin(): void {
    begins = false;
    const fresh = bytesATurn();
    room = Math.min(room + fresh, fresh);
    let count = 0;
    for (; count < waiting.length && room > 0; count++) {
      const { bytes, resolve } = waiting[count]!;
      spend(bytes);
      resolve();
    }
    waiting.splice(0, count);
    if (waiting.length > 0) beginNext();
  }

  function spend(bytes: number): void {
    // What is larger is read in turns of its own.
    room -= Math.min(bytes, DEBT_MAX);
    beginNext();
  }

  function beginNext(): void {
    if (begins) return;
    begins = true;
    setImmediate(begin);
  }

  return {
    take(bytes) {
      if (waiting.length === 0 && room > 0) {
        spend(bytes);
        return undefined;
      }
      beginNext();
      return new Promise((resolve) => waiting.push({ bytes, resolve }));
    },
  };
}

const DEBT_MAX = 512 * 1024;

/**
 * Resolves when what is being answered in this turn of the loop has left: HTTP/2 hands an answer to the socket in the two turns that follow,
 * headers and message in the first, trailers in the second. An acknowledged request would else be answered behind its own derivation.
 */
export async function answersSent(): Promise<void> {
  await nextTurn();
  await nextTurn();
}
