/** F38 from the wire to every answer: a secret is not on the disk, not in an answer, not on the live feed; and it is counted. */
import { once } from 'node:events';
import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { WebSocket } from 'ws';
import { startCollector, type TestCollector } from '../support/collector.ts';

const SECRET = 'hunter2-0123456789';
const MASKED = '*'.repeat(SECRET.length);
let system: TestCollector;
let socket: WebSocket;
const live: string[] = [];

beforeAll(async () => {
  system = await startCollector({ 'redact-keys': 'badge' });
  socket = new WebSocket(`${system.http.replace('http', 'ws')}/ws/debug`);
  socket.on('message', (data) => live.push(String(data)));
  await once(socket, 'open');
  socket.send('{"action":"subscribe","channel":"debug:all"}');
});
afterAll(async () => {
  socket.terminate();
  await system.stop();
});

const post = async (url: string, body: unknown) => {
  const response = await fetch(url, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify(body),
  });
  return { status: response.status, body: (await response.json()) as { data: Record<string, string> } };
};
const get = async (path: string) => (await fetch(system.http + path)).text();

const logs = {
  resourceLogs: [
    {
      scopeLogs: [
        {
          logRecords: [
            {
              timeUnixNano: `${Date.now()}000000`,
              body: { stringValue: `login of bob with password=${SECRET}` },
              attributes: [
                { key: 'http.request.header.authorization', value: { stringValue: SECRET } },
                { key: 'user.badge', value: { stringValue: SECRET } },
                { key: 'correlation_id', value: { stringValue: 'over-the-wire' } },
              ],
            },
          ],
        },
      ],
    },
  ],
};

test('F38 what came over the wire, twice', async () => {
  for (const _ of [1, 2]) expect((await post(`${system.otlpHttp}/v1/logs`, logs)).status).toBe(200);
  const { data } = JSON.parse(await get('/api/debug/events?correlation_id=over-the-wire')) as { data: object[] };
  expect(data).toHaveLength(1);
  expect(data).toMatchObject([
    {
      message: `login of bob with password=${MASKED}`,
      data: { 'http.request.header.authorization': MASKED, 'user.badge': MASKED },
    },
  ]);
});

test('F38 what was posted, and it is found by the id that was answered', async () => {
  const event = {
    event_type: 'log',
    component_type: 'service',
    correlation_id: 'posted',
    message: `token=${SECRET}`,
    data: { password: SECRET },
  };
  const posted = await post(`${system.http}/api/debug/events`, event);
  expect(posted.status).toBe(201);
  expect(await get(`/api/debug/events/${posted.body.data.event_id}`)).toContain(`token=${MASKED}`);
  const state = {
    component_type: 'service',
    component_id: 'shop',
    operation_id: 'op',
    state_data: { db: { password: SECRET } },
  };
  expect((await post(`${system.http}/api/debug/state`, state)).body.data.snapshot_id).toBeDefined();
  expect(await get('/api/debug/state/service/shop')).toContain(MASKED);
});

test('F38 nowhere on the disk, in no answer, on no stream', async () => {
  const paths = ['/events', '/templates', '/insights', '/analytics/error-patterns', '/correlations/posted'];
  for (const path of paths) expect(await get(`/api/debug${path}`), path).not.toContain(SECRET);
  expect(live.join('')).toContain(MASKED);
  expect(live.join('')).not.toContain(SECRET);
  for (const file of await readdir(system.directory, { recursive: true, withFileTypes: true })) {
    if (!file.isFile()) continue;
    expect((await readFile(join(file.parentPath, file.name))).includes(SECRET), file.name).toBe(false);
  }
});

test('F38 counted by rule', async () => {
  const metrics = await get('/metrics');
  for (const line of ['{rule="key"} 6', '{rule="assignment"} 3', '{rule="card"} 0']) {
    expect(metrics).toContain(`ai_debug_redacted_total${line}`);
  }
});
