/**
 * F31: every face × every way not to be somebody. The faces of the REST table come from the table itself, so that a route that is
 * added is in here with it; a port or protocol that is added belongs into FACES.
 */
import { request as httpRequest } from 'node:http';
import { Client, credentials, Metadata, type ServiceError, status } from '@grpc/grpc-js';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { WebSocket } from 'ws';
import { DebugQuery } from '../../proto/gen/debug/v1/debug_query_pb.js';
import { METHODS } from '../../query/grpc/methods.ts';
import { API_PREFIX, ROUTES } from '../../query/rest/routes.ts';
import { startCollector, type TestCollector } from '../support/collector.ts';
import { requestProtobuf, SIGNAL_PATHS } from '../support/otlp-requests.ts';

const TOKENS = {
  ingest: 'ingest-0123456789abcdef',
  read: 'read-0123456789abcdef',
  admin: 'admin-0123456789abcdef',
  theirs: 'theirs-0123456789abcdef',
};
type Headers = Record<string, string | string[]>;

/** A way in: what scope it takes, and what it says to these headers. */
interface Face {
  name: string;
  scope: 'ingest' | 'read' | 'admin';
  ask(headers: Headers): Promise<'in' | 'unauthenticated' | 'forbidden'>;
}

let system: TestCollector;
const ours: Face[] = [];

beforeAll(async () => {
  const tokens = [
    `ingest:${TOKENS.ingest}`,
    `read:${TOKENS.read}`,
    `admin:${TOKENS.admin}`,
    `read@theirs:${TOKENS.theirs}`,
  ];
  system = await startCollector({ 'api-tokens': tokens.join(',') });
  ours.push(...faces(system));
});
afterAll(() => system.stop());

const NAMES = faces(null).map(({ name }) => name);
const face = (name: string) => ours.find((one) => one.name === name)!;
const bearer = (token: string) => ({ authorization: `Bearer ${token}` });

describe('F31', () => {
  const unknown: [string, (token: string) => Headers][] = [
    ['nothing', () => ({})],
    ['an empty header', () => ({ authorization: '' })],
    ['a scheme alone', () => ({ authorization: 'Bearer' })],
    ['a scheme and blanks', () => ({ authorization: 'Bearer   ' })],
    ['the token without a scheme', (token) => ({ authorization: token })],
    ['another scheme', (token) => ({ authorization: `Digest ${token}` })],
    ['Basic that is no base64 of it', (token) => ({ authorization: `Basic ${token}` })],
    ['another case', (token) => bearer(token.toUpperCase())],
    ['a prefix of the token', (token) => bearer(token.slice(0, -1))],
    ['more than the token', (token) => bearer(`${token}0`)],
    ['the entry with its scope', (token) => bearer(`admin:${token}`)],
    ['two tokens in one header', (token) => bearer(`${token}, Bearer ${token}`)],
    ['the token twice', (token) => ({ authorization: [`Bearer ${token}`, `Bearer ${token}`] })],
    ['the token and another one', (token) => ({ authorization: ['Bearer x', `Bearer ${token}`] })],
    ['the token in two headers', (token) => ({ ...bearer(token), 'x-api-key': token })],
    ['the token as a cookie', (token) => ({ cookie: `authorization=Bearer ${token}; token=${token}` })],
    ['the token in a proxy header', (token) => ({ 'proxy-authorization': `Bearer ${token}` })],
    [
      'somebody else in front',
      () => ({ 'x-forwarded-user': 'admin', 'x-tenant': 'default', 'x-forwarded-for': '127.0.0.1' }),
    ],
    ['a pattern', () => bearer('.*')],
    ['what an object has', () => bearer('__proto__')],
  ];

  describe.each(NAMES)('%s', (name) => {
    test.each(unknown)('lets nobody in with %s', async (_, headers) => {
      expect(await face(name).ask(headers(TOKENS.admin))).toBe('unauthenticated');
    });

    test.each(Object.entries(TOKENS))('with a token for %s only what that is for', async (kind, token) => {
      const scope = kind === 'theirs' ? 'read' : kind;
      const expected = scope === 'admin' || scope === face(name).scope ? 'in' : 'forbidden';
      expect(await face(name).ask(bearer(token))).toBe(expected);
      expect(await face(name).ask({ 'x-api-key': token })).toBe(expected);
      expect(
        await face(name).ask({ authorization: `basic ${Buffer.from(`anyone:${token}`).toString('base64')}` }),
      ).toBe(expected);
    });
  });
});

describe('F31 another spelling of a path', () => {
  const spellings = (path: string) => [
    path,
    `${path}/`,
    `/${path}`,
    path.replaceAll('/', '//'),
    `/.${path}`,
    `/x/..${path}`,
    `/%2e${path}`,
    path.replace('a', '%61'),
    path.toUpperCase(),
    `${path}%00`,
    `${path};x=1`,
    `${path}?token=${TOKENS.admin}`,
    `${path}?access_token=${TOKENS.admin}&authorization=Bearer%20${TOKENS.admin}`,
    `http://127.0.0.1${path}`,
  ];

  test.each(['/api/debug/events', '/api/debug/insights', '/api/debug/sessions', '/metrics'].flatMap(spellings))(
    '%s tells nothing',
    async (path) => {
      const { status, body } = await raw(system.http, 'GET', path);
      expect([401, 404]).toContain(status);
      expect(body).not.toMatch(/"data"|ai_debug_/);
    },
  );

  test.each(['/v1/traces', '/v1/logs'].flatMap(spellings))('%s takes nothing', async (path) => {
    const { status } = await raw(system.otlpHttp, 'POST', path, { 'content-type': 'application/json' }, '{}');
    expect([401, 404]).toContain(status);
  });
});

describe('what is open', () => {
  test.each(['/healthz', '/readyz', '/version', '/openapi.json', '/'])(
    '%s is, and tells nothing of what is stored',
    async (path) => {
      const { status, body } = await raw(system.http, 'GET', path);
      expect(status).toBe(200);
      expect(body).not.toMatch(/"reasons":\[|otlp_http|127\.0\.0\.1/);
    },
  );

  test('/readyz and /version tell more to whom may read', async () => {
    expect((await raw(system.http, 'GET', '/readyz', bearer(TOKENS.read))).body).toContain('reasons');
    expect((await raw(system.http, 'GET', '/readyz', bearer(TOKENS.ingest))).body).not.toContain('reasons');
    expect((await raw(system.http, 'GET', '/version', bearer(TOKENS.read))).body).toContain(system.otlpHttp);
  });
});

/** Every way in; of a system that is not there yet for their names. */
function faces(system: TestCollector | null): Face[] {
  const http = system?.http ?? '';
  return [
    ...ROUTES.map((route): Face => {
      const path = `${API_PREFIX}${route.path.replace(/\{\w+\}/g, 'x')}`;
      return {
        name: `${route.method.toUpperCase()} ${API_PREFIX}${route.path}`,
        scope: route.scope,
        ask: (headers) => overHttp(http, route.method.toUpperCase(), path, headers, '{}'),
      };
    }),
    {
      name: 'GET /api/debug/events?follow=true',
      scope: 'read',
      ask: (headers) => overHttp(http, 'GET', '/api/debug/events?follow=true', headers),
    },
    { name: 'GET /metrics', scope: 'read', ask: (headers) => overHttp(http, 'GET', '/metrics', headers) },
    ...['/ws/debug', '/ws/debug/checkout'].map(
      (path): Face => ({
        name: `WebSocket ${path}`,
        scope: 'read',
        ask: (headers) => overWebSocket(http + path, headers),
      }),
    ),
    {
      name: 'MCP POST /mcp',
      scope: 'read',
      ask: (headers) => {
        const accept = 'application/json, text/event-stream';
        const body = '{"jsonrpc":"2.0","id":1,"method":"tools/list"}';
        return overHttp(http, 'POST', '/mcp', { ...headers, 'content-type': 'application/json', accept }, body);
      },
    },
    ...Object.values(DebugQuery.method).map((method): Face => {
      const path = `/${DebugQuery.typeName}/${method.name}`;
      return {
        name: `gRPC ${path}`,
        scope: method.methodKind === 'unary' ? METHODS[method.localName as keyof typeof METHODS].scope : 'read',
        ask: (headers) => overGrpc(system?.grpc ?? '', path, headers, new Uint8Array(0), method.methodKind),
      };
    }),
    ...Object.entries(SIGNAL_PATHS).map(
      ([signal, path]): Face => ({
        name: `OTLP/HTTP ${path}`,
        scope: 'ingest',
        ask: (headers) =>
          overHttp(
            system?.otlpHttp ?? '',
            'POST',
            path,
            { ...headers, 'content-type': 'application/x-protobuf' },
            requestProtobuf(signal as 'log'),
          ),
      }),
    ),
    ...Object.entries({ span: 'trace', log: 'logs', metric: 'metrics' }).map(([signal, name]): Face => {
      const service = `${name[0]!.toUpperCase()}${name.slice(1)}Service`;
      const method = `/opentelemetry.proto.collector.${name}.v1.${service}/Export`;
      return {
        name: `gRPC ${method}`,
        scope: 'ingest',
        ask: (headers) => overGrpc(system?.otlpGrpc ?? '', method, headers, requestProtobuf(signal as 'log')),
      };
    }),
  ];
}

const VERDICTS: Record<number, 'unauthenticated' | 'forbidden'> = { 401: 'unauthenticated', 403: 'forbidden' };

async function overHttp(url: string, method: string, path: string, headers: Headers, body?: string | Uint8Array) {
  const { status } = await raw(
    url,
    method,
    path,
    { ...(body !== undefined && { 'content-type': 'application/json' }), ...headers },
    body,
  );
  return VERDICTS[status] ?? 'in';
}

/** With headers and paths as they are given, which `fetch` would put in order. */
function raw(
  url: string,
  method: string,
  path: string,
  headers: Headers = {},
  body: string | Uint8Array = '',
): Promise<{ status: number; body: string }> {
  const { hostname: host, port } = new URL(url);
  return new Promise((resolve, reject) => {
    const request = httpRequest({ host, port, method, path, headers, agent: false }, async (response) => {
      // What follows has no end: its beginning says enough.
      if (path.includes('follow=true') && response.statusCode === 200) {
        response.destroy();
        return resolve({ status: 200, body: '' });
      }
      const chunks = await response.toArray();
      resolve({ status: response.statusCode!, body: Buffer.concat(chunks).toString() });
    });
    request.on('error', reject);
    request.end(method === 'GET' ? undefined : body);
  });
}

function overWebSocket(url: string, headers: Headers): ReturnType<Face['ask']> {
  return new Promise((resolve, reject) => {
    const socket = new WebSocket(url.replace('http', 'ws'), { headers: headers as Record<string, string> });
    const told = (verdict: 'in' | 'unauthenticated' | 'forbidden') => {
      resolve(verdict);
      socket.terminate();
    };
    socket.on('error', () => {});
    socket.on('unexpected-response', (_, { statusCode }) => told(VERDICTS[statusCode!] ?? 'in'));
    // Without credentials the first message is waited for: one that is none of them is answered with what is missing.
    socket.on('open', () => socket.send('{"action":"subscribe","channel":"debug:all"}'));
    socket.on('message', (data) => {
      const message = JSON.parse(String(data)) as { type: string; data: { code: string } };
      if (message.type === 'subscribed') told('in');
      else if (message.type === 'error')
        told(message.data.code === 'UNAUTHENTICATED' ? 'unauthenticated' : 'forbidden');
    });
    setTimeout(() => reject(new Error('no word')), 3000).unref();
  });
}

function overGrpc(
  address: string,
  method: string,
  headers: Headers,
  body: Uint8Array,
  kind = 'unary',
): ReturnType<Face['ask']> {
  const client = new Client(address, credentials.createInsecure());
  const metadata = new Metadata();
  for (const [key, values] of Object.entries(headers)) for (const value of [values].flat()) metadata.add(key, value);
  const bytes = (value: Buffer) => value;
  return new Promise((resolve) => {
    const answered = (error: ServiceError | null) => {
      client.close();
      if (error?.code === status.PERMISSION_DENIED) return resolve('forbidden');
      // Node's HTTP/2 does not even send a header twice that may come once.
      const unsaid = error?.code !== undefined && metadata.get('authorization').length > 1;
      resolve(error?.code === status.UNAUTHENTICATED || unsaid ? 'unauthenticated' : 'in');
    };
    if (kind === 'unary') client.makeUnaryRequest(method, bytes, bytes, Buffer.from(body), metadata, {}, answered);
    else {
      const stream = client.makeServerStreamRequest(method, bytes, bytes, Buffer.from(body), metadata);
      stream.once('error', (error) => answered(error as ServiceError));
      // A stream that was let in says something at once.
      stream.once('data', () => stream.cancel());
    }
  });
}
