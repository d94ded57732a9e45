/** Between what the service says and what the messages of debug_query.proto carry: the one place where either is turned into the other. */
import { create, type MessageInitShape } from '@bufbuild/protobuf';
import type { Timestamp } from '@bufbuild/protobuf/wkt';
import { TimestampSchema } from '@bufbuild/protobuf/wkt';
import type { ComponentRef } from '../../model/block.ts';
import { type DebugEvent, EVENT_TYPES, type EventType, LEVELS, type Level } from '../../model/event.ts';
import type { Evidence, Insight, Suggestion } from '../../model/insight.ts';
import type { JsonObject } from '../../model/json.ts';
import { formatNanos, parseNanos } from '../../model/time.ts';
import type * as proto from '../../proto/gen/debug/v1/debug_query_pb.js';
import type { AnswerMeta } from '../answer.ts';
import type { AskAnswer } from '../ask/ask.ts';
import type { Comparison } from '../compare.ts';
import type { EventFilter } from '../events.ts';
import type { Health, TimeWindow } from '../health.ts';
import type { ChainLink, Explanation, InsightBrief } from '../insights.ts';
import type { OperationProgress } from '../operations.ts';
import type { TimeRangeInput } from '../params.ts';
import type { RootCause } from '../root-cause.ts';

type Init<Schema extends Parameters<typeof create>[0]> = MessageInitShape<Schema>;

/** Fields of proto3 have no null: what is empty was not given. */
export function given(text: string): string | undefined {
  return text === '' ? undefined : text;
}

export function timeRangeOf(time: proto.TimeRange | undefined): TimeRangeInput {
  return {
    time_range: given(time?.timeRange ?? ''),
    start: time?.start && textOfTime(time.start),
    end: time?.end && textOfTime(time.end),
  };
}

export function windowOf({ start, end }: proto.TimeWindow): { start: string; end: string } {
  return { start: start ? textOfTime(start) : '', end: end ? textOfTime(end) : '' };
}

export function filterOf(filter: proto.EventFilter | undefined): EventFilter {
  if (filter === undefined) return {};
  return {
    component_type: given(filter.componentType),
    component_id: given(filter.componentId),
    correlation_id: given(filter.correlationId),
    operation_id: given(filter.operationId),
    trace_id: given(filter.traceId)?.toLowerCase(),
    event_type: filter.eventType.map(eventTypeOf).filter((type) => type !== undefined),
    level: levelOf(filter.level),
    min_level: levelOf(filter.minLevel),
    template_id: given(filter.templateId),
    q: given(filter.q),
    ...(Object.keys(filter.attributes).length > 0 && { attributes: filter.attributes }),
  };
}

export function metaMessage({ as_of, truncated, coverage }: AnswerMeta): Init<typeof proto.MetaSchema> {
  return {
    asOf: timeMessage(as_of),
    truncated,
    tiers: coverage.tiers,
    pending: BigInt(coverage.pending),
    empty: coverage.empty ?? '',
  };
}

export function eventMessage(event: DebugEvent): Init<typeof proto.EventSchema> {
  return {
    id: event.id,
    eventType: EVENT_TYPES.indexOf(event.event_type) + 1,
    component: { type: event.component_type, id: event.component_id },
    nodeId: event.node_id ?? '',
    correlationId: event.correlation_id ?? '',
    operationId: event.operation_id ?? '',
    parentEventId: event.parent_event_id ?? '',
    traceId: event.trace_id ?? '',
    spanId: event.span_id ?? '',
    parentSpanId: event.parent_span_id ?? '',
    level: levelNumber(event.level),
    severityNumber: event.severity_number,
    message: event.message,
    templateId: event.template_id ?? '',
    timestamp: timeMessage(event.timestamp),
    receivedAt: timeMessage(event.received_at),
    data: event.data,
    resource: plain(event.resource),
    scope: plain(event.scope),
    detail: plain(event.log ?? event.span ?? event.metric ?? {}),
    name: event.name ?? '',
    status: event.status ?? '',
    ...(event.duration_ms !== undefined && { durationMs: event.duration_ms }),
  };
}

export function insightMessage(insight: Insight): Init<typeof proto.InsightSchema> {
  return {
    ...briefMessage(insight),
    fingerprint: insight.fingerprint,
    description: insight.description,
    evidence: evidenceMessage(insight.evidence),
    suggestions: insight.suggestions.map(suggestionMessage),
    scope: insight.scope,
    affectedComponents: insight.affected_components.map(componentMessage),
    correlationId: insight.correlation_id ?? '',
    operationId: insight.operation_id ?? '',
    firstSeen: timeMessage(insight.first_seen),
    occurrences: BigInt(insight.occurrences),
    resolutionNotes: insight.resolution_notes ?? '',
    resolvedBy: insight.resolved_by ?? '',
    resolvedAt: timeMessage(insight.resolved_at),
    generatedAt: timeMessage(insight.generated_at),
    updatedAt: timeMessage(insight.updated_at),
    expiresAt: timeMessage(insight.expires_at),
  };
}

export function briefMessage(brief: InsightBrief) {
  return {
    id: brief.id,
    insightType: brief.insight_type,
    severity: brief.severity,
    title: brief.title,
    summary: brief.summary,
    state: brief.state,
    confidenceScore: brief.confidence_score,
    lastSeen: timeMessage(brief.last_seen),
  } satisfies Init<typeof proto.InsightBriefSchema>;
}

export function healthMessage(health: Health): Init<typeof proto.HealthSchema> {
  return {
    status: health.status,
    totalEvents: BigInt(health.total_events),
    errorEvents: BigInt(health.error_events),
    ...(health.health_score !== null && { healthScore: health.health_score }),
    ...(health.error_rate !== null && { errorRate: health.error_rate }),
  };
}

export function windowMessage({ start, end }: TimeWindow): Init<typeof proto.TimeWindowSchema> {
  return { start: timeMessage(start), end: timeMessage(end) };
}

export function progressMessage(
  data: OperationProgress,
  meta: AnswerMeta,
): Init<typeof proto.GetOperationProgressResponseSchema> {
  return {
    meta: metaMessage(meta),
    operationId: data.operation_id,
    status: data.status,
    progress: data.progress,
    steps: data.steps.map((step) => ({
      step: String(step.step ?? ''),
      status: step.status,
      progress: step.progress,
      component: { type: step.component_type, id: step.component_id },
      updatedAt: timeMessage(step.updated_at),
    })),
    completedSteps: data.completed_steps,
    errorCount: BigInt(data.error_count),
    startedAt: timeMessage(data.started_at),
    updatedAt: timeMessage(data.updated_at),
  };
}

export function explanationMessage(data: Explanation, meta: AnswerMeta): Init<typeof proto.ExplainErrorResponseSchema> {
  return {
    meta: metaMessage(meta),
    eventId: data.event_id ?? '',
    insightId: data.insight_id ?? '',
    description: data.description,
    ...(data.root_cause !== null && { rootCause: linkMessage(data.root_cause) }),
    chain: data.chain.map(linkMessage),
    affectedComponents: data.affected_components.map(componentMessage),
    suggestions: data.suggestions.map(suggestionMessage),
    confidence: data.confidence,
    ...(data.evidence !== null && { evidence: evidenceMessage(data.evidence) }),
  };
}

export function comparisonMessage(
  data: Comparison,
  meta: AnswerMeta,
): Init<typeof proto.CompareComponentsResponseSchema> {
  return {
    meta: metaMessage(meta),
    sides: data.sides.map((side) => ({
      label: side.label,
      health: healthMessage(side),
      sampleCount: BigInt(side.sample_count),
      ...(side.p50_ms !== null && { p50Ms: side.p50_ms }),
      ...(side.p95_ms !== null && { p95Ms: side.p95_ms }),
      ...(side.p99_ms !== null && { p99Ms: side.p99_ms }),
      sampledEvents: BigInt(side.sampled_events),
    })),
    remarks: data.remarks,
    differences: data.differences.map(({ kind, name, value, per_side, score }) => ({
      kind,
      name,
      value: value ?? '',
      perSide: per_side.map((each) => (each === null ? {} : { value: each })),
      score,
    })),
  };
}

export function causesMessage(data: RootCause, meta: AnswerMeta): Init<typeof proto.RankRootCausesResponseSchema> {
  return {
    ranked: data.ranked.map(({ component_type, component_id, score, confidence, reasons, evidence }) => ({
      component: { type: component_type, id: component_id },
      score,
      confidence,
      reasons: [...reasons],
      evidence: [...evidence],
    })),
    summary: data.summary,
    meta: metaMessage(meta),
  };
}

export function askMessage(data: AskAnswer, meta: AnswerMeta): Init<typeof proto.AskResponseSchema> {
  const {
    answer,
    confidence,
    evidence,
    suggestions,
    parsed,
    next,
    clarification_needed,
    shown,
    coverage,
    receipt,
    ...rest
  } = data;
  const { as_of: _, ...lists } = rest;
  return {
    meta: metaMessage(meta),
    answer,
    ...(confidence !== undefined && { confidence }),
    evidence: (evidence ?? []).map(String),
    suggestions: (suggestions ?? []).map((each) => (typeof each === 'string' ? each : JSON.stringify(each))),
    ...(parsed !== undefined && { parsed: plain(parsed) }),
    next: (next ?? []).map((call) => ({ tool: call.tool, arguments: call.arguments })),
    clarificationNeeded: clarification_needed ?? '',
    shown: shown ?? {},
    coverage: coverage ?? [],
    receipt: {
      budgetTokens: receipt.budget_tokens ?? 0,
      usedTokens: receipt.used_tokens ?? 0,
      omitted: BigInt(receipt.omitted),
      rawEvents: BigInt(receipt.raw_events ?? 0),
      rawTokens: BigInt(receipt.raw_tokens ?? 0),
    },
    lists: plain(lists),
  };
}

/** A message of the live feed, read from the JSON that WebSockets are sent. */
export function liveMessage(text: string): Init<typeof proto.TailResponseSchema> {
  const { type, timestamp, cursor, data } = JSON.parse(text) as {
    type: string;
    timestamp: string;
    cursor: string;
    data: unknown;
  };
  const head = { type, timestamp: timeMessage(timestamp), cursor };
  if (type === 'debug:insight' || type === 'debug:alert') {
    const { change, ...insight } = data as Insight & { change: string };
    return { ...head, data: { case: 'insight', value: { insight: insightMessage(insight), change } } };
  }
  return { ...head, data: { case: 'event', value: eventMessage(data as DebugEvent) } };
}

function linkMessage(link: ChainLink): Init<typeof proto.ChainLinkSchema> {
  return {
    eventId: link.event_id,
    component: { type: link.component_type, id: link.component_id },
    level: levelNumber(link.level),
    message: link.message,
    timestamp: timeMessage(link.timestamp),
  };
}

function componentMessage({ type, id }: ComponentRef) {
  return { type, id };
}

function suggestionMessage({ action, why, source }: Suggestion) {
  return { action, why, source };
}

function evidenceMessage(evidence: Evidence): Init<typeof proto.EvidenceSchema> {
  return {
    eventIds: evidence.event_ids,
    spanIds: evidence.span_ids,
    traceIds: evidence.trace_ids,
    snapshotIds: evidence.snapshot_ids,
    numbers: evidence.numbers,
  };
}

/** Null, or past what a Timestamp may hold (the year 9999): absent. */
export function timeMessage(rfc3339: string | null): Timestamp | undefined {
  const nanos = rfc3339 === null ? null : parseNanos(rfc3339);
  if (nanos === null) return undefined;
  return create(TimestampSchema, { seconds: nanos / 1_000_000_000n, nanos: Number(nanos % 1_000_000_000n) });
}

function textOfTime({ seconds, nanos }: Timestamp): string {
  return formatNanos(seconds < 0n ? 0n : seconds * 1_000_000_000n + BigInt(nanos));
}

function eventTypeOf(type: proto.EventType): EventType | undefined {
  return EVENT_TYPES[type - 1];
}

function levelOf(level: proto.Level): Level | undefined {
  return LEVELS[level - 1];
}

function levelNumber(level: Level | null): number {
  return level === null ? 0 : LEVELS.indexOf(level) + 1;
}

/** Views are JSON, but typed by their fields. */
function plain(view: object): JsonObject {
  return view as JsonObject;
}
