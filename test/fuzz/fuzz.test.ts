/** F18, the part of it that every change runs: some thousand inputs of a fixed seed, and as many of a new one. `npm run fuzz` runs millions. */
import { expect, test } from 'vitest';
import { runFuzz } from './run.ts';

test.each([
  ['the same seed', 20_260],
  ['a new seed', Math.floor(Math.random() * 2 ** 32)],
])('F18 whatever is sent is stored or refused, never worse (%s, %i)', async (_name, seed) => {
  const report = await runFuzz({ seed, runs: 250, seconds: 60, socketEvery: 20 });
  expect(report.runs).toBe(250);
  // Both ways were taken often: a grammar that is refused throughout would prove nothing.
  expect(report.refused).toBeGreaterThan(report.inputs / 20);
  expect(report.events).toBeGreaterThan(report.runs);
  expect(Object.keys(report.sent).sort()).toEqual(['200', '400']);
});
