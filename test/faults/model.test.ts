/** The model test at the size of a CI run; `npm run faults` is the same for as long as one likes. */
import { describe, expect, inject, it } from 'vitest';
import { type ModelReport, runModel } from './model.ts';

const MINUTES = 60_000;

describe('F8 sixty kills at named points, among faults of disk, PostgreSQL and Redis', () => {
  const held = (report: ModelReport) => {
    // The seed stands beside what is wrong: with it the run can be had again.
    const { seed, violations, records } = report;
    expect({ seed, violations }).toEqual({ seed, violations: [] });
    expect(records.acknowledged).toBeGreaterThan(0);
    expect(records.stored).toBeLessThanOrEqual(records.sent);
  };
  const seed = Date.now() % 2 ** 31;

  it('embedded: acknowledged ⊆ stored ⊆ sent, once in answers and counts', { timeout: 5 * MINUTES }, async () => {
    held(await runModel({ seed, kills: 24, killsPerCheck: 12 }));
  });

  it('PostgreSQL and Redis: the same', { timeout: 5 * MINUTES }, async () => {
    const servers = { postgres: inject('pgUrl'), redis: inject('redisUrl') };
    held(await runModel({ seed, kills: 36, killsPerCheck: 18, servers }));
  });
});
