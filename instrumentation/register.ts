/**
 * What `node --import @ai-debug/instrumentation/register app.js` runs before the app's first line: telemetry on, app
 * untouched. Whatever fails in here is said once on stderr and never reaches the app.
 */
import { type TextMapPropagator, trace } from '@opentelemetry/api';
import { CompositePropagator, W3CBaggagePropagator, W3CTraceContextPropagator } from '@opentelemetry/core';
import type { Instrumentation } from '@opentelemetry/instrumentation';
import { B3InjectEncoding, B3Propagator } from '@opentelemetry/propagator-b3';
import { detectResources, envDetector } from '@opentelemetry/resources';
import { NodeSDK } from '@opentelemetry/sdk-node';
import { bridgeConsole } from './console-bridge.ts';
import { CorrelationPropagator } from './correlation.ts';
import { say, withDiagnosticsOnStderr } from './diagnostics.ts';
import { flushOnExit } from './exit-flush.ts';
import { watchHttpClients } from './http-client.ts';
import { watchHttpServers } from './http-server.ts';
import { hookImports } from './import-hooks.ts';
import { standardInstrumentations } from './instrumentations.ts';
import { createPipeline, type Pipeline } from './pipeline.ts';
import { processResource } from './resource.ts';
import { type Settings, settingsFrom } from './settings.ts';
import { LightTracerProvider } from './spans.ts';
import { logUncaughtExceptions, ThrowerMemory } from './uncaught-exceptions.ts';

register();

function register(): void {
  if (isSecondRegistration()) return;
  try {
    const settings = settingsFrom(process.env);
    if (!settings.disabled) start(settings);
  } catch (error) {
    say(`not started, the app runs without telemetry: ${(error as Error)?.stack ?? error}`);
  }
}

function start(settings: Settings): void {
  const instrumentations = standardInstrumentations(settings);
  hookImports(instrumentations);
  const { pipeline, sdk } = withDiagnosticsOnStderr(process.env, () => assemble(settings, instrumentations));
  sdk.start();
  if (settings.isInstrumented('http')) {
    watchHttpServers(pipeline.durations);
    watchHttpClients(pipeline.durations);
  }
  if (settings.isInstrumented('console')) bridgeConsole();
  flushOnExit(pipeline);
  pipeline.start();
}

function assemble(settings: Settings, instrumentations: Instrumentation[]): { pipeline: Pipeline; sdk: NodeSDK } {
  const pipeline = createPipeline(settings);
  const thrower = new ThrowerMemory();
  logUncaughtExceptions(thrower);
  const sdk = new NodeSDK({
    instrumentations,
    resource: processResource(),
    ...(settings.detectorsChosen ? {} : { resourceDetectors: [envDetector] }),
    textMapPropagator: new CorrelationPropagator(propagatorOf(settings.propagators), settings.isOurs),
    spanProcessors: settings.isLight ? [] : [...pipeline.spanProcessors, thrower],
    logRecordProcessors: pipeline.logRecordProcessors,
    metricReaders: pipeline.metricReaders,
  });
  if (settings.isLight) {
    const resource = processResource().merge(detectResources({ detectors: [envDetector] }));
    trace.setGlobalTracerProvider(new LightTracerProvider(resource, [...pipeline.spanProcessors, thrower]));
  }
  return { pipeline, sdk };
}

/** `--import` twice, `--import` and `--require`, or NODE_OPTIONS and a flag: the first one wins, silently. */
function isSecondRegistration(): boolean {
  const mark = Symbol.for('ai-debug.instrumentation.registered');
  const global = globalThis as { [mark]?: true };
  if (global[mark]) return true;
  global[mark] = true;
  return false;
}

function propagatorOf(names: string[]): TextMapPropagator {
  const known: Record<string, () => TextMapPropagator> = {
    tracecontext: () => new W3CTraceContextPropagator(),
    baggage: () => new W3CBaggagePropagator(),
    b3: () => new B3Propagator(),
    b3multi: () => new B3Propagator({ injectEncoding: B3InjectEncoding.MULTI_HEADER }),
  };
  const propagators = [...new Set(names)].flatMap((name) => known[name]?.() ?? []);
  return new CompositePropagator({ propagators });
}
