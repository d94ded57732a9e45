/**
 * Put by `build.ts` in the place of the exporters among which `NodeSDK` chooses if it is not handed any. It always is
 * (see `pipeline.ts`), so they would only be dead weight; and the gRPC ones would load `@grpc/grpc-js` with the SDK, before it
 * can be instrumented and also where it is not installed.
 */
class UnreachedExporter {
  constructor() {
    throw new Error('NodeSDK was to choose an exporter by itself');
  }
}

/** Its values are only compared with what a configuration file says, which is not read here either. */
const AggregationTemporalityPreference = {};

export {
  AggregationTemporalityPreference,
  UnreachedExporter as OTLPLogExporter,
  UnreachedExporter as OTLPMetricExporter,
  UnreachedExporter as OTLPTraceExporter,
  UnreachedExporter as PrometheusExporter,
  UnreachedExporter as ZipkinExporter,
};
