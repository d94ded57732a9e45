/** F24, F27, F28, R36: clients that are slow, that only hold a connection, or that send more than may be. */
import { once } from 'node:events';
import { type ClientHttp2Session, connect as connectHttp2, constants } from 'node:http2';
import { connect, type Socket } from 'node:net';
import { Server, ServerCredentials } from '@grpc/grpc-js';
import { afterEach, describe, expect, it, vi } from 'vitest';
import type { SlowClients } from '../../base/tls.ts';
import { createWebServer } from '../../base/tls.ts';
import { guardSessions } from '../../receiver/grpc-guard.ts';
import { startCollector, type TestCollector } from '../support/collector.ts';
import { requestProtobuf } from '../support/otlp-requests.ts';

const cleanups: (() => unknown)[] = [];
afterEach(async () => {
  for (const cleanup of cleanups.splice(0).reverse()) await cleanup();
});

async function collector(settings: Record<string, string> = {}): Promise<TestCollector> {
  const system = await startCollector(settings);
  cleanups.push(() => system.stop());
  return system;
}

async function web(slowClients: Partial<SlowClients>): Promise<number> {
  const times = { headersTimeout: 200, requestTimeout: 200, keepAliveTimeout: 200, connectionsCheckingInterval: 50 };
  const server = createWebServer(null, { ...times, ...slowClients }, (request, response) => {
    request.resume().on('end', () => response.end('ok'));
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  cleanups.push(() => server.close());
  return (server.address() as { port: number }).port;
}

/** A connection and all that was answered on it. */
async function dial(port: number): Promise<{ socket: Socket; heard(): string; closed: Promise<unknown> }> {
  const socket = connect(port, '127.0.0.1');
  let text = '';
  socket.on('data', (chunk) => {
    text += chunk;
  });
  socket.on('error', () => {});
  cleanups.push(() => socket.destroy());
  // Not by `once`, which takes a reset for a failure.
  const closed = new Promise((resolve) => socket.once('close', resolve));
  await once(socket, 'connect');
  return { socket, heard: () => text, closed };
}

describe('F24 slow clients over HTTP', () => {
  it('that never end their headers are let go', async () => {
    const { socket, heard, closed } = await dial(await web({}));
    socket.write('POST / HTTP/1.1\r\nHost: x\r\n');
    const drip = setInterval(() => socket.write('X-A: b\r\n'), 20);
    await closed;
    clearInterval(drip);
    expect(heard()).toMatch(/^HTTP\/1.1 408/);
  });

  it('that never end their body are let go', async () => {
    const { socket, heard, closed } = await dial(await web({ headersTimeout: 100 }));
    socket.write('POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 1000\r\n\r\n');
    const drip = setInterval(() => socket.write('x'), 20);
    await closed;
    clearInterval(drip);
    expect(heard()).toMatch(/^HTTP\/1.1 408/);
  });

  it('that say nothing are let go', async () => {
    const { closed } = await dial(await web({}));
    await closed;
  });

  it('R36 are kept for the next request as long as SDKs wait between two', async () => {
    const system = await collector();
    const { socket, heard } = await dial(Number(new URL(system.otlpHttp).port));
    socket.write('GET /v1/logs HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n');
    await vi.waitFor(() => expect(heard()).toMatch(/Keep-Alive: timeout=75/i));
  });
});

describe('F27 what proxies and smugglers send', () => {
  const body = 'POST /v1/logs HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: application/json\r\n';
  it.each([
    ['two lengths', `${body}Content-Length: 2\r\nContent-Length: 3\r\n\r\n{}`],
    ['a length and chunks', `${body}Content-Length: 2\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n`],
    ['a blank before the colon', `${body}Content-Length : 2\r\n\r\n{}`],
    ['a folded header', `${body}X-A: b\r\n c\r\nContent-Length: 2\r\n\r\n{}`],
    ['a bare line feed', `POST /v1/logs HTTP/1.1\nHost: x\n\n`],
    ['a NUL', `${body}X-A: \0\r\nContent-Length: 2\r\n\r\n{}`],
    ['headers without end', `${body}X-A: ${'a'.repeat(20_000)}\r\n\r\n`],
  ])('%s is refused and the connection closed', async (_, text) => {
    const system = await collector();
    const { socket, heard, closed } = await dial(Number(new URL(system.otlpHttp).port));
    socket.write(text);
    await closed;
    expect(heard()).toMatch(/^HTTP\/1.1 4(00|31)/);
    expect(heard().match(/HTTP\/1.1/g)).toHaveLength(1);
  });

  it('requests in a row, chunks, an absolute target and Expect are understood', async () => {
    const system = await collector();
    const { socket, heard } = await dial(Number(new URL(system.otlpHttp).port));
    const one = `${body}Content-Length: 2\r\n\r\n{}`;
    const chunked = `${body}Transfer-Encoding: chunked\r\n\r\n1\r\n{\r\n1\r\n}\r\n0\r\n\r\n`;
    const absolute = one.replace('/v1/logs', 'http://127.0.0.1/v1/logs');
    const expecting = `${body}Expect: 100-continue\r\nContent-Length: 2\r\n\r\n{}`;
    socket.write(one + chunked + absolute + expecting);
    await vi.waitFor(() => expect(heard().match(/HTTP\/1.1 200/g)).toHaveLength(4));
    expect(heard()).toContain('HTTP/1.1 100 Continue');
  });
});

describe('the protocol of the other port', () => {
  const SPEAKING: [port: string, speak: (system: TestCollector) => Promise<unknown>][] = [
    ['grpc', (system) => fetch(`http://${system.otlpGrpc}/v1/logs`).catch(() => {})],
    [
      'http',
      (system) => {
        const session = connectHttp2(system.otlpHttp).on('error', () => {});
        return new Promise((resolve) => session.once('close', resolve));
      },
    ],
  ];
  it.each(SPEAKING)('at the port of OTLP over %s is counted, which `doctor` tells of', async (port, speak) => {
    const system = await collector();
    await speak(system);
    const counted = new RegExp(`receiver_wrong_protocol_total\\{port="${port}"\\} 1`);
    await vi.waitFor(async () => expect(await system.meter.registry.metrics()).toMatch(counted), 5000);
    expect((await send(system)).status).toBe(200);
  });
});

describe('F24 floods over HTTP/2', () => {
  /** Whether the server ended it, and with which code. */
  function session(address: string): { session: ClientHttp2Session; ended: Promise<number | null> } {
    const patient = { maxOutstandingPings: 1000, maxOutstandingSettings: 1000 } as object;
    const session = connectHttp2(`http://${address}`, patient);
    cleanups.push(() => session.destroy());
    let code: number | null = null;
    session.on('goaway', (goaway: number) => {
      code = goaway;
    });
    session.on('error', () => {});
    return { session, ended: new Promise((resolve) => session.once('close', () => resolve(code))) };
  }

  it('of streams that are reset at once end the connection (CVE-2023-44487); others go on', async () => {
    const system = await collector();
    const { session: attack, ended } = session(system.otlpGrpc);
    await once(attack, 'connect');
    const flood = () => {
      for (let i = 0; i < 50 && !attack.destroyed && !attack.closed; i++) {
        const stream = attack.request({ ':method': 'POST', ':path': '/x' });
        stream.on('error', () => {});
        stream.close(constants.NGHTTP2_CANCEL);
      }
      if (!attack.destroyed) setImmediate(flood);
    };
    flood();
    expect(await ended).not.toBeNull();
    expect((await send(system)).status).toBe(200);
  }, 20_000);

  it.each([
    ['pings', (attack: ClientHttp2Session) => attack.ping(() => {})],
    ['settings', (attack: ClientHttp2Session) => attack.settings({ enablePush: false })],
  ])('of %s are told to be calm', async (_, bother) => {
    const system = await collector();
    const { session: attack, ended } = session(system.otlpGrpc);
    await once(attack, 'connect');
    const flood = () => {
      if (attack.destroyed || attack.closed) return;
      try {
        for (let i = 0; i < 5; i++) bother(attack);
      } catch {
        // As many are out as a client may have.
      }
      setTimeout(flood, 1);
    };
    flood();
    expect(await ended).toBe(constants.NGHTTP2_ENHANCE_YOUR_CALM);
  });

  it('connections that never say what they are are let go', async () => {
    const server = new Server();
    const injector = server.createConnectionInjector(ServerCredentials.createInsecure());
    expect(guardSessions(server, { silentMs: 100 })).toBe(true);
    const { createServer } = await import('node:net');
    const listener = createServer((socket) => injector.injectConnection(socket)).listen(0, '127.0.0.1');
    cleanups.push(() => listener.close());
    await once(listener, 'listening');
    const { closed } = await dial((listener.address() as { port: number }).port);
    await closed;
  });
});

const send = (system: TestCollector, bytes: Uint8Array = requestProtobuf('log')) =>
  fetch(`${system.otlpHttp}/v1/logs`, {
    method: 'POST',
    headers: { 'content-type': 'application/x-protobuf' },
    body: bytes as Uint8Array<ArrayBuffer>,
  });

describe('limits of a tenant', () => {
  it('F28 over its records a second it is told when to come again, and let in then', async () => {
    const system = await collector({ 'tenant-records-per-second': '1' });
    const first = await Promise.all(Array.from({ length: 3 }, () => send(system)));
    expect(first.map(({ status }) => status)).toEqual([200, 200, 200]);
    const refused = await send(system);
    expect(refused.status).toBe(429);
    const seconds = Number(refused.headers.get('retry-after'));
    expect(seconds).toBeGreaterThanOrEqual(1);
    expect(seconds).toBeLessThanOrEqual(5);
    await new Promise((resolve) => setTimeout(resolve, seconds * 1000));
    expect((await send(system)).status).toBe(200);
  });

  it('over its questions a second it is told so, and probes are not', async () => {
    const system = await collector({ 'requests-per-second': '2' });
    const ask = (path: string) => fetch(system.http + path);
    const answers = await Promise.all(Array.from({ length: 12 }, () => ask('/api/debug/sessions')));
    const refused = answers.find(({ status }) => status === 429);
    expect(refused?.headers.get('retry-after')).toMatch(/^[1-5]$/);
    expect((await ask('/healthz')).status).toBe(200);
    expect((await ask('/metrics')).status).toBe(200);
  });
});
