/** What one event says about success, failure and time, whether it came as a span, a log record or a posted event. */
import type { DebugEvent } from '../model/event.ts';
import type { Json } from '../model/json.ts';
import { sentenceOf } from './structured-body.ts';
import { templateText } from './templates.ts';

/** A log record or posted event that tells of an error, or an exception recorded on a span. Spans have a status instead. */
export function isError(event: DebugEvent): boolean {
  return event.span === undefined && (event.level === 'ERROR' || event.level === 'CRITICAL');
}

/** An exception that a span recorded. Whether it was handled, its span's status says. */
export function isRecordedException(event: DebugEvent): boolean {
  return event.event_type === 'error' && event.log === undefined && event.name !== undefined && event.span_id !== null;
}

/** What went wrong in the event's own words, one line, never empty. */
export function wordsOf(event: DebugEvent): string {
  if (event.span !== undefined) {
    const reason = event.span.status_message ?? textAt(event, 'error.type');
    return oneLine(reason === undefined ? event.message : `${event.message}: ${reason}`) || '(unnamed span)';
  }
  return oneLine(sentenceOf(event) ?? event.message) || (textAt(event, 'exception.type') ?? '(no message)');
}

/** Equal for events that say the same with other values. */
export function patternOf(event: DebugEvent): string {
  let pattern = patterns.get(event);
  if (pattern === undefined) {
    pattern = templateText(wordsOf(event));
    patterns.set(event, pattern);
  }
  return pattern;
}

// Several analyzers ask for the same event: without this they spend half of their time here.
const patterns = new WeakMap<DebugEvent, string>();

/** How long the step took that the event tells of, in milliseconds; null when it tells of none. */
export function durationMsOf(event: DebugEvent): number | null {
  if (event.span !== undefined) return event.duration_ms ?? 0;
  const duration = event.data.duration_ms;
  return typeof duration === 'number' && duration >= 0 ? duration : null;
}

/** The name under which a step recurs: a span's name, what `data` calls it, else the pattern of the message. */
export function stepOf(event: DebugEvent): string {
  return event.name ?? namedStepOf(event) ?? patternOf(event);
}

export function namedStepOf(event: DebugEvent): string | undefined {
  return textAt(event, 'step') ?? textAt(event, 'operation');
}

/** The event says that its step went well. */
export function isSuccess(event: DebugEvent): boolean {
  if (isError(event)) return false;
  const { status, progress } = event.data;
  return progress === 1 || (typeof status === 'string' && SUCCESS.has(status.toLowerCase()));
}

export function textAt(event: DebugEvent, key: string): string | undefined {
  const value: Json | undefined = Object.hasOwn(event.data, key) ? event.data[key] : undefined;
  return typeof value === 'string' && value !== '' ? value : undefined;
}

const SUCCESS = new Set(['completed', 'complete', 'success', 'succeeded', 'ok', 'done', 'recovered']);
const LINE_LENGTH_MAX = 300;

function oneLine(text: string): string {
  const head = text.slice(0, LINE_LENGTH_MAX * 2);
  const end = head.search(/[\r\n]/);
  return (end > 0 ? head.slice(0, end) : head).trim().slice(0, LINE_LENGTH_MAX);
}
