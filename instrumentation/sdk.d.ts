/** The types of `@ai-debug/instrumentation/sdk`, written by hand; `any` stands for the types of whichever SDK version the app has. */

export interface DebugSdkParts {
  // biome-ignore lint/suspicious/noExplicitAny: see above
  spanProcessors: any[];
  // biome-ignore lint/suspicious/noExplicitAny: see above
  logRecordProcessors: any[];
  // biome-ignore lint/suspicious/noExplicitAny: see above
  metricReaders: any[];
  // biome-ignore lint/suspicious/noExplicitAny: see above
  textMapPropagator: any;
  // biome-ignore lint/suspicious/noExplicitAny: see above
  resourceDetectors: any[];
}

/**
 * For an app that starts an OpenTelemetry SDK of its own: correlation and operation ids, snapshots and the delivery that
 * loses nothing, as parts of that SDK: `new NodeSDK({ ...debugSdkParts(), instrumentations })`. Call it once per process.
 */
export function debugSdkParts(): DebugSdkParts;
