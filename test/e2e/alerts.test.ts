/** SEED 42 to 44 from outside: what breaks a rule is told once, listed until it is resolved, and one for all that break it alike. */
import { afterAll, beforeAll, expect, test } from 'vitest';
import { WebSocket } from 'ws';
import { type ApiClient, createApiClient } from '../support/api-client.ts';
import { startCollector, type TestCollector } from '../support/collector.ts';

let system: TestCollector;
let api: ApiClient;
beforeAll(async () => {
  system = await startCollector();
  api = await createApiClient(system.http);
});
afterAll(() => system?.stop());

const alerts = async (query = '') => (await api.get(`/alerts${query}`)).body;
const failing = (component_id: string, count: number) =>
  Array.from({ length: count }, (_, i) => ({
    event_type: 'error',
    component_type: 'agent',
    component_id,
    correlation_id: `c-${component_id}-${i}`,
    // Each says something else: no pattern of them is found, only that all fail.
    message: `${WORDS[i % WORDS.length]} ${WORDS[(i * 7 + 3) % WORDS.length]} failed`,
  }));
const WORDS = ['ledger', 'parcel', 'socket', 'cursor', 'shard', 'quota', 'lock', 'mail', 'cart', 'feed', 'index'];

test('42 to 44: an alert is told over the WebSocket, listed with all its components, and gone when it is resolved', async () => {
  expect(await alerts()).toMatchObject({ data: [], meta: { count: 0 } });
  const ws = new WebSocket(`${system.http.replace('http', 'ws')}/ws/debug`);
  const told: { title: string; change: string; affected_components: { id: string }[] }[] = [];
  const heard = new Promise<void>((resolve) => {
    ws.on('message', (bytes) => {
      const { type, data } = JSON.parse(String(bytes));
      if (type === 'subscribed') resolve();
      if (type === 'debug:alert') told.push(data);
    });
  });
  ws.on('open', () =>
    ws.send(JSON.stringify({ action: 'subscribe', channel: 'debug:all', filter: { message_type: ['debug:alert'] } })),
  );
  await heard;
  await api.post('/events/batch', { events: ['agent-1', 'agent-2'].flatMap((id) => failing(id, 11)) });

  const rule = ({ title }: { title: string }) => title.startsWith('Most that');
  await expect.poll(async () => (await alerts()).data.filter(rule).length, { timeout: 45_000, interval: 500 }).toBe(1);
  const [alert] = (await alerts('?severity=critical')).data.filter(rule);
  expect(alert).toMatchObject({ insight_type: 'error', severity: 'critical' });
  expect(alert.affected_components.map(({ id }: { id: string }) => id).sort()).toEqual(['agent-1', 'agent-2']);
  await expect.poll(() => told.filter(rule).map(({ change }) => change)).toEqual(['opened']);
  ws.terminate();

  for (const { id } of alert.insights) await api.put(`/insights/${id}/resolve`, { resolution_notes: 'rolled back' });
  expect((await alerts()).data.filter(rule)).toEqual([]);
  expect((await alerts('?limit=1')).data.length).toBeLessThanOrEqual(1);
  expect((await api.get('/alerts?severity=info')).status).toBe(400);
}, 60_000);
