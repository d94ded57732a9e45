/**
 * A block's records as lines of the OTLP file format (one export request in OTLP/JSON a line), which any collector and any text tool
 * reads, and back to the block's very bytes. Encoding the lines anew and laying them where the index says gives these bytes where the sender keeps to
 * protobuf's usual order and leaves defaults out; from whoever does not (the JavaScript SDK writes its zeros), and for what no line can say (a field
 * that this version does not know, text that is no UTF-8), a patch beside makes up the difference.
 * Format: https://opentelemetry.io/docs/specs/otel/protocol/file-exporter/
 */
import { constants, zstdCompressSync, zstdDecompressSync } from 'node:zlib';
import { BinaryWriter } from '@bufbuild/protobuf/wire';
import { type BlockIndex, SIGNALS, type Signal } from '../../model/block.ts';
import { jsonToProtobuf, protobufToJson } from '../../otlp/json.ts';
import { LENGTH, WireReader } from '../../otlp/wire.ts';

export interface ArchivedRecords {
  /** UTF-8; each line ends in a newline. */
  lines: Uint8Array;
  /** From what the lines give back to the payload, compressed; empty where that is the same. */
  patch: Uint8Array;
}

/** @param payload the block's, decompressed */
export function toLines(index: BlockIndex, payload: Uint8Array): ArchivedRecords {
  const lines = runsOf(index).map((run) => {
    const line = lineOf(index, payload, run);
    if (line !== null) return line;
    // Something in it cannot be decoded: that is left to the patch, and what is around it gets its line.
    const records = run.records.filter((record) => lineOf(index, payload, { ...run, records: [record] }) !== null);
    return records.length === 0 ? null : lineOf(index, payload, { ...run, records });
  });
  const readable = lines.filter((line) => line !== null);
  const restored = layOut(
    index,
    readable.map(({ request }) => request),
  );
  return {
    lines: encoder.encode(readable.map(({ json }) => `${json}\n`).join('')),
    patch: Buffer.compare(restored, payload) === 0 ? NOTHING : patchOf(restored, payload),
  };
}

/** @returns the payload, decompressed */
export function fromLines(index: BlockIndex, { lines, patch }: ArchivedRecords): Uint8Array {
  const requests = decoder.decode(lines).split('\n').slice(0, -1).map(requestOf);
  const restored = layOut(index, requests);
  return patch.length === 0 ? restored : zstdDecompressSync(patch, { dictionary: dictionaryOf(restored) });
}

/** An export request in protobuf, of records of one resource and scope. */
export interface StoredRequest {
  signal: Signal;
  body: Uint8Array;
  /** Log records, spans or metrics. */
  records: number;
}

/** Those records of a block that are taken, as they were sent; a span comes with its events, a metric with its points. */
export function requestsOf(
  index: BlockIndex,
  payload: Uint8Array,
  takes: (position: number) => boolean,
): StoredRequest[] {
  return runsOf(index, takes).map((run) => ({
    signal: run.signal,
    body: requestBytes(index, payload, run),
    records: run.records.length,
  }));
}

/** A range of bytes. */
interface Piece {
  start: number;
  end: number;
}

/** Records of one signal, resource and scope in a row: one line. */
interface Run {
  signal: Signal;
  envelope: number;
  records: Piece[];
}

const encoder = new TextEncoder();
const decoder = new TextDecoder();
const NOTHING = new Uint8Array();

/** Each record once: the events of a span and the points of a metric share its bytes. */
function runsOf({ columns, count }: BlockIndex, takes: (position: number) => boolean = () => true): Run[] {
  const runs: Run[] = [];
  for (let i = 0; i < count; i++) {
    if (!takes(i)) continue;
    const signal = SIGNALS[columns.signal[i]!]!;
    const envelope = columns.envelope[i]!;
    const start = columns.start[i]!;
    const end = start + columns.length[i]!;
    let run = runs.at(-1);
    if (run?.signal !== signal || run.envelope !== envelope) {
      run = { signal, envelope, records: [] };
      runs.push(run);
    }
    const last = run.records.at(-1);
    if (columns.part[i] === 0 || last?.start !== start || last.end !== end) run.records.push({ start, end });
  }
  return runs;
}

// The numbers are the same in all three signals: resource_logs, resource, scope_logs, scope, log_records, schema_url.
const RESOURCES = 1;
const RESOURCE = 1;
const SCOPES = 2;
const SCOPE = 1;
const RECORDS = 2;
const SCHEMA_URL = 3;

/** A line, and the request that it gives back. Null when something in it cannot be decoded. */
function lineOf(index: BlockIndex, payload: Uint8Array, run: Run): { json: string; request: Uint8Array } | null {
  try {
    const json = JSON.stringify(protobufToJson(run.signal, requestBytes(index, payload, run)));
    return { json, request: requestOf(json) };
  } catch {
    return null;
  }
}

function requestBytes({ header }: BlockIndex, payload: Uint8Array, run: Run): Uint8Array {
  const envelope = header.envelopes[run.envelope]!;
  const bytes = (start: number, length: number) => payload.subarray(start, start + length);
  const writer = new BinaryWriter();
  writer.tag(RESOURCES, LENGTH).fork();
  writer.tag(RESOURCE, LENGTH).bytes(bytes(envelope.resourceStart, envelope.resourceLength));
  writer.tag(SCOPES, LENGTH).fork();
  writer.tag(SCOPE, LENGTH).bytes(bytes(envelope.scopeStart, envelope.scopeLength));
  for (const { start, end } of run.records) writer.tag(RECORDS, LENGTH).bytes(payload.subarray(start, end));
  if (envelope.scopeSchemaUrl !== '') writer.tag(SCHEMA_URL, LENGTH).string(envelope.scopeSchemaUrl);
  writer.join();
  if (envelope.resourceSchemaUrl !== '') writer.tag(SCHEMA_URL, LENGTH).string(envelope.resourceSchemaUrl);
  return writer.join().finish();
}

const SIGNAL_KEYS: readonly [string, Signal][] = [
  ['{"resourceLogs"', 'log'],
  ['{"resourceSpans"', 'span'],
  ['{"resourceMetrics"', 'metric'],
];

function requestOf(line: string): Uint8Array {
  const [, signal] = SIGNAL_KEYS.find(([key]) => line.startsWith(key))!;
  return jsonToProtobuf(signal, encoder.encode(line));
}

/** Every piece where the index says that it lies, and between records of one request what stood there: their tags and lengths. */
function layOut(index: BlockIndex, requests: readonly Uint8Array[]): Uint8Array {
  const { envelopes } = index.header;
  const runs = runsOf(index);
  const parts = requests.map(split);
  const records = parts.flatMap((part) => part.records);
  const places = runs.flatMap((run) => run.records);
  // Something could not be decoded: what is left follows each other, for the patch to take from.
  if (records.length !== places.length || requests.length !== runs.length) return Buffer.concat(records);
  const ends = [...places.map(({ end }) => end), ...envelopes.map((one) => one.resourceStart + one.resourceLength)];
  const size = [...ends, ...envelopes.map((one) => one.scopeStart + one.scopeLength)].reduce(
    (a, b) => Math.max(a, b),
    0,
  );
  const payload = new Uint8Array(size);
  const put = (bytes: Uint8Array, start: number, length: number) => payload.set(bytes.subarray(0, length), start);
  for (const [i, { resource, scope }] of parts.entries()) {
    const envelope = envelopes[runs[i]!.envelope]!;
    put(resource, envelope.resourceStart, envelope.resourceLength);
    put(scope, envelope.scopeStart, envelope.scopeLength);
  }
  let last = -1;
  for (const [i, { start, end }] of places.entries()) {
    const head = headOf(end - start);
    if (last >= 0 && start - last === head.length) payload.set(head, last);
    put(records[i]!, start, end - start);
    last = end;
  }
  return payload;
}

/** What stands before a record of so many bytes in its request. */
function headOf(length: number): number[] {
  const head = [(RECORDS << 3) | LENGTH];
  for (let rest = length; ; rest >>>= 7) {
    if (rest < 128) return [...head, rest];
    head.push((rest & 127) | 128);
  }
}

interface RequestPieces {
  resource: Uint8Array;
  scope: Uint8Array;
  /** Of the resource, of the scope. */
  schemaUrls: [Uint8Array, Uint8Array];
  records: Uint8Array[];
}

/** The pieces of a request as {@link lineOf} makes them. */
function split(request: Uint8Array): RequestPieces {
  const pieces: RequestPieces = { resource: NOTHING, scope: NOTHING, schemaUrls: [NOTHING, NOTHING], records: [] };
  const outer = new WireReader(request);
  outer.next();
  const resources = new WireReader(request, outer.range(), outer.position);
  while (resources.next()) {
    const { field } = resources;
    const start = resources.range();
    const bytes = request.subarray(start, resources.position);
    if (field === RESOURCE) pieces.resource = bytes;
    else if (field === SCHEMA_URL) pieces.schemaUrls[0] = bytes;
    else if (field === SCOPES) {
      const scopes = new WireReader(request, start, resources.position);
      while (scopes.next()) {
        const { field } = scopes;
        const bytes = request.subarray(scopes.range(), scopes.position);
        if (field === SCOPE) pieces.scope = bytes;
        else if (field === SCHEMA_URL) pieces.schemaUrls[1] = bytes;
        else if (field === RECORDS) pieces.records.push(bytes);
      }
    }
  }
  return pieces;
}

// Level 6 finds the zeros that the JavaScript SDK puts between: 4.5 bytes and 15 µs a record; level 3 takes up to twice the bytes.
const PATCH_LEVEL = 6;

function patchOf(restored: Uint8Array, payload: Uint8Array): Uint8Array {
  const dictionary = dictionaryOf(restored);
  // The window must reach from the last byte of the payload to the first of the dictionary.
  const windowLog = Math.min(Math.max(Math.ceil(Math.log2(dictionary.length + payload.length + 1)), 10), 27);
  const params = { [constants.ZSTD_c_compressionLevel]: PATCH_LEVEL, [constants.ZSTD_c_windowLog]: windowLog };
  return zstdCompressSync(payload, { dictionary, params });
}

/** Behind a byte of its own: what began like one of zstd's trained dictionaries would be taken for one. */
function dictionaryOf(restored: Uint8Array): Uint8Array {
  return Buffer.concat([Uint8Array.of(0), restored]);
}
