import type { Agent } from 'node:http';
import type { Socket } from 'node:net';
import { type ExportResult, ExportResultCode } from '@opentelemetry/core';
import { OTLPLogExporter as JsonLogExporter } from '@opentelemetry/exporter-logs-otlp-http';
import { OTLPLogExporter as ProtobufLogExporter } from '@opentelemetry/exporter-logs-otlp-proto';
import { OTLPMetricExporter as JsonMetricExporter } from '@opentelemetry/exporter-metrics-otlp-http';
import { OTLPMetricExporter as ProtobufMetricExporter } from '@opentelemetry/exporter-metrics-otlp-proto';
import { OTLPTraceExporter as JsonTraceExporter } from '@opentelemetry/exporter-trace-otlp-http';
import { OTLPTraceExporter as ProtobufTraceExporter } from '@opentelemetry/exporter-trace-otlp-proto';
import type { LogRecordExporter } from '@opentelemetry/sdk-logs';
import type { PushMetricExporter } from '@opentelemetry/sdk-metrics';
import type { SpanExporter } from '@opentelemetry/sdk-trace';
import { say } from './diagnostics.ts';
import type { ExportSettings } from './settings.ts';

export function spanExporter(settings: ExportSettings): SpanExporter {
  if (settings.protocol === 'grpc') return deferred(async () => new (await grpc()).OTLPTraceExporter());
  return settings.protocol === 'http/json'
    ? new JsonTraceExporter(httpOptions(settings))
    : new ProtobufTraceExporter(httpOptions(settings));
}

export function logRecordExporter(settings: ExportSettings): LogRecordExporter {
  if (settings.protocol === 'grpc') return deferred(async () => new (await grpc()).OTLPLogExporter());
  return settings.protocol === 'http/json'
    ? new JsonLogExporter(httpOptions(settings))
    : new ProtobufLogExporter(httpOptions(settings));
}

export function metricExporter(settings: ExportSettings): PushMetricExporter {
  if (settings.protocol === 'grpc') return deferred(async () => new (await grpc()).OTLPMetricExporter());
  return settings.protocol === 'http/json'
    ? new JsonMetricExporter(httpOptions(settings))
    : new ProtobufMetricExporter(httpOptions(settings));
}

/** Calls `confirmed` with what the receiver has accepted, and says on stderr, once per process, that it cannot be reached. */
export function confirming<T, E extends { export(items: T, done: (result: ExportResult) => void): void }>(
  exporter: E,
  { url }: ExportSettings,
  confirmed: (items: T) => void,
): E {
  const send = exporter.export.bind(exporter);
  exporter.export = (items, done) =>
    send(items, (result) => {
      if (result.code === ExportResultCode.SUCCESS) confirmed(items);
      else sayUnreachable(url, result.error);
      done(result);
    });
  return exporter;
}

const firstLine = (text: string): string => text.split('\n', 1)[0]!;

let saidUnreachable = false;

function sayUnreachable(url: string, error: Error | undefined): void {
  if (saidUnreachable) return;
  saidUnreachable = true;
  const reason = error?.message || (error as NodeJS.ErrnoException | undefined)?.code || 'refused';
  say(`cannot deliver to ${new URL(url).origin} (${firstLine(reason)}); telemetry is dropped meanwhile (said once)`);
}

const grpc = (): Promise<typeof import('./grpc-exporters.ts')> => import('./grpc-exporters.ts');

interface Exporter<T> {
  export(items: T, done: (result: ExportResult) => void): void;
  forceFlush?(): Promise<void>;
  shutdown(): Promise<void>;
}

/** An exporter that is loaded with its first batch: by then the app has loaded its own grpc-js, and that is the one. */
function deferred<T>(load: () => Promise<Exporter<T>>): Exporter<T> & { forceFlush(): Promise<void> } {
  let loading: Promise<Exporter<T>> | undefined;
  return {
    export(items, done) {
      loading ??= load();
      loading.then(
        (exporter) => exporter.export(items, done),
        (error) => done({ code: ExportResultCode.FAILED, error }),
      );
    },
    forceFlush: async () => (await loading)?.forceFlush?.(),
    shutdown: async () => (await loading)?.shutdown(),
  };
}

/** Headers, compression and timeout the exporters read from the environment by themselves. */
function httpOptions({ url, tls }: ExportSettings): { url: string; httpAgentOptions: () => Promise<Agent> } {
  return { url, httpAgentOptions: () => exportAgent(url, tls) };
}

/**
 * Keeps connections for the next batch, yet never the process for a connection: an app that is done ends, though an
 * export hangs on a receiver that accepts and does not answer. (Timers of the SDK are unreferenced by `build.ts`.)
 */
async function exportAgent(url: string, tls: ExportSettings['tls']): Promise<Agent> {
  const { Agent } = url.startsWith('https:') ? await import('node:https') : await import('node:http');
  const agent = new Agent({ keepAlive: true, ...tls });
  const connect = agent.createConnection.bind(agent);
  agent.createConnection = (options, callback) => {
    const socket = connect(options, callback);
    (socket as Socket | undefined)?.unref();
    return socket;
  };
  // Node's own references the socket again here.
  agent.reuseSocket = () => {};
  return agent;
}
