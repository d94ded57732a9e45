/**
 * How far an operation has come (CONTRACT section 7): the latest of each step, the mean over the known steps.
 *
 * A step is what `data.step` (or `step_id`, `step_name`) names, else the component that reports, in an event or in a state of its own. An operation whose services report no
 * step is measured by its traces: each is a step, done when its root span has ended.
 */
import type { DebugEvent } from '../model/event.ts';
import { isJsonObject, type JsonObject } from '../model/json.ts';
import { parseNanos } from '../model/time.ts';
import { isError } from './counts.ts';

export type ProgressStatus = 'not_found' | 'started' | 'in_progress' | 'completed' | 'failed';

export interface ProgressStep {
  step: string;
  status: Exclude<ProgressStatus, 'not_found'>;
  /** 0 to 1. */
  progress: number;
  component_type: string;
  component_id: string;
  updated_at: string;
}

export interface Progress {
  status: ProgressStatus;
  /** 0 to 1, four decimals. */
  progress: number;
  /** By their first report. */
  steps: ProgressStep[];
  total_steps: number;
  completed_steps: number;
  /** Events that are errors, also those that were recovered from. */
  error_count: number;
  started_at: string | null;
  updated_at: string | null;
}

/** @param events of the operation, in any order */
export function progressOf(events: readonly DebugEvent[]): Progress {
  const reports = events.map(reportOf).sort((a, b) => (a.at < b.at ? -1 : a.at > b.at ? 1 : 0));
  const recovered = recoveries(reports);
  const failures = reports.filter((report) => report.failed && !recovered(report));
  const reported = reports.filter((report) => report.reportsStep);
  const steps =
    reported.length > 0
      ? stepsOf(reported, new Set(failures.map(({ step }) => step)))
      : stepsOf(traceReports(reports), new Set(failures.map(({ event }) => event.trace_id)));
  const progress = steps.reduce((sum, step) => sum + step.progress, 0) / Math.max(steps.length, 1);
  const times = events.map((event) => event.timestamp).sort();
  return {
    status: events.length === 0 ? 'not_found' : statusOf(progress, failures.length > 0),
    progress: Math.round(progress * 10_000) / 10_000,
    steps,
    total_steps: steps.length,
    completed_steps: steps.filter((step) => step.progress >= 1).length,
    error_count: reports.filter((report) => report.failed).length,
    started_at: times[0] ?? null,
    updated_at: times.at(-1) ?? null,
  };
}

/** What one event says about the operation. */
interface Report {
  event: DebugEvent;
  /** When it was said: of a span, its end. */
  at: bigint;
  /** The step that it names, else null. */
  named: string | null;
  /** The step that it counts for. */
  step: string;
  /** Whether it says anything of a step: a mere note does not. */
  reportsStep: boolean;
  /** 0 to 1 as reported; null where it reports none. */
  value: number | null;
  failed: boolean;
}

function reportOf(event: DebugEvent): Report {
  const { data, span } = event;
  const named = textOf(data.step ?? data.step_id ?? data.step_name);
  const status = typeof data.status === 'string' ? data.status.toLowerCase() : '';
  const completed = COMPLETED.has(status);
  const told = data.progress ?? stateOf(event).progress;
  const progress = typeof told === 'number' ? Math.min(Math.max(told, 0), 1) : null;
  const failed = isError(event) || FAILED.has(status);
  return {
    event,
    at: parseNanos(span?.end_timestamp ?? event.timestamp) ?? 0n,
    named,
    step: named ?? event.component_id,
    reportsStep: named !== null || completed || progress !== null,
    value: failed ? null : completed ? 1 : progress,
    failed,
  };
}

/**
 * What takes back a failure: the same step completed later after all, something completed where either names no step, or the
 * root of the failure's trace ended well, so that whoever called has dealt with it.
 *
 * @param reports by time
 */
function recoveries(reports: readonly Report[]): (failure: Report) => boolean {
  const lastOfStep = new Map<string | null, bigint>();
  const endOfRoot = new Map<string, bigint>();
  let last = -1n;
  for (const report of reports) {
    if (report.failed) continue;
    if (isRoot(report)) endOfRoot.set(report.event.trace_id!, report.at);
    else if (report.value === 1) {
      lastOfStep.set(report.named, report.at);
      last = report.at;
    }
  }
  const reached = (at: bigint | undefined, failure: Report) => at !== undefined && at >= failure.at;
  return (failure) =>
    (failure.named === null && reached(last, failure)) ||
    reached(lastOfStep.get(null), failure) ||
    reached(lastOfStep.get(failure.named), failure) ||
    (failure.event.trace_id !== null && reached(endOfRoot.get(failure.event.trace_id), failure));
}

function stepsOf(reports: readonly Report[], failed: ReadonlySet<string | null>): ProgressStep[] {
  const steps = new Map<string, ProgressStep>();
  for (const { step, value, event } of reports) {
    const { component_type, component_id, timestamp } = event;
    const progress = value ?? steps.get(step)?.progress ?? 0;
    const status = statusOf(progress, failed.has(step));
    steps.set(step, { step, status, progress, component_type, component_id, updated_at: timestamp });
  }
  return [...steps.values()];
}

/** Spans as reports of their traces: each root is done when it has ended well, a trace without its root is not. */
function traceReports(reports: readonly Report[]): Report[] {
  const spans = reports.filter(({ event }) => event.span !== undefined);
  const rooted = new Set(spans.filter(isRoot).map(({ event }) => event.trace_id));
  return spans
    .filter((report) => isRoot(report) || !rooted.has(report.event.trace_id))
    .map((report) => ({ ...report, step: report.event.trace_id!, value: isRoot(report) && !report.failed ? 1 : null }));
}

function isRoot({ event }: Report): boolean {
  return event.span !== undefined && event.parent_span_id === null;
}

function statusOf(progress: number, failed: boolean): ProgressStep['status'] {
  if (failed) return 'failed';
  return progress >= 1 ? 'completed' : progress > 0 ? 'in_progress' : 'started';
}

/** Of a snapshot, whose state may tell the progress as an event's data does. Its status is that of what it describes, not of a step. */
function stateOf({ event_type, log }: DebugEvent): JsonObject {
  return event_type === 'state_snapshot' && isJsonObject(log?.body) ? log.body : {};
}

function textOf(value: unknown): string | null {
  return typeof value === 'string' || typeof value === 'number' ? String(value) : null;
}

const COMPLETED = new Set(['completed', 'done', 'succeeded', 'success']);
const FAILED = new Set(['failed', 'error']);
