/**
 * OTLP/JSON to its protobuf twin and back, so that behind the door there is one encoding. The schema is the descriptors
 * of proto/gen; what OTLP/JSON does differently from protobuf's JSON (ids in hex, lenient readers) is here.
 * Mapping: https://opentelemetry.io/docs/specs/otlp/#json-protobuf-encoding
 */
import { type DescField, type DescMessage, ScalarType, toJson } from '@bufbuild/protobuf';
import { BinaryWriter } from '@bufbuild/protobuf/wire';
import { DebugError } from '../base/errors.ts';
import type { Signal } from '../model/block.ts';
import type { JsonObject } from '../model/json.ts';
import { ExportLogsServiceRequestSchema } from '../proto/gen/opentelemetry/proto/collector/logs/v1/logs_service_pb.js';
import { ExportMetricsServiceRequestSchema } from '../proto/gen/opentelemetry/proto/collector/metrics/v1/metrics_service_pb.js';
import { ExportTraceServiceRequestSchema } from '../proto/gen/opentelemetry/proto/collector/trace/v1/trace_service_pb.js';
import { decodeMessage } from './message.ts';
import { DEPTH_MAX, FIXED32, FIXED64, LENGTH, VARINT } from './wire.ts';

export const REQUEST_SCHEMAS = {
  log: ExportLogsServiceRequestSchema,
  span: ExportTraceServiceRequestSchema,
  metric: ExportMetricsServiceRequestSchema,
} as const satisfies Record<Signal, DescMessage>;

/**
 * The protobuf request that a JSON request stands for: fields in ascending order, defaults left out. Lenient as the collector:
 * snake_case keys, enum names, integers as strings or numbers, null for absent, unknown fields ignored, a byte order mark.
 * An id that is not hex is left out, so that only its record is refused (a span) or uncorrelated (a log record).
 * @throws DebugError MALFORMED that names the path of what cannot be read
 */
export function jsonToProtobuf(signal: Signal, body: Uint8Array): Uint8Array {
  const request = parse(body);
  const path: (string | number)[] = [];
  try {
    const writer = new BinaryWriter();
    writeMessage(writer, planOf(REQUEST_SCHEMAS[signal]), request, path, 0);
    return writer.finish();
  } catch (error) {
    if (!(error instanceof ValueError)) throw error;
    throw new DebugError('MALFORMED', `not an OTLP JSON request: ${pathText(path)}: ${error.message}`, {
      cause: error,
    });
  }
}

/** The OTLP/JSON form of a protobuf request: what the OTLP file format puts on one line. */
export function protobufToJson(signal: Signal, body: Uint8Array): JsonObject {
  const schema: DescMessage = REQUEST_SCHEMAS[signal];
  const json = toJson(schema, decodeMessage(schema, body), { enumAsInteger: true }) as JsonObject;
  hexIds(json);
  return json;
}

/** Bytes fields that OTLP/JSON writes as hex, everywhere in the schema. */
const HEX_FIELDS = new Set(['traceId', 'spanId', 'parentSpanId']);

class ValueError extends Error {}

// A bare integer past 2^53 would be rounded by JSON.parse. Its source text is kept, at a cost that only such bodies pay.
const BIG_INTEGER = /[:[,\s]-?\d{16,}/;

function parse(body: Uint8Array): unknown {
  const text = new TextDecoder('utf-8').decode(body); // drops a byte order mark, replaces what is no UTF-8
  try {
    return BIG_INTEGER.test(text) ? JSON.parse(text, keepBigInteger) : JSON.parse(text);
  } catch (error) {
    throw new DebugError('MALFORMED', `not JSON: ${(error as Error).message}`, { cause: error });
  }
}

function keepBigInteger(_key: string, value: unknown, context?: { source?: string }): unknown {
  if (typeof value !== 'number' || Number.isSafeInteger(value) || context?.source === undefined) return value;
  return /^-?\d+$/.test(context.source) ? context.source : value;
}

/** A field as the transcoder needs it, compiled once per message from its descriptor. */
interface FieldPlan {
  number: number;
  jsonName: string;
  snakeName: string;
  repeated: boolean;
  /** Written even when it is the default: members of a oneof and proto3 optional fields. */
  explicit: boolean;
  write: (
    writer: BinaryWriter,
    number: number,
    value: unknown,
    explicit: boolean,
    path: (string | number)[],
    depth: number,
  ) => void;
  /** Repeated numbers are packed into one field. */
  packed: ((writer: BinaryWriter, value: unknown) => void) | null;
}

const plans = new Map<string, FieldPlan[]>();

function planOf(message: DescMessage): FieldPlan[] {
  let plan = plans.get(message.typeName);
  if (plan === undefined) {
    plan = [];
    plans.set(message.typeName, plan); // before its fields: messages are recursive
    for (const field of message.fields) plan.push(fieldPlan(field));
    plan.sort((a, b) => a.number - b.number);
  }
  return plan;
}

function fieldPlan(field: DescField): FieldPlan {
  const repeated = field.fieldKind === 'list';
  const scalar =
    field.fieldKind === 'scalar' || (repeated && field.listKind === 'scalar')
      ? SCALARS[field.scalar as ScalarType]
      : undefined;
  return {
    number: field.number,
    jsonName: field.jsonName,
    snakeName: field.name,
    repeated,
    explicit: field.oneof !== undefined || field.proto?.proto3Optional === true || repeated,
    write: writerOf(field),
    packed: repeated && scalar !== undefined && scalar.wireType !== LENGTH ? scalar.write : null,
  };
}

function writerOf(field: DescField): FieldPlan['write'] {
  const message = field.message;
  if (message !== undefined) {
    return (writer, number, value, _explicit, path, depth) => {
      writer.tag(number, LENGTH).fork();
      writeMessage(writer, planOf(message), value, path, depth + 1);
      writer.join();
    };
  }
  const values = field.enum;
  if (values !== undefined) {
    const names = new Map(values.values.map((value) => [value.name, value.number]));
    return (writer, number, value, explicit) => {
      const code =
        typeof value === 'string' && names.has(value)
          ? names.get(value)!
          : Number(integer(value, -0x80000000n, 0x7fffffffn));
      if (code !== 0 || explicit) writer.tag(number, VARINT).int32(code);
    };
  }
  if (field.scalar === ScalarType.BYTES && HEX_FIELDS.has(field.jsonName)) {
    return (writer, number, value) => {
      const bytes = hexBytes(text(value));
      if (bytes.length > 0) writer.tag(number, LENGTH).bytes(bytes);
    };
  }
  const scalar = SCALARS[field.scalar as ScalarType];
  if (scalar === undefined) throw new Error(`${field}: no OTLP field has this type`);
  return (writer, number, value, explicit) => {
    if (!explicit && scalar.isDefault(value)) return;
    writer.tag(number, scalar.wireType);
    scalar.write(writer, value);
  };
}

interface Scalar {
  wireType: number;
  write: (writer: BinaryWriter, value: unknown) => void;
  isDefault: (value: unknown) => boolean;
}

const isZero = (value: unknown) => value === 0 || value === '0';
const INT64_MIN = -(2n ** 63n);
const INT64_MAX = 2n ** 63n - 1n;
const UINT64_MAX = 2n ** 64n - 1n;

const SCALARS: Partial<Record<ScalarType, Scalar>> = {
  [ScalarType.STRING]: { wireType: LENGTH, write: (w, v) => w.string(text(v)), isDefault: (v) => v === '' },
  [ScalarType.BYTES]: { wireType: LENGTH, write: (w, v) => w.bytes(base64Bytes(text(v))), isDefault: (v) => v === '' },
  [ScalarType.BOOL]: { wireType: VARINT, write: (w, v) => w.bool(boolean(v)), isDefault: (v) => v === false },
  [ScalarType.DOUBLE]: {
    wireType: FIXED64,
    write: (w, v) => w.double(double(v)),
    isDefault: (v) => Object.is(v, 0) || v === '0',
  },
  [ScalarType.INT64]: {
    wireType: VARINT,
    write: (w, v) => w.int64(integer(v, INT64_MIN, INT64_MAX)),
    isDefault: isZero,
  },
  [ScalarType.UINT64]: { wireType: VARINT, write: (w, v) => w.uint64(integer(v, 0n, UINT64_MAX)), isDefault: isZero },
  [ScalarType.FIXED64]: {
    wireType: FIXED64,
    write: (w, v) => w.fixed64(integer(v, 0n, UINT64_MAX)),
    isDefault: isZero,
  },
  [ScalarType.SFIXED64]: {
    wireType: FIXED64,
    write: (w, v) => w.sfixed64(integer(v, INT64_MIN, INT64_MAX)),
    isDefault: isZero,
  },
  [ScalarType.INT32]: {
    wireType: VARINT,
    write: (w, v) => w.int32(Number(integer(v, -0x80000000n, 0x7fffffffn))),
    isDefault: isZero,
  },
  [ScalarType.SINT32]: {
    wireType: VARINT,
    write: (w, v) => w.sint32(Number(integer(v, -0x80000000n, 0x7fffffffn))),
    isDefault: isZero,
  },
  [ScalarType.UINT32]: {
    wireType: VARINT,
    write: (w, v) => w.uint32(Number(integer(v, 0n, 0xffffffffn))),
    isDefault: isZero,
  },
  [ScalarType.FIXED32]: {
    wireType: FIXED32,
    write: (w, v) => w.fixed32(Number(integer(v, 0n, 0xffffffffn))),
    isDefault: isZero,
  },
};

function writeMessage(
  writer: BinaryWriter,
  plan: FieldPlan[],
  json: unknown,
  path: (string | number)[],
  depth: number,
): void {
  if (typeof json !== 'object' || json === null || Array.isArray(json))
    throw new ValueError(`${kindOf(json)} where an object belongs`);
  // Values nested too deep end here; the walk sees that they were and refuses their record alone.
  // Each level of a value is two messages, and a request has some six of its own around it.
  if (depth > 3 * DEPTH_MAX + 8) return;
  const object = json as Record<string, unknown>;
  for (const field of plan) {
    const value = own(object, field.jsonName) ?? own(object, field.snakeName);
    if (value === undefined || value === null) continue;
    path.push(field.jsonName);
    if (!field.repeated) field.write(writer, field.number, value, field.explicit, path, depth);
    else if (!Array.isArray(value)) throw new ValueError(`${kindOf(value)} where an array belongs`);
    else if (field.packed !== null) writePacked(writer, field.number, field.packed, value, path);
    else {
      for (let i = 0; i < value.length; i++) {
        path.push(i);
        field.write(writer, field.number, value[i], true, path, depth);
        path.pop();
      }
    }
    path.pop();
  }
}

function writePacked(
  writer: BinaryWriter,
  number: number,
  write: (writer: BinaryWriter, value: unknown) => void,
  values: unknown[],
  path: (string | number)[],
): void {
  if (values.length === 0) return;
  writer.tag(number, LENGTH).fork();
  for (let i = 0; i < values.length; i++) {
    path.push(i);
    write(writer, values[i]);
    path.pop();
  }
  writer.join();
}

function own(object: Record<string, unknown>, key: string): unknown {
  return Object.hasOwn(object, key) ? object[key] : undefined;
}

function text(value: unknown): string {
  if (typeof value === 'string') return value.isWellFormed() ? value : value.toWellFormed();
  throw new ValueError(`${kindOf(value)} where a string belongs`);
}

function boolean(value: unknown): boolean {
  if (typeof value === 'boolean') return value;
  throw new ValueError(`${kindOf(value)} where true or false belongs`);
}

function double(value: unknown): number {
  if (typeof value === 'number') return value;
  if (value === 'NaN') return Number.NaN;
  if (value === 'Infinity') return Infinity;
  if (value === '-Infinity') return -Infinity;
  if (typeof value === 'string' && value.trim() !== '' && !Number.isNaN(Number(value))) return Number(value);
  throw new ValueError(`${kindOf(value)} where a number belongs`);
}

function integer(value: unknown, min: bigint, max: bigint): bigint {
  let number: bigint;
  if (typeof value === 'number' && Number.isInteger(value)) number = BigInt(value);
  else if (typeof value === 'string' && /^-?\d{1,20}$/.test(value)) number = BigInt(value);
  else throw new ValueError(`${kindOf(value)} where an integer belongs`);
  if (number < min || number > max) throw new ValueError(`${number} is out of range`);
  return number;
}

const NO_BYTES = new Uint8Array(0);

function hexBytes(hex: string): Uint8Array {
  try {
    return Uint8Array.fromHex(hex);
  } catch {
    return NO_BYTES;
  }
}

function base64Bytes(value: string): Uint8Array {
  try {
    return Uint8Array.fromBase64(value.replaceAll('-', '+').replaceAll('_', '/'));
  } catch {
    throw new ValueError('text that is not base64');
  }
}

function kindOf(value: unknown): string {
  if (value === null) return 'null';
  if (Array.isArray(value)) return 'an array';
  if (typeof value === 'object') return 'an object';
  const shown = String(value);
  return `${typeof value} ${shown.length > 40 ? `${shown.slice(0, 40)}…` : shown}`;
}

function pathText(path: (string | number)[]): string {
  return path.length === 0
    ? 'the body'
    : path
        .map((part) => (typeof part === 'number' ? `[${part}]` : `.${part}`))
        .join('')
        .slice(1);
}

/** Attribute keys are values in OTLP/JSON, so a key of this name is always the field. */
function hexIds(json: unknown): void {
  if (Array.isArray(json)) for (const item of json) hexIds(item);
  else if (typeof json === 'object' && json !== null) {
    for (const [key, value] of Object.entries(json)) {
      if (typeof value === 'object') hexIds(value);
      else if (HEX_FIELDS.has(key)) (json as JsonObject)[key] = Uint8Array.fromBase64(value as string).toHex();
    }
  }
}
