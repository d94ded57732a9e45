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
