/** The query port: REST, WebSocket, the dashboard, and what keeps a process looked after. */

import { randomUUID } from 'node:crypto';
import type { IncomingMessage } from 'node:http';
import type { Duplex } from 'node:stream';
import Koa, { type Context, type Middleware } from 'koa';
import type { Clock } from '../base/clock.ts';
import { createCors } from '../base/cors.ts';
import { DebugError } from '../base/errors.ts';
import type { Part } from '../base/lifecycle.ts';
import { type Listening, listen } from '../base/listen.ts';
import type { Logger } from '../base/log.ts';
import type { Meter } from '../base/meter.ts';
import { createWebServer, type SlowClients, type Tls } from '../base/tls.ts';
import { type Authenticate, credentialsOf, type Principal, requireScope } from '../base/tokens.ts';
import { checkHost, checkOrigin } from './guard.ts';
import type { Live } from './live.ts';
import { createMcp } from './mcp/http.ts';
import { createQuestionLimit, type Protocol, type QuestionLimit } from './question-limit.ts';
import { createApi } from './rest/api.ts';
import { createFollowers } from './rest/follow.ts';
import { openApi } from './rest/openapi.ts';
import { problemOf } from './rest/problem.ts';
import type { QueryService } from './service.ts';
import { createStatic } from './static.ts';
import { createSockets } from './ws/sockets.ts';

export interface QueryServerSettings {
  host: string;
  /** 0 for any. */
  port: number;
  /** Null in a process that only receives: it tells of itself and answers nothing else. */
  service: QueryService | null;
  /** Null where `DEBUG_STREAMING_ENABLED` is false: streams answer 503. */
  live: Live | null;
  /** `DEBUG_SYSTEM_ENABLED`: false answers 503 to every question. */
  enabled: boolean;
  authenticate: Authenticate;
  /** Absent: plain text. */
  tls?: Tls | null;
  /** Origins whose pages may ask; absent: only our own. */
  corsOrigins?: readonly string[];
  /** Absent: tokens ask as much as they like. */
  limit?: QuestionLimit;
  slowClients?: SlowClients;
  /** Why questions cannot be answered as they should just now; empty: they can. */
  troubles(): Promise<readonly string[]>;
  /** Of the product. */
  version: string;
  /** Where exporters are to be pointed; null for what this process does not receive. Asked when somebody wants to know. */
  exporters(): { otlp_grpc: string | null; otlp_http: string | null };
  clock: Clock;
  log: Logger;
  meter: Meter;
}

export interface QueryServer extends Part {
  /** Where it listens; null before it does. */
  address(): Listening | null;
}

export function createQueryServer(settings: QueryServerSettings): QueryServer {
  const { host, port, service, live, enabled, clock, log, meter } = settings;
  const { tls = null, corsOrigins = [], limit = createQuestionLimit(0, settings), slowClients } = settings;
  const cors = createCors(corsOrigins, 'GET, POST, PUT');
  const limited = (protocol: Protocol) => limit.over(settings.authenticate, protocol);
  const followers = live === null ? null : createFollowers(live, clock);
  const sockets = live === null ? null : createSockets({ live, clock, authenticate: limited('websocket'), meter });
  meter.gauge(
    'live_clients',
    'WebSocket connections and followed lists',
    () => (sockets?.size ?? 0) + (followers?.size ?? 0),
  );
  const pages = createStatic();
  let stopping = false;

  const app = new Koa();
  const broken = meter.counter('http_broken_answers_total', 'Answers that could not be sent to their end', ['why']);
  // Koa would print a stack for each client that hangs up.
  app.on('error', (error: Error & { code?: unknown }) => {
    const why = HUNG_UP.has(String(error.code)) ? 'client left' : 'failed';
    broken.inc({ why });
    if (why === 'failed') log.error({ err: error }, 'an answer could not be sent');
  });
  app.use(answerFailures(log));
  app.use(measure(meter, clock));
  app.use(async (ctx, next) => {
    checkHost(ctx.req);
    ctx.set(cors.headers(ctx.req));
    const preflight = cors.preflight(ctx.req);
    if (preflight !== null) {
      ctx.set(preflight);
      ctx.status = 204;
      return;
    }
    // Reading is for the browser to forbid; what changes something must not have happened by then.
    if (!READS.has(ctx.method)) checkOrigin(ctx.req, cors);
    await next();
    const { principal } = ctx.state as { principal?: Principal };
    if (limit.perSecond > 0 && principal !== undefined && ctx.respond !== false) {
      // The fields of the IETF draft (draft-ietf-httpapi-ratelimit-headers): what a client needs to slow down before it is refused.
      ctx.set('RateLimit-Policy', `"token";q=${limit.perSecond};w=1`);
      ctx.set('RateLimit', `"token";r=${limit.left(principal)};t=1`);
    }
  });
  const { version } = settings;
  const mcp = service === null ? null : createMcp({ service, enabled, authenticate: limited('mcp'), version, log });
  if (service !== null) app.use(createApi({ service, followers, enabled, log, authenticate: limited('rest') }));
  if (mcp !== null) app.use(mcp.serve);
  app.use(administration({ ...settings, troubles: async () => (stopping ? ['stopping'] : await settings.troubles()) }));
  if (service !== null) app.use(pages.serve);
  app.use((ctx) => {
    throw new DebugError('NOT_FOUND', `there is nothing at ${ctx.path}`);
  });

  const server = createWebServer(tls, slowClients, app.callback());
  server.on('upgrade', (request: IncomingMessage, socket: Duplex, head: Buffer) => {
    socket.on('error', () => socket.destroy());
    try {
      checkHost(request);
      checkOrigin(request, cors);
      if (!enabled) throw new DebugError('DISABLED', 'the debug system is switched off (DEBUG_SYSTEM_ENABLED)');
      if (sockets === null)
        throw new DebugError('DISABLED', 'streaming is switched off', { reason: 'STREAMING_DISABLED' });
      if (stopping) throw new DebugError('UNAVAILABLE', 'stopping');
      sockets.upgrade(request, socket, head);
    } catch (error) {
      refuse(socket, error, request.url ?? '/');
    }
  });

  let listening: Listening | null = null;
  let starting: Promise<void> | undefined;
  let stopped: Promise<void> | undefined;

  async function start(): Promise<void> {
    await pages.load();
    listening = await listen(server, host, port, 'the query service', 'DEBUG_HTTP_PORT');
  }

  async function stop(): Promise<void> {
    stopping = true;
    if (starting === undefined) return;
    await starting.catch(() => {});
    if (!server.listening) return;
    followers?.stop();
    await mcp?.stop();
    const closed = new Promise((resolve) => server.close(resolve));
    const deadline = setTimeout(() => server.closeAllConnections(), STOP_MS);
    await sockets?.stop();
    await closed;
    clearTimeout(deadline);
  }

  return {
    name: 'query',
    address: () => listening,
    start: () => (starting ??= start()),
    stop: () => (stopped ??= stop()),
  };
}

const HUNG_UP = new Set([
  'ECONNRESET',
  'EPIPE',
  'ERR_STREAM_PREMATURE_CLOSE',
  'ERR_STREAM_WRITE_AFTER_END',
  'ECANCELED',
]);
const READS = new Set(['GET', 'HEAD', 'OPTIONS']);
const STOP_MS = 5_000;

/** Outermost: every answer has its request id and the headers that browsers need, every failure becomes a problem. */
function answerFailures(log: Logger): Middleware {
  return async (ctx, next) => {
    const given = ctx.get('x-request-id');
    const requestId = REQUEST_ID.test(given) ? given : randomUUID();
    ctx.set({ ...SECURITY_HEADERS, 'X-Request-Id': requestId });
    try {
      await next();
    } catch (thrown) {
      const error = asDebugError(thrown);
      const { problem, headers } = problemOf(error, ctx.path, requestId);
      if (problem.status === 500) log.error({ err: thrown, requestId, path: ctx.path }, 'a request failed');
      ctx.set(headers);
      // What has not been read of the body is not waited for.
      if (problem.status === 413) ctx.set('Connection', 'close');
      ctx.status = problem.status;
      ctx.body = JSON.stringify(problem);
      ctx.type = 'application/problem+json';
    }
  };
}

const REQUEST_ID = /^[\w.:=+/-]{1,128}$/;
const SECURITY_HEADERS = {
  'Content-Security-Policy':
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
  'Cross-Origin-Opener-Policy': 'same-origin',
  'Cross-Origin-Resource-Policy': 'same-origin',
  'Referrer-Policy': 'no-referrer',
  'X-Content-Type-Options': 'nosniff',
  'X-Frame-Options': 'DENY',
};

/** Clients that hang up and requests that Koa could not read are nobody's mistake here. */
function asDebugError(thrown: unknown): unknown {
  const { status, code } = thrown as { status?: unknown; code?: unknown };
  if (thrown instanceof DebugError) return thrown;
  if (code === 'ECONNRESET' || code === 'ERR_STREAM_PREMATURE_CLOSE')
    return new DebugError('MALFORMED', 'the request ended early');
  return typeof status === 'number' && status >= 400 && status < 500
    ? new DebugError('MALFORMED', (thrown as Error).message)
    : thrown;
}

function measure(meter: Meter, clock: Clock): Middleware {
  const seconds = meter.histogram(
    'http_request_seconds',
    'Time to answer a question, streams left out',
    [0.003, 0.01, 0.03, 0.1, 0.3, 1, 3, 10],
    ['route', 'method', 'status'],
  );
  return async (ctx, next) => {
    const startMs = clock.monotonicMs();
    let status = 500;
    try {
      await next();
      status = ctx.status;
    } catch (error) {
      status = problemOf(asDebugError(error), '', '').problem.status;
      throw error;
    } finally {
      // The pattern of the route, never the path: paths hold ids.
      const route = (ctx as Context & { _matchedRoute?: unknown })._matchedRoute;
      const labels = {
        route: typeof route === 'string' ? route : 'other',
        method: METHODS.has(ctx.method) ? ctx.method : 'other',
        status,
      };
      if (ctx.respond !== false) seconds.observe(labels, (clock.monotonicMs() - startMs) / 1000);
    }
  };
}

const METHODS = new Set(['GET', 'HEAD', 'POST', 'PUT', 'DELETE', 'PATCH', 'OPTIONS']);

function administration({
  service,
  troubles,
  authenticate,
  meter,
  version,
  exporters,
}: QueryServerSettings): Middleware {
  const document = openApi(version);
  // Probes and documents are open; what they would tell of the inside takes a token like any other answer.
  const mayRead = (ctx: Context) => {
    try {
      return authenticate(credentialsOf(ctx.req.headersDistinct)).scopes.has('read');
    } catch {
      return false;
    }
  };
  const paths: Record<string, (ctx: Context) => unknown> = {
    '/healthz': () => ({ status: 'ok' }),
    '/readyz': async (ctx) => {
      const reasons = await troubles();
      ctx.status = reasons.length === 0 ? 200 : 503;
      const status = reasons.length === 0 ? 'ready' : 'not_ready';
      return mayRead(ctx) ? { status, reasons } : { status };
    },
    '/metrics': async (ctx) => {
      requireScope(authenticate(credentialsOf(ctx.req.headersDistinct)), 'read');
      ctx.type = meter.registry.contentType;
      return meter.registry.metrics();
    },
    ...(service !== null && { '/openapi.json': () => document }),
    '/version': (ctx) => ({
      name: 'ai-debug',
      version,
      ...(mayRead(ctx) && { node: process.version, ...exporters() }),
    }),
  };
  return async (ctx, next) => {
    const answer = Object.hasOwn(paths, ctx.path) ? paths[ctx.path] : undefined;
    if (answer === undefined) return next();
    allow(ctx, ['GET', 'HEAD']);
    ctx.status = 200;
    ctx.set('Cache-Control', 'no-store');
    ctx.body = await answer(ctx);
  };
}

/** @throws DebugError answered with 405 */
function allow(ctx: Context, methods: readonly string[]): void {
  if (methods.includes(ctx.method)) return;
  ctx.set('Allow', methods.join(', '));
  throw new DebugError('UNSUPPORTED', `${ctx.method} is not for ${ctx.path}`, { reason: 'METHOD_NOT_ALLOWED' });
}

/** Answers a request to upgrade that is not granted; there is no Koa behind it. */
function refuse(socket: Duplex, thrown: unknown, url: string): void {
  const { problem, headers } = problemOf(thrown, url.split('?')[0]!, randomUUID());
  const body = JSON.stringify(problem);
  const lines = [
    `HTTP/1.1 ${problem.status} ${problem.title}`,
    'Content-Type: application/problem+json',
    `Content-Length: ${Buffer.byteLength(body)}`,
    'Connection: close',
    ...Object.entries(headers).map(([name, value]) => `${name}: ${value}`),
  ];
  socket.end(`${lines.join('\r\n')}\r\n\r\n${body}`);
}
