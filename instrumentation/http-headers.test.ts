import { once } from 'node:events';
import { createServer, IncomingMessage } from 'node:http';
import { type AddressInfo, connect, Socket } from 'node:net';
import { expect, it } from 'vitest';
import { headerOf } from './http-headers.ts';

const NAMES = ['host', 'user-agent', 'x-forwarded-for', 'traceparent', 'tracestate', 'baggage', 'x-correlation-id'];

it.each([
  [['Host: a.example', 'User-Agent: x', 'traceparent: 00', 'BAGGAGE: a=1', 'X-Correlation-Id: 7', 'tracestat: no']],
  [['host: a.example', 'user-agent: x', 'user-agent: y', 'baggage: a=1', 'Baggage: b=2', 'x-forwarded-for: 1, 2']],
  [['host: a.example', 'x-forwarded-for: 1', 'x-forwarded-for: 2', 'tracestate: a=1', 'tracestate: b=2', 'baggage:']],
])('is what Node makes of %j', async (lines) => {
  const server = createServer((request, response) => {
    const read = NAMES.map((name) => headerOf(request, name));
    const expected = NAMES.map((name) => request.headers[name]);
    response.end(JSON.stringify([read, expected]));
  });
  await once(server.listen(0, '127.0.0.1'), 'listening');
  const socket = connect((server.address() as AddressInfo).port, '127.0.0.1');
  socket.end(`GET / HTTP/1.1\r\n${lines.join('\r\n')}\r\nconnection: close\r\n\r\n`);
  const answer = String(Buffer.concat(await Array.fromAsync(socket)));
  server.close();
  const [read, expected] = JSON.parse(answer.slice(answer.indexOf('\r\n\r\n') + 4));
  expect(read).toEqual(expected);
  expect(read[0]).toBe('a.example');
});

it('is found in a request that has an object of headers only', () => {
  const request = new IncomingMessage(new Socket());
  request.headers = { host: 'a.example' };
  expect(headerOf(request, 'host')).toBe('a.example');
  expect(headerOf(request, 'baggage')).toBeUndefined();
});
