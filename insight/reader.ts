/** What the engine reads, and from where: it says what it needs, and the collector joins it with the stores. */
import type { DebugEvent, EventType, Level } from '../model/event.ts';
import type { ComponentMinute, Template, TemplateMinute } from '../model/rollup.ts';
import type { Snapshot } from '../model/snapshot.ts';

/** Which part of what happened is looked at. */
export interface Scope {
  tenant: string;
  correlation_id?: string;
  operation_id?: string;
  component_type?: string;
  component_id?: string;
  /** Nanoseconds, inclusive. Absent: all that is retained. */
  start?: bigint;
  end?: bigint;
}

export interface Reader {
  /** Newest first, each once; `next` continues as `before`. */
  events(query: EventSelection): Promise<{ events: DebugEvent[]; next: string | null }>;
  /** Newest first. */
  snapshots(tenant: string, query: SnapshotSelection): Promise<Snapshot[]>;
  templateMinutes(tenant: string, range: MinuteSelection): Promise<TemplateMinute[]>;
  componentMinutes(tenant: string, range: MinuteSelection): Promise<ComponentMinute[]>;
  /** Whole minutes in the range, of each component together, any order. Absent: no rule of alerting is looked at. */
  componentSums?(
    tenant: string,
    range: MinuteSelection,
  ): Promise<{ component_type: string; component_id: string; total: number; errors: number }[]>;
  /** Those that are known, any order. Absent: templates are told by their id. */
  templates?(tenant: string, ids: readonly string[]): Promise<Template[]>;
}

export interface EventSelection extends Scope {
  trace_id?: string;
  event_types?: readonly EventType[];
  min_level?: Level;
  /** Text that the message contains, in any case; of a metric point that is the metric's name. */
  q?: string;
  before?: string;
  limit: number;
}

export interface SnapshotSelection {
  component_type?: string;
  component_id?: string;
  operation_id?: string;
  correlation_id?: string;
  start?: bigint;
  end?: bigint;
  limit: number;
}

export interface MinuteSelection {
  start: bigint;
  end: bigint;
  component_type?: string;
  component_id?: string;
}
