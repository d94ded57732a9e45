import { once } from 'node:events';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { gunzipSync } from 'node:zlib';
import { Server, ServerCredentials, type ServerUnaryCall, type sendUnaryData } from '@grpc/grpc-js';

/** One record as it arrived: attributes by name, values as plain JavaScript. */
export interface Arrived {
  attributes: Record<string, unknown>;
  resource: Record<string, unknown>;
  scope: string;
  traceId: string;
  spanId: string;
}

export interface ArrivedSpan extends Arrived {
  name: string;
  /** OTLP: 1 internal, 2 server, 3 client. */
  kind: number;
  parentSpanId: string;
  status: number;
  events: { name: string; attributes: Record<string, unknown> }[];
}

export interface ArrivedLog extends Arrived {
  body: unknown;
  severityNumber: number;
  severityText: string;
  eventName: string;
}

export interface FarEnd {
  url: string;
  spans: ArrivedSpan[];
  logs: ArrivedLog[];
  metrics: { name: string; resource: Record<string, unknown> }[];
  requests: { url: string; headers: Record<string, string | string[] | undefined> }[];
  close(): Promise<void>;
}

/**
 * A receiver of OTLP/JSON that keeps what it got, a record once however often it is delivered: what is on its way when a
 * process ends is sent again. `respond: false` accepts and never answers.
 */
export async function startFarEnd({ respond = true, port = 0 } = {}): Promise<FarEnd> {
  const farEnd: Omit<FarEnd, 'url' | 'close'> = { spans: [], logs: [], metrics: [], requests: [] };
  const seen = new Set<string>();
  const isNew = (...record: unknown[]): boolean => seen.size < seen.add(JSON.stringify(record)).size;
  const server = createServer(async (request, response) => {
    const chunks: Buffer[] = [];
    for await (const chunk of request) chunks.push(chunk);
    const bytes = Buffer.concat(chunks);
    farEnd.requests.push({ url: request.url!, headers: request.headers });
    const isJson = request.headers['content-type'] === 'application/json';
    if (isJson) keep(JSON.parse(String(request.headers['content-encoding'] === 'gzip' ? gunzipSync(bytes) : bytes)));
    if (respond) response.setHeader('content-type', request.headers['content-type']!).end(isJson ? '{}' : '');
  });
  await once(server.listen(port, '127.0.0.1'), 'listening');

  function keep(body: Json): void {
    for (const { resource, scopeSpans } of body.resourceSpans ?? [])
      for (const { scope, spans } of scopeSpans)
        for (const span of spans.filter((span: Json) => isNew(resource, scope, span)))
          farEnd.spans.push({
            ...common(span, scope, resource),
            name: span.name,
            kind: span.kind,
            parentSpanId: span.parentSpanId ?? '',
            status: span.status?.code ?? 0,
            events: (span.events ?? []).map((event: Json) => ({
              name: event.name,
              attributes: plain(event.attributes),
            })),
          });
    for (const { resource, scopeLogs } of body.resourceLogs ?? [])
      for (const { scope, logRecords } of scopeLogs)
        for (const log of logRecords.filter((log: Json) => isNew(resource, scope, log)))
          farEnd.logs.push({
            ...common(log, scope, resource),
            body: plainValue(log.body),
            severityNumber: log.severityNumber,
            severityText: log.severityText ?? '',
            eventName: log.eventName ?? '',
          });
    for (const { resource, scopeMetrics } of body.resourceMetrics ?? [])
      for (const { metrics } of scopeMetrics)
        for (const metric of metrics) farEnd.metrics.push({ name: metric.name, resource: plain(resource.attributes) });
  }

  return Object.assign(farEnd, {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    async close() {
      server.closeAllConnections();
      await new Promise((closed) => server.close(closed));
    },
  });
}

/** Accepts OTLP/gRPC and tells which signals come: `trace`, `logs`, `metrics`. */
export async function startGrpcFarEnd(onExport: (signal: string) => void): Promise<{ url: string; stop(): void }> {
  const server = new Server();
  const bytes = (value: Buffer): Buffer => value;
  for (const signal of ['trace', 'logs', 'metrics']) {
    const service = `opentelemetry.proto.collector.${signal}.v1.${signal[0]!.toUpperCase()}${signal.slice(1)}Service`;
    server.addService(
      {
        Export: {
          path: `/${service}/Export`,
          requestStream: false,
          responseStream: false,
          requestSerialize: bytes,
          requestDeserialize: bytes,
          responseSerialize: bytes,
          responseDeserialize: bytes,
        },
      },
      {
        Export(_call: ServerUnaryCall<Buffer, Buffer>, done: sendUnaryData<Buffer>) {
          onExport(signal);
          done(null, Buffer.alloc(0));
        },
      },
    );
  }
  const port = await new Promise<number>((resolve, reject) => {
    server.bindAsync('127.0.0.1:0', ServerCredentials.createInsecure(), (error, bound) =>
      error ? reject(error) : resolve(bound),
    );
  });
  return { url: `http://127.0.0.1:${port}`, stop: () => server.forceShutdown() };
}

// biome-ignore lint/suspicious/noExplicitAny: decoded JSON of a known format
type Json = any;

function common(record: Json, scope: Json, resource: Json): Arrived {
  return {
    attributes: plain(record.attributes),
    resource: plain(resource.attributes),
    scope: scope.name,
    traceId: record.traceId ?? '',
    spanId: record.spanId ?? '',
  };
}

function plain(attributes: Json): Record<string, unknown> {
  return Object.fromEntries((attributes ?? []).map(({ key, value }: Json) => [key, plainValue(value)]));
}

function plainValue(value: Json): unknown {
  if (value?.kvlistValue) return plain(value.kvlistValue.values);
  if (value?.arrayValue) return value.arrayValue.values.map(plainValue);
  return Object.values(value ?? {})[0] ?? null;
}
