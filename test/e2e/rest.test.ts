/** The REST interface, endpoint by endpoint (CONTRACT section 4): suites by resource on one system, and that none of its routes was left out. */
import { afterAll, beforeAll, expect, test } from 'vitest';
import './rest/events.suite.ts';
import './rest/inputs.suite.ts';
import './rest/state.suite.ts';
import './rest/operations.suite.ts';
import './rest/health.suite.ts';
import './rest/patterns.suite.ts';
import './rest/traces.suite.ts';
import './rest/insights.suite.ts';
import './rest/sessions.suite.ts';
import './rest/compare.suite.ts';
import './rest/http.suite.ts';
import './rest/questions.suite.ts';
import './rest/guards.suite.ts';
import { api, startShared, system } from './rest/shared.ts';

beforeAll(startShared);
afterAll(() => system?.stop());

test('a bundle that was exported is taken in', async () => {
  await api.post('/events', { event_type: 'log', component_type: 'agent', correlation_id: 'bundled', message: 'x' });
  const bundle = await api.get('/export/bundled');
  const headers = { 'content-type': 'application/x-ndjson' };
  expect(await api.post('/import', bundle.body, headers)).toMatchObject({ status: 201, body: { data: { logs: 1 } } });
});

test('every route of the document was seen to succeed', () => {
  const succeeded = (statuses: ReadonlySet<number>) => [...statuses].some((status) => status < 300);
  expect([...api.seen].filter(([, statuses]) => !succeeded(statuses)).map(([name]) => name)).toEqual([]);
});
