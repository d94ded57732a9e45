/** Counts per minute that make answers cheap: health, error patterns and baselines read these, only evidence reads events. */
import type { Sketch } from './sketch.ts';

/** One component in one minute. Metric points are not counted: they cannot fail. */
export interface ComponentMinute {
  /** Start of the minute, nanoseconds. */
  minute: bigint;
  component_type: string;
  component_id: string;
  total: number;
  /** Of them at level ERROR and above. */
  errors: number;
  critical: number;
  /**
   * Of `errors`, those that no template tells of: without one of their own, and no failed span of a trace of which an error with one was seen by
   * then. What comes later takes nothing back: it is so many at most. Absent: not known, as versions before this one did not count it.
   */
  untold?: number;
  /** Durations of the component's spans in milliseconds. */
  latency: Sketch;
}

/** One log template of one component in one minute. */
export interface TemplateMinute {
  minute: bigint;
  template_id: string;
  component_type: string;
  component_id: string;
  count: number;
  /** The highest severity number seen. */
  severity_max: number;
  first_time: bigint;
  last_time: bigint;
  example_event_id: string;
}

/**
 * What an edge stands for: a `call` between two components that both report; a call to a `peer` that does not, known by the name that
 * callers give it; an `entry`, a trace that begins in a component; an `unmatched` call, answered by a component, of which the caller's
 * span has not been seen.
 */
export const EDGE_KINDS = ['call', 'peer', 'entry', 'unmatched'] as const;
export type EdgeKind = (typeof EDGE_KINDS)[number];

/**
 * Calls from one component to another in one minute. What one flush knows of an edge may be taken back by a later one, which has seen who
 * answered: then its counts are below 0. Only the sum of all flushes counts anything; where it is 0 there is no such edge.
 */
export interface EdgeMinute {
  minute: bigint;
  kind: EdgeKind;
  /** Both empty for an `entry` and an `unmatched` call. */
  from_type: string;
  from_id: string;
  /** Of a `peer`: `service` and the address or name that its callers know. */
  to_type: string;
  to_id: string;
  calls: number;
  errors: number;
  /** Milliseconds: as long as the caller waited where it has a client's span for the call, else as long as the callee worked. */
  latency: Sketch;
}

/** A log template: the constant part of a message, with a typed placeholder for each value: `user <num> logged in from <ip>`. */
export interface Template {
  /** 16 hex: hash of the text that it was first given, so that every process gives it the same id. */
  id: string;
  text: string;
  /** The template has become part of a more general one, whose text this is: it MUST replace what is stored under the id. */
  merged?: true;
}

/** What a trace's records say about its correlation; the smallest (time, text) wins, so that arrival order does not matter. */
export interface TraceCorrelation {
  trace_id: string;
  correlation_id: string;
  time: bigint;
}
