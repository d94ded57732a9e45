import type { Clock } from './clock.ts';
import type { Part } from './lifecycle.ts';
import type { Meter } from './meter.ts';

export interface EventLoopWatch extends Part {
  /** Why this process should be left alone for a while; null when it answers in time. */
  trouble(): string | null;
}

export interface EventLoopOptions {
  clock: Clock;
  meter: Meter;
  /** How often it looks. */
  everyMs?: number;
  /** How long a turn of the loop may hold up all others. */
  lateMsMax?: number;
  /** How long one that did is told of: as long as a balancer needs to see it. */
  toldMs?: number;
}

/** Whether anything holds the event loop: while something does, nobody is answered, so it is told of afterwards. */
export function watchEventLoop(options: EventLoopOptions): EventLoopWatch {
  const { clock, meter, everyMs = 500, lateMsMax = 2000, toldMs = 15_000 } = options;
  const seconds = meter.histogram('event_loop_late_seconds', 'How late a timer fired.', BUCKETS_SECONDS);
  let timer: NodeJS.Timeout | undefined;
  let dueMs = 0;
  let worst = { lateMs: 0, atMs: Number.NEGATIVE_INFINITY };

  function look(): void {
    const nowMs = clock.monotonicMs();
    const lateMs = Math.max(0, nowMs - dueMs);
    seconds.observe(lateMs / 1000);
    if (lateMs > lateMsMax) worst = { lateMs, atMs: nowMs };
    dueMs = nowMs + everyMs;
  }

  return {
    name: 'event loop watch',
    async start() {
      dueMs = clock.monotonicMs() + everyMs;
      timer ??= setInterval(look, everyMs).unref();
    },
    async stop() {
      clearInterval(timer);
    },
    trouble() {
      if (timer === undefined) return null;
      look(); // whoever asks right after a long turn comes before the timer
      if (clock.monotonicMs() - worst.atMs > toldMs) return null;
      return `the process was busy for ${(worst.lateMs / 1000).toFixed(1)} s and answered nobody`;
    },
  };
}

const BUCKETS_SECONDS = [0.005, 0.02, 0.05, 0.1, 0.25, 0.5, 1, 2, 5, 10];
