import { context, isSpanContextValid, trace } from '@opentelemetry/api';

/** What the loggers' own lines say of the span they were written in, under the names that OpenTelemetry gives them there. */
export interface TraceFields {
  trace_id: string;
  span_id: string;
  trace_flags: string;
}

export function traceFields(): TraceFields | undefined {
  const own = trace.getSpanContext(context.active());
  if (own === undefined || !isSpanContextValid(own)) return undefined;
  return { trace_id: own.traceId, span_id: own.spanId, trace_flags: `0${own.traceFlags.toString(16)}` };
}
