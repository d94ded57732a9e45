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
 * before it are stopped and the failure is thrown. All are stopped even when one of them fails; the first failure is thrown.
 */
export function assemble(name: string, parts: readonly Part[]): Part {
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
    for (let part = running.pop(); part !== undefined; part = running.pop()) {
      await part.stop().catch((error) => failures.push(error));
    }
    if (failures.length > 0) throw failures[0];
  }

  return {
    name,
    start: () => (starting ??= startAll()),
    stop: () => (stopping ??= (starting ?? Promise.resolve()).catch(() => {}).then(stopAll)),
  };
}
