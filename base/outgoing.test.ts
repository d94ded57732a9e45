import { createServer, type RequestListener, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { afterEach, describe, expect, test } from 'vitest';
import { callOut, type OutgoingOptions } from './outgoing.ts';

const servers: Server[] = [];
afterEach(() => {
  for (const server of servers.splice(0)) server.close().closeAllConnections();
});

async function serve(answer: RequestListener): Promise<string> {
  const server = createServer(answer);
  servers.push(server);
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
}

const HERE: OutgoingOptions = { privateAllowed: true };

describe('F36 what is not called', () => {
  test.each([
    'http://127.0.0.1/',
    'http://127.1/',
    'http://2130706433/',
    'http://0x7f.0.0.1/',
    'http://localhost/',
    'http://[::1]/',
    'http://[::ffff:127.0.0.1]/',
    'http://[::ffff:7f00:1]/',
    'http://10.0.0.1/',
    'http://172.31.255.255/',
    'http://192.168.1.1/',
    'http://100.64.0.1/',
    'http://[fd12::1]/',
  ])('%s unless private addresses are allowed', async (address) => {
    await expect(callOut(address)).rejects.toMatchObject({ code: 'INVALID' });
  });

  test.each([
    'http://169.254.169.254/latest/meta-data/',
    'http://[::ffff:169.254.169.254]/',
    'http://[fe80::1]/',
    'http://[fd00:ec2::254]/',
    'http://[64:ff9b::a9fe:a9fe]/',
    'http://0.0.0.0/',
    'http://224.0.0.1/',
    'file:///etc/passwd',
    'gopher://127.0.0.1/',
    'http://user:password@127.0.0.1/',
    'nonsense',
    '',
  ])('%s in no case', async (address) => {
    await expect(callOut(address, HERE)).rejects.toMatchObject({ code: 'INVALID' });
  });
});

test('an answer comes whole, with what was sent', async () => {
  const url = await serve(async (request, response) => {
    const body = Buffer.concat(await request.toArray());
    response.writeHead(201, { 'x-a': 'b' }).end(`${request.method} ${request.headers.authorization} ${body}`);
  });
  const answer = await callOut(url, { ...HERE, method: 'POST', headers: { authorization: 'Bearer x' }, body: 'ü' });
  expect(answer).toMatchObject({ status: 201, headers: { 'x-a': 'b' } });
  expect(String(answer.body)).toBe('POST Bearer x ü');
});

test('F36 a redirect is an answer', async () => {
  const url = await serve((_, response) => response.writeHead(302, { location: 'http://169.254.169.254/' }).end());
  expect((await callOut(url, HERE)).status).toBe(302);
});

test('F36 an answer without end is cut, one that never comes is given up', async () => {
  const endless = await serve((_, response) => {
    const pour = setInterval(() => response.write(Buffer.alloc(1000)), 1);
    response.on('close', () => clearInterval(pour));
  });
  await expect(callOut(endless, { ...HERE, bytesMax: 10_000 })).rejects.toMatchObject({ code: 'TOO_LARGE' });
  const silent = await serve(() => {});
  await expect(callOut(silent, { ...HERE, timeoutMs: 100 })).rejects.toMatchObject({ code: 'UNAVAILABLE' });
  const half = await serve((_, response) => void response.writeHead(200).write('half'));
  await expect(callOut(half, { ...HERE, timeoutMs: 100 })).rejects.toMatchObject({ code: 'UNAVAILABLE' });
});

test('nobody there is said without what was asked', async () => {
  const failure = callOut('http://127.0.0.1:1/?key=secret', HERE);
  await expect(failure).rejects.toMatchObject({ code: 'UNAVAILABLE', message: expect.not.stringContaining('secret') });
});
