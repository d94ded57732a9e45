/**
 * Valid export requests, any of those that the schema allows: a tree is drawn from the descriptors, then written as protobuf and, with
 * the liberties that OTLP/JSON leaves to senders, as JSON. Both say the same, so both must become the same events.
 */
import { type DescField, type DescMessage, ScalarType } from '@bufbuild/protobuf';
import { BinaryWriter } from '@bufbuild/protobuf/wire';
import { FeatureSet_FieldPresence } from '@bufbuild/protobuf/wkt';
import type { Signal } from '../../model/block.ts';
import { REQUEST_SCHEMAS } from '../../otlp/json.ts';
import type { Random } from './random.ts';

export interface Request {
  signal: Signal;
  protobuf: Uint8Array;
  /** The same request; text, so that it can say what no object can. */
  json: string;
  /** Spans, log records or data points within. */
  items: number;
}

type Scalar = string | bigint | number | boolean | Uint8Array;
type Value = Scalar | Message | (Scalar | Message)[];
interface Message {
  type: DescMessage;
  /** In ascending order of their numbers. */
  fields: [DescField, Value][];
}

/** @param random decides everything */
export function drawRequest(random: Random): Request {
  const signal = random.of(['log', 'span', 'metric'] as const);
  const draw = new Draw(random);
  const message = draw.message(REQUEST_SCHEMAS[signal], 0);
  return { signal, protobuf: protobufOf(message), json: jsonOf(message, random), items: draw.items };
}

const ITEMS = new Set([
  'opentelemetry.proto.logs.v1.LogRecord',
  'opentelemetry.proto.trace.v1.Span',
  'opentelemetry.proto.metrics.v1.NumberDataPoint',
  'opentelemetry.proto.metrics.v1.HistogramDataPoint',
  'opentelemetry.proto.metrics.v1.ExponentialHistogramDataPoint',
  'opentelemetry.proto.metrics.v1.SummaryDataPoint',
]);
/** Drawn nearly always: without them nothing would stand in a request. */
const USUAL = new Set([
  'resource_spans',
  'resource_logs',
  'resource_metrics',
  'scope_spans',
  'scope_logs',
  'scope_metrics',
  'spans',
  'log_records',
  'metrics',
  'data_points',
  'trace_id',
  'span_id',
  'time_unix_nano',
  'start_time_unix_nano',
  'key',
]);
// Longer lists only repeat what shorter ones show.
const LIST_MAX = 2;
// A value nests two messages a level; once in a while one goes past the bound that the receiver keeps.
const DEPTH_USUAL = 24;
const DEPTH_DEEP = 260;

class Draw {
  items = 0;
  readonly #random: Random;
  #depthMax: number;

  constructor(random: Random) {
    this.#random = random;
    this.#depthMax = random.once(50) ? DEPTH_DEEP : DEPTH_USUAL;
  }

  message(type: DescMessage, depth: number): Message {
    const random = this.#random;
    if (ITEMS.has(type.typeName)) this.items++;
    const fields: [DescField, Value][] = [];
    const chosen = new Map(type.oneofs.map((oneof) => [oneof, this.#member(oneof.fields, depth)]));
    for (const field of [...type.fields].sort((a, b) => a.number - b.number)) {
      if (field.oneof !== undefined ? chosen.get(field.oneof) !== field : !this.#drawn(field, depth)) continue;
      if (field.fieldKind === 'list') {
        const length = USUAL.has(field.name) ? 1 + random.below(LIST_MAX) : random.below(LIST_MAX + 1);
        const one = () => (field.listKind === 'message' ? this.message(field.message, depth + 1) : this.#scalar(field));
        if (length > 0) fields.push([field, Array.from({ length }, one)]);
      } else if (field.fieldKind === 'message') fields.push([field, this.message(field.message, depth + 1)]);
      else fields.push([field, this.#scalar(field)]);
    }
    return { type, fields };
  }

  #drawn(field: DescField, depth: number): boolean {
    if (field.message !== undefined && depth > this.#depthMax) return false;
    return USUAL.has(field.name) ? !this.#random.once(30) : this.#random.once(2);
  }

  #member(fields: readonly DescField[], depth: number): DescField | undefined {
    const random = this.#random;
    if (random.once(20)) return undefined;
    const scalars = fields.filter((field) => field.message === undefined);
    if (scalars.length === 0 || scalars.length === fields.length) return random.of(fields);
    if (depth > this.#depthMax) return random.of(scalars);
    // Deep trees are one thin branch, others rarely nest: both would explode else.
    const nests = this.#depthMax === DEPTH_DEEP ? !random.once(6) : random.once(6);
    return nests ? random.of(fields.filter((field) => field.message !== undefined)) : random.of(scalars);
  }

  #scalar(field: DescField): Scalar {
    const random = this.#random;
    if (field.enum !== undefined) return random.once(20) ? random.below(100) : random.of(field.enum.values).number;
    switch ((field as { scalar: ScalarType }).scalar) {
      case ScalarType.STRING:
        return random.of(field.name === 'key' ? KEYS : TEXTS);
      case ScalarType.BYTES:
        if (!field.name.endsWith('_id')) return random.bytes(random.below(12));
        if (random.once(20)) return random.bytes(random.below(20));
        return random.once(40) ? new Uint8Array(16) : ID.slice(0, field.name.endsWith('trace_id') ? 16 : 8);
      case ScalarType.BOOL:
        return random.once(2);
      case ScalarType.DOUBLE:
        return random.of(DOUBLES);
      case ScalarType.INT64:
      case ScalarType.SFIXED64:
        return random.of(INTEGERS);
      case ScalarType.UINT64:
      case ScalarType.FIXED64:
        return BigInt.asUintN(64, random.once(3) ? random.of(INTEGERS) : BASE_TIME + BigInt(random.below(1e9)));
      case ScalarType.INT32:
      case ScalarType.SINT32:
        return random.of([0, 1, -1, 20, -10, 0x7fffffff, -0x80000000]);
      default:
        return random.of([0, 1, 257, 0x7fffffff, 0xffffffff]);
    }
  }
}

const BASE_TIME = 1_768_478_400_000_000_000n;
const ID = Uint8Array.fromHex('0af7651916cd43dd8448eb211c80319c');
const DOUBLES = [0, -0, 1, -1.5, 0.1, 1e308, -1e308, 5e-324, 2 ** 53 + 2, Number.NaN, Infinity, -Infinity];
const INTEGERS = [
  0n,
  1n,
  -1n,
  42n,
  2n ** 31n,
  2n ** 53n - 1n,
  2n ** 53n + 1n,
  -(2n ** 53n) - 1n,
  2n ** 63n - 1n,
  -(2n ** 63n),
];
const TEXTS = [
  '',
  'a',
  'GET /orders/17',
  'user 42 logged in from 10.0.0.3',
  'ERROR',
  'exception',
  'debug.state.snapshot',
  'agent',
  'system',
  'ünïcödé 😀',
  'a\0b',
  '"quoted" \\ and \n\t\r\b\f/',
  '\u2028\u202e\ufeff\uffff',
  '__proto__',
  'x'.repeat(300),
];
const KEYS = [
  ...TEXTS,
  'k',
  'service.name',
  'service.instance.id',
  'debug.correlation_id',
  'correlation_id',
  'operation_id',
  'debug.component.type',
  'debug.component.id',
  'debug.event.type',
  'debug.parent_event_id',
  'gen_ai.agent.name',
  'gen_ai.operation.name',
  'browser.platform',
  'exception.type',
  'exception.message',
  'constructor',
];

function protobufOf(message: Message): Uint8Array {
  const writer = new BinaryWriter();
  writeMessage(writer, message);
  return writer.finish();
}

function writeMessage(writer: BinaryWriter, message: Message): void {
  for (const [field, value] of message.fields) {
    // As encoders do: ids are hashes of bytes, and within a record's own messages a default that is sent counts.
    if (isImplicitDefault(field, value)) continue;
    if (!Array.isArray(value)) writeValue(writer, field, value);
    else if (packs(field)) {
      writer.tag(field.number, 2).fork();
      for (const item of value) writeScalar(writer, field, item as Scalar);
      writer.join();
    } else for (const item of value) writeValue(writer, field, item);
  }
}

function isImplicitDefault(field: DescField, value: Value): boolean {
  if (field.presence !== FeatureSet_FieldPresence.IMPLICIT || field.fieldKind === 'list') return false;
  if (value instanceof Uint8Array) return value.length === 0;
  return value === '' || value === false || value === 0n || Object.is(value, 0);
}

function packs(field: DescField): boolean {
  return field.fieldKind === 'list' && field.listKind === 'scalar' && field.scalar !== ScalarType.STRING;
}

function writeValue(writer: BinaryWriter, field: DescField, value: Scalar | Message): void {
  writer.tag(field.number, wireTypeOf(field));
  if (isMessage(value)) {
    writer.fork();
    writeMessage(writer, value);
    writer.join();
  } else writeScalar(writer, field, value);
}

function isMessage(value: Scalar | Message): value is Message {
  return typeof value === 'object' && 'type' in value;
}

function wireTypeOf(field: DescField): number {
  if (field.message !== undefined) return 2;
  if (field.enum !== undefined) return 0;
  switch ((field as { scalar: ScalarType }).scalar) {
    case ScalarType.STRING:
    case ScalarType.BYTES:
      return 2;
    case ScalarType.DOUBLE:
    case ScalarType.FIXED64:
    case ScalarType.SFIXED64:
      return 1;
    case ScalarType.FIXED32:
      return 5;
    default:
      return 0;
  }
}

function writeScalar(writer: BinaryWriter, field: DescField, value: Scalar): void {
  if (field.enum !== undefined) {
    writer.int32(value as number);
    return;
  }
  switch ((field as { scalar: ScalarType }).scalar) {
    case ScalarType.STRING:
      writer.string(value as string);
      return;
    case ScalarType.BYTES:
      writer.bytes(value as Uint8Array);
      return;
    case ScalarType.BOOL:
      writer.bool(value as boolean);
      return;
    case ScalarType.DOUBLE:
      writer.double(value as number);
      return;
    case ScalarType.INT64:
      writer.int64(value as bigint);
      return;
    case ScalarType.UINT64:
      writer.uint64(value as bigint);
      return;
    case ScalarType.FIXED64:
      writer.fixed64(value as bigint);
      return;
    case ScalarType.SFIXED64:
      writer.sfixed64(value as bigint);
      return;
    case ScalarType.INT32:
      writer.int32(value as number);
      return;
    case ScalarType.SINT32:
      writer.sint32(value as number);
      return;
    case ScalarType.UINT32:
      writer.uint32(value as number);
      return;
    case ScalarType.FIXED32:
      writer.fixed32(value as number);
      return;
  }
  throw new Error(`${field}: the grammar has no value for it`);
}

/** OTLP/JSON as one sender or another writes it: any order of keys, either case, integers as text or not, white space. */
function jsonOf(message: Message, random: Random): string {
  const blank = () => (random.once(12) ? random.of([' ', '\n', '\t', '\r\n  ']) : '');
  const members = message.fields.map(([field, value]) => {
    const items = Array.isArray(value)
      ? `[${value.map((item) => itemText(field, item, random)).join(`${blank()},`)}${blank()}]`
      : itemText(field, value, random);
    return `${blank()}${JSON.stringify(random.once(8) ? field.name : field.jsonName)}${blank()}:${blank()}${items}`;
  });
  if (random.once(10)) members.reverse();
  if (random.once(10)) members.push(random.of(UNKNOWN_MEMBERS));
  return `{${members.join(`${blank()},`)}${blank()}}`;
}

const UNKNOWN_MEMBERS = ['"future":{"deep":[1,{}]}', '"x":null', '"__proto__":{"body":1}', '"":[[],"}"]'];

function itemText(field: DescField, value: Scalar | Message, random: Random): string {
  if (isMessage(value)) return jsonOf(value, random);
  if (value instanceof Uint8Array) {
    if (!field.name.endsWith('_id')) return JSON.stringify(value.toBase64());
    return JSON.stringify(random.once(3) ? value.toHex().toUpperCase() : value.toHex());
  }
  if (field.enum !== undefined) {
    const name = field.enum.values.find(({ number }) => number === value)?.name;
    return name !== undefined && random.once(4) ? JSON.stringify(name) : String(value);
  }
  if (typeof value === 'bigint') return random.once(3) ? String(value) : `"${value}"`;
  if (typeof value === 'number') {
    if (!Number.isFinite(value)) return `"${value}"`;
    const text = Object.is(value, -0) ? '-0' : String(value);
    return random.once(6) ? `"${text}"` : text;
  }
  return JSON.stringify(value);
}
