/** What HTTP asks of every answer: methods, headers, ETags, cursors of what is new. */
import { describe, expect, test } from 'vitest';
import type { Insight } from '../../../model/insight.ts';
import { createApiClient } from '../../support/api-client.ts';
import { spansProtobuf } from '../../support/otlp-requests.ts';
import { startQuerySystem } from '../../support/query-system.ts';
import { api, event, fresh, post, putInsight, system } from './shared.ts';

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
        const trace_id = '9'.repeat(31) + (Number(fresh('').slice(1)) % 10);
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
