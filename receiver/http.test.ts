import { once } from 'node:events';
import { createServer, request } from 'node:http';
import { type AddressInfo, connect } from 'node:net';
import { afterEach, describe, expect, it } from 'vitest';
import { systemClock } from '../base/clock.ts';
import { DebugError } from '../base/errors.ts';
import { createMeter } from '../base/meter.ts';
import { createAdmission } from './admission.ts';
import type { Exporter } from './export.ts';
import { createHttpReceiver, type HttpReceiver, type HttpReceiverOptions } from './http.ts';

const running: HttpReceiver[] = [];
afterEach(async () => {
  for (const receiver of running.splice(0)) await receiver.stop();
});

const ticket = () =>
  createAdmission({
    requestBytesMax: 1 << 20,
    inFlightBytesMax: 1 << 20,
    clock: systemClock(),
    meter: createMeter(),
  }).enter('default');
const reads: Exporter = async (request) => {
  await request.read(ticket());
  return { rejected: 0, message: '' };
};

async function start(exporter: Exporter, more: Partial<HttpReceiverOptions> = {}): Promise<string> {
  const receiver = createHttpReceiver({ host: '127.0.0.1', port: 0, export: exporter, ...more });
  running.push(receiver);
  await receiver.start();
  return `http://127.0.0.1:${receiver.address()!.port}/v1/logs`;
}

function post(url: string, body: string): Promise<Response> {
  return fetch(url, { method: 'POST', headers: { 'content-type': 'application/json' }, body });
}

describe('the HTTP receiver', () => {
  it('fails to start on a port that is taken, and names the setting', async () => {
    const other = createServer().listen(0, '127.0.0.1');
    await once(other, 'listening');
    const { port } = other.address() as AddressInfo;
    const receiver = createHttpReceiver({ host: '127.0.0.1', port, export: reads });
    await expect(receiver.start()).rejects.toThrow(/port is taken.*DEBUG_OTLP_HTTP_PORT/);
    await receiver.stop();
    other.close();
  });

  it('names the host where that is what is wrong', async () => {
    const receiver = createHttpReceiver({ host: 'no.such.host.invalid', port: 0, export: reads });
    await expect(receiver.start()).rejects.toThrow(/DEBUG_HOST/);
  });

  it('answers 500, without a hint of why, when the export fails by our mistake, and lives on', async () => {
    let fail = true;
    const url = await start(async (request) => {
      if (fail) throw new TypeError('undefined is not a function');
      return reads(request);
    });
    const response = await post(url, '{}');
    expect(response.status).toBe(500);
    expect(await response.json()).toEqual({ code: 13, message: 'internal error' });
    fail = false;
    expect((await post(url, '{}')).status).toBe(200);
  });

  it.each([
    ['UNAUTHENTICATED', 401, 'Bearer'],
    ['FORBIDDEN', 403, null],
  ] as const)('R22 answers %s with %i', async (code, status, challenge) => {
    const url = await start(() => Promise.reject(new DebugError(code, 'who are you')));
    const response = await post(url, '{}');
    expect(response.status).toBe(status);
    expect(response.headers.get('www-authenticate')).toBe(challenge);
    expect(await response.json()).toMatchObject({ message: 'who are you' });
  });

  it('answers before the body is read, and keeps the connection, when it refuses at the door', async () => {
    const url = await start(() => Promise.reject(new DebugError('THROTTLED', 'slower')));
    for (let i = 0; i < 3; i++) {
      const response = await post(url, 'x'.repeat(4 << 20));
      expect(response.status).toBe(429);
      expect(response.headers.get('connection')).not.toBe('close');
      await response.arrayBuffer();
    }
  });

  it('R36 waits for slow senders no longer than a minute, and for the next request longer than an SDK does', async () => {
    const url = await start(reads);
    const response = await post(url, '{}');
    expect(response.headers.get('keep-alive')).toBe('timeout=75');
  });

  it('R37 gives up on what does not end by its deadline', async () => {
    const underWay = Promise.withResolvers<void>();
    const exporter: Exporter = (request) => {
      underWay.resolve();
      return reads(request);
    };
    const url = await start(exporter, { stopMs: 100 });
    const stuck = request(url, { method: 'POST', headers: { 'content-type': 'application/json' } });
    stuck.flushHeaders();
    const failed = once(stuck, 'error');
    await underWay.promise;
    await running[0]!.stop();
    expect((await failed)[0]).toMatchObject({ code: 'ECONNRESET' });
  });

  it('R37 refuses, retryable, a request whose headers end after the stop began', async () => {
    const url = await start(reads);
    const socket = connect(Number(new URL(url).port), '127.0.0.1').setEncoding('utf8');
    const head = 'POST /v1/logs HTTP/1.1\r\nhost: x\r\ncontent-type: application/json\r\n';
    const rest = 'content-length: 2\r\n\r\n{}';
    // In one piece: once the first is answered, the beginning of the second has been seen.
    socket.write(head + rest + head);
    expect((await once(socket, 'data'))[0]).toMatch(/^HTTP\/1.1 200/);
    const stopped = running[0]!.stop();
    socket.write(rest);
    let received = '';
    for await (const text of socket) received += text;
    expect(received).toMatch(/^HTTP\/1.1 503/);
    expect(received).toMatch(/^retry-after: 1\r$/im);
    expect(received).toMatch(/^connection: close\r$/im);
    await stopped;
  });

  it('can be stopped twice, and without having been started', async () => {
    await createHttpReceiver({ host: '127.0.0.1', port: 0, export: reads }).stop();
    await start(reads);
    await Promise.all([running[0]!.stop(), running[0]!.stop()]);
  });
});
