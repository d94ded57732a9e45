/** What the query service needs of the other rooms; collector.ts joins them. */
import type { Clock } from '../base/clock.ts';
import type { ComponentRef, Signal } from '../model/block.ts';
import type { DebugEvent } from '../model/event.ts';
import type { Insight } from '../model/insight.ts';
import type { KeySettings } from '../otlp/keys.ts';
import type { EdgeSum, FeedMessage, RowStore } from '../storage/contract.ts';
import type { ColumnReader, EventReader, RequestReader } from '../storage/query.ts';
import type { Cache } from './cache.ts';

export interface QueryNeeds {
  events: EventReader & ColumnReader & RequestReader;
  rows: RowStore;
  /** Makes secrets in an OTLP export (of logs unless said) unreadable, in place: before ids are made of what is in it. */
  redact(tenant: string, body: Uint8Array, signal?: Signal): void;
  /**
   * Takes OTLP exports (protobuf; of logs unless said) as if they had come over the wire. MUST resolve only once their records can be read, so
   * that what one request created the next one finds. @throws DebugError UNAVAILABLE when the journal is full or stopping
   */
  ingest(tenant: string, exports: readonly Uint8Array[], signal?: Signal): Promise<void>;
  /**
   * A read barrier: resolves when everything acknowledged before the call can be read, or after a second at the latest.
   * @returns how much is still on its way; 0 unless the store is slow or away
   */
  settled(): Promise<{ pending: number }>;
  engine: InsightEngine;
  /** Ranks the components by how likely each is behind what went wrong in a window. @throws DebugError UNAVAILABLE */
  rootCauses(request: RootCauseRequest): Promise<FoundCauses>;
  /** Who calls whom, from edges; critical paths from some of the spans. @param range its length in `minutes`, over 0 */
  topology(range: { edges: readonly EdgeSum[]; spans: readonly DebugEvent[]; minutes: number }): Topology;
  /** Tells the live feed; never waits, never throws. */
  publish(message: FeedMessage): void;
  /** Which attributes carry correlation and operation: posted events use the first of each. */
  keys: KeySettings;
  clock: Clock;
  /** Records of a tenant that were sent to this process and could not be read, since its start; absent: it receives none. */
  rejected?(tenant: string): number;
  /** What was read lately; absent: everything is read anew. Whoever stores tells it. */
  cache?: Cache;
  /** `DEBUG_EVENT_RETENTION_HOURS`, in nanoseconds: an empty answer about older times says so. */
  retentionNanos: bigint;
  /** `DEBUG_AI_QUERY_ENABLED`; absent: yes. */
  aiQueryEnabled?: boolean;
  /** Words answers to questions by a model; absent: none is configured. */
  wording?: Wording;
}

/** What the engine is asked for. */
export interface InsightEngine {
  /** Looks into what the request names, stores what it finds and returns it; the same finding is never stored twice. */
  generate(request: GenerateRequest): Promise<Insight[]>;
  /** Compares the state that the nodes or components of an operation reported; null where nothing did. Stored when inconsistent. */
  consistency(request: ConsistencyRequest): Promise<Insight | null>;
  /** From an error back to the earliest failure behind it, as far as the evidence goes now. Stores nothing. */
  explain(tenant: string, event: DebugEvent): Promise<ErrorExplanation>;
}

export interface GenerateRequest {
  tenant: string;
  correlation_id?: string;
  operation_id?: string;
  component_type?: string;
  component_id?: string;
  /** Nanoseconds, inclusive; absent: all that is retained. */
  start?: bigint;
  end?: bigint;
}

export interface ConsistencyRequest {
  tenant: string;
  operation_id: string;
  component_ids?: readonly string[];
  component_type?: string;
}

export interface Topology {
  /** By type and id. */
  nodes: {
    component_type: string;
    component_id: string;
    /** Known only from those that call it: it sends nothing itself. */
    inferred: boolean;
    /** Calls that it answered, or that were made to it where it is inferred. */
    calls: number;
    errors: number;
    health_score: number | null;
    status: 'healthy' | 'degraded' | 'unhealthy' | 'unknown';
  }[];
  /** The most called first. */
  edges: {
    from: ComponentRef;
    to: ComponentRef;
    calls: number;
    calls_per_minute: number;
    errors: number;
    error_rate: number;
    p50_ms: number;
    p95_ms: number;
    p99_ms: number;
    /** The part of the critical path of the traces that lies behind this call, 0 to 1. */
    critical_share: number;
    critical: boolean;
  }[];
}

export interface RootCauseRequest {
  tenant: string;
  /** Nanoseconds, inclusive. */
  window: { start: bigint; end: bigint };
  /** Absent: the time before the window. */
  baseline?: { start: bigint; end: bigint };
}

export interface FoundCauses {
  /** Best first. */
  ranked: RankedCause[];
  window: SeenSide;
  baseline: SeenSide & { assumed: boolean };
  /** Metric points that were looked at. */
  points: number;
  /** Not all of a side was read: the newest part of it was. */
  truncated: boolean;
  /** Milliseconds, reading not counted. */
  rankingMs: number;
}

interface SeenSide {
  start: bigint;
  end: bigint;
  traces: number;
  events: number;
}

export interface RankedCause {
  component_type: string;
  component_id: string;
  /** 0 to 1: the part of the window that this component spoiled, as far as the signals tell. */
  score: number;
  /** 0 to 1: how far its score stands out from the others' and from zero, and how much it rests on. */
  confidence: number;
  /** Where the failing traces leave the healthy path, or what has run out. */
  region: {
    kind: 'log_template' | 'operation' | 'connection' | 'resource';
    name: string;
    operation?: string;
    template_id?: string;
    metric_name?: string;
  };
  /** In plain words with the numbers, the strongest first. */
  reasons: string[];
  /** Ids of events, the most telling first. */
  evidence: string[];
  /** What each signal gave, 0 to 1. */
  signals: Record<string, number>;
}

export interface ErrorExplanation {
  /** The best finding about it; null when there is none. */
  insight: Insight | null;
  /** From the error (first) to the earliest failure known (last). */
  chain: readonly DebugEvent[];
  affected_components: readonly ComponentRef[];
}

/** One claim of an answer, and the events or insights that it rests on. */
export interface Claim {
  text: string;
  /** Ids that exist; empty where the claim rests on counts alone. */
  evidence: readonly string[];
}

/** Says claims in other words, with the ids of their evidence behind each sentence. Never throws; null: the plain wording stays. */
export type Wording = (question: string, claims: readonly Claim[]) => Promise<string | null>;
