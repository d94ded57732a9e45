/** `debug.v1.DebugQuery` as a client sees it: one made from the descriptors, over a real connection. */

import { Metadata, type ServiceError, status } from '@grpc/grpc-js';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { systemClock } from '../../base/clock.ts';
import type { GrpcServer } from '../../base/grpc-server.ts';
import { createLogger } from '../../base/log.ts';
import { createMeter } from '../../base/meter.ts';
import { createAuthenticate } from '../../base/tokens.ts';
import { EventType, Level } from '../../proto/gen/debug/v1/debug_query_pb.js';
import { cancellable } from '../../query/cancellation.ts';
import { createDebugQueryServer } from '../../query/grpc/server.ts';
import { createQueryService } from '../../query/service.ts';
import { createClient } from '../support/grpc-client.ts';
import { tellIncident } from '../support/incident.ts';
import { type QuerySystem, startQuerySystem } from '../support/query-system.ts';

let system: QuerySystem;
let server: GrpcServer;
let client: ReturnType<typeof createClient>;
let ids: string[];
/** How often events were asked of the store. */
let reads = 0;
/** What a read of the store waits for. */
let held: Promise<void> | null = null;

const shared = { clock: systemClock(), log: createLogger('silent'), meter: createMeter() };
const TOKENS = ['read@default:reads', 'admin@default:runs', 'read@other:others'];

beforeAll(async () => {
  system = await startQuerySystem();
  ids = await tellIncident(system.url);
  const { events } = system.needs;
  const counted = {
    ...events,
    async events(query: Parameters<typeof events.events>[0]) {
      reads++;
      await held;
      return events.events(query);
    },
  };
  server = createDebugQueryServer({
    host: '127.0.0.1',
    port: 0,
    service: createQueryService({ ...system.needs, events: cancellable(counted) }),
    live: system.live,
    enabled: true,
    authenticate: createAuthenticate(TOKENS),
    ...shared,
  });
  await server.start();
  client = createClient(server.address()!.port);
});
afterAll(async () => {
  client?.close();
  await server?.stop();
  await system?.stop();
});

const as = (token: string) => {
  const metadata = new Metadata();
  metadata.set('authorization', `Bearer ${token}`);
  return metadata;
};
const ask = (method: string, request: object = {}, token = 'reads') => client.unary(method, request, as(token));

/** @returns the error that a call fails by */
async function failure(
  call: Promise<unknown>,
): Promise<ServiceError & { reason: string | undefined; fields: string[] }> {
  return call.then(
    () => Promise.reject(new Error('it succeeded')),
    (error) => error,
  );
}

describe('unary methods', () => {
  it('GetEvent gives every field of an event', async () => {
    const id = ids.at(-1)!;
    const { event, meta } = await ask('getEvent', { eventId: id });
    expect(event).toMatchObject({
      id,
      eventType: EventType.ERROR,
      component: { type: 'service', id: 'front' },
      correlationId: 'incident-order-30',
      operationId: 'op-30',
      level: Level.ERROR,
      message: 'order 30 failed',
      data: expect.objectContaining({ 'http.status_code': 500 }),
    });
    expect(Number(event.timestamp.seconds)).toBeGreaterThan(1.7e9);
    expect(meta.tiers.length).toBeGreaterThan(0);
  });

  it('QueryInsights pages and narrows', async () => {
    const all = await ask('queryInsights', {});
    expect(all.insights.length).toBeGreaterThan(1);
    const first = await ask('queryInsights', { limit: 1 });
    expect(first.insights).toHaveLength(1);
    const second = await ask('queryInsights', { limit: 1, cursor: first.nextCursor });
    expect([first.insights[0].id, second.insights[0].id]).toEqual(
      all.insights.slice(0, 2).map(({ id }: { id: string }) => id),
    );
    expect((await ask('queryInsights', { resolved: true })).insights).toEqual([]);
  });

  it('GenerateInsights and ResolveInsight take the scope admin', async () => {
    expect(await failure(ask('generateInsights'))).toMatchObject({ code: status.PERMISSION_DENIED });
    const { insights } = await ask('generateInsights', { correlationId: 'incident-order-30' }, 'runs');
    expect(insights.length).toBeGreaterThan(0);
    const change = { insightId: insights[0].id, resolutionNotes: 'restarted the database' };
    expect(await failure(ask('resolveInsight', change))).toMatchObject({ code: status.PERMISSION_DENIED });
    const { insight } = await ask('resolveInsight', change, 'runs');
    expect(insight).toMatchObject({
      state: 'resolved',
      resolutionNotes: 'restarted the database',
      resolvedBy: 'admin@default #2',
    });
  });

  it('GetComponentHealth counts as REST does', async () => {
    const which = { componentType: 'service', componentId: 'inventory' };
    const { health, insights } = await ask('getComponentHealth', { ...which, time: { timeRange: '1h' } });
    expect(health).toMatchObject({ status: 'unhealthy', totalEvents: 30n, errorEvents: 16n });
    expect(health.healthScore).toBeCloseTo(46.66, 1);
    expect(insights.length).toBeGreaterThan(0);
    const unknown = await ask('getComponentHealth', { ...which, componentId: 'nobody' });
    expect(unknown.health.status).toBe('unknown');
    expect([unknown.health.healthScore, unknown.health.errorRate]).toEqual([undefined, undefined]);
  });

  it('GetOperationProgress, ExplainError, CompareComponents answer', async () => {
    const progress = await ask('getOperationProgress', { operationId: 'op-3' });
    expect(progress).toMatchObject({ operationId: 'op-3', progress: 1, status: 'completed' });
    const explained = await ask('explainError', { id: ids.at(-1) });
    expect(explained.rootCause.component.id).toBe('inventory');
    expect(explained.chain.length).toBeGreaterThan(1);
    const components = ['orders', 'inventory'].map((id) => ({ type: 'service', id }));
    const compared = await ask('compareComponents', { components });
    expect(compared.sides.map(({ label }: { label: string }) => label)).toEqual([
      'service/orders',
      'service/inventory',
    ]);
    expect(compared.differences.length).toBeGreaterThan(0);
  });

  it('AnalyzeConsistency compares states', async () => {
    for (const [component_id, qty] of [
      ['replica-1', 4],
      ['replica-2', 5],
    ]) {
      const state = { component_type: 'service', component_id, operation_id: 'sync-1', state_data: { qty } };
      const response = await fetch(`${system.url}/api/debug/state`, {
        method: 'POST',
        headers: { 'content-type': 'application/json' },
        body: JSON.stringify(state),
      });
      expect(response.status).toBe(201);
    }
    const { insight } = await ask('analyzeConsistency', { operationId: 'sync-1' });
    expect(insight).toMatchObject({ insightType: 'consistency', severity: 'warning' });
    expect(insight.summary).toContain('qty');
  });

  it('Ask answers within its budget', async () => {
    const answer = await ask('ask', { question: 'why does orders fail?', budgetTokens: 600 });
    expect(answer.answer).toContain('inventory');
    expect(answer.parsed).toMatchObject({ intent: 'explain', components: ['orders'] });
    expect(answer.receipt.usedTokens).toBeLessThanOrEqual(600);
    expect(answer.next.length).toBeGreaterThan(0);
  });
});

describe('failures', () => {
  it('carry reason and fields', async () => {
    expect(await failure(ask('getEvent', { eventId: '0'.repeat(32) }))).toMatchObject({
      code: status.NOT_FOUND,
      reason: 'EVENT_NOT_FOUND',
    });
    expect(await failure(ask('getEvent'))).toMatchObject({ code: status.INVALID_ARGUMENT, fields: ['event_id'] });
    expect(await failure(ask('queryInsights', { severity: 'loud' }))).toMatchObject({ fields: ['severity'] });
    expect(await failure(ask('queryInsights', { limit: 5000 }))).toMatchObject({ fields: ['limit'] });
    expect(await failure(ask('compareComponents'))).toMatchObject({ code: status.INVALID_ARGUMENT });
    expect(
      await failure(
        ask('getComponentHealth', { componentType: 'service', componentId: 'x', time: { timeRange: 'soon' } }),
      ),
    ).toMatchObject({
      code: status.INVALID_ARGUMENT,
      fields: ['time_range'],
    });
  });

  it('tell strangers nothing, and tenants nothing of each other', async () => {
    expect(await failure(client.unary('queryInsights', {}, new Metadata()))).toMatchObject({
      code: status.UNAUTHENTICATED,
    });
    expect(await failure(ask('queryInsights', {}, 'nobody'))).toMatchObject({ code: status.UNAUTHENTICATED });
    expect((await ask('queryInsights', {}, 'others')).insights).toEqual([]);
    expect(await failure(ask('getEvent', { eventId: ids[0] }, 'others'))).toMatchObject({ reason: 'EVENT_NOT_FOUND' });
    expect(await client.all('queryEvents', {}, as('others'))).toMatchObject([
      { events: [], meta: { empty: 'no_data' } },
    ]);
  });
});

describe('QueryEvents', () => {
  it('streams all that match, newest first', async () => {
    const pages = await client.all('queryEvents', { filter: { minLevel: Level.ERROR } }, as('reads'));
    const events = pages.flatMap((page) => page.events);
    expect(events).toHaveLength(48);
    expect(events.every(({ level }) => level >= Level.ERROR)).toBe(true);
    expect(events.map(({ id }) => id)).toEqual(
      events
        .map(({ id }) => id)
        .sort()
        .reverse(),
    );
    expect(pages.at(-1)!.meta.truncated).toBe(false);
  });

  it('keeps to its limit and says that there is more', async () => {
    const pages = await client.all('queryEvents', { limit: 3 }, as('reads'));
    expect(pages.flatMap((page) => page.events)).toHaveLength(3);
    expect(pages.at(-1)!.meta.truncated).toBe(true);
  });

  it('reads no further than a client that does not take what comes', async () => {
    await tellMuch();
    const before = reads;
    const stream = client.stream('queryEvents', {}, as('reads'));
    let events = 0;
    stream.once('data', (page) => {
      events += page.events.length;
      stream.pause();
    });
    let ahead = -1;
    for (let quiet = 0; quiet < 5; quiet++) {
      await new Promise((resolve) => setTimeout(resolve, 100));
      if (reads - before !== ahead) quiet = 0;
      ahead = reads - before;
    }
    // Some megabytes fill the buffers of both ends and the kernel's between them; the rest is not read yet.
    expect(ahead).toBeLessThan(12);
    stream.on('data', (page) => {
      events += page.events.length;
    });
    stream.resume();
    await new Promise((resolve) => stream.on('end', resolve));
    expect(events).toBeGreaterThan(8000);
    expect(reads - before).toBeGreaterThan(ahead);
  });

  it('stops reading when its client leaves', async () => {
    const before = reads;
    const stream = client.stream('queryEvents', {}, as('reads'));
    stream.on('error', () => {});
    stream.once('data', () => stream.cancel());
    await new Promise((resolve) => stream.on('error', resolve));
    await new Promise((resolve) => setTimeout(resolve, 100));
    const after = reads;
    await new Promise((resolve) => setTimeout(resolve, 200));
    expect(reads).toBe(after);
    expect(after - before).toBeLessThan(10);
  });
});

describe('deadlines', () => {
  it('end the work of a unary call too', async () => {
    const gate = Promise.withResolvers<void>();
    held = gate.promise;
    const before = reads;
    const call = client.unary('explainError', { id: ids.at(-1) }, as('reads'), { deadline: Date.now() + 150 });
    const compare = client.unary('compareComponents', { operations: ['op-1', 'op-2', 'op-3'] }, as('reads'), {
      deadline: Date.now() + 150,
    });
    const [error] = await Promise.all([failure(compare), call.catch(() => {})]);
    expect(error).toMatchObject({ code: status.DEADLINE_EXCEEDED });
    await new Promise((resolve) => setTimeout(resolve, 100));
    held = null;
    gate.resolve();
    await new Promise((resolve) => setTimeout(resolve, 100));
    // Each had one read under way when its deadline passed, and began no other.
    expect(reads - before).toBeLessThanOrEqual(2);
  });
});

describe('Tail', () => {
  it('shows what comes, filtered, and goes on behind a cursor', async () => {
    const filter = { componentId: 'tailed' };
    const stream = client.stream('tail', { filter }, as('reads'));
    const messages = client.messagesOf(stream);
    const { value: connected } = await messages.next();
    expect(connected.type).toBe('connected');
    await tell('tailed', 'first');
    await tell('another', 'not for us');
    await tell('tailed', 'second');
    const first = (await messages.next()).value;
    expect(first).toMatchObject({ type: 'debug:event', data: { case: 'event', value: { message: 'first' } } });
    expect((await messages.next()).value.data.value.message).toBe('second');
    stream.cancel();

    const again = client.stream('tail', { filter, since: first.cursor }, as('reads'));
    const rest = client.messagesOf(again);
    const types = [(await rest.next()).value, (await rest.next()).value];
    expect(types.find(({ type }) => type === 'debug:event').data.value.message).toBe('second');
    again.cancel();
  });

  it('tells of insights as they change', async () => {
    const stream = client.stream('tail', { messageType: ['debug:insight'] }, as('reads'));
    const messages = client.messagesOf(stream);
    await messages.next();
    const { insights } = await ask('queryInsights', { limit: 1 });
    await ask('resolveInsight', { insightId: insights[0].id, resolutionNotes: 'done' }, 'runs');
    expect((await messages.next()).value.data).toMatchObject({
      case: 'insight',
      value: { change: 'resolved', insight: { id: insights[0].id } },
    });
    stream.cancel();
  });

  it('refuses what is no channel', async () => {
    const stream = client.stream('tail', { channel: 'nonsense' }, as('reads'));
    expect(await client.failureOf(stream)).toMatchObject({ code: status.INVALID_ARGUMENT, fields: ['channel'] });
  });
});

it('health and reflection introduce the port', async () => {
  expect(await client.health('debug.v1.DebugQuery')).toBe('SERVING');
  expect(await client.services()).toContain('debug.v1.DebugQuery');
});

async function tell(component_id: string, message: string): Promise<void> {
  const event = { event_type: 'log', component_type: 'service', component_id, correlation_id: 'tail', message };
  await post('/events', event);
}

/** More than fits the windows and buffers of a connection. */
async function tellMuch(): Promise<void> {
  const events = Array.from({ length: 8000 }, (_, i) => ({
    event_type: 'log',
    component_type: 'service',
    component_id: 'talkative',
    correlation_id: `much-${i}`,
    message: `${i} ${'lorem ipsum '.repeat(100)}`,
  }));
  for (const half of [events.slice(0, 4000), events.slice(4000)]) await post('/events/batch', { events: half });
}

async function post(path: string, body: object): Promise<void> {
  const response = await fetch(`${system.url}/api/debug${path}`, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify(body),
  });
  expect(response.status).toBe(201);
}
