/**
 * A block's records as lines of the OTLP file format (one export request in OTLP/JSON a line), which any collector and any text tool
 * reads, and back. What comes back is the same messages encoded anew: fields in order, defaults left out (the JavaScript SDK
 * writes its zeros). Every event reads as before; only where the records lie in the payload changes, and the index with it. A record that
 * a line would change (a field that this version does not know, a part that cannot be decoded) is kept beside as it was.
 * Format: https://opentelemetry.io/docs/specs/otel/protocol/file-exporter/
 */
import { zstdCompressSync, zstdDecompressSync } from 'node:zlib';
import { fromBinary, toBinary } from '@bufbuild/protobuf';
import { BinaryWriter } from '@bufbuild/protobuf/wire';
import { type BlockIndex, type Envelope, replaceIndexLayout, SIGNALS, type Signal } from '../../model/block.ts';
import { jsonToProtobuf, protobufToJson, REQUEST_SCHEMAS } from '../../otlp/json.ts';
import { DEPTH_MAX, LENGTH, WireReader } from '../../otlp/wire.ts';

export interface ArchivedRecords {
  /** UTF-8; each line ends in a newline. */
  lines: Uint8Array;
  /** What the lines do not give back, compressed; empty for most blocks. */
  exceptions: Uint8Array;
}

/** A block over a payload that can be given back. */
export interface RestorableBlock extends ArchivedRecords {
  index: Uint8Array;
  /** Decompressed: what {@link fromLines} answers. */
  payload: Uint8Array;
}

/** @param payload the block's, decompressed */
export function toLines(index: BlockIndex, payload: Uint8Array): RestorableBlock {
  const { records, recordAt } = recordsOf(index);
  const unreadable = new Set<number>();
  const anew = new Map<Piece, Uint8Array>();
  const envelopes = index.header.envelopes.map(piecesOfEnvelope);
  let lines = '';
  for (const run of runsOf(records)) {
    const line = encodeRun(index, payload, run) ?? encodeReadable(index, payload, run, unreadable);
    if (line === null) continue;
    lines += `${line.json}\n`;
    noteFaithful(line, envelopes[run.envelope]!, anew);
  }

  const layout = layOut(payload, [...envelopes.flat(), ...records], anew);
  const exceptions: Exceptions = { unreadable: [...unreadable], kept: layout.kept };
  return {
    lines: encoder.encode(lines),
    exceptions: layout.kept.length === 0 ? NOTHING : zstdCompressSync(encoder.encode(JSON.stringify(exceptions))),
    index: replaceIndexLayout(
      index,
      index.header.envelopes.map((envelope, i) => movedEnvelope(envelope, envelopes[i]!, layout.places)),
      Uint32Array.from(recordAt, (record) => layout.places.get(records[record]!)!.start),
      Uint32Array.from(recordAt, (record) => lengthOf(layout.places.get(records[record]!)!)),
    ),
    payload: layout.payload,
  };
}

/**
 * @param index as {@link toLines} made it
 * @param length of the payload
 */
export function fromLines(index: BlockIndex, archived: ArchivedRecords, length: number): Uint8Array {
  const { unreadable, kept }: Exceptions =
    archived.exceptions.length === 0
      ? { unreadable: [], kept: [] }
      : JSON.parse(decoder.decode(zstdDecompressSync(archived.exceptions)));
  const payload = new Uint8Array(length);
  const lines = decoder.decode(archived.lines).split('\n');
  let next = 0;
  for (const run of runsOf(recordsOf(index).records)) {
    const readable = run.records.filter(({ ordinal }) => !unreadable.includes(ordinal));
    if (readable.length === 0) continue;
    const request = jsonToProtobuf(run.signal, encoder.encode(lines[next++]));
    const { resource, scope, records } = split(request);
    const [resourcePlace, scopePlace] = piecesOfEnvelope(index.header.envelopes[run.envelope]!);
    const pairs = [
      [resource, resourcePlace],
      [scope, scopePlace],
      ...readable.map((record, i) => [records[i], record] as const),
    ] as const;
    for (const [from, to] of pairs) {
      if (from !== undefined && lengthOf(from) === lengthOf(to)) payload.set(bytesOf(request, from), to.start);
    }
  }
  for (const { start, bytes } of kept) payload.set(Uint8Array.fromBase64(bytes), start);
  return payload;
}

interface Exceptions {
  /** Ordinals of records that are in no line. */
  unreadable: number[];
  /** Base64 of what belongs at `start` of the payload. */
  kept: { start: number; bytes: string }[];
}

/** A range of bytes. */
interface Piece {
  start: number;
  end: number;
}

interface WireRecord extends Piece {
  ordinal: number;
  signal: Signal;
  envelope: number;
}

/** Records of one signal, resource and scope in a row: one line. */
interface Run {
  signal: Signal;
  envelope: number;
  records: WireRecord[];
}

interface EncodedRun {
  run: Run;
  json: string;
  /** What the line gives back. */
  restored: Uint8Array;
  /** What it should: the same messages, encoded by the same rules, with all that was in them. */
  expected: Uint8Array;
}

const encoder = new TextEncoder();
const decoder = new TextDecoder();
const NOTHING = new Uint8Array();
// As otlp/message.ts reads; here unknown fields stay, so that losing one is noticed.
const READ_OPTIONS = { readUnknownFields: true, recursionLimit: 3 * DEPTH_MAX + 16 };

/** Each record once (the events of a span and the points of a metric share its bytes), and which one each position has. */
function recordsOf({ columns, count }: BlockIndex): { records: WireRecord[]; recordAt: number[] } {
  const records: WireRecord[] = [];
  const recordAt: number[] = [];
  for (let i = 0; i < count; i++) {
    const last = records.at(-1);
    const start = columns.start[i]!;
    const end = start + columns.length[i]!;
    const signal = SIGNALS[columns.signal[i]!]!;
    const isPart = columns.part[i] !== 0 && last?.start === start && last.end === end && last.signal === signal;
    if (!isPart) records.push({ ordinal: records.length, start, end, signal, envelope: columns.envelope[i]! });
    recordAt.push(records.length - 1);
  }
  return { records, recordAt };
}

function runsOf(records: readonly WireRecord[]): Run[] {
  const runs: Run[] = [];
  for (const record of records) {
    const run = runs.at(-1);
    if (run?.signal === record.signal && run.envelope === record.envelope) run.records.push(record);
    else runs.push({ signal: record.signal, envelope: record.envelope, records: [record] });
  }
  return runs;
}

/** Null when something in it cannot be decoded. */
function encodeRun(index: BlockIndex, payload: Uint8Array, run: Run): EncodedRun | null {
  const request = requestOf(index.header.envelopes[run.envelope]!, payload, run);
  const schema = REQUEST_SCHEMAS[run.signal];
  try {
    const json = JSON.stringify(protobufToJson(run.signal, request));
    const restored = jsonToProtobuf(run.signal, encoder.encode(json));
    return { run, json, restored, expected: toBinary(schema, fromBinary(schema, request, READ_OPTIONS)) };
  } catch {
    return null;
  }
}

/** Tries the records one by one, and notes those that are in no line. */
function encodeReadable(index: BlockIndex, payload: Uint8Array, run: Run, unreadable: Set<number>): EncodedRun | null {
  const records = run.records.filter((record) => encodeRun(index, payload, { ...run, records: [record] }) !== null);
  const line = records.length === 0 ? null : encodeRun(index, payload, { ...run, records });
  for (const record of run.records) if (line === null || !records.includes(record)) unreadable.add(record.ordinal);
  return line;
}

// The numbers are the same in all three signals: resource_logs, resource, scope_logs, scope, log_records, schema_url.
const RESOURCES = 1;
const RESOURCE = 1;
const SCOPES = 2;
const SCOPE = 1;
const RECORDS = 2;
const SCHEMA_URL = 3;

function requestOf(envelope: Envelope, payload: Uint8Array, run: Run): Uint8Array {
  const [resource, scope] = piecesOfEnvelope(envelope);
  const writer = new BinaryWriter();
  writer.tag(RESOURCES, LENGTH).fork();
  writer.tag(RESOURCE, LENGTH).bytes(bytesOf(payload, resource));
  writer.tag(SCOPES, LENGTH).fork();
  writer.tag(SCOPE, LENGTH).bytes(bytesOf(payload, scope));
  for (const record of run.records) writer.tag(RECORDS, LENGTH).bytes(bytesOf(payload, record));
  if (envelope.scopeSchemaUrl !== '') writer.tag(SCHEMA_URL, LENGTH).string(envelope.scopeSchemaUrl);
  writer.join();
  if (envelope.resourceSchemaUrl !== '') writer.tag(SCHEMA_URL, LENGTH).string(envelope.resourceSchemaUrl);
  writer.join();
  return writer.finish();
}

interface RequestPieces {
  resource?: Piece;
  scope?: Piece;
  records: Piece[];
}

/** The pieces of a request that {@link requestOf} made. */
function split(request: Uint8Array): RequestPieces {
  const pieces: RequestPieces = { records: [] };
  const within = (outer: Piece, fields: { [field: number]: (piece: Piece) => void }) => {
    const reader = new WireReader(request, outer.start, outer.end);
    while (reader.next()) {
      const start = reader.range();
      fields[reader.field]?.({ start, end: reader.position });
    }
  };
  const scopes = (piece: Piece) =>
    within(piece, {
      [SCOPE]: (scope) => {
        pieces.scope = scope;
      },
      [RECORDS]: (record) => pieces.records.push(record),
    });
  const resources = (piece: Piece) =>
    within(piece, {
      [RESOURCE]: (resource) => {
        pieces.resource = resource;
      },
      [SCOPES]: scopes,
    });
  within({ start: 0, end: request.length }, { [RESOURCES]: resources });
  return pieces;
}

/** Notes, for each piece of the payload that the line gives back whole, the bytes that it gives back. */
function noteFaithful(line: EncodedRun, [resource, scope]: [Piece, Piece], anew: Map<Piece, Uint8Array>): void {
  const restored = split(line.restored);
  const expected = split(line.expected);
  const note = (piece: Piece, from: Piece | undefined, as: Piece | undefined) => {
    if (from === undefined || as === undefined) return;
    const bytes = bytesOf(line.restored, from);
    if (Buffer.compare(bytes, bytesOf(line.expected, as)) === 0) anew.set(piece, bytes);
  };
  note(resource, restored.resource, expected.resource);
  note(scope, restored.scope, expected.scope);
  for (const [i, record] of line.run.records.entries()) note(record, restored.records[i], expected.records[i]);
}

interface Layout {
  payload: Uint8Array;
  places: Map<Piece, Piece>;
  kept: Exceptions['kept'];
}

/** Lays the pieces back to back in the order in which they lay, as the lines give them back, or as they were. */
function layOut(payload: Uint8Array, pieces: readonly Piece[], anew: ReadonlyMap<Piece, Uint8Array>): Layout {
  const places = new Map<Piece, Piece>();
  const parts: Uint8Array[] = [];
  const kept: Exceptions['kept'] = [];
  let start = 0;
  for (const piece of pieces.toSorted((a, b) => a.start - b.start || a.end - b.end)) {
    const bytes = anew.get(piece) ?? bytesOf(payload, piece);
    if (!anew.has(piece)) kept.push({ start, bytes: bytes.toBase64() });
    places.set(piece, { start, end: start + bytes.length });
    parts.push(bytes);
    start += bytes.length;
  }
  return { payload: Buffer.concat(parts), places, kept };
}

function piecesOfEnvelope(envelope: Envelope): [Piece, Piece] {
  const { resourceStart, resourceLength, scopeStart, scopeLength } = envelope;
  return [
    { start: resourceStart, end: resourceStart + resourceLength },
    { start: scopeStart, end: scopeStart + scopeLength },
  ];
}

function movedEnvelope(envelope: Envelope, [resource, scope]: [Piece, Piece], places: Map<Piece, Piece>): Envelope {
  const [newResource, newScope] = [places.get(resource)!, places.get(scope)!];
  return {
    ...envelope,
    resourceStart: newResource.start,
    resourceLength: lengthOf(newResource),
    scopeStart: newScope.start,
    scopeLength: lengthOf(newScope),
  };
}

function bytesOf(bytes: Uint8Array, { start, end }: Piece): Uint8Array {
  return bytes.subarray(start, end);
}

function lengthOf({ start, end }: Piece): number {
  return end - start;
}
