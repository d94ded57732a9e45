/** The REST face: takes a request apart for its route, asks the service, and puts the answer into an envelope. */
import { Readable } from 'node:stream';
import { Router } from '@koa/router';
import type { Context, Middleware } from 'koa';
import { DebugError } from '../../base/errors.ts';
import type { Logger } from '../../base/log.ts';
import { type Authenticate, credentialsOf, type Principal } from '../../base/tokens.ts';
import type { Answer } from '../answer.ts';
import { createAudit } from '../audit.ts';
import type { QueryService } from '../service.ts';
import { NDJSON, readJson, readLines } from './body.ts';
import { answerTagged } from './etag.ts';
import type { Followers } from './follow.ts';
import { Idempotency } from './idempotency.ts';
import { readQuery } from './query-string.ts';
import type { Route } from './route.ts';
import { API_PREFIX, ROUTES } from './routes.ts';

export interface ApiSettings {
  service: QueryService;
  /** Null where `DEBUG_STREAMING_ENABLED` is false. */
  followers: Followers | null;
  /** `DEBUG_SYSTEM_ENABLED`. */
  enabled: boolean;
  authenticate: Authenticate;
  log: Logger;
}

/** Answers every path under {@link API_PREFIX}; failures are thrown as DebugErrors. */
export function createApi({ service, followers, enabled, authenticate, log }: ApiSettings): Middleware {
  const audit = createAudit(log);
  const idempotency = new Idempotency();
  const router = new Router({ prefix: API_PREFIX });
  for (const route of ROUTES) {
    router[route.method](route.path.replace(/\{(\w+)\}/g, ':$1'), async (ctx) => {
      await answer(route, ctx as unknown as Context & { params: Record<string, string> });
    });
  }
  const routes = router.routes() as unknown as Middleware;
  const methods = router.allowedMethods() as unknown as Middleware;

  async function answer(route: Route, ctx: Context & { params: Record<string, string> }): Promise<void> {
    const principal: Principal = ctx.state.principal;
    const { tenant } = principal;
    const what = { method: ctx.method, path: ctx.path };
    audit.require(principal, route.scope, what);
    const query = readQuery(ctx.querystring);
    if (query.follow === 'true' && route.path === '/events' && ctx.method === 'GET') {
      if (followers === null)
        throw new DebugError('DISABLED', 'streaming is switched off', { reason: 'STREAMING_DISABLED' });
      return followers.follow(ctx, tenant, query);
    }
    const { value: body, text } =
      route.body === undefined ? NO_BODY : await (route.takesLines ? readLines(ctx.req) : readJson(ctx.req));
    const key = route.status === 201 ? ctx.get('idempotency-key') || undefined : undefined;
    const call = { service, tenant, params: ctx.params, query, body, key };
    if (route.givesLines) {
      const lines = (await route.answer(call)) as Iterable<string>;
      ctx.body = Readable.from(inChunks(lines), { objectMode: false });
      ctx.type = NDJSON;
      return;
    }
    const ask = () => route.answer(call) as Promise<Answer<unknown>>;
    if (route.tagged) {
      answerTagged(ctx, await ask());
      return;
    }
    ctx.body = key === undefined ? await ask() : await idempotency.once(`${tenant} ${ctx.path}`, key, text, ask);
    ctx.status = route.status;
    const { actor } = (body ?? {}) as { actor?: unknown };
    audit.done(principal, route.scope, { ...what, actor });
  }

  return async (ctx, next) => {
    if (ctx.path !== API_PREFIX && !ctx.path.startsWith(`${API_PREFIX}/`)) return next();
    ctx.set('Cache-Control', 'no-store');
    ctx.state.principal = authenticate(credentialsOf(ctx.req.headersDistinct));
    if (!enabled) throw new DebugError('DISABLED', 'the debug system is switched off (DEBUG_SYSTEM_ENABLED)');
    await routes(ctx, () => methods(ctx, async () => {}));
    if (ctx.respond === false || ctx.body !== undefined || ctx.method === 'OPTIONS') return;
    if (ctx.status === 405 || ctx.status === 501) {
      throw new DebugError('UNSUPPORTED', `${ctx.method} is not for ${ctx.path}`, { reason: 'METHOD_NOT_ALLOWED' });
    }
    throw new DebugError('NOT_FOUND', `there is nothing at ${ctx.path}`);
  };
}

const NO_BODY = { value: undefined, text: '' };
const CHUNK_CHARS = 64 * 1024;

/** A write a line would cost more than making it. */
function* inChunks(lines: Iterable<string>): Generator<string> {
  let chunk = '';
  for (const line of lines) {
    chunk += `${line}\n`;
    if (chunk.length < CHUNK_CHARS) continue;
    yield chunk;
    chunk = '';
  }
  if (chunk !== '') yield chunk;
}
