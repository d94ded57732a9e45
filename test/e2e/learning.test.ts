/** What the running program learns from what it stores: templates that become one, and minutes that are unlike those before. */
import { afterAll, beforeAll, expect, test } from 'vitest';
import { type System, startSystem } from '../support/system.ts';

let system: System;
beforeAll(async () => {
  system = await startSystem();
});
afterAll(() => system?.stop());

async function call(path: string, body?: unknown) {
  const response = await fetch(`${system.http}/api/debug${path}`, {
    ...(body !== undefined && {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify(body),
    }),
  });
  const answer = (await response.json()) as { data: Record<string, unknown>[] };
  if (!response.ok) throw new Error(`${path} answered ${response.status}: ${JSON.stringify(answer)}`);
  return answer.data;
}

function said(component_id: string, message: string, timeMs: number) {
  return {
    event_type: 'log',
    component_type: 'service',
    component_id,
    correlation_id: component_id,
    level: 'INFO',
    message,
    timestamp: new Date(timeMs).toISOString(),
  };
}

test('names that turn out to be a value make one template, with all that was counted before', async () => {
  const names = ['ann', 'bob', 'cyd', 'dan', 'eve'];
  // One request each: the first are committed before the last are seen.
  for (const name of names) await call('/events', said('cache', `cache of ${name} was flushed`, Date.now()));
  const templates = await call('/templates?time_range=1h');
  const flushed = templates.filter(({ template }) => String(template).includes('was flushed'));
  expect(flushed).toMatchObject([{ template: 'cache of <*> was flushed', count: 5 }]);
});

test('SEED 18: ten events in a minute after one a minute are an anomaly, of the one that was busy', async () => {
  const minute = Math.floor(Date.now() / 60_000) * 60_000 - 5 * 60_000;
  const events = [0, 1, 2].flatMap((i) => ['busy', 'calm'].map((who) => said(who, 'tick', minute + i * 60_000 + 1000)));
  for (let i = 0; i < 10; i++) events.push(said('busy', 'tick', minute + 3 * 60_000 + i * 1000));
  events.push(said('calm', 'tick', minute + 3 * 60_000));
  await call('/events/batch', { events });
  const insights = await call('/insights/generate', { time_range: '15m' });
  const anomalies = insights.filter(({ insight_type }) => insight_type === 'anomaly');
  expect(anomalies).toMatchObject([
    { title: 'service/busy has far more records than usual', affected_components: [{ id: 'busy' }] },
  ]);
});
