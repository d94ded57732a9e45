/**
 * The block: the unit that travels through all tiers. A run of OTLP records of one tenant and a short time, kept as the wire
 * brought them (payload), with derived columns beside (index), both zstd. A reader filters on the index and opens the
 * payload only for records that it returns.
 *
 *   index   = zstd( magic, count, header length, filter length | u64 columns | u32 columns | u16 columns | u8 columns | header | text filter )
 *   payload = zstd( resource, scope and record bytes, back to back; the header and the columns say where each lies )
 *
 * One row per event costs PostgreSQL 7 to 25 µs and 865 bytes; a block of 512 costs 1 to 3 µs and about 120 bytes an event
 * (PERF.md), which is why events are never rows.
 */
import { zstdDecompress, zstdDecompressSync } from 'node:zlib';
import { type BlockHeader, type ComponentRef, decodeHeader, decodeWholeHeader, encodeHeader } from './block-header.ts';
import { compress, compressSync } from './compression.ts';
import { SEVERITY_ERROR } from './event.ts';
import { hashText } from './hash.ts';
import { dayOf } from './time.ts';

export type { BlockHeader, ComponentRef, Envelope } from './block-header.ts';

/** Which message of OTLP a record's bytes are. Append only: blocks store the position. */
export const SIGNALS = ['log', 'span', 'metric'] as const;
export type Signal = (typeof SIGNALS)[number];

/** Most records in one block; dictionaries index them with 16 bits. */
export const BLOCK_RECORDS_MAX = 4096;

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
  /** Of the messages, for `mayHoldText` in model/text-filter.ts; empty where it cannot say: in blocks from before there were any. */
  texts: Uint8Array;
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
  /** Distinct: one for each correlation, trace, operation and component within, and each component with errors. See {@link blockKey}. */
  keys: bigint[];
  filters: BlockFilters;
}

/** What a store can be asked before it reads a block's index. Each is empty where it cannot say. */
export interface BlockFilters {
  /** The index's own, for `mayHoldText` in model/text-filter.ts. */
  texts: Uint8Array;
  /** For `mayHoldAttributes` in model/attribute-filter.ts. */
  attributes: Uint8Array;
}

export type KeyKind = 'correlation' | 'trace' | 'operation' | 'component' | 'errors';

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
  /** Range of its message in `body`, as in a row of a record table. Absent: not known. */
  messageStart?: number;
  messageEnd?: number;
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
  // A copy, since what is left of the chunk would stay with it.
  const raw = new Uint8Array(zstdDecompressSync(bytes, { chunkSize: INDEX_CHUNK_BYTES }));
  const view = new DataView(raw.buffer);
  const magic = raw.length < PREFIX_BYTES ? 0 : view.getUint32(0, true);
  if (magic !== MAGIC && magic !== MAGIC_WHOLE_HEADER) throw new Error('not a block index of this version');
  const count = view.getUint32(4, true);
  const headerAt = PREFIX_BYTES + count * ROW_BYTES;
  const textsAt = headerAt + view.getUint32(8, true);
  const header = raw.subarray(headerAt, textsAt);
  return {
    header: magic === MAGIC ? decodeHeader(header) : decodeWholeHeader(header),
    columns: columnsIn(raw.buffer, count),
    count,
    texts: raw.subarray(textsAt, textsAt + view.getUint32(12, true)),
  };
}

/**
 * What {@link decodeIndex} reads, before compression.
 * @param texts the filter of the messages
 * @param fill is given the columns, all zero, to write into
 */
export function encodeIndex(
  header: BlockHeader,
  count: number,
  texts: Uint8Array,
  fill: (columns: BlockColumns) => void,
): Uint8Array {
  const encoded = encodeHeader(header);
  const headerAt = PREFIX_BYTES + count * ROW_BYTES;
  const raw = new Uint8Array(headerAt + encoded.length + texts.length);
  const view = new DataView(raw.buffer);
  view.setUint32(0, MAGIC, true);
  view.setUint32(4, count, true);
  view.setUint32(8, encoded.length, true);
  // Zero in blocks from before there were filters; who does not know of them reads no further than the header.
  view.setUint32(12, texts.length, true);
  raw.set(encoded, headerAt);
  raw.set(texts, headerAt + encoded.length);
  fill(columnsIn(raw.buffer, count));
  return raw;
}

export function encodePayload(bytes: Uint8Array): Uint8Array {
  return compressSync(bytes);
}

export function decodePayload(bytes: Uint8Array): Uint8Array {
  return zstdDecompressSync(bytes, { chunkSize: PAYLOAD_CHUNK_BYTES });
}

/** The same on zlib's threads: half a millisecond for a usual payload, in which the loop is free and others are decompressed beside it. */
export function decodePayloadAside(bytes: Uint8Array): Promise<Uint8Array> {
  return new Promise((resolve, reject) => {
    zstdDecompress(bytes, { chunkSize: PAYLOAD_CHUNK_BYTES }, (error, payload) =>
      error === null ? resolve(payload) : reject(error),
    );
  });
}

/** The partition of a record: its own day while that is retained (an hour of clock skew ahead allowed), else the day it arrived. */
export function partitionDay(time: bigint, receivedAt: bigint, retentionNanos: bigint): string {
  const retained = time > receivedAt - retentionNanos && time < receivedAt + SKEW_AHEAD_NANOS;
  return dayOf(retained ? time : receivedAt);
}

const MAGIC = 0x32424441; // 'ADB2'
/** 'ADB1': its header is one JSON document. */
const MAGIC_WHOLE_HEADER = 0x31424441;
const PREFIX_BYTES = 16;
/** Of a record in all columns together. */
const ROW_BYTES = 47;
/** A time that lies further ahead of its arrival is no time, but a clock that is wrong. */
export const SKEW_AHEAD_NANOS = 3_600_000_000_000n;

// A usual index whole: in zlib's 16 kB it is put together of five pieces.
const INDEX_CHUNK_BYTES = 1 << 17;
// A usual payload whole: in zlib's 16 kB it takes 30 trips to a thread and three times as long.
const PAYLOAD_CHUNK_BYTES = 1 << 19;

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

/**
 * One for each component, correlation, operation and trace within: under these a block is found. A component of which a record is at
 * level ERROR or above has another one for that.
 */
export function keysOf(
  header: BlockHeader,
  { component, severity }: Pick<BlockColumns, 'component' | 'severity'>,
): bigint[] {
  const keys = new Set<bigint>();
  const failing = new Set<number>();
  for (let i = 0; i < component.length; i++) if (severity[i]! >= SEVERITY_ERROR) failing.add(component[i]!);
  for (const position of failing) {
    const { type, id } = header.components[position]!;
    keys.add(blockKey('errors', type, id));
  }
  for (const { type, id } of header.components) keys.add(blockKey('component', type, id));
  for (const correlation of header.correlations) keys.add(blockKey('correlation', correlation));
  for (const operation of header.operations) keys.add(blockKey('operation', operation));
  for (const trace of header.traces) keys.add(blockKey('trace', trace));
  return [...keys];
}
