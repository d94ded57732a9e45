import { once } from 'node:events';
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { buffer } from 'node:stream/consumers';
import { gunzipSync } from 'node:zlib';
import { afterEach, expect, it } from 'vitest';
import { UnreachableError } from './command.ts';
import { deliver } from './delivery.ts';

let server: Server | undefined;
afterEach(() => server?.close());

it('posts gzipped JSON to the path of the signal', async () => {
  const requests: { url: string; headers: IncomingMessage['headers']; body: string }[] = [];
  const endpoint = await endpointThat(async (request, response) => {
    const body = gunzipSync(await buffer(request)).toString();
    requests.push({ url: request.url!, headers: request.headers, body });
    response.end('{}');
  });
  for (const signal of ['log', 'span', 'metric'] as const) {
    expect(await deliver(signal, `{"${signal}":1}`, 3, options(endpoint))).toEqual({
      rejected: 0,
      reason: '',
      retries: 0,
    });
  }
  expect(requests.map(({ url, body }) => [url, body])).toEqual([
    ['/v1/logs', '{"log":1}'],
    ['/v1/traces', '{"span":1}'],
    ['/v1/metrics', '{"metric":1}'],
  ]);
  expect(requests[0]!.headers).toMatchObject({
    'content-type': 'application/json',
    'content-encoding': 'gzip',
    authorization: 'Bearer t',
  });
});

it('tries again what is retryable, no sooner than the endpoint says', async () => {
  const answers = [429, 502, 503, 504, 200];
  const arrivals: number[] = [];
  const endpoint = await endpointThat((_, response) => {
    arrivals.push(performance.now());
    const status = answers.shift()!;
    response.writeHead(status, status === 429 ? { 'retry-after': '1' } : {}).end('{}');
  });
  expect(await deliver('log', '{}', 1, options(endpoint))).toEqual({ rejected: 0, reason: '', retries: 4 });
  expect(arrivals[1]! - arrivals[0]!).toBeGreaterThanOrEqual(999);
});

it('tries again when the connection breaks before an answer', async () => {
  let attempts = 0;
  const endpoint = await endpointThat((request, response) => {
    if (++attempts === 1) request.socket.destroy();
    else response.end('{}');
  });
  expect(await deliver('log', '{}', 1, options(endpoint))).toEqual({ rejected: 0, reason: '', retries: 1 });
});

it('takes any other refusal as final, in the words of the endpoint', async () => {
  const endpoint = await endpointThat((_, response) =>
    response.writeHead(400).end('{"code":3,"message":"no such field"}'),
  );
  expect(await deliver('log', '{}', 7, options(endpoint))).toEqual({
    rejected: 7,
    reason: 'HTTP 400 no such field',
    retries: 0,
  });
});

it('counts what a partial success left out', async () => {
  const endpoint = await endpointThat((_, response) =>
    response.end('{"partialSuccess":{"rejectedSpans":"2","errorMessage":"bad trace id"}}'),
  );
  expect(await deliver('span', '{}', 7, options(endpoint))).toEqual({
    rejected: 2,
    reason: 'bad trace id',
    retries: 0,
  });
});

it('gives up after a while, saying what the endpoint did', async () => {
  const endpoint = await endpointThat((_, response) => response.writeHead(503).end());
  const failure = deliver('log', '{}', 1, { ...options(endpoint), retryForMs: 300 });
  await expect(failure).rejects.toThrow(`${endpoint} keeps answering HTTP 503`);
  await expect(failure).rejects.toBeInstanceOf(UnreachableError);

  server!.close();
  await expect(deliver('log', '{}', 1, { ...options(endpoint), retryForMs: 300 })).rejects.toThrow(/ECONNREFUSED/);
});

it('stops waiting when it is told to', async () => {
  const abort = new AbortController();
  const endpoint = await endpointThat((_, response) => {
    response.writeHead(503, { 'retry-after': '30' }).end();
    setTimeout(() => abort.abort(new Error('Ctrl-C')), 10);
  });
  const waiting = deliver('log', '{}', 1, { ...options(endpoint), signal: abort.signal });
  await expect(waiting).rejects.toMatchObject({ name: 'AbortError' });
});

function options(endpoint: string) {
  const headers = { authorization: 'Bearer t' };
  return { endpoint, headers, signal: new AbortController().signal, retryForMs: 60_000 };
}

async function endpointThat(handle: (request: IncomingMessage, response: ServerResponse) => void): Promise<string> {
  server = createServer(handle).listen(0, '127.0.0.1');
  await once(server, 'listening');
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
}
