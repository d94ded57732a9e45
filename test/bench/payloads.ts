/**
 * Requests as a busy exporter sends them: 512 spans of 12 attributes and an event (0.7 kB each), some 13 to a trace, or 512 log records
 * of 10 attributes and a message of 120 characters. Encoded once; what must differ between two requests (times, trace and
 * correlation ids, a number in each message) is then patched in place, as encoding anew would cost more than the receiver.
 */
import { create, toBinary } from '@bufbuild/protobuf';
import {
  type ExportLogsServiceRequest,
  ExportLogsServiceRequestSchema,
} from '../../proto/gen/opentelemetry/proto/collector/logs/v1/logs_service_pb.js';
import {
  type ExportTraceServiceRequest,
  ExportTraceServiceRequestSchema,
} from '../../proto/gen/opentelemetry/proto/collector/trace/v1/trace_service_pb.js';

export const RECORDS = 512;

export type PayloadSignal = 'span' | 'log';

export interface Payload {
  signal: PayloadSignal;
  records: number;
  /** The request in protobuf, the same each time. */
  bytes: Buffer;
  /** Makes every record of a copy one that no other `sequence` has. @param sequence 0 to 2^32 - 1 @param time nanoseconds of its newest record */
  stamp(copy: Buffer, sequence: number, time: bigint): void;
  /** A new copy, stamped. */
  stamped(sequence: number, time: bigint): Buffer;
}

/** @param variant seeds what is random in it: the same variant is the same request in every process */
export function createPayload(signal: PayloadSignal, variant = 0, records = RECORDS): Payload {
  const random = randomOf(variant * 2 + (signal === 'span' ? 0 : 1));
  const bytes =
    signal === 'span'
      ? Buffer.from(toBinary(ExportTraceServiceRequestSchema, spans(random, records)))
      : Buffer.from(toBinary(ExportLogsServiceRequestSchema, logs(random, records)));
  const times = offsetsOf(
    bytes,
    Array.from({ length: records }, (_, i) => fixed64(timeOf(i))),
  );
  const ends =
    signal === 'span'
      ? offsetsOf(
          bytes,
          Array.from({ length: records }, (_, i) => fixed64(endOf(i))),
        )
      : [];
  const traces = allOffsetsOf(bytes, TRACE_MARK);
  const numbers = allOffsetsOf(bytes, NUMBER_MARK);

  function stamp(copy: Buffer, sequence: number, time: bigint): void {
    const view = new DataView(copy.buffer, copy.byteOffset, copy.length);
    writeTimes(view, times, time - BigInt(records) * STEP, 0);
    writeTimes(view, ends, time - BigInt(records) * STEP + DURATION, DURATION_STEP);
    for (const at of traces) view.setUint32(at, sequence);
    const digits = Buffer.from(String(sequence).padStart(NUMBER_MARK.length, '0'));
    for (const at of numbers) for (let i = 0; i < digits.length; i++) copy[at + i] = digits[i]!;
  }

  return {
    signal,
    records,
    bytes,
    stamp,
    stamped(sequence, time) {
      const copy = Buffer.from(bytes);
      stamp(copy, sequence, time);
      return copy;
    },
  };
}

/** Nanoseconds between two records of a request. */
const STEP = 1_000n;
// Times that stand nowhere else in a request, and mark what is patched.
const BASE = 0x1700_1234_5678_0000n;
const TRACE_MARK = Buffer.from('f00dfeed', 'hex');
const NUMBER_MARK = Buffer.from('7710777177');
const SPANS_PER_TRACE = 13;

const DURATION = 3_000_000n;
const DURATION_STEP = 1_003;

const timeOf = (i: number) => BASE + BigInt(i) * STEP;
const endOf = (i: number) => timeOf(i) + DURATION + BigInt(i * DURATION_STEP);

/** A time at each offset, STEP and `more` nanoseconds later each; halves, because a bigint a record would take longer than sending it. */
function writeTimes(view: DataView, offsets: readonly number[], first: bigint, more: number): void {
  const step = Number(STEP) + more;
  let high = Number(first >> 32n);
  let low = Number(first & 0xffff_ffffn);
  for (const at of offsets) {
    view.setUint32(at, low, true);
    view.setUint32(at + 4, high, true);
    low += step;
    if (low >= 2 ** 32) {
      low -= 2 ** 32;
      high++;
    }
  }
}

function spans(random: () => number, count: number): ExportTraceServiceRequest {
  const services = Array.from({ length: 4 }, (_, service) => ({
    resource: { attributes: resource(`shop-${service}`) },
    scopeSpans: [
      {
        scope: { name: '@opentelemetry/instrumentation-http', version: '0.301.0' },
        spans: [] as object[],
      },
    ],
  }));
  const trace = traces(random, count);
  for (let i = 0; i < count; i++) {
    const { traceId, correlation } = trace(i);
    const route = pick(random, ROUTES);
    const failed = random() < 0.02;
    services[i % services.length]!.scopeSpans[0]!.spans.push({
      traceId,
      spanId: bytesOf(random, 8),
      parentSpanId: bytesOf(random, 8),
      name: `${pick(random, METHODS)} ${route}`,
      kind: 2 + (i % 2),
      startTimeUnixNano: timeOf(i),
      endTimeUnixNano: endOf(i),
      flags: 0x101,
      status: failed ? { code: 2, message: 'upstream timed out' } : {},
      attributes: [
        text('http.request.method', pick(random, METHODS)),
        text('url.path', route.replace('{id}', `${Math.floor(random() * 1e6)}`)),
        text('http.route', route),
        int('http.response.status_code', failed ? 503 : 200),
        text('server.address', `10.1.0.${1 + Math.floor(random() * ADDRESSES)}`),
        int('server.port', 8080),
        text('user_agent.original', 'Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36'),
        text('client.address', `192.168.${Math.floor(random() * 255)}.${Math.floor(random() * 255)}`),
        text('network.protocol.version', '1.1'),
        int('http.response.body.size', Math.floor(random() * 65_536)),
        text('enduser.id', `user-${Math.floor(random() * 1e5)}`),
        text('correlation_id', correlation),
      ],
      events: [
        {
          timeUnixNano: timeOf(i) + 1n,
          name: 'cache.lookup',
          attributes: [
            text('cache.key', hexOf(random, 8)),
            { key: 'cache.hit', value: { value: { case: 'boolValue', value: true } } },
          ],
        },
      ],
    });
  }
  return create(ExportTraceServiceRequestSchema, { resourceSpans: services } as object);
}

function logs(random: () => number, count: number): ExportLogsServiceRequest {
  const services = Array.from({ length: 4 }, (_, service) => ({
    resource: { attributes: resource(`shop-${service}`) },
    scopeLogs: [{ scope: { name: 'pino', version: '10.4.0' }, logRecords: [] as object[] }],
  }));
  const trace = traces(random, count);
  for (let i = 0; i < count; i++) {
    const { traceId, correlation } = trace(i);
    const failed = random() < 0.02;
    services[i % services.length]!.scopeLogs[0]!.logRecords.push({
      timeUnixNano: timeOf(i),
      observedTimeUnixNano: timeOf(i) + 17n,
      severityNumber: failed ? 17 : 9,
      severityText: failed ? 'ERROR' : 'INFO',
      traceId,
      spanId: bytesOf(random, 8),
      flags: 1,
      body: { value: { case: 'stringValue', value: pick(random, MESSAGES).replace('#', NUMBER_MARK.toString()) } },
      attributes: [
        text('code.function.name', 'OrderController.submit'),
        text('code.file.path', '/srv/app/controllers/order.js'),
        int('code.line.number', Math.floor(random() * 900)),
        text('thread.name', `worker-${Math.floor(random() * 16)}`),
        text('http.request.method', pick(random, METHODS)),
        text('url.path', pick(random, ROUTES)),
        text('enduser.id', `user-${Math.floor(random() * 1e5)}`),
        text('session.id', hexOf(random, 16)),
        int('http.response.status_code', failed ? 503 : 200),
        text('correlation_id', correlation),
      ],
    });
  }
  return create(ExportLogsServiceRequestSchema, { resourceLogs: services } as object);
}

/** Whom the services call: each that a client span names is an edge of the topology, which is counted by the minute. */
const ADDRESSES = 32;
const METHODS = ['GET', 'POST', 'PUT', 'DELETE'];
const ROUTES = [
  '/api/orders/{id}',
  '/api/carts/{id}/items',
  '/api/products/{id}',
  '/api/users/{id}/addresses',
  '/api/payments',
];
/** 120 characters each, with a number that differs in every request. */
const MESSAGES = [
  'order # accepted for user 48213: 3 items from warehouse north, total 129.90 EUR, carrier selected after 12 ms by rule eco',
  'payment # authorised by gateway alpha for 129.90 EUR in 231 ms, risk score 12 of 100, three more attempts are permitted ',
  'cache miss for key cart-# in region eu-west, loaded 14 entries from the replica in 8 ms, next refresh is due within 60 s',
  'stock of product # reserved: 3 of 118 left at shelf B-17, reservation expires in 900 s unless the order gets confirmed  ',
];

function resource(service: string) {
  return [
    text('service.name', service),
    text('service.version', '2.14.3'),
    text('service.instance.id', `${service}-7d9f4c5b6-x2x${service.at(-1)}`),
    text('deployment.environment.name', 'production'),
    text('telemetry.sdk.language', 'nodejs'),
    text('telemetry.sdk.name', 'opentelemetry'),
    text('telemetry.sdk.version', '3.1.1'),
    text('host.name', `node-${service.at(-1)}.eu-west.internal`),
    text('k8s.pod.name', `${service}-7d9f4c5b6-x2x${service.at(-1)}`),
  ];
}

/** Traces come mixed, as spans of several requests end at the same time. */
function traces(random: () => number, count: number) {
  const all = Array.from({ length: Math.ceil(count / SPANS_PER_TRACE) }, () => ({
    traceId: Uint8Array.from([...TRACE_MARK, ...bytesOf(random, 12)]),
    correlation: `order-${NUMBER_MARK}-${hexOf(random, 4)}`,
  }));
  return (i: number) => all[(i * 7) % all.length]!;
}

function text(key: string, value: string) {
  return { key, value: { value: { case: 'stringValue', value } } };
}

function int(key: string, value: number) {
  return { key, value: { value: { case: 'intValue', value: BigInt(value) } } };
}

function pick<T>(random: () => number, items: readonly T[]): T {
  return items[Math.floor(random() * items.length)]!;
}

function bytesOf(random: () => number, length: number): Uint8Array {
  return Uint8Array.from({ length }, () => 1 + Math.floor(random() * 255));
}

function hexOf(random: () => number, length: number): string {
  return bytesOf(random, length).toHex();
}

function fixed64(value: bigint): Buffer {
  const bytes = Buffer.alloc(8);
  bytes.writeBigUInt64LE(value);
  return bytes;
}

/** Where each pattern stands first. */
function offsetsOf(bytes: Buffer, patterns: readonly Buffer[]): number[] {
  return patterns.map((pattern) => {
    const at = bytes.indexOf(pattern);
    if (at < 0) throw new Error('a mark is missing in the payload');
    return at;
  });
}

function allOffsetsOf(bytes: Buffer, pattern: Buffer): number[] {
  const offsets: number[] = [];
  for (let at = bytes.indexOf(pattern); at >= 0; at = bytes.indexOf(pattern, at + 1)) offsets.push(at);
  return offsets;
}

/** Mulberry32: small, and the same everywhere. */
function randomOf(seed: number): () => number {
  let state = seed + 1;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let t = Math.imul(state ^ (state >>> 15), 1 | state);
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
    return ((t ^ (t >>> 14)) >>> 0) / 4_294_967_296;
  };
}
