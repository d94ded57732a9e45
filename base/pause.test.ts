import { expect, test } from 'vitest';
import { createBackgroundPause, createPause } from './pause.ts';

/** Holds the loop, as work without a pause does. */
function hold(ms: number): void {
  const untilMs = performance.now() + ms;
  while (performance.now() < untilMs);
}

test('work gives way to what waits once its turn is over', async () => {
  const pause = createPause();
  let others = 0;
  setImmediate(() => others++);
  hold(12);
  await pause();
  expect(others).toBe(1);
});

test('in the background it also waits until nobody waits for an answer', async () => {
  let isBusy = true;
  const pause = createBackgroundPause(() => isBusy, 60_000);
  hold(4);
  setTimeout(() => {
    isBusy = false;
  }, 5);
  await pause();
  expect(isBusy).toBe(false);
});

test('in the background it goes on where somebody always waits', async () => {
  const pause = createBackgroundPause(() => true, 30);
  for (let i = 0; i < 3; i++) {
    hold(4);
    await expect(pause()).resolves.toBeUndefined();
  }
});
