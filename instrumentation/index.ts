/**
 * What an app may say about itself. All of it is a no-op until `@ai-debug/instrumentation/register` (or another
 * OpenTelemetry SDK) is loaded, so the calls may stay in code that runs without it. State is shared through
 * OpenTelemetry's own global, never through this module: the ES module and its CommonJS twin are interchangeable.
 */

export { type Carrier, carry, resume } from './carrier.ts';
export { currentCorrelation, currentOperation, withCorrelation, withOperation } from './correlation.ts';
export { operation } from './operation.ts';
export { type SnapshotOptions, snapshot } from './snapshot.ts';
export { type TrackOptions, trackState } from './track-state.ts';
