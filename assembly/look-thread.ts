/**
 * Looks for insights that nobody asked for, in a thread of their own (decision 024). Such a look reads and joins 20,000 events and more: a
 * second of CPU, in which an analyzer holds the loop as long as it takes, and garbage in the middle of its age.
 */
import { DebugError } from '../base/errors.ts';
import type { Part } from '../base/lifecycle.ts';
import type { Logger } from '../base/log.ts';
import { createThread } from '../base/thread.ts';
import type { Config } from '../config.ts';
import type { Look, Looked, LookRequest } from '../insight/look.ts';
import type { LookerData } from './looks.ts';

export interface LookThread extends Part {
  /** One after the other. @throws what the look threw; DebugError UNAVAILABLE where its thread has ended, or this was stopped */
  look: Look;
}

/** The thread is there from the first look on; it opens stores of its own. */
export function createLookThread(config: Config, { log }: { log: Logger }): LookThread {
  const script = new URL('./look-worker.ts', import.meta.url);
  const data: LookerData = { config: { ...config }, level: log.level };
  const thread = createThread<LookRequest, Looked>('the thread that looks for insights', script, data);
  let stopped = false;
  return {
    name: 'look thread',
    async start() {},
    async look(request) {
      if (stopped) throw new DebugError('UNAVAILABLE', 'stopping');
      return thread.ask(request);
    },
    /** What it is at is given up: it will be looked at again. */
    async stop() {
      stopped = true;
      await thread.end();
    },
  };
}
