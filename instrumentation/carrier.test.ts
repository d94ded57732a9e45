import { context, propagation, ROOT_CONTEXT, trace } from '@opentelemetry/api';
import { AsyncLocalStorageContextManager } from '@opentelemetry/context-async-hooks';
import { CompositePropagator, W3CTraceContextPropagator } from '@opentelemetry/core';
import { InMemorySpanExporter, SimpleSpanProcessor, TracerProvider } from '@opentelemetry/sdk-trace';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { BaggagePropagator } from './baggage.ts';
import { carry, resume } from './carrier.ts';
import {
  CorrelationPropagator,
  currentCorrelation,
  currentOperation,
  withCorrelation,
  withOperation,
} from './correlation.ts';

const exporter = new InMemorySpanExporter();

beforeAll(() => {
  context.setGlobalContextManager(new AsyncLocalStorageContextManager().enable());
  trace.setGlobalTracerProvider(new TracerProvider({ spanProcessors: [new SimpleSpanProcessor({ exporter })] }));
  propagation.setGlobalPropagator(
    new CorrelationPropagator(
      new CompositePropagator({ propagators: [new W3CTraceContextPropagator(), new BaggagePropagator()] }),
      (host) => host.endsWith('.ours'),
    ),
  );
});

afterAll(() => {
  context.disable();
  trace.disable();
  propagation.disable();
});

describe('a message', () => {
  it.each([
    ['headers', () => ({ order: '7' })],
    ['the fields of a Redis stream', () => ['order', '7']],
    ['fields in which a value reads like one of our names', () => ['note', 'baggage', 'baggage', '']],
  ])('carries the ids in %s', (_, carrier) => {
    const sent = withIds(() => carry<Record<string, unknown> | string[]>(carrier()));
    expect(resume('ship', sent, ids)).toEqual({ correlation: 'c-1', operation: 'op-1' });
  });

  it('carries them where the queue has made bytes or lists of them', () => {
    const sent = withIds(() => carry<Record<string, unknown>>({}));
    const bytes = Object.fromEntries(Object.entries(sent).map(([key, value]) => [key, Buffer.from(String(value))]));
    const lists = Object.fromEntries(Object.entries(sent).map(([key, value]) => [key, [value]]));
    for (const carrier of [bytes, lists]) {
      expect(resume('ship', carrier, ids)).toEqual({ correlation: 'c-1', operation: 'op-1' });
    }
  });

  it('overwrites what an earlier hop has written', () => {
    const first = withIds(() => carry(['order', '7']));
    const second = withCorrelation('c-2', () => carry(first));
    expect(resume('ship', second, ids).correlation).toBe('c-2');
    expect(second.filter((field) => field === 'baggage')).toHaveLength(1);
  });

  it('without anything is work of its own', () => {
    expect(resume('ship', undefined, () => 5)).toBe(5);
  });

  it('has a span of its work that fails with it, sync and async', async () => {
    exporter.reset();
    const boom = () => {
      throw new Error('boom');
    };
    expect(() => resume('sync', {}, boom)).toThrow('boom');
    await expect(resume('async', {}, async () => boom())).rejects.toThrow('boom');
    expect(exporter.getFinishedSpans().map(({ name, status }) => [name, status.message])).toEqual([
      ['sync', 'boom'],
      ['async', 'boom'],
    ]);
  });
});

describe('a request to a host', () => {
  it.each([
    ['that is ours', 'api.ours', true],
    ['that is foreign', 'api.elsewhere', false],
  ])('%s is told the ids or not, and the trace always', (_, host, told) => {
    const span = trace
      .getTracer('test')
      .startSpan('GET', { attributes: { 'url.full': `http://${host}/`, 'server.address': host } });
    const headers: Record<string, string> = {};
    withIds(() => propagation.inject(trace.setSpan(context.active(), span), headers));
    expect(String(headers.baggage ?? '').includes('c-1')).toBe(told);
    expect(headers.traceparent).toContain(span.spanContext().traceId);
  });
});

function withIds<T>(fn: () => T): T {
  return context.with(ROOT_CONTEXT, () => withCorrelation('c-1', () => withOperation('op-1', fn)));
}

function ids() {
  return { correlation: currentCorrelation(), operation: currentOperation() };
}
