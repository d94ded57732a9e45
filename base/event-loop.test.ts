import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { watchEventLoop } from './event-loop.ts';
import { createMeter } from './meter.ts';

let nowMs = 0;
const clock = { nowNanos: () => 0n, monotonicMs: () => nowMs };

beforeEach(() => {
  nowMs = 0;
  vi.useFakeTimers();
});
afterEach(() => vi.useRealTimers());

/** Time passes; timers fire at its end, as they do when something holds the loop. */
function pass(ms: number, turnMs = ms): void {
  for (let passed = 0; passed < ms; passed += turnMs) {
    nowMs += turnMs;
    vi.advanceTimersByTime(turnMs);
  }
}

test('F29 a loop that was held for five seconds is told of for a while, and then no more', async () => {
  const watch = watchEventLoop({ clock, meter: createMeter() });
  await watch.start();
  pass(3000, 100);
  expect(watch.trouble()).toBeNull();
  nowMs += 5000; // nobody came through
  expect(watch.trouble()).toMatch(/busy for 4\.\d s/);
  pass(10_000, 100);
  expect(watch.trouble()).not.toBeNull();
  pass(10_000, 100);
  expect(watch.trouble()).toBeNull();
  await watch.stop();
});

test('asking often is no sign of health', async () => {
  const watch = watchEventLoop({ clock, meter: createMeter(), lateMsMax: 1000 });
  await watch.start();
  for (let i = 0; i < 50; i++) {
    pass(100, 100);
    watch.trouble();
  }
  nowMs += 3000;
  expect(watch.trouble()).not.toBeNull();
  await watch.stop();
});
