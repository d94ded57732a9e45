/**
 * What an app may say about itself. All of it is a no-op until `@ai-debug/instrumentation/register` (or another
 * OpenTelemetry SDK) is loaded, so the calls may stay in code that runs without it. State is shared through
 * OpenTelemetry's own global, never through this module: the ES module and its CommonJS twin are interchangeable.
 */
export { currentCorrelation, currentOperation, withCorrelation, withOperation } from './correlation.ts';
export { type SnapshotOptions, snapshot } from './snapshot.ts';
