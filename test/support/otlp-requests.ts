/** Small export requests, in both encodings. */
import { create, type MessageInitShape, toBinary } from '@bufbuild/protobuf';
import type { Signal } from '../../model/block.ts';
import { ExportLogsServiceRequestSchema } from '../../proto/gen/opentelemetry/proto/collector/logs/v1/logs_service_pb.js';
import { ExportMetricsServiceRequestSchema } from '../../proto/gen/opentelemetry/proto/collector/metrics/v1/metrics_service_pb.js';
import { ExportTraceServiceRequestSchema } from '../../proto/gen/opentelemetry/proto/collector/trace/v1/trace_service_pb.js';
import type { SpanSchema } from '../../proto/gen/opentelemetry/proto/trace/v1/trace_pb.js';

type SpanInit = MessageInitShape<typeof SpanSchema>;

export const TRACE_ID = '5b8efff798038103d269b633813fc60c';
export const SPAN_ID = 'eee19b7ec3c1b174';
export const SIGNAL_PATHS = { span: '/v1/traces', metric: '/v1/metrics', log: '/v1/logs' } as const satisfies Record<
  Signal,
  string
>;

export function goodSpan(name = 'GET /'): SpanInit {
  return {
    traceId: Uint8Array.fromHex(TRACE_ID),
    spanId: Uint8Array.fromHex(SPAN_ID),
    name,
    startTimeUnixNano: 1_700_000_000_000_000_000n,
    endTimeUnixNano: 1_700_000_000_100_000_000n,
  };
}

export function spansProtobuf(...spans: SpanInit[]): Uint8Array {
  const resource = {
    attributes: [{ key: 'service.name', value: { value: { case: 'stringValue', value: 'shop' } } as const }],
  };
  return toBinary(
    ExportTraceServiceRequestSchema,
    create(ExportTraceServiceRequestSchema, { resourceSpans: [{ resource, scopeSpans: [{ spans }] }] }),
  );
}

/** One good record of a signal. */
export function requestProtobuf(signal: Signal): Uint8Array {
  switch (signal) {
    case 'span':
      return spansProtobuf(goodSpan());
    case 'log': {
      const logRecords = [{ timeUnixNano: 1n, body: { value: { case: 'stringValue', value: 'hello' } } as const }];
      return toBinary(
        ExportLogsServiceRequestSchema,
        create(ExportLogsServiceRequestSchema, { resourceLogs: [{ scopeLogs: [{ logRecords }] }] }),
      );
    }
    case 'metric': {
      const dataPoints = [{ timeUnixNano: 1n, value: { case: 'asInt', value: 7n } } as const];
      const metrics = [{ name: 'queue.size', data: { case: 'gauge', value: { dataPoints } } } as const];
      return toBinary(
        ExportMetricsServiceRequestSchema,
        create(ExportMetricsServiceRequestSchema, { resourceMetrics: [{ scopeMetrics: [{ metrics }] }] }),
      );
    }
  }
}

export function requestJson(signal: Signal): string {
  switch (signal) {
    case 'span':
      return JSON.stringify({
        resourceSpans: [
          {
            resource: { attributes: [{ key: 'service.name', value: { stringValue: 'shop' } }] },
            scopeSpans: [
              {
                spans: [
                  {
                    traceId: TRACE_ID,
                    spanId: SPAN_ID,
                    name: 'GET /',
                    startTimeUnixNano: '1700000000000000000',
                    endTimeUnixNano: '1700000000100000000',
                  },
                ],
              },
            ],
          },
        ],
      });
    case 'log':
      return '{"resourceLogs":[{"scopeLogs":[{"logRecords":[{"timeUnixNano":"1","body":{"stringValue":"hello"}}]}]}]}';
    case 'metric':
      return '{"resourceMetrics":[{"scopeMetrics":[{"metrics":[{"name":"queue.size","gauge":{"dataPoints":[{"timeUnixNano":"1","asInt":"7"}]}}]}]}]}';
  }
}
