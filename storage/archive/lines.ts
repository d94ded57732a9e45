/**
 * A block as lines of the OTLP file format (https://opentelemetry.io/docs/specs/otel/protocol/file-exporter/) and back. A line is one
 * JSON export request, so that any collector and any text tool reads the archive. What the lines cannot say (event ids as they were
 * given, templates, arrival times) stays in the block's index beside them.
 */
import { BinaryWriter } from '@bufbuild/protobuf/wire';
import { assert } from '../../base/assert.ts';
import {
  type BlockIndex,
  decodeIndex,
  decodePayload,
  encodePayload,
  replaceIndexLayout,
  SIGNALS,
  type Signal,
} from '../../model/block.ts';
import { jsonToProtobuf, protobufToJson } from '../../otlp/json.ts';
import { indexRequest } from '../../otlp/walk.ts';

export interface BlockLines {
  lines: string;
  /** The block's index, its offsets now into what {@link payloadOf} makes of the lines. */
  index: Uint8Array;
}

export function linesOf(index: Uint8Array, payload: Uint8Array): BlockLines {
  const block = decodeIndex(index);
  const requests = requestsOf(block, decodePayload(payload));
  const lines = requests.map(({ signal, bytes }) => JSON.stringify(protobufToJson(signal, bytes)));
  return { lines: `${lines.join('\n')}\n`, index: relaid(block, lines) };
}

/** The payload that goes with the index: the lines as protobuf, back to back. */
export function payloadOf(lines: string): Uint8Array {
  return encodePayload(
    Buffer.concat(requestsIn(lines.split('\n').filter((line) => line !== '')).map(({ bytes }) => bytes)),
  );
}

interface Request {
  signal: Signal;
  bytes: Uint8Array;
}

/** Runs of records that share an envelope, each as one export request. The parts of a span or metric come with it. */
function requestsOf({ header, columns, count }: BlockIndex, payload: Uint8Array): Request[] {
  const requests: Request[] = [];
  let from = 0;
  for (let i = 1; i <= count; i++) {
    if (i < count && columns.envelope[i] === columns.envelope[from] && columns.signal[i] === columns.signal[from])
      continue;
    const envelope = header.envelopes[columns.envelope[from]!]!;
    const writer = new BinaryWriter();
    writer.tag(1, 2).fork();
    writer.tag(1, 2).bytes(payload.subarray(envelope.resourceStart, envelope.resourceStart + envelope.resourceLength));
    writer.tag(2, 2).fork();
    writer.tag(1, 2).bytes(payload.subarray(envelope.scopeStart, envelope.scopeStart + envelope.scopeLength));
    for (let k = from; k < i; k++) {
      if (k > from && columns.start[k] === columns.start[k - 1]) continue;
      writer.tag(2, 2).bytes(payload.subarray(columns.start[k]!, columns.start[k]! + columns.length[k]!));
    }
    writer.tag(3, 2).string(envelope.scopeSchemaUrl).join();
    writer.tag(3, 2).string(envelope.resourceSchemaUrl).join();
    requests.push({ signal: SIGNALS[columns.signal[from]!]!, bytes: writer.finish() });
    from = i;
  }
  return requests;
}

function requestsIn(lines: readonly string[]): Request[] {
  return lines.map((line) => {
    const signal = line.startsWith('{"resourceLogs"') ? 'log' : line.startsWith('{"resourceSpans"') ? 'span' : 'metric';
    return { signal, bytes: jsonToProtobuf(signal, encoder.encode(line)) };
  });
}

/**
 * The index over the payload that the lines will give: same records in the same order, only lying elsewhere. Records are matched
 * by their order and not by id, as a byte that was no UTF-8 has become U+FFFD in JSON.
 */
function relaid(block: BlockIndex, lines: readonly string[]): Uint8Array {
  const { columns, count } = block;
  const envelopes = block.header.envelopes.map((envelope) => ({ ...envelope }));
  const start = new Uint32Array(count);
  const length = new Uint32Array(count);
  let at = 0;
  let base = 0;
  for (const { signal, bytes } of requestsIn(lines)) {
    let messageStart = -1;
    for (const record of indexRequest(signal, bytes).records) {
      if (record.start === messageStart) continue; // another part of the message before
      messageStart = record.start;
      const from = at;
      while (at < count && (at === from || columns.start[at] === columns.start[from])) {
        start[at] = base + record.start;
        length[at] = record.end - record.start;
        at++;
      }
      const { resourceStart, resourceEnd, scopeStart, scopeEnd } = record.envelope;
      Object.assign(envelopes[columns.envelope[from]!]!, {
        resourceStart: base + resourceStart,
        resourceLength: resourceEnd - resourceStart,
        scopeStart: base + scopeStart,
        scopeLength: scopeEnd - scopeStart,
      });
    }
    base += bytes.length;
  }
  assert(at === count, `the archive's lines hold ${at} of the block's ${count} records`);
  return replaceIndexLayout(block, envelopes, start, length);
}

const encoder = new TextEncoder();
