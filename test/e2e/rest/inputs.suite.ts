/** Bodies and queries that do not fit: each field is named. */
import { describe, expect, test } from 'vitest';
import { api, event, fresh, post, system } from './shared.ts';

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
