/** The three export services of OTLP: where each is found on either transport, and what it answers. */
import { create, type DescService, toBinary, toJsonString } from '@bufbuild/protobuf';
import type { Signal } from '../model/block.ts';
import {
  ExportLogsServiceResponseSchema,
  LogsService,
} from '../proto/gen/opentelemetry/proto/collector/logs/v1/logs_service_pb.js';
import {
  ExportMetricsServiceResponseSchema,
  MetricsService,
} from '../proto/gen/opentelemetry/proto/collector/metrics/v1/metrics_service_pb.js';
import {
  ExportTraceServiceResponseSchema,
  TraceService,
} from '../proto/gen/opentelemetry/proto/collector/trace/v1/trace_service_pb.js';
import type { ExportResult } from './export.ts';
import { shorten } from './status.ts';

export interface ExportService {
  signal: Signal;
  httpPath: string;
  grpc: DescService;
}

export const SERVICES: readonly ExportService[] = [
  { signal: 'span', httpPath: '/v1/traces', grpc: TraceService },
  { signal: 'metric', httpPath: '/v1/metrics', grpc: MetricsService },
  { signal: 'log', httpPath: '/v1/logs', grpc: LogsService },
];

/** The answer to a request of which all was kept: `partial_success` MUST be unset then (OTLP: full success). */
const FULL_SUCCESS_PROTOBUF = new Uint8Array(0);
const FULL_SUCCESS_JSON = '{}';

export function responseProtobuf(signal: Signal, result: ExportResult): Uint8Array {
  if (isFull(result)) return FULL_SUCCESS_PROTOBUF;
  switch (signal) {
    case 'span':
      return toBinary(ExportTraceServiceResponseSchema, traceResponse(result));
    case 'metric':
      return toBinary(ExportMetricsServiceResponseSchema, metricsResponse(result));
    case 'log':
      return toBinary(ExportLogsServiceResponseSchema, logsResponse(result));
  }
}

export function responseJson(signal: Signal, result: ExportResult): string {
  if (isFull(result)) return FULL_SUCCESS_JSON;
  switch (signal) {
    case 'span':
      return toJsonString(ExportTraceServiceResponseSchema, traceResponse(result));
    case 'metric':
      return toJsonString(ExportMetricsServiceResponseSchema, metricsResponse(result));
    case 'log':
      return toJsonString(ExportLogsServiceResponseSchema, logsResponse(result));
  }
}

const isFull = ({ rejected, message }: ExportResult): boolean => rejected === 0 && message === '';

function traceResponse({ rejected, message }: ExportResult) {
  const partialSuccess = { rejectedSpans: BigInt(rejected), errorMessage: shorten(message) };
  return create(ExportTraceServiceResponseSchema, { partialSuccess });
}

function metricsResponse({ rejected, message }: ExportResult) {
  const partialSuccess = { rejectedDataPoints: BigInt(rejected), errorMessage: shorten(message) };
  return create(ExportMetricsServiceResponseSchema, { partialSuccess });
}

function logsResponse({ rejected, message }: ExportResult) {
  const partialSuccess = { rejectedLogRecords: BigInt(rejected), errorMessage: shorten(message) };
  return create(ExportLogsServiceResponseSchema, { partialSuccess });
}
