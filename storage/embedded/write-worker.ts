/** The thread that writes large flushes: its own connection to the file, and nothing else. */
import { workerData } from 'node:worker_threads';
import { serveThread } from '../../base/thread.ts';
import { commitFlush } from './commit.ts';
import { openDatabase } from './database.ts';
import { type FlushMessage, flushOf } from './flush-message.ts';

const opening = openDatabase(workerData as string);

/** Null asks whether it is open. */
async function write(message: FlushMessage | null): Promise<readonly string[]> {
  return message === null ? [] : commitFlush(await opening, flushOf(message), message.now);
}

serveThread(write, opening);
