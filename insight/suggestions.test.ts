import { expect, test } from 'vitest';
import type { Insight } from '../model/insight.ts';
import { errorLog, unbounded, windowOf } from '../test/support/telemetry.ts';
import { repeatedError } from './analyzers/repeated-error.ts';
import { type Finding, fingerprintOf, toInsight } from './finding.ts';
import { suggestionsFor } from './suggestions.ts';

function finding(message: string, by = 'api'): Finding {
  const events = Array.from({ length: 5 }, (_, i) => errorLog({ ms: i, by, message }));
  return repeatedError.analyze(windowOf(events), unbounded)[0]!;
}

function resolved(message: string, notes: string | null, by = 'api'): Insight {
  const was = finding(message, by);
  return {
    ...toInsight(was, fingerprintOf(was), [], 1n, 2n),
    state: 'resolved',
    resolution_notes: notes,
    resolved_by: 'ann',
    resolved_at: '2024-05-01T10:00:00Z',
  };
}

test('what helped with the same trouble comes first, also on another component and in other words', () => {
  const now = finding('connect ECONNREFUSED 10.0.0.7:5432');
  const past = [
    resolved('certificate of 10.0.0.7 has expired', 'renewed it'),
    resolved('connect ECONNREFUSED 10.0.0.1:5432', 'restarted the proxy', 'billing'),
    resolved('connection to 10.0.0.1 failed: connect ECONNREFUSED', 'raised the backlog'),
    resolved('connect ECONNREFUSED 10.0.0.9:5432', null),
  ];
  const suggestions = suggestionsFor(now, past);
  expect(suggestions.map(({ action, source }) => [action, source]).slice(0, 3)).toEqual([
    ['restarted the proxy', 'past_resolution'],
    ['raised the backlog', 'past_resolution'],
    ['Check that the callee runs and listens on the address that is called', 'known_cause'],
  ]);
  expect(suggestions[0]!.why).toContain('by ann');
  expect(suggestions.every(({ why }) => why.length > 0)).toBe(true);
});

test('the same place before another', () => {
  const past = [resolved('order 1 lost', 'elsewhere', 'billing'), resolved('order 2 lost', 'here')];
  expect(suggestionsFor(finding('order 3 lost'), past)[0]!.action).toBe('here');
});

test('nothing similar and nothing known: where to look, by the evidence alone', () => {
  const now = finding('flux capacitor desynchronised');
  const [advice, ...more] = suggestionsFor(now, [resolved('out of memory', 'more memory')]);
  expect(advice).toMatchObject({ action: expect.stringContaining('service/api'), source: 'known_cause' });
  expect(advice!.action).toContain(now.times[0]);
  expect(more).toEqual([]);
  expect(suggestionsFor({ ...now, severity: 'info' }, [])).toEqual([]);
});

test('a known cause is known by its own words, not by letters within others', () => {
  const actions = (message: string) => suggestionsFor(finding(message), []).map(({ why }) => why);
  expect(actions('container was OOMKilled')).toContain('memory ran out');
  expect(actions('OOM in worker 3')).toContain('memory ran out');
  expect(actions('boom in the showroom')).not.toContain('memory ran out');
  expect(actions('SSL_ERROR_SYSCALL')[0]).toBe(actions('certificate expired')[0]);
  expect(actions('passless login refused')).not.toContain(actions('certificate expired')[0]);
});
