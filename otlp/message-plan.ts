/** The messages of OTLP as a reader of JSON needs them: by key, each with how its value is written on the wire. Made of the descriptors once. */
import { type DescField, type DescMessage, ScalarType } from '@bufbuild/protobuf';
import { FeatureSet_FieldPresence } from '@bufbuild/protobuf/wkt';
import { FIXED32, FIXED64, LENGTH, VARINT } from './wire.ts';

/** Bytes fields that OTLP/JSON writes as hex, everywhere in the schema. */
export const HEX_FIELDS: ReadonlySet<string> = new Set(['traceId', 'spanId', 'parentSpanId']);

/** A field as the transcoder needs it, compiled once per message from its descriptor. */
export interface FieldPlan {
  number: number;
  name: string;
  wireType: number;
  repeated: boolean;
  packed: boolean;
  /** Written even when it is the default: members of a oneof and proto3 optional fields. */
  explicit: boolean;
  hex: boolean;
  message: MessagePlan | null;
  enumNumbers: ReadonlyMap<string, number> | null;
  scalar: ScalarType;
}

export interface Key {
  bytes: Uint8Array;
  field: FieldPlan;
  /** The name of the .proto file, that OTLP says is not valid and some send. */
  isSnake: boolean;
  /** As it was read: null stands there, so that it is absent. */
  isNull: boolean;
}

export interface MessagePlan {
  /** By a hash of length and two bytes: a key is found without making a string of it. */
  buckets: (Key[] | undefined)[];
}

const plans = new Map<string, MessagePlan>();
const encoder = new TextEncoder();

export function planOf(type: DescMessage): MessagePlan {
  let plan = plans.get(type.typeName);
  if (plan === undefined) {
    plan = { buckets: new Array(64) };
    plans.set(type.typeName, plan); // before its fields: messages are recursive
    for (const desc of type.fields) {
      const field = fieldPlan(desc);
      addKey(plan, desc.jsonName, field, false);
      if (desc.name !== desc.jsonName) addKey(plan, desc.name, field, true);
    }
  }
  return plan;
}

function addKey(plan: MessagePlan, name: string, field: FieldPlan, isSnake: boolean): void {
  const bytes = encoder.encode(name);
  (plan.buckets[slot(bytes, 0, bytes.length)] ??= []).push({ bytes, field, isSnake, isNull: false });
}

function slot(bytes: Uint8Array, start: number, end: number): number {
  return end === start ? 0 : (end - start + bytes[start]! * 5 + bytes[end - 1]! * 3) & 63;
}

/** The field that a key names, undefined where the message has none. */
export function findKey(plan: MessagePlan, bytes: Uint8Array, start: number, end: number): Key | undefined {
  const bucket = plan.buckets[slot(bytes, start, end)];
  if (bucket === undefined) return undefined;
  next: for (const key of bucket) {
    if (key.bytes.length !== end - start) continue;
    for (let i = 0; i < key.bytes.length; i++) if (key.bytes[i] !== bytes[start + i]) continue next;
    return key;
  }
  return undefined;
}

function fieldPlan(field: DescField): FieldPlan {
  const repeated = field.fieldKind === 'list';
  const scalar = (field as { scalar?: ScalarType }).scalar ?? ScalarType.INT32;
  const wireType = field.message !== undefined ? LENGTH : field.enum !== undefined ? VARINT : WIRE_TYPES[scalar];
  if (wireType === undefined) throw new Error(`${field}: no OTLP field has this type`);
  return {
    number: field.number,
    name: field.jsonName,
    wireType,
    repeated,
    packed: repeated && wireType !== LENGTH,
    explicit: repeated || field.presence !== FeatureSet_FieldPresence.IMPLICIT,
    hex: HEX_FIELDS.has(field.jsonName),
    message: field.message === undefined ? null : planOf(field.message),
    enumNumbers: field.enum === undefined ? null : new Map(field.enum.values.map(({ name, number }) => [name, number])),
    scalar,
  };
}

const WIRE_TYPES: Partial<Record<ScalarType, number>> = {
  [ScalarType.STRING]: LENGTH,
  [ScalarType.BYTES]: LENGTH,
  [ScalarType.BOOL]: VARINT,
  [ScalarType.DOUBLE]: FIXED64,
  [ScalarType.FIXED64]: FIXED64,
  [ScalarType.SFIXED64]: FIXED64,
  [ScalarType.FIXED32]: FIXED32,
  [ScalarType.INT64]: VARINT,
  [ScalarType.UINT64]: VARINT,
  [ScalarType.INT32]: VARINT,
  [ScalarType.SINT32]: VARINT,
  [ScalarType.UINT32]: VARINT,
};
