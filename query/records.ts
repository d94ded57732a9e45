/**
 * Posted events and snapshots become OTLP log records at the door, so that behind it there is one kind of thing. What a post says
 * about itself stands in the attributes of a scope of its own; the record's attributes are `data` alone and read back as posted.
 */
import { create, type MessageInitShape, toBinary } from '@bufbuild/protobuf';
import { type EventType, type Level, severityOf } from '../model/event.ts';
import type { Json } from '../model/json.ts';
import type { SnapshotType } from '../model/snapshot.ts';
import type { KeySettings } from '../otlp/keys.ts';
import {
  type ExportLogsServiceRequest,
  ExportLogsServiceRequestSchema,
} from '../proto/gen/opentelemetry/proto/collector/logs/v1/logs_service_pb.js';
import {
  type AnyValue,
  AnyValueSchema,
  type KeyValue,
  KeyValueSchema,
} from '../proto/gen/opentelemetry/proto/common/v1/common_pb.js';
import {
  type LogRecordSchema,
  ResourceLogsSchema,
  type ScopeLogs,
  ScopeLogsSchema,
} from '../proto/gen/opentelemetry/proto/logs/v1/logs_pb.js';

/** JSON as it was posted: integers that a double cannot hold come as bigint. */
export type PostedJson = Json | bigint | PostedJson[] | PostedObject;
export type PostedObject = { [key: string]: PostedJson };

/** What is posted as an event; null is absent. */
export interface PostedEvent {
  event_type: EventType;
  /** `agent`, `browser`, `workflow`, `service`, `system`, or another slug. */
  component_type: string;
  correlation_id: string;
  /** Absent: `unknown`. */
  component_id?: string | null | undefined;
  /** Absent: none, or ERROR for an `error`. */
  level?: Level | null | undefined;
  message?: string | null | undefined;
  data?: PostedObject | null | undefined;
  operation_id?: string | null | undefined;
  parent_event_id?: string | null | undefined;
  /** 32 and 16 hex digits. */
  trace_id?: string | null | undefined;
  span_id?: string | null | undefined;
  /** RFC 3339. Absent: now. */
  timestamp?: string | null | undefined;
}

export interface PostedState {
  component_type: string;
  component_id: string;
  operation_id: string;
  state_data: PostedObject;
  checkpoint_name?: string | null | undefined;
  /** Absent: `full`. */
  snapshot_type?: SnapshotType | null | undefined;
  correlation_id?: string | null | undefined;
  timestamp?: string | null | undefined;
}

/** A post, the time that it is filed under, and what tells it from an equal one: a retry of the same post brings the same id. */
export interface Post<T> {
  posted: T;
  /** Nanoseconds. */
  time: bigint;
  postId: string;
}

/** @returns one ExportLogsServiceRequest; its records stand in the order of the posts */
export function encodeEvents(posts: readonly Post<PostedEvent>[], keys: KeySettings): Uint8Array {
  return encodeRequest(
    posts.map(({ posted, time, postId }) => {
      const control = controlsOf(
        [
          ['debug.event.type', posted.event_type],
          ['debug.component.type', posted.component_type],
          ['debug.component.id', posted.component_id ?? UNKNOWN_COMPONENT],
          ['debug.parent_event_id', posted.parent_event_id],
        ],
        posted.correlation_id,
        posted.operation_id,
        keys,
      );
      return scopeOf(control, postId, {
        timeUnixNano: time,
        observedTimeUnixNano: time,
        severityNumber: posted.level == null ? 0 : severityOf(posted.level),
        severityText: posted.level ?? '',
        ...(posted.message != null && { body: anyValue(posted.message) }),
        attributes: attributesOf(posted.data ?? {}, control),
        ...(posted.trace_id != null && { traceId: Uint8Array.fromHex(posted.trace_id) }),
        ...(posted.span_id != null && { spanId: Uint8Array.fromHex(posted.span_id) }),
      });
    }),
  );
}

export function encodeState({ posted, time, postId }: Post<PostedState>, keys: KeySettings): Uint8Array {
  const control = controlsOf(
    [
      ['debug.event.type', 'state_snapshot'],
      ['debug.component.type', posted.component_type],
      ['debug.component.id', posted.component_id],
    ],
    posted.correlation_id,
    posted.operation_id,
    keys,
  );
  const attributes: PostedObject = { 'debug.snapshot.type': posted.snapshot_type ?? 'full' };
  if (posted.checkpoint_name != null) attributes['debug.checkpoint'] = posted.checkpoint_name;
  return encodeRequest([
    scopeOf(control, postId, {
      timeUnixNano: time,
      observedTimeUnixNano: time,
      eventName: 'debug.state.snapshot',
      body: anyValue(posted.state_data),
      attributes: attributesOf(attributes, control),
    }),
  ]);
}

const UNKNOWN_COMPONENT = 'unknown';
const SCOPE_NAME = 'ai-debug.api';

/** One statement of a post about itself, and the other keys that would say the same. */
interface Control {
  key: string;
  value: string;
  synonyms: readonly string[];
}

function controlsOf(
  fixed: readonly (readonly [key: string, value: string | null | undefined])[],
  correlation: string | null | undefined,
  operation: string | null | undefined,
  { correlationKeys, operationKeys }: KeySettings,
): Control[] {
  const controls: Control[] = [];
  for (const [key, value] of fixed) if (value != null) controls.push({ key, value, synonyms: [key] });
  if (correlation != null) controls.push({ key: correlationKeys[0]!, value: correlation, synonyms: correlationKeys });
  if (operation != null) controls.push({ key: operationKeys[0]!, value: operation, synonyms: operationKeys });
  return controls;
}

/**
 * A record's attributes outrank its scope's. Where `data` holds a key that would say something else than the post does, the post's
 * word is put beside it under the key that wins; only then does `data` read back with a key more than was posted.
 */
function attributesOf(data: PostedObject, controls: readonly Control[]): KeyValue[] {
  const outranked = controls.filter(({ value, synonyms }) =>
    synonyms.some((key) => Object.hasOwn(data, key) && data[key] !== value),
  );
  const given = Object.entries(data).filter(([key]) => !outranked.some((control) => control.key === key));
  return keyValues([...given, ...outranked.map(({ key, value }) => [key, value] as [string, string])]);
}

function scopeOf(
  controls: readonly Control[],
  postId: string,
  record: MessageInitShape<typeof LogRecordSchema>,
): ScopeLogs {
  const attributes = controls.map(({ key, value }) => [key, value] as [string, string]);
  return create(ScopeLogsSchema, {
    scope: { name: SCOPE_NAME, attributes: keyValues([...attributes, ['debug.post.id', postId]]) },
    logRecords: [record],
  });
}

function encodeRequest(scopeLogs: ScopeLogs[]): Uint8Array {
  const request: ExportLogsServiceRequest = create(ExportLogsServiceRequestSchema, {
    resourceLogs: [create(ResourceLogsSchema, { scopeLogs })],
  });
  return toBinary(ExportLogsServiceRequestSchema, request);
}

function keyValues(entries: readonly (readonly [string, PostedJson])[]): KeyValue[] {
  return entries.map(([key, value]) => create(KeyValueSchema, { key: key.toWellFormed(), value: anyValue(value) }));
}

function anyValue(value: PostedJson): AnyValue {
  return create(AnyValueSchema, { value: held(value) });
}

function held(value: PostedJson): AnyValue['value'] {
  if (value === null) return { case: undefined };
  switch (typeof value) {
    case 'string':
      return { case: 'stringValue', value: value.toWellFormed() };
    case 'boolean':
      return { case: 'boolValue', value };
    case 'number':
      return Number.isSafeInteger(value) ? { case: 'intValue', value: BigInt(value) } : { case: 'doubleValue', value };
    case 'bigint':
      // Past 64 bits there is no number to hold it; its digits are kept.
      return BigInt.asIntN(64, value) === value
        ? { case: 'intValue', value }
        : { case: 'stringValue', value: String(value) };
  }
  if (Array.isArray(value)) {
    return {
      case: 'arrayValue',
      value: { $typeName: 'opentelemetry.proto.common.v1.ArrayValue', values: value.map(anyValue) },
    };
  }
  const values = keyValues(Object.entries(value));
  return { case: 'kvlistValue', value: { $typeName: 'opentelemetry.proto.common.v1.KeyValueList', values } };
}
