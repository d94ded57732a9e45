import { isSpanContextValid, ROOT_CONTEXT, type SpanContext, TraceFlags, trace } from '@opentelemetry/api';
import { suppressTracing, TraceState, W3CTraceContextPropagator } from '@opentelemetry/core';
import { expect, test } from 'vitest';
import { TraceContextPropagator } from './trace-context.ts';

const library = new W3CTraceContextPropagator();
const ours = new TraceContextPropagator();
const TRACE_ID = '0af7651916cd43dd8448eb211c80319c';
const SPAN_ID = 'b7ad6b7169203331';

type Headers = Record<string, string | string[] | undefined>;
const getter = {
  keys: (carrier: Headers) => Object.keys(carrier),
  get: (carrier: Headers, key: string) => carrier[key],
};

test.each<[Headers]>([
  [{ traceparent: `00-${TRACE_ID}-${SPAN_ID}-01` }],
  [{ traceparent: `00-${TRACE_ID}-${SPAN_ID}-00` }],
  [{ traceparent: `00-${TRACE_ID}-${SPAN_ID}-03` }],
  [{ traceparent: `00-${TRACE_ID}-${SPAN_ID}-ff` }],
  [{ traceparent: `00-${TRACE_ID}-${SPAN_ID}-0g` }],
  [{ traceparent: `00-${TRACE_ID}-${SPAN_ID}-01-more` }],
  [{ traceparent: `01-${TRACE_ID}-${SPAN_ID}-01-more` }],
  [{ traceparent: `01-${TRACE_ID}-${SPAN_ID}-01` }],
  [{ traceparent: `ff-${TRACE_ID}-${SPAN_ID}-01` }],
  [{ traceparent: ` 00-${TRACE_ID}-${SPAN_ID}-01 ` }],
  [{ traceparent: `00-${TRACE_ID.toUpperCase()}-${SPAN_ID}-01` }],
  [{ traceparent: `00-${'0'.repeat(32)}-${SPAN_ID}-01` }],
  [{ traceparent: `00-${TRACE_ID}-${'0'.repeat(16)}-01` }],
  [{ traceparent: `00-${TRACE_ID.slice(1)}g-${SPAN_ID}-01` }],
  [{ traceparent: `00-${TRACE_ID}-${SPAN_ID.slice(1)}:-01` }],
  [{ traceparent: `00_${TRACE_ID}_${SPAN_ID}_01` }],
  [{ traceparent: `00-${TRACE_ID}_${SPAN_ID}-01` }],
  [{ traceparent: `00-${TRACE_ID}-${SPAN_ID}_01` }],
  [{ traceparent: TRACE_ID }],
  [{ traceparent: '' }],
  [{ traceparent: [`00-${TRACE_ID}-${SPAN_ID}-01`] }],
  [{ traceparent: `00-${TRACE_ID}-${SPAN_ID}-01`, tracestate: 'vendor=x' }],
  [{ traceparent: `00-${TRACE_ID}-${SPAN_ID}-01`, tracestate: '' }],
  [{ tracestate: 'vendor=x' }],
  [{}],
])('reads %j as the library does', (headers) => {
  const [given, expected] = [ours, library].map((propagator) => {
    const caller = trace.getSpanContext(propagator.extract(ROOT_CONTEXT, headers, getter));
    return caller && { ...caller, traceState: caller.traceState?.serialize(), isValid: isSpanContextValid(caller) };
  });
  expect(given).toEqual(expected);
});

const caller: SpanContext = { traceId: TRACE_ID, spanId: SPAN_ID, traceFlags: TraceFlags.SAMPLED };

test.each<[string, SpanContext]>([
  ['a span', caller],
  ['one that is not sampled', { ...caller, traceFlags: TraceFlags.NONE }],
  ['one with a state', { ...caller, traceState: new TraceState('vendor=x') }],
  ['one without ids', { ...caller, traceId: '0'.repeat(32) }],
  ['one whose id is none', { ...caller, spanId: 'nonsense' }],
])('writes %s as the library does', (_, own) => {
  const ctx = trace.setSpanContext(ROOT_CONTEXT, own);
  for (const from of [ctx, suppressTracing(ctx), ROOT_CONTEXT]) {
    const [given, expected] = [ours, library].map((propagator) => {
      const sent: Record<string, string> = {};
      propagator.inject(from, sent, { set: (carrier, key, value) => (carrier[key] = value) });
      return sent;
    });
    expect(given).toEqual(expected);
  }
});
