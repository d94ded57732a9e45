import { context, ROOT_CONTEXT, SpanStatusCode, TraceFlags, trace } from '@opentelemetry/api';
import { AsyncLocalStorageContextManager } from '@opentelemetry/context-async-hooks';
import { suppressTracing } from '@opentelemetry/core';
import { emptyResource } from '@opentelemetry/resources';
import type { ReadableSpan, SpanProcessor } from '@opentelemetry/sdk-trace';
import { afterAll, beforeAll, beforeEach, expect, it } from 'vitest';
import { LightTracerProvider } from './spans.ts';

const finished: ReadableSpan[] = [];
const processor: SpanProcessor = {
  onStart() {},
  onEnd: (span) => void finished.push(span),
  async forceFlush() {},
  async shutdown() {},
};
const tracer = new LightTracerProvider(emptyResource(), [processor]).getTracer('test', '1');

beforeAll(() => void context.setGlobalContextManager(new AsyncLocalStorageContextManager().enable()));
beforeEach(() => void finished.splice(0));
afterAll(() => context.disable());

it('is the child of the span in force, and a root without one', () => {
  const value = tracer.startActiveSpan('parent', (parent) => {
    tracer.startSpan('child').end();
    tracer.startSpan('alone', { root: true }).end();
    parent.end();
    return 5;
  });
  expect(value).toBe(5);
  const [child, alone, parent] = finished;
  expect(child!.parentSpanContext).toEqual(parent!.spanContext());
  expect(child!.spanContext().traceId).toBe(parent!.spanContext().traceId);
  expect(alone!.parentSpanContext).toBeUndefined();
  expect(new Set(finished.map((span) => span.spanContext().spanId)).size).toBe(3);
  expect(parent!.spanContext()).toMatchObject({
    traceId: expect.stringMatching(/^[0-9a-f]{32}$/),
    spanId: expect.stringMatching(/^[0-9a-f]{16}$/),
    traceFlags: TraceFlags.SAMPLED,
  });
});

it('is not recorded where the caller says so, and the trace goes on', () => {
  const caller = { traceId: 'a'.repeat(32), spanId: 'b'.repeat(16), traceFlags: TraceFlags.NONE };
  const span = tracer.startSpan('quiet', {}, trace.setSpanContext(ROOT_CONTEXT, caller));
  span.end();
  expect(span.isRecording()).toBe(false);
  expect(span.spanContext()).toMatchObject({ traceId: caller.traceId, traceFlags: TraceFlags.NONE });
  tracer.startSpan('ours', {}, suppressTracing(ROOT_CONTEXT)).end();
  expect(finished).toEqual([]);
});

it('keeps what it is told until it ends, and nothing after', () => {
  const list = [1, 2];
  const span = tracer.startSpan('work', { attributes: { a: 1, list, none: undefined } });
  span.setAttribute('b', 'x').updateName('done').setStatus({ code: SpanStatusCode.ERROR, message: 'no' });
  span.recordException(new TypeError('boom'));
  list.push(3);
  span.end();
  span.setAttribute('late', 1).addEvent('late').updateName('late').end();
  const [{ name, attributes, status, events, duration }] = finished as [ReadableSpan];
  expect({ name, attributes, status }).toEqual({
    name: 'done',
    attributes: { a: 1, list: [1, 2], b: 'x' },
    status: { code: SpanStatusCode.ERROR, message: 'no' },
  });
  expect(
    events.map(({ name, attributes }) => [name, attributes!['exception.type'], attributes!['exception.message']]),
  ).toEqual([['exception', 'TypeError', 'boom']]);
  expect(duration[0]).toBe(0);
  expect(finished).toHaveLength(1);
});

it('has no status but the first that is final', () => {
  const span = tracer.startSpan('work');
  span.setStatus({ code: SpanStatusCode.OK }).setStatus({ code: SpanStatusCode.ERROR });
  span.end();
  expect(finished[0]!.status).toEqual({ code: SpanStatusCode.OK });
});

it('counts what is beyond its limits', () => {
  const span = tracer.startSpan('much');
  for (let i = 0; i < 200; i++) span.setAttribute(`k${i}`, i).addEvent(`e${i}`);
  span.end();
  expect(finished[0]).toMatchObject({ droppedAttributesCount: 72, droppedEventsCount: 72 });
  expect(finished[0]!.events.at(-1)!.name).toBe('e199');
});

it('takes times that it is given, and never ends before it starts', () => {
  const span = tracer.startSpan('timed', { startTime: [100, 0] });
  span.end([90, 0]);
  expect(finished[0]).toMatchObject({ startTime: [100, 0], endTime: [100, 0], duration: [0, 0] });
});

it('keeps the order of spans of one millisecond', () => {
  for (let i = 0; i < 100; i++) tracer.startSpan(`${i}`).end();
  const nanos = finished.map(({ startTime: [seconds, nanos] }) => seconds * 1e9 + nanos);
  expect(nanos.every((at, i) => i === 0 || at >= nanos[i - 1]!)).toBe(true);
});
