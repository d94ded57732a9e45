import { create, toBinary } from '@bufbuild/protobuf';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { Insight } from '../../model/insight.ts';
import { formatNanos } from '../../model/time.ts';
import { ExportMetricsServiceRequestSchema } from '../../proto/gen/opentelemetry/proto/collector/metrics/v1/metrics_service_pb.js';
import { type ApiClient, createApiClient } from '../support/api-client.ts';
import { spansProtobuf } from '../support/otlp-requests.ts';
import { type QuerySystem, startQuerySystem } from '../support/query-system.ts';

let system: QuerySystem;
let api: ApiClient;
beforeAll(async () => {
  system = await startQuerySystem();
  api = await createApiClient(system.url);
});
afterAll(() => system?.stop());

let made = 0;
/** A name that no other test uses. */
const fresh = (kind: string) => `${kind}-${++made}`;
const event = (more: Record<string, unknown> = {}): Record<string, unknown> => ({
  event_type: 'log',
  component_type: 'agent',
  correlation_id: 'c',
  ...more,
});
const ago = (seconds: number) => formatNanos(system.needs.clock.nowNanos() - BigInt(Math.round(seconds * 1e9)));
const post = async (more: Record<string, unknown>): Promise<string> =>
  (await api.post('/events', event(more))).body.data.event_id;
const ids = (answer: { body: { data: { id: string }[] } }) => answer.body.data.map(({ id }) => id);

describe('events', () => {
  test('what is posted is there at once, as it was posted', async () => {
    const posted = event({
      event_type: 'system',
      component_id: 'a-1',
      level: 'WARNING',
      message: 'half way',
      operation_id: 'op-1',
      parent_event_id: 'f'.repeat(32),
      timestamp: '2026-11-22T10:00:00.000000001Z',
      data: { deep: { list: [1, 'two', null] }, constructor: 'x' },
    });
    const answer = await api.post('/events', posted);
    expect(answer.status).toBe(201);
    const found = await api.get(`/events/${answer.body.data.event_id}`);
    expect(found.body.data).toMatchObject(posted);
    expect(found.body.meta).toMatchObject({ count: 1, truncated: false, tier: 'hot', coverage: { pending: 0 } });
  });

  test('keys and integers of data come through that JSON libraries trip over', async () => {
    const body = `{"event_type":"log","component_type":"agent","correlation_id":"c","data":{"__proto__":{"x":1},"big":9007199254740993}}`;
    const answer = await api.post('/events', body);
    const found = await fetch(`${system.url}/api/debug/events/${answer.body.data.event_id}`);
    expect(await found.text()).toContain('"data":{"__proto__":{"x":1},"big":"9007199254740993"}');
  });

  test('filters narrow alone and together, newest first', async () => {
    const correlation_id = fresh('c');
    const base = { correlation_id };
    const one = await post({
      ...base,
      component_id: 'agent-x',
      level: 'INFO',
      message: 'Order placed',
      timestamp: ago(30),
    });
    const two = await post({
      ...base,
      component_id: 'agent-x',
      level: 'ERROR',
      event_type: 'error',
      message: 'order LOST',
      timestamp: ago(20),
    });
    const three = await post({
      ...base,
      component_type: 'browser',
      component_id: 'tab-1',
      level: 'WARNING',
      operation_id: 'op-f',
      data: { region: 'eu', tries: 3 },
      timestamp: ago(7200),
    });
    const list = async (query: string) => ids(await api.get(`/events?correlation_id=${correlation_id}${query}`));
    expect(await list('')).toEqual([two, one, three]);
    expect(await list('&component_type=agent')).toEqual([two, one]);
    expect(await list('&component_id=tab-1')).toEqual([three]);
    expect(await list('&event_type=error')).toEqual([two]);
    expect(await list('&event_type=error,log')).toEqual([two, one, three]);
    expect(await list('&event_type=error&event_type=log')).toEqual([two, one, three]);
    expect(await list('&level=WARNING')).toEqual([three]);
    expect(await list('&min_level=WARNING')).toEqual([two, three]);
    expect(await list('&q=order')).toEqual([two, one]);
    expect(await list('&operation_id=op-f')).toEqual([three]);
    expect(await list('&attr.region=eu&attr.tries=3')).toEqual([three]);
    expect(await list('&attr.region=us')).toEqual([]);
    expect(await list('&time_range=last_1h')).toEqual([two, one]);
    expect(await list('&time_range=1h')).toEqual([two, one]);
    expect(await list(`&start=${ago(25)}&end=${ago(15)}`)).toEqual([two]);
    expect(await list('&component_type=agent&level=INFO&time_range=1h')).toEqual([one]);
    expect(await list('&limit=1')).toEqual([two]);
  });

  test('levels go by what loggers call them too', async () => {
    const correlation_id = fresh('c');
    const event_id = await post({ correlation_id, level: 'WARNING' });
    for (const asked of ['level=warn', 'level=Warning', 'min_level=info', 'min_level=WARN'])
      expect(ids(await api.get(`/events?correlation_id=${correlation_id}&${asked}`))).toEqual([event_id]);
    expect(ids(await api.get(`/events?correlation_id=${correlation_id}&min_level=fatal`))).toEqual([]);
  });

  test('pages partition the list, also while new events come in', async () => {
    const correlation_id = fresh('c');
    const all: string[] = [];
    for (let i = 0; i < 7; i++) all.unshift(await post({ correlation_id, timestamp: ago(100 - i) }));
    const paged: string[] = [];
    let cursor = '';
    do {
      const page = await api.get(
        `/events?correlation_id=${correlation_id}&time_range=1h&limit=3${cursor && `&cursor=${cursor}`}`,
      );
      paged.push(...ids(page));
      cursor = page.body.meta.next_cursor ?? '';
      expect(page.body.meta.truncated).toBe(cursor !== '');
      await post({ correlation_id });
    } while (cursor !== '');
    expect(paged).toEqual(all);
  });

  test('a cursor is good for its own question only', async () => {
    const correlation_id = fresh('c');
    await post({ correlation_id });
    await post({ correlation_id });
    const { body } = await api.get(`/events?correlation_id=${correlation_id}&limit=1`);
    for (const query of [`cursor=${body.meta.next_cursor}`, `correlation_id=${correlation_id}&cursor=xyz`]) {
      const refused = await api.get(`/events?${query}`);
      expect(refused).toMatchObject({ status: 400, body: { errors: [{ field: 'cursor' }] } });
    }
  });

  test('an empty list says why', async () => {
    const empty = async (query: string) => (await api.get(`/events?${query}`)).body.meta.coverage.empty;
    expect(await empty('component_id=nobody')).toBe('no_match');
    expect(await empty('component_id=nobody&end=2020-01-01T00:00:00Z')).toBe('out_of_retention');
  });

  test('children are linked to their parent and found under the correlation', async () => {
    const correlation_id = fresh('c');
    const parent = await post({ correlation_id, timestamp: ago(2) });
    const child = await post({ correlation_id, parent_event_id: parent });
    expect((await api.get(`/events/${child}`)).body.data.parent_event_id).toBe(parent);
    expect(ids(await api.get(`/events?correlation_id=${correlation_id}`))).toEqual([child, parent]);
  });

  test.each(['0'.repeat(32), 'nonsense', 'F'.repeat(32), '%2F'])('no event %s', async (id) => {
    expect(await api.get(`/events/${id}`)).toMatchObject({ status: 404, body: { code: 'EVENT_NOT_FOUND' } });
  });
});

describe('batches', () => {
  test('ids come in the order of the events', async () => {
    const correlation_id = fresh('c');
    const events = ['a', 'b', 'c'].map((message) => event({ correlation_id, message }));
    const { status, body } = await api.post('/events/batch', { events });
    expect(status).toBe(201);
    expect(body.data).toMatchObject({ collected_count: 3, errors: [] });
    for (const [i, id] of body.data.event_ids.entries()) {
      expect((await api.get(`/events/${id}`)).body.data.message).toBe(events[i]!.message);
    }
  });

  test('what is malformed is named, the rest is stored', async () => {
    const events = [event(), { ...event(), level: 'LOUD' }, 'nonsense', event()];
    const { status, body } = await api.post('/events/batch', { events });
    expect(status).toBe(201);
    expect(body.data.collected_count).toBe(2);
    expect(body.data.event_ids.map((id: string | null) => id !== null)).toEqual([true, false, false, true]);
    expect(body.data.errors).toMatchObject([{ index: 1, message: expect.stringContaining('level') }, { index: 2 }]);
  });

  test('of which nothing can be stored is no success', async () => {
    const refused = await api.post('/events/batch', { events: [{}] });
    expect(refused).toMatchObject({
      status: 422,
      body: { errors: expect.arrayContaining([{ field: 'events[0].event_type', message: expect.any(String) }]) },
    });
  });

  test('may be empty', async () => {
    expect((await api.post('/events/batch', { events: [] })).body.data).toEqual({
      collected_count: 0,
      event_ids: [],
      errors: [],
    });
  });

  test('of too many is too large', async () => {
    const refused = await api.post('/events/batch', { events: new Array(10_001).fill(1) });
    expect(refused).toMatchObject({ status: 413, body: { code: 'TOO_LARGE' } });
  });
});

describe('a request sent again', () => {
  test('with an Idempotency-Key stores nothing twice, also at the same time', async () => {
    const correlation_id = fresh('c');
    const key = { 'idempotency-key': fresh('key') };
    const answers = await Promise.all([1, 2, 3].map(() => api.post('/events', event({ correlation_id }), key)));
    expect(new Set(answers.map(({ body }) => body.data.event_id)).size).toBe(1);
    expect(ids(await api.get(`/events?correlation_id=${correlation_id}`))).toHaveLength(1);
    const other = await api.post('/events', event({ correlation_id, message: 'other' }), key);
    expect(other).toMatchObject({ status: 422, body: { code: 'IDEMPOTENCY_KEY_REUSED' } });
  });

  test('without one is another event', async () => {
    const correlation_id = fresh('c');
    const same = { correlation_id, timestamp: ago(1) };
    expect(await post(same)).not.toBe(await post(same));
  });

  test('that failed may be tried again', async () => {
    const key = { 'idempotency-key': fresh('key') };
    expect((await api.post('/events', {}, key)).status).toBe(422);
    expect((await api.post('/events', event(), key)).status).toBe(201);
    expect((await api.post('/events', event(), { 'idempotency-key': 'two words' })).status).toBe(400);
  });
});

describe('bad bodies name each field', () => {
  const BAD_EVENT: [string, unknown][] = [
    ['event_type', undefined],
    ['event_type', 'explosion'],
    ['event_type', 5],
    ['component_type', undefined],
    ['component_type', 'Not A Slug'],
    ['component_type', ''],
    ['correlation_id', undefined],
    ['correlation_id', null],
    ['correlation_id', ''],
    ['correlation_id', 'x'.repeat(257)],
    ['component_id', 7],
    ['component_id', ''],
    ['level', 'LOUD'],
    ['level', 'error'],
    ['message', { text: 'x' }],
    ['data', 'text'],
    ['data', []],
    ['operation_id', []],
    ['parent_event_id', 5],
    ['trace_id', 'xyz'],
    ['trace_id', '0'.repeat(32)],
    ['span_id', 'abc'],
    ['timestamp', 'yesterday'],
    ['timestamp', 1_700_000_000],
    ['timestamp', '2026-02-30T00:00:00Z'],
    ['timestamp', '9999-01-01T00:00:00Z'],
    ['colour', 'red'],
  ];
  test.each(BAD_EVENT)('event %s: %j', async (field, value) => {
    const { status, body, headers } = await api.post('/events', { ...event(), [field]: value });
    expect(status).toBe(422);
    expect(headers.get('content-type')).toMatch(/^application\/problem\+json/);
    expect(body).toMatchObject({ code: 'INVALID', status: 422, errors: [{ field }] });
  });

  const BAD: [method: 'post' | 'put', path: string, body: object, field: string][] = [
    ['post', '/state', { component_type: 'agent', component_id: 'a', operation_id: 'o' }, 'state_data'],
    ['post', '/state', { component_type: 'agent', component_id: 'a', state_data: {} }, 'operation_id'],
    ['post', '/state', { component_type: 'agent', component_id: 'a', operation_id: 'o', state_data: [] }, 'state_data'],
    [
      'post',
      '/state',
      { component_type: 'agent', component_id: 'a', operation_id: 'o', state_data: {}, snapshot_type: 'half' },
      'snapshot_type',
    ],
    ['post', '/insights/generate', { correlation_id: 5 }, 'correlation_id'],
    ['post', '/insights/generate', { colour: 'red' }, 'colour'],
    ['put', `/insights/${'0'.repeat(32)}/resolve`, {}, 'resolution_notes'],
    ['put', `/insights/${'0'.repeat(32)}/resolve`, { resolution_notes: 'x', actor: 5 }, 'actor'],
    ['post', '/sessions', {}, 'session_name'],
    ['post', '/sessions', { session_name: 'x', filters: { level: 'LOUD' } }, 'filters.level'],
    ['post', '/sessions', { session_name: 'x', filters: { colour: 'red' } }, 'filters.colour'],
    ['post', '/analytics/component-health', { component_type: 'agent' }, 'component_id'],
    ['post', '/analytics/performance', { component_id: 'a' }, 'component_type'],
    ['post', '/analytics/consistency', {}, 'operation_id'],
    ['post', '/analytics/compare', {}, 'body'],
    ['post', '/analytics/compare', { components: [{ type: 'agent', id: 'a' }] }, 'components'],
    ['post', '/analytics/compare', { operations: ['a', 'b'], windows: [] }, 'windows'],
    ['post', '/events/batch', { events: 'x' }, 'events'],
  ];
  test.each(BAD)('%s %s %j names %s', async (method, path, body, field) => {
    const refused = await api[method](path, body);
    expect(refused.status).toBe(422);
    expect(refused.body.errors.map((error: { field: string }) => error.field)).toContain(field);
  });

  test.each([
    ['{"event_type":', 400],
    ['', 422],
    ['[]', 422],
    ['null', 422],
    ['"text"', 422],
    [`${'['.repeat(100_000)}${']'.repeat(100_000)}`, 400],
    [Buffer.from([0x22, 0xff, 0x22]), 400],
  ])('%# is refused', async (body, status) => {
    const response = await fetch(`${system.url}/api/debug/events`, {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body,
    });
    expect(response.status).toBe(status);
    expect(response.headers.get('content-type')).toMatch(/^application\/problem\+json/);
  });

  test('data nested too deep to be stored is refused, not cut', async () => {
    const deep = (levels: number) => `${'{"a":'.repeat(levels)}1${'}'.repeat(levels)}`;
    const body = (levels: number) =>
      `{"event_type":"log","component_type":"agent","correlation_id":"c","data":${deep(levels)}}`;
    expect((await api.post('/events', body(58))).status).toBe(201);
    expect((await api.post('/events', body(70))).status).toBe(400);
  });

  test('bodies of other types and sizes are refused', async () => {
    const send = (headers: Record<string, string>, body: string | Uint8Array<ArrayBuffer>) =>
      fetch(`${system.url}/api/debug/events`, { method: 'POST', headers, body });
    expect((await send({ 'content-type': 'text/plain' }, '{}')).status).toBe(415);
    expect((await send({}, new Uint8Array([1]))).status).toBe(415);
    expect((await send({ 'content-type': 'application/json', 'content-encoding': 'gzip' }, '{}')).status).toBe(415);
    expect((await send({ 'content-type': 'application/json' }, `"${'x'.repeat(11 << 20)}"`)).status).toBe(413);
    expect((await send({ 'content-type': 'Application/JSON; charset=utf-8' }, JSON.stringify(event()))).status).toBe(
      201,
    );
  });
});

describe('a request without a body', () => {
  const send = (path: string, headers: Record<string, string> = {}) =>
    fetch(`${system.url}/api/debug${path}`, { method: 'POST', headers });

  test('says nothing of what is optional', async () => {
    expect((await send('/insights/generate')).status).toBe(200);
    expect((await send('/insights/generate', { 'content-type': 'application/json' })).status).toBe(200);
  });

  test('is told each field that is required', async () => {
    const response = await send('/events');
    const { errors } = (await response.json()) as { errors: { field: string; message: string }[] };
    expect(response.status).toBe(422);
    expect(errors).toEqual(
      ['event_type', 'component_type', 'correlation_id'].map((field) => ({ field, message: 'is required' })),
    );
  });
});

test('a range may be an interval, and in a body an object, as windows are', async () => {
  const id = fresh('agent');
  const [start, end] = ['2026-11-17T10:00:00Z', '2026-11-17T11:00:00Z'];
  await post({ component_id: id, timestamp: '2026-11-17T10:30:00Z' });
  await post({ component_id: id, timestamp: '2026-11-17T11:30:00Z' });
  for (const time_range of [`${start}/${end}`, { start, end }]) {
    const { body } = await api.post('/analytics/component-health', {
      component_type: 'agent',
      component_id: id,
      time_range,
    });
    expect(body.data).toMatchObject({ total_events: 1, time_range: { end: '2026-11-17T11:00:00.000000000Z' } });
  }
  expect((await api.get(`/events?component_id=${id}&time_range=${start}/${end}`)).body.meta.count).toBe(1);
  expect((await api.get(`/events?time_range=${end}/${start}`)).body.errors).toMatchObject([{ field: 'start' }]);
  expect((await api.get(`/events?time_range=${start}/now`)).body.errors).toMatchObject([{ field: 'time_range' }]);
});

describe('bad queries name each parameter', () => {
  test.each([
    ['/events?limit=0', 'limit'],
    ['/events?limit=1001', 'limit'],
    ['/events?limit=ten', 'limit'],
    ['/events?limit=', 'limit'],
    ['/events?limit=1.5', 'limit'],
    ['/events?limit=1&limit=2', 'limit'],
    ['/events?level=LOUD', 'level'],
    ['/events?min_level=high', 'min_level'],
    ['/events?event_type=explosion', 'event_type[0]'],
    ['/events?event_type=log,explosion', 'event_type[1]'],
    ['/events?trace_id=xyz', 'trace_id'],
    ['/events?component_id=', 'component_id'],
    ['/events?attr.=x', 'attributes.'],
    ['/events?offset=1', 'offset'],
    ['/events?componentid=x', 'componentid'],
    ['/events?follow=maybe', 'follow'],
    ['/events?follow=true&limit=5', 'limit'],
    ['/events?follow=true&time_range=1h', 'time_range'],
    ['/events/0?x=1', 'x'],
    ['/insights?severity=loud', 'severity'],
    ['/insights?insight_type=x', 'insight_type'],
    ['/insights?scope=x', 'scope'],
    ['/insights?state=x', 'state'],
    ['/insights?resolved=maybe', 'resolved'],
    ['/insights?cursor=x', 'cursor'],
    ['/state/agent/a?at=noon', 'at'],
    ['/correlations/c?limit=0', 'limit'],
    ['/sessions?active=yes', 'active'],
    ['/analytics/active-operations?limit=0', 'limit'],
  ])('%s names %s', async (path, field) => {
    const refused = await api.get(path);
    expect(refused).toMatchObject({ status: 400, body: { code: 'MALFORMED', errors: [{ field }] } });
  });

  const RANGED = [
    '/events',
    '/insights',
    '/templates',
    '/metrics',
    '/analytics/error-patterns',
    '/analytics/system-health',
    '/analytics/throughput',
    '/analytics/error-rate',
    '/analytics/insights-summary',
  ];
  test.each(RANGED)('%s spells time as all do', async (path) => {
    for (const range of ['15m', '1h', 'last_1h', '24h', '7d'])
      expect((await api.get(`${path}?time_range=${range}`)).status).toBe(200);
    expect((await api.get(`${path}?start=2026-01-01T00:00:00Z&end=2026-01-02T00:00:00Z`)).status).toBe(200);
    for (const query of [
      'time_range=fortnight',
      'time_range=',
      'start=noon',
      'time_range=1h&start=2026-01-01T00:00:00Z',
    ]) {
      expect(await api.get(`${path}?${query}`)).toMatchObject({ status: 400, body: { code: 'MALFORMED' } });
    }
  });

  test.each(['/insights/generate', '/analytics/component-health', '/analytics/performance'])(
    '%s too, in its body',
    async (path) => {
      const component = path.includes('analytics') ? { component_type: 'agent', component_id: 'a' } : {};
      expect((await api.post(path, { ...component, time_range: 'last_1h' })).status).toBe(200);
      const refused = await api.post(path, { ...component, time_range: 'fortnight' });
      expect(refused).toMatchObject({ status: 400, body: { errors: [{ field: 'time_range' }] } });
    },
  );
});

describe('state', () => {
  const state = (component_id: string, state_data: object, more: object = {}) =>
    api.post('/state', { component_type: 'agent', component_id, operation_id: 'op', state_data, ...more });

  test('a second snapshot says what it changed', async () => {
    const id = fresh('agent');
    const first = await state(id, { progress: 0.5, name: 'x' });
    expect(first).toMatchObject({ status: 201, body: { data: { diff_from_previous: null } } });
    const second = await state(id, { progress: 0.8, name: 'x' });
    expect(second.body.data.diff_from_previous).toEqual({ progress: { from: 0.5, to: 0.8 } });
    const latest = await api.get(`/state/agent/${id}`);
    expect(latest.body.data).toMatchObject({
      id: second.body.data.snapshot_id,
      state_data: { progress: 0.8, name: 'x' },
      diff_from_previous: { progress: { from: 0.5, to: 0.8 } },
      snapshot_type: 'full',
      operation_id: 'op',
    });
    expect((await api.get(`/events/${second.body.data.snapshot_id}`)).body.data).toMatchObject({
      event_type: 'state_snapshot',
    });
  });

  test('is found by operation, checkpoint and time', async () => {
    const id = fresh('agent');
    await state(id, { n: 1 }, { operation_id: 'op-a', checkpoint_name: 'before', timestamp: ago(60) });
    await state(id, { n: 2 }, { operation_id: 'op-a', checkpoint_name: 'after', timestamp: ago(40) });
    await state(id, { n: 3 }, { operation_id: 'op-b', timestamp: ago(20) });
    const n = async (query: string) => (await api.get(`/state/agent/${id}${query}`)).body.data?.state_data.n;
    expect(await n('')).toBe(3);
    expect(await n('?operation_id=op-a')).toBe(2);
    expect(await n('?operation_id=op-a&checkpoint_name=before')).toBe(1);
    expect(await n(`?at=${ago(30)}`)).toBe(2);
    expect(await n(`?operation_id=op-a&at=${ago(50)}`)).toBe(1);
    for (const query of ['?operation_id=op-z', '?checkpoint_name=never', `?at=${ago(90)}`]) {
      expect(await api.get(`/state/agent/${id}${query}`)).toMatchObject({
        status: 404,
        body: { code: 'SNAPSHOT_NOT_FOUND' },
      });
    }
  });

  test('is compared within its own operation', async () => {
    const id = fresh('agent');
    await state(id, { n: 1 }, { operation_id: 'op-a' });
    expect((await state(id, { n: 2 }, { operation_id: 'op-b' })).body.data.diff_from_previous).toBeNull();
  });
});

describe('operations', () => {
  test('progress is the mean of the latest of each step', async () => {
    const operation_id = fresh('op');
    await post({ operation_id, data: { step: 'a', status: 'completed' } });
    await post({ operation_id, data: { step: 'b', progress: 0.2 } });
    await post({ operation_id, data: { step: 'b', progress: 0.5 } });
    const { body } = await api.get(`/operations/${operation_id}/progress`);
    expect(body.data).toMatchObject({
      operation_id,
      progress: 0.75,
      status: 'in_progress',
      total_steps: 2,
      completed_steps: 1,
    });
  });

  test('may be known by their correlation alone', async () => {
    const correlation_id = fresh('op');
    await post({ correlation_id, data: { progress: 0.65 } });
    expect((await api.get(`/operations/${correlation_id}/progress`)).body.data.progress).toBe(0.65);
  });

  test('one that nobody knows is not found', async () => {
    expect(await api.get('/operations/nothing/progress')).toMatchObject({
      status: 404,
      body: { code: 'OPERATION_NOT_FOUND' },
    });
  });

  test('those under way are listed by correlation', async () => {
    const [fine, failing, stalled, old] = [fresh('c'), fresh('c'), fresh('c'), fresh('c')];
    await post({ correlation_id: fine });
    await post({ correlation_id: failing, level: 'ERROR' });
    await post({ correlation_id: failing });
    await post({ correlation_id: stalled, timestamp: ago(90) });
    await post({ correlation_id: old, timestamp: ago(36_000) });
    const { body } = await api.get('/analytics/active-operations?limit=1000');
    const of = (id: string) =>
      body.data.find((operation: { correlation_id: string }) => operation.correlation_id === id);
    expect(of(fine)).toMatchObject({ status: 'active', event_count: 1, error_count: 0 });
    expect(of(failing)).toMatchObject({ status: 'errors', event_count: 2, error_count: 1 });
    expect(of(stalled)).toMatchObject({ status: 'stalled' });
    expect(of(old)).toBeUndefined();
  });
});

describe('health', () => {
  const health = async (component_id: string, more: object = {}) =>
    (await api.post('/analytics/component-health', { component_type: 'agent', component_id, ...more })).body.data;
  const seed = async (component_id: string, total: number, errors: number, more: object = {}) => {
    const events = Array.from({ length: total }, (_, i) =>
      event({ component_id, level: i < errors ? 'ERROR' : 'INFO', ...more }),
    );
    await api.post('/events/batch', { events });
  };

  test.each([
    [20, 1, 95, 'healthy'],
    [20, 6, 70, 'degraded'],
    [3, 2, 33.33, 'unhealthy'],
    [10, 10, 0, 'unhealthy'],
  ])('of %i events with %i errors is %d, %s', async (total, errors, health_score, status) => {
    const id = fresh('agent');
    await seed(id, total, errors);
    expect(await health(id)).toMatchObject({ health_score, status, total_events: total, error_events: errors });
  });

  test('of nothing is unknown, not healthy', async () => {
    expect(await health('nobody')).toMatchObject({
      status: 'unknown',
      health_score: null,
      total_events: 0,
      error_rate: null,
    });
  });

  test('changes with the next error', async () => {
    const id = fresh('agent');
    await seed(id, 9, 0);
    expect(await health(id)).toMatchObject({ health_score: 100 });
    await post({ component_id: id, level: 'CRITICAL' });
    expect(await health(id)).toMatchObject({ health_score: 90, error_events: 1 });
  });

  test('counts to the nanosecond at the edges of its window', async () => {
    const id = fresh('agent');
    const times = ['10:00:30', '10:00:59', '10:01:00', '10:03:00', '10:03:29', '10:03:31'];
    for (const time of times) await post({ component_id: id, timestamp: `2026-11-22T${time}Z` });
    const total = async (start: string, end: string) =>
      (await health(id, { start: `2026-11-22T${start}Z`, end: `2026-11-22T${end}Z` })).total_events;
    expect(await total('10:00:00', '10:04:00')).toBe(6);
    expect(await total('10:00:30', '10:03:29')).toBe(5);
    expect(await total('10:00:30.000000001', '10:03:30')).toBe(4);
    expect(await total('10:00:59', '10:00:59')).toBe(1);
    expect(await total('10:01:00', '10:02:59.999999999')).toBe(1);
    expect(await total('10:00:40', '10:01:10')).toBe(2);
  });

  test('is of the component alone, and lists its own insights', async () => {
    const [mine, other] = [fresh('agent'), fresh('agent')];
    await seed(mine, 5, 0);
    await seed(other, 5, 5);
    await putInsight({ affected_components: [{ type: 'agent', id: mine }], title: 'mine' });
    await putInsight({ affected_components: [{ type: 'agent', id: other }], title: 'not mine' });
    await putInsight({ affected_components: [{ type: 'agent', id: mine }], title: 'done', state: 'resolved' });
    const answer = await health(mine);
    expect(answer.health_score).toBe(100);
    expect(answer.insights.map((insight: Insight) => insight.title)).toEqual(['mine']);
  });

  test('of everything is told by type and by component, the worst first', async () => {
    const { body } = await api.get('/analytics/system-health');
    const scores = body.data.by_component.map((each: { health_score: number }) => each.health_score);
    expect(scores).toEqual(scores.toSorted((a: number, b: number) => a - b));
    expect(body.data.components.agent.total_events).toBeGreaterThan(0);
    expect(body.data.total_events).toBeGreaterThanOrEqual(body.data.components.agent.total_events);
  });

  test('of a window without events is unknown', async () => {
    const { body } = await api.get('/analytics/system-health?start=2020-01-01T00:00:00Z&end=2020-01-02T00:00:00Z');
    expect(body.data).toMatchObject({ overall_health_score: null, status: 'unknown', components: {} });
  });

  test('error rates are ranked by what they are at least: one error of one says less than nine of ten', async () => {
    const start = '2026-11-18T10:00:00Z';
    const seedAt = async (component_id: string, total: number, errors: number) => {
      for (let i = 0; i < total; i++)
        await post({ component_id, timestamp: start, level: i < errors ? 'ERROR' : 'INFO', message: `m${i}` });
    };
    await seedAt('rate-few', 1, 1);
    await seedAt('rate-many', 10, 9);
    await seedAt('rate-none', 3, 0);
    const { body } = await api.get(`/analytics/error-rate?start=${start}&end=2026-11-18T11:00:00Z`);
    const rates = body.data.error_rates as { component_id: string; error_rate: number }[];
    expect(rates.map(({ component_id, error_rate }) => [component_id, error_rate])).toEqual([
      ['rate-many', 0.9],
      ['rate-few', 1],
      ['rate-none', 0],
    ]);
  });

  test('throughput divides by the window', async () => {
    const start = '2026-11-20T10:00:00Z';
    for (let i = 0; i < 4; i++) await post({ component_type: 'throughput-test', timestamp: start });
    const { body } = await api.get(`/analytics/throughput?start=${start}&end=2026-11-20T11:00:00Z`);
    expect(body.data.throughput_by_component['throughput-test']).toEqual({
      total_events: 4,
      events_per_minute: 4 / 60,
    });
  });
});

describe('patterns', () => {
  const patterns = async (window: string) => (await api.get(`/analytics/error-patterns?${window}`)).body.data;

  test('count equal errors, and those without a word', async () => {
    const at = (second: number) => `2026-11-19T10:00:0${second}Z`;
    await post({ component_id: 'p-1', level: 'ERROR', message: 'disk is full', timestamp: at(1) });
    await post({ component_id: 'p-2', level: 'CRITICAL', message: 'disk is full', timestamp: at(5) });
    await post({ component_id: 'p-1', level: 'INFO', message: 'all is well', timestamp: at(2) });
    const last = await post({ component_id: 'p-1', level: 'ERROR', message: null, timestamp: at(3) });
    const found = await patterns(`start=${at(0)}&end=${at(9)}`);
    expect(found).toMatchObject([
      {
        template: 'disk is full',
        count: 2,
        level: 'CRITICAL',
        components: expect.arrayContaining([
          { type: 'agent', id: 'p-1' },
          { type: 'agent', id: 'p-2' },
        ]),
        first_seen: '2026-11-19T10:00:01.000000000Z',
        last_seen: '2026-11-19T10:00:05.000000000Z',
        new: true,
        trend: 'steady',
      },
      { template_id: null, template: null, count: 1, example_event_id: last },
    ]);
    const templates = (await api.get(`/templates?start=${at(0)}&end=${at(9)}`)).body.data;
    expect(templates.map((each: { template: string }) => each.template)).toEqual(['disk is full', 'all is well']);
  });

  test('count errors without a word, however many there are', async () => {
    const at = (second: number) => `2026-11-16T10:00:${String(second).padStart(2, '0')}Z`;
    for (let i = 0; i < 20; i++) await post({ component_id: 'mute', level: 'ERROR', message: null, timestamp: at(i) });
    expect(await patterns(`start=${at(0)}&end=${at(30)}`)).toMatchObject([{ template_id: null, count: 20 }]);
  });

  test('that were there the day before are not new, and a surge is rising', async () => {
    const message = 'pattern with a past';
    await post({ level: 'ERROR', message, timestamp: '2026-11-17T10:00:00Z' });
    const events = Array.from({ length: 12 }, (_, i) =>
      event({ level: 'ERROR', message, timestamp: `2026-11-18T09:5${i < 1 ? 0 : 9}:00Z` }),
    );
    await api.post('/events/batch', { events });
    const [found] = await patterns('start=2026-11-18T09:50:00Z&end=2026-11-18T10:00:00Z');
    expect(found).toMatchObject({ template: message, count: 12, new: false, trend: 'rising' });
  });
});

describe('traces', () => {
  const TRACE = '5b8efff798038103d269b633813fc60c';
  const BASE = 1_795_000_000_000_000_000n;
  const span = (id: number, parent: number | null, startMs: number, endMs: number, more: object = {}) => ({
    traceId: Uint8Array.fromHex(TRACE),
    spanId: Uint8Array.fromHex(String(id).padStart(16, '0')),
    ...(parent !== null && { parentSpanId: Uint8Array.fromHex(String(parent).padStart(16, '0')) }),
    name: `span ${id}`,
    startTimeUnixNano: BASE + BigInt(startMs) * 1_000_000n,
    endTimeUnixNano: BASE + BigInt(endMs) * 1_000_000n,
    ...more,
  });

  test('are trees with self time and critical path, whatever the order of arrival', async () => {
    await system.send('span', spansProtobuf(span(3, 2, 20, 60, { status: { code: 2, message: 'boom' } })));
    await system.send('span', spansProtobuf(span(2, 1, 10, 80), span(1, null, 0, 100)));
    const { body } = await api.get(`/traces/${TRACE.toUpperCase()}`);
    expect(body.data).toMatchObject({
      trace_id: TRACE,
      span_count: 3,
      duration_ms: 100,
      incomplete: false,
      problems: [],
      error_count: 1,
    });
    expect(body.data.spans).toMatchObject([
      { name: 'span 1', depth: 0, self_time_ms: 30, critical_path_ms: 30, children: ['0000000000000002'] },
      { name: 'span 2', depth: 1, self_time_ms: 30, critical_path_ms: 30 },
      { name: 'span 3', depth: 2, self_time_ms: 40, critical_path_ms: 40, status: 'error', status_message: 'boom' },
    ]);
    const path = body.data.critical_path.map((segment: { name: string; duration_ms: number }) => [
      segment.name,
      segment.duration_ms,
    ]);
    expect(path).toEqual([
      ['span 1', 10],
      ['span 2', 10],
      ['span 3', 40],
      ['span 2', 20],
      ['span 1', 20],
    ]);
  });

  test('are the correlation of what names none, and belong to the one that any of their records names', async () => {
    const posted = await api.post(
      '/events',
      event({
        correlation_id: 'order-77',
        trace_id: TRACE,
        message: 'in the trace',
        timestamp: formatNanos(BASE + 5_000_000n),
      }),
    );
    const { body } = await api.get('/correlations/order-77');
    expect(body.data).toMatchObject({ event_count: 4, error_count: 1, traces: [TRACE], duration_ms: 100 });
    expect(body.data.events.map((each: { message: string }) => each.message)).toEqual([
      'span 1',
      'in the trace',
      'span 2',
      'span 3',
    ]);
    expect(body.data.events.find((each: { id: string }) => each.id === posted.body.data.event_id)).toBeDefined();
  });

  test('with a missing parent say that they are incomplete', async () => {
    const traceId = Uint8Array.fromHex('1'.repeat(32));
    await system.send('span', spansProtobuf({ ...span(8, 7, 0, 10), traceId }, { ...span(9, null, 0, 10), traceId }));
    expect((await api.get(`/traces/${'1'.repeat(32)}`)).body.data).toMatchObject({
      incomplete: true,
      problems: [
        { kind: 'missing_parent', parent_span_id: '0000000000000007' },
        { kind: 'multiple_roots', count: 2 },
      ],
    });
  });

  test.each(['2'.repeat(32), 'nonsense'])('no trace %s', async (id) => {
    expect(await api.get(`/traces/${id}`)).toMatchObject({ status: 404, body: { code: 'TRACE_NOT_FOUND' } });
  });

  test('no correlation that nothing carries', async () => {
    expect(await api.get('/correlations/nothing')).toMatchObject({
      status: 404,
      body: { code: 'CORRELATION_NOT_FOUND' },
    });
  });

  test('a timeline is paged from the oldest', async () => {
    const correlation_id = fresh('c');
    for (let i = 0; i < 5; i++) await post({ correlation_id, message: `m${i}`, timestamp: ago(10 - i) });
    const messages: string[] = [];
    let cursor = '';
    do {
      const { body } = await api.get(`/correlations/${correlation_id}?limit=2${cursor && `&cursor=${cursor}`}`);
      messages.push(...body.data.events.map((each: { message: string }) => each.message));
      cursor = body.meta.next_cursor ?? '';
      expect(body.data.event_count).toBe(5);
    } while (cursor !== '');
    expect(messages).toEqual(['m0', 'm1', 'm2', 'm3', 'm4']);
  });

  test('latency of a component comes from its spans', async () => {
    const { body } = await api.post('/analytics/performance', {
      component_type: 'service',
      component_id: 'shop',
      start: formatNanos(BASE),
      end: formatNanos(BASE + 60_000_000_000n),
    });
    expect(body.data.sample_count).toBe(5);
    expect(body.data.p99_ms).toBeCloseTo(100, -1);
  });
});

test('metric points are series', async () => {
  const now = system.needs.clock.nowNanos();
  const attributes = [{ key: 'queue', value: { value: { case: 'stringValue', value: 'mail' } } as const }];
  const dataPoints = [3n, 4n].map((value, i) => {
    return { timeUnixNano: now - BigInt(i), attributes, value: { case: 'asInt', value } as const };
  });
  const metrics = [{ name: 'queue.depth', data: { case: 'gauge', value: { dataPoints } } as const }];
  const request = create(ExportMetricsServiceRequestSchema, { resourceMetrics: [{ scopeMetrics: [{ metrics }] }] });
  await system.send('metric', toBinary(ExportMetricsServiceRequestSchema, request));
  const { body } = await api.get('/metrics?metric_name=queue.depth');
  expect(body.data).toMatchObject([
    { metric_name: 'queue.depth', type: 'gauge', dimensions: { queue: 'mail' }, points: [{ value: 4 }, { value: 3 }] },
  ]);
  expect((await api.get('/metrics?metric_name=queue')).body.data).toEqual([]);
});

describe('insights', () => {
  test('are listed by what is asked, and paged', async () => {
    const correlation_id = fresh('c');
    const first = await putInsight({ correlation_id, severity: 'critical', insight_type: 'error', last_seen: ago(30) });
    const second = await putInsight({ correlation_id, severity: 'warning', insight_type: 'flow', last_seen: ago(20) });
    const third = await putInsight({
      correlation_id,
      severity: 'warning',
      insight_type: 'flow',
      state: 'resolved',
      last_seen: ago(7200),
    });
    const list = async (query: string) => ids(await api.get(`/insights?correlation_id=${correlation_id}${query}`));
    expect(await list('')).toEqual([second, first, third]);
    expect(await list('&severity=critical')).toEqual([first]);
    expect(await list('&insight_type=flow')).toEqual([second, third]);
    expect(await list('&resolved=true')).toEqual([third]);
    expect(await list('&resolved=false')).toEqual([second, first]);
    expect(await list('&resolved=true&state=open')).toEqual([]);
    expect(await list('&state=resolved')).toEqual([third]);
    expect(await list('&time_range=1h')).toEqual([second, first]);
    const page = await api.get(`/insights?correlation_id=${correlation_id}&limit=2`);
    expect(await list(`&limit=2&cursor=${page.body.meta.next_cursor}`)).toEqual([third]);
  });

  test('are resolved with notes, found as resolved, reopened and ignored', async () => {
    const id = await putInsight({});
    const resolved = await api.put(`/insights/${id}/resolve`, { resolution_notes: 'more memory', actor: 'ann' });
    expect(resolved.body.data).toMatchObject({
      state: 'resolved',
      resolution_notes: 'more memory',
      resolved_by: 'ann',
      resolved_at: expect.any(String),
    });
    expect(ids(await api.get('/insights?resolved=true'))).toContain(id);
    expect((await api.get(`/insights/${id}`)).body.data).toEqual(resolved.body.data);
    expect((await api.put(`/insights/${id}/reopen`, {})).body.data).toMatchObject({
      state: 'open',
      resolved_at: null,
      resolution_notes: 'more memory',
    });
    expect((await api.put(`/insights/${id}/ignore`, { actor: 'bob', notes: 'known' })).body.data).toMatchObject({
      state: 'ignored',
      resolved_by: 'bob',
    });
  });

  test('that do not exist are not found', async () => {
    const missing = '0'.repeat(32);
    for (const answer of [
      await api.get(`/insights/${missing}`),
      await api.put(`/insights/${missing}/resolve`, { resolution_notes: 'x' }),
      await api.put('/insights/nonsense/ignore', {}),
      await api.put(`/insights/${missing}/reopen`, {}),
    ]) {
      expect(answer).toMatchObject({ status: 404, body: { code: 'INSIGHT_NOT_FOUND' } });
    }
  });

  test('are counted by kind', async () => {
    await putInsight({ insight_type: 'prediction', severity: 'info', last_seen: '2026-11-01T10:00:00.000000000Z' });
    await putInsight({
      insight_type: 'prediction',
      severity: 'info',
      state: 'resolved',
      last_seen: '2026-11-01T10:00:00.000000000Z',
    });
    const { body } = await api.get('/analytics/insights-summary?start=2026-11-01T09:00:00Z&end=2026-11-01T11:00:00Z');
    expect(body.data).toMatchObject({
      total_count: 2,
      resolved_count: 1,
      unresolved_count: 1,
      by_type: { prediction: { info: 2 } },
    });
  });

  test('explain the events that are their evidence', async () => {
    const component_id = fresh('agent');
    const id = await post({ component_id, level: 'ERROR', message: 'timeout' });
    const insight = await putInsight({
      affected_components: [{ type: 'agent', id: component_id }],
      description: 'the store is slow',
      confidence_score: 0.83,
      evidence: { event_ids: [id], span_ids: [], trace_ids: [], snapshot_ids: [], numbers: {} },
    });
    const expected = { event_id: id, insight_id: insight, description: 'the store is slow', confidence: 0.83 };
    expect((await api.get(`/errors/${id}/explain`)).body.data).toMatchObject(expected);
    expect((await api.get(`/errors/${insight}/explain`)).body.data).toMatchObject(expected);
  });

  test('leave what is no error unexplained', async () => {
    const fine = await api.get(`/errors/${await post({ level: 'INFO', correlation_id: fresh('c') })}/explain`);
    expect(fine.body.data).toMatchObject({ insight_id: null, confidence: 0, root_cause: null });
    expect(await api.get(`/errors/${'0'.repeat(32)}/explain`)).toMatchObject({
      status: 404,
      body: { code: 'EVENT_NOT_FOUND' },
    });
  });

  test('name the earliest failure behind an error, also before anybody looked', async () => {
    const correlation_id = fresh('c');
    const root = await post({
      correlation_id,
      component_id: 'store',
      event_type: 'error',
      level: 'ERROR',
      message: 'disk is gone',
      timestamp: ago(3),
    });
    const error = await post({
      correlation_id,
      component_id: 'shop',
      event_type: 'error',
      level: 'ERROR',
      message: 'order failed',
      parent_event_id: root,
      timestamp: ago(2),
    });
    const { body } = await api.get(`/errors/${error}/explain`);
    expect(body.data).toMatchObject({
      event_id: error,
      insight_id: null,
      root_cause: { event_id: root, component_id: 'store', message: 'disk is gone' },
    });
    expect(body.data.chain.map((link: { event_id: string }) => link.event_id)).toEqual([error, root]);
    expect(body.data.affected_components.map(({ id }: { id: string }) => id)).toEqual(
      expect.arrayContaining(['store', 'shop']),
    );
  });

  test('are made when asked for, once however often', async () => {
    const correlation_id = fresh('c');
    await post({ correlation_id, component_id: 'pay', event_type: 'error', level: 'ERROR', message: 'card refused' });
    const made = await api.post('/insights/generate', { correlation_id });
    expect(made.body.data.length).toBeGreaterThan(0);
    expect(ids(await api.post('/insights/generate', { correlation_id }))).toEqual(ids(made));
    expect(ids(await api.get(`/insights?correlation_id=${correlation_id}`)).sort()).toEqual(ids(made).sort());
    expect((await api.get(`/correlations/${correlation_id}`)).body.data.insights).toHaveLength(ids(made).length);
  });
});

describe('sessions', () => {
  test('count what has come in since, until they are closed', async () => {
    const component_id = fresh('agent');
    const { status, body } = await api.post('/sessions', {
      session_name: 'look',
      filters: { component_type: 'agent', component_id },
    });
    expect(status).toBe(201);
    expect(body.data).toMatchObject({ session_name: 'look', active: true, event_count: 0, insight_count: 0 });
    await post({ component_id });
    await post({ component_id: 'other' });
    const found = async () => (await api.get(`/sessions/${body.data.id}`)).body.data;
    expect(await found()).toMatchObject({ event_count: 1 });
    expect((await api.get('/sessions')).body.data).toContainEqual(await found());
    const closed = await api.put(`/sessions/${body.data.id}/close`);
    expect(closed.body.data).toMatchObject({ active: false, closed_at: expect.any(String), event_count: 1 });
    await post({ component_id });
    expect(await found()).toMatchObject({ event_count: 1 });
    expect((await api.put(`/sessions/${body.data.id}/close`)).body.data.closed_at).toBe(closed.body.data.closed_at);
    expect(ids(await api.get('/sessions?active=false'))).toContain(body.data.id);
    expect(ids(await api.get('/sessions?active=true'))).not.toContain(body.data.id);
  });

  test('keep what is given with them', async () => {
    const { status, text } = await fetch(`${system.url}/api/debug/sessions`, {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: '{"session_name":"x","scope":{"ticket":9007199254740993,"tags":["a"]}}',
    }).then(async (response) => ({ status: response.status, text: await response.text() }));
    expect(status).toBe(201);
    expect(text).toContain('"scope":{"ticket":"9007199254740993","tags":["a"]}');
  });

  test('may be about any filter', async () => {
    const correlation_id = fresh('c');
    const { body } = await api.post('/sessions', {
      session_name: 'errors',
      filters: { correlation_id, min_level: 'ERROR' },
    });
    await post({ correlation_id, level: 'ERROR' });
    await post({ correlation_id, level: 'INFO' });
    const [session] = (await api.get('/sessions?limit=1')).body.data;
    expect(session).toMatchObject({ id: body.data.id, event_count: 1, counts_capped: false });
  });

  test('that do not exist are not found', async () => {
    const missing = { status: 404, body: { code: 'SESSION_NOT_FOUND' } };
    expect(await api.put('/sessions/nothing/close')).toMatchObject(missing);
    expect(await api.get('/sessions/nothing')).toMatchObject(missing);
  });
});

describe('compare', () => {
  test('remarks on gaps, and ranks what separates', async () => {
    const [good, bad] = [fresh('agent'), fresh('agent')];
    const events = Array.from({ length: 60 }, (_, i) =>
      event({
        component_id: i % 2 === 0 ? good : bad,
        level: i % 2 === 1 && i % 4 === 1 ? 'ERROR' : 'INFO',
        data: { version: i % 2 === 0 ? '1.0' : '1.1', region: 'eu' },
      }),
    );
    await api.post('/events/batch', { events });
    const { body } = await api.post('/analytics/compare', {
      components: [
        { type: 'agent', id: good },
        { type: 'agent', id: bad },
      ],
    });
    expect(body.data.sides).toMatchObject([{ health_score: 100 }, { health_score: 50 }]);
    expect(body.data.remarks.join('\n')).toMatch(
      new RegExp(`agent/${bad} is 50 points less healthy .*\n.*error rate of 0.5`),
    );
    const names = body.data.differences.map((each: { name: string; value: string }) => `${each.name}=${each.value}`);
    expect(names).toEqual(expect.arrayContaining(['version=1.0', 'version=1.1']));
    expect(names.join()).not.toContain('region');
  });

  test('of equals remarks nothing', async () => {
    const [a, b] = [fresh('op'), fresh('op')];
    await post({ operation_id: a });
    await post({ operation_id: b });
    const { body } = await api.post('/analytics/compare', { operations: [a, b] });
    expect(body).toMatchObject({ data: { remarks: [], differences: [] } });
    expect(await api.post('/analytics/compare', { operations: [a, 'nothing'] })).toMatchObject({
      status: 404,
      body: { code: 'OPERATION_NOT_FOUND' },
    });
  });

  test('of windows takes two', async () => {
    const window = (hour: number) => ({ start: `2026-11-19T${hour}:00:00Z`, end: `2026-11-19T${hour + 1}:00:00Z` });
    const { body } = await api.post('/analytics/compare', { windows: [window(10), window(12)] });
    expect(body.data.sides).toMatchObject([{ total_events: 4 }, { total_events: 0, status: 'unknown' }]);
    expect(body.data.remarks[0]).toContain('no events');
  });
});

describe('consistency', () => {
  test('names the key that differs and both values', async () => {
    const operation_id = fresh('op');
    for (const [component_id, qty] of [
      ['node-a', 7],
      ['node-b', 7],
      ['node-c', 8],
    ]) {
      await api.post('/state', {
        component_type: 'service',
        component_id,
        operation_id,
        state_data: { qty, ok: true },
      });
    }
    const { status, body } = await api.post('/analytics/consistency', { operation_id });
    expect(status).toBe(200);
    expect(body.data).toMatchObject({
      insight_type: 'consistency',
      severity: expect.stringMatching(/warning|critical/),
    });
    const said = JSON.stringify(body.data);
    for (const word of ['qty', 'node-c', '7', '8']) expect(said).toContain(word);
  });

  test('of nothing finds no snapshot', async () => {
    expect(await api.post('/analytics/consistency', { operation_id: 'nothing' })).toMatchObject({
      status: 404,
      body: { code: 'SNAPSHOT_NOT_FOUND' },
    });
  });
});

test('generate finds nothing in nothing', async () => {
  expect((await api.post('/insights/generate', { correlation_id: 'nothing' })).body.data).toEqual([]);
});

describe('HTTP', () => {
  test.each([
    ['DELETE', '/api/debug/events', 'GET, HEAD, POST'],
    ['PUT', '/api/debug/events/batch', 'GET, HEAD, POST'],
    ['GET', '/api/debug/insights/generate', null],
    ['POST', '/api/debug/sessions/x/close', 'PUT'],
    ['PATCH', '/api/debug/state', 'POST'],
    ['POST', '/healthz', 'GET, HEAD'],
    ['POST', '/', 'GET, HEAD'],
  ])('%s %s allows %s', async (method, path, allow) => {
    const response = await fetch(system.url + path, { method });
    const body = await response.json();
    if (allow === null) {
      expect(body).toMatchObject({ code: 'INSIGHT_NOT_FOUND' }); // `generate` could be an id
      return;
    }
    expect(body).toMatchObject({ status: 405, code: 'METHOD_NOT_ALLOWED' });
    expect(response.headers.get('allow')!.split(', ').sort().join(', ')).toBe(allow);
  });

  test.each(['/nothing', '/api/debug', '/api/debug/nothing', '/../etc/passwd', '/dashboard.js/x'])(
    'nothing is at %s',
    async (path) => {
      const response = await fetch(system.url + path);
      expect(response.status).toBe(404);
      expect(await response.json()).toMatchObject({ code: 'NOT_FOUND' });
    },
  );

  test('a request keeps its id, an odd one gets a new one', async () => {
    const id = async (given: string) =>
      (await fetch(`${system.url}/healthz`, { headers: { 'x-request-id': given } })).headers.get('x-request-id');
    expect(await id('abc-123')).toBe('abc-123');
    expect(await id('a b')).not.toBe('a b');
    const refused = await api.get('/events/nonsense', { 'x-request-id': 'mine' });
    expect(refused.body.request_id).toBe('mine');
  });

  test('browsers are told to keep to this site', async () => {
    const { headers } = await fetch(`${system.url}/`);
    expect(headers.get('content-security-policy')).toContain("default-src 'none'");
    expect(headers.get('x-content-type-options')).toBe('nosniff');
    expect(headers.get('access-control-allow-origin')).toBeNull();
    expect(headers.get('content-type')).toMatch(/^text\/html/);
  });

  test('the dashboard is made of its own files and of text', async () => {
    const text = async (path: string) => (await fetch(system.url + path)).text();
    const page = await text('/');
    for (const [, path] of page.matchAll(/(?:src|href)="([^"]+)"/g)) {
      const { status, headers } = await fetch(system.url + path);
      expect([path, status]).toEqual([path, 200]);
      const etag = headers.get('etag');
      if (etag === null) continue;
      expect((await fetch(system.url + path, { headers: { 'if-none-match': etag } })).status).toBe(304);
    }
    expect(page).not.toMatch(/<style|style=|<script>| on\w+=/);
    expect(await text('/dashboard.js')).not.toMatch(/innerHTML|outerHTML|insertAdjacentHTML|document\.write|eval\(/);
  });

  test('HEAD answers like GET without a body', async () => {
    const response = await fetch(`${system.url}/api/debug/events`, { method: 'HEAD' });
    expect(response.status).toBe(200);
    expect(await response.text()).toBe('');
  });

  test('probes and numbers about the process', async () => {
    const answer = async (path: string) => (await fetch(system.url + path)).json();
    expect(await answer('/healthz')).toEqual({ status: 'ok' });
    expect(await answer('/readyz')).toEqual({ status: 'ready', reasons: [] });
    expect(await answer('/version')).toMatchObject({ name: 'ai-debug', version: '0.0.0-test' });
    const metrics = await (await fetch(`${system.url}/metrics`)).text();
    expect(metrics).toMatch(
      /ai_debug_http_request_seconds_count\{route="\/api\/debug\/events\/:event_id",method="GET",status="200"\} \d+/,
    );
  });
});

describe('answers for whoever asks again', () => {
  test.each([
    ['an event', async () => `/events/${await post({ message: 'kept' })}`],
    [
      'a trace',
      async () => {
        const trace_id = '9'.repeat(31) + (++made % 10);
        await post({ trace_id, span_id: '1'.repeat(16) });
        return `/traces/${trace_id}`;
      },
    ],
    ['templates', async () => '/templates?end=2026-01-01T00:00:00Z'],
  ])('%s is sent once, and again only when it has changed', async (_, make) => {
    const url = `${system.url}/api/debug${await make()}`;
    const first = await fetch(url);
    const etag = first.headers.get('etag')!;
    expect(first.headers.get('cache-control')).toBe('private, no-cache');
    expect(first.headers.get('vary')).toContain('Authorization');
    const again = await fetch(url, { headers: { 'if-none-match': etag } });
    expect([again.status, await again.text()]).toEqual([304, '']);
    expect(again.headers.get('etag')).toBe(etag);
    const other = await fetch(url, { headers: { 'if-none-match': 'W/"other"' } });
    expect(other.status).toBe(200);
    expect((await other.text()).split(',"meta":')[0]).toEqual((await first.text()).split(',"meta":')[0]);
  });

  test('an event whose trace turns out to belong to a correlation is another answer', async () => {
    const trace_id = '8'.repeat(32);
    const early = await api.post('/events', { ...event({ trace_id }), correlation_id: trace_id });
    const url = `${system.url}/api/debug/traces/${trace_id}`;
    const before = (await fetch(url)).headers.get('etag')!;
    await post({ trace_id, span_id: '2'.repeat(16), level: 'ERROR', message: 'late' });
    const after = await fetch(url, { headers: { 'if-none-match': before } });
    expect(early.status).toBe(201);
    expect(after.status).toBe(200);
  });

  test('what moves is kept nowhere', async () => {
    const { headers } = await api.get('/events?limit=1');
    expect([headers.get('etag'), headers.get('cache-control')]).toEqual([null, 'no-store']);
  });

  test('changes: all that is open first, then only what is new', async () => {
    const quiet = await startQuerySystem();
    try {
      const client = await createApiClient(quiet.url);
      const since = async (cursor: string) => (await client.get(`/changes?since=${cursor}`)).body.data;
      const open = await putInsight({}, quiet);
      const first = (await client.get('/changes')).body.data;
      expect(first.opened.map((insight: Insight) => insight.id)).toEqual([open]);
      expect(await since(first.cursor)).toMatchObject({ opened: [], changed: [], resolved: [] });
      const id = await putInsight({}, quiet);
      const news = await since(first.cursor);
      expect(news.opened.map((insight: Insight) => insight.id)).toEqual([id]);
      await client.put(`/insights/${id}/resolve`, { resolution_notes: 'restarted', actor: 'an agent' });
      const { opened, resolved } = await since(news.cursor);
      expect([opened, resolved.map((insight: Insight) => insight.id)]).toEqual([[], [id]]);
    } finally {
      await quiet.stop();
    }
    expect((await api.get('/changes')).status).toBe(200);
    expect((await api.get('/alerts?time_range=7d&severity=warning')).status).toBe(200);
    for (const none of ['!!', 'yesterday', '1764486000'])
      expect(await api.get(`/changes?since=${none}`)).toMatchObject({
        status: 400,
        body: { errors: [{ field: 'since' }] },
      });
  });

  test('a flush answers when what was acknowledged can be read', async () => {
    await system.send(
      'span',
      spansProtobuf({ traceId: new Uint8Array(16).fill(3), spanId: new Uint8Array(8).fill(3), name: fresh('span') }),
    );
    const flushed = await api.post('/flush', undefined);
    expect(flushed).toMatchObject({
      status: 200,
      body: { data: { flushed: true }, meta: { coverage: { pending: 0 } } },
    });
    expect(await api.post('/flush?timeout_ms=60001', undefined)).toMatchObject({ status: 400 });
  });
});

describe('questions', () => {
  test('for who calls whom', async () => {
    const answer = await api.get('/topology?time_range=1h');
    expect(answer).toMatchObject({
      status: 200,
      body: { data: { nodes: expect.any(Array), edges: expect.any(Array) } },
    });
    expect(await api.get('/topology?time_range=soon')).toMatchObject({ status: 400 });
  });

  test('in words, within a budget', async () => {
    const component_id = fresh('agent');
    for (let i = 0; i < 20; i++) await post({ component_id, level: 'ERROR', event_type: 'error', message: 'down' });
    const answer = await api.post('/ai/query', { question: `How is agent ${component_id}?`, budget_tokens: 800 });
    expect(answer.status).toBe(200);
    expect(answer.body.data).toMatchObject({ answer: expect.stringContaining(component_id) });
    expect(answer.body.data.answer).not.toMatch(/is healthy/i);
    expect(await api.post('/ai/query', {})).toMatchObject({ status: 422, body: { errors: [{ field: 'question' }] } });
  });

  test('for the root cause of a window', async () => {
    const component_id = fresh('service');
    const told = { component_type: 'service', component_id };
    const trace = () => (++made).toString(16).padStart(32, '7');
    for (let i = 0; i < 20; i++) {
      const trace_id = trace();
      await post({ ...told, trace_id, message: 'reserved', timestamp: ago(600 - i) });
    }
    for (let i = 0; i < 20; i++) {
      const trace_id = trace();
      await post({ ...told, trace_id, message: 'no connection', level: 'ERROR', timestamp: ago(100 - i) });
    }
    const window = { start: ago(120), end: ago(60) };
    const answer = await api.post('/analytics/root-cause', { window, baseline: { start: ago(700), end: ago(400) } });
    expect(answer.status).toBe(200);
    expect(answer.body.data.ranked[0]).toMatchObject({ component_id });
    const backwards = { window: { start: window.end, end: window.start } };
    expect(await api.post('/analytics/root-cause', backwards)).toMatchObject({ status: 400 });
    expect(await api.post('/analytics/root-cause', {})).toMatchObject({ status: 422 });
  });
});

test('the topology is drawn from the spans of a window', async () => {
  const time = system.needs.clock.nowNanos() - 30_000_000_000n;
  const ids = { traceId: new Uint8Array(16).fill(7), spanId: new Uint8Array(8).fill(7) };
  const span = { ...ids, name: 'GET /', startTimeUnixNano: time, endTimeUnixNano: time + 5_000_000n };
  await system.send('span', spansProtobuf(span));
  const [start, end] = [formatNanos(time), formatNanos(time + 1_000_000_000n)];
  const { status, body } = await api.get(`/topology?start=${start}&end=${end}`);
  expect(status).toBe(200);
  expect(body.data.spans).toBeGreaterThan(0);
  expect(body.data.nodes.length).toBeGreaterThan(0);
  expect(await api.get('/topology?time_range=soon')).toMatchObject({ status: 400 });
});

test('one key of a state has a history, by node, newest first', async () => {
  const post = (state_data: object, snapshot_type: string) =>
    api.post('/state', {
      component_type: 'agent',
      component_id: 'keeper',
      operation_id: 'o',
      state_data,
      snapshot_type,
    });
  await post({ plan: { step: 1 }, note: 'x' }, 'full');
  await post({ note: null }, 'incremental');
  const second = await post({ plan: { step: 2 } }, 'incremental');
  expect(second.body.data.diff_from_previous).toEqual({ 'plan.step': { from: 1, to: 2 } });
  const { body } = await api.get('/state/agent/keeper');
  expect(body.data).toMatchObject({ state_data: { plan: { step: 2 } }, complete: true, snapshot_type: 'incremental' });
  expect(body.data.assembled_from).toHaveLength(3);
  const history = await api.get('/state/agent/keeper/history?key=plan.step&time_range=1h');
  expect(history.body.data).toMatchObject([{ value: 2, from: 1 }, { value: 1 }]);
  expect((await api.get('/state/agent/keeper/history?key=note')).body.data.map(Object.keys)).toMatchObject([
    expect.not.arrayContaining(['value']),
    expect.arrayContaining(['value']),
  ]);
  expect(await api.get('/state/agent/keeper/history?key=a..b')).toMatchObject({ status: 400 });
  expect(await api.get('/state/agent/nobody/history?key=a')).toMatchObject({ status: 404 });
});

test('a pattern finds what it matches, in linear time', async () => {
  const message = `retry ${'a'.repeat(200)}! of parcel 4711`;
  const of = { event_type: 'log', component_type: 'agent', component_id: 'patterns', correlation_id: 'patterns' };
  await api.post('/events', { ...of, message });
  const find = (regex: string) => api.get(`/events?component_id=patterns&regex=${encodeURIComponent(regex)}`);
  expect((await find('parcel \\d{4}$')).body.data).toMatchObject([{ message }]);
  expect((await find('(?i)PARCEL')).body.meta.count).toBe(1);
  expect((await find('(a+)+$')).body.meta.count).toBe(0);
  for (const regex of ['(', '(?=a)', 'a*']) expect(await find(regex)).toMatchObject({ status: 400 });
});

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

describe('guards', () => {
  test('with tokens nothing but the probes answers without one', async () => {
    const guarded = await startQuerySystem({ tokens: ['secret-1', 'secret-2'] });
    try {
      const status = async (path: string, authorization?: string) =>
        (await fetch(guarded.url + path, authorization === undefined ? {} : { headers: { authorization } })).status;
      for (const path of [
        '/api/debug/events',
        '/api/debug/events?follow=true',
        '/api/debug/nothing',
        '/api/debug//events',
        '/metrics',
      ]) {
        for (const wrong of [
          undefined,
          '',
          'Bearer',
          'Bearer ',
          'Bearer secret',
          'Bearer secret-1x',
          'Basic secret-1',
          'secret-1',
        ]) {
          expect([path, wrong, await status(path, wrong)]).toEqual([path, wrong, 401]);
        }
      }
      expect(await status('/api/debug/events?token=secret-1')).toBe(401);
      expect(await status('/api/debug/events', 'Bearer secret-1')).toBe(200);
      expect(await status('/api/debug/events', 'bearer secret-2')).toBe(200);
      for (const path of ['/healthz', '/readyz', '/version', '/openapi.json', '/'])
        expect(await status(path)).toBe(200);
      const refused = await fetch(`${guarded.url}/api/debug/events`);
      expect(refused.headers.get('www-authenticate')).toBe('Bearer');
      expect(await refused.json()).toMatchObject({ code: 'UNAUTHENTICATED' });
    } finally {
      await guarded.stop();
    }
  });

  test('with a limit every answer says what is left of it, and who is over it when to come again', async () => {
    const limited = await startQuerySystem({ requestsPerSecond: 2 });
    try {
      const first = await fetch(`${limited.url}/api/debug/events`);
      expect(first.headers.get('ratelimit-policy')).toBe('"token";q=2;w=1');
      expect(first.headers.get('ratelimit')).toBe('"token";r=3;t=1');
      let last = first;
      for (let i = 0; i < 20 && last.status === 200; i++) last = await fetch(`${limited.url}/api/debug/events`);
      expect(last.status).toBe(429);
      expect(Number(last.headers.get('retry-after'))).toBeGreaterThanOrEqual(1);
    } finally {
      await limited.stop();
    }
    expect((await fetch(`${system.url}/api/debug/events`)).headers.get('ratelimit')).toBeNull();
  });

  test('on loopback only its own names are answered', async () => {
    const { request } = await import('node:http');
    const status = (host: string) =>
      new Promise((resolve, reject) => {
        request(`${system.url}/api/debug/events`, { headers: { host } }, (response) => {
          response.resume();
          resolve(response.statusCode);
        })
          .on('error', reject)
          .end();
      });
    for (const host of ['127.0.0.1:4319', 'localhost', 'LOCALHOST:80', '[::1]:4319', 'debug.localhost'])
      expect(await status(host)).toBe(200);
    for (const host of ['evil.example', '127.0.0.1.evil.example', 'localhost.evil.example:4319'])
      expect(await status(host)).toBe(421);
  });

  test('a disabled system answers 503 to every question', async () => {
    const disabled = await startQuerySystem({ enabled: false });
    try {
      for (const [method, path] of [
        ['GET', '/events'],
        ['POST', '/events'],
        ['GET', '/insights'],
        ['GET', '/nothing'],
      ]) {
        const response = await fetch(`${disabled.url}/api/debug${path}`, { method: method! });
        expect(response.status).toBe(503);
        expect(response.headers.get('retry-after')).not.toBeNull();
        expect(await response.json()).toMatchObject({ code: 'DEBUG_DISABLED' });
      }
      expect((await fetch(`${disabled.url}/healthz`)).status).toBe(200);
    } finally {
      await disabled.stop();
    }
  });

  test('what is not ready says why', async () => {
    const troubled = await startQuerySystem({ troubles: async () => ['the store is away'] });
    try {
      const response = await fetch(`${troubled.url}/readyz`);
      expect(response.status).toBe(503);
      expect(await response.json()).toEqual({ status: 'not_ready', reasons: ['the store is away'] });
    } finally {
      await troubled.stop();
    }
  });

  test('a port that is taken is an error at start, naming the setting', async () => {
    const port = Number(new URL(system.url).port);
    await expect(startQuerySystem({ port })).rejects.toThrow(/the port is taken \(DEBUG_HTTP_PORT\)/);
  });

  test('an error of ours tells nothing of the inside', async () => {
    const broken = await startQuerySystem({
      engine: {
        generate: () => Promise.reject(new Error('password=hunter2')),
        consistency: async () => null,
        explain: async () => ({ insight: null, chain: [], affected_components: [] }),
      },
    });
    try {
      const response = await fetch(`${broken.url}/api/debug/insights/generate`, {
        method: 'POST',
        headers: { 'content-type': 'application/json' },
        body: '{}',
      });
      expect(response.status).toBe(500);
      expect(await response.text()).not.toContain('hunter2');
    } finally {
      await broken.stop();
    }
  });
});

async function putInsight(more: Partial<Insight>, { needs } = system): Promise<string> {
  const id = fresh('').slice(1).padStart(32, 'a');
  const now = formatNanos(needs.clock.nowNanos());
  const insight = await needs.rows.changeInsight('default', id, () => ({
    id,
    fingerprint: id,
    insight_type: 'error',
    severity: 'warning',
    title: 'title',
    summary: 'summary',
    description: 'description',
    evidence: { event_ids: [], span_ids: [], trace_ids: [], snapshot_ids: [], numbers: {} },
    confidence_score: 0.9,
    suggestions: [],
    scope: 'component',
    affected_components: [],
    correlation_id: null,
    operation_id: null,
    first_seen: now,
    last_seen: now,
    occurrences: 1,
    state: 'open',
    resolution_notes: null,
    resolved_by: null,
    resolved_at: null,
    generated_at: now,
    updated_at: now,
    expires_at: '2027-01-01T00:00:00.000000000Z',
    ...more,
  }));
  needs.publish({ kind: 'insight', tenant: 'default', change: 'opened', insight: insight! });
  return id;
}
