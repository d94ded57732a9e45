/** Insights: what the engine found, with the evidence for it. Field names are REST's (CONTRACT section 6). */
import type { ComponentRef } from './block.ts';
import { isJsonObject, type JsonObject } from './json.ts';
import { formatNanos, parseNanos } from './time.ts';

export const INSIGHT_TYPES = ['consistency', 'flow', 'performance', 'error', 'anomaly', 'prediction'] as const;
export type InsightType = (typeof INSIGHT_TYPES)[number];
export const SEVERITIES = ['info', 'warning', 'critical'] as const;
export type Severity = (typeof SEVERITIES)[number];
export const SCOPES = ['component', 'distributed', 'system'] as const;
export type Scope = (typeof SCOPES)[number];
export const INSIGHT_STATES = ['open', 'resolved', 'regressed', 'ignored'] as const;
export type InsightState = (typeof INSIGHT_STATES)[number];

export interface Suggestion {
  action: string;
  why: string;
  /** Whether it comes from how a similar insight was resolved here, or from known causes. */
  source: 'past_resolution' | 'known_cause';
}

export interface Evidence {
  /** Ids that exist: each can be asked for. */
  event_ids: string[];
  span_ids: string[];
  trace_ids: string[];
  snapshot_ids: string[];
  /** The numbers behind the claim, by analyzer. */
  numbers: JsonObject;
}

export interface Insight {
  /** 32 hex, derived from the fingerprint: the same finding again is the same insight. */
  id: string;
  fingerprint: string;
  insight_type: InsightType;
  severity: Severity;
  /** To 200 characters. */
  title: string;
  /** One line, to 500 characters, for an agent. */
  summary: string;
  description: string;
  evidence: Evidence;
  /** 0 to 1, computed from the evidence. */
  confidence_score: number;
  suggestions: Suggestion[];
  scope: Scope;
  affected_components: ComponentRef[];
  correlation_id: string | null;
  operation_id: string | null;
  /** RFC 3339, times of the evidence. */
  first_seen: string;
  last_seen: string;
  occurrences: number;
  state: InsightState;
  resolution_notes: string | null;
  resolved_by: string | null;
  resolved_at: string | null;
  generated_at: string;
  updated_at: string;
  expires_at: string;
}

/** Longer than this without an occurrence, and it is no longer taken to go on: the seed's quarter of an hour of alerts. */
export const QUIET_NANOS = 15n * 60n * 1_000_000_000n;

/** Whether it was seen so lately that it is likely to go on. @param asOf RFC 3339, as insights write it */
export function goesOn({ last_seen }: Pick<Insight, 'last_seen'>, asOf: string): boolean {
  return last_seen >= formatNanos((parseNanos(asOf) ?? 0n) - QUIET_NANOS);
}

/** What became of a finding since: whether what was being done then ran again, and often enough without it. */
export type Verdict = 'not_exercised' | 'too_few_runs' | 'fixed';

/** What stands among the numbers of an insight, under `after_resolve` once it is resolved, else under `since_last_seen`. */
export interface Since {
  verdict: Verdict;
  clean_runs: number;
  runs_needed: number;
  /** Up to when it was looked: RFC 3339. */
  checked_until: string;
}

/** Null where nothing is known: it goes on, nobody looked yet, or what was being done is not known. */
export function sinceOf({ state, evidence }: Pick<Insight, 'state' | 'evidence'>): Since | null {
  const value = evidence.numbers[state === 'resolved' ? 'after_resolve' : 'since_last_seen'];
  return isJsonObject(value) && typeof value.checked_until === 'string' ? (value as unknown as Since) : null;
}

/** What was found, without where: the same thing elsewhere has the same. */
export function familyOfFingerprint(fingerprint: string): string {
  return fingerprint.split('|', 2).join('|');
}
