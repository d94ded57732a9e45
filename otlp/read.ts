/** From a block back to events: records are decoded when somebody reads them, by the one code that knows OTLP's meaning. */
import type { BlockIndex, Envelope } from '../model/block.ts';
import { SIGNALS } from '../model/block.ts';
import {
  type DebugEvent,
  EVENT_TYPES,
  levelOf,
  type MetricView,
  type ResourceView,
  type ScopeView,
} from '../model/event.ts';
import { eventId } from '../model/ids.ts';
import { emptyObject, type Json, type JsonObject } from '../model/json.ts';
import { formatNanos } from '../model/time.ts';
import type { AnyValue, InstrumentationScope, KeyValue } from '../proto/gen/opentelemetry/proto/common/v1/common_pb.js';
import { InstrumentationScopeSchema } from '../proto/gen/opentelemetry/proto/common/v1/common_pb.js';
import { type LogRecord, LogRecordSchema } from '../proto/gen/opentelemetry/proto/logs/v1/logs_pb.js';
import {
  type Exemplar,
  type ExponentialHistogramDataPoint_Buckets,
  type Metric,
  MetricSchema,
} from '../proto/gen/opentelemetry/proto/metrics/v1/metrics_pb.js';
import { type Resource, ResourceSchema } from '../proto/gen/opentelemetry/proto/resource/v1/resource_pb.js';
import { type Span, SpanSchema } from '../proto/gen/opentelemetry/proto/trace/v1/trace_pb.js';
import { decodeMessage } from './message.ts';

/** Records of one block. What records share (resources, scopes, the span or metric around its parts) is decoded once. */
export interface BlockRecords {
  readonly count: number;
  /**
   * The event at a position, 0 to count - 1.
   * @param traceCorrelation what is known of the correlation of a trace; used where the record names none
   */
  event(position: number, traceCorrelation: (traceId: string) => string | undefined): DebugEvent;
}

/** @param payload the block's, decompressed */
export function readBlock(index: BlockIndex, payload: Uint8Array): BlockRecords {
  const { header, columns, count } = index;
  const envelopes: ({ resource: ResourceView; scope: ScopeView } | undefined)[] = [];
  let lastStart = -1;
  let lastMessage: LogRecord | Span | Metric;

  function envelope(position: number) {
    return (envelopes[position] ??= readEnvelope(header.envelopes[position]!, payload));
  }

  function message(position: number): LogRecord | Span | Metric {
    const start = columns.start[position]!;
    if (start !== lastStart) {
      lastMessage = decodeMessage(
        MESSAGE_SCHEMAS[SIGNALS[columns.signal[position]!]!],
        payload.subarray(start, start + columns.length[position]!),
      );
      lastStart = start;
    }
    return lastMessage;
  }

  return {
    count,
    event(i, traceCorrelation) {
      const envelopeAt = columns.envelope[i]!;
      const { resource, scope } = envelope(envelopeAt);
      const component = header.components[columns.component[i]!]!;
      const trace = columns.trace[i] === 0 ? null : header.traces[columns.trace[i]! - 1]!;
      const correlation = columns.correlation[i] === 0 ? null : header.correlations[columns.correlation[i]! - 1]!;
      const event: DebugEvent = {
        id: eventId(columns.time[i]!, columns.hash[i]!),
        event_type: EVENT_TYPES[columns.type[i]!]!,
        component_type: component.type,
        component_id: component.id,
        node_id: header.envelopes[envelopeAt]!.nodeId,
        correlation_id: correlation ?? (trace === null ? null : (traceCorrelation(trace) ?? trace)),
        operation_id: columns.operation[i] === 0 ? null : header.operations[columns.operation[i]! - 1]!,
        parent_event_id: null,
        trace_id: trace,
        span_id: null,
        parent_span_id: null,
        level: levelOf(columns.severity[i]!),
        severity_number: 0,
        message: '',
        data: emptyObject(),
        resource,
        scope,
        template_id: columns.template[i] === 0 ? null : header.templates[columns.template[i]! - 1]!,
        timestamp: formatNanos(columns.time[i]!),
        received_at: formatNanos(header.receivedAt + BigInt(columns.received[i]!) * 1000n),
      };
      try {
        fill(event, message(i), columns.part[i]!);
      } catch (error) {
        // The walk checks what it needs to know; a broken part elsewhere in the record must not cost the page it is on.
        event.message ||= `this record cannot be decoded: ${(error as Error).message}`;
        event.data[DECODE_ERROR_KEY] = (error as Error).message;
      }
      event.parent_event_id = textAt(event.data, PARENT_KEY) ?? textAt(scope.attributes, PARENT_KEY);
      return event;
    },
  };
}

/** Attribute that says, on a record or resource, that it or a part of it could not be decoded, and why. */
export const DECODE_ERROR_KEY = 'debug.decode_error';

/** Log records' values as plain JSON; 64-bit integers past 2^53 as decimal strings, bytes as base64. */
export function jsonOf(value: AnyValue | undefined): Json {
  const held = value?.value;
  switch (held?.case) {
    case 'stringValue':
    case 'boolValue':
      return held.value;
    case 'intValue':
      return integerOf(held.value);
    case 'doubleValue':
      return doubleOf(held.value);
    case 'bytesValue':
      return held.value.toBase64();
    case 'arrayValue':
      return held.value.values.map(jsonOf);
    case 'kvlistValue':
      return objectOf(held.value.values, held.value.values.length);
    default:
      return null; // absent, or an index into a string table that only profiles carry (R29)
  }
}

/**
 * Attributes of one record, resource, scope, span event or link that are answered, and events or links of one span: SDKs stop at 128 by
 * themselves. What lies beyond is stored all the same and counted as dropped; a value of an attribute, as a state, is always whole.
 */
export const ATTRIBUTES_MAX = 1024;
export const SPAN_PARTS_MAX = 1024;

/** Attributes of a resource as events show them. */
export function readResource(bytes: Uint8Array): JsonObject {
  try {
    return attributesOf(decodeMessage(ResourceSchema, bytes).attributes);
  } catch (error) {
    return { [DECODE_ERROR_KEY]: (error as Error).message };
  }
}

const PARENT_KEY = 'debug.parent_event_id';
const MESSAGE_SCHEMAS = { log: LogRecordSchema, span: SpanSchema, metric: MetricSchema } as const;
const SPAN_KINDS = ['unspecified', 'internal', 'server', 'client', 'producer', 'consumer'];
const STATUSES = ['unset', 'ok', 'error'] as const;
const TEMPORALITIES = ['unspecified', 'delta', 'cumulative'] as const;
// DataPointFlags.NO_RECORDED_VALUE_MASK
const NO_RECORDED_VALUE = 1;

function readEnvelope(envelope: Envelope, payload: Uint8Array): { resource: ResourceView; scope: ScopeView } {
  const bytes = (start: number, length: number) => payload.subarray(start, start + length);
  try {
    const resource = decodeMessage(ResourceSchema, bytes(envelope.resourceStart, envelope.resourceLength));
    const scope = decodeMessage(InstrumentationScopeSchema, bytes(envelope.scopeStart, envelope.scopeLength));
    return {
      resource: resourceView(resource, envelope.resourceSchemaUrl),
      scope: scopeView(scope, envelope.scopeSchemaUrl),
    };
  } catch (error) {
    const attributes = { [DECODE_ERROR_KEY]: (error as Error).message };
    return { resource: { attributes }, scope: { name: '', version: '', attributes: {} } };
  }
}

function resourceView(resource: Resource, schemaUrl: string): ResourceView {
  const view: ResourceView = { attributes: attributesOf(resource.attributes), ...droppedAttributes(resource) };
  if (schemaUrl !== '') view.schema_url = schemaUrl;
  if (resource.entityRefs.length > 0) {
    view.entity_refs = resource.entityRefs.map((ref) => ({
      type: ref.type,
      id_keys: ref.idKeys,
      description_keys: ref.descriptionKeys,
      ...(ref.schemaUrl !== '' && { schema_url: ref.schemaUrl }),
    }));
  }
  return view;
}

function scopeView(scope: InstrumentationScope, schemaUrl: string): ScopeView {
  const { name, version, attributes } = scope;
  const view: ScopeView = { name, version, attributes: attributesOf(attributes), ...droppedAttributes(scope) };
  if (schemaUrl !== '') view.schema_url = schemaUrl;
  return view;
}

function fill(event: DebugEvent, record: LogRecord | Span | Metric, part: number): void {
  switch (record.$typeName) {
    case 'opentelemetry.proto.logs.v1.LogRecord':
      return fillLog(event, record);
    case 'opentelemetry.proto.trace.v1.Span':
      return part === 0 ? fillSpan(event, record) : fillSpanEvent(event, record, part);
    case 'opentelemetry.proto.metrics.v1.Metric':
      return fillPoint(event, record, part);
  }
}

function fillLog(event: DebugEvent, record: LogRecord): void {
  event.data = attributesOf(record.attributes);
  event.severity_number = record.severityNumber;
  event.span_id = idOf(record.spanId, 8);
  const log: NonNullable<DebugEvent['log']> = {};
  if (record.severityText !== '') log.severity_text = record.severityText;
  if (record.eventName !== '') log.event_name = record.eventName;
  if (record.observedTimeUnixNano !== 0n) log.observed_timestamp = formatNanos(record.observedTimeUnixNano);
  const body = record.body?.value;
  if (body?.case === 'stringValue') event.message = body.value;
  else {
    if (body?.case !== undefined) log.body = jsonOf(record.body);
    event.message =
      textAt(event.data, 'exception.message') ??
      (record.eventName || (log.body === undefined ? '' : JSON.stringify(log.body)));
  }
  event.log = log;
  fillCounts(event, record);
}

function fillSpan(event: DebugEvent, span: Span): void {
  event.data = attributesOf(span.attributes);
  event.span_id = idOf(span.spanId, 8);
  event.parent_span_id = idOf(span.parentSpanId, 8);
  event.message = span.name;
  event.name = span.name;
  event.status = STATUSES[span.status?.code ?? 0] ?? 'unset';
  const { startTimeUnixNano: start, endTimeUnixNano: end } = span;
  event.duration_ms = end > start ? Number(end - start) / 1e6 : 0;
  const droppedEvents = droppedOf(span.droppedEventsCount, span.events, SPAN_PARTS_MAX);
  const droppedLinks = droppedOf(span.droppedLinksCount, span.links, SPAN_PARTS_MAX);
  event.span = {
    kind: SPAN_KINDS[span.kind] ?? String(span.kind),
    end_timestamp: formatNanos(end),
    ...(span.traceState !== '' && { trace_state: span.traceState }),
    ...(span.status !== undefined && span.status.message !== '' && { status_message: span.status.message }),
    events: span.events.slice(0, SPAN_PARTS_MAX).map((item) => ({
      name: item.name,
      timestamp: formatNanos(item.timeUnixNano),
      attributes: attributesOf(item.attributes),
      ...droppedAttributes(item),
    })),
    links: span.links.slice(0, SPAN_PARTS_MAX).map((link) => ({
      trace_id: link.traceId.toHex(),
      span_id: link.spanId.toHex(),
      ...(link.traceState !== '' && { trace_state: link.traceState }),
      ...(link.flags !== 0 && { flags: link.flags }),
      attributes: attributesOf(link.attributes),
      ...droppedAttributes(link),
    })),
    ...(droppedEvents > 0 && { dropped_events_count: droppedEvents }),
    ...(droppedLinks > 0 && { dropped_links_count: droppedLinks }),
  };
  fillCounts(event, span);
}

/** @param ordinal counts the span's events from 1 */
function fillSpanEvent(event: DebugEvent, span: Span, ordinal: number): void {
  const item = span.events[ordinal - 1]!;
  event.data = attributesOf(item.attributes);
  event.span_id = idOf(span.spanId, 8);
  event.name = item.name;
  event.message = textAt(event.data, 'exception.message') ?? textAt(event.data, 'exception.type') ?? item.name;
  fillCounts(event, {
    flags: span.flags,
    droppedAttributesCount: item.droppedAttributesCount,
    attributes: item.attributes,
  });
}

/** @param ordinal counts the metric's points from 1 */
function fillPoint(event: DebugEvent, metric: Metric, ordinal: number): void {
  const data = metric.data;
  const point = data.value!.dataPoints[ordinal - 1]!;
  const dimensions = attributesOf(point.attributes);
  const view: MetricView = { metric_name: metric.name, type: METRIC_TYPES[data.case!], unit: metric.unit, dimensions };
  if (metric.description !== '') view.description = metric.description;
  if (metric.metadata.length > 0) view.metadata = attributesOf(metric.metadata);
  if (point.startTimeUnixNano !== 0n) view.start_timestamp = formatNanos(point.startTimeUnixNano);
  if (data.value !== undefined && 'aggregationTemporality' in data.value) {
    view.temporality = TEMPORALITIES[data.value.aggregationTemporality] ?? 'unspecified';
  }
  if (data.case === 'sum') view.is_monotonic = data.value.isMonotonic;
  const empty = (point.flags & NO_RECORDED_VALUE) !== 0;
  switch (point.$typeName) {
    case 'opentelemetry.proto.metrics.v1.NumberDataPoint':
      view.value = empty ? null : numberOf(point.value);
      break;
    case 'opentelemetry.proto.metrics.v1.HistogramDataPoint':
      view.count = integerOf(point.count);
      view.bucket_counts = point.bucketCounts.map(integerOf);
      view.explicit_bounds = point.explicitBounds.map(doubleOf);
      break;
    case 'opentelemetry.proto.metrics.v1.ExponentialHistogramDataPoint':
      view.count = integerOf(point.count);
      view.scale = point.scale;
      view.zero_count = integerOf(point.zeroCount);
      if (point.zeroThreshold !== 0) view.zero_threshold = point.zeroThreshold;
      if (point.positive !== undefined) view.positive = bucketsOf(point.positive);
      if (point.negative !== undefined) view.negative = bucketsOf(point.negative);
      break;
    case 'opentelemetry.proto.metrics.v1.SummaryDataPoint':
      view.count = integerOf(point.count);
      view.quantile_values = point.quantileValues.map((at) => ({
        quantile: doubleOf(at.quantile),
        value: doubleOf(at.value),
      }));
  }
  if ('sum' in point && point.sum !== undefined) view.sum = doubleOf(point.sum);
  if ('min' in point && point.min !== undefined) view.min = doubleOf(point.min);
  if ('max' in point && point.max !== undefined) view.max = doubleOf(point.max);
  if ('exemplars' in point && point.exemplars.length > 0) view.exemplars = point.exemplars.map(exemplarOf);
  event.data = dimensions;
  event.name = metric.name;
  event.message = metric.name;
  event.metric = view;
  fillCounts(event, { flags: point.flags, droppedAttributesCount: 0, attributes: point.attributes });
}

const METRIC_TYPES = {
  gauge: 'gauge',
  sum: 'sum',
  histogram: 'histogram',
  exponentialHistogram: 'exponential_histogram',
  summary: 'summary',
} as const;

function bucketsOf(buckets: ExponentialHistogramDataPoint_Buckets): NonNullable<MetricView['positive']> {
  return { offset: buckets.offset, bucket_counts: buckets.bucketCounts.map(integerOf) };
}

function exemplarOf(exemplar: Exemplar): NonNullable<MetricView['exemplars']>[number] {
  const trace = idOf(exemplar.traceId, 16);
  const span = idOf(exemplar.spanId, 8);
  return {
    value: numberOf(exemplar.value),
    timestamp: formatNanos(exemplar.timeUnixNano),
    ...(trace !== null && { trace_id: trace }),
    ...(span !== null && { span_id: span }),
    filtered_attributes: attributesOf(exemplar.filteredAttributes),
  };
}

function fillCounts(
  event: DebugEvent,
  record: { flags: number; droppedAttributesCount: number; attributes: readonly KeyValue[] },
): void {
  if (record.flags !== 0) event.flags = record.flags;
  Object.assign(event, droppedAttributes(record));
}

/** At most {@link ATTRIBUTES_MAX}, the first ones: {@link droppedOf} tells how many are left out. */
function attributesOf(attributes: readonly KeyValue[]): JsonObject {
  return objectOf(attributes, ATTRIBUTES_MAX);
}

/** A key that is sent twice keeps its last value. */
function objectOf(pairs: readonly KeyValue[], max: number): JsonObject {
  const object = emptyObject();
  const count = Math.min(pairs.length, max);
  for (let i = 0; i < count; i++) object[pairs[i]!.key] = jsonOf(pairs[i]!.value);
  return object;
}

/** What the sender dropped, and what is left out here: for whoever reads, both are missing. */
function droppedOf(dropped: number, list: readonly unknown[], max = ATTRIBUTES_MAX): number {
  return dropped + Math.max(0, list.length - max);
}

/** The field that says so, where anything is missing. */
function droppedAttributes(holder: { droppedAttributesCount: number; attributes: readonly KeyValue[] }) {
  const dropped = droppedOf(holder.droppedAttributesCount, holder.attributes);
  return dropped > 0 ? { dropped_attributes_count: dropped } : null;
}

function numberOf(held: Exemplar['value']): number | string | null {
  if (held.case === 'asInt') return integerOf(held.value);
  return held.case === 'asDouble' ? doubleOf(held.value) : null;
}

function integerOf(value: bigint): number | string {
  const number = Number(value);
  return Number.isSafeInteger(number) ? number : String(value);
}

/** JSON has no NaN and no infinities; OTLP/JSON's names for them stand instead. The sign of -0 is stored, but no answer's JSON shows it. */
function doubleOf(value: number): number | string {
  return Number.isFinite(value) ? value : String(value);
}

/** Hex of an id, null when it is absent, of another length or all zero. */
function idOf(bytes: Uint8Array, length: number): string | null {
  return bytes.length === length && bytes.some((byte) => byte !== 0) ? bytes.toHex() : null;
}

function textAt(object: JsonObject, key: string): string | null {
  const value = object[key];
  return typeof value === 'string' && value !== '' ? value : null;
}
