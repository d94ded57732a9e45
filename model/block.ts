/**
 * The block: the unit that travels through all tiers. A run of OTLP records of one tenant and a short time, kept as the wire
 * brought them (payload), with derived columns beside (index), both zstd. A reader filters on the index and opens the
 * payload only for records that it returns.
 *
 *   index   = zstd( magic, count, json length | u64 columns | u32 columns | u16 columns | u8 columns | header json )
 *   payload = zstd( resource, scope and record bytes, back to back; the header and the columns say where each lies )
 *
 * One row per event costs PostgreSQL 7 to 25 µs and 865 bytes; a block of 512 costs 1 to 3 µs and about 120 bytes an event
 * (PERF.md), which is why events are never rows.
 */
import { constants, zstdCompressSync, zstdDecompressSync } from 'node:zlib';
import { assert } from '../base/assert.ts';
import { ContentHash, hashText } from './hash.ts';
import { eventId } from './ids.ts';
import { dayOf } from './time.ts';

/** Which message of OTLP a record's bytes are. Append only: blocks store the position. */
export const SIGNALS = ['log', 'span', 'metric'] as const;
export type Signal = (typeof SIGNALS)[number];

/** Most records in one block; dictionaries index them with 16 bits. */
export const BLOCK_RECORDS_MAX = 4096;

export interface ComponentRef {
  type: string;
  id: string;
}

/** Where a resource and a scope lie in the payload, and what they say for all their records. */
export interface Envelope {
  resourceStart: number;
  resourceLength: number;
  resourceSchemaUrl: string;
  scopeStart: number;
  scopeLength: number;
  scopeSchemaUrl: string;
  nodeId: string | null;
}

export interface BlockHeader {
  /** 32 hex: the newest record's time, then a hash of the ids within, so that the same flush made again is the same block. */
  id: string;
  tenant: string;
  /** 0 to 1023, so that rows can be placed on other machines without hashing again. */
  shard: number;
  /** UTC day partition: the newest record's own day, else the day of arrival when that lies outside what is retained. */
  day: string;
  timeMin: bigint;
  timeMax: bigint;
  /** The earliest arrival within; the `received` column counts microseconds from it. */
  receivedAt: bigint;
  components: ComponentRef[];
  correlations: string[];
  operations: string[];
  /** 32 hex each. */
  traces: string[];
  templates: string[];
  envelopes: Envelope[];
}

/** One value per record. Dictionary columns hold position + 1 in the header's list, 0 for none; `component` and `envelope` the position. */
export interface BlockColumns {
  time: BigUint64Array;
  hash: BigUint64Array;
  start: Uint32Array;
  length: Uint32Array;
  /** 0: the record is the whole message. n: the nth span event of the span, or the nth data point of the metric. */
  part: Uint32Array;
  received: Uint32Array;
  component: Uint16Array;
  correlation: Uint16Array;
  operation: Uint16Array;
  trace: Uint16Array;
  template: Uint16Array;
  envelope: Uint16Array;
  /** Position in EVENT_TYPES. */
  type: Uint8Array;
  /** Position in SIGNALS. */
  signal: Uint8Array;
  /** OTLP severity number that decides the level: as sent, or derived (a failed span counts as ERROR). 0 for none. */
  severity: Uint8Array;
}

export interface BlockIndex {
  header: BlockHeader;
  columns: BlockColumns;
  count: number;
}

/** A block as stores keep it: opaque bytes, and the few values that rows need. */
export interface Block {
  id: string;
  tenant: string;
  shard: number;
  day: string;
  timeMin: bigint;
  timeMax: bigint;
  count: number;
  index: Uint8Array;
  payload: Uint8Array;
  /** Distinct: one for each correlation, trace, operation and component within. See {@link blockKey}. */
  keys: bigint[];
}

export type KeyKind = 'correlation' | 'trace' | 'operation' | 'component';

/** The key under which blocks are found: a 64-bit hash, 8 bytes in an index where texts would take 40. Collisions only cost a look. */
export function blockKey(kind: KeyKind, ...values: string[]): bigint {
  return hashText(kind, ...values);
}

/** Everything that a block needs to know of one record. Byte ranges point into `body`. */
export interface BlockRecord {
  time: bigint;
  hash: bigint;
  type: number;
  signal: number;
  severity: number;
  part: number;
  component: ComponentRef;
  correlation: string | null;
  operation: string | null;
  trace: string | null;
  template: string | null;
  envelope: SourceEnvelope;
  body: Uint8Array;
  start: number;
  end: number;
  receivedAt: bigint;
}

/** A resource and scope as they lie in a request body. Records of one scope share the same object. */
export interface SourceEnvelope {
  resourceStart: number;
  resourceEnd: number;
  resourceSchemaUrl: string;
  scopeStart: number;
  scopeEnd: number;
  scopeSchemaUrl: string;
  nodeId: string | null;
}

/**
 * Makes one block of records, in the order given.
 * @param records 1 to BLOCK_RECORDS_MAX, of one tenant, shard and day
 */
export function buildBlock(tenant: string, shard: number, day: string, records: readonly BlockRecord[]): Block {
  const count = records.length;
  assert(count > 0 && count <= BLOCK_RECORDS_MAX, `a block holds 1 to ${BLOCK_RECORDS_MAX} records, not ${count}`);
  const columns = newColumns(count);
  const payload = new PayloadWriter();
  const components = new Dictionary<ComponentRef>();
  const correlations = new Dictionary<string>();
  const operations = new Dictionary<string>();
  const traces = new Dictionary<string>();
  const templates = new Dictionary<string>();
  const ids = new ContentHash().reset();
  const first = records[0]!;
  let timeMin = first.time;
  let timeMax = first.time;
  let receivedAt = first.receivedAt;
  for (const record of records) {
    if (record.time < timeMin) timeMin = record.time;
    if (record.time > timeMax) timeMax = record.time;
    if (record.receivedAt < receivedAt) receivedAt = record.receivedAt;
  }
  for (let i = 0; i < count; i++) {
    const record = records[i]!;
    columns.time[i] = record.time;
    columns.hash[i] = record.hash;
    columns.part[i] = record.part;
    columns.type[i] = record.type;
    columns.signal[i] = record.signal;
    columns.severity[i] = record.severity;
    columns.received[i] = Math.min(Number((record.receivedAt - receivedAt) / 1000n), 0xffffffff);
    columns.component[i] = components.position(componentName(record.component), record.component);
    columns.correlation[i] =
      record.correlation === null ? 0 : correlations.position(record.correlation, record.correlation) + 1;
    columns.operation[i] = record.operation === null ? 0 : operations.position(record.operation, record.operation) + 1;
    columns.trace[i] = record.trace === null ? 0 : traces.position(record.trace, record.trace) + 1;
    columns.template[i] = record.template === null ? 0 : templates.position(record.template, record.template) + 1;
    columns.envelope[i] = payload.envelope(record.body, record.envelope);
    columns.start[i] = payload.record(record.body, record.start, record.end);
    columns.length[i] = record.end - record.start;
    ids.bigint(record.time).bigint(record.hash);
  }
  const header: BlockHeader = {
    id: eventId(timeMax, ids.digest()),
    tenant,
    shard,
    day,
    timeMin,
    timeMax,
    receivedAt,
    components: components.values,
    correlations: correlations.values,
    operations: operations.values,
    traces: traces.values,
    templates: templates.values,
    envelopes: payload.envelopes,
  };
  return {
    id: header.id,
    tenant,
    shard,
    day,
    timeMin,
    timeMax,
    count,
    index: encodeIndex(header, columns, count),
    payload: encodePayload(payload.bytes()),
    keys: keysOf(header),
  };
}

/** @throws when the bytes are no block index, or one of another version. */
export function decodeIndex(bytes: Uint8Array): BlockIndex {
  const raw = new Uint8Array(zstdDecompressSync(bytes));
  const view = new DataView(raw.buffer);
  if (raw.length < PREFIX_BYTES || view.getUint32(0, true) !== MAGIC)
    throw new Error('not a block index of this version');
  const count = view.getUint32(4, true);
  let offset = PREFIX_BYTES;
  const columns = newColumns(count);
  for (const column of Object.values(columns) as Column[]) {
    new Uint8Array(column.buffer).set(raw.subarray(offset, offset + column.byteLength));
    offset += column.byteLength;
  }
  const header = JSON.parse(decoder.decode(raw.subarray(offset, offset + view.getUint32(8, true)))) as BlockHeader;
  header.timeMin = BigInt(header.timeMin);
  header.timeMax = BigInt(header.timeMax);
  header.receivedAt = BigInt(header.receivedAt);
  return { header, columns, count };
}

export function encodePayload(bytes: Uint8Array): Uint8Array {
  return compress(bytes);
}

export function decodePayload(bytes: Uint8Array): Uint8Array {
  return zstdDecompressSync(bytes);
}

/** The partition of a record: its own day while that is retained (an hour of clock skew ahead allowed), else the day it arrived. */
export function partitionDay(time: bigint, receivedAt: bigint, retentionNanos: bigint): string {
  const retained = time > receivedAt - retentionNanos && time < receivedAt + SKEW_AHEAD_NANOS;
  return dayOf(retained ? time : receivedAt);
}

type Column = BigUint64Array | Uint32Array | Uint16Array | Uint8Array;

const MAGIC = 0x31424441; // 'ADB1'
const PREFIX_BYTES = 16;
const SKEW_AHEAD_NANOS = 3_600_000_000_000n;
const encoder = new TextEncoder();
const decoder = new TextDecoder();

// Level 1: 3.7 µs an event with everything, level 3 takes 6.4 for 3% fewer bytes (PERF.md).
const ZSTD_LEVEL = 1;

function compress(bytes: Uint8Array): Uint8Array {
  return zstdCompressSync(bytes, { params: { [constants.ZSTD_c_compressionLevel]: ZSTD_LEVEL } });
}

// Widest first, so that the order of the object's keys is the order on disk.
function newColumns(count: number): BlockColumns {
  return {
    time: new BigUint64Array(count),
    hash: new BigUint64Array(count),
    start: new Uint32Array(count),
    length: new Uint32Array(count),
    part: new Uint32Array(count),
    received: new Uint32Array(count),
    component: new Uint16Array(count),
    correlation: new Uint16Array(count),
    operation: new Uint16Array(count),
    trace: new Uint16Array(count),
    template: new Uint16Array(count),
    envelope: new Uint16Array(count),
    type: new Uint8Array(count),
    signal: new Uint8Array(count),
    severity: new Uint8Array(count),
  };
}

function encodeIndex(header: BlockHeader, columns: BlockColumns, count: number): Uint8Array {
  const json = encoder.encode(
    JSON.stringify(header, (_, value) => (typeof value === 'bigint' ? String(value) : value)),
  );
  const parts = Object.values(columns) as Column[];
  const total = parts.reduce((sum, column) => sum + column.byteLength, PREFIX_BYTES + json.length);
  const raw = new Uint8Array(total);
  const view = new DataView(raw.buffer);
  view.setUint32(0, MAGIC, true);
  view.setUint32(4, count, true);
  view.setUint32(8, json.length, true);
  let offset = PREFIX_BYTES;
  for (const column of parts) {
    raw.set(new Uint8Array(column.buffer), offset);
    offset += column.byteLength;
  }
  raw.set(json, offset);
  return compress(raw);
}

/** One for each component, correlation, operation and trace within: under these a block is found. */
export function keysOf(header: BlockHeader): bigint[] {
  const keys = new Set<bigint>();
  for (const { type, id } of header.components) keys.add(blockKey('component', type, id));
  for (const correlation of header.correlations) keys.add(blockKey('correlation', correlation));
  for (const operation of header.operations) keys.add(blockKey('operation', operation));
  for (const trace of header.traces) keys.add(blockKey('trace', trace));
  return [...keys];
}

/** A text per component: senders choose both halves, so that no separator would tell them apart. */
function componentName({ type, id }: ComponentRef): string {
  return `${type.length} ${type}${id}`;
}

class Dictionary<T> {
  readonly values: T[] = [];
  readonly #positions = new Map<string, number>();

  position(key: string, value: T): number {
    let position = this.#positions.get(key);
    if (position === undefined) {
      position = this.values.push(value) - 1;
      this.#positions.set(key, position);
    }
    return position;
  }
}

/** Lays resources, scopes and records back to back; a resource and scope that many requests repeat is written once. */
class PayloadWriter {
  readonly envelopes: Envelope[] = [];
  readonly #known = new Map<SourceEnvelope, number>();
  readonly #byContent = new Map<string, number>();
  readonly #hash = new ContentHash();
  #buffer = new Uint8Array(64 * 1024);
  #size = 0;
  #lastBody: Uint8Array | null = null;
  #lastStart = -1;
  #lastOffset = 0;

  envelope(body: Uint8Array, source: SourceEnvelope): number {
    let position = this.#known.get(source);
    if (position !== undefined) return position;
    this.#hash
      .reset()
      .bytes(body, source.resourceStart, source.resourceEnd)
      .number(source.resourceEnd - source.resourceStart);
    this.#hash
      .bytes(body, source.scopeStart, source.scopeEnd)
      .text(source.resourceSchemaUrl)
      .text(source.scopeSchemaUrl);
    const content = `${this.#hash.digest()} ${source.nodeId}`;
    position = this.#byContent.get(content);
    if (position === undefined) {
      position = this.envelopes.length;
      this.envelopes.push({
        resourceStart: this.#append(body, source.resourceStart, source.resourceEnd),
        resourceLength: source.resourceEnd - source.resourceStart,
        resourceSchemaUrl: source.resourceSchemaUrl,
        scopeStart: this.#append(body, source.scopeStart, source.scopeEnd),
        scopeLength: source.scopeEnd - source.scopeStart,
        scopeSchemaUrl: source.scopeSchemaUrl,
        nodeId: source.nodeId,
      });
      this.#byContent.set(content, position);
    }
    this.#known.set(source, position);
    return position;
  }

  /** The events of a span and the points of a metric follow their owner and share its bytes. */
  record(body: Uint8Array, start: number, end: number): number {
    if (body !== this.#lastBody || start !== this.#lastStart) {
      this.#lastBody = body;
      this.#lastStart = start;
      this.#lastOffset = this.#append(body, start, end);
    }
    return this.#lastOffset;
  }

  bytes(): Uint8Array {
    return this.#buffer.subarray(0, this.#size);
  }

  #append(body: Uint8Array, start: number, end: number): number {
    const offset = this.#size;
    const size = offset + end - start;
    if (size > this.#buffer.length) {
      const grown = new Uint8Array(Math.max(size, this.#buffer.length * 2));
      grown.set(this.#buffer.subarray(0, offset));
      this.#buffer = grown;
    }
    this.#buffer.set(body.subarray(start, end), offset);
    this.#size = size;
    return offset;
  }
}
