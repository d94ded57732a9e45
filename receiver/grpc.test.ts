import { once } from 'node:events';
import { connect, createServer } from 'node:http2';
import type { AddressInfo } from 'node:net';
import { Client, credentials, Metadata, Server, ServerCredentials, status } from '@grpc/grpc-js';
import { afterEach, describe, expect, it } from 'vitest';
import { DebugError } from '../base/errors.ts';
import type { GrpcServer } from '../base/grpc-server.ts';
import type { Exporter } from './export.ts';
import { createGrpcReceiver, type GrpcReceiverOptions, widenWindows } from './grpc.ts';

const METHOD = '/opentelemetry.proto.collector.logs.v1.LogsService/Export';
const running: { stop(): Promise<void> }[] = [];
afterEach(async () => {
  for (const each of running.splice(0).reverse()) await each.stop();
});

const accepts: Exporter = async () => ({ rejected: 0, message: '' });

function receiverOf(exporter: Exporter, more: Partial<GrpcReceiverOptions> = {}): GrpcServer {
  const receiver = createGrpcReceiver({
    host: '127.0.0.1',
    port: 0,
    export: exporter,
    requestBytesMax: 1 << 20,
    ...more,
  });
  running.push(receiver);
  return receiver;
}

async function start(exporter: Exporter, more: Partial<GrpcReceiverOptions> = {}): Promise<[GrpcServer, Client]> {
  const receiver = receiverOf(exporter, more);
  await receiver.start();
  const { host, port } = receiver.address()!;
  const client = new Client(host.includes(':') ? `[${host}]:${port}` : `${host}:${port}`, credentials.createInsecure());
  running.push({ stop: async () => client.close() });
  return [receiver, client];
}

/** The status code of the call. */
function call(client: Client): Promise<number> {
  const bytes = (value: Buffer) => value;
  return new Promise((resolve) =>
    client.makeUnaryRequest(METHOD, bytes, bytes, Buffer.from('x'), new Metadata(), {}, (error) =>
      resolve(error?.code ?? 0),
    ),
  );
}

describe('the gRPC receiver', () => {
  it('fails to start on a port that is taken, and names the setting', async () => {
    const other = createServer().listen(0, '127.0.0.1');
    await once(other, 'listening');
    const { port } = other.address() as AddressInfo;
    await expect(receiverOf(accepts, { port }).start()).rejects.toThrow(/port is taken.*DEBUG_OTLP_GRPC_PORT/);
    other.close();
  });

  it('answers INTERNAL when the export fails by our mistake, and lives on', async () => {
    let fail = true;
    const [, client] = await start(async (request) => {
      if (fail) throw new TypeError('undefined is not a function');
      return accepts(request);
    });
    expect(await call(client)).toBe(status.INTERNAL);
    fail = false;
    expect(await call(client)).toBe(status.OK);
  });

  it('survives a message that no header can carry', async () => {
    const [, client] = await start(() =>
      Promise.reject(new DebugError('MALFORMED', 'a lone \ud800, a line\r\nbreak, ü')),
    );
    expect(await call(client)).toBe(status.INVALID_ARGUMENT);
  });

  it('hands over the bytes of the request, and what was said of whose they are', async () => {
    let seen: unknown;
    const [, client] = await start(async ({ read, ...request }) => {
      const body = await read({ requestBytesMax: 0, hold: () => {}, count: () => {}, leave: () => {} });
      seen = { ...request, body: Buffer.from(body).toString() };
      return { rejected: 0, message: '' };
    });
    await call(client);
    expect(seen).toEqual({
      signal: 'log',
      transport: 'grpc',
      encoding: 'protobuf',
      authorization: undefined,
      body: 'x',
    });
  });

  it('R37 gives up on what does not end by its deadline', async () => {
    const underWay = Promise.withResolvers<void>();
    const [receiver, client] = await start(
      () => {
        underWay.resolve();
        return new Promise(() => {});
      },
      { stopMs: 100 },
    );
    const answered = call(client);
    await underWay.promise;
    await receiver.stop();
    expect(await answered).toBeOneOf([status.UNAVAILABLE, status.CANCELLED]);
  });

  it('can be stopped twice, and without having been started', async () => {
    await receiverOf(accepts).stop();
    const [receiver] = await start(accepts);
    await Promise.all([receiver.stop(), receiver.stop()]);
  });
});

describe('widenWindows', () => {
  it('widens those of a stream and of the connection', async () => {
    const [receiver] = await start(accepts);
    const session = connect(`http://127.0.0.1:${receiver.address()!.port}`);
    running.push({ stop: async () => session.destroy() });
    while (session.remoteSettings?.initialWindowSize !== 1 << 20) await once(session, 'remoteSettings');
    await new Promise((resolve) => session.ping(resolve)); // the window update comes before the answer
    expect(session.state.remoteWindowSize).toBe(4 << 20);
  });

  it('says so, and costs only speed, where grpc-js has changed inside', () => {
    const server = new Server();
    server.createConnectionInjector(ServerCredentials.createInsecure());
    expect(widenWindows(server)).toBe(true);
    Object.defineProperty(server, 'http2Servers', { value: undefined });
    expect(widenWindows(server)).toBe(false);
  });
});
