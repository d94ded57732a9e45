import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { gunzipSync } from 'node:zlib';
import { afterEach, expect, it } from 'vitest';
import type { ExportSettings } from './settings.ts';
import { createTransport } from './transport.ts';

const PARCEL = { signal: 'logs', format: 'protobuf', body: Buffer.from('abc') } as const;

let server: Server;
let sockets: Set<unknown>;

afterEach(() => {
  server.closeAllConnections();
  server.close();
});

it('delivers one request after the other over one connection', async () => {
  const send = await transport((_, response) => response.end());
  for (let i = 0; i < 5; i++) expect(await send(PARCEL)).toEqual({ kind: 'delivered' });
  expect(sockets.size).toBe(1);
});

it.each([
  [400, { kind: 'refused', reason: 'HTTP 400 no such thing' }],
  [500, { kind: 'refused', reason: 'HTTP 500 no such thing' }],
  [429, { kind: 'retry', reason: 'HTTP 429 no such thing', afterMs: 3000 }],
  [503, { kind: 'retry', reason: 'HTTP 503 no such thing', afterMs: 3000 }],
])('takes %d as the specification says', async (status, outcome) => {
  const send = await transport((_, response) => {
    response.writeHead(status, { 'retry-after': '3' }).end('no such thing');
  });
  expect(await send(PARCEL)).toEqual(outcome);
});

it('compresses where that is asked for, and says who it is', async () => {
  let got: { text: string; headers: IncomingMessage['headers'] } | undefined;
  const send = await transport(
    async (request, response) => {
      const chunks: Buffer[] = [];
      for await (const chunk of request) chunks.push(chunk);
      got = { text: gunzipSync(Buffer.concat(chunks)).toString(), headers: request.headers };
      response.end();
    },
    { compression: 'gzip', headers: { authorization: 'Bearer x' } },
  );
  await send(PARCEL);
  expect(got).toMatchObject({
    text: 'abc',
    headers: { 'content-encoding': 'gzip', 'content-type': 'application/x-protobuf', authorization: 'Bearer x' },
  });
});

it('is to be tried again when nobody answers in time', async () => {
  const send = await transport(() => {}, { timeoutMs: 50 });
  expect(await send(PARCEL)).toEqual({ kind: 'retry', reason: 'no answer in 50 ms' });
});

async function transport(
  answer: (request: IncomingMessage, response: ServerResponse) => void,
  settings: Partial<ExportSettings> = {},
) {
  sockets = new Set();
  server = createServer((request, response) => {
    sockets.add(request.socket);
    answer(request, response);
  });
  await new Promise<void>((listening) => server.listen(0, '127.0.0.1', listening));
  return createTransport('logs', {
    enabled: true,
    protocol: 'http/protobuf',
    format: 'protobuf',
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}/v1/logs`,
    headers: {},
    compression: 'none',
    timeoutMs: 5000,
    tls: {},
    ...settings,
  });
}
