/**
 * Sends the fixture of records with the exporters of the JavaScript SDK; the other languages' emitters beside it send the
 * same. Every id and time is given, so that two runs differ in nothing but the transport:
 *
 *     node emit.ts --protocol grpc|http/protobuf|http/json --compression none|gzip --endpoint URL --base-time-ns N
 *
 * Ends with status 1 when an export fails.
 */
import { parseArgs } from 'node:util';
import {
  type HrTime,
  ROOT_CONTEXT,
  SeverityNumber,
  SpanKind,
  SpanStatusCode,
  trace,
  ValueType,
} from '@opentelemetry/api';
import { OTLPLogExporter as LogGrpc } from '@opentelemetry/exporter-logs-otlp-grpc';
import { OTLPLogExporter as LogJson } from '@opentelemetry/exporter-logs-otlp-http';
import { OTLPLogExporter as LogProto } from '@opentelemetry/exporter-logs-otlp-proto';
import { OTLPMetricExporter as MetricGrpc } from '@opentelemetry/exporter-metrics-otlp-grpc';
import { OTLPMetricExporter as MetricJson } from '@opentelemetry/exporter-metrics-otlp-http';
import { OTLPMetricExporter as MetricProto } from '@opentelemetry/exporter-metrics-otlp-proto';
import { OTLPTraceExporter as TraceGrpc } from '@opentelemetry/exporter-trace-otlp-grpc';
import { OTLPTraceExporter as TraceJson } from '@opentelemetry/exporter-trace-otlp-http';
import { OTLPTraceExporter as TraceProto } from '@opentelemetry/exporter-trace-otlp-proto';
import { defaultResource, resourceFromAttributes } from '@opentelemetry/resources';
import {
  InMemoryLogRecordExporter,
  LoggerProvider,
  type LogRecordExporter,
  SimpleLogRecordProcessor,
} from '@opentelemetry/sdk-logs';
import {
  AggregationType,
  MeterProvider,
  MetricReader,
  type PushMetricExporter,
  type ResourceMetrics,
} from '@opentelemetry/sdk-metrics';
import { InMemorySpanExporter, SimpleSpanProcessor, type SpanExporter, TracerProvider } from '@opentelemetry/sdk-trace';

const { values: options } = parseArgs({
  options: {
    protocol: { type: 'string', default: 'http/protobuf' },
    compression: { type: 'string', default: 'none' },
    endpoint: { type: 'string', default: '' },
    'base-time-ns': { type: 'string', default: '' },
  },
});

const SCOPE = 'ai-debug.sdks';
const SCOPE_VERSION = '1.2.3';
const SCHEMA_URL = 'https://opentelemetry.io/schemas/1.30.0';
const TRACE_ID = '5b8aa5a2d2c872e8321cf37308d69df2';
const PARENT_SPAN_ID = '051581bf3cb55c13';
const CHILD_SPAN_ID = '5fb397be34d26b51';
const LINKED = { traceId: '0102030405060708090a0b0c0d0e0f10', spanId: 'a1a2a3a4a5a6a7a8', traceFlags: 1 };

const resource = defaultResource().merge(
  resourceFromAttributes({ 'service.name': 'sdk-js', 'service.instance.id': 'sdk-js-1', 'host.cpus': 4 }),
);

/** What every SDK can put on every record. */
const attributes = {
  string: 'grüße ☃ 😀',
  'string.empty': '',
  int: 42,
  'int.negative': -7,
  'int.large': Number.MAX_SAFE_INTEGER,
  double: 0.1,
  'double.whole': 3,
  'bool.true': true,
  'bool.false': false,
  'array.string': ['a', '', 'ß'],
  'array.int': [1, -2, 3],
  'array.double': [0.5, -1.5],
  'array.bool': [true, false],
};

/** What log records can carry besides. */
const complexAttributes = {
  bytes: new Uint8Array([0, 1, 127, 128, 255]),
  map: { inner: { list: [1, 'two', { three: true }], bytes: new Uint8Array([222, 173]) }, empty: {} },
};

await sendSpans();
await sendLogs();
await sendMetrics();

async function sendSpans(): Promise<void> {
  const finished = new InMemorySpanExporter();
  const ids = [PARENT_SPAN_ID, CHILD_SPAN_ID];
  const provider = new TracerProvider({
    resource,
    idGenerator: { generateTraceId: () => TRACE_ID, generateSpanId: () => ids.shift()! },
    spanProcessors: [new SimpleSpanProcessor({ exporter: finished })],
  });
  const tracer = provider.getTracer(SCOPE, SCOPE_VERSION, { schemaUrl: SCHEMA_URL });

  const parent = tracer.startSpan(
    'POST /checkout',
    {
      kind: SpanKind.SERVER,
      startTime: time(0),
      attributes: { ...attributes, correlation_id: 'order-4711', operation_id: 'checkout-1' },
      links: [{ context: LINKED, attributes: { 'link.kind': 'follows' } }],
    },
    ROOT_CONTEXT,
  );
  parent.addEvent('cache.miss', { key: 'cart:4711', size: 3 }, time(10_000_001));

  const child = tracer.startSpan(
    'charge card',
    { kind: SpanKind.CLIENT, startTime: time(20_000_000) },
    trace.setSpan(ROOT_CONTEXT, parent),
  );
  child.recordException(
    { name: 'CardDeclined', message: 'card declined', stack: 'CardDeclined: card declined\n  at charge' },
    time(150_000_003),
  );
  child.setStatus({ code: SpanStatusCode.ERROR, message: 'card declined' });
  child.end(time(200_000_000));
  parent.end(time(250_000_007));

  const spans = finished.getFinishedSpans();
  const exporter = pick<SpanExporter>({ grpc: TraceGrpc, proto: TraceProto, json: TraceJson }, 'traces');
  await sent((done) => exporter.export(spans, done));
  await exporter.shutdown();
}

async function sendLogs(): Promise<void> {
  const finished = new InMemoryLogRecordExporter();
  const provider = new LoggerProvider({
    resource,
    processors: [new SimpleLogRecordProcessor({ exporter: finished })],
  });
  const logger = provider.getLogger(SCOPE, SCOPE_VERSION, { schemaUrl: SCHEMA_URL });
  const inChild = trace.setSpanContext(ROOT_CONTEXT, { traceId: TRACE_ID, spanId: CHILD_SPAN_ID, traceFlags: 1 });

  logger.emit({
    timestamp: time(30_000_000),
    observedTimestamp: time(30_000_500),
    severityNumber: SeverityNumber.INFO,
    severityText: 'INFO',
    body: 'charging order 4711',
    attributes: { ...attributes, ...complexAttributes, correlation_id: 'order-4711' },
    context: inChild,
  });
  logger.emit({
    timestamp: time(160_000_000),
    observedTimestamp: time(160_000_500),
    severityNumber: SeverityNumber.ERROR2,
    severityText: 'ERROR',
    body: 'could not charge',
    attributes: {
      'exception.type': 'CardDeclined',
      'exception.message': 'card declined',
      'exception.stacktrace': 'CardDeclined: card declined\n  at charge',
    },
    context: ROOT_CONTEXT,
  });
  logger.emit({
    eventName: 'order.placed',
    timestamp: time(240_000_000),
    observedTimestamp: time(240_000_500),
    severityNumber: SeverityNumber.INFO3,
    body: { order: { id: 4711, lines: ['tea', 'cup'] }, total: 12.5, gift: false },
    attributes: { operation_id: 'checkout-1' },
    context: inChild,
  });

  const exporter = pick<LogRecordExporter>({ grpc: LogGrpc, proto: LogProto, json: LogJson }, 'logs');
  await sent((done) => exporter.export(finished.getFinishedLogRecords(), done));
  await exporter.shutdown();
}

async function sendMetrics(): Promise<void> {
  const reader = new (class extends MetricReader {
    protected override async onForceFlush(): Promise<void> {}
    protected override async onShutdown(): Promise<void> {}
  })();
  const provider = new MeterProvider({
    resource,
    readers: [reader],
    views: [
      {
        instrumentName: 'checkout.duration',
        aggregation: { type: AggregationType.EXPLICIT_BUCKET_HISTOGRAM, options: { boundaries: [10, 100] } },
      },
      { instrumentName: 'payload.size', aggregation: { type: AggregationType.EXPONENTIAL_HISTOGRAM } },
    ],
  });
  const meter = provider.getMeter(SCOPE, SCOPE_VERSION, { schemaUrl: SCHEMA_URL });
  const orders = meter.createCounter('orders.placed', {
    unit: '{order}',
    description: 'Orders placed',
    valueType: ValueType.INT,
  });
  orders.add(3, { channel: 'web' });
  const duration = meter.createHistogram('checkout.duration', { unit: 'ms' });
  for (const ms of [5, 50, 500.5]) duration.record(ms, { channel: 'web' });
  const size = meter.createHistogram('payload.size', { unit: 'By' });
  for (const bytes of [1, 2, 1024]) size.record(bytes);
  meter.createGauge('stock.level', { unit: '1' }).record(17.5, { sku: 'tea' });

  const { resourceMetrics } = await reader.collect();
  setTimes(resourceMetrics);
  const exporter = pick<PushMetricExporter>({ grpc: MetricGrpc, proto: MetricProto, json: MetricJson }, 'metrics');
  await sent((done) => exporter.export(resourceMetrics, done));
  await exporter.shutdown();
}

/** The SDK stamps points with its own clock, which no option replaces. */
function setTimes(resourceMetrics: ResourceMetrics): void {
  for (const { metrics } of resourceMetrics.scopeMetrics) {
    for (const point of metrics.flatMap((metric) => metric.dataPoints as { startTime: HrTime; endTime: HrTime }[])) {
      point.startTime = time(0);
      point.endTime = time(1_000_000_000);
    }
  }
}

function time(offsetNs: number): HrTime {
  const ns = BigInt(options['base-time-ns']) + BigInt(offsetNs);
  return [Number(ns / 1_000_000_000n), Number(ns % 1_000_000_000n)];
}

type Exporter<T> = new (config: { url: string; compression: never }) => T;

function pick<T>(exporters: { grpc: Exporter<T>; proto: Exporter<T>; json: Exporter<T> }, signal: string): T {
  // The exporters' enum of compressions has these words as its values.
  const compression = options.compression as never;
  const url = `${options.endpoint}/v1/${signal}`;
  if (options.protocol === 'grpc') return new exporters.grpc({ url: options.endpoint, compression });
  if (options.protocol === 'http/protobuf') return new exporters.proto({ url, compression });
  if (options.protocol === 'http/json') return new exporters.json({ url, compression });
  throw new Error(`the JavaScript SDK has no protocol ${options.protocol}`);
}

function sent(send: (done: (result: { code: number; error?: Error }) => void) => void): Promise<void> {
  return new Promise((resolve, reject) =>
    send(({ code, error }) => (code === 0 ? resolve() : reject(error ?? new Error('export failed')))),
  );
}
