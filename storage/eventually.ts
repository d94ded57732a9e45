/** A store whose server may be away when we start: the process comes up without it, says so, and goes on trying. */
import { setTimeout as sleep } from 'node:timers/promises';
import { DebugError } from '../base/errors.ts';
import type { Part } from '../base/lifecycle.ts';
import type { Logger } from '../base/log.ts';

const RETRY_FIRST_MS = 200;
const RETRY_MAX_MS = 5000;

/**
 * Starts `store`, at once or in the background. What is asked of it meanwhile answers UNAVAILABLE, as it does while its server is away
 * later on. A setting that is wrong is no matter of time: that is thrown.
 */
export function eventually(store: Part, log: Logger): Part {
  const stopping = new AbortController();
  let trying: Promise<void> | undefined;

  async function goOn(): Promise<void> {
    for (let delayMs = RETRY_FIRST_MS; ; delayMs = Math.min(delayMs * 2, RETRY_MAX_MS)) {
      await sleep(delayMs, undefined, { signal: stopping.signal });
      try {
        await store.start();
        return log.info({ store: store.name }, 'the store is there');
      } catch (error) {
        if (!isAway(error)) return log.fatal({ err: error }, 'the store cannot be used as it is set up');
      }
    }
  }

  return {
    name: store.name,
    async start() {
      try {
        await store.start();
      } catch (error) {
        if (!isAway(error)) throw error;
        log.warn({ store: store.name, err: error }, 'the store is away; it is tried again until it is there');
        trying = goOn().catch(() => {}); // ends by being stopped
      }
    },
    async stop() {
      stopping.abort();
      await trying;
      await store.stop();
    },
  };
}

function isAway(error: unknown): boolean {
  return error instanceof DebugError && error.code === 'UNAVAILABLE';
}
