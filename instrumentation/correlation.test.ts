import { context, propagation, ROOT_CONTEXT, trace } from '@opentelemetry/api';
import { AsyncLocalStorageContextManager } from '@opentelemetry/context-async-hooks';
import { CompositePropagator, W3CTraceContextPropagator } from '@opentelemetry/core';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { BaggagePropagator } from './baggage.ts';
import {
  CorrelationPropagator,
  correlationOf,
  currentCorrelation,
  currentOperation,
  ID_LENGTH_MAX,
  withCorrelation,
  withOperation,
} from './correlation.ts';

const TRACE_ID = '0af7651916cd43dd8448eb211c80319c';
const traceparent = `00-${TRACE_ID}-b7ad6b7169203331-01`;

beforeAll(() => {
  context.setGlobalContextManager(new AsyncLocalStorageContextManager().enable());
});
afterAll(() => context.disable());

const propagator = new CorrelationPropagator(
  new CompositePropagator({ propagators: [new W3CTraceContextPropagator(), new BaggagePropagator()] }),
);

describe('withOperation and withCorrelation', () => {
  it('hold for what runs inside, also after an await, and for nothing else', async () => {
    const seen = await withOperation('op', () =>
      withCorrelation('corr', async () => {
        await new Promise(setImmediate);
        return [currentOperation(), currentCorrelation()];
      }),
    );
    expect(seen).toEqual(['op', 'corr']);
    expect([currentOperation(), currentCorrelation()]).toEqual([undefined, undefined]);
  });

  it('return what the function returns, and throw what it throws', async () => {
    expect(withOperation('op', () => 5)).toBe(5);
    expect(() =>
      withOperation('op', () => {
        throw new TypeError('mine');
      }),
    ).toThrow(TypeError);
    await expect(withOperation('op', () => Promise.reject(new RangeError('mine')))).rejects.toThrow(RangeError);
  });

  it('nest, the inner one winning while it lasts', () => {
    withOperation('outer', () => {
      withOperation('inner', () => expect(currentOperation()).toBe('inner'));
      expect(currentOperation()).toBe('outer');
    });
  });

  it('cut an id that is longer than any receiver would take, and do without an empty one', () => {
    withCorrelation('x'.repeat(1000), () => expect(currentCorrelation()).toHaveLength(ID_LENGTH_MAX));
    withCorrelation('', () => expect(currentCorrelation()).toBeUndefined());
  });

  it('survive anything that is passed for an id', () => {
    withOperation(7 as unknown as string, () => expect(currentOperation()).toBe('7'));
    withOperation(undefined as unknown as string, () => expect(currentOperation()).toBeUndefined());
    withOperation(Symbol('s') as unknown as string, () => expect(currentOperation()).toBe('Symbol(s)'));
  });
});

describe('the propagator', () => {
  it('takes an id from baggage before the header, and from the header before the trace', () => {
    expect(incoming({ traceparent, baggage: 'debug.correlation_id=b', 'x-correlation-id': 'h' })).toBe('b');
    expect(incoming({ traceparent, 'x-correlation-id': 'h' })).toBe('h');
    expect(incoming({ 'x-correlation-id': 'h' })).toBe('h');
    expect(incoming({ traceparent })).toBe(TRACE_ID);
    expect(incoming({})).toBeUndefined();
  });

  it('prefers a header over an id that the caller only derived', () => {
    expect(incoming({ traceparent, baggage: `debug.correlation_id=${TRACE_ID}`, 'x-correlation-id': 'h' })).toBe('h');
  });

  it('takes the first of a repeated header', () => {
    const ctx = propagator.extract(ROOT_CONTEXT, {}, { keys: () => [], get: () => ['first', 'second'] });
    expect(correlationOf(ctx)).toBe('first');
  });

  it('says the derived id to the next service, and a given one as it was given', () => {
    expect(outgoing({ traceparent }).baggage).toBe(`debug.correlation_id=${TRACE_ID}`);
    expect(outgoing({ traceparent, 'x-correlation-id': 'order 1/ü' }).baggage).toBe(
      'debug.correlation_id=order%201%2F%C3%BC',
    );
    expect(outgoing({})).toEqual({});
  });

  it("passes on the rest of the caller's baggage", () => {
    expect(outgoing({ traceparent, baggage: 'tenant=a' }).baggage).toBe(`tenant=a,debug.correlation_id=${TRACE_ID}`);
  });
});

const getter = {
  keys: (carrier: Record<string, string>) => Object.keys(carrier),
  get: (carrier: Record<string, string>, key: string) => carrier[key],
};

function incoming(headers: Record<string, string>): string | undefined {
  return correlationOf(propagator.extract(ROOT_CONTEXT, headers, getter));
}

/** The headers that a service sends on when it got `headers`. */
function outgoing(headers: Record<string, string>): Record<string, string> {
  const ctx = propagator.extract(ROOT_CONTEXT, headers, getter);
  const sent: Record<string, string> = {};
  propagator.inject(ctx, sent, { set: (carrier, key, value) => (carrier[key] = value) });
  expect(trace.getSpanContext(ctx)?.traceId).toBe(headers.traceparent && TRACE_ID);
  expect(propagation.getBaggage(ctx)?.getEntry('debug.operation_id')).toBeUndefined();
  return sent;
}
