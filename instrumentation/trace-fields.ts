import { context } from '@opentelemetry/api';
import { validSpanContext } from './span-contexts.ts';

/** What the loggers' own lines say of the span they were written in, under the names that OpenTelemetry gives them there. */
export interface TraceFields {
  trace_id: string;
  span_id: string;
  trace_flags: string;
}

export function traceFields(): TraceFields | undefined {
  const own = validSpanContext(context.active());
  if (own === undefined) return undefined;
  return { trace_id: own.traceId, span_id: own.spanId, trace_flags: `0${own.traceFlags.toString(16)}` };
}
