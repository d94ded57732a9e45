/** How long work that waits for nothing may hold the event loop: without a pause now and then all others would wait until it ends. */
import { setImmediate as nextTurn, setTimeout as sleep } from 'node:timers/promises';

/** To be asked between two small steps; undefined while its turn goes on, else resolves with the next. */
export type Pause = () => Promise<unknown> | undefined;

/** For work whose answer somebody waits for. */
export function createPause(turnMs = TURN_MS): Pause {
  return pauseAfter(turnMs, () => nextTurn());
}

/**
 * For work that can wait a little. A request comes, is written, synced and answered in some six turns of the loop: were each of them
 * followed by one of such work, it would be late by all of them, and so it is by one, and a short one.
 * @param isBusy whether somebody waits for an answer
 * @param restMsMax how long that is waited out: where it is always so, work goes on all the same
 */
export function createBackgroundPause(isBusy: () => boolean, restMsMax: number): Pause {
  return pauseAfter(BACKGROUND_TURN_MS, async () => {
    const untilMs = performance.now() + restMsMax;
    do await sleep(1);
    while (isBusy() && performance.now() < untilMs);
  });
}

const TURN_MS = 10;
const BACKGROUND_TURN_MS = 3;

function pauseAfter(turnMs: number, rest: () => Promise<unknown>): Pause {
  let since = performance.now();
  return () => {
    if (performance.now() - since < turnMs) return undefined;
    return rest().then(() => {
      since = performance.now();
    });
  };
}
