/**
 * Where flushes are written (decision 025). SQLite takes a flush in one piece: on the loop, which is what the receiver
 * has least of, all others wait for it. Large ones are written by a thread with a connection of its own, and readers go on on this one; it counts
 * hours too.
 * Within a process all who write do it in turns: SQLite itself would have them sleep.
 */
import type { Logger } from '../../base/log.ts';
import { createThread } from '../../base/thread.ts';
import type { Flush } from '../contract.ts';
import { commitFlush } from './commit.ts';
import type { Database } from './database.ts';
import { messageOf, type WriteMessage } from './flush-message.ts';
import { countHour } from './hours.ts';

export interface Writer {
  /** As {@link commitFlush}; durable when it resolves. @throws DebugError UNAVAILABLE where its thread ended: nothing or all was written */
  commit(database: Database, flush: Flush, now: bigint): Promise<readonly string[]>;
  /** As {@link countHour}. */
  countHour(database: Database, tenant: string, hour: bigint): Promise<void>;
  /** What is under way MUST have ended. */
  stop(): Promise<void>;
}

/** Until the thread is there, flushes are written here: it is started by the first that is worth it. */
export function createWriter(directory: string, log: Logger): Writer {
  const script = new URL('./write-worker.ts', import.meta.url);
  const thread = createThread<WriteMessage | null, readonly string[]>('the writing thread', script, directory);
  let state: 'none' | 'starting' | 'open' | 'stopped' = 'none';

  function open(): void {
    state = 'starting';
    thread.ask(null).then(
      () => {
        if (state === 'starting') state = 'open';
      },
      (error) => {
        if (state !== 'starting') return;
        state = 'none';
        log.warn({ err: error }, 'the writing thread did not start: flushes are written by the loop');
      },
    );
  }

  return {
    async commit(database, flush, now) {
      const isLarge = bytesOf(flush) >= THREAD_BYTES_MIN;
      if (isLarge && state === 'none') open();
      if (!isLarge || state !== 'open') return commitFlush(database, flush, now);
      return database.inTurn(() => thread.ask(messageOf(flush, now)));
    },
    async countHour(database, tenant, hour) {
      if (state !== 'open') return countHour(database, tenant, hour);
      await database.inTurn(() => thread.ask({ tenant, hour }));
    },
    async stop() {
      state = 'stopped';
      await thread.end();
    },
  };
}

// Some hundred records; below it is a millisecond here, and what is copied and said costs as much.
const THREAD_BYTES_MIN = 16 << 10;

function bytesOf({ blocks }: Flush): number {
  return blocks.reduce((sum, { index, payload }) => sum + index.length + payload.length, 0);
}
