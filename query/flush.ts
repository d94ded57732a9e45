/** For tests that send and then ask: waits until everything that was acknowledged can be read. */
import { setTimeout as sleep } from 'node:timers/promises';
import { type Answer, beginReading } from './answer.ts';
import type { QueryNeeds } from './needs.ts';

export interface Flushed {
  /** Everything acknowledged before the request can be read now. */
  flushed: boolean;
  waited_ms: number;
}

export interface FlushAnswers {
  /** `meta.coverage.pending` says what is still on its way when the time is over. @param timeoutMs at the most */
  flush(tenant: string, timeoutMs: number): Promise<Answer<Flushed>>;
}

export function createFlushAnswers(needs: QueryNeeds): FlushAnswers {
  const { clock } = needs;
  return {
    async flush(_tenant, timeoutMs) {
      const startMs = clock.monotonicMs();
      for (;;) {
        const reading = await beginReading(needs);
        const waitedMs = clock.monotonicMs() - startMs;
        const answer = reading.answer<Flushed>({ flushed: false, waited_ms: Math.round(waitedMs) });
        answer.data.flushed = answer.meta.coverage.pending === 0;
        if (answer.data.flushed || waitedMs >= timeoutMs) return answer;
        await sleep(RETRY_MS);
      }
    },
  };
}

// The barrier waits a second itself; this is for one that gives up at once.
const RETRY_MS = 20;
