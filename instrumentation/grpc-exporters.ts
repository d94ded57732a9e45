/** A chunk of its own in the bundle: these import `@grpc/grpc-js` when they are loaded, which not every app has. */
export { OTLPLogExporter } from '@opentelemetry/exporter-logs-otlp-grpc';
export { OTLPMetricExporter } from '@opentelemetry/exporter-metrics-otlp-grpc';
export { OTLPTraceExporter } from '@opentelemetry/exporter-trace-otlp-grpc';
