import { createHash } from 'node:crypto';
import { join } from 'node:path';
import { threadId } from 'node:worker_threads';
import { ExportResultCode } from '@opentelemetry/core';
import {
  JsonLogsSerializer,
  JsonMetricsSerializer,
  JsonTraceSerializer,
  ProtobufMetricsSerializer,
} from '@opentelemetry/otlp-transformer';
import type { Resource } from '@opentelemetry/resources';
import type { LogRecordProcessor, ReadableLogRecord, ReadWriteLogRecord } from '@opentelemetry/sdk-logs';
import {
  AggregationTemporality,
  type IMetricReader,
  InstrumentType,
  PeriodicExportingMetricReader,
  type PushMetricExporter,
  type ResourceMetrics,
} from '@opentelemetry/sdk-metrics';
import type { ReadableSpan, SpanProcessor } from '@opentelemetry/sdk-trace';
import { type Batch, Batcher } from './batcher.ts';
import { Courier } from './courier.ts';
import { sayDelivery } from './diagnostics.ts';
import { Durations } from './durations.ts';
import { DistinctLogTimes } from './log-times.ts';
import { logRecordBatch, spanBatch } from './otlp-protobuf.ts';
import packageJson from './package.json' with { type: 'json' };
import { CorrelationLogRecordProcessor, CorrelationSpanProcessor } from './processors.ts';
import { instanceId } from './resource.ts';
import type { BatchSettings, ExportSettings, Format, Settings, Signal } from './settings.ts';
import { SourcePositions } from './source-positions.ts';
import { ownerOf, type Parcel, Spool } from './spool.ts';
import { CONTENT_TYPES, createTransport } from './transport.ts';

/** A request that can be sent by whoever still can, and kept where it could not. */
export interface LastRequest {
  url: string;
  headers: Record<string, string>;
  tls: ExportSettings['tls'];
  body: Uint8Array;
  keep(): void;
}

export interface Pipeline {
  spanProcessors: SpanProcessor[];
  logRecordProcessors: LogRecordProcessor[];
  metricReaders: IMetricReader[];
  /** The HTTP durations, read with the metrics. */
  durations: Durations;
  /** Delivers what processes that are dead have left on the disk. */
  start(): void;
  /** Reads the metrics a last time, to be taken with the rest. Not sent: nobody may be there to wait for it. */
  collectMetrics(): Promise<void>;
  /** Takes out all that is in memory and that the receiver has not confirmed. Synchronous, for a process at its end. */
  takeUnconfirmed(): LastRequest[];
}

/** From a finished span or an emitted log record to the receiver: stamp the ids, batch, serialize, deliver or keep. */
export function createPipeline(settings: Settings): Pipeline {
  const { exports } = settings;
  const spool = new Spool({
    directory: join(settings.spool.directory, destinationOf(exports)),
    bytesMax: settings.spool.bytesMax,
    owner: ownerOf(process.pid, instanceId(), threadId),
    dropped: (_count, reason) => sayDelivery(exports.traces.url, { kind: 'dropped', reason }),
  });
  const courier = new Courier({
    transports: Object.fromEntries(
      SIGNALS.filter((signal) => exports[signal].enabled).map((signal) => [
        signal,
        createTransport(signal, exports[signal]),
      ]),
    ),
    spool,
    say: (what) => sayDelivery(exports.traces.url, what),
  });
  const parcelOf = (signal: Signal, body: Uint8Array): Parcel => ({ signal, format: exports[signal].format, body });
  /** Something that an app has said and that cannot be written down must not be the end of the app. */
  const unwritten = (signal: Signal, error: unknown): void =>
    sayDelivery(exports[signal].url, { kind: 'dropped', reason: (error as Error).message });
  const batcherOf = <T extends { resource: Resource }>(
    signal: Signal,
    { maxExportBatchSize, scheduledDelayMillis }: BatchSettings,
    batches: Record<Format, () => Batch<T>>,
  ): Batcher<T> =>
    new Batcher(
      { size: maxExportBatchSize, waitMs: scheduledDelayMillis },
      batches[exports[signal].format](),
      (request) => courier.send(parcelOf(signal, request)),
      (error) => unwritten(signal, error),
    );
  const spans = batcherOf('traces', settings.spans, SPAN_BATCHES);
  const logs = batcherOf('logs', settings.logs, LOG_BATCHES);
  const metricsParcels = (metrics: ResourceMetrics): Parcel[] => {
    try {
      const body = METRICS[exports.metrics.format].serializeRequest(metrics);
      return body === undefined ? [] : [parcelOf('metrics', body)];
    } catch (error) {
      unwritten('metrics', error);
      return [];
    }
  };
  const { name, version } = packageJson;
  const durations = new Durations({ name, version }, settings.metrics.temporality !== 'cumulative');
  let lastMetrics: ResourceMetrics | undefined;

  // The ids are stamped also when nothing is exported: the processors keep the context alive for the other signals.
  const positions = new SourcePositions();
  const spanProcessors: SpanProcessor[] = [new CorrelationSpanProcessor(), positions];
  const logRecordProcessors: LogRecordProcessor[] = [
    new CorrelationLogRecordProcessor(),
    new DistinctLogTimes(),
    positions,
  ];
  const metricReaders: IMetricReader[] = [];
  if (exports.traces.enabled) spanProcessors.push(batchSpans(spans));
  if (exports.logs.enabled) logRecordProcessors.push(batchLogs(logs));
  if (exports.metrics.enabled) {
    const exporter = metricExporter(settings, (metrics) => {
      for (const parcel of metricsParcels(metrics)) courier.send(parcel);
    });
    const metricProducers = [durations];
    metricReaders.push(new PeriodicExportingMetricReader({ exporter, metricProducers, ...settings.metrics }));
  }

  return {
    spanProcessors,
    logRecordProcessors,
    metricReaders,
    durations,
    start: () => void courier.adopt(),
    async collectMetrics() {
      lastMetrics = (await metricReaders[0]?.collect())?.resourceMetrics;
    },
    takeUnconfirmed() {
      const parcels = [
        ...courier.takePending(),
        ...spans.take().map((body) => parcelOf('traces', body)),
        ...logs.take().map((body) => parcelOf('logs', body)),
        ...(lastMetrics ? metricsParcels(lastMetrics) : []),
      ];
      lastMetrics = undefined;
      return parcels.map(lastRequest);
    },
  };

  function lastRequest(parcel: Parcel): LastRequest {
    const { url, headers, tls } = exports[parcel.signal];
    return {
      url,
      headers: { ...headers, 'content-type': CONTENT_TYPES[parcel.format] },
      tls,
      body: parcel.body,
      keep: () => spool.keepSync(parcel),
    };
  }
}

/** What waits for one receiver under one token must not be delivered to another: services of several owners may share a disk. */
function destinationOf(exports: Settings['exports']): string {
  const parts = SIGNALS.map((signal) => [exports[signal].url, exports[signal].headers]);
  return createHash('sha256').update(JSON.stringify(parts)).digest('hex').slice(0, 16);
}

const SIGNALS: Signal[] = ['traces', 'logs', 'metrics'];

interface Serializer<T> {
  serializeRequest(items: T): Uint8Array | undefined;
}

const SPAN_BATCHES: Record<Format, () => Batch<ReadableSpan>> = {
  protobuf: spanBatch,
  json: () => listed(JsonTraceSerializer),
};
const LOG_BATCHES: Record<Format, () => Batch<ReadableLogRecord>> = {
  protobuf: logRecordBatch,
  json: () => listed(JsonLogsSerializer),
};
const METRICS: Record<Format, Serializer<ResourceMetrics>> = {
  protobuf: ProtobufMetricsSerializer,
  json: JsonMetricsSerializer,
};

function listed<T>(serializer: Serializer<T[]>): Batch<T> {
  let records: T[] = [];
  return {
    add: (record) => void records.push(record),
    finish() {
      const taken = records;
      records = [];
      return serializer.serializeRequest(taken);
    },
  };
}

function batchSpans(spans: Batcher<ReadableSpan>): SpanProcessor {
  return {
    onStart() {},
    onEnd(span) {
      const sampled = (span.spanContext().traceFlags & 1) === 1;
      if (sampled) spans.add(span);
    },
    async forceFlush() {
      spans.flush();
    },
    async shutdown() {
      spans.flush();
    },
  };
}

function batchLogs(logs: Batcher<ReadableLogRecord>): LogRecordProcessor {
  return {
    onEmit: (record: ReadWriteLogRecord) => logs.add(record),
    async forceFlush() {
      logs.flush();
    },
    async shutdown() {
      logs.flush();
    },
  };
}

function metricExporter({ metrics }: Settings, send: (metrics: ResourceMetrics) => void): PushMetricExporter {
  return {
    export(resourceMetrics, done) {
      send(resourceMetrics);
      done({ code: ExportResultCode.SUCCESS });
    },
    selectAggregationTemporality: (instrument) => {
      const delta =
        metrics.temporality === 'delta' ? DELTA : metrics.temporality === 'lowmemory' ? DELTA_SYNCHRONOUS : [];
      return delta.includes(instrument) ? AggregationTemporality.DELTA : AggregationTemporality.CUMULATIVE;
    },
    async forceFlush() {},
    async shutdown() {},
  };
}

/** Of `OTEL_EXPORTER_OTLP_METRICS_TEMPORALITY_PREFERENCE`, as the specification lists them. */
const DELTA_SYNCHRONOUS = [InstrumentType.COUNTER, InstrumentType.HISTOGRAM];
const DELTA = [...DELTA_SYNCHRONOUS, InstrumentType.OBSERVABLE_COUNTER];
