/** What an analyzer found, before it is compared with what is known: the claim, the evidence, and how sure the evidence makes us. */
import type { ComponentRef } from '../model/block.ts';
import type { DebugEvent } from '../model/event.ts';
import { hashText } from '../model/hash.ts';
import { hex64 } from '../model/ids.ts';
import type { Evidence, Insight, InsightType, Scope, Severity, Suggestion } from '../model/insight.ts';
import { SEVERITIES } from '../model/insight.ts';
import type { JsonObject } from '../model/json.ts';
import { formatNanos } from '../model/time.ts';
import { componentKey } from './window.ts';

export interface Finding {
  /** With `what` and `where` the identity of the finding: the same three again are the same insight. */
  analyzer: string;
  /** Which of the things that the analyzer can find; never a value that changes from one occurrence to the next. */
  what: string;
  /** Who is to blame. */
  where: ComponentRef;
  /** The finding wanders: it is the same one as an earlier one that shares a component, whoever is blamed first now. */
  spreads?: boolean;
  insight_type: InsightType;
  severity: Severity;
  title: string;
  summary: string;
  description: string;
  /** Who has to do with it, `where` first. */
  components: readonly ComponentRef[];
  correlation_id: string | null;
  operation_id: string | null;
  evidence: Evidence;
  /** 0 to 1, see {@link confidenceOf}. */
  confidence: number;
  /** Times of the occurrences, RFC 3339, ascending, at least one. */
  times: readonly string[];
  /** What it said about itself, for known causes: messages, exception types. */
  symptoms: readonly string[];
  /** What this evidence itself suggests, before past resolutions and known causes are looked up. */
  suggestions?: readonly Suggestion[];
}

export const TITLE_LENGTH_MAX = 200;
export const SUMMARY_LENGTH_MAX = 500;

/**
 * How sure independent signals make us: the chance that not all of them mislead, `1 - Π(1 - signal)`, less what could not be seen.
 * @param signals each 0 to 1: how often the claim is right when this signal is there
 * @param coverage 0 to 1: the share of what could have contradicted the claim that was looked at
 * @returns 0 to 0.99, three decimals
 */
export function confidenceOf(signals: readonly number[], coverage = 1): number {
  const doubt = signals.reduce((product, signal) => product * (1 - Math.min(Math.max(signal, 0), 1)), 1);
  return round(Math.min((1 - doubt) * (0.5 + 0.5 * coverage), 0.99), 3);
}

/** How much a number of samples is worth: half at `half`, nine tenths at nine times that. */
export function sampleSignal(count: number, half: number): number {
  return count / (count + half);
}

/** How far a value lies beyond the threshold that it crossed: 0 at the threshold, half at twice it. */
export function marginSignal(value: number, threshold: number): number {
  return value > threshold ? 1 - threshold / value : 0;
}

export function round(value: number, decimals: number): number {
  return Number(value.toFixed(decimals));
}

/** Evidence of at most 20 events, their spans and traces; the first come first. */
export function evidenceOf(
  events: readonly DebugEvent[],
  numbers: JsonObject,
  snapshotIds: readonly string[] = [],
): Evidence {
  return {
    event_ids: distinct(events.map((event) => event.id)),
    span_ids: distinct(events.map((event) => event.span_id)),
    trace_ids: distinct(events.map((event) => event.trace_id)),
    snapshot_ids: distinct(snapshotIds),
    numbers,
  };
}

export function fingerprintOf(finding: Pick<Finding, 'analyzer' | 'what' | 'where'>): string {
  return `${familyOf(finding)}|${componentKey(finding.where)}`;
}

/** The fingerprint without the place: findings of one family are the same thing, maybe elsewhere. */
export function familyOf(finding: Pick<Finding, 'analyzer' | 'what'>): string {
  return `${finding.analyzer}|${finding.what}`;
}

/** 32 hex digits. */
export function insightId(fingerprint: string): string {
  return hex64(hashText('insight', fingerprint)) + hex64(hashText(fingerprint, 'insight'));
}

/** @param now nanoseconds  @param expires nanoseconds */
export function toInsight(
  finding: Finding,
  fingerprint: string,
  suggestions: Suggestion[],
  now: bigint,
  expires: bigint,
): Insight {
  return {
    id: insightId(fingerprint),
    fingerprint,
    insight_type: finding.insight_type,
    severity: finding.severity,
    title: cut(finding.title, TITLE_LENGTH_MAX),
    summary: cut(finding.summary, SUMMARY_LENGTH_MAX),
    description: finding.description,
    evidence: finding.evidence,
    confidence_score: finding.confidence,
    suggestions,
    scope: scopeOf(finding),
    affected_components: [...finding.components],
    correlation_id: finding.correlation_id,
    operation_id: finding.operation_id,
    first_seen: finding.times[0]!,
    last_seen: finding.times.at(-1)!,
    occurrences: finding.times.length,
    state: 'open',
    resolution_notes: null,
    resolved_by: null,
    resolved_at: null,
    generated_at: formatNanos(now),
    updated_at: formatNanos(now),
    expires_at: formatNanos(expires),
  };
}

/**
 * What becomes of a known insight when its finding comes again. An ignored one stays ignored. A resolved one that is seen after it was
 * resolved has regressed; the old evidence seen again is nothing new. A later look at all that an earlier one saw knows better how grave it
 * is, as records of a trace arrive over seconds; one at a part of it can only add. Null: nothing to change.
 */
export function mergeInsight(known: Insight, fresh: Insight, times: readonly string[]): Insight | null {
  if (known.expires_at <= fresh.generated_at) return fresh;
  if (known.state === 'resolved' && fresh.last_seen <= (known.resolved_at ?? '')) return null;
  // A second look at the same time counts what it missed; a later one adds what came since.
  const later = times.filter((time) => time > known.last_seen).length;
  const occurrences = Math.max(known.occurrences + later, fresh.occurrences);
  const sawAll = fresh.first_seen <= known.first_seen && fresh.occurrences >= known.occurrences;
  const graver = SEVERITIES[Math.max(SEVERITIES.indexOf(known.severity), SEVERITIES.indexOf(fresh.severity))]!;
  const severity = sawAll ? fresh.severity : graver;
  const isNews = later > 0 || occurrences > known.occurrences || severity !== known.severity;
  if (!isNews && known.first_seen <= fresh.first_seen) return null;
  return {
    ...fresh,
    id: known.id,
    fingerprint: known.fingerprint,
    severity,
    confidence_score: sawAll ? fresh.confidence_score : Math.max(known.confidence_score, fresh.confidence_score),
    affected_components: union(fresh.affected_components, known.affected_components),
    scope: fresh.scope === 'component' ? known.scope : fresh.scope,
    first_seen: [known.first_seen, fresh.first_seen].sort()[0]!,
    last_seen: [known.last_seen, fresh.last_seen].sort()[1]!,
    occurrences,
    state: known.state === 'resolved' ? 'regressed' : known.state,
    resolution_notes: known.resolution_notes,
    resolved_by: known.resolved_by,
    resolved_at: known.resolved_at,
    generated_at: known.generated_at,
  };
}

/** Newest occurrence's correlation: what a list filtered by correlation finds. */
export function latestCorrelation(events: readonly DebugEvent[]): string | null {
  return events.findLast((event) => event.correlation_id !== null)?.correlation_id ?? null;
}

/** The operation that all events are of, or null. */
export function commonOperation(events: readonly DebugEvent[]): string | null {
  const operations = new Set(events.map((event) => event.operation_id));
  const [only] = operations;
  return operations.size === 1 ? (only ?? null) : null;
}

const EVIDENCE_MAX = 20;
const COMPONENTS_MAX = 50;

function scopeOf({ components }: Finding): Scope {
  return components.length > 1 ? 'distributed' : 'component';
}

function union(first: readonly ComponentRef[], second: readonly ComponentRef[]): ComponentRef[] {
  const byKey = new Map([...first, ...second].map((component) => [componentKey(component), component]));
  return [...byKey.values()].slice(0, COMPONENTS_MAX);
}

function distinct(ids: readonly (string | null)[]): string[] {
  return [...new Set(ids.filter((id) => id !== null))].slice(0, EVIDENCE_MAX);
}

function cut(text: string, lengthMax: number): string {
  const line = text.replace(/\s+/g, ' ').trim();
  return line.length <= lengthMax ? line : `${line.slice(0, lengthMax - 1)}…`;
}
