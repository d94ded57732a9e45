/** What the query service needs of the other rooms; collector.ts joins them. */
import type { Clock } from '../base/clock.ts';
import type { ComponentRef } from '../model/block.ts';
import type { DebugEvent } from '../model/event.ts';
import type { Insight } from '../model/insight.ts';
import type { KeySettings } from '../otlp/keys.ts';
import type { FeedMessage, RowStore } from '../storage/contract.ts';
import type { ColumnReader, EventReader } from '../storage/query.ts';

export interface QueryNeeds {
  events: EventReader & ColumnReader;
  rows: RowStore;
  /**
   * Takes OTLP log exports (protobuf) as if they had come over the wire. MUST resolve only once their records can be read, so
   * that what one request created the next one finds. @throws DebugError UNAVAILABLE when the journal is full or stopping
   */
  ingest(tenant: string, exports: readonly Uint8Array[]): Promise<void>;
  /**
   * A read barrier: resolves when everything acknowledged before the call can be read, or after a second at the latest.
   * @returns how much is still on its way; 0 unless the store is slow or away
   */
  settled(): Promise<{ pending: number }>;
  engine: InsightEngine;
  /** Tells the live feed; never waits, never throws. */
  publish(message: FeedMessage): void;
  /** Which attributes carry correlation and operation: posted events use the first of each. */
  keys: KeySettings;
  clock: Clock;
  /** `DEBUG_EVENT_RETENTION_HOURS`, in nanoseconds: an empty answer about older times says so. */
  retentionNanos: bigint;
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

export interface ErrorExplanation {
  /** The best finding about it; null when there is none. */
  insight: Insight | null;
  /** From the error (first) to the earliest failure known (last). */
  chain: readonly DebugEvent[];
  affected_components: readonly ComponentRef[];
}
