import { setTimeout as sleep } from 'node:timers/promises';

/**
 * Parts that start and stop. `start` resolves when the part is ready (its port bound, its store open); `stop` is idempotent,
 * refuses new work, finishes what it has accepted, then lets go.
 */
export interface Part {
  readonly name: string;
  start(): Promise<void>;
  stop(): Promise<void>;
}

/**
 * Joins parts into one: started in order, stopped in reverse. Calls in flight are shared. When one part fails to start, those
 * before it are stopped and the failure is thrown. All are stopped even when one of them fails, or takes so long that there would
 * be no time for the others; the first failure is thrown.
 * @param stopMs for all of them together
 */
export function assemble(name: string, parts: readonly Part[], stopMs = STOP_MS): Part {
  let starting: Promise<void> | undefined;
  let stopping: Promise<void> | undefined;
  const running: Part[] = [];

  async function startAll(): Promise<void> {
    for (const part of parts) {
      try {
        await part.start();
        running.push(part);
      } catch (error) {
        await stopAll().catch(() => {});
        throw error;
      }
    }
  }

  async function stopAll(): Promise<void> {
    const failures: unknown[] = [];
    const enough = new AbortController();
    const late = sleep(stopMs, undefined, { signal: enough.signal });
    late.catch(() => {}); // stopped in time
    for (let part = running.pop(); part !== undefined; part = running.pop()) {
      await stopBefore(late, part).catch((error) => failures.push(error));
    }
    enough.abort();
    if (failures.length > 0) throw failures[0];
  }

  return {
    name,
    start: () => (starting ??= startAll()),
    stop: () => (stopping ??= (starting ?? Promise.resolve()).catch(() => {}).then(stopAll)),
  };
}

// Containers are killed ten seconds after they were asked to stop.
const STOP_MS = 8000;
// What is left for each once the time is up: enough to close a file.
const LAST_MS = 200;

/** @throws what the part throws, or that it is late */
async function stopBefore(late: Promise<void>, part: Part): Promise<void> {
  const stopped = part.stop();
  const given = new AbortController();
  const givenUp = late.then(async () => {
    await sleep(LAST_MS, undefined, { signal: given.signal });
    throw new Error(`${part.name} did not stop in time`);
  });
  givenUp.catch(() => {}); // it stopped, or the race tells
  try {
    await Promise.race([stopped, givenUp]);
  } finally {
    given.abort();
    stopped.catch(() => {}); // where it was given up
  }
}
