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
import { constants, zstdCompress, zstdCompressSync, zstdDecompressSync } from 'node:zlib';
import { hashText } from './hash.ts';
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

/** A block that is not compressed yet. */
export type RawBlock = Block;

/** Both parts of a block, on zlib's threads: meanwhile the loop is free. The bytes MUST NOT change until it resolves. */
export async function compressBlock(raw: RawBlock): Promise<Block> {
  const [index, payload] = await Promise.all([compress(raw.index), compress(raw.payload)]);
  return { ...raw, index, payload };
}

export function compressBlockSync(raw: RawBlock): Block {
  return { ...raw, index: compressSync(raw.index), payload: compressSync(raw.payload) };
}

/** @throws when the bytes are no block index, or one of another version. */
export function decodeIndex(bytes: Uint8Array): BlockIndex {
  const raw = new Uint8Array(zstdDecompressSync(bytes));
  const view = new DataView(raw.buffer);
  if (raw.length < PREFIX_BYTES || view.getUint32(0, true) !== MAGIC)
    throw new Error('not a block index of this version');
  const count = view.getUint32(4, true);
  const columns = columnsIn(raw.buffer, count);
  const json = raw.subarray(
    PREFIX_BYTES + count * ROW_BYTES,
    PREFIX_BYTES + count * ROW_BYTES + view.getUint32(8, true),
  );
  const header = JSON.parse(decoder.decode(json)) as BlockHeader;
  header.timeMin = BigInt(header.timeMin);
  header.timeMax = BigInt(header.timeMax);
  header.receivedAt = BigInt(header.receivedAt);
  return { header, columns, count };
}

/**
 * What {@link decodeIndex} reads, before compression.
 * @param fill is given the columns, all zero, to write into
 */
export function encodeIndex(header: BlockHeader, count: number, fill: (columns: BlockColumns) => void): Uint8Array {
  // Not by a replacer, which would be called for every text in the lists.
  const { timeMin, timeMax, receivedAt } = header;
  const texts = { timeMin: String(timeMin), timeMax: String(timeMax), receivedAt: String(receivedAt) };
  const json = encoder.encode(JSON.stringify({ ...header, ...texts }));
  const raw = new Uint8Array(PREFIX_BYTES + count * ROW_BYTES + json.length);
  const view = new DataView(raw.buffer);
  view.setUint32(0, MAGIC, true);
  view.setUint32(4, count, true);
  view.setUint32(8, json.length, true);
  raw.set(json, PREFIX_BYTES + count * ROW_BYTES);
  fill(columnsIn(raw.buffer, count));
  return raw;
}

export function encodePayload(bytes: Uint8Array): Uint8Array {
  return compressSync(bytes);
}

export function decodePayload(bytes: Uint8Array): Uint8Array {
  return zstdDecompressSync(bytes);
}

/** The partition of a record: its own day while that is retained (an hour of clock skew ahead allowed), else the day it arrived. */
export function partitionDay(time: bigint, receivedAt: bigint, retentionNanos: bigint): string {
  const retained = time > receivedAt - retentionNanos && time < receivedAt + SKEW_AHEAD_NANOS;
  return dayOf(retained ? time : receivedAt);
}

const MAGIC = 0x31424441; // 'ADB1'
const PREFIX_BYTES = 16;
/** Of a record in all columns together. */
const ROW_BYTES = 47;
const SKEW_AHEAD_NANOS = 3_600_000_000_000n;
const encoder = new TextEncoder();
const decoder = new TextDecoder();

// Level 1: 3.7 µs an event with everything, level 3 takes 6.4 for 3% fewer bytes (PERF.md).
const CHUNK_BYTES_MIN = 16 << 10;
const CHUNK_BYTES_MAX = 1 << 20;
const ZSTD = { params: { [constants.ZSTD_c_compressionLevel]: 1 } };

function compressSync(bytes: Uint8Array): Uint8Array {
  return zstdCompressSync(bytes, ZSTD);
}

function compress(bytes: Uint8Array): Promise<Uint8Array> {
  // Each chunk of output is a trip to another thread and back: at zlib's 16 kB a block makes six of them.
  const chunkSize = Math.min(Math.max(bytes.length >> 2, CHUNK_BYTES_MIN), CHUNK_BYTES_MAX);
  return new Promise((resolve, reject) => {
    zstdCompress(bytes, { ...ZSTD, chunkSize }, (error, compressed) =>
      error === null ? resolve(compressed) : reject(error),
    );
  });
}

/**
 * Views of the columns in place, in the order on disk: widest first, so that each lies where its numbers may lie. Little-endian, as every
 * machine is that Node runs on.
 */
function columnsIn(buffer: ArrayBuffer, count: number): BlockColumns {
  let offset = PREFIX_BYTES;
  const next = (bytes: number) => {
    const at = offset;
    offset += bytes * count;
    return at;
  };
  const u64 = () => new BigUint64Array(buffer, next(8), count);
  const u32 = () => new Uint32Array(buffer, next(4), count);
  const u16 = () => new Uint16Array(buffer, next(2), count);
  const u8 = () => new Uint8Array(buffer, next(1), count);
  return {
    time: u64(),
    hash: u64(),
    start: u32(),
    length: u32(),
    part: u32(),
    received: u32(),
    component: u16(),
    correlation: u16(),
    operation: u16(),
    trace: u16(),
    template: u16(),
    envelope: u16(),
    type: u8(),
    signal: u8(),
    severity: u8(),
  };
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
