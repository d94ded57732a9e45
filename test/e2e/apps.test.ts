/** Real apps under the instrumentation flag against the real system: each is traced, correlated, and its failure explained. */
import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, afterEach, beforeAll, describe, expect, inject, it } from 'vitest';
import { ensureBuilt, type Running, runApp, startApp } from '../../instrumentation/test/run-app.ts';
import type { DebugEvent } from '../../model/event.ts';
import { createDatabase } from '../support/postgres.ts';
import { type System, startSystem } from '../support/system.ts';

const FAST = {
  OTEL_EXPORTER_OTLP_PROTOCOL: 'http/protobuf',
  OTEL_BSP_SCHEDULE_DELAY: '50',
  OTEL_BLRP_SCHEDULE_DELAY: '50',
  OTEL_METRICS_EXPORTER: 'none',
};

let system: System;
let apps: Running[] = [];

beforeAll(async () => {
  await ensureBuilt();
  system = await startSystem();
}, 60_000);

afterEach(async () => {
  for (const app of apps) app.process.kill('SIGKILL');
  await Promise.all(apps.map((app) => app.ended));
  apps = [];
});

afterAll(() => system.stop());

describe.each([
  ['express', 'GET /orders/:id'],
  ['fastify', 'GET /orders/:id'],
  ['koa', 'GET'],
  ['container', 'GET'],
])('an app of %s', (framework, span) => {
  it('has its requests traced and correlated, and its failure explained', { timeout: 60_000 }, async () => {
    const app = start('frameworks.cjs', [framework], { OTEL_SERVICE_NAME: framework });
    const url = `http://127.0.0.1:${await app.line('port ')}`;
    const correlation_id = `visit-of-${framework}`;
    expect((await fetch(`${url}/orders/7`, { headers: { 'x-correlation-id': correlation_id } })).status).toBe(200);
    expect((await fetch(`${url}/ship/7`, { headers: { 'x-correlation-id': correlation_id } })).status).toBe(500);

    const events = await eventsUntil({ correlation_id }, (found) => found.length >= 4);
    expect(events.map(({ component_id }) => component_id)).toEqual(events.map(() => framework));
    const served = events.find(({ name, data }) => name !== null && data['url.path'] === '/orders/7')!;
    expect(served.name).toBe(span);
    const line = events.find(({ message }) => message === 'order 7')!;
    expect(line).toMatchObject({ operation_id: 'order-7', trace_id: served.trace_id, span_id: served.span_id });
    const failed = events.find(
      ({ event_type, message }) => event_type === 'error' && message?.includes('has no address'),
    )!;
    expect(await explained(failed.id)).toContain('order 7 has no address');
  });
});

describe('two apps with gRPC between', () => {
  it('are one trace, and the failure of the one leads to the other', { timeout: 60_000 }, async () => {
    const server = start('rpc-server.cjs', [], { OTEL_SERVICE_NAME: 'stock' });
    const client = start('rpc-client.mjs', [await server.line('port ')], { OTEL_SERVICE_NAME: 'till' });
    const url = `http://127.0.0.1:${await client.line('port ')}`;
    const correlation_id = 'visit-of-grpc';
    expect((await fetch(`${url}/13`, { headers: { 'x-correlation-id': correlation_id } })).status).toBe(500);

    const events = await eventsUntil({ correlation_id }, (found) => found.length >= 4);
    expect(new Set(events.map(({ component_id }) => component_id))).toEqual(new Set(['stock', 'till']));
    expect(new Set(events.map(({ trace_id }) => trace_id)).size).toBe(1);
    const failed = events.find(({ component_id, status }) => component_id === 'till' && status === 'error')!;
    expect(await explained(failed.id)).toContain('sku 13 is cursed');
  });
});

describe('an app with stores, a queue and workers', () => {
  it('is one trace over all of them', { timeout: 60_000 }, async () => {
    const database = await createDatabase(inject('pgUrl'));
    try {
      const app = start('stores.mjs', [], { TEST_PG_URL: database.url, TEST_REDIS_URL: inject('redisUrl') });
      const url = `http://127.0.0.1:${await app.line('port ')}`;
      const correlation_id = 'visit-of-stores';
      await fetch(url, { headers: { 'x-correlation-id': correlation_id } });
      await app.line('done');

      const wanted = ['pg.query:SELECT', 'get', 'xadd', 'GET', 'pack', 'ship', 'packed 7', 'shipped 7'];
      const told = (found: DebugEvent[]) => found.map(({ name, message }) => name ?? message ?? '');
      const events = await eventsUntil({ correlation_id }, (found) =>
        wanted.every((text) => told(found).some((name) => name.startsWith(text))),
      );
      const missing = wanted.filter((text) => !told(events).some((name) => name.startsWith(text)));
      expect({ missing, told: told(events) }).toMatchObject({ missing: [] });
      expect(new Set(events.map(({ trace_id }) => trace_id)).size).toBe(1);
    } finally {
      await database.drop();
    }
  });
});

describe('an app whose', () => {
  let database: Awaited<ReturnType<typeof createDatabase>>;
  beforeAll(async () => {
    database = await createDatabase(inject('pgUrl'));
  });
  afterAll(() => database.drop());

  it.each([
    ['pg', '42P01'], // undefined_table; the text may hold data, so the instrumentation does not tell it
    ['ioredis', 'not an integer'],
    ['undici', 'ECONNREFUSED'],
    ['worker', 'no box fits order 13'],
    ['queue', 'no carrier takes order 13'],
  ])('%s fails is told so', { timeout: 60_000 }, async (part, message) => {
    const env = { TEST_PG_URL: database.url, TEST_REDIS_URL: inject('redisUrl'), OTEL_SERVICE_NAME: `broken-${part}` };
    const app = start('stores.mjs', [], env);
    const correlation_id = `visit-of-broken-${part}`;
    const url = `http://127.0.0.1:${await app.line('port ')}/broken/${part}`;
    expect((await fetch(url, { headers: { 'x-correlation-id': correlation_id } })).status).toBe(500);
    const served = (events: DebugEvent[]) => events.find(({ name, status }) => name === 'GET' && status === 'error');
    const events = await eventsUntil({ correlation_id }, (found) => {
      const failed = found.filter(({ status }) => status === 'error');
      return failed.length >= 2 && served(failed) !== undefined;
    });
    const told = await explained(served(events)!.id);
    expect(told).toContain(message);
    expect(told).toContain(`broken-${part}`);
  });
});

describe('an AI agent', () => {
  it('is a component of its own, with its tools, and its failure leads to the tool', { timeout: 60_000 }, async () => {
    await runApp('agent.mjs', system.otlpHttp, { env: FAST });
    const events = await eventsUntil({ component_type: 'agent' }, (found) => found.length >= 6);
    expect(new Set(events.map(({ component_id }) => component_id))).toEqual(new Set(['planner']));
    const names = events.map(({ name, message }) => name ?? message);
    for (const name of ['invoke_agent planner', 'chat large', 'execute_tool look-up', 'execute_tool book'])
      expect(names).toContain(name);
    expect(events.find(({ message }) => message?.startsWith('planning'))!.operation_id).toBe('question-17');
    const failed = events.find(({ name, status }) => name === 'invoke_agent planner' && status === 'error')!;
    expect(await explained(failed.id)).toContain('the calendar refused the booking');
    expect(await callsFrom('planner')).toEqual(['book', 'look-up', 'openai']);
  });
});

function start(app: string, args: string[], env: Record<string, string>): Running {
  const running = startApp(app, system.otlpHttp, { args, env: { ...FAST, ...env } });
  apps.push(running);
  return running;
}

async function eventsUntil(query: Record<string, string>, enough: (events: DebugEvent[]) => boolean) {
  const deadlineMs = performance.now() + 20_000;
  for (;;) {
    const events = await system.events(query);
    if (enough(events) || performance.now() > deadlineMs) return events;
    await sleep(100);
  }
}

/** Whom the topology says that a component calls. */
async function callsFrom(component: string): Promise<string[]> {
  const answer = await fetch(`${system.http}/api/debug/topology`);
  const { data } = (await answer.json()) as { data: { edges: { from: { id: string }; to: { id: string } }[] } };
  return data.edges.flatMap(({ from, to }) => (from.id === component ? to.id : [])).sort();
}

async function explained(id: string): Promise<string> {
  const answer = await fetch(`${system.http}/api/debug/errors/${id}/explain`);
  return JSON.stringify(((await answer.json()) as { data: { root_cause: unknown } }).data.root_cause);
}
