/** The thread that writes large flushes and counts hours: its own connection to the file, and nothing else. */
import { workerData } from 'node:worker_threads';
import { serveThread } from '../../base/thread.ts';
import { commitFlush } from './commit.ts';
import { openDatabase } from './database.ts';
import { flushOf, type WriteMessage } from './flush-message.ts';
import { countHour } from './hours.ts';

const opening = openDatabase(workerData as string);

/** Null asks whether it is open. */
async function write(message: WriteMessage | null): Promise<readonly string[]> {
  if (message === null) return [];
  if ('flush' in message) return commitFlush(await opening, flushOf(message), message.now);
  await countHour(await opening, message.tenant, message.hour);
  return [];
}

serveThread(write, opening);
