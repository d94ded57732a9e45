import type { IncomingMessage, OutgoingHttpHeaders, ServerResponse } from 'node:http';
import type { Socket } from 'node:net';
import { type Cors, createCors } from '../base/cors.ts';
import { DebugError } from '../base/errors.ts';
import type { Part } from '../base/lifecycle.ts';
import { type Listening, listen } from '../base/listen.ts';
import { createWebServer, type SlowClients, type Tls } from '../base/tls.ts';
import { credentialsOf } from '../base/tokens.ts';
import type { Encoding, Exporter } from './export.ts';
import { contentEncodingOf, readBody } from './inflate.ts';
import { responseJson, responseProtobuf, SERVICES } from './services.ts';
import { failureOf, statusJson, statusProtobuf } from './status.ts';

export interface HttpReceiverOptions {
  host: string;
  /** 0 for any. */
  port: number;
  export: Exporter;
  /** Absent: plain text. */
  tls?: Tls | null;
  /** Which pages may send; absent: none. */
  cors?: Cors;
  slowClients?: SlowClients;
  /** A connection spoke HTTP/2, as exporters over gRPC do: they see no more than that it broke. */
  heardGrpc?: () => void;
  /** How long a stop waits for requests under way. Default 5000. */
  stopMs?: number;
}

export interface HttpReceiver extends Part {
  /** Where it listens; null before it does. */
  address(): Listening | null;
}

/** OTLP over HTTP: `POST /v1/traces`, `/v1/metrics`, `/v1/logs`, in protobuf or JSON by Content-Type. */
export function createHttpReceiver(options: HttpReceiverOptions): HttpReceiver {
  const { host, port, tls = null, cors = createCors([], METHOD), slowClients, stopMs = 5000 } = options;
  const server = createWebServer(tls, slowClients, (request, response) => {
    handle(request, response).catch(() => request.destroy());
  });
  server.on(tls === null ? 'connection' : 'secureConnection', (socket: Socket) => {
    socket.on('error', ({ code }: NodeJS.ErrnoException) => {
      if (code === 'HPE_PAUSED_H2_UPGRADE') options.heardGrpc?.();
    });
  });
  let listening: Listening | null = null;
  let starting: Promise<void> | undefined;
  let stopping: Promise<void> | undefined;

  async function handle(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const encoding = encodingOf(request.headers['content-type']);
    for (const [name, value] of Object.entries(cors.headers(request))) response.setHeader(name, value);
    try {
      const service = SERVICES.find(({ httpPath }) => httpPath === pathOf(request.url!));
      if (service === undefined) throw new DebugError('NOT_FOUND', `nothing is served at ${request.url}`);
      const preflight = cors.preflight(request);
      if (preflight !== null) return void response.writeHead(204, preflight).end();
      if (request.method !== METHOD) {
        return answer(response, 405, 'text/plain', '405 method not allowed, supported: [POST]', { allow: 'POST' });
      }
      const contentEncoding = contentEncodingOf(request.headers['content-encoding']);
      if (encoding === null) return answer(response, 415, 'text/plain', UNSUPPORTED_MEDIA_TYPE);
      if (stopping !== undefined)
        throw new DebugError('UNAVAILABLE', 'the receiver is stopping', { retryAfterSeconds: 1 });

      const { signal } = service;
      const result = await options.export({
        signal,
        transport: 'http',
        encoding,
        authorization: credentialsOf(request.headersDistinct),
        read: (ticket) => {
          // Said beforehand: not one byte of it has to be read.
          if (Number(request.headers['content-length']) > ticket.requestBytesMax)
            ticket.hold(ticket.requestBytesMax + 1);
          return readBody(request, contentEncoding, ticket.hold, ticket.requestBytesMax);
        },
      });
      if (encoding === 'json') answer(response, 200, JSON_TYPE, responseJson(signal, result));
      else answer(response, 200, PROTOBUF_TYPE, responseProtobuf(signal, result));
    } catch (error) {
      answerFailure(response, encoding ?? 'json', error);
    }
  }

  function answerFailure(response: ServerResponse, encoding: Encoding, error: unknown): void {
    const failure = failureOf(error);
    const headers: OutgoingHttpHeaders = {};
    if (failure.retryAfterSeconds !== undefined) headers['retry-after'] = String(failure.retryAfterSeconds);
    if (failure.httpStatus === 401) headers['www-authenticate'] = 'Bearer';
    if (encoding === 'json') answer(response, failure.httpStatus, JSON_TYPE, statusJson(failure), headers);
    else answer(response, failure.httpStatus, PROTOBUF_TYPE, statusProtobuf(failure), headers);
  }

  /** What was not read of the request, Node reads and throws away: closing at once would reset the sender before it reads this. */
  function answer(
    response: ServerResponse,
    status: number,
    type: string,
    body: string | Uint8Array,
    headers: OutgoingHttpHeaders = {},
  ): void {
    if (stopping !== undefined) headers.connection = 'close';
    const length = typeof body === 'string' ? Buffer.byteLength(body) : body.length;
    response.writeHead(status, { 'content-type': type, 'content-length': length, ...headers });
    response.end(body);
  }

  async function stop(): Promise<void> {
    if (starting === undefined) return;
    await starting.catch(() => {});
    if (!server.listening) return;
    const closed = new Promise((resolve) => server.close(resolve));
    const deadline = setTimeout(() => server.closeAllConnections(), stopMs);
    await closed;
    clearTimeout(deadline);
  }

  return {
    name: 'OTLP over HTTP',
    address: () => listening,
    start: () =>
      (starting ??= listen(server, host, port, 'OTLP over HTTP', 'DEBUG_OTLP_HTTP_PORT').then((bound) => {
        listening = bound;
      })),
    stop: () => (stopping ??= stop()),
  };
}

const METHOD = 'POST';
const PROTOBUF_TYPE = 'application/x-protobuf';
const JSON_TYPE = 'application/json';
// Word for word the collector's: people search for it.
const UNSUPPORTED_MEDIA_TYPE = '415 unsupported media type, supported: [application/json, application/x-protobuf]';

/** What the Content-Type names, parameters aside; null for what OTLP has no encoding for. */
function encodingOf(contentType: string | undefined): Encoding | null {
  switch (contentType?.replace(/;.*/s, '').trim().toLowerCase()) {
    case PROTOBUF_TYPE:
      return 'protobuf';
    case JSON_TYPE:
      return 'json';
    default:
      return null;
  }
}

/** Without the query; a proxy may send the whole URL (RFC 9112, absolute form). */
function pathOf(url: string): string {
  const path = url.startsWith('/') ? url : (URL.parse(url)?.pathname ?? '');
  const query = path.indexOf('?');
  return query < 0 ? path : path.slice(0, query);
}
