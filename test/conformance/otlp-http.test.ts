/** The rules of OTLP over HTTP, by their numbers in the checklist of OTLP.md. */
import { once } from 'node:events';
import { request as httpRequest } from 'node:http';
import { connect } from 'node:net';
import { deflateSync, gzipSync, zstdCompressSync } from 'node:zlib';
import { fromBinary } from '@bufbuild/protobuf';
import { anyUnpack } from '@bufbuild/protobuf/wkt';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { SIGNALS, type Signal } from '../../model/block.ts';
import { BadRequestSchema } from '../../proto/gen/google/rpc/error_details_pb.js';
import { StatusSchema } from '../../proto/gen/google/rpc/status_pb.js';
import { ExportTraceServiceResponseSchema } from '../../proto/gen/opentelemetry/proto/collector/trace/v1/trace_service_pb.js';
import {
  goodSpan,
  requestJson,
  requestProtobuf,
  SIGNAL_PATHS,
  SPAN_ID,
  spansProtobuf,
  TRACE_ID,
} from '../support/otlp-requests.ts';
import { startReceiver, type TestReceiver, type TestReceiverOptions } from '../support/receiver.ts';

const PROTOBUF = 'application/x-protobuf';
const JSON_TYPE = 'application/json';

let shared: TestReceiver;
const own: TestReceiver[] = [];

beforeAll(async () => {
  shared = await startReceiver();
});
afterAll(() => shared.stop());
afterEach(async () => {
  for (const receiver of own.splice(0)) await receiver.stop();
  await shared.journalled();
});

/** For tests that need other limits or stop it. */
async function ownReceiver(options: TestReceiverOptions = {}): Promise<TestReceiver> {
  const receiver = await startReceiver(options);
  own.push(receiver);
  return receiver;
}

interface Sent {
  type?: string;
  encoding?: string;
  body?: string | Uint8Array;
  method?: string;
  to?: TestReceiver;
}

interface Answer {
  status: number;
  type: string | null;
  headers: Headers;
  bytes: Uint8Array;
  text: string;
}

async function send(path: string, { type, encoding, body, method = 'POST', to = shared }: Sent = {}): Promise<Answer> {
  const headers = { ...(type && { 'content-type': type }), ...(encoding && { 'content-encoding': encoding }) };
  // A string body would bring a content type of its own.
  const bytes = typeof body === 'string' ? Buffer.from(body) : body;
  const response = await fetch(to.http + path, { method, headers, ...(bytes && { body: new Uint8Array(bytes) }) });
  const answer = new Uint8Array(await response.arrayBuffer());
  const text = Buffer.from(answer).toString();
  return {
    status: response.status,
    type: response.headers.get('content-type'),
    headers: response.headers,
    bytes: answer,
    text,
  };
}

const statusOf = (answer: Answer) =>
  answer.type === PROTOBUF
    ? fromBinary(StatusSchema, answer.bytes)
    : (JSON.parse(answer.text) as { code: number; message: string });

const bodiesOf = async (receiver = shared): Promise<string[]> =>
  (await receiver.journalled()).map(({ body }) => Buffer.from(body).toString('hex'));

describe('R1 compression', () => {
  const compress = { gzip: gzipSync, deflate: deflateSync, zstd: zstdCompressSync };

  it.each(Object.entries(compress))(
    '%s, in either encoding, is the same request as none',
    async (encoding, compressed) => {
      const protobuf = requestProtobuf('span');
      expect(await send('/v1/traces', { type: PROTOBUF, encoding, body: compressed(protobuf) })).toMatchObject({
        status: 200,
      });
      expect(
        await send('/v1/traces', { type: JSON_TYPE, encoding, body: compressed(requestJson('span')) }),
      ).toMatchObject({ status: 200 });
      expect(await send('/v1/traces', { type: PROTOBUF, encoding: 'identity', body: protobuf })).toMatchObject({
        status: 200,
      });
      const hex = Buffer.from(protobuf).toString('hex');
      expect(await bodiesOf()).toEqual([hex, hex, hex]);
    },
  );
});

describe('R3 R4 R10 one port, three paths, two encodings', () => {
  it.each(SIGNALS)('%s', async (signal) => {
    const protobuf = await send(SIGNAL_PATHS[signal], { type: PROTOBUF, body: requestProtobuf(signal) });
    expect(protobuf).toMatchObject({ status: 200, type: PROTOBUF, text: '' });
    const json = await send(SIGNAL_PATHS[signal], { type: JSON_TYPE, body: requestJson(signal) });
    expect(json).toMatchObject({ status: 200, type: JSON_TYPE, text: '{}' });
    const entries = await shared.journalled();
    expect(entries.map(({ signal, tenant }) => [signal, tenant])).toEqual([
      [signal, 'default'],
      [signal, 'default'],
    ]);
    expect(Buffer.compare(entries[0]!.body, entries[1]!.body)).toBe(0);
    expect(entries[0]!.index!.accepted).toBe(1);
  });

  it('takes a query and the whole URL in the request line, as proxies send it', async () => {
    expect(await send('/v1/traces?x=1', { type: PROTOBUF, body: requestProtobuf('span') })).toMatchObject({
      status: 200,
    });
    const { hostname, port } = new URL(shared.http);
    const absolute = httpRequest({
      hostname,
      port,
      path: 'http://collector.example/v1/traces',
      method: 'POST',
      headers: { 'content-type': PROTOBUF },
    });
    absolute.end(requestProtobuf('span'));
    const [response] = await once(absolute, 'response');
    response.resume();
    expect(response.statusCode).toBe(200);
    expect(await bodiesOf()).toHaveLength(2);
  });

  it.each(['/', '/v1', '/v1/traces/', '//v1/traces', '/v1/spans', '/V1/traces'])('has nothing at %s', async (path) => {
    const json = await send(path, { type: JSON_TYPE, body: '{}' });
    expect(json).toMatchObject({ status: 404, type: JSON_TYPE });
    expect(statusOf(json)).toMatchObject({ code: 5 });
    expect(await send(path, { type: PROTOBUF, body: '' })).toMatchObject({ status: 404, type: PROTOBUF });
  });
});

describe('R5 content types', () => {
  it.each([
    ['application/json; charset=utf-8', JSON_TYPE],
    ['Application/JSON', JSON_TYPE],
    ['APPLICATION/X-PROTOBUF', PROTOBUF],
    ['application/x-protobuf;v=1', PROTOBUF],
  ])('%s is answered in %s', async (type, expected) => {
    const body = expected === JSON_TYPE ? requestJson('log') : requestProtobuf('log');
    expect(await send('/v1/logs', { type, body })).toMatchObject({ status: 200, type: expected });
  });
});

describe('R6 method and media type', () => {
  it.each(['GET', 'PUT', 'DELETE', 'PATCH', 'OPTIONS'])('%s is 405 and names POST', async (method) => {
    const answer = await send('/v1/traces', { method });
    expect(answer).toMatchObject({
      status: 405,
      type: 'text/plain',
      text: '405 method not allowed, supported: [POST]',
    });
    expect(answer.headers.get('allow')).toBe('POST');
  });

  it.each([undefined, 'text/plain', 'application/protobuf', 'application/xml', 'x', ';'])('%s is 415', async (type) => {
    expect(await send('/v1/traces', { ...(type && { type }), body: 'x' })).toMatchObject({
      status: 415,
      type: 'text/plain',
      text: '415 unsupported media type, supported: [application/json, application/x-protobuf]',
    });
  });
});

describe('R7 content encodings that cannot be read', () => {
  const cases: [string, string, Uint8Array][] = [
    ['unknown', 'br', requestProtobuf('span')],
    ['nested', 'gzip, gzip', gzipSync(gzipSync(requestProtobuf('span')))],
    ['not gzip', 'gzip', Buffer.from('not gzip')],
    ['torn gzip', 'gzip', gzipSync(requestProtobuf('span')).subarray(0, -12)],
    ['not zlib', 'deflate', Buffer.from('not zlib')],
    ['not zstd', 'zstd', Buffer.from('not zstd')],
    ['torn zstd', 'zstd', zstdCompressSync(requestProtobuf('span')).subarray(0, -5)],
  ];
  it.each(cases)('%s is 400 with a Status in the encoding of the request', async (_, encoding, body) => {
    for (const type of [PROTOBUF, JSON_TYPE]) {
      const answer = await send('/v1/traces', { type, encoding, body });
      expect(answer).toMatchObject({ status: 400, type });
      expect(statusOf(answer).code).toBe(3);
      expect(statusOf(answer).message).toMatch(/encoding|gzip|deflate|zstd/i);
    }
    expect(await bodiesOf()).toEqual([]);
  });

  it('falls back to JSON where there is no content type', async () => {
    const answer = await send('/v1/traces', { encoding: 'br', body: 'x' });
    expect(answer).toMatchObject({ status: 400, type: JSON_TYPE });
  });
});

describe('R8 limits', () => {
  const requestBytesMax = 100_000;
  const padded = (bytes: number) => {
    const empty = spansProtobuf(goodSpan(' '.repeat(20_000))).length - 20_000;
    return spansProtobuf(goodSpan(' '.repeat(bytes - empty)));
  };

  it('takes a request of exactly the limit and refuses the next byte with 413, for good', async () => {
    const to = await ownReceiver({ requestBytesMax });
    expect(padded(requestBytesMax)).toHaveLength(requestBytesMax);
    expect(await send('/v1/traces', { to, type: PROTOBUF, body: padded(requestBytesMax) })).toMatchObject({
      status: 200,
    });
    const answer = await send('/v1/traces', { to, type: PROTOBUF, body: padded(requestBytesMax + 1) });
    expect(answer).toMatchObject({ status: 413, type: PROTOBUF });
    expect(statusOf(answer)).toMatchObject({ code: 8, details: [] });
    expect(answer.headers.get('retry-after')).toBeNull();
    expect(await bodiesOf(to)).toHaveLength(1);
  });

  it.each([
    ['gzip', gzipSync],
    ['deflate', deflateSync],
    ['zstd', zstdCompressSync],
  ] as const)('counts what comes out of %s', async (encoding, compress) => {
    const to = await ownReceiver({ requestBytesMax });
    const exact = compress(padded(requestBytesMax));
    expect(await send('/v1/traces', { to, type: PROTOBUF, encoding, body: exact })).toMatchObject({ status: 200 });
    const over = compress(padded(requestBytesMax + 1));
    expect(over.length).toBeLessThan(2000);
    expect(await send('/v1/traces', { to, type: PROTOBUF, encoding, body: over })).toMatchObject({ status: 413 });
  });

  it('F17 inflates no more of a bomb than the limit', async () => {
    const to = await ownReceiver({ requestBytesMax: 8 << 20 });
    const bomb = gzipSync(Buffer.alloc(256 << 20));
    const before = process.memoryUsage.rss();
    expect(await send('/v1/traces', { to, type: PROTOBUF, encoding: 'gzip', body: bomb })).toMatchObject({
      status: 413,
    });
    expect(process.memoryUsage.rss() - before).toBeLessThan(100 << 20);
    expect(await send('/v1/traces', { to, type: PROTOBUF, body: requestProtobuf('span') })).toMatchObject({
      status: 200,
    });
  });

  it('refuses what announces itself as too large before reading it, and bounds what does not', async () => {
    const to = await ownReceiver({ requestBytesMax });
    const { hostname, port } = new URL(to.http);
    const announced = httpRequest({
      hostname,
      port,
      path: '/v1/logs',
      method: 'POST',
      headers: { 'content-type': PROTOBUF, 'content-length': requestBytesMax + 1 },
    });
    announced.on('error', () => {});
    announced.flushHeaders();
    const [response] = await once(announced, 'response');
    expect(response.statusCode).toBe(413);
    announced.destroy();

    const chunked = httpRequest({
      hostname,
      port,
      path: '/v1/logs',
      method: 'POST',
      headers: { 'content-type': PROTOBUF },
    });
    chunked.on('error', () => {});
    for (let i = 0; i < 20; i++) chunked.write(Buffer.alloc(10_000));
    const [second] = await once(chunked, 'response');
    expect(second.statusCode).toBe(413);
    chunked.destroy();
  });

  it('forgets what a request held, answered or broken off', async () => {
    const to = await ownReceiver({ requestBytesMax, inFlightBytesMax: 100_000 });
    const { hostname, port } = new URL(to.http);
    for (let i = 0; i < 5; i++) {
      const socket = connect(Number(port), hostname);
      socket.write(
        `POST /v1/logs HTTP/1.1\r\nhost: x\r\ncontent-type: ${PROTOBUF}\r\ncontent-length: 90000\r\n\r\n${'x'.repeat(60_000)}`,
      );
      await once(socket, 'connect');
      await metricReaches(to, 'ai_debug_receiver_in_flight_bytes', (bytes) => bytes > 0);
      socket.destroy();
      await metricReaches(to, 'ai_debug_receiver_in_flight_bytes', (bytes) => bytes === 0);
    }
    expect(await send('/v1/traces', { to, type: PROTOBUF, body: padded(90_000) })).toMatchObject({ status: 200 });
  });
});

describe('R9 the answer is bounded', () => {
  it('cuts a long message', async () => {
    const answer = await send(`/v1/${'x'.repeat(10_000)}`, { type: PROTOBUF, body: '' });
    expect(answer.status).toBe(404);
    expect(answer.bytes.length).toBeLessThan(4096);
  });
});

describe('R11 empty requests', () => {
  it.each([
    [PROTOBUF, ''],
    [PROTOBUF, Buffer.from([0x0a, 0x00])], // a resource without a scope
    [PROTOBUF, Buffer.from([0x0a, 0x02, 0x12, 0x00])], // a scope without a record
    [JSON_TYPE, '{}'],
    [JSON_TYPE, '{"resourceSpans":[]}'],
    [JSON_TYPE, '{"resourceSpans":[{"resource":{},"scopeSpans":[{"spans":[]}]}]}'],
  ])('%s %j succeeds and costs the journal nothing', async (type, body) => {
    expect(await send('/v1/traces', { type, body })).toMatchObject({ status: 200 });
    expect(await bodiesOf()).toEqual([]);
  });
});

describe('R12 R23 partial success', () => {
  const bad = { ...goodSpan('bad'), traceId: new Uint8Array(16) };
  const worse = { ...goodSpan('worse'), spanId: new Uint8Array(7) };

  it('counts the spans whose ids are none, and keeps the others', async () => {
    const answer = await send('/v1/traces', { type: PROTOBUF, body: spansProtobuf(bad, goodSpan(), worse) });
    expect(answer).toMatchObject({ status: 200, type: PROTOBUF });
    const { partialSuccess } = fromBinary(ExportTraceServiceResponseSchema, answer.bytes);
    expect(partialSuccess).toMatchObject({
      rejectedSpans: 2n,
      errorMessage: expect.stringMatching(/trace_id|span_id/),
    });
    const [entry] = await shared.journalled();
    expect(entry!.index).toMatchObject({ accepted: 1, rejected: 2 });
  });

  it('says the count as a string in JSON', async () => {
    const body = requestJson('span').replace(SPAN_ID, '0'.repeat(16));
    const answer = await send('/v1/traces', { type: JSON_TYPE, body });
    expect(answer).toMatchObject({ status: 200, type: JSON_TYPE });
    expect(JSON.parse(answer.text)).toEqual({
      partialSuccess: { rejectedSpans: '1', errorMessage: expect.any(String) },
    });
    expect(await bodiesOf()).toEqual([]);
  });

  it.each([TRACE_ID.toUpperCase(), TRACE_ID.replace('b', 'B')])('takes hex ids in any case: %s', async (traceId) => {
    const answer = await send('/v1/traces', { type: JSON_TYPE, body: requestJson('span').replace(TRACE_ID, traceId) });
    expect(answer).toMatchObject({ status: 200, text: '{}' });
    expect(await bodiesOf()).toEqual([Buffer.from(requestProtobuf('span')).toString('hex')]);
  });

  it('keeps a log record whose ids are none', async () => {
    const body = requestJson('log').replace('"timeUnixNano"', '"traceId":"00","timeUnixNano"');
    expect(await send('/v1/logs', { type: JSON_TYPE, body })).toMatchObject({ status: 200, text: '{}' });
    expect(await bodiesOf()).toHaveLength(1);
  });
});

describe('R14 R17 R18 trouble of ours', () => {
  it('refuses whole and retryable when the journal is full, and says when', async () => {
    const to = await ownReceiver({ journalBytesMax: 500 });
    const body = requestProtobuf('span');
    let answer: Answer;
    do answer = await send('/v1/traces', { to, type: PROTOBUF, body });
    while (answer.status === 200);
    expect(answer).toMatchObject({ status: 503, type: PROTOBUF });
    expect(statusOf(answer).code).toBe(14);
    expect(Number(answer.headers.get('retry-after'))).toBeOneOf([1, 2, 3, 4, 5]);

    const entries = await to.journalled();
    await to.journal.release(entries.at(-1)!.position);
    expect(await send('/v1/traces', { to, type: PROTOBUF, body })).toMatchObject({ status: 200 });
  });

  it('refuses with 429 when too much is under way at once', async () => {
    const to = await ownReceiver({ inFlightBytesMax: 1000 });
    const json = await send('/v1/traces', { to, type: JSON_TYPE, body: ' '.repeat(2000) });
    expect(json).toMatchObject({ status: 429, type: JSON_TYPE });
    expect(Number(json.headers.get('retry-after'))).toBeOneOf([1, 2, 3, 4, 5]);
    expect(JSON.parse(json.text)).toMatchObject({
      code: 8,
      details: [{ '@type': 'type.googleapis.com/google.rpc.RetryInfo', retryDelay: '1s' }],
    });
    expect(await send('/v1/traces', { to, type: PROTOBUF, body: requestProtobuf('span') })).toMatchObject({
      status: 200,
    });
  });
});

describe('R15 R16 bad data', () => {
  const malformed: [string, string | Uint8Array][] = [
    [PROTOBUF, 'not protobuf'],
    [PROTOBUF, requestProtobuf('span').subarray(0, -1)],
    [PROTOBUF, Buffer.from([0x0a, 0xff, 0xff, 0xff, 0xff, 0x0f])],
    [JSON_TYPE, ''],
    [JSON_TYPE, '{'],
    [JSON_TYPE, '[]'],
    [JSON_TYPE, '{"resourceSpans":7}'],
    [JSON_TYPE, '{} {}'],
  ];
  it.each(malformed)('%s %j is 400 with a Status and a BadRequest', async (type, body) => {
    const answer = await send('/v1/traces', { type, body });
    expect(answer).toMatchObject({ status: 400, type });
    expect(statusOf(answer)).toMatchObject({ code: 3, message: expect.stringMatching(/./) });
    if (type === PROTOBUF) {
      const { details } = fromBinary(StatusSchema, answer.bytes);
      expect(anyUnpack(details[0]!, BadRequestSchema)!.fieldViolations).toHaveLength(1);
    } else {
      expect(JSON.parse(answer.text).details[0]['@type']).toBe('type.googleapis.com/google.rpc.BadRequest');
    }
    expect(await bodiesOf()).toEqual([]);
  });
});

describe('R25 R26 R27 lenient readers', () => {
  it.each([
    ['an unknown field', (json: string) => json.replace('"name"', '"future":{"deep":[1,{}]},"name"')],
    ['snake case', (json: string) => json.replace('traceId', 'trace_id').replace('resourceSpans', 'resource_spans')],
    ['numbers for 64-bit integers', (json: string) => json.replaceAll(/"(1700000000\d+)"/g, '$1')],
  ])('%s makes the same request', async (_, change) => {
    const body = change(requestJson('span'));
    expect(body).not.toBe(requestJson('span'));
    expect(await send('/v1/traces', { type: JSON_TYPE, body })).toMatchObject({ status: 200, text: '{}' });
    expect(await bodiesOf()).toEqual([Buffer.from(requestProtobuf('span')).toString('hex')]);
  });
});

describe('R32 connections', () => {
  it('serves many requests on one, also after one was refused', async () => {
    const { hostname, port } = new URL(shared.http);
    const socket = connect(Number(port), hostname);
    let received = '';
    socket.setEncoding('utf8').on('data', (text) => {
      received += text;
    });
    const head = `POST /v1/logs HTTP/1.1\r\nhost: x\r\ncontent-type: ${JSON_TYPE}\r\n`;
    socket.write(`${head}content-length: 1\r\n\r\n{`);
    socket.write(`${head}content-encoding: br\r\ncontent-length: 5\r\n\r\nxxxxx`);
    socket.write(`GET /v1/logs HTTP/1.1\r\nhost: x\r\ncontent-length: 4\r\n\r\nxxxx`);
    socket.write(`${head}transfer-encoding: chunked\r\n\r\n2\r\n{}\r\n0\r\n\r\n`);
    while (received.match(/HTTP\/1.1 \d+/g)?.length !== 4) await once(socket, 'data');
    socket.destroy();
    expect(received.match(/HTTP\/1.1 \d+/g)).toEqual(['HTTP/1.1 400', 'HTTP/1.1 400', 'HTTP/1.1 405', 'HTTP/1.1 200']);
  });

  it('F27 answers Expect: 100-continue, and refuses a length that is said twice', async () => {
    const { hostname, port } = new URL(shared.http);
    const expecting = httpRequest({
      hostname,
      port,
      path: '/v1/logs',
      method: 'POST',
      headers: { 'content-type': JSON_TYPE, expect: '100-continue' },
    });
    expecting.flushHeaders();
    await once(expecting, 'continue');
    expecting.end('{}');
    const [response] = await once(expecting, 'response');
    response.resume();
    expect(response.statusCode).toBe(200);

    const socket = connect(Number(port), hostname);
    socket.write(`POST /v1/logs HTTP/1.1\r\nhost: x\r\ncontent-length: 2\r\ntransfer-encoding: chunked\r\n\r\n`);
    const [refusal] = await once(socket.setEncoding('utf8'), 'data');
    expect(refusal).toMatch(/^HTTP\/1.1 400/);
    socket.destroy();
  });
});

describe('R34 CORS', () => {
  it('is off', async () => {
    const answer = await send('/v1/traces', { type: JSON_TYPE, body: '{}' });
    expect([...answer.headers.keys()].filter((name) => name.startsWith('access-control'))).toEqual([]);
    expect(await send('/v1/traces', { method: 'OPTIONS' })).toMatchObject({ status: 405 });
  });
});

describe('R37 stop', () => {
  it('finishes what is under way, says close, and takes nothing new', async () => {
    const to = await ownReceiver();
    const { hostname, port } = new URL(to.http);
    const slow = httpRequest({
      hostname,
      port,
      path: '/v1/traces',
      method: 'POST',
      headers: { 'content-type': PROTOBUF },
    });
    const body = requestProtobuf('span');
    slow.write(body.subarray(0, 10));
    await metricReaches(to, 'ai_debug_receiver_in_flight_requests', (requests) => requests === 1);
    const stopped = to.stopTransports();
    slow.end(body.subarray(10));
    const [response] = await once(slow, 'response');
    response.resume();
    expect(response.statusCode).toBe(200);
    expect(response.headers.connection).toBe('close');
    await stopped;
    await expect(fetch(to.http)).rejects.toThrow();
    expect(await bodiesOf(to)).toEqual([Buffer.from(body).toString('hex')]);
  });
});

describe('DEBUG_SYSTEM_ENABLED=false', () => {
  it('accepts and keeps nothing', async () => {
    const to = await ownReceiver({ enabled: false });
    for (const signal of SIGNALS as readonly Signal[]) {
      const body = requestProtobuf(signal);
      expect(await send(SIGNAL_PATHS[signal], { to, type: PROTOBUF, body })).toMatchObject({ status: 200, text: '' });
    }
    expect(await bodiesOf(to)).toEqual([]);
  });
});

async function metricReaches(receiver: TestReceiver, name: string, enough: (value: number) => boolean): Promise<void> {
  await expect
    .poll(async () => enough((await receiver.meter.registry.getSingleMetric(name)!.get()).values[0]!.value), {
      timeout: 10_000,
    })
    .toBe(true);
}
