import {
  type Context,
  type TextMapGetter,
  type TextMapPropagator,
  type TextMapSetter,
  trace,
} from '@opentelemetry/api';
import { isTracingSuppressed, W3CTraceContextPropagator } from '@opentelemetry/core';
import { ValidSpanContext, validSpanContext } from './span-contexts.ts';

const TRACE_PARENT = 'traceparent';
const TRACE_STATE = 'tracestate';

/**
 * W3C trace context, with a short way for a `traceparent` of version 00 without a `tracestate`, as nearly every call between two services
 * of ours brings it. All else is read by the library.
 */
export class TraceContextPropagator implements TextMapPropagator {
  readonly #library = new W3CTraceContextPropagator();

  extract(ctx: Context, carrier: unknown, getter: TextMapGetter): Context {
    const header = getter.get(carrier, TRACE_PARENT);
    if (header === undefined) return ctx;
    const caller = typeof header === 'string' && !getter.get(carrier, TRACE_STATE) ? callerIn(header) : undefined;
    return caller === undefined ? this.#library.extract(ctx, carrier, getter) : trace.setSpanContext(ctx, caller);
  }

  inject(ctx: Context, carrier: unknown, setter: TextMapSetter): void {
    const own = isTracingSuppressed(ctx) ? undefined : validSpanContext(ctx);
    if (own === undefined) return;
    const { traceId, spanId, traceFlags, traceState } = own;
    setter.set(carrier, TRACE_PARENT, `00-${traceId}-${spanId}-0${(traceFlags || 0).toString(16)}`);
    if (traceState !== undefined) setter.set(carrier, TRACE_STATE, traceState.serialize());
  }

  fields(): string[] {
    return this.#library.fields();
  }
}

/** `00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01`; undefined where it is anything else, or where an id is all zeros. */
function callerIn(header: string): ValidSpanContext | undefined {
  if (header.length !== 55 || !header.startsWith('00-')) return undefined;
  if (header.charCodeAt(35) !== DASH || header.charCodeAt(52) !== DASH) return undefined;
  if (!isId(header, 3, 35) || !isId(header, 36, 52)) return undefined;
  const flags = header.slice(53);
  if (flags !== '01' && flags !== '00') return undefined;
  return new ValidSpanContext(header.slice(3, 35), header.slice(36, 52), flags === '01' ? 1 : 0, true);
}

const DASH = 0x2d;

/** Lower-case hex digits, one of them at least no zero. */
function isId(text: string, from: number, until: number): boolean {
  let some = 0;
  for (let i = from; i < until; i++) {
    const code = text.charCodeAt(i);
    const isDigit = code >= 0x30 && code <= 0x39;
    if (!isDigit && (code < 0x61 || code > 0x66)) return false;
    some |= code ^ 0x30;
  }
  return some !== 0;
}
