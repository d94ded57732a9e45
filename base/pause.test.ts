import { expect, test } from 'vitest';
import { createPause } from './pause.ts';

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
