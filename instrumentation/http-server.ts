import { subscribe } from 'node:diagnostics_channel';
import type { Server as HttpServer, IncomingMessage, ServerResponse } from 'node:http';
import {
  type Attributes,
  type Context,
  context,
  propagation,
  type Span,
  SpanKind,
  SpanStatusCode,
  trace,
} from '@opentelemetry/api';
import {
  ATTR_CLIENT_ADDRESS,
  ATTR_ERROR_TYPE,
  ATTR_HTTP_REQUEST_METHOD,
  ATTR_HTTP_RESPONSE_STATUS_CODE,
  ATTR_HTTP_ROUTE,
  ATTR_NETWORK_PROTOCOL_VERSION,
  ATTR_SERVER_ADDRESS,
  ATTR_SERVER_PORT,
  ATTR_URL_PATH,
  ATTR_URL_QUERY,
  ATTR_URL_SCHEME,
  ATTR_USER_AGENT_ORIGINAL,
  METRIC_HTTP_SERVER_REQUEST_DURATION,
} from '@opentelemetry/semantic-conventions';
import { EMPTY_CONTEXT } from './context.ts';
import type { Durations, Histogram } from './durations.ts';
import { emitWithin } from './emit-within.ts';
import { methodOf, splitHost, withoutSecrets } from './http-attributes.ts';
import { headerOf, REQUEST_HEADERS } from './http-headers.ts';
import { isInstrumentedByOthers } from './other-instrumentations.ts';
import packageJson from './package.json' with { type: 'json' };

/**
 * A span and a duration for every request that a server of `node:http` or `node:https` is given; the handler, and whatever listens to
 * its request and response, runs within. The one thing that is patched is `emit` of the two servers.
 *
 * Instead of @opentelemetry/instrumentation-http because that is most of what stock instrumentation costs: it wraps every method that
 * adds a listener, on both emitters of each request. `npm run bench:instrumentation` has the numbers.
 */
export function watchHttpServers(durations: Durations): void {
  rememberFastifyRoutes();
  const tracer = trace.getTracer(packageJson.name, packageJson.version);
  const histogram = durations.histogram(METRIC_HTTP_SERVER_REQUEST_DURATION, 'Duration of HTTP server requests.', [
    ATTR_URL_SCHEME,
    ATTR_HTTP_REQUEST_METHOD,
    ATTR_HTTP_RESPONSE_STATUS_CODE,
    ATTR_HTTP_ROUTE,
    ATTR_ERROR_TYPE,
  ]);

  for (const scheme of ['http', 'https'] as const) {
    // Not imported: an import reads every export of `node:http`, and WebSocket among them loads all of undici, 50 ms of each start.
    const { prototype } = process.getBuiltinModule(`node:${scheme}`).Server;
    const emit = prototype.emit as (event: string | symbol, ...args: unknown[]) => boolean;
    prototype.emit = function (this: HttpServer, event: string | symbol, ...args: unknown[]): boolean {
      if (event !== 'request' || isInstrumentedByOthers('http')) return emit.call(this, event, ...args);
      const [request, response] = args as [IncomingMessage, ServerResponse];
      const served = new ServedRequest(request, response, scheme, histogram);
      const parent = propagation.extract(EMPTY_CONTEXT, request, REQUEST_HEADERS);
      const { method, attributes } = served;
      const span = tracer.startSpan(method, { kind: SpanKind.SERVER, attributes }, parent);
      const ctx = trace.setSpan(parent, span);
      served.watch(span, ctx);
      try {
        return context.with(ctx, () => emit.call(this, event, request, response));
      } catch (error) {
        served.fail(span, error);
        throw error;
      }
    } as typeof prototype.emit;
  }
}

class ServedRequest {
  readonly method: string;
  readonly attributes: Attributes;
  readonly #request: IncomingMessage;
  readonly #response: ServerResponse;
  readonly #scheme: string;
  readonly #durations: Histogram;
  readonly #startMs = performance.now();
  #ended = false;

  constructor(request: IncomingMessage, response: ServerResponse, scheme: string, durations: Histogram) {
    this.#request = request;
    this.#response = response;
    this.#scheme = scheme;
    this.#durations = durations;
    this.method = methodOf(request.method);
    this.attributes = requestAttributes(request, this.method, scheme);
  }

  /** 'close' is the last event of every response, also of one whose client went away. */
  watch(span: Span, ctx: Context): void {
    emitWithin(this.#request, ctx);
    emitWithin(this.#response, ctx, (event) => {
      if (event === 'close') this.#end(span);
    });
  }

  fail(span: Span, error: unknown): void {
    const exception = error instanceof Error ? error : String(error);
    span.recordException(exception);
    span.setStatus({ code: SpanStatusCode.ERROR, message: String((error as Error)?.message ?? error) });
    this.#end(span, (error as Error)?.name ?? '_OTHER');
  }

  #end(span: Span, errorType?: string): void {
    if (this.#ended) return;
    this.#ended = true;
    const { statusCode, writableFinished } = this.#response;
    const route = routeOf(this.#request);
    const errored = errorType ?? (statusCode >= 500 ? String(statusCode) : undefined);
    span.setAttribute(ATTR_HTTP_RESPONSE_STATUS_CODE, statusCode);
    if (route !== undefined) {
      span.setAttribute(ATTR_HTTP_ROUTE, route);
      span.updateName(`${this.method} ${route}`);
    }
    if (errored !== undefined) {
      span.setAttribute(ATTR_ERROR_TYPE, errored);
      if (errorType === undefined) span.setStatus({ code: SpanStatusCode.ERROR });
    } else if (!writableFinished) {
      // The caller went away: not this service's failure, yet the reason why its answer never arrived.
      span.setAttribute(ATTR_ERROR_TYPE, 'aborted');
    }
    span.end();
    const seconds = (performance.now() - this.#startMs) / 1000;
    this.#durations.record(seconds, [this.#scheme, this.method, statusCode, route, errored]);
  }
}

function requestAttributes(request: IncomingMessage, method: string, scheme: string): Attributes {
  const { url = '/', socket } = request;
  const at = url.indexOf('?');
  const attributes: Attributes = {
    [ATTR_HTTP_REQUEST_METHOD]: method,
    [ATTR_URL_SCHEME]: scheme,
    [ATTR_URL_PATH]: at < 0 ? url : url.slice(0, at),
    [ATTR_NETWORK_PROTOCOL_VERSION]: request.httpVersion,
  };
  if (at >= 0) attributes[ATTR_URL_QUERY] = withoutSecrets(url.slice(at + 1));
  const host = headerOf(request, 'host');
  if (host !== undefined) {
    const { address, port } = splitHost(host);
    attributes[ATTR_SERVER_ADDRESS] = address;
    if (port !== undefined) attributes[ATTR_SERVER_PORT] = port;
  }
  const client = forwardedFor(headerOf(request, 'x-forwarded-for')) ?? socket.remoteAddress;
  if (client !== undefined) attributes[ATTR_CLIENT_ADDRESS] = client;
  const userAgent = headerOf(request, 'user-agent');
  if (userAgent !== undefined) attributes[ATTR_USER_AGENT_ORIGINAL] = userAgent;
  return attributes;
}

function forwardedFor(header: string | undefined): string | undefined {
  if (header === undefined) return undefined;
  const first = header.split(',', 1)[0]!.trim();
  return first === '' ? undefined : first;
}

/**
 * `/orders/:id`. Plain `http` knows no routes; Express leaves the one that matched on the request, Fastify publishes it. (The path
 * itself is no name: every order would be an operation of its own.)
 */
function routeOf(request: IncomingMessage): string | undefined {
  const { route, baseUrl } = request as { route?: { path?: unknown }; baseUrl?: string };
  return typeof route?.path === 'string' ? `${baseUrl ?? ''}${route.path}` : publishedRoutes.get(request);
}

const publishedRoutes = new WeakMap<IncomingMessage, string>();

function rememberFastifyRoutes(): void {
  subscribe('tracing:fastify.request.handler:start', (message) => {
    const { request, route } = message as { request?: { raw?: IncomingMessage }; route?: { url?: unknown } };
    if (request?.raw && typeof route?.url === 'string') publishedRoutes.set(request.raw, route.url);
  });
}
