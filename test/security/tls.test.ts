/** R33: TLS and mutual TLS on every port, renewed without a restart. */
import { copyFile, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { request } from 'node:https';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { connect, type PeerCertificate } from 'node:tls';
import { Client, credentials, Metadata } from '@grpc/grpc-js';
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import { createLogger } from '../../base/log.ts';
import { createTls, createWebServer } from '../../base/tls.ts';
import { type Authority, createAuthority } from '../support/certificates.ts';
import { startCollector, type TestCollector } from '../support/collector.ts';
import { requestProtobuf } from '../support/otlp-requests.ts';

let directory: string;
let authority: Authority;
let stranger: Authority;
let server: { certificate: string; key: string };
let client: { certificate: string; key: string };
let impostor: { certificate: string; key: string };

beforeAll(async () => {
  directory = await mkdtemp(join(tmpdir(), 'tls-'));
  [authority, stranger] = await Promise.all([
    createAuthority(directory, 'ours'),
    createAuthority(directory, 'strange'),
  ]);
  [server, client, impostor] = await Promise.all([
    authority.issue('server'),
    authority.issue('client'),
    stranger.issue('impostor'),
  ]);
});
afterAll(() => rm(directory, { recursive: true }));

type Identity = { certificate: string; key: string } | null;

async function identityOf(identity: Identity) {
  const ca = await readFile(authority.certificate);
  if (identity === null) return { ca };
  return { ca, cert: await readFile(identity.certificate), key: await readFile(identity.key) };
}

/** The status, or the code of the failure. */
async function overHttps(
  url: string,
  path: string,
  identity: Identity,
  options: object = {},
): Promise<number | string> {
  const more = { ...(await identityOf(identity)), ...options, agent: false };
  return new Promise((resolve) => {
    const sent = request(url + path, { method: 'GET', ...more }, (response) => {
      response.resume();
      resolve(response.statusCode!);
    });
    sent.on('error', (error: NodeJS.ErrnoException) => resolve(error.code ?? error.message));
    sent.end();
  });
}

async function overGrpc(address: string, identity: Identity): Promise<number> {
  const { ca, cert, key } = { cert: null, key: null, ...(await identityOf(identity)) };
  // TLS knows no server names that are addresses.
  const options = { 'grpc.ssl_target_name_override': 'localhost' };
  const sender = new Client(address, credentials.createSsl(ca, key, cert), options);
  const bytes = (value: Buffer) => value;
  const method = '/opentelemetry.proto.collector.logs.v1.LogsService/Export';
  const deadline = Date.now() + 3000;
  return new Promise((resolve) =>
    sender.makeUnaryRequest(
      method,
      bytes,
      bytes,
      Buffer.from(requestProtobuf('log')),
      new Metadata(),
      { deadline },
      (error) => {
        sender.close();
        resolve(error?.code ?? 0);
      },
    ),
  );
}

describe('R33 TLS', () => {
  let system: TestCollector;
  beforeAll(async () => {
    system = await startCollector({ 'tls-cert': server.certificate, 'tls-key': server.key });
  });
  afterAll(() => system.stop());

  it('is on every port', async () => {
    expect([system.http, system.otlpHttp]).toEqual([
      expect.stringMatching('^https:'),
      expect.stringMatching('^https:'),
    ]);
    expect(await overHttps(system.http, '/healthz', null)).toBe(200);
    expect(await overHttps(system.otlpHttp, '/v1/logs', null)).toBe(405);
    expect(await overGrpc(system.otlpGrpc, null)).toBe(0);
  });

  it('is on every port alone', async () => {
    for (const url of [system.http, system.otlpHttp]) {
      await expect(fetch(url.replace('https', 'http'))).rejects.toThrow();
    }
  });

  it('is 1.2 at least', async () => {
    expect(await overHttps(system.http, '/healthz', null, { maxVersion: 'TLSv1.2' })).toBe(200);
    const old = { minVersion: 'TLSv1', maxVersion: 'TLSv1.1', ciphers: 'DEFAULT@SECLEVEL=0' };
    expect(await overHttps(system.http, '/healthz', null, old)).toMatch(/PROTOCOL|EPROTO|ECONNRESET/);
  });
});

describe('R33 mutual TLS', () => {
  let system: TestCollector;
  beforeAll(async () => {
    system = await startCollector({
      'tls-cert': server.certificate,
      'tls-key': server.key,
      'tls-client-ca': authority.certificate,
    });
  });
  afterAll(() => system.stop());

  it('lets in whom our authority knows', async () => {
    expect(await overHttps(system.http, '/healthz', client)).toBe(200);
    expect(await overHttps(system.otlpHttp, '/v1/logs', client)).toBe(405);
    expect(await overGrpc(system.otlpGrpc, client)).toBe(0);
  });

  it('and nobody else, on any port', async () => {
    for (const identity of [null, impostor]) {
      expect(await overHttps(system.http, '/healthz', identity)).not.toBe(200);
      expect(await overHttps(system.otlpHttp, '/v1/logs', identity)).not.toBe(405);
      expect(await overGrpc(system.otlpGrpc, identity)).not.toBe(0);
    }
  });
});

describe('files', () => {
  it('that are renewed are taken over; what does not fit together is not', async () => {
    const [certificate, key] = [join(directory, 'live.pem'), join(directory, 'live.key')];
    await Promise.all([copyFile(server.certificate, certificate), copyFile(server.key, key)]);
    const tls = createTls({ certificate, key, clientCa: null }, { log: createLogger('silent'), everyMs: 10 });
    const web = createWebServer(tls, undefined, (_, response) => response.end());
    await tls.start();
    await new Promise<void>((resolve) => web.listen(0, '127.0.0.1', resolve));
    const { port } = web.address() as { port: number };
    const served = () =>
      new Promise<string>((resolve) => {
        const socket = connect({ port, host: '127.0.0.1', rejectUnauthorized: false }, () => {
          resolve((socket.getPeerCertificate() as PeerCertificate).subject.CN as string);
          socket.destroy();
        });
      });
    expect(await served()).toBe('server');
    await writeFile(key, 'half of it');
    await new Promise((resolve) => setTimeout(resolve, 50));
    expect(await served()).toBe('server');
    await Promise.all([copyFile(client.certificate, certificate), copyFile(client.key, key)]);
    await vi.waitFor(async () => expect(await served()).toBe('client'));
    web.close();
    await tls.stop();
  });

  it('that cannot be used are an error at start that names the settings', async () => {
    const settings = { 'tls-cert': server.certificate, 'tls-key': client.key };
    await expect(startCollector(settings)).rejects.toThrow(/DEBUG_TLS_CERT/);
    await expect(startCollector({ 'tls-cert': server.certificate })).rejects.toThrow(/DEBUG_TLS_KEY/);
  });
});
