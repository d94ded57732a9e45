/** The rules of OTLP over gRPC, by their numbers in the checklist of OTLP.md. */
import { once } from 'node:events';
import { type ClientHttp2Session, connect } from 'node:http2';
import { gzipSync } from 'node:zlib';
import { create, createFileRegistry, fromBinary } from '@bufbuild/protobuf';
import { BinaryReader, WireType } from '@bufbuild/protobuf/wire';
import {
  anyUnpack,
  type FileDescriptorProto,
  FileDescriptorProtoSchema,
  FileDescriptorSetSchema,
} from '@bufbuild/protobuf/wkt';
import {
  Client,
  status as codes,
  compressionAlgorithms,
  credentials,
  Metadata,
  type ServiceError,
} from '@grpc/grpc-js';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { SIGNALS, type Signal } from '../../model/block.ts';
import { BadRequestSchema, RetryInfoSchema } from '../../proto/gen/google/rpc/error_details_pb.js';
import { StatusSchema } from '../../proto/gen/google/rpc/status_pb.js';
import { ExportTraceServiceResponseSchema } from '../../proto/gen/opentelemetry/proto/collector/trace/v1/trace_service_pb.js';
import { goodSpan, requestProtobuf, spansProtobuf } from '../support/otlp-requests.ts';
import { startReceiver, type TestReceiver, type TestReceiverOptions } from '../support/receiver.ts';

const METHODS = {
  span: '/opentelemetry.proto.collector.trace.v1.TraceService/Export',
  metric: '/opentelemetry.proto.collector.metrics.v1.MetricsService/Export',
  log: '/opentelemetry.proto.collector.logs.v1.LogsService/Export',
} as const satisfies Record<Signal, string>;

let shared: TestReceiver;
let client: Client;
const own: { stop(): Promise<void> }[] = [];

beforeAll(async () => {
  shared = await startReceiver();
  client = clientOf(shared);
});
afterAll(async () => {
  client.close();
  await shared.stop();
});
afterEach(async () => {
  for (const each of own.splice(0).reverse()) await each.stop();
  await shared.journalled();
});

function clientOf(receiver: TestReceiver, options = {}): Client {
  return new Client(receiver.grpc, credentials.createInsecure(), { 'grpc.max_send_message_length': -1, ...options });
}

async function ownReceiver(options: TestReceiverOptions = {}): Promise<{ receiver: TestReceiver; client: Client }> {
  const receiver = await startReceiver(options);
  const client = clientOf(receiver);
  own.push(receiver, { stop: async () => client.close() });
  return { receiver, client };
}

function call(method: string, body: Uint8Array, by = client): Promise<Uint8Array> {
  const bytes = (value: Uint8Array) => Buffer.from(value);
  return new Promise((resolve, reject) =>
    by.makeUnaryRequest(
      method,
      bytes,
      bytes,
      body,
      new Metadata(),
      { deadline: Date.now() + 20_000 },
      (error, value) => (error ? reject(error) : resolve(value!)),
    ),
  );
}

const failureOf = async (answer: Promise<unknown>): Promise<ServiceError> =>
  answer.then(
    () => expect.fail('the call succeeded'),
    (error) => error,
  );

function detailsOf({ metadata }: ServiceError) {
  const [whole] = metadata.get('grpc-status-details-bin');
  const [retry] = metadata.get('google.rpc.retryinfo-bin');
  return {
    status: whole === undefined ? undefined : fromBinary(StatusSchema, whole as Buffer),
    retryInfo: retry === undefined ? undefined : fromBinary(RetryInfoSchema, retry as Buffer),
  };
}

const bodiesOf = async (receiver = shared): Promise<string[]> =>
  (await receiver.journalled()).map(({ body }) => Buffer.from(body).toString('hex'));

describe('R2 R10 the three services', () => {
  it.each(SIGNALS)('%s', async (signal) => {
    const body = requestProtobuf(signal);
    expect(await call(METHODS[signal], body)).toHaveLength(0);
    const [entry] = await shared.journalled();
    expect(entry).toMatchObject({ signal, tenant: 'default', index: { accepted: 1, rejected: 0 } });
    expect(Buffer.compare(entry!.body, body)).toBe(0);
  });

  it('knows no other method', async () => {
    const error = await failureOf(
      call('/opentelemetry.proto.collector.trace.v1.TraceService/Import', new Uint8Array(0)),
    );
    expect(error.code).toBe(codes.UNIMPLEMENTED);
  });
});

describe('R1 compression', () => {
  it.each(['gzip', 'deflate', 'identity'] as const)('%s', async (name) => {
    const { receiver } = await ownReceiver();
    const compressed = clientOf(receiver, { 'grpc.default_compression_algorithm': compressionAlgorithms[name] });
    own.push({ stop: async () => compressed.close() });
    const body = spansProtobuf(...Array.from({ length: 100 }, (_, i) => goodSpan(`span ${i}`)));
    await call(METHODS.span, body, compressed);
    expect(await bodiesOf(receiver)).toEqual([Buffer.from(body).toString('hex')]);
  });

  it('refuses zstd, which grpc-js cannot read, as unimplemented', async () => {
    expect(await raw(shared, METHODS.span, framed(Buffer.from('xx'), true), { 'grpc-encoding': 'zstd' })).toMatchObject(
      {
        'grpc-status': '12',
      },
    );
  });

  it('refuses corrupt gzip and goes on', async () => {
    const answer = await raw(shared, METHODS.span, framed(Buffer.from('not gzip'), true), { 'grpc-encoding': 'gzip' });
    expect(answer['grpc-status']).toBe('13');
    await call(METHODS.span, requestProtobuf('span'));
  });
});

describe('R8 limits', () => {
  const requestBytesMax = 100_000;
  const named = (bytes: number) => spansProtobuf(goodSpan('x'.repeat(bytes)));

  it('takes large messages, over the 4 MiB that grpc-js takes by itself', async () => {
    const body = named(20 << 20);
    await call(METHODS.span, body);
    expect((await shared.journalled())[0]!.body.length).toBe(body.length);
  });

  it('refuses a larger one for good: RESOURCE_EXHAUSTED without RetryInfo', async () => {
    const { receiver, client } = await ownReceiver({ requestBytesMax });
    const error = await failureOf(call(METHODS.span, named(requestBytesMax), client));
    expect(error.code).toBe(codes.RESOURCE_EXHAUSTED);
    expect(detailsOf(error)).toEqual({ status: undefined, retryInfo: undefined });
    await call(METHODS.span, named(50_000), client);
    expect(await bodiesOf(receiver)).toHaveLength(1);
  });

  it('F17 counts what comes out of gzip', async () => {
    const { receiver } = await ownReceiver({ requestBytesMax });
    const bomb = framed(gzipSync(Buffer.alloc(64 << 20)), true);
    expect(bomb.length).toBeLessThan(requestBytesMax);
    const answer = await raw(receiver, METHODS.span, bomb, { 'grpc-encoding': 'gzip' });
    expect(answer['grpc-status']).toBe('8');
    expect(answer['grpc-status-details-bin']).toBeUndefined();
  });

  it('refuses a length prefix alone, without waiting for what it announces', async () => {
    const { receiver } = await ownReceiver({ requestBytesMax });
    const prefix = Buffer.from([0, 0x7f, 0xff, 0xff, 0xff]);
    expect(await raw(receiver, METHODS.span, prefix, {}, false)).toMatchObject({ 'grpc-status': '8' });
  });
});

describe('R11 empty requests', () => {
  it.each(SIGNALS)('%s succeeds and costs the journal nothing', async (signal) => {
    expect(await call(METHODS[signal], new Uint8Array(0))).toHaveLength(0);
    expect(await call(METHODS[signal], Buffer.from([0x0a, 0x00]))).toHaveLength(0);
    expect(await bodiesOf()).toEqual([]);
  });
});

describe('R12 partial success', () => {
  it('counts the spans whose ids are none, and keeps the others', async () => {
    const body = spansProtobuf(goodSpan(), { ...goodSpan(), traceId: new Uint8Array(0) });
    const { partialSuccess } = fromBinary(ExportTraceServiceResponseSchema, await call(METHODS.span, body));
    expect(partialSuccess).toMatchObject({ rejectedSpans: 1n, errorMessage: expect.stringMatching(/trace_id/) });
    expect((await shared.journalled())[0]!.index).toMatchObject({ accepted: 1, rejected: 1 });
  });
});

describe('R16 bad data', () => {
  it('is INVALID_ARGUMENT with a BadRequest, and nothing to retry', async () => {
    const error = await failureOf(call(METHODS.log, Buffer.from('not protobuf')));
    expect(error.code).toBe(codes.INVALID_ARGUMENT);
    const { status, retryInfo } = detailsOf(error);
    expect(retryInfo).toBeUndefined();
    expect(status).toMatchObject({ code: 3, message: error.details });
    expect(anyUnpack(status!.details[0]!, BadRequestSchema)!.fieldViolations).toHaveLength(1);
  });
});

describe('R14 R18 R21 trouble of ours', () => {
  it('is UNAVAILABLE with both retry hints when the journal is full', async () => {
    const { client } = await ownReceiver({ journalBytesMax: 300 });
    let error: ServiceError | undefined;
    while (error === undefined) {
      error = await call(METHODS.span, requestProtobuf('span'), client).then(
        () => undefined,
        (error) => error,
      );
    }
    expect(error.code).toBe(codes.UNAVAILABLE);
    const { status, retryInfo } = detailsOf(error);
    const seconds = Number(retryInfo!.retryDelay!.seconds);
    expect(seconds).toBeGreaterThanOrEqual(1);
    expect(seconds).toBeLessThanOrEqual(5);
    expect(anyUnpack(status!.details[0]!, RetryInfoSchema)!.retryDelay!.seconds).toBe(BigInt(seconds));
  });

  it('is RESOURCE_EXHAUSTED with both retry hints when too much is under way', async () => {
    const { client } = await ownReceiver({ inFlightBytesMax: 1000 });
    const error = await failureOf(call(METHODS.span, spansProtobuf(goodSpan('x'.repeat(2000))), client));
    expect(error.code).toBe(codes.RESOURCE_EXHAUSTED);
    const { status, retryInfo } = detailsOf(error);
    expect(retryInfo!.retryDelay!.seconds).toBe(1n);
    expect(anyUnpack(status!.details[0]!, RetryInfoSchema)).toBeDefined();
    await call(METHODS.span, requestProtobuf('span'), client);
  });
});

describe('health and reflection', () => {
  it('is SERVING, whole and for each service, and NOT_SERVING once it stops', async () => {
    const { receiver, client } = await ownReceiver();
    const check = (service: string) => {
      const name = Buffer.from(service);
      return call('/grpc.health.v1.Health/Check', Buffer.concat([Buffer.from([0x0a, name.length]), name]), client);
    };
    const services = ['', ...Object.values(METHODS).map((path) => path.split('/')[1]!)];
    for (const service of services) expect([...(await check(service))]).toEqual([0x08, 1]);
    await receiver.stopTransports();
    expect((await failureOf(check(''))).code).toBe(codes.UNAVAILABLE);
  });

  it('lists the services and hands out descriptors that another tool can read', async () => {
    const stream = client.makeBidiStreamRequest(
      '/grpc.reflection.v1.ServerReflection/ServerReflectionInfo',
      (value: Buffer) => value,
      (value) => value,
    );
    const symbol = Buffer.from('opentelemetry.proto.collector.trace.v1.TraceService');
    stream.write(Buffer.from([0x3a, 1, 0x2a])); // list_services: "*"
    const [list] = (await once(stream, 'data')) as [Buffer];
    for (const path of Object.values(METHODS)) expect(list.includes(path.split('/')[1]!)).toBe(true);
    stream.write(Buffer.concat([Buffer.from([0x22, symbol.length]), symbol])); // file_containing_symbol
    const [files] = (await once(stream, 'data')) as [Buffer];
    stream.end();
    const registry = createFileRegistry(create(FileDescriptorSetSchema, { file: dependenciesFirst(filesIn(files)) }));
    const span = registry.getMessage('opentelemetry.proto.trace.v1.Span')!;
    expect(span.fields.map(({ name }) => name)).toContain('trace_id');
    expect(registry.getService(symbol.toString())!.method.export!.output.typeName).toMatch(
      /ExportTraceServiceResponse$/,
    );
  });
});

describe('R32 connections', () => {
  it('serves many calls at once on one connection, and widens its windows', async () => {
    const session = await sessionTo(shared);
    expect(session.remoteSettings).toMatchObject({ initialWindowSize: 1 << 20, maxConcurrentStreams: 100 });
    session.close();
    const body = spansProtobuf(...Array.from({ length: 200 }, (_, i) => goodSpan(`span ${i}`)));
    await Promise.all(Array.from({ length: 64 }, () => call(METHODS.span, body)));
    expect(await bodiesOf()).toHaveLength(64);
  });
});

describe('R37 stop', () => {
  it('finishes the call that is under way and takes no new connection', async () => {
    const { receiver } = await ownReceiver();
    const session = await sessionTo(receiver);
    const body = framed(requestProtobuf('span'));
    const stream = session.request({
      ':method': 'POST',
      ':path': METHODS.span,
      'content-type': 'application/grpc',
      te: 'trailers',
    });
    stream.write(body.subarray(0, 20));
    await new Promise((resolve) => session.ping(resolve)); // the server has seen what came before
    const goaway = once(session, 'goaway');
    const stopped = receiver.stopTransports();
    await goaway;
    stream.end(body.subarray(20));
    const [trailers] = await once(stream.resume(), 'trailers');
    expect(trailers['grpc-status']).toBe('0');
    await stopped;
    expect(await bodiesOf(receiver)).toHaveLength(1);
    await expect(sessionTo(receiver)).rejects.toThrow();
  });
});

/** ServerReflectionResponse.file_descriptor_response.file_descriptor_proto */
function filesIn(response: Uint8Array): FileDescriptorProto[] {
  const files: FileDescriptorProto[] = [];
  for (const [field, bytes] of messagesIn(response)) {
    if (field !== 4) continue;
    for (const [, file] of messagesIn(bytes)) files.push(fromBinary(FileDescriptorProtoSchema, file));
  }
  return files;
}

function dependenciesFirst(files: readonly FileDescriptorProto[]): FileDescriptorProto[] {
  const ordered = new Set<FileDescriptorProto>();
  const add = (file: FileDescriptorProto) => {
    for (const name of file.dependency) add(files.find((file) => file.name === name)!);
    ordered.add(file);
  };
  files.forEach(add);
  return [...ordered];
}

function* messagesIn(bytes: Uint8Array): Generator<[field: number, bytes: Uint8Array]> {
  const reader = new BinaryReader(bytes);
  while (reader.pos < reader.len) {
    const [field, type] = reader.tag();
    if (type === WireType.LengthDelimited) yield [field, reader.bytes()];
    else reader.skip(type, field);
  }
}

/** A gRPC message with its prefix. */
function framed(message: Uint8Array, compressed = false): Buffer {
  const prefix = Buffer.alloc(5);
  prefix.writeUInt8(compressed ? 1 : 0);
  prefix.writeUInt32BE(message.length, 1);
  return Buffer.concat([prefix, message]);
}

async function sessionTo(receiver: TestReceiver): Promise<ClientHttp2Session> {
  const session = connect(`http://${receiver.grpc}`);
  own.push({ stop: async () => session.destroy() });
  await once(session, 'connect');
  // The first settings come with the connection, the widened ones right behind.
  while (session.remoteSettings.initialWindowSize === 65_535) await once(session, 'remoteSettings');
  return session;
}

/** Sends bytes that no client would, and returns the trailers. */
async function raw(
  receiver: TestReceiver,
  path: string,
  bytes: Uint8Array,
  headers: Record<string, string>,
  end = true,
): Promise<Record<string, unknown>> {
  const session = await sessionTo(receiver);
  const stream = session.request({
    ':method': 'POST',
    ':path': path,
    'content-type': 'application/grpc',
    te: 'trailers',
    ...headers,
  });
  stream.on('error', () => {});
  stream.write(bytes);
  if (end) stream.end();
  const [answer] = await once(stream, 'response');
  // A failure before any answer comes as headers alone.
  const [trailers] = 'grpc-status' in answer ? [answer] : await once(stream, 'trailers');
  session.destroy();
  return trailers;
}
