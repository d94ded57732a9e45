import type { ClientRequest, RequestOptions } from 'node:http';
import type { Agent } from 'node:https';
import type { Socket } from 'node:net';
import { promisify } from 'node:util';
import { gzip } from 'node:zlib';
import { context } from '@opentelemetry/api';
import { suppressTracing } from '@opentelemetry/core';
import type { ExportSettings, Format, Signal } from './settings.ts';
import type { Parcel } from './spool.ts';

/**
 * What became of a request: `delivered`; `retry`, where the receiver is away or asks to come back (after `afterMs`, if it
 * says when); `refused`, where sending it again would not help.
 */
export type Outcome =
  | { kind: 'delivered' }
  | { kind: 'retry'; reason: string; afterMs?: number }
  | { kind: 'refused'; reason: string };

/** Sends one OTLP export request. Never rejects, and its traffic is no telemetry of the app. */
export type Transport = (parcel: Parcel) => Promise<Outcome>;

export function createTransport(signal: Signal, settings: ExportSettings): Transport {
  const send = settings.protocol === 'grpc' ? grpcTransport(signal, settings) : httpTransport(settings);
  return (parcel) => context.with(suppressTracing(context.active()), send, undefined, parcel);
}

export const CONTENT_TYPES: Record<Format, string> = {
  protobuf: 'application/x-protobuf',
  json: 'application/json',
};

const compress = promisify(gzip);

/** Of the OTLP specification: everything else that is no success must not be sent again. */
const RETRYABLE_STATUS = new Set([429, 502, 503, 504]);
const MESSAGE_BYTES_MAX = 4096;

function httpTransport({ url, headers, compression, timeoutMs, tls }: ExportSettings): Transport {
  let agent: Agent | undefined;
  return async ({ body, format }) => {
    try {
      const { request } = httpModule(url);
      agent ??= keepAliveAgent(url, tls);
      const bytes = compression === 'gzip' ? await compress(body) : body;
      const options: RequestOptions = {
        method: 'POST',
        agent,
        headers: {
          ...headers,
          'content-type': CONTENT_TYPES[format],
          'content-length': bytes.length,
          ...(compression === 'gzip' ? { 'content-encoding': 'gzip' } : {}),
        },
      };
      const post = request(url, options);
      const outcome = await answered(post, bytes, timeoutMs);
      // A connection that the receiver closed as idle while the request was on its way says nothing of the receiver.
      return outcome.kind === 'retry' && post.reusedSocket
        ? await answered(request(url, options), bytes, timeoutMs)
        : outcome;
    } catch (error) {
      // A URL or a header that Node will not send: no later attempt will be different.
      return { kind: 'refused', reason: (error as Error).message };
    }
  };
}

function answered(post: ClientRequest, body: Uint8Array, timeoutMs: number): Promise<Outcome> {
  return new Promise((resolve) => {
    const timer = setTimeout(() => post.destroy(new Error(`no answer in ${timeoutMs} ms`)), timeoutMs);
    const settle = (outcome: Outcome): void => {
      clearTimeout(timer);
      resolve(outcome);
    };
    post.on('error', (error: NodeJS.ErrnoException) =>
      settle({ kind: 'retry', reason: error.message || error.code || 'no connection' }),
    );
    post.on('response', (response) => {
      const { statusCode = 0, headers } = response;
      let message = '';
      response.setEncoding('utf8').on('data', (text: string) => {
        if (message.length < MESSAGE_BYTES_MAX) message += text;
      });
      response.on('error', () => settle({ kind: 'retry', reason: 'the answer broke off' }));
      response.on('end', () => {
        if (statusCode >= 200 && statusCode < 300) return settle({ kind: 'delivered' });
        const reason = `HTTP ${statusCode} ${message.slice(0, 200)}`.trim();
        if (!RETRYABLE_STATUS.has(statusCode)) return settle({ kind: 'refused', reason });
        settle({ kind: 'retry', reason, ...retryAfter(headers['retry-after']) });
      });
    });
    post.end(body);
  });
}

/** Seconds, or a date. */
function retryAfter(header: string | undefined): { afterMs?: number } {
  if (header === undefined) return {};
  const seconds = Number(header);
  const afterMs = Number.isFinite(seconds) ? seconds * 1000 : Date.parse(header) - Date.now();
  return afterMs > 0 ? { afterMs } : {};
}

/** Not imported: see `http-server.ts`. */
function httpModule(url: string): typeof import('node:http') | typeof import('node:https') {
  return process.getBuiltinModule(url.startsWith('https:') ? 'node:https' : 'node:http');
}

/**
 * Keeps connections for the next batch, yet never the process for a connection: an app that is done ends, though an
 * export hangs on a receiver that accepts and does not answer. (Timers are unreferenced by `build.ts`.)
 */
function keepAliveAgent(url: string, tls: ExportSettings['tls']): Agent {
  const { Agent } = httpModule(url);
  const agent = new Agent({ keepAlive: true, ...tls });
  const connect = agent.createConnection.bind(agent);
  agent.createConnection = (options, callback) => {
    const socket = connect(options, callback);
    (socket as Socket | undefined)?.unref();
    return socket;
  };
  const reuse = agent.reuseSocket.bind(agent);
  agent.reuseSocket = (socket, request) => {
    reuse(socket, request); // This references the socket again.
    (socket as Socket).unref();
  };
  return agent as Agent;
}

const SERVICES: Record<Signal, string> = {
  traces: '/opentelemetry.proto.collector.trace.v1.TraceService/Export',
  logs: '/opentelemetry.proto.collector.logs.v1.LogsService/Export',
  metrics: '/opentelemetry.proto.collector.metrics.v1.MetricsService/Export',
};

/** Of the OTLP specification; RESOURCE_EXHAUSTED too, as a receiver that is merely full says it. */
const RETRYABLE_CODES = new Set([1, 4, 8, 10, 11, 14, 15]);

/** Loaded with the first batch: by then the app has loaded its own grpc-js, and that is the one. */
function grpcTransport(signal: Signal, { url, headers, compression, timeoutMs, tls }: ExportSettings): Transport {
  let client: Promise<{ grpc: typeof import('@grpc/grpc-js'); client: import('@grpc/grpc-js').Client }> | undefined;
  const connect = async () => {
    const grpc = await import('@grpc/grpc-js');
    const secure = url.startsWith('https:');
    const credentials = secure
      ? grpc.credentials.createSsl(tls.ca ?? null, tls.key ?? null, tls.cert ?? null)
      : grpc.credentials.createInsecure();
    const options = compression === 'gzip' ? { 'grpc.default_compression_algorithm': 2 } : {};
    return { grpc, client: new grpc.Client(new URL(url).host, credentials, options) };
  };
  const identity = (bytes: Buffer): Buffer => bytes;
  return async ({ body, format }) => {
    if (format !== 'protobuf') return { kind: 'refused', reason: 'OTLP over gRPC carries no JSON' };
    try {
      client ??= connect();
      const { grpc, client: connected } = await client;
      const metadata = new grpc.Metadata();
      for (const [name, value] of Object.entries(headers)) metadata.set(name, value);
      return await new Promise<Outcome>((resolve) => {
        const deadline = Date.now() + timeoutMs;
        const buffer = Buffer.from(body.buffer, body.byteOffset, body.byteLength);
        connected.makeUnaryRequest(SERVICES[signal], identity, identity, buffer, metadata, { deadline }, (error) => {
          if (error === null) resolve({ kind: 'delivered' });
          else resolve({ kind: RETRYABLE_CODES.has(error.code) ? 'retry' : 'refused', reason: error.message });
        });
      });
    } catch (error) {
      return { kind: 'refused', reason: (error as Error).message };
    }
  };
}
