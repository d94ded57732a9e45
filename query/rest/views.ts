/** The shapes of what answers hold, for /openapi.json and for the test that holds real answers against it. */
import { z } from 'zod';
import { EVENT_TYPES, LEVELS } from '../../model/event.ts';
import { INSIGHT_STATES, INSIGHT_TYPES, SCOPES, SEVERITIES } from '../../model/insight.ts';
import { SNAPSHOT_TYPES } from '../../model/snapshot.ts';
import { DIFFERENCE_KINDS } from '../differences.ts';

const text = z.string();
const maybeText = z.string().nullable();
const count = z.number().int().min(0);
const time = z.string().meta({ format: 'date-time' });
const object = z.record(z.string(), z.unknown());
const share = z.number().min(0).max(1);
const id = z.string().regex(/^[0-9a-f]{32}$/);

export const componentRef = z.strictObject({ type: text, id: text }).meta({ id: 'ComponentRef' });
const window = z.strictObject({ start: time, end: time }).meta({ id: 'TimeWindow' });
const named = { component_type: text, component_id: text };

export const event = z
  .strictObject({
    id,
    event_type: z.enum(EVENT_TYPES),
    ...named,
    node_id: maybeText,
    correlation_id: maybeText,
    operation_id: maybeText,
    parent_event_id: maybeText,
    trace_id: maybeText,
    span_id: maybeText,
    parent_span_id: maybeText,
    level: z.enum(LEVELS).nullable(),
    severity_number: z.number().int(),
    message: text,
    data: object,
    resource: z.looseObject({ attributes: object }),
    scope: z.looseObject({ name: text, version: text, attributes: object }),
    template_id: maybeText,
    timestamp: time,
    received_at: time,
    flags: z.number().int().optional(),
    dropped_attributes_count: count.optional(),
    log: z.looseObject({}).optional(),
    span: z.looseObject({ kind: text, end_timestamp: time }).optional(),
    metric: z.looseObject({ metric_name: text, type: text, unit: text }).optional(),
    name: text.optional(),
    status: z.enum(['unset', 'ok', 'error']).optional(),
    duration_ms: z.number().optional(),
  })
  .meta({ id: 'DebugEvent' });

const diff = z
  .record(z.string(), z.strictObject({ from: z.unknown().optional(), to: z.unknown().optional() }))
  .describe('By path of keys: the value before and after.')
  .meta({ id: 'StateDiff' });

export const flushed = z.strictObject({
  flushed: z.boolean().describe('Everything acknowledged before the request can be read.'),
  waited_ms: count,
});

export const snapshotPosted = z.strictObject({ snapshot_id: id, diff_from_previous: diff.nullable() });

export const snapshot = z
  .strictObject({
    id,
    ...named,
    node_id: maybeText,
    operation_id: maybeText,
    correlation_id: maybeText,
    checkpoint_name: maybeText,
    state_name: maybeText,
    snapshot_type: z.enum(SNAPSHOT_TYPES),
    state_data: object.describe('The whole state, also where the snapshot said a part of it.'),
    assembled_from: z.array(id).describe('The snapshots that the state is made of, by time.'),
    complete: z.boolean().describe('False where the full snapshot that it builds on is not known.'),
    diff_from_previous: diff.nullable(),
    timestamp: time,
  })
  .meta({ id: 'Snapshot' });

export const keyChange = z
  .strictObject({
    snapshot_id: id,
    timestamp: time,
    node_id: maybeText,
    state_name: maybeText,
    operation_id: maybeText,
    value: z.json().optional().describe('Left out where the key is not there.'),
    from: z.json().optional().describe('What it was before.'),
    complete: z.boolean().describe('False where the state before it is not known whole.'),
  })
  .meta({ id: 'KeyChange' });

const suggestion = z
  .strictObject({ action: text, why: text, source: z.enum(['past_resolution', 'known_cause']) })
  .meta({ id: 'Suggestion' });

const evidence = z
  .strictObject({
    event_ids: z.array(text),
    span_ids: z.array(text),
    trace_ids: z.array(text),
    snapshot_ids: z.array(text),
    numbers: object,
  })
  .meta({ id: 'Evidence' });

const insightCore = {
  id,
  insight_type: z.enum(INSIGHT_TYPES),
  severity: z.enum(SEVERITIES),
  title: z.string().max(200),
  summary: z.string().max(500),
  state: z.enum(INSIGHT_STATES),
  confidence_score: share,
  last_seen: time,
};

export const insightBrief = z.strictObject(insightCore).meta({ id: 'InsightBrief' });

export const insight = z
  .strictObject({
    ...insightCore,
    fingerprint: text,
    description: text,
    evidence,
    suggestions: z.array(suggestion),
    scope: z.enum(SCOPES),
    affected_components: z.array(componentRef),
    correlation_id: maybeText,
    operation_id: maybeText,
    first_seen: time,
    occurrences: count,
    resolution_notes: maybeText,
    resolved_by: maybeText,
    resolved_at: maybeText,
    generated_at: time,
    updated_at: time,
    expires_at: time,
  })
  .meta({ id: 'Insight' });

export const imported = z
  .strictObject({ correlation_id: text, logs: count, spans: count, metrics: count, insights: count })
  .meta({ id: 'Imported' });

export const changes = z
  .strictObject({
    opened: z.array(insightBrief),
    changed: z.array(insightBrief),
    resolved: z.array(insightBrief),
    cursor: text.describe('Asks for what comes after: `since` of the next request.'),
  })
  .meta({ id: 'Changes' });

export const alert = z
  .strictObject({
    insight_type: z.enum(INSIGHT_TYPES),
    severity: z.enum(SEVERITIES),
    title: text,
    summary: text,
    affected_components: z.array(componentRef),
    first_seen: time,
    last_seen: time,
    insights: z.array(insightBrief).describe('To resolve or ignore them is to acknowledge the alert.'),
  })
  .meta({ id: 'Alert' });

const nextCall = z.strictObject({ tool: text, arguments: object }).meta({ id: 'NextCall' });

/** What agents get; the lists of its task stand beside these. */
export const agentAnswer = z
  .looseObject({
    answer: text,
    confidence: share.optional(),
    suggestions: z.array(z.unknown()).optional(),
    evidence: z.array(z.unknown()).optional(),
    clarification_needed: text.optional(),
    shown: z.record(text, text).optional().describe('By list that is cut: shown/total.'),
    coverage: z.array(text).optional(),
    next: z.array(nextCall).max(3).optional(),
    as_of: time.optional(),
    receipt: z.strictObject({
      budget_tokens: count.optional(),
      used_tokens: count.optional(),
      omitted: count,
      raw_events: count.optional(),
      raw_tokens: count.optional().describe('What retrieving the same events would have cost.'),
    }),
  })
  .meta({ id: 'AgentAnswer' });

const chainLink = z
  .strictObject({ event_id: id, ...named, level: z.enum(LEVELS).nullable(), message: text, timestamp: time })
  .meta({ id: 'ChainLink' });

export const explanation = z
  .strictObject({
    event_id: id.nullable(),
    insight_id: id.nullable(),
    description: text,
    root_cause: chainLink.nullable(),
    chain: z.array(chainLink).describe('From the error back to its root cause.'),
    affected_components: z.array(componentRef),
    suggestions: z.array(suggestion),
    confidence: share,
    evidence: evidence.nullable(),
  })
  .meta({ id: 'Explanation' });

export const correlation = z
  .strictObject({
    correlation_id: text,
    started_at: time,
    ended_at: time,
    duration_ms: z.number().min(0),
    event_count: count,
    error_count: count,
    components: z.array(z.strictObject({ type: text, id: text, event_count: count, error_count: count })),
    operations: z.array(text),
    traces: z.array(text),
    insights: z.array(insightBrief),
    events: z.array(event).describe('A page of its events, the oldest first.'),
  })
  .meta({ id: 'Correlation' });

const spanNode = z
  .strictObject({
    event_id: id,
    span_id: text,
    parent_span_id: maybeText,
    depth: count,
    children: z.array(text),
    name: text,
    kind: text,
    ...named,
    node_id: maybeText,
    status: z.enum(['unset', 'ok', 'error']),
    status_message: maybeText,
    timestamp: time,
    offset_ms: z.number(),
    duration_ms: z.number().min(0),
    self_time_ms: z.number().min(0),
    critical_path_ms: z.number().min(0),
  })
  .meta({ id: 'SpanNode' });

const traceProblem = z.union([
  z.strictObject({ kind: z.literal('missing_parent'), span_id: text, parent_span_id: text }),
  z.strictObject({ kind: z.enum(['cycle', 'duplicate_span']), span_id: text }),
  z.strictObject({ kind: z.literal('multiple_roots'), count }),
]);

export const trace = z
  .strictObject({
    trace_id: text,
    started_at: time,
    ended_at: time,
    duration_ms: z.number().min(0),
    span_count: count,
    error_count: count,
    incomplete: z.boolean(),
    problems: z.array(traceProblem),
    spans: z.array(spanNode).describe('Depth first: indent by `depth` and it is the tree.'),
    critical_path: z.array(
      z.strictObject({ span_id: text, name: text, ...named, timestamp: time, duration_ms: z.number().min(0) }),
    ),
    errors: z.array(z.strictObject({ event_id: id, span_id: maybeText, ...named, message: text, timestamp: time })),
  })
  .meta({ id: 'Trace' });

const progressStatus = ['started', 'in_progress', 'completed', 'failed'] as const;

export const progress = z
  .strictObject({
    operation_id: text,
    status: z.enum(progressStatus),
    progress: share,
    steps: z.array(
      z.strictObject({ step: text, status: z.enum(progressStatus), progress: share, ...named, updated_at: time }),
    ),
    total_steps: count,
    completed_steps: count,
    error_count: count,
    started_at: time,
    updated_at: time,
  })
  .meta({ id: 'OperationProgress' });

export const activeOperation = z
  .strictObject({
    correlation_id: text,
    status: z.enum(['active', 'stalled', 'errors']),
    started_at: time,
    last_activity: time,
    event_count: count,
    error_count: count,
  })
  .meta({ id: 'ActiveOperation' });

const health = {
  status: z.enum(['healthy', 'degraded', 'unhealthy', 'unknown']),
  total_events: count,
  error_events: count,
  error_rate: share.nullable(),
};
const score = z.number().min(0).max(100).nullable();

export const componentHealth = z
  .strictObject({ ...named, ...health, health_score: score, insights: z.array(insightBrief), time_range: window })
  .meta({ id: 'ComponentHealth' });

export const systemHealth = z
  .strictObject({
    ...health,
    overall_health_score: score,
    active_operations: count,
    components: z.record(z.string(), z.strictObject({ ...health, health_score: score })).describe('By component type.'),
    by_component: z.array(z.strictObject({ ...named, ...health, health_score: score })),
    time_range: window,
  })
  .meta({ id: 'SystemHealth' });

export const errorRates = z
  .strictObject({
    error_rates: z.array(z.strictObject({ ...named, total_events: count, error_events: count, error_rate: share })),
    time_range: window,
  })
  .meta({ id: 'ErrorRates' });

const flow = { total_events: count, events_per_minute: z.number().min(0) };

export const throughput = z
  .strictObject({ ...flow, throughput_by_component: z.record(z.string(), z.strictObject(flow)), time_range: window })
  .meta({ id: 'Throughput' });

const milliseconds = z.number().min(0).nullable();
const latency = { sample_count: count, p50_ms: milliseconds, p95_ms: milliseconds, p99_ms: milliseconds };

export const performance = z
  .strictObject({ ...named, ...latency, insights: z.array(insightBrief), time_range: window })
  .meta({ id: 'Performance' });

export const insightsSummary = z
  .strictObject({
    total_count: count,
    resolved_count: count,
    unresolved_count: count,
    by_type: z.record(z.string(), z.record(z.string(), count)),
    time_range: window,
  })
  .meta({ id: 'InsightsSummary' });

const pattern = {
  template_id: maybeText,
  template: maybeText,
  count,
  level: z.enum(LEVELS).nullable(),
  first_seen: time,
  last_seen: time,
  components: z.array(componentRef),
  example_event_id: text,
};

export const template = z.strictObject(pattern).meta({ id: 'Template' });

export const errorPattern = z
  .strictObject({ ...pattern, trend: z.enum(['rising', 'falling', 'steady']), new: z.boolean() })
  .meta({ id: 'ErrorPattern' });

export const metricSeries = z
  .strictObject({
    metric_name: text,
    type: text,
    unit: text,
    temporality: maybeText,
    ...named,
    node_id: maybeText,
    dimensions: object,
    points: z.array(z.looseObject({ timestamp: time })),
  })
  .meta({ id: 'MetricSeries' });

export const comparison = z
  .strictObject({
    sides: z.array(z.strictObject({ label: text, ...health, health_score: score, ...latency, sampled_events: count })),
    remarks: z.array(text),
    differences: z.array(
      z.strictObject({
        kind: z.enum(DIFFERENCE_KINDS),
        name: text,
        value: maybeText,
        per_side: z.array(z.number().nullable()),
        score: share,
      }),
    ),
  })
  .meta({ id: 'Comparison' });

export const componentVersion = z
  .strictObject({
    ...named,
    attribute: text,
    version: text,
    first_seen: time,
    last_seen: time,
    nodes: count,
    before: maybeText,
  })
  .meta({ id: 'ComponentVersion' });

export const componentNode = z
  .strictObject({ ...named, node_id: text, version: maybeText, first_seen: time, last_seen: time })
  .meta({ id: 'ComponentNode' });

export const topology = z
  .strictObject({
    nodes: z.array(
      z.strictObject({
        ...named,
        inferred: z.boolean(),
        calls: count,
        errors: count,
        health_score: z.number().min(0).max(100).nullable(),
        status: z.enum(['healthy', 'degraded', 'unhealthy', 'unknown']),
      }),
    ),
    edges: z.array(
      z.strictObject({
        from: componentRef,
        to: componentRef,
        calls: count,
        calls_per_minute: z.number().min(0),
        errors: count,
        error_rate: share,
        p50_ms: z.number().min(0),
        p95_ms: z.number().min(0),
        p99_ms: z.number().min(0),
        critical_share: share,
        critical: z.boolean(),
      }),
    ),
    time_range: window,
    unmatched_calls: count,
    spans: count,
  })
  .meta({ id: 'Topology' });

const side = { start: time, end: time, traces: count, events: count };

export const rootCause = z
  .strictObject({
    ranked: z.array(
      z.strictObject({
        ...named,
        score: share,
        confidence: share,
        region: z.strictObject({
          kind: z.enum(['log_template', 'operation', 'connection', 'resource']),
          name: text,
          operation: text.optional(),
          template_id: text.optional(),
          metric_name: text.optional(),
        }),
        reasons: z.array(text),
        evidence: z.array(id),
        signals: z.record(z.string(), share),
      }),
    ),
    summary: text,
    window: z.strictObject(side),
    baseline: z.strictObject({ ...side, assumed: z.boolean() }),
    metric_points: count,
    ranking_ms: z.number().min(0),
  })
  .meta({ id: 'RootCause' });

export const session = z
  .strictObject({
    id,
    session_name: text,
    description: maybeText,
    filters: object,
    scope: z.union([object, text]),
    active: z.boolean(),
    created_at: time,
    closed_at: maybeText,
    event_count: count,
    insight_count: count,
    counts_capped: z.boolean(),
  })
  .meta({ id: 'Session' });

export const meta = z
  .strictObject({
    as_of: time,
    count,
    next_cursor: text.optional(),
    truncated: z.boolean(),
    coverage: z.strictObject({
      tiers: z.array(z.enum(['hot', 'warm', 'cold'])),
      archive_files: z.strictObject({ considered: count, opened: count }).optional(),
      pending: count,
      rejected: count.optional().describe('Records sent here that could not be read, since the start of this process.'),
      empty: z.enum(['no_data', 'no_match', 'out_of_retention']).optional(),
    }),
    tier: z.enum(['hot', 'warm', 'cold']).optional(),
  })
  .meta({ id: 'Meta' });

export const problem = z
  .strictObject({
    type: text,
    title: text,
    status: z.number().int(),
    detail: text,
    instance: text,
    code: text,
    errors: z.array(z.strictObject({ field: text, message: text })),
    request_id: text,
  })
  .meta({ id: 'Problem' });
