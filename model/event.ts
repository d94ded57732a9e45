/** The debug event: what every face answers with. Field names are REST's (CONTRACT section 3). */

import type { Json, JsonObject } from './json.ts';

/** In column order: a block stores the position in this list. Append only. */
export const EVENT_TYPES = ['log', 'span', 'state_snapshot', 'metric', 'error', 'system'] as const;
export type EventType = (typeof EVENT_TYPES)[number];

/** Each level covers four OTLP severity numbers: TRACE 1-4 … CRITICAL 21-24. */
export const LEVELS = ['TRACE', 'DEBUG', 'INFO', 'WARNING', 'ERROR', 'CRITICAL'] as const;
export type Level = (typeof LEVELS)[number];

export const SEVERITY_ERROR = 17;
export const SEVERITY_CRITICAL = 21;

/** The level of an OTLP severity number, 1 to 24; anything else is unspecified: null. */
export function levelOf(severityNumber: number): Level | null {
  return severityNumber >= 1 && severityNumber <= 24 ? LEVELS[(severityNumber - 1) >> 2]! : null;
}

/** The lowest severity number of a level. */
export function severityOf(level: Level): number {
  return LEVELS.indexOf(level) * 4 + 1;
}

export interface DebugEvent {
  /** 32 hex digits: 16 of the record's time in nanoseconds, 16 of a hash of what identifies the record. */
  id: string;
  event_type: EventType;
  component_type: string;
  component_id: string;
  node_id: string | null;
  /** Explicit, else what another record of the trace said, else the trace id. */
  correlation_id: string | null;
  operation_id: string | null;
  parent_event_id: string | null;
  trace_id: string | null;
  span_id: string | null;
  parent_span_id: string | null;
  level: Level | null;
  /** As sent; 0 where the record has none (all spans and metrics). */
  severity_number: number;
  message: string;
  /** Attributes of the record itself. */
  data: JsonObject;
  resource: ResourceView;
  scope: ScopeView;
  template_id: string | null;
  /** RFC 3339 UTC with nine decimals, as sent: 1970 when the record carried no time. */
  timestamp: string;
  received_at: string;
  flags?: number;
  dropped_attributes_count?: number;
  log?: LogView;
  span?: SpanView;
  metric?: MetricView;
  /** Of spans, beside `span`, so that a list needs no second look. */
  name?: string;
  status?: 'unset' | 'ok' | 'error';
  duration_ms?: number;
}

export interface ResourceView {
  attributes: JsonObject;
  dropped_attributes_count?: number;
  schema_url?: string;
  entity_refs?: { type: string; id_keys: string[]; description_keys: string[]; schema_url?: string }[];
}

export interface ScopeView {
  name: string;
  version: string;
  attributes: JsonObject;
  dropped_attributes_count?: number;
  schema_url?: string;
}

/** What only log records have. */
export interface LogView {
  severity_text?: string;
  event_name?: string;
  /** A body that is not a plain string, structure kept; a string body is the event's `message`. */
  body?: Json;
  observed_timestamp?: string;
}

/** What only spans have. */
export interface SpanView {
  kind: 'unspecified' | 'internal' | 'server' | 'client' | 'producer' | 'consumer' | string;
  end_timestamp: string;
  trace_state?: string;
  status_message?: string;
  events: { name: string; timestamp: string; attributes: JsonObject; dropped_attributes_count?: number }[];
  links: {
    trace_id: string;
    span_id: string;
    trace_state?: string;
    flags?: number;
    attributes: JsonObject;
    dropped_attributes_count?: number;
  }[];
  dropped_events_count?: number;
  dropped_links_count?: number;
}

/** What only metric data points have. 64-bit integers past 2^53 are decimal strings, NaN and the infinities their names. */
export interface MetricView {
  metric_name: string;
  type: 'gauge' | 'sum' | 'histogram' | 'exponential_histogram' | 'summary' | 'none';
  unit: string;
  description?: string;
  metadata?: JsonObject;
  dimensions: JsonObject;
  temporality?: 'unspecified' | 'delta' | 'cumulative';
  is_monotonic?: boolean;
  start_timestamp?: string;
  /** Gauges and sums; null where the point says that it has no recorded value. */
  value?: number | string | null;
  count?: number | string;
  sum?: number | string;
  min?: number | string;
  max?: number | string;
  bucket_counts?: (number | string)[];
  explicit_bounds?: (number | string)[];
  scale?: number;
  zero_count?: number | string;
  zero_threshold?: number;
  positive?: { offset: number; bucket_counts: (number | string)[] };
  negative?: { offset: number; bucket_counts: (number | string)[] };
  quantile_values?: { quantile: number | string; value: number | string }[];
  exemplars?: {
    value: number | string | null;
    timestamp: string;
    trace_id?: string;
    span_id?: string;
    filtered_attributes: JsonObject;
  }[];
}
