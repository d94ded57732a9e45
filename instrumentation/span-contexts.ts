import { type Context, isSpanContextValid, type SpanContext, type TraceState, trace } from '@opentelemetry/api';

/** Made only where the ids are known to be ids: of a span of ours, or out of a `traceparent` that was read. */
export class ValidSpanContext implements SpanContext {
  readonly traceId: string;
  readonly spanId: string;
  readonly traceFlags: number;
  readonly traceState?: TraceState;
  readonly isRemote?: boolean;

  constructor(traceId: string, spanId: string, traceFlags: number, isRemote: boolean, traceState?: TraceState) {
    this.traceId = traceId;
    this.spanId = spanId;
    this.traceFlags = traceFlags;
    if (isRemote) this.isRemote = true;
    if (traceState !== undefined) this.traceState = traceState;
  }
}

let lastValid: SpanContext | undefined;

/**
 * The span context in force, where its ids are ids. Everything that is stamped on one span or log record asks this, up to five times
 * in a row, and to look at 48 hex digits was the dearest line of the stamping in a profile: so of ours it is known, and of others'
 * the answer for the last is remembered.
 */
export function validSpanContext(ctx: Context): SpanContext | undefined {
  const own = trace.getSpanContext(ctx);
  if (own === undefined || own instanceof ValidSpanContext || own === lastValid) return own;
  if (!isSpanContextValid(own)) return undefined;
  lastValid = own;
  return own;
}
