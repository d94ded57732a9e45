/** The halves apart: a receiver and two query services on one PostgreSQL and one Redis, as docker-compose.yml runs them. */
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, inject, test, vi } from 'vitest';
import { WebSocket } from 'ws';
import { type RunningProgram, startProgram } from '../../demo/processes.ts';
import { createDatabase } from '../support/postgres.ts';
import { allPages, CLI } from '../support/system.ts';

let folder: string;
let database: Awaited<ReturnType<typeof createDatabase>>;
const running: RunningProgram[] = [];
let receiver: string;
let queries: string[];

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'ai-debug-roles-'));
  database = await createDatabase(inject('pgUrl'));
  receiver = (await up('receiver', 'receiver')).otlp_http;
  queries = [(await up('query', 'query-1')).http, (await up('query', 'query-2')).http];
}, 90_000);

afterAll(async () => {
  for (const program of running.reverse()) await program.stop();
  await database?.drop();
  await rm(folder, { recursive: true, force: true });
});

test('what the receiver takes, every query service answers, and a listener hears of it', async () => {
  const heard: { type: string; data: { message?: string } }[] = [];
  const socket = new WebSocket(`${queries[1]!.replace('http', 'ws')}/ws/debug`);
  socket.on('message', (data) => heard.push(JSON.parse(String(data))));
  await new Promise((resolve, reject) => socket.once('open', resolve).once('error', reject));
  socket.send(JSON.stringify({ action: 'subscribe', channel: 'debug:shop', filter: { level: ['ERROR'] } }));
  await vi.waitFor(() => expect(heard.map(({ type }) => type)).toContain('subscribed'), { timeout: 5000 });

  await sendLogs([
    { body: 'all is well', severity: 9 },
    { body: 'out of stock', severity: 17 },
  ]);
  for (const url of queries) {
    await vi.waitFor(
      async () => {
        const events = await allPages(`${url}/api/debug/events`, { component_id: 'shop' });
        expect(events.map(({ message }) => message).sort()).toEqual(['all is well', 'out of stock']);
      },
      { timeout: 5000 },
    );
  }
  await vi.waitFor(() => expect(heard.filter(({ type }) => type === 'debug:event')).toHaveLength(1), { timeout: 5000 });
  expect(heard.find(({ type }) => type === 'debug:event')!.data.message).toBe('out of stock');
  socket.close();
});

test('what is posted to one query service, the other finds at once', async () => {
  const posted = await fetch(`${queries[0]}/api/debug/events`, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify({
      event_type: 'log',
      component_type: 'agent',
      component_id: 'a',
      correlation_id: 'across',
      message: 'm',
    }),
  });
  expect(posted.status).toBe(201);
  const { data } = (await posted.json()) as { data: { event_id: string } };
  const found = await fetch(`${queries[1]}/api/debug/events/${data.event_id}`);
  expect([found.status, ((await found.json()) as { data: { message: string } }).data.message]).toEqual([200, 'm']);
});

async function sendLogs(records: { body: string; severity: number }[]): Promise<void> {
  const logRecords = records.map(({ body, severity }) => ({
    timeUnixNano: String(BigInt(Date.now()) * 1_000_000n),
    severityNumber: severity,
    body: { stringValue: body },
  }));
  const resource = { attributes: [{ key: 'service.name', value: { stringValue: 'shop' } }] };
  const response = await fetch(`${receiver}/v1/logs`, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify({ resourceLogs: [{ resource, scopeLogs: [{ logRecords }] }] }),
  });
  expect(response.status).toBe(200);
}

async function up(role: string, name: string): Promise<{ http: string; otlp_http: string }> {
  const ports = ['--otlp-grpc-port=0', '--otlp-http-port=0', '--http-port=0', '--grpc-port=0'];
  const program = await startProgram({
    name: `ai-debug up --role ${role}`,
    args: [CLI, 'up', '--json', '--log-level=warn', `--role=${role}`, `--data-dir=${join(folder, name)}`, ...ports],
    environment: {
      DEBUG_PG_URL: database.url,
      DEBUG_REDIS_URL: inject('redisUrl'),
      DEBUG_REDIS_KEY_PREFIX: `roles-${process.pid}`,
    },
    hide: /^DEBUG_/,
    ready: /^\{.*\}$/m,
  });
  running.push(program);
  return JSON.parse(program.said[0]);
}
