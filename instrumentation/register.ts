/**
 * What `node --import @ai-debug/instrumentation/register app.js` runs before the app's first line: telemetry on, app
 * untouched. Whatever fails in here is said once on stderr and never reaches the app.
 */
import { context, logs, metrics, propagation, type TextMapPropagator, trace } from '@opentelemetry/api';
import { AsyncLocalStorageContextManager } from '@opentelemetry/context-async-hooks';
import { CompositePropagator } from '@opentelemetry/core';
import { type Instrumentation, registerInstrumentations } from '@opentelemetry/instrumentation';
import { B3InjectEncoding, B3Propagator } from '@opentelemetry/propagator-b3';
import type { Resource } from '@opentelemetry/resources';
import { MeterProvider } from '@opentelemetry/sdk-metrics';
import { NodeSDK } from '@opentelemetry/sdk-node';
import { BaggagePropagator } from './baggage.ts';
import { bridgeConsole } from './console-bridge.ts';
import { CorrelationPropagator } from './correlation.ts';
import { say, withDiagnosticsOnStderr } from './diagnostics.ts';
import { flushOnExit } from './exit-flush.ts';
import { watchHttpClients } from './http-client.ts';
import { watchHttpServers } from './http-server.ts';
import { hookImports } from './import-hooks.ts';
import { standardInstrumentations } from './instrumentations.ts';
import { LightLoggerProvider } from './log-records.ts';
import { isRegisteredByOthers, watchOtherInstrumentations } from './other-instrumentations.ts';
import { createPipeline, type Pipeline } from './pipeline.ts';
import { describedBy, processResource } from './resource.ts';
import { type Settings, settingsFrom } from './settings.ts';
import { LightTracerProvider } from './spans.ts';
import { TraceContextPropagator } from './trace-context.ts';
import { logUncaughtExceptions, ThrowerMemory } from './uncaught-exceptions.ts';
import { watchUndici } from './undici-client.ts';

register();

function register(): void {
  if (isSecondRegistration()) return;
  try {
    const settings = settingsFrom(process.env);
    if (settings.disabled) return;
    if (isRegisteredByOthers())
      say('an OpenTelemetry SDK was registered before; that one records, and this flag does nothing');
    else start(settings);
  } catch (error) {
    say(`not started, the app runs without telemetry: ${(error as Error)?.stack ?? error}`);
  }
}

function start(settings: Settings): void {
  const instrumentations = standardInstrumentations(settings);
  hookImports(instrumentations);
  const pipeline = createPipeline(settings);
  const thrower = new ThrowerMemory();
  logUncaughtExceptions(thrower);
  const propagator = new CorrelationPropagator(propagatorOf(settings.propagators), settings.isOurs);
  const parts: Parts = {
    resource: processResource().merge(describedBy(settings.detectors)),
    spanProcessors: [thrower, ...pipeline.spanProcessors],
    // Without an exporter nobody wants to hear of a record, and `Logger.enabled` says so.
    logRecordProcessors: settings.exports.logs.enabled ? pipeline.logRecordProcessors : [],
    metricReaders: pipeline.metricReaders,
    instrumentations,
    propagator,
  };
  withDiagnosticsOnStderr(process.env, () => (settings.isLight ? startLight(parts) : startSdk(parts)));
  watchOtherInstrumentations();
  if (settings.isInstrumented('http')) {
    watchHttpServers(pipeline.durations);
    watchHttpClients(pipeline.durations);
  }
  if (settings.isInstrumented('undici')) watchUndici(pipeline.durations);
  if (settings.isInstrumented('console')) bridgeConsole();
  flushOnExit(pipeline);
  pipeline.start();
}

interface Parts extends Pick<Pipeline, 'spanProcessors' | 'logRecordProcessors' | 'metricReaders'> {
  resource: Resource;
  instrumentations: Instrumentation[];
  propagator: TextMapPropagator;
}

/** Nobody asks for what only the SDK's providers know: see `spans.ts` and `log-records.ts`. */
function startLight(parts: Parts): void {
  const { resource, spanProcessors, logRecordProcessors, metricReaders, instrumentations, propagator } = parts;
  context.setGlobalContextManager(new AsyncLocalStorageContextManager().enable());
  propagation.setGlobalPropagator(propagator);
  trace.setGlobalTracerProvider(new LightTracerProvider(resource, spanProcessors));
  if (logRecordProcessors.length > 0)
    logs.setGlobalLoggerProvider(new LightLoggerProvider(resource, logRecordProcessors));
  if (metricReaders.length > 0) metrics.setGlobalMeterProvider(new MeterProvider({ resource, readers: metricReaders }));
  registerInstrumentations({ instrumentations });
}

function startSdk({ propagator, ...parts }: Parts): void {
  new NodeSDK({ ...parts, autoDetectResources: false, textMapPropagator: propagator }).start();
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
    tracecontext: () => new TraceContextPropagator(),
    baggage: () => new BaggagePropagator(),
    b3: () => new B3Propagator(),
    b3multi: () => new B3Propagator({ injectEncoding: B3InjectEncoding.MULTI_HEADER }),
  };
  const propagators = [...new Set(names)].flatMap((name) => known[name]?.() ?? []);
  return new CompositePropagator({ propagators });
}
