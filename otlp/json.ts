/**
 * OTLP/JSON to its protobuf twin and back, so that behind the door there is one encoding. The schema is the descriptors
 * of proto/gen; what OTLP/JSON does differently from protobuf's JSON (ids in hex, lenient readers) is here and in transcode.ts.
 * Mapping: https://opentelemetry.io/docs/specs/otlp/#json-protobuf-encoding
 */
import { setImmediate as nextTurn } from 'node:timers/promises';
import { type DescMessage, toJson } from '@bufbuild/protobuf';
import type { Signal } from '../model/block.ts';
import type { JsonObject } from '../model/json.ts';
import { ExportLogsServiceRequestSchema } from '../proto/gen/opentelemetry/proto/collector/logs/v1/logs_service_pb.js';
import { ExportMetricsServiceRequestSchema } from '../proto/gen/opentelemetry/proto/collector/metrics/v1/metrics_service_pb.js';
import { ExportTraceServiceRequestSchema } from '../proto/gen/opentelemetry/proto/collector/trace/v1/trace_service_pb.js';
import { decodeMessage } from './message.ts';
import { HEX_FIELDS } from './message-plan.ts';
import { transcode, transcoding } from './transcode.ts';

export const REQUEST_SCHEMAS = {
  log: ExportLogsServiceRequestSchema,
  span: ExportTraceServiceRequestSchema,
  metric: ExportMetricsServiceRequestSchema,
} as const satisfies Record<Signal, DescMessage>;

/**
 * The protobuf request that a JSON request stands for: fields in ascending order, defaults left out. Lenient as the collector:
 * snake_case keys, enum names, integers as strings or numbers, null for absent, unknown fields ignored, a byte order mark.
 * Of equal keys the last counts. An id that is not hex is left out, so that only its record is refused (a span) or
 * uncorrelated (a log record).
 * @param bytesMax largest protobuf that may come of it
 * @throws DebugError MALFORMED that names the path of what cannot be read, TOO_LARGE
 */
export function jsonToProtobuf(signal: Signal, body: Uint8Array, bytesMax = Infinity): Uint8Array {
  return transcode(REQUEST_SCHEMAS[signal], body, bytesMax);
}

/** The same for requests of any size: it goes in steps of some milliseconds, between which others have their turn. */
export async function jsonToProtobufInTurns(
  signal: Signal,
  body: Uint8Array,
  bytesMax = Infinity,
): Promise<Uint8Array> {
  const steps = transcoding(REQUEST_SCHEMAS[signal], body, bytesMax);
  for (;;) {
    const step = steps.next();
    if (step.done) return step.value;
    await nextTurn();
  }
}

/** The OTLP/JSON form of a protobuf request: what the OTLP file format puts on one line. */
export function protobufToJson(signal: Signal, body: Uint8Array): JsonObject {
  const schema: DescMessage = REQUEST_SCHEMAS[signal];
  const json = toJson(schema, decodeMessage(schema, body), { enumAsInteger: true }) as JsonObject;
  mend(json);
  return json;
}

/**
 * What OTLP/JSON writes otherwise than protobuf's JSON: ids, in hex. And what JSON.stringify would lose: the sign of -0, kept as
 * text as it is part of what a record's id is made of. Attribute keys are values in OTLP/JSON, so a key of this name is always the field.
 */
function mend(json: JsonObject): void {
  for (const [key, value] of Object.entries(json)) {
    if (typeof value === 'object' && value !== null) mend(value as JsonObject);
    else if (HEX_FIELDS.has(key)) json[key] = Uint8Array.fromBase64(value as string).toHex();
    else if (Object.is(value, -0)) json[key] = '-0';
  }
}
