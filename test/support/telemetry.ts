/** Events, spans and snapshots as readers return them, said in a few words. Times are milliseconds after one fixed moment. */
import type { EventSelection, Reader } from '../../insight/reader.ts';
import { createWindow, type Window, type WindowInput } from '../../insight/window.ts';
import type { DebugEvent, Level } from '../../model/event.ts';
import { severityOf } from '../../model/event.ts';
import { eventId } from '../../model/ids.ts';
import type { Insight } from '../../model/insight.ts';
import type { JsonObject } from '../../model/json.ts';
import type { Snapshot } from '../../model/snapshot.ts';
import { formatNanos } from '../../model/time.ts';

export const BEGINNING = 1_700_000_000_000_000_000n;

export function at(ms: number): bigint {
  return BEGINNING + BigInt(Math.round(ms * 1e6));
}

/** A component as `type/id`, as `id` (a service), and with its replica as `id@node`. */
type Name = string;

interface Told {
  ms: number;
  by: Name;
  correlation?: string | null;
  operation?: string;
  trace?: string;
  data?: JsonObject;
}

export interface LogWords extends Told {
  /** Absent: INFO. */
  level?: Level;
  message?: string;
  span?: string;
  id?: string;
  parent?: string;
}

export interface SpanWords extends Told {
  trace: string;
  id: string;
  parent?: string;
  name?: string;
  /** Absent: internal. */
  kind?: string;
  took: number;
  failed?: boolean;
  reason?: string;
}

let told = 0n;

export function log(words: LogWords): DebugEvent {
  const level = words.level ?? 'INFO';
  return {
    ...base(words),
    ...(words.id !== undefined && { id: words.id }),
    event_type: level === 'ERROR' || level === 'CRITICAL' ? 'error' : 'log',
    level,
    severity_number: severityOf(level),
    message: words.message ?? '',
    span_id: words.span ?? null,
    parent_event_id: words.parent ?? null,
    log: {},
  };
}

export function errorLog(words: LogWords): DebugEvent {
  return log({ level: 'ERROR', ...words });
}

export function span(words: SpanWords): DebugEvent {
  const name = words.name ?? words.id;
  return {
    ...base(words),
    event_type: 'span',
    level: words.failed ? 'ERROR' : 'INFO',
    message: name,
    name,
    span_id: words.id,
    parent_span_id: words.parent ?? null,
    status: words.failed ? 'error' : 'unset',
    duration_ms: words.took,
    span: {
      kind: words.kind ?? 'internal',
      end_timestamp: formatNanos(at(words.ms + words.took)),
      ...(words.reason !== undefined && { status_message: words.reason }),
      events: [],
      links: [],
    },
  };
}

/** An exception that a span recorded. */
export function exception(words: LogWords & { trace: string; span: string }): DebugEvent {
  const { log: _, ...event } = errorLog(words);
  return { ...event, name: 'exception', severity_number: 0 };
}

/** A point of a gauge. */
export function gauge(
  words: Told & { metric: string; value: number; unit?: string; dimensions?: JsonObject },
): DebugEvent {
  const { metric: metric_name, value, unit = '1', dimensions = {} } = words;
  const metric = { metric_name, type: 'gauge' as const, unit, dimensions, value };
  return { ...base(words), event_type: 'metric', message: metric_name, metric };
}

export function snapshot(
  words: Told & { state: JsonObject; checkpoint?: string; type?: Snapshot['snapshot_type'] },
): Snapshot {
  const { id, component_type, component_id, node_id, operation_id, correlation_id } = base(words);
  return {
    id,
    component_type,
    component_id,
    node_id,
    operation_id,
    correlation_id,
    checkpoint_name: words.checkpoint ?? null,
    snapshot_type: words.type ?? 'full',
    state_data: words.state,
    time: at(words.ms),
  };
}

export function windowOf(events: readonly DebugEvent[], more: Partial<WindowInput> = {}): Window {
  return createWindow({ scope: { tenant: 'test' }, now: at(3_600_000), events, ...more });
}

/** A budget that never ends. */
export const unbounded = { check() {} };

function base({ ms, by, correlation, operation, trace, data }: Told): DebugEvent {
  const [path, node = null] = by.split('@') as [string, string?];
  const slash = path.indexOf('/');
  const time = at(ms);
  return {
    id: eventId(time, told++),
    event_type: 'log',
    component_type: slash < 0 ? 'service' : path.slice(0, slash),
    component_id: path.slice(slash + 1),
    node_id: node,
    correlation_id: correlation === undefined ? (trace ?? null) : correlation,
    operation_id: operation ?? null,
    parent_event_id: null,
    trace_id: trace ?? null,
    span_id: null,
    parent_span_id: null,
    level: null,
    severity_number: 0,
    message: '',
    data: data ?? {},
    resource: { attributes: {} },
    scope: { name: '', version: '', attributes: {} },
    template_id: null,
    timestamp: formatNanos(time),
    received_at: formatNanos(time),
  };
}

/** A reader over what is given, for the engine's own tests. */
export function readerOf(events: readonly DebugEvent[], snapshots: readonly Snapshot[] = []): Reader {
  const matches = (event: DebugEvent, query: EventSelection, start?: string, end?: string) =>
    (query.correlation_id === undefined || event.correlation_id === query.correlation_id) &&
    (query.operation_id === undefined || event.operation_id === query.operation_id) &&
    (query.component_id === undefined || event.component_id === query.component_id) &&
    (query.event_types === undefined || query.event_types.includes(event.event_type)) &&
    (query.min_level === undefined ||
      (event.level !== null && severityOf(event.level) >= severityOf(query.min_level))) &&
    (start === undefined || event.timestamp >= start) &&
    (end === undefined || event.timestamp <= end) &&
    (query.before === undefined || event.id < query.before);
  return {
    async events(query) {
      const [start, end] = [query.start, query.end].map((time) => (time === undefined ? undefined : formatNanos(time)));
      const found = events.filter((event) => matches(event, query, start, end)).sort((a, b) => (a.id < b.id ? 1 : -1));
      const page = found.slice(0, query.limit);
      return { events: page, next: found.length > page.length ? page.at(-1)!.id : null };
    },
    snapshots: async (_, query) =>
      snapshots.filter(
        (snapshot) =>
          (query.operation_id === undefined || snapshot.operation_id === query.operation_id) &&
          (query.component_id === undefined || snapshot.component_id === query.component_id),
      ),
    templateMinutes: async () => [],
    componentMinutes: async () => [],
  };
}

/** An open insight, of the time of its making. @param now RFC 3339 */
export function insight(id: string, now: string, more: Partial<Insight> = {}): Insight {
  return {
    id,
    fingerprint: id,
    insight_type: 'error',
    severity: 'warning',
    title: 'title',
    summary: 'summary',
    description: 'description',
    evidence: { event_ids: [], span_ids: [], trace_ids: [], snapshot_ids: [], numbers: {} },
    confidence_score: 0.9,
    suggestions: [],
    scope: 'component',
    affected_components: [],
    correlation_id: null,
    operation_id: null,
    first_seen: now,
    last_seen: now,
    occurrences: 1,
    state: 'open',
    resolution_notes: null,
    resolved_by: null,
    resolved_at: null,
    generated_at: now,
    updated_at: now,
    expires_at: '2027-01-01T00:00:00.000000000Z',
    ...more,
  };
}
