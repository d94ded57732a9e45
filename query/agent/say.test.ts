import { describe, expect, it } from 'vitest';
import type { Evidence, Severity } from '../../model/insight.ts';
import { insightItem, openCount, pressingFirst, sinceWords } from './say.ts';

const NOW = '2026-11-30T10:00:00.000000000Z';
const insight = (id: string, severity: Severity, last_seen: string) => ({
  id,
  severity,
  insight_type: 'error' as const,
  title: id,
  summary: id,
  state: 'open' as const,
  confidence_score: 0.9,
  last_seen: `2026-11-30T${last_seen}:00.000000000Z`,
});
const lately = insight('lately', 'warning', '09:50');
const quiet = insight('quiet', 'critical', '08:20');

describe('what goes on and what has not been seen for a while', () => {
  it('goes on first, however grave the other is; among those that go on the gravest', () => {
    const graver = insight('graver', 'critical', '09:46');
    expect([quiet, lately, graver].sort(pressingFirst(NOW)).map(({ id }) => id)).toEqual(['graver', 'lately', 'quiet']);
    const longAgo = insight('long ago', 'warning', '01:00');
    expect([longAgo, quiet].sort(pressingFirst(NOW)).map(({ id }) => id)).toEqual(['quiet', 'long ago']);
  });

  it('is counted apart, and nothing is said of it where all go on', () => {
    expect(openCount([lately], NOW)).toBe('1 open insight');
    expect(openCount([lately, quiet, quiet], NOW)).toBe('3 open insights, 1 of them seen in the last 15 minutes');
    expect(openCount([quiet], NOW)).toBe('1 open insight, none of them seen in the last 15 minutes');
  });

  it('says for how long it was not seen, in the short form too', () => {
    for (const form of insightItem(quiet, NOW).forms) expect(form).toMatchObject({ not_seen_for: '100m' });
    for (const form of insightItem(lately, NOW).forms) expect(form).not.toHaveProperty('not_seen_for');
  });

  it('is gone, or was only not tried, or it is too early to tell', () => {
    const told = (key: string, verdict: string, clean_runs: number) => {
      const since = { verdict, clean_runs, runs_needed: 3, checked_until: NOW };
      return sinceWords({ numbers: { [key]: since } } as unknown as Evidence, NOW);
    };
    expect(told('since_last_seen', 'fixed', 4)).toMatch(/Since it was last seen .* ran 4 times .* looks fixed/);
    expect(told('since_last_seen', 'not_exercised', 0)).toContain('proves nothing');
    expect(told('after_resolve', 'too_few_runs', 1)).toMatch(/Since it was resolved .* ran 1 time .*; 3 would tell/);
    expect(sinceWords({ numbers: {} } as unknown as Evidence, NOW)).toBe('');
  });
});
