/** How long work that waits for nothing may hold the event loop: without a pause now and then all others would wait until it ends. */
import { setImmediate as nextTurn } from 'node:timers/promises';

/** To be asked between two small steps; undefined while its turn goes on, else resolves with the next. */
export type Pause = () => Promise<unknown> | undefined;

export function createPause(turnMs = TURN_MS): Pause {
  let since = performance.now();
  return () => {
    if (performance.now() - since < turnMs) return undefined;
    return nextTurn().then(() => {
      since = performance.now();
    });
  };
}

const TURN_MS = 10;
