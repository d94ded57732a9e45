/**
 * Looks without being asked: soon after errors came in, and once a minute while anything comes in. It looks at the last minutes as they
 * were ten seconds ago, when the records of one trace have arrived from all who took part: a half-known trace blames the wrong
 * one. One run at a time; what is seen twice is the same insight. A look rests twelve times as long as it took, up to that minute: what
 * it reads does not shrink when the machine has much else to do.
 */
import type { Clock } from '../base/clock.ts';
import type { Logger } from '../base/log.ts';
import type { Meter } from '../base/meter.ts';
import { NANOS_PER_MINUTE, NANOS_PER_MS } from '../model/time.ts';
import type { Scope } from './reader.ts';

/** The part of a flush that tells where to look. */
export interface Flushed {
  tenant: string;
  componentMinutes: readonly { minute: bigint; errors: number }[];
}

export interface AutomaticRuns {
  observe(flush: Flushed): void;
  start(): Promise<void>;
  /** Waits for the run under way. */
  stop(): Promise<void>;
}

export function createAutomaticRuns(options: {
  generate: (scope: Scope) => Promise<unknown>;
  /** Takes a name for so long from all engines on the store; false while another one has it. Absent: there is no other one. */
  takeTurn?: (name: string, durationMs: number) => Promise<boolean>;
  clock: Clock;
  log: Logger;
  meter: Meter;
}): AutomaticRuns {
  const { generate, takeTurn, clock, log, meter } = options;
  const dropped = meter.counter(
    'insight_automatic_dropped_total',
    'Flushes not looked at because too many tenants wait',
  );
  const failed = meter.counter('insight_automatic_failed_total', 'Automatic runs that failed');
  const seen = new Map<string, Seen>();
  const lastRuns = new Map<string, { atMs: number; tookMs: number }>();
  let timer: NodeJS.Timeout | undefined;
  let running: Promise<void> | undefined;

  function observe({ tenant, componentMinutes }: Flushed): void {
    if (componentMinutes.length === 0) return;
    const known = seen.get(tenant);
    if (known === undefined && seen.size >= TENANTS_MAX) {
      dropped.inc();
      return;
    }
    const heardMs = clock.monotonicMs();
    const now = known ?? { from: componentMinutes[0]!.minute, until: 0n, heardMs, errorMs: Number.NEGATIVE_INFINITY };
    now.heardMs = heardMs;
    for (const { minute, errors } of componentMinutes) {
      if (minute < now.from) now.from = minute;
      if (minute > now.until) now.until = minute;
      if (errors > 0) now.errorMs = heardMs;
    }
    seen.set(tenant, now);
  }

  async function runDue(): Promise<void> {
    for (const [tenant, what] of seen) {
      const nowMs = clock.monotonicMs();
      const last = lastRuns.get(tenant) ?? NEVER;
      const hasNewErrors = what.errorMs > last.atMs - SETTLE_MS;
      const restMs = hasNewErrors
        ? Math.min(Math.max(ERROR_RUN_MS, last.tookMs * REST_OF_RUN), QUIET_RUN_MS)
        : QUIET_RUN_MS;
      if (nowMs - last.atMs < restMs || !(await isOurTurn(tenant, hasNewErrors, restMs))) continue;
      const run = { atMs: nowMs, tookMs: 0 };
      lastRuns.set(tenant, run);
      const settled = clock.nowNanos() - BigInt(SETTLE_MS) * NANOS_PER_MS;
      const until = what.until + NANOS_PER_MINUTE;
      // What came in during the last seconds is looked at again when it has settled.
      if (nowMs - what.heardMs > SETTLE_MS) seen.delete(tenant);
      else seen.set(tenant, { ...what, from: what.until });
      try {
        await generate({
          tenant,
          start: what.from > CONTEXT_NANOS ? what.from - CONTEXT_NANOS : 0n,
          end: until < settled ? until : settled,
        });
      } catch (error) {
        failed.inc();
        log.debug({ err: error, tenant }, 'an automatic look for insights failed');
      }
      run.tookMs = clock.monotonicMs() - nowMs;
    }
    if (lastRuns.size > TENANTS_MAX) lastRuns.clear();
  }

  /** Errors do not wait for who looked at nothing in particular. A store that cannot say is no reason not to look. */
  async function isOurTurn(tenant: string, hasNewErrors: boolean, restMs: number): Promise<boolean> {
    if (takeTurn === undefined) return true;
    try {
      return await takeTurn(`insights ${hasNewErrors ? 'errors' : 'all'} ${tenant}`, restMs - TICK_MS / 2);
    } catch {
      return true;
    }
  }

  return {
    observe,
    async start() {
      timer ??= setInterval(() => {
        running ??= runDue().finally(() => {
          running = undefined;
        });
      }, TICK_MS).unref();
    },
    async stop() {
      clearInterval(timer);
      timer = undefined;
      await running;
    },
  };
}

interface Seen {
  /** First and last minute of the records. */
  from: bigint;
  until: bigint;
  /** When the last of it, and the last error in it, came in. */
  heardMs: number;
  errorMs: number;
}

const TENANTS_MAX = 1000;
const TICK_MS = 5000;
const ERROR_RUN_MS = 10_000;
const QUIET_RUN_MS = 60_000;
const SETTLE_MS = 10_000;
const NEVER = { atMs: Number.NEGATIVE_INFINITY, tookMs: 0 };
// At 40,000 events a second, of which two in a hundred failed, a look every ten seconds was a sixth of the receiver's CPU. In its thread it takes
// none of the loop, but the cores are those of the receiver and of the store: a twelfth of one is what it may have.
const REST_OF_RUN = 12;
// Enough samples to compare with, and operations that began before.
const CONTEXT_NANOS = 5n * NANOS_PER_MINUTE;
