import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest';
import { WebSocket } from 'ws';
import type { Insight } from '../../model/insight.ts';
import { formatNanos } from '../../model/time.ts';
import type { InsightChanged } from '../../storage/contract.ts';
import { type ApiClient, createApiClient } from '../support/api-client.ts';
import { goodSpan, requestProtobuf, spansProtobuf, TRACE_ID } from '../support/otlp-requests.ts';
import { type QuerySystem, startQuerySystem } from '../support/query-system.ts';
import { insight } from '../support/telemetry.ts';

let system: QuerySystem;
let api: ApiClient;
const clients: Client[] = [];
beforeAll(async () => {
  system = await startQuerySystem();
  api = await createApiClient(system.url);
});
afterEach(() => {
  for (const client of clients.splice(0)) client.socket.terminate();
});
afterAll(() => system?.stop());

let made = 0;
const fresh = (kind: string) => `${kind}-${++made}`;
const event = (more: object) => ({ event_type: 'log', component_type: 'agent', correlation_id: 'c', ...more });
const post = async (more: object): Promise<string> => (await api.post('/events', event(more))).body.data.event_id;

describe('a client', () => {
  test('of a component gets its events, as they are read by id, and no others', async () => {
    const id = fresh('agent');
    const client = await connect(`/${id}`);
    expect(await client.next('connected')).toMatchObject({ data: { channels: [`debug:${id}`] } });
    expect(await client.next('subscribed')).toMatchObject({ channel: `debug:${id}` });
    await post({ component_id: 'somebody-else' });
    const event_id = await post({ component_id: id, message: 'hello' });
    const message = await client.next('debug:event');
    expect(message).toMatchObject({
      channel: `debug:${id}`,
      data: { id: event_id, message: 'hello' },
      timestamp: expect.any(String),
    });
    expect(message.data).toEqual((await api.get(`/events/${event_id}`)).body.data);
  });

  test('of nothing gets nothing until it subscribes', async () => {
    const id = fresh('agent');
    const client = await connect('');
    await client.next('connected');
    await post({ component_id: id });
    await client.subscribe('debug:all');
    const second = await post({ component_id: id });
    expect((await client.next('debug:event')).data.id).toBe(second);
  });

  test('with a level filter gets that level only', async () => {
    const id = fresh('agent-123');
    const client = await connect('');
    await client.subscribe(`debug:${id}`, { level: ['ERROR'] });
    for (const level of ['INFO', 'CRITICAL', null, 'ERROR'])
      await post({ component_id: id, level, message: String(level) });
    expect((await client.next('debug:event')).data.message).toBe('ERROR');
    await client.quiet();
  });

  test('that subscribes again replaces its filter', async () => {
    const id = fresh('agent');
    const client = await connect(`/${id}`);
    await client.joined();
    await client.subscribe(`debug:${id}`, {
      min_level: 'ERROR',
      q: 'TIMEOUT',
      component_type: ['agent'],
      event_type: 'error',
    });
    await post({ component_id: id, event_type: 'error', level: 'ERROR', message: 'other' });
    await post({ component_id: id, event_type: 'error', level: 'ERROR', message: 'a timeout' });
    expect((await client.next('debug:event')).data.message).toBe('a timeout');
    await client.quiet();
  });

  test('of a correlation gets what carries it and what its traces hold', async () => {
    const correlation_id = fresh('order');
    const client = await connect('');
    await client.subscribe(`debug:correlation:${correlation_id}`);
    await post({ correlation_id: 'another' });
    await post({ correlation_id, trace_id: TRACE_ID, message: 'names it' });
    expect((await client.next('debug:event')).data.message).toBe('names it');
    await system.send(
      'span',
      spansProtobuf({ ...goodSpan(fresh('span')), startTimeUnixNano: 1_795_000_000_000_000_000n }),
    );
    expect((await client.next('debug:event')).data).toMatchObject({
      event_type: 'span',
      correlation_id,
      trace_id: TRACE_ID,
    });
  });

  test('on several channels gets a message on each that it belongs to', async () => {
    const id = fresh('agent');
    const client = await connect('');
    await client.subscribe(`debug:${id}`);
    await client.subscribe('debug:all', { component_type: ['agent'] });
    await post({ component_id: id });
    const channels = [await client.next('debug:event'), await client.next('debug:event')].map(({ channel }) => channel);
    expect(channels.sort()).toEqual([`debug:${id}`, 'debug:all'].sort());
    client.say({ action: 'unsubscribe', channel: 'debug:all' });
    expect(await client.next('unsubscribed')).toMatchObject({
      channel: 'debug:all',
      data: { channels: [`debug:${id}`] },
    });
    await post({ component_id: id });
    expect((await client.next('debug:event')).channel).toBe(`debug:${id}`);
    await client.quiet();
  });

  test('is told what it said wrong, and stays', async () => {
    const client = await connect('');
    await client.next('connected');
    for (const [said, field] of [
      ['nonsense', 'message'],
      ['[]', 'message'],
      ['{"action":"dance"}', 'action'],
      ['{"action":"subscribe"}', 'channel'],
      ['{"action":"subscribe","channel":"all"}', 'channel'],
      ['{"action":"subscribe","channel":"debug:all","filter":{"level":["LOUD"]}}', 'filter.level'],
      ['{"action":"subscribe","channel":"debug:all","filter":{"message_type":"news"}}', 'filter.message_type'],
      ['{"action":"subscribe","channel":"debug:all","filter":{"colour":"red"}}', 'filter.colour'],
      [Buffer.from([1, 2, 3]), undefined],
    ] as const) {
      client.socket.send(said);
      const { data } = await client.next('error');
      expect(data).toMatchObject({ code: expect.stringMatching(/MALFORMED|INVALID|UNSUPPORTED/) });
      if (field !== undefined) expect(data.errors[0].field).toMatch(field);
    }
    client.say({ action: 'ping' });
    await client.next('pong');
  });

  test('that says too much is closed', async () => {
    const client = await connect('');
    client.socket.send('x'.repeat(70_000));
    expect(await client.closed).toBe(1009);
  });

  test('takes so many channels', async () => {
    const client = await connect('');
    await client.next('connected');
    for (let i = 0; i < 101; i++) client.say({ action: 'subscribe', channel: `debug:${i}` });
    for (let i = 0; i < 100; i++) await client.next('subscribed');
    expect((await client.next('error')).data.code).toBe('THROTTLED');
  });
});

describe('messages', () => {
  test('of snapshots say what changed', async () => {
    const id = fresh('agent');
    const client = await connect(`/${id}`);
    await client.joined();
    const state = { component_type: 'agent', component_id: id, operation_id: 'op' };
    await api.post('/state', { ...state, state_data: { progress: 0.5 } });
    await api.post('/state', { ...state, state_data: { progress: 0.8 } });
    expect((await client.next('debug:state_change')).data).toMatchObject({
      state_data: { progress: 0.5 },
      diff_from_previous: null,
    });
    expect((await client.next('debug:state_change')).data).toMatchObject({
      component_id: id,
      operation_id: 'op',
      event_type: 'state_snapshot',
      diff_from_previous: { progress: { from: 0.5, to: 0.8 } },
    });
    await client.quiet();
  });

  test('of metric points are updates', async () => {
    const client = await connect('');
    await client.subscribe('debug:all', { message_type: 'metric_update' });
    await post({});
    await system.send('metric', requestProtobuf('metric'));
    expect((await client.next()).data).toMatchObject({
      event_type: 'metric',
      metric: { metric_name: 'queue.size', value: 7 },
    });
  });

  test('of insights come with an alert when they are news and grave', async () => {
    const id = fresh('agent');
    const client = await connect(`/${id}`);
    await client.joined();
    const publish = (change: InsightChanged, severity: Insight['severity']) =>
      system.needs.publish({ kind: 'insight', tenant: 'default', change, insight: insightOn(id, severity) });
    publish('opened', 'info');
    publish('updated', 'critical');
    publish('opened', 'warning');
    publish('regressed', 'critical');
    publish('worsened', 'critical');
    publish('recurred', 'warning');
    publish('resolved', 'critical');
    const got: string[] = [];
    for (let i = 0; i < 11; i++) {
      const { type, data } = await client.next();
      got.push(`${type} ${data.change} ${data.severity}`);
    }
    expect(got).toEqual([
      'debug:insight opened info',
      'debug:insight updated critical',
      'debug:insight opened warning',
      'debug:alert opened warning',
      'debug:insight regressed critical',
      'debug:alert regressed critical',
      'debug:insight worsened critical',
      'debug:alert worsened critical',
      'debug:insight recurred warning',
      'debug:alert recurred warning',
      'debug:insight resolved critical',
    ]);
  });

  test('of a resolved insight follow from the request', async () => {
    const id = fresh('agent');
    const stored = insightOn(id, 'warning');
    await system.needs.rows.changeInsight('default', stored.id, () => stored);
    const client = await connect(`/${id}`);
    await client.joined();
    await api.put(`/insights/${stored.id}/resolve`, { resolution_notes: 'fixed' });
    expect((await client.next('debug:insight')).data).toMatchObject({
      id: stored.id,
      change: 'resolved',
      state: 'resolved',
    });
  });
});

describe('a client that comes back', () => {
  test('goes on behind its cursor, without loss and without doubles', async () => {
    const id = fresh('agent');
    const first = await connect(`/${id}`);
    await first.joined();
    const events = Array.from({ length: 4 }, (_, i) => event({ component_id: id, message: `m${i}` }));
    await api.post('/events/batch', { events });
    await first.next('debug:event');
    const { cursor } = await first.next('debug:event');
    first.socket.terminate();
    await first.closed;
    await post({ component_id: id, message: 'm4' });

    const second = await connect('');
    await second.subscribe(`debug:${id}`, {}, cursor);
    await post({ component_id: id, message: 'm5' });
    const messages: string[] = [];
    for (let i = 0; i < 4; i++) messages.push((await second.next('debug:event')).data.message);
    expect(messages).toEqual(['m2', 'm3', 'm4', 'm5']);
    await second.quiet();
  });

  test('may start at the cursor it was connected with', async () => {
    const id = fresh('agent');
    const client = await connect('');
    const { cursor } = await client.next('connected');
    await post({ component_id: id, message: 'in between' });
    await client.subscribe(`debug:${id}`, {}, cursor);
    expect((await client.next('debug:event')).data.message).toBe('in between');
  });

  test.each(['nonsense', Buffer.from('another.5.0').toString('base64url')])(
    'with cursor %s is told of a gap of unknown size',
    async (since) => {
      const id = fresh('agent');
      const client = await connect('');
      await client.subscribe(`debug:${id}`, {}, since);
      expect(await client.next('gap')).toMatchObject({ data: { dropped: null } });
      await post({ component_id: id, message: 'live again' });
      expect((await client.next('debug:event')).data.message).toBe('live again');
    },
  );
});

test('a slow client loses the oldest, is told how many, and holds up nobody', async () => {
  const id = fresh('agent');
  const slow = await connect(`/${id}`);
  const quick = await connect(`/${id}`);
  await Promise.all([slow.joined(), quick.joined()]);
  slow.socket.pause();
  // 30 MB: more than the kernel's buffers and the queue of one client together hold.
  const [batches, size] = [10, 30];
  for (let batch = 0; batch < batches; batch++) {
    const events = Array.from({ length: size }, (_, i) =>
      event({ component_id: id, message: `${batch * size + i} ${'x'.repeat(100_000)}` }),
    );
    await api.post('/events/batch', { events });
  }
  const sent = batches * size;
  for (let i = 0; i < sent; i++) expect((await quick.next('debug:event')).data.message.split(' ')[0]).toBe(String(i));
  slow.socket.resume();
  let [received, dropped, last] = [0, 0, -1];
  while (received + dropped < sent) {
    const { type, data } = await slow.next();
    if (type === 'gap') dropped += data.dropped;
    else {
      received++;
      const number = Number(data.message.split(' ')[0]);
      expect(number).toBeGreaterThan(last);
      last = number;
    }
  }
  expect(dropped).toBeGreaterThan(0);
  expect(last).toBe(sent - 1);
});

describe('a followed list', () => {
  test('is NDJSON with the filters of the list', async () => {
    const id = fresh('agent');
    const stop = new AbortController();
    const response = await fetch(
      `${system.url}/api/debug/events?follow=true&component_id=${id}&min_level=WARNING&attr.region=eu&q=late`,
      {
        signal: stop.signal,
      },
    );
    expect(response.headers.get('content-type')).toMatch(/^application\/x-ndjson/);
    const lines = readLines(response.body!);
    expect(await lines.next()).toMatchObject({ type: 'connected' });
    const wanted = { component_id: id, level: 'ERROR', data: { region: 'eu' }, message: 'too late' };
    for (const off of [{ level: 'INFO' }, { data: { region: 'us' } }, { message: 'early' }, { component_id: 'other' }])
      await post({ ...wanted, ...off });
    const event_id = await post(wanted);
    const { data, cursor } = await lines.next();
    expect(data.id).toBe(event_id);
    stop.abort();

    const again = await fetch(`${system.url}/api/debug/events?follow=true&component_id=${id}&since=${cursor}`, {
      signal: AbortSignal.timeout(20_000),
    });
    const more = readLines(again.body!);
    await more.next();
    await post({ ...wanted, message: 'behind the cursor' });
    expect((await more.next()).data.message).toBe('behind the cursor');
    await more.cancel();
  });

  test('ends its subscription when the reader leaves', async () => {
    const stop = new AbortController();
    const response = await fetch(`${system.url}/api/debug/events?follow=true`, { signal: stop.signal });
    await readLines(response.body!).next();
    const subscriptions = async () =>
      Number(/live_subscriptions (\d+)/.exec(await system.meter.registry.metrics())![1]);
    expect(await subscriptions()).toBeGreaterThan(0);
    stop.abort();
    while ((await subscriptions()) > 0) await sleep(10);
  });
});

describe('a request to listen', () => {
  const refusal = (path: string, headers: Record<string, string> = {}, url = system.url) =>
    new Promise<{ status: number; code: string }>((resolve, reject) => {
      const socket = new WebSocket(`${url.replace('http', 'ws')}${path}`, { headers });
      socket.on('open', () => reject(new Error('was let in')));
      socket.on('error', () => {});
      socket.on('unexpected-response', (_request, response) => {
        let body = '';
        response.on('data', (chunk) => (body += chunk));
        response.on('end', () => resolve({ status: response.statusCode!, code: JSON.parse(body).code }));
      });
    });

  test.each([
    ['/ws/nothing', {}, 404, 'NOT_FOUND'],
    ['/api/debug/events', {}, 404, 'NOT_FOUND'],
    ['/ws/debug/a/b', {}, 404, 'NOT_FOUND'],
    ['/ws/debug/%zz', {}, 400, 'MALFORMED'],
    ['/ws/debug', { origin: 'https://evil.example' }, 403, 'FORBIDDEN'],
    ['/ws/debug', { host: 'evil.example' }, 421, 'MISDIRECTED'],
  ])('%s %j is refused with %i', async (path, headers, status, code) => {
    expect(await refusal(path, headers as Record<string, string>)).toEqual({ status, code });
  });

  test('from a page of our own is taken', async () => {
    const client = await connect('', { origin: system.url });
    await client.next('connected');
  });

  test('needs a token where tokens are asked for, in its header or first message', async () => {
    const guarded = await startQuerySystem({ tokens: ['secret'] });
    try {
      expect(await refusal('/ws/debug', { authorization: 'Bearer wrong' }, guarded.url)).toEqual({
        status: 401,
        code: 'UNAUTHENTICATED',
      });
      const byHeader = await connect('', { authorization: 'Bearer secret' }, guarded.url);
      await byHeader.next('connected');
      const byMessage = await connect('/agent-1', {}, guarded.url);
      byMessage.say({ action: 'authenticate', token: 'secret' });
      await byMessage.next('connected');
      await byMessage.next('subscribed');
      for (const first of [
        { action: 'authenticate', token: 'wrong' },
        { action: 'subscribe', channel: 'debug:all' },
      ]) {
        const stranger = await connect('/agent-1', {}, guarded.url);
        stranger.say(first);
        expect((await stranger.next()).data.code).toBe('UNAUTHENTICATED');
        expect(await stranger.closed).toBe(1008);
      }
    } finally {
      await guarded.stop();
    }
  });

  test('is refused where streaming is switched off', async () => {
    const without = await startQuerySystem({ streaming: false });
    try {
      expect(await refusal('/ws/debug', {}, without.url)).toEqual({ status: 503, code: 'STREAMING_DISABLED' });
      expect((await fetch(`${without.url}/api/debug/events?follow=true`)).status).toBe(503);
    } finally {
      await without.stop();
    }
  });
});

test('a stop says goodbye to every client', async () => {
  const stopping = await startQuerySystem();
  const client = await connect('', {}, stopping.url);
  await client.next('connected');
  const followed = await fetch(`${stopping.url}/api/debug/events?follow=true`);
  const lines = readLines(followed.body!);
  await lines.next();
  await stopping.stop();
  expect(await client.closed).toBe(1001);
  await expect(lines.next()).rejects.toThrow('end of the list');
});

interface Client {
  socket: WebSocket;
  /** The close code. */
  closed: Promise<number>;
  /** The next message, which must be of this type where one is named. */
  // biome-ignore lint/suspicious/noExplicitAny: messages are looked into freely.
  next(type?: string): Promise<any>;
  say(message: object): void;
  /** Resolves when the server has said `subscribed`; what it said before is passed over. */
  joined(): Promise<void>;
  subscribe(channel: string, filter?: object, since?: string): Promise<void>;
  /** Resolves when everything that was on its way has come, and it was nothing. */
  quiet(): Promise<void>;
}

async function connect(path: string, headers: Record<string, string> = {}, url = system.url): Promise<Client> {
  const socket = new WebSocket(`${url.replace('http', 'ws')}/ws/debug${path}`, { headers });
  const received: { type: string }[] = [];
  const waiting: ((message: { type: string }) => void)[] = [];
  socket.on('message', (data) => {
    const message = JSON.parse(String(data));
    const waiter = waiting.shift();
    if (waiter === undefined) received.push(message);
    else waiter(message);
  });
  const closed = new Promise<number>((resolve) => socket.once('close', resolve));
  const take = () => {
    const message = received.shift();
    return message === undefined ? new Promise<{ type: string }>((resolve) => waiting.push(resolve)) : message;
  };
  const client: Client = {
    socket,
    closed,
    async next(type) {
      const message = await take();
      if (type !== undefined && message.type !== type)
        throw new Error(`expected ${type}, got ${JSON.stringify(message)}`);
      return message;
    },
    say: (message) => socket.send(JSON.stringify(message)),
    async subscribe(channel, filter = {}, since) {
      client.say({ action: 'subscribe', channel, filter, since });
      await client.joined();
    },
    async joined() {
      for (;;) if ((await take()).type === 'subscribed') return;
    },
    async quiet() {
      // The feed goes through one queue: what was posted before this marker is here before it.
      const marker = fresh('marker');
      await client.subscribe(`debug:${marker}`);
      await post({ component_id: marker });
      const { data } = await client.next('debug:event');
      expect(data.component_id).toBe(marker);
    },
  };
  clients.push(client);
  await new Promise((resolve, reject) => socket.once('open', resolve).once('error', reject));
  return client;
}

function readLines(body: ReadableStream<Uint8Array>) {
  const reader = body.pipeThrough(new TextDecoderStream() as TransformStream<Uint8Array, string>).getReader();
  let rest = '';
  return {
    // biome-ignore lint/suspicious/noExplicitAny: messages are looked into freely.
    async next(): Promise<any> {
      while (!rest.includes('\n')) {
        const { value, done } = await reader.read();
        if (done) throw new Error('end of the list');
        rest += value;
      }
      const [line, ...more] = rest.split('\n');
      rest = more.join('\n');
      return JSON.parse(line!);
    },
    cancel: () => reader.cancel(),
  };
}

function insightOn(component: string, severity: Insight['severity']): Insight {
  const now = formatNanos(system.needs.clock.nowNanos());
  return insight(fresh('').slice(1).padStart(32, 'b'), now, {
    severity,
    affected_components: [{ type: 'agent', id: component }],
    expires_at: now,
  });
}
