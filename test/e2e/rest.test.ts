import { afterAll, beforeAll, expect, test } from 'vitest';
import { type QuerySystem, startQuerySystem } from '../support/query-system.ts';

let system: QuerySystem;
beforeAll(async () => {
  system = await startQuerySystem();
});
afterAll(() => system?.stop());

test('smoke', async () => {
  const posted = await fetch(`${system.url}/api/debug/events`, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify({ event_type: 'log', component_type: 'agent', correlation_id: 'c1', message: 'hi', data: { a: 1 } }),
  });
  console.log(posted.status, Object.fromEntries(posted.headers), await posted.text());
  for (const path of ['/api/debug/events', '/api/debug/events?limit=0&x=1', '/nope', '/api/debug/nope', '/healthz', '/readyz', '/api/debug/analytics/system-health', '/api/debug/correlations/c1', '/openapi.json']) {
    const r = await fetch(system.url + path);
    console.log(path, r.status, (await r.text()).slice(0, 700));
  }
  expect(1).toBe(1);
});
