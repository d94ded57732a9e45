/**
 * Asking for events over all tiers. A query names what it wants; the answer is one page, newest first, each event once, and says
 * which tiers answered.
 */
import type { DebugEvent, EventType, Level } from '../model/event.ts';
import type { TierName } from './contract.ts';

export interface EventQuery {
  tenant: string;
  component_type?: string;
  component_id?: string;
  /** Everything that carries it and everything in the traces that it touches. */
  correlation_id?: string;
  operation_id?: string;
  trace_id?: string;
  event_types?: readonly EventType[];
  level?: Level;
  min_level?: Level;
  template_id?: string;
  /** Text that the message contains, case-insensitive. */
  q?: string;
  /** Attribute key and the text of its value. */
  attributes?: ReadonlyMap<string, string>;
  /** Of the record's own time, nanoseconds, inclusive. Absent: all that is retained. */
  start?: bigint;
  end?: bigint;
  /** Only events older than this one: the id of the last event of the page before. */
  before?: string;
  /** 1 and up. */
  limit: number;
}

export interface EventPage {
  /** By id descending, that is newest first. */
  events: DebugEvent[];
  /** The `before` of the next page; null at the end. */
  next: string | null;
  tiers: TierName[];
}

export interface EventReader {
  events(query: EventQuery): Promise<EventPage>;
  event(tenant: string, id: string): Promise<{ event: DebugEvent; tier: TierName } | null>;
}
