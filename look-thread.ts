/**
 * Looks for insights that nobody asked for, in a thread of their own (decision 023). Such a look reads and joins 20,000 events and more: a
 * second of CPU, in which one analyzer alone held the loop of the receiver for up to 200 ms, and garbage in the middle of its age.
 */
import { Worker } from 'node:worker_threads';
import { DebugError } from './base/errors.ts';
import type { Part } from './base/lifecycle.ts';
import type { Logger } from './base/log.ts';
import type { Config } from './config.ts';
import type { Look, Looked, LookRequest } from './insight/look.ts';
import type { LookerAnswer, LookerData } from './looks.ts';

export interface LookThread extends Part {
  /** One after the other. @throws Error what the look threw, or that its thread has ended; the next one starts another */
  look: Look;
}

/** What is published is JavaScript; from the sources Node takes TypeScript as it is. */
const BUILT = import.meta.url.endsWith('.js');

/** The thread is there from the first look on; it opens stores of its own. */
export function createLookThread(config: Config, { log }: { log: Logger }): LookThread {
  let thread: Worker | undefined;
  let stopped = false;
  let last: Promise<unknown> = Promise.resolve();

  function start(): Worker {
    const workerData: LookerData = { config: { ...config }, level: log.level };
    const script = BUILT ? new URL('./looker.js', import.meta.url) : new URL('./looker.ts', import.meta.url);
    const started = new Worker(script, { workerData });
    started.unref(); // looking is no reason for a process to stay
    const ended = () => {
      if (thread === started) thread = undefined;
    };
    started.once('error', ended).once('exit', ended);
    return started;
  }

  async function lookNext(request: LookRequest): Promise<Looked> {
    if (stopped) throw new DebugError('UNAVAILABLE', 'stopping');
    thread ??= start();
    const asked = thread;
    const { promise, resolve, reject } = Promise.withResolvers<Looked>();
    const ended = () => reject(new Error('the thread that looks for insights has ended'));
    const answered = (answer: LookerAnswer) => ('looked' in answer ? resolve(answer.looked) : reject(answer.failed));
    asked.once('message', answered).once('error', reject).once('exit', ended);
    asked.postMessage(request);
    try {
      return await promise;
    } finally {
      asked.off('message', answered).off('error', reject).off('exit', ended);
    }
  }

  return {
    name: 'look thread',
    async start() {},
    look(request) {
      const looked = last.then(() => lookNext(request));
      last = looked.catch(() => {});
      return looked;
    },
    /** What it is at is given up: it will be looked at again. */
    async stop() {
      stopped = true;
      await thread?.terminate();
    },
  };
}
