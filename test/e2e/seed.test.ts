/**
 * The numbered behaviours of ../shared/SEED.md that a client sees, against the whole program. Each has a tenant of its own. Those that
 * are proved elsewhere under their number: 15–32, 45–47 beside the analyzers and in insights.test.ts, 52 in query/cache.test.ts.
 */
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, inject, test } from 'vitest';
import { WebSocket } from 'ws';
import { API_PREFIX, ROUTES } from '../../query/rest/routes.ts';
import { startCollector, type TestCollector } from '../support/collector.ts';
import { requestProtobuf } from '../support/otlp-requests.ts';

const TENANTS = 40;
const tokenOf = (tenant: number) => `seed-token-${String(tenant).padStart(6, '0')}`;

let system: TestCollector;
beforeAll(async () => {
  const tokens = Array.from({ length: TENANTS }, (_, i) => `admin@t${i}:${tokenOf(i)}`);
  system = await startCollector({ 'api-tokens': tokens.join(',') });
});
afterAll(() => system?.stop());

// biome-ignore lint/suspicious/noExplicitAny: answers are looked into freely; their shape is checked in rest.test.ts.
type Answer = { status: number; body: any };

let tenants = 0;
/** Somebody whom nobody else disturbs. */
function client(server = system, token: string | null = tokenOf(tenants++)) {
  const call = async (method: string, path: string, body?: unknown): Promise<Answer> => {
    const headers = {
      ...(token !== null && { authorization: `Bearer ${token}` }),
      ...(body !== undefined && { 'content-type': 'application/json' }),
    };
    const init = { method, headers, ...(body !== undefined && { body: JSON.stringify(body) }) };
    const response = await fetch(server.http + API_PREFIX + path, init);
    return { status: response.status, body: await response.json() };
  };
  const post = (path: string, body: unknown) => call('POST', path, body);
  const events = async (list: object[]): Promise<string[]> =>
    (await post('/events/batch', { events: list.map(event) })).body.data.event_ids;
  return {
    token,
    get: (path: string) => call('GET', path),
    post,
    put: (path: string, body: unknown) => call('PUT', path, body),
    events,
    event: async (more: object) => (await events([more]))[0]!,
    health: async (component_id: string) =>
      (await post('/analytics/component-health', { component_type: 'agent', component_id })).body.data,
  };
}

const event = (more: object) => ({
  event_type: 'log',
  component_type: 'agent',
  component_id: 'a',
  correlation_id: 'c',
  ...more,
});
const ago = (seconds: number) => new Date(Date.now() - seconds * 1000).toISOString();
const times = (count: number, more: object) => Array.from({ length: count }, () => more);
const idsOf = ({ body }: Answer) => body.data.map(({ id }: { id: string }) => id);

test('1: an event with the three required fields is stored, and read back at once as it was posted', async () => {
  const { post, get } = client();
  const posted = { event_type: 'log', component_type: 'agent', correlation_id: 'corr-1' };
  const answer = await post('/events', posted);
  expect(answer.status).toBe(201);
  expect((await get(`/events/${answer.body.data.event_id}`)).body.data).toMatchObject(posted);
});

test('2: what is missing or unknown is named with 422, and nothing has an id', async () => {
  const { post, get } = client();
  for (const [field, body] of [
    ['correlation_id', { event_type: 'log', component_type: 'agent' }],
    ['event_type', { component_type: 'agent', correlation_id: 'c' }],
    ['event_type', { event_type: 'nonsense', component_type: 'agent', correlation_id: 'c' }],
    ['level', { event_type: 'log', component_type: 'agent', correlation_id: 'c', level: 'LOUD' }],
  ] as const) {
    const { status, body: problem } = await post('/events', body);
    expect([status, problem.errors[0].field, problem.data]).toEqual([422, field, undefined]);
  }
  expect((await get('/events')).body.data).toEqual([]);
});

test('3: a batch answers ids in order; of one with a malformed event the others are stored and it is named', async () => {
  const { post, get, events } = client();
  const ids = await events([{ message: 'x' }, { message: 'y' }, { message: 'z' }]);
  for (const [i, message] of ['x', 'y', 'z'].entries())
    expect((await get(`/events/${ids[i]}`)).body.data.message).toBe(message);
  const { body } = await post('/events/batch', { events: [event({}), { event_type: 'log' }, event({ message: 'w' })] });
  expect(body.data).toMatchObject({ collected_count: 2, errors: [{ index: 1 }] });
  expect(body.data.event_ids.map((id: string | null) => id !== null)).toEqual([true, false, true]);
});

test('4: a child keeps its parent, and both are under the correlation', async () => {
  const { get, event } = client();
  const parent = await event({ correlation_id: 'family', timestamp: ago(2) });
  const child = await event({ correlation_id: 'family', parent_event_id: parent });
  const found = await get('/events?correlation_id=family');
  expect(idsOf(found)).toEqual([child, parent]);
  expect(found.body.data[0].parent_event_id).toBe(parent);
});

test('5: filters narrow alone and together to exact counts, newest first, page by page', async () => {
  const { get, events } = client();
  const [one, two, three] = await events([
    { level: 'INFO', timestamp: ago(30) },
    { level: 'ERROR', event_type: 'error', timestamp: ago(20) },
    { component_type: 'browser', component_id: 'b', level: 'INFO', timestamp: ago(10) },
  ]);
  const list = async (query: string) => idsOf(await get(`/events?${query}`));
  expect(await list('')).toEqual([three, two, one]);
  expect(await list('component_type=agent')).toEqual([two, one]);
  expect(await list('component_type=browser')).toEqual([three]);
  expect(await list('component_type=agent&level=ERROR')).toEqual([two]);
  const first = await get('/events?limit=1');
  expect(idsOf(first)).toEqual([three]);
  expect(await list(`limit=1&cursor=${first.body.meta.next_cursor}`)).toEqual([two]);
});

test('6: an hour is the same hour in every spelling and on every endpoint; an unknown one is refused', async () => {
  const { get, post, events } = client();
  const [, fresh] = await events([
    { timestamp: ago(7200), level: 'ERROR', message: 'old' },
    { timestamp: ago(60), level: 'ERROR', message: 'old' },
  ]);
  for (const range of ['1h', 'last_1h', '60m', '3600s']) {
    expect(idsOf(await get(`/events?time_range=${range}`))).toEqual([fresh]);
    expect((await get(`/analytics/system-health?time_range=${range}`)).body.data.total_events).toBe(1);
    expect((await get(`/analytics/throughput?time_range=${range}`)).body.data.total_events).toBe(1);
    expect((await get(`/analytics/error-patterns?time_range=${range}`)).body.data[0].count).toBe(1);
    const health = await post('/analytics/component-health', {
      component_type: 'agent',
      component_id: 'a',
      time_range: range,
    });
    expect(health.body.data.total_events).toBe(1);
  }
  const ranged = ROUTES.filter(({ method, query }) => method === 'get' && query !== undefined && takesRange(query));
  expect(ranged.length).toBeGreaterThan(5);
  for (const { path } of ranged) {
    expect([path, (await get(`${path}?time_range=lately`)).status]).toEqual([path, 400]);
    expect([path, (await get(`${path}?time_range=last_1h`)).status]).toEqual([path, 200]);
  }
});

test('7: what nobody knows is 404, each kind with its own code', async () => {
  const { get, put } = client();
  expect((await get(`/events/${'0'.repeat(32)}`)).body.code).toBe('EVENT_NOT_FOUND');
  expect((await get(`/insights/${'0'.repeat(32)}`)).body.code).toBe('INSIGHT_NOT_FOUND');
  expect((await put(`/insights/${'0'.repeat(32)}/resolve`, { resolution_notes: 'x' })).body.code).toBe(
    'INSIGHT_NOT_FOUND',
  );
  expect((await get('/state/agent/nobody')).body.code).toBe('SNAPSHOT_NOT_FOUND');
  expect((await put('/sessions/nothing/close', {})).body.code).toBe('SESSION_NOT_FOUND');
  expect((await get('/operations/nothing/progress')).body.code).toBe('OPERATION_NOT_FOUND');
});

test('8, 9: with Redis down all is stored and read as without it', async () => {
  const without = client();
  const down = await startCollector({ 'redis-url': 'redis://127.0.0.1:1' });
  try {
    const orphan = client(down, null);
    const seen = [];
    for (const { events, get } of [without, orphan]) {
      await events([
        { message: 'first', timestamp: '2026-11-22T10:00:00Z' },
        { message: 'second', level: 'ERROR', timestamp: '2026-11-22T10:00:01Z' },
      ]);
      const { data } = (await get('/events?correlation_id=c')).body;
      seen.push(data.map(({ message, level, timestamp }: Record<string, unknown>) => [message, level, timestamp]));
    }
    expect(seen[0]).toHaveLength(2);
    expect(seen[1]).toEqual(seen[0]);
  } finally {
    await down.stop();
  }
});

test('9: what was stored a moment ago comes from the hot tier, also from Redis', async () => {
  const here = client();
  const redis = await startCollector({ 'redis-url': inject('redisUrl'), 'redis-key-prefix': `seed-${process.pid}` });
  try {
    for (const { event, get } of [here, client(redis, null)])
      expect((await get(`/events/${await event({})}`)).body.meta.tier).toBe('hot');
  } finally {
    await redis.stop();
  }
});

test('12: a stop loses nothing that was acknowledged; a system that is switched off collects nothing', async () => {
  const folder = await mkdtemp(join(tmpdir(), 'ai-debug-seed-'));
  const run = async <T>(settings: Record<string, string>, work: (server: TestCollector) => Promise<T>) => {
    const server = await startCollector({ 'data-dir': folder, ...settings });
    try {
      return await work(server);
    } finally {
      await server.stop();
    }
  };
  const send = async (server: TestCollector) =>
    (
      await fetch(`${server.otlpHttp}/v1/traces`, {
        method: 'POST',
        headers: { 'content-type': 'application/x-protobuf' },
        body: Buffer.from(requestProtobuf('span')),
      })
    ).status;
  const count = async (server: TestCollector) => (await client(server, null).get('/events')).body.data?.length;
  try {
    expect(
      await run({ 'system-enabled': 'false' }, async (server) => [await send(server), await count(server)]),
    ).toEqual([200, undefined]);
    expect(await run({}, count)).toBe(0);
    expect(await run({}, send)).toBe(200);
    expect(await run({}, count)).toBe(1);
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
});

test('13: the latest of two snapshots is answered, and operation and checkpoint choose truly', async () => {
  const { post, get } = client();
  const base = { component_type: 'agent', component_id: 'a' };
  await post('/state', { ...base, operation_id: 'op-1', state_data: { n: 1 }, checkpoint_name: 'begin' });
  await post('/state', { ...base, operation_id: 'op-1', state_data: { n: 2 }, checkpoint_name: 'end' });
  await post('/state', { ...base, operation_id: 'op-2', state_data: { n: 3 } });
  const state = async (query = '') => (await get(`/state/agent/a${query}`)).body.data?.state_data;
  expect(await state()).toEqual({ n: 3 });
  expect(await state('?operation_id=op-1')).toEqual({ n: 2 });
  expect(await state('?operation_id=op-1&checkpoint_name=begin')).toEqual({ n: 1 });
  expect(await state('?operation_id=op-2&checkpoint_name=begin')).toBeUndefined();
  const { operation_id: _, ...incomplete } = { ...base, operation_id: '', state_data: {} };
  expect(await post('/state', incomplete)).toMatchObject({
    status: 422,
    body: { errors: [{ field: 'operation_id' }] },
  });
});

test('14: a second snapshot says what it changed, computed by us', async () => {
  const { post, get } = client();
  const snapshot = (progress: number) => ({
    component_type: 'agent',
    component_id: 'a',
    operation_id: 'op',
    state_data: { progress },
  });
  expect((await post('/state', snapshot(0.5))).body.data.diff_from_previous).toBeNull();
  const diff = { progress: { from: 0.5, to: 0.8 } };
  expect((await post('/state', snapshot(0.8))).body.data.diff_from_previous).toEqual(diff);
  expect((await get('/state/agent/a')).body.data.diff_from_previous).toEqual(diff);
});

test('26, 29: what posted events say of time and of resources counts, metrics among them', async () => {
  const { events, post } = client();
  const took = (duration_ms: number) => ({ component_id: 'slow', data: { duration_ms } });
  await events([...times(9, took(10)), took(20_000)]);
  const asked = { component_type: 'agent', component_id: 'slow' };
  expect((await post('/analytics/performance', asked)).body.data).toMatchObject({
    sample_count: 10,
    p95_ms: expect.closeTo(20_000, -3),
  });
  const usage = (cpu_usage: number) => ({ event_type: 'metric', component_id: 'hot', data: { cpu_usage } });
  await events([usage(90), usage(85)]);
  const found = (await post('/insights/generate', {})).body.data as Record<string, unknown>[];
  expect(found.map(({ title }) => title)).toEqual(
    expect.arrayContaining([expect.stringContaining('cpu_usage of agent/hot is at 87.5%')]),
  );
});

test('33: a resolved insight has its notes and is found as resolved', async () => {
  const { events, post, put, get } = client();
  await events(times(5, { level: 'ERROR', event_type: 'error', message: 'connection to the ledger refused' }));
  const [{ id }] = (await post('/insights/generate', {})).body.data;
  const resolved = await put(`/insights/${id}/resolve`, { resolution_notes: 'restarted the ledger', actor: 'ann' });
  expect(resolved.body.data).toMatchObject({
    state: 'resolved',
    resolution_notes: 'restarted the ledger',
    resolved_by: 'ann',
  });
  expect(idsOf(await get('/insights?resolved=true'))).toEqual([id]);
  expect(idsOf(await get('/insights?resolved=false'))).not.toContain(id);
});

test('34: one of twenty is healthy, six degraded, all of ten unhealthy, none unknown; others do not count', async () => {
  const { events, event, health } = client();
  await events([...times(19, { component_id: 'one' }), { component_id: 'one', level: 'ERROR' }]);
  await events([...times(14, { component_id: 'six' }), ...times(6, { component_id: 'six', level: 'ERROR' })]);
  await events(times(10, { component_id: 'all', level: 'CRITICAL' }));
  expect(await health('one')).toMatchObject({ health_score: 95, status: 'healthy' });
  expect(await health('six')).toMatchObject({ health_score: 70, status: 'degraded' });
  expect(await health('all')).toMatchObject({ health_score: 0, status: 'unhealthy' });
  expect(await health('none')).toMatchObject({ health_score: null, status: 'unknown' });
  await event({ component_id: 'six', level: 'ERROR' });
  expect(await health('six')).toMatchObject({ error_events: 7, status: 'unhealthy' });
});

test('35: progress is the mean of the latest of each step', async () => {
  const { event, get, post } = client();
  const step = (operation_id: string, data: object, more: object = {}) => event({ operation_id, data, ...more });
  const progress = async (id: string) => {
    const { data, code } = (await get(`/operations/${id}/progress`)).body;
    return code ?? [data.status, data.progress];
  };
  await step('both', { step: 'a', status: 'completed' });
  await step('both', { step: 'b', status: 'completed' });
  expect(await progress('both')).toEqual(['completed', 1]);
  await step('half', { step: 'a', status: 'completed' });
  await step('half', { step: 'b', progress: 0.5 });
  expect(await progress('half')).toEqual(['in_progress', 0.75]);
  await event({ operation_id: 'note', message: 'begun' });
  expect(await progress('note')).toEqual(['started', 0]);
  await step('kept', { progress: 0.65 });
  expect(await progress('kept')).toEqual(['in_progress', 0.65]);
  for (const progress of [0.5, 0.8])
    await post('/state', {
      component_type: 'agent',
      component_id: 'a',
      operation_id: 'snapshots',
      state_data: { progress },
    });
  expect(await progress('snapshots')).toEqual(['in_progress', 0.8]);
  await step('failed', { step: 'a' }, { level: 'ERROR' });
  expect((await progress('failed'))[0]).toBe('failed');
  await step('retried', { step: 'a' }, { level: 'ERROR', timestamp: ago(5) });
  await step('retried', { step: 'a', status: 'completed' });
  expect(await progress('retried')).toEqual(['completed', 1]);
  expect(await progress('nobody')).toBe('OPERATION_NOT_FOUND');
});

test('36: an error is explained by its insight at its confidence, one without with less', async () => {
  const { events, post, get } = client();
  const [first] = await events(times(5, { level: 'ERROR', event_type: 'error', message: 'ledger away' }));
  const insights = (await post('/insights/generate', {})).body.data as Record<string, unknown>[];
  const explained = (await get(`/errors/${first}/explain`)).body.data;
  const linked = insights.find(({ id }) => id === explained.insight_id)!;
  expect(explained).toMatchObject({ description: linked.description, confidence: linked.confidence_score });
  const [alone] = await events([{ component_id: 'lonely', correlation_id: 'lonely', level: 'ERROR', message: 'odd' }]);
  const unlinked = (await get(`/errors/${alone}/explain`)).body.data;
  expect(unlinked.insight_id).toBeNull();
  expect(unlinked.confidence).toBeLessThanOrEqual(explained.confidence);
});

test('37: a gap of health and one of the error rate are remarked on, equals are not, and one alone is no comparison', async () => {
  const { events, post } = client();
  await events([...times(20, { component_id: 'good' }), ...times(20, { component_id: 'twin' })]);
  await events([...times(16, { component_id: 'fair' }), ...times(4, { component_id: 'fair', level: 'ERROR' })]);
  await events(times(20, { component_id: 'bad', level: 'ERROR' }));
  const compare = async (...ids: string[]) =>
    await post('/analytics/compare', { components: ids.map((id) => ({ type: 'agent', id })) });
  expect((await compare('good', 'bad')).body.data.remarks.join()).toMatch(/100 points/);
  expect((await compare('good', 'fair')).body.data.remarks.join()).toMatch(/error rate/);
  expect((await compare('good', 'twin')).body.data.remarks).toEqual([]);
  expect((await compare('good')).status).toBe(422);
});

test('38: equal errors are one pattern, those without a word another', async () => {
  const { events, get } = client();
  await events([...times(2, { level: 'ERROR', message: 'disk full' }), { level: 'ERROR' }]);
  const { data } = (await get('/analytics/error-patterns')).body;
  expect(data.map(({ count }: { count: number }) => count)).toEqual([2, 1]);
});

test('39: the system is as healthy as its events of the window; without any it is unknown', async () => {
  const { events, get } = client();
  const health = async () => (await get('/analytics/system-health')).body.data;
  expect(await health()).toMatchObject({ status: 'unknown', overall_health_score: null });
  await events([
    {},
    { level: 'ERROR' },
    { component_type: 'browser', level: 'ERROR' },
    { level: 'ERROR', timestamp: ago(7200) },
  ]);
  expect(await health()).toMatchObject({
    overall_health_score: 33.33,
    total_events: 3,
    error_events: 2,
    components: { agent: { total_events: 2 }, browser: { total_events: 1 } },
  });
});

test('40: operations under way are grouped by correlation, with errors, stalled after a minute, gone after hours', async () => {
  const { events, get } = client();
  await events([
    { correlation_id: 'busy' },
    { correlation_id: 'failing', level: 'ERROR' },
    { correlation_id: 'failing' },
    { correlation_id: 'stalled', timestamp: ago(90) },
    { correlation_id: 'old', timestamp: ago(36_000) },
  ]);
  const { data } = (await get('/analytics/active-operations')).body;
  const seen = data.map((one: Record<string, unknown>) => `${one.correlation_id} ${one.status} ${one.event_count}`);
  expect(seen.sort()).toEqual(['busy active 1', 'failing errors 2', 'stalled stalled 1']);
});

test('41: four events in an hour are four sixtieths a minute; insights are counted by kind and state', async () => {
  const { events, post, put, get } = client();
  await events(times(4, { timestamp: ago(600) }));
  const { data } = (await get('/analytics/throughput?time_range=1h')).body;
  expect(data.events_per_minute).toBeCloseTo(4 / 60, 3);
  await events(times(5, { level: 'CRITICAL', event_type: 'error', message: 'ledger away' }));
  const made = (await post('/insights/generate', {})).body.data;
  await put(`/insights/${made[0].id}/resolve`, { resolution_notes: 'done' });
  const summary = (await get('/analytics/insights-summary')).body.data;
  expect(summary).toMatchObject({ total_count: made.length, resolved_count: 1, unresolved_count: made.length - 1 });
});

test('51: nobody is answered without a token, and a system that is switched off answers 503 everywhere', async () => {
  const off = await startCollector({ 'system-enabled': 'false' });
  try {
    for (const { method, path } of ROUTES) {
      const at = API_PREFIX + path.replace(/\{\w+\}/g, 'x');
      const ask = async (url: string) => {
        const response = await fetch(url + at, { method: method.toUpperCase() });
        return [at, response.status, ((await response.json()) as { code: string }).code];
      };
      expect(await ask(system.http)).toEqual([at, 401, 'UNAUTHENTICATED']);
      expect(await ask(off.http)).toEqual([at, 503, 'DEBUG_DISABLED']);
    }
  } finally {
    await off.stop();
  }
});

test('53: a subscriber gets its component at its level alone, and every kind of message comes from end to end', async () => {
  const { token, events, post } = client();
  const socket = (filter: object, channel: string) => {
    const got: { type: string; data: Record<string, unknown> }[] = [];
    const ws = new WebSocket(`${system.http.replace('http', 'ws')}/ws/debug`, {
      headers: { authorization: `Bearer ${token}` },
    });
    let told = () => {};
    ws.on('open', () => ws.send(JSON.stringify({ action: 'subscribe', channel, filter })));
    ws.on('message', (data) => {
      got.push(JSON.parse(String(data)));
      told();
    });
    const until = async (done: () => boolean) => {
      while (!done()) await new Promise<void>((resolve) => (told = resolve));
    };
    return { ws, got, until, types: () => new Set(got.map(({ type }) => type)) };
  };
  const narrow = socket({ level: ['ERROR'] }, 'debug:agent-123');
  const all = socket({}, 'debug:all');
  try {
    await Promise.all([narrow, all].map(({ until, types }) => until(() => types().has('subscribed'))));
    await events([
      { component_id: 'agent-123', level: 'INFO' },
      { component_id: 'agent-9', level: 'ERROR' },
      ...times(5, { component_id: 'agent-123', level: 'ERROR', event_type: 'error', message: 'ledger away' }),
    ]);
    await post('/state', { component_type: 'agent', component_id: 'a', operation_id: 'op', state_data: {} });
    await fetch(`${system.otlpHttp}/v1/metrics`, {
      method: 'POST',
      headers: { authorization: `Bearer ${token}`, 'content-type': 'application/x-protobuf' },
      body: Buffer.from(requestProtobuf('metric')),
    });
    await post('/insights/generate', {});
    const kinds = ['debug:event', 'debug:insight', 'debug:alert', 'debug:state_change', 'debug:metric_update'];
    await all.until(() => kinds.every((kind) => all.types().has(kind)));
    const heard = () =>
      narrow.got.filter(({ type }) => type === 'debug:event').map(({ data }) => `${data.component_id} ${data.level}`);
    await narrow.until(() => heard().length === 5);
    expect(new Set(heard())).toEqual(new Set(['agent-123 ERROR']));
  } finally {
    for (const { ws } of [narrow, all]) ws.terminate();
  }
});

function takesRange(query: (typeof ROUTES)[number]['query']): boolean {
  return query!.safeParse({ time_range: '1h' }).success;
}
