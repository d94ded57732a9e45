/** Rows as stores keep them, of which a test says what it is about. */
import type { Insight } from '../../model/insight.ts';
import type { Resource } from '../../model/resource.ts';
import type { ComponentMinute, EdgeMinute, TemplateMinute } from '../../model/rollup.ts';
import { Sketch } from '../../model/sketch.ts';
import type { Session, Snapshot } from '../../model/snapshot.ts';
import { formatNanos, minuteOf } from '../../model/time.ts';
import { NOON } from './blocks.ts';

export function edgeMinute(parts: Partial<EdgeMinute> = {}): EdgeMinute {
  return {
    ...{
      minute: minuteOf(NOON),
      kind: 'call',
      from_type: 'service',
      from_id: 'shop',
      to_type: 'service',
      to_id: 'stock',
    },
    ...{ calls: 1, errors: 0, latency: new Sketch() },
    ...parts,
  };
}

export function componentMinute(fields: Partial<ComponentMinute> = {}): ComponentMinute {
  return {
    minute: minuteOf(NOON),
    component_type: 'service',
    component_id: 'checkout',
    total: 1,
    errors: 0,
    critical: 0,
    latency: new Sketch(),
    ...fields,
  };
}

export function templateMinute(fields: Partial<TemplateMinute> = {}): TemplateMinute {
  return {
    minute: minuteOf(NOON),
    template_id: '00000000000000aa',
    component_type: 'service',
    component_id: 'checkout',
    count: 1,
    severity_max: 9,
    first_time: NOON,
    last_time: NOON,
    example_event_id: 'a'.repeat(32),
    ...fields,
  };
}

export function resource(fields: Partial<Resource> = {}): Resource {
  return {
    hash: 'a'.repeat(16),
    component_type: 'service',
    component_id: 'checkout',
    attributes: { 'service.name': 'checkout', 'service.version': '2.0.3' },
    first_time: NOON,
    last_time: NOON,
    ...fields,
  };
}

export function snapshot(fields: Partial<Snapshot> = {}): Snapshot {
  return {
    id: 'd'.repeat(32),
    component_type: 'service',
    component_id: 'checkout',
    node_id: 'node-1',
    operation_id: 'operation',
    correlation_id: 'correlation',
    checkpoint_name: 'before',
    state_name: 'cart',
    snapshot_type: 'full',
    state_data: { stock: 3 },
    time: NOON,
    ...fields,
  };
}

export function insight(fields: Partial<Insight> = {}): Insight {
  return {
    id: 'a'.repeat(32),
    fingerprint: 'error:checkout',
    insight_type: 'error',
    severity: 'warning',
    title: 'title',
    summary: 'summary',
    description: 'description',
    evidence: { event_ids: ['b'.repeat(32)], span_ids: [], trace_ids: [], snapshot_ids: [], numbers: { count: 5 } },
    confidence_score: 0.9,
    suggestions: [{ action: 'restart', why: 'it helped', source: 'past_resolution' }],
    scope: 'component',
    affected_components: [{ type: 'service', id: 'checkout' }],
    correlation_id: 'correlation',
    operation_id: null,
    first_seen: formatNanos(NOON),
    last_seen: formatNanos(NOON),
    occurrences: 5,
    state: 'open',
    resolution_notes: null,
    resolved_by: null,
    resolved_at: null,
    generated_at: formatNanos(NOON),
    updated_at: formatNanos(NOON),
    expires_at: formatNanos(NOON),
    ...fields,
  };
}

export function session(fields: Partial<Session> = {}): Session {
  return {
    id: 's',
    session_name: 'name',
    description: null,
    filters: {},
    scope: {},
    active: true,
    created_at: formatNanos(NOON),
    closed_at: null,
    ...fields,
  };
}

export function sketchOf(values: readonly number[]): Sketch {
  const sketch = new Sketch();
  for (const value of values) sketch.add(value);
  return sketch;
}

/** For rows that come in any order. */
export function sorted<T>(rows: readonly T[]): T[] {
  const nameOf = (row: T) => JSON.stringify(row, (_, value) => (typeof value === 'bigint' ? String(value) : value));
  return rows.toSorted((a, b) => (nameOf(a) < nameOf(b) ? -1 : 1));
}
