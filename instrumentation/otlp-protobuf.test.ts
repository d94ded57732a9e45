import {
  type AnyValue,
  ROOT_CONTEXT,
  SeverityNumber,
  SpanKind,
  SpanStatusCode,
  TraceFlags,
  trace,
} from '@opentelemetry/api';
import { TraceState } from '@opentelemetry/core';
import { ProtobufLogsSerializer, ProtobufTraceSerializer } from '@opentelemetry/otlp-transformer';
import { resourceFromAttributes } from '@opentelemetry/resources';
import type { ReadableLogRecord } from '@opentelemetry/sdk-logs';
import type { ReadableSpan, SpanProcessor } from '@opentelemetry/sdk-trace';
import fc from 'fast-check';
import { expect, it } from 'vitest';
import type { Batch } from './batcher.ts';
import { logRecordBatch, spanBatch } from './otlp-protobuf.ts';
import { LightTracerProvider } from './spans.ts';

const resource = resourceFromAttributes({ 'service.name': 'till', 'process.pid': 7 }, { schemaUrl: 'https://r/1' });

it('makes of spans what OpenTelemetry makes of them, byte for byte', () => {
  const spans: ReadableSpan[] = [];
  const finished: SpanProcessor = {
    onStart() {},
    onEnd: (span) => void spans.push(span),
    async forceFlush() {},
    async shutdown() {},
  };
  const provider = new LightTracerProvider(resource, [finished]);
  const caller = {
    traceId: 'ABCDEF0123456789abcdef0123456789',
    spanId: '00000000000000ff',
    traceFlags: TraceFlags.SAMPLED,
    isRemote: true,
    traceState: new TraceState('vendor=x'),
  };
  const ctx = trace.setSpanContext(ROOT_CONTEXT, caller);
  const tracer = provider.getTracer('http', '1.2', { schemaUrl: 'https://s/1' });
  const links = [{ context: caller, attributes: { of: 'batch' } }, { context: { ...caller, isRemote: false } }];
  const span = tracer.startSpan(
    'GET /ä',
    { kind: SpanKind.SERVER, links, startTime: [1_799_999_999, 999_999_999] },
    ctx,
  );
  span.setAttributes({ text: 'x'.repeat(300), wide: '漢字🙂', list: ['a', 'b'], ratio: 0.5, yes: true, big: 2 ** 40 });
  span.recordException(new Error('boom'));
  span.setStatus({ code: SpanStatusCode.ERROR, message: 'no' });
  span.end();
  tracer.startSpan('bare').end();
  provider.getTracer('another').startSpan('').end();
  expect(spans).toHaveLength(3);
  expect(encoded(spanBatch(), spans)).toEqual(reference(ProtobufTraceSerializer.serializeRequest(spans)));
});

it('makes of any log record what OpenTelemetry makes of it, byte for byte', () => {
  const text = fc.oneof(
    fc.string(),
    fc.string({ unit: 'grapheme', minLength: 30, maxLength: 60 }),
    fc.string({ minLength: 120, maxLength: 20_000 }),
  );
  const { value } = fc.letrec<{ value: AnyValue }>((tie) => ({
    value: fc.oneof(
      { maxDepth: 4 },
      text,
      fc.double(),
      fc.maxSafeInteger(),
      fc.constantFrom(-1, -(2 ** 62), 2 ** 62, 2 ** 32, 1e300, 0, -0),
      fc.boolean(),
      fc.uint8Array({ maxLength: 300 }),
      fc.constantFrom(null, undefined),
      fc.array(tie('value'), { maxLength: 4 }),
      fc.dictionary(text, tie('value'), { maxKeys: 4 }),
    ),
  }));
  const time = fc.tuple(fc.integer({ min: 0, max: 4_000_000_000 }), fc.integer({ min: 0, max: 999_999_999 }));
  const scope = { name: 'pino', version: '10' };
  const told = {
    name: 'app',
    attributes: { team: 'till', size: 3 },
    droppedAttributesCount: 2,
    schemaUrl: 'https://s/2',
  };
  const record = fc.record({
    hrTime: time,
    hrTimeObserved: time,
    severityNumber: fc.constantFrom(undefined, SeverityNumber.UNSPECIFIED, SeverityNumber.ERROR),
    severityText: fc.constantFrom(undefined, '', 'error'),
    body: value,
    eventName: fc.constantFrom(undefined, 'debug.state.snapshot'),
    attributes: fc.dictionary(text, value, { maxKeys: 6 }),
    droppedAttributesCount: fc.nat(1000),
    spanContext: fc.constantFrom(undefined, { traceId: 'a'.repeat(32), spanId: 'b'.repeat(16), traceFlags: 1 }),
    resource: fc.constant(resource),
    instrumentationScope: fc.constantFrom(scope, { name: 'console' }, told),
  });
  const batch = logRecordBatch();
  fc.assert(
    fc.property(fc.array(record, { minLength: 1, maxLength: 6 }), (records) => {
      const emitted = records as unknown as ReadableLogRecord[];
      expect(encoded(batch, emitted)).toEqual(reference(ProtobufLogsSerializer.serializeRequest(emitted)));
    }),
    { numRuns: 300 },
  );
});

it('leaves a record out that cannot be written, and keeps the others', () => {
  const batch = logRecordBatch();
  const record = (body: AnyValue): ReadableLogRecord =>
    ({ hrTime: [1, 0], hrTimeObserved: [1, 0], body, attributes: {}, resource, instrumentationScope }) as never;
  const instrumentationScope = { name: 'pino' };
  batch.add(record('before'));
  const unwritable = Object.defineProperty({}, 'x', { enumerable: true, get: () => expect.fail('unreadable') });
  expect(() => batch.add(record(unwritable as AnyValue))).toThrow('unreadable');
  batch.add(record('after'));
  expect(batch.finish()).toEqual(encoded(logRecordBatch(), [record('before'), record('after')]));
});

function encoded<T>(batch: Batch<T>, records: T[]): Uint8Array | undefined {
  for (const record of records) batch.add(record);
  return batch.finish();
}

function reference(bytes: Uint8Array | undefined): Buffer {
  return Buffer.from(bytes!);
}
