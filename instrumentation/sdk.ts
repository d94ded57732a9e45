import { CompositePropagator } from '@opentelemetry/core';
import { envDetector, type ResourceDetector } from '@opentelemetry/resources';
import type { LogRecordProcessor } from '@opentelemetry/sdk-logs';
import type { IMetricReader } from '@opentelemetry/sdk-metrics';
import type { SpanProcessor } from '@opentelemetry/sdk-trace';
import { BaggagePropagator } from './baggage.ts';
import { CorrelationPropagator } from './correlation.ts';
import { flushOnExit } from './exit-flush.ts';
import { createPipeline } from './pipeline.ts';
import { processResource } from './resource.ts';
import { settingsFrom } from './settings.ts';
import { TraceContextPropagator } from './trace-context.ts';

/** What `new NodeSDK({...})` takes; merge the lists with your own. */
export interface DebugSdkParts {
  spanProcessors: SpanProcessor[];
  logRecordProcessors: LogRecordProcessor[];
  metricReaders: IMetricReader[];
  textMapPropagator: CorrelationPropagator;
  resourceDetectors: ResourceDetector[];
}

/**
 * For an app that starts an OpenTelemetry SDK of its own: correlation and operation ids, snapshots and the delivery that loses
 * nothing, as parts of that SDK. Reads the same variables as the flag; call it once per process.
 */
export function debugSdkParts(): DebugSdkParts {
  const settings = settingsFrom(process.env);
  const pipeline = createPipeline(settings);
  flushOnExit(pipeline);
  pipeline.start();
  const standard = new CompositePropagator({
    propagators: [new TraceContextPropagator(), new BaggagePropagator()],
  });
  return {
    spanProcessors: pipeline.spanProcessors,
    logRecordProcessors: pipeline.logRecordProcessors,
    metricReaders: pipeline.metricReaders,
    textMapPropagator: new CorrelationPropagator(standard, settings.isOurs),
    resourceDetectors: [{ detect: () => ({ attributes: processResource().attributes }) }, envDetector],
  };
}
