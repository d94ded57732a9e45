/** A store whose server may be away when we start: the process comes up without it, says so, and goes on trying. */
import { setTimeout as sleep } from 'node:timers/promises';
import { DebugError } from '../base/errors.ts';
import type { Part } from '../base/lifecycle.ts';
import type { Logger } from '../base/log.ts';

const RETRY_FIRST_MS = 200;
const RETRY_MAX_MS = 5000;
// A server that accepts and never answers, or migrates, must keep nobody waiting who could take in telemetry meanwhile.
const PATIENCE_MS = 3000;

/**
 * Starts `store`, at once or in the background where that fails or takes too long. What is asked of it meanwhile answers UNAVAILABLE, as it does while its server is away
 * later on. A setting that is wrong is no matter of time: that is thrown.
 */
export function eventually(store: Part, log: Logger, patienceMs = PATIENCE_MS): Part {
  const stopping = new AbortController();
  let trying: Promise<void> | undefined;

  /** @param first a start that is under way */
  async function goOn(first: Promise<void>): Promise<void> {
    let starting = first;
    let said = false;
    for (let delayMs = RETRY_FIRST_MS; ; delayMs = Math.min(delayMs * 2, RETRY_MAX_MS)) {
      try {
        await starting;
        return log.info({ store: store.name }, 'the store is there');
      } catch (error) {
        // Whatever it is, somebody may mend it while we run: giving up would need a restart on top.
        if (!isAway(error) && !said) log.fatal({ err: error }, 'the store cannot be used as it is set up');
        said ||= !isAway(error);
      }
      await sleep(delayMs, undefined, { signal: stopping.signal });
      starting = store.start();
    }
  }

  return {
    name: store.name,
    async start() {
      const starting = store.start();
      try {
        if (await within(patienceMs, starting)) return;
        log.warn({ store: store.name }, 'the store does not answer; what comes is kept until it does');
      } catch (error) {
        if (!isAway(error)) throw error;
        log.warn({ store: store.name, err: error }, 'the store is away; it is tried again until it is there');
      }
      trying = goOn(starting).catch(() => {}); // ends by being stopped
    },
    async stop() {
      stopping.abort();
      await (trying && within(patienceMs, trying));
      await store.stop();
    },
  };
}

/** @returns false when the time is up first */
async function within(ms: number, work: Promise<void>): Promise<boolean> {
  const enough = new AbortController();
  const late = sleep(ms, false, { signal: enough.signal }).catch(() => false);
  try {
    return await Promise.race([work.then(() => true), late]);
  } finally {
    enough.abort();
  }
}

function isAway(error: unknown): boolean {
  return error instanceof DebugError && error.code === 'UNAVAILABLE';
}
