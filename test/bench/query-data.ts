/**
 * A week of a shop of some forty services, as OTLP: traces of 5 to 40 spans that call each other, logs from templates with values in them,
 * errors with their exceptions, metrics once a minute, state snapshots, and now and then a job of 1,000 spans under one correlation. Each
 * record is written anew, as bytes that repeat would compress better than any real ones. Deterministic by its seed.
 */
import { BinaryWriter, WireType } from '@bufbuild/protobuf/wire';
import type { Signal } from '../../model/block.ts';

export interface Telemetry {
  signal: Signal;
  /** One export request in protobuf. */
  body: Uint8Array;
}

/** What a slice of the week brings, and what of it can be asked for. */
export interface Slice {
  requests: Telemetry[];
  records: number;
  /** Nanoseconds: when all of it has arrived. */
  arrivedAt: bigint;
  /** 32 hex. */
  traces: string[];
  /** An order's: some tens of events. */
  correlations: string[];
  /** Of jobs: 1,000 events each. */
  jobs: string[];
  /** Values that stand in one message of a log. */
  values: string[];
}

const ROLES = ['cart', 'checkout', 'payment', 'stock', 'search', 'profile', 'mail', 'shipping', 'price', 'review'];
export const SERVICES = ['api', 'worker', 'cache', 'sync'].flatMap((kind) => ROLES.map((role) => `${role}-${kind}`));
/** Stands in the constant part of some one in a thousand logs. */
export const PHRASE = 'certificate chain of upstream';
export const METRIC = 'jvm.memory.used';
export const STATEFUL = SERVICES.slice(0, 8);

// A block's worth, as merging leaves it of a quiet hour.
const SLICE_RECORDS = 1024;
const JOB_TRACES = 40;
const JOB_SPANS = 25;
const MS = 1_000_000n;

/** @param records how many in all, about  @param start nanoseconds, as `end` */
export function* week(records: number, start: bigint, end: bigint, seed = 1): Generator<Slice> {
  const slices = Math.max(1, Math.round(records / SLICE_RECORDS));
  const width = (end - start) / BigInt(slices);
  // One in twenty records belongs to a job.
  const jobEvery = Math.max(1, Math.round((20 * JOB_TRACES * JOB_SPANS) / SLICE_RECORDS));
  const shop = new Shop(seed);
  for (let i = 0; i < slices; i++) yield shop.slice(start + BigInt(i) * width, width, i % jobEvery === 0);
}

class Shop {
  readonly #random: () => number;
  #spans = new Map<number, Uint8Array[]>();
  #logs = new Map<number, Uint8Array[]>();
  #count = 0;
  #sequence = 0;
  #slice!: Slice;

  constructor(seed: number) {
    this.#random = randomOf(seed);
  }

  slice(start: bigint, width: bigint, job: boolean): Slice {
    this.#count = 0;
    this.#slice = {
      requests: [],
      records: 0,
      arrivedAt: start + width,
      traces: [],
      correlations: [],
      jobs: [],
      values: [],
    };
    if (job) this.#job(start);
    while (this.#count < SLICE_RECORDS * 0.9) this.#trace(start, width);
    this.#states(start, width);
    const metrics = this.#metrics(start + width, SLICE_RECORDS - this.#count);
    for (const [signal, records] of [['span', this.#spans] as const, ['log', this.#logs] as const]) {
      if (records.size > 0) this.#slice.requests.push({ signal, body: requestOf([...records]) });
      records.clear();
    }
    if (metrics.length > 0) this.#slice.requests.push({ signal: 'metric', body: requestOf(metrics) });
    this.#slice.records = this.#count;
    return this.#slice;
  }

  #trace(start: bigint, width: bigint): void {
    const correlation = this.#random() < 0.4 ? `order-${this.#next()}-${this.#hex(4)}` : null;
    if (correlation !== null) this.#slice.correlations.push(correlation);
    this.#tree(
      start + part(width, this.#random()),
      5 + Math.floor(this.#random() ** 2 * 36),
      correlation,
      this.#random() < 0.03,
    );
  }

  /** Of the last two minutes, whatever the slice has. */
  #job(start: bigint): void {
    const correlation = `nightly-${this.#next()}`;
    this.#slice.jobs.push(correlation);
    const span = 120_000n * MS;
    for (let i = 0; i < JOB_TRACES; i++)
      this.#tree(start - span + part(span, this.#random()), JOB_SPANS, correlation, false, false);
  }

  /** Spans below spans; a third of them log a line, and where it fails an exception climbs to the root. */
  #tree(time: bigint, size: number, correlation: string | null, fails: boolean, logs = true): void {
    const trace = this.#bytes(16);
    this.#slice.traces.push(trace.toHex());
    const spans: { id: Uint8Array; service: number; start: bigint; duration: number; failed: boolean }[] = [];
    for (let i = 0; i < size; i++) {
      const parent = i === 0 ? null : spans[Math.floor(this.#random() * Math.min(i, 8))]!;
      const service =
        parent === null
          ? Math.floor(this.#random() * 6)
          : (parent.service * 3 + 1 + Math.floor(this.#random() * 5)) % SERVICES.length;
      const duration =
        parent === null ? 40 + this.#random() ** 4 * 4000 : parent.duration * (0.1 + 0.6 * this.#random());
      const startAt = parent === null ? time : parent.start + micros(parent.duration * 0.3 * this.#random());
      const failed = fails && (parent === null || (parent.failed && this.#random() < 0.5));
      const span = { id: this.#bytes(8), service, start: startAt, duration, failed };
      spans.push(span);
      put(this.#spans, service, this.#span(trace, span, parent?.id ?? null, correlation, i));
      this.#count++;
      if (logs && this.#random() < 0.55) this.#log(trace, span, correlation);
      if (failed) this.#exception(trace, span, correlation);
    }
  }

  #span(
    trace: Uint8Array,
    {
      id,
      service,
      start,
      duration,
      failed,
    }: { id: Uint8Array; service: number; start: bigint; duration: number; failed: boolean },
    parent: Uint8Array | null,
    correlation: string | null,
    position: number,
  ): Uint8Array {
    const random = this.#random;
    const writer = new BinaryWriter().tag(1, LENGTH).bytes(trace).tag(2, LENGTH).bytes(id);
    if (parent !== null) writer.tag(4, LENGTH).bytes(parent);
    const http = position % 3 !== 2;
    const route = pick(random, ROUTES);
    const method = pick(random, METHODS);
    const table = pick(random, TABLES);
    writer.tag(5, LENGTH).string(http ? `${method} ${route}` : `SELECT ${table}`);
    writer.tag(6, VARINT).int32(http ? 2 : 3);
    writer.tag(7, FIXED64).fixed64(start);
    writer.tag(8, FIXED64).fixed64(start + micros(duration));
    if (http) {
      attribute(writer, 9, 'http.request.method', method);
      attribute(writer, 9, 'http.route', route);
      attribute(writer, 9, 'url.path', route.replace('{id}', String(Math.floor(random() * 1e7))));
      attribute(writer, 9, 'http.response.status_code', failed ? 500 + Math.floor(random() * 5) : 200);
      attribute(writer, 9, 'server.address', `${SERVICES[service]}.shop.svc.cluster.local`);
      attribute(
        writer,
        9,
        'client.address',
        `10.${service}.${Math.floor(random() * 255)}.${Math.floor(random() * 255)}`,
      );
      attribute(writer, 9, 'user_agent.original', pick(random, AGENTS));
      attribute(writer, 9, 'http.response.body.size', Math.floor(random() ** 3 * 100_000));
      attribute(writer, 9, 'enduser.id', `user-${Math.floor(random() * 200_000)}`);
    } else {
      attribute(writer, 9, 'db.system.name', 'postgresql');
      attribute(writer, 9, 'db.collection.name', table);
      attribute(
        writer,
        9,
        'db.query.text',
        `SELECT * FROM ${table} WHERE id = $1 AND tenant = $2 ORDER BY changed_at DESC LIMIT 50`,
      );
      attribute(writer, 9, 'db.response.returned_rows', Math.floor(random() * 50));
      attribute(writer, 9, 'server.address', `db-${service % 4}.shop.svc.cluster.local`);
      attribute(writer, 9, 'server.port', 5432);
    }
    attribute(writer, 9, 'thread.id', Math.floor(random() * 64));
    if (correlation !== null) attribute(writer, 9, 'correlation_id', correlation);
    if (failed) {
      writer.tag(15, LENGTH).fork();
      writer.tag(2, LENGTH).string('upstream answered late or not at all').tag(3, VARINT).int32(2).join();
    }
    return writer.tag(16, FIXED32).fixed32(0x101).finish();
  }

  #log(
    trace: Uint8Array,
    span: { id: Uint8Array; service: number; start: bigint; duration: number },
    correlation: string | null,
  ): void {
    const { message, severity, value } = this.#message(span.service);
    if (value !== null && this.#random() < 0.01) this.#slice.values.push(value);
    const writer = this.#record(span.start + micros(span.duration * this.#random()), severity, message);
    attribute(writer, 6, 'code.function.name', `handle${span.service}.${pick(this.#random, METHODS).toLowerCase()}`);
    attribute(writer, 6, 'thread.name', `worker-${Math.floor(this.#random() * 16)}`);
    if (correlation !== null) attribute(writer, 6, 'correlation_id', correlation);
    writer.tag(8, FIXED32).fixed32(1).tag(9, LENGTH).bytes(trace).tag(10, LENGTH).bytes(span.id);
    put(this.#logs, span.service, writer.finish());
    this.#count++;
  }

  #exception(
    trace: Uint8Array,
    span: { id: Uint8Array; service: number; start: bigint; duration: number },
    correlation: string | null,
  ): void {
    const type = pick(this.#random, EXCEPTIONS);
    const writer = this.#record(
      span.start + micros(span.duration),
      17,
      `${type} while calling ${SERVICES[(span.service * 3 + 1) % SERVICES.length]}: no answer within ${1000 + Math.floor(this.#random() * 4000)} ms`,
    );
    attribute(writer, 6, 'exception.type', type);
    attribute(writer, 6, 'exception.message', 'no answer');
    attribute(writer, 6, 'exception.stacktrace', STACK.replaceAll('#', String(span.service)));
    if (correlation !== null) attribute(writer, 6, 'correlation_id', correlation);
    writer.tag(9, LENGTH).bytes(trace).tag(10, LENGTH).bytes(span.id);
    put(this.#logs, span.service, writer.finish());
    this.#count++;
  }

  #record(time: bigint, severity: number, message: string): BinaryWriter {
    const writer = new BinaryWriter().tag(1, FIXED64).fixed64(time).tag(2, VARINT).int32(severity);
    writer.tag(3, LENGTH).string(severity >= 17 ? 'ERROR' : severity >= 13 ? 'WARN' : severity >= 9 ? 'INFO' : 'DEBUG');
    return writer.tag(5, LENGTH).fork().tag(1, LENGTH).string(message).join().tag(11, FIXED64).fixed64(time);
  }

  #message(service: number): { message: string; severity: number; value: string | null } {
    const random = this.#random;
    if (random() < 0.001) {
      const host = `${pick(random, ROLES)}.example.net`;
      return { message: `${PHRASE} ${host} ends in ${Math.floor(random() * 30)} days`, severity: 13, value: null };
    }
    const number = Math.floor(random() * 1e9);
    const value = `${pick(random, PREFIXES)}${this.#hex(6)}`;
    const at = (service * 5 + Math.floor(random() ** 2 * 9)) % MESSAGES.length;
    const [severity, text] = MESSAGES[at]!;
    const message = text
      .replaceAll('%d', () => String(number % (10 + Math.floor(random() * 10_000))))
      .replace('%s', value)
      .replace('%u', `user-${Math.floor(random() * 200_000)}`)
      .replace('%i', `10.${service}.${number % 255}.${(number >> 8) % 255}`);
    return { message, severity, value: text.includes('%s') ? value : null };
  }

  #states(start: bigint, width: bigint): void {
    for (let i = 0; i < 2; i++) {
      const service = Math.floor(this.#random() * STATEFUL.length);
      const writer = new BinaryWriter().tag(1, FIXED64).fixed64(start + part(width, this.#random()));
      writer.tag(5, LENGTH).fork().tag(6, LENGTH).fork();
      for (const key of ['stock', 'reserved', 'pending', 'revision'])
        attribute(writer, 1, key, Math.floor(this.#random() * 1000));
      attribute(writer, 1, 'mode', pick(this.#random, ['active', 'draining', 'standby']));
      writer.join().join();
      attribute(writer, 6, 'debug.snapshot.type', 'full');
      attribute(writer, 6, 'debug.operation_id', `restock-${Math.floor(this.#random() * 1000)}`);
      put(this.#logs, service, writer.tag(12, LENGTH).string('debug.state.snapshot').finish());
      this.#count++;
    }
  }

  #metrics(time: bigint, points: number): [number, Uint8Array[]][] {
    const byService: [number, Uint8Array[]][] = [];
    for (let service = 0; points > 0; service = (service + 7) % SERVICES.length) {
      const metrics: Uint8Array[] = [];
      for (const name of METRICS) {
        const writer = new BinaryWriter().tag(1, LENGTH).string(name).tag(3, LENGTH).string('By');
        writer.tag(5, LENGTH).fork();
        for (const pool of ['eden', 'old']) {
          if (points-- <= 0) break;
          writer.tag(1, LENGTH).fork();
          writer.tag(3, FIXED64).fixed64(time - BigInt(Math.floor(this.#random() * 1e9)));
          writer.tag(4, FIXED64).double(Math.round(this.#random() * 1e9));
          attribute(writer, 7, 'pool', pool);
          writer.join();
          this.#count++;
        }
        metrics.push(writer.join().finish());
      }
      byService.push([service, metrics]);
    }
    return byService;
  }

  #next(): number {
    return 100_000 + this.#sequence++;
  }

  #bytes(length: number): Uint8Array {
    const bytes = new Uint8Array(length);
    for (let i = 0; i < length; i += 4) {
      const word = (this.#random() * 4_294_967_296) >>> 0;
      for (let j = 0; j < 4 && i + j < length; j++) bytes[i + j] = word >>> (8 * j);
    }
    return bytes;
  }

  #hex(bytes: number): string {
    return this.#bytes(bytes).toHex();
  }
}

const { LengthDelimited: LENGTH, Varint: VARINT, Bit64: FIXED64, Bit32: FIXED32 } = WireType;

/** The numbers are the same in all three signals: resource_…, resource, scope_…, scope, records. */
function requestOf(byService: readonly [service: number, records: Uint8Array[]][]): Uint8Array {
  const writer = new BinaryWriter();
  for (const [service, records] of byService) {
    writer.tag(1, LENGTH).fork().tag(1, LENGTH).bytes(resourceOf(service));
    writer.tag(2, LENGTH).fork().tag(1, LENGTH).bytes(SCOPE);
    for (const record of records) writer.tag(2, LENGTH).bytes(record);
    writer.join().join();
  }
  return writer.finish();
}

const SCOPE = new BinaryWriter()
  .tag(1, LENGTH)
  .string('io.opentelemetry.http')
  .tag(2, LENGTH)
  .string('2.14.0')
  .finish();

/** One of three replicas in turn. */
function resourceOf(service: number): Uint8Array {
  const name = SERVICES[service]!;
  const replica = resourceTurn++ % 3;
  const writer = new BinaryWriter();
  attribute(writer, 1, 'service.name', name);
  attribute(writer, 1, 'service.version', `3.${service}.1`);
  attribute(writer, 1, 'service.instance.id', `${name}-${replica}`);
  attribute(writer, 1, 'deployment.environment.name', 'production');
  attribute(writer, 1, 'host.name', `node-${(service + replica) % 12}.eu-west.internal`);
  attribute(writer, 1, 'telemetry.sdk.language', LANGUAGES[service % LANGUAGES.length]!);
  return writer.finish();
}
let resourceTurn = 0;

/** A KeyValue under a field. */
function attribute(writer: BinaryWriter, field: number, key: string, value: string | number): void {
  writer.tag(field, LENGTH).fork().tag(1, LENGTH).string(key).tag(2, LENGTH).fork();
  if (typeof value === 'string') writer.tag(1, LENGTH).string(value);
  else writer.tag(3, VARINT).int64(value);
  writer.join().join();
}

const LANGUAGES = ['nodejs', 'java', 'go', 'python'];
const METHODS = ['GET', 'POST', 'PUT', 'DELETE'];
const ROUTES = [
  '/orders/{id}',
  '/carts/{id}/items',
  '/products/{id}',
  '/users/{id}',
  '/search',
  '/payments/{id}',
  '/stock/{id}',
  '/prices/{id}',
];
const TABLES = ['orders', 'carts', 'products', 'users', 'payments', 'stock_items'];
const AGENTS = [
  'Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/142.0 Safari/537.36',
  'Mozilla/5.0 (iPhone; CPU iPhone OS 19_1 like Mac OS X) AppleWebKit/605.1.15 Mobile/15E148',
  'okhttp/5.1.0',
  'axios/1.12.2',
];
const EXCEPTIONS = ['TimeoutError', 'ConnectionReset', 'CircuitOpen', 'PoolExhausted'];
const STACK = Array.from(
  { length: 8 },
  (_, i) => `    at step${i} (/srv/app/service-#/handler${i}.js:${10 * i}:${i})`,
).join('\n');
const PREFIXES = ['tok_', 'ord_', 'ses_', 'req_'];
const METRICS = [METRIC, 'process.cpu.time', 'http.server.active_requests', 'db.client.connection.count'];

const VERBS = [
  'accepted',
  'stored',
  'loaded',
  'sent',
  'refreshed',
  'reserved',
  'priced',
  'indexed',
  'merged',
  'expired',
];
const NOUNS = ['order', 'cart', 'session', 'invoice', 'parcel', 'voucher', 'profile', 'review', 'quote', 'batch'];
const MESSAGES: readonly (readonly [severity: number, text: string])[] = NOUNS.flatMap((noun, i) =>
  VERBS.map((verb, j) => {
    const severity = (i + j) % 17 === 0 ? 13 : (i * j) % 5 === 0 ? 5 : 9;
    const tails = [
      `in %d ms for %u`,
      `with %d items from %i`,
      `as %s after %d attempts`,
      `by %u, %d left`,
      `%s, next in %d s`,
    ];
    return [severity, `${noun} ${verb} ${tails[(i * 3 + j) % tails.length]}`] as const;
  }),
);

function put(map: Map<number, Uint8Array[]>, service: number, record: Uint8Array): void {
  const list = map.get(service);
  if (list === undefined) map.set(service, [record]);
  else list.push(record);
}

function part(width: bigint, fraction: number): bigint {
  return (width * BigInt(Math.floor(fraction * 1e6))) / 1_000_000n;
}

function micros(milliseconds: number): bigint {
  return BigInt(Math.round(milliseconds * 1000)) * 1000n;
}

function pick<T>(random: () => number, items: readonly T[]): T {
  return items[Math.floor(random() * items.length)]!;
}

/** Mulberry32. */
function randomOf(seed: number): () => number {
  let state = seed;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let t = Math.imul(state ^ (state >>> 15), 1 | state);
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
    return ((t ^ (t >>> 14)) >>> 0) / 4_294_967_296;
  };
}
