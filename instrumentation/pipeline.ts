import {
  JsonLogsSerializer,
  JsonMetricsSerializer,
  JsonTraceSerializer,
  ProtobufLogsSerializer,
  ProtobufMetricsSerializer,
  ProtobufTraceSerializer,
} from '@opentelemetry/otlp-transformer';
import {
  BatchLogRecordProcessor,
  type LogRecordProcessor,
  type ReadableLogRecord,
  type ReadWriteLogRecord,
} from '@opentelemetry/sdk-logs';
import { type IMetricReader, PeriodicExportingMetricReader, type ResourceMetrics } from '@opentelemetry/sdk-metrics';
import { BatchSpanProcessor, type ReadableSpan, type SpanProcessor } from '@opentelemetry/sdk-trace';
import { confirming, logRecordExporter, metricExporter, spanExporter } from './exporters.ts';
import { DistinctLogTimes } from './log-times.ts';
import { CorrelationLogRecordProcessor, CorrelationSpanProcessor } from './processors.ts';
import type { ExportSettings, Settings } from './settings.ts';
import { Unconfirmed } from './unconfirmed.ts';

/** A request that can be sent by whoever still can: bytes and where they go. */
export interface OtlpRequest {
  url: string;
  headers: Record<string, string>;
  tls: ExportSettings['tls'];
  body: Uint8Array;
}

export interface Pipeline {
  spanProcessors: SpanProcessor[];
  logRecordProcessors: LogRecordProcessor[];
  metricReaders: IMetricReader[];
  /** Reads the metrics a last time, to be taken with the rest. Not sent: nobody may be there to wait for it. */
  collectMetrics(): Promise<void>;
  /** Takes out all that the receiver has not confirmed, as ready requests. Synchronous, for a process at its end. */
  takeUnconfirmed(): OtlpRequest[];
}

/** From a finished span or an emitted log record to the exporter: stamp the ids, remember until confirmed, batch. */
export function createPipeline(settings: Settings): Pipeline {
  const spans = new Unconfirmed<ReadableSpan>(2 * settings.spans.maxQueueSize);
  const logs = new Unconfirmed<ReadableLogRecord>(2 * settings.logs.maxQueueSize);
  // The ids are stamped also when nothing is exported: the processors keep the context alive for the other signals.
  const spanProcessors: SpanProcessor[] = [new CorrelationSpanProcessor()];
  const logRecordProcessors: LogRecordProcessor[] = [new CorrelationLogRecordProcessor(), new DistinctLogTimes()];
  const metricReaders: IMetricReader[] = [];
  let lastMetrics: ResourceMetrics | undefined;
  const { traces, logs: logExport, metrics } = settings.exports;

  if (traces.enabled) {
    const exporter = confirming(spanExporter(traces), traces, (sent: ReadableSpan[]) => spans.confirm(sent));
    spanProcessors.push(rememberSpans(spans), new BatchSpanProcessor({ exporter, ...settings.spans }));
  }
  if (logExport.enabled) {
    const exporter = confirming(logRecordExporter(logExport), logExport, (sent: ReadableLogRecord[]) =>
      logs.confirm(sent),
    );
    logRecordProcessors.push(rememberLogs(logs), new BatchLogRecordProcessor({ exporter, ...settings.logs }));
  }
  if (metrics.enabled) {
    const exporter = confirming(metricExporter(metrics), metrics, () => {});
    metricReaders.push(new PeriodicExportingMetricReader({ exporter, ...settings.metrics }));
  }

  return {
    spanProcessors,
    logRecordProcessors,
    metricReaders,
    async collectMetrics() {
      lastMetrics = (await metricReaders[0]?.collect())?.resourceMetrics;
    },
    takeUnconfirmed() {
      const metricItems = lastMetrics ? [lastMetrics] : [];
      lastMetrics = undefined;
      return [
        ...requests(traces, spans.take(), ProtobufTraceSerializer, JsonTraceSerializer),
        ...requests(logExport, logs.take(), ProtobufLogsSerializer, JsonLogsSerializer),
        ...requests(metrics, metricItems, ofOne(ProtobufMetricsSerializer), ofOne(JsonMetricsSerializer)),
      ];
    },
  };
}

interface Serializer<T> {
  serializeRequest(items: T[]): Uint8Array | undefined;
}

/** The metrics of a process are one item, which the serializers take by itself. */
function ofOne<T>(serializer: { serializeRequest(item: T): Uint8Array | undefined }): Serializer<T> {
  return { serializeRequest: ([item]) => (item === undefined ? undefined : serializer.serializeRequest(item)) };
}

/** OTLP over gRPC needs an HTTP/2 session and an event loop: what it has not confirmed at the end is not sent again. */
function requests<T>(
  settings: ExportSettings,
  items: T[],
  protobuf: Serializer<T>,
  json: Serializer<T>,
): OtlpRequest[] {
  if (items.length === 0 || settings.protocol === 'grpc') return [];
  const [serializer, contentType] =
    settings.protocol === 'http/json' ? [json, 'application/json'] : [protobuf, 'application/x-protobuf'];
  const body = serializer.serializeRequest(items);
  if (!body) return [];
  const { url, headers, tls } = settings;
  return [{ url, headers: { ...headers, 'content-type': contentType }, tls, body }];
}

function rememberSpans(unconfirmed: Unconfirmed<ReadableSpan>): SpanProcessor {
  return {
    onStart() {},
    onEnd(span) {
      const sampled = (span.spanContext().traceFlags & 1) === 1;
      if (sampled) unconfirmed.add(span);
    },
    async forceFlush() {},
    async shutdown() {},
  };
}

function rememberLogs(unconfirmed: Unconfirmed<ReadableLogRecord>): LogRecordProcessor {
  return {
    onEmit: (record: ReadWriteLogRecord) => unconfirmed.add(record),
    async forceFlush() {},
    async shutdown() {},
  };
}
