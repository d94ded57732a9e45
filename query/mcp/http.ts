/**
 * MCP over Streamable HTTP at `/mcp`. Stateless: each request is authenticated by itself and served by a server of its own, so that
 * there is no session to steal, to lose in a restart, or to mix up between clients.
 */
import { Readable } from 'node:stream';
import type { ReadableStream as WebStream } from 'node:stream/web';
import { createMcpHandler } from '@modelcontextprotocol/server';
import type { Context, Middleware } from 'koa';
import { DebugError } from '../../base/errors.ts';
import type { Logger } from '../../base/log.ts';
import { type Authenticate, credentialsOf, type Principal, requireScope } from '../../base/tokens.ts';
import { createAgentAnswers } from '../agent/answers.ts';
import { createAudit } from '../audit.ts';
import type { QueryService } from '../service.ts';
import { createToolServer, reservedOf, toolResult } from './server.ts';

export interface McpSettings {
  service: QueryService;
  /** `DEBUG_SYSTEM_ENABLED`. */
  enabled: boolean;
  authenticate: Authenticate;
  /** Of the product. */
  version: string;
  log: Logger;
}

export interface Mcp {
  /** Answers {@link MCP_PATH}; failures before a call are thrown as DebugErrors. `Host` and `Origin` MUST have been checked. */
  serve: Middleware;
  /** Ends what is open. */
  stop(): Promise<void>;
}

export const MCP_PATH = '/mcp';

export function createMcp({ service, enabled, authenticate, version, log }: McpSettings): Mcp {
  const audit = createAudit(log);
  const heart = { agent: createAgentAnswers(service), ask: service.ask };
  const handler = createMcpHandler(
    ({ authInfo }) => {
      const principal = authInfo!.extra!.principal as Principal;
      return createToolServer(version, async (tool, input) => {
        audit.require(principal, tool.scope, { tool: tool.name });
        const { budget_tokens } = input as { budget_tokens?: number };
        const granted = { budget_tokens, reserved_tokens: reservedOf(budget_tokens) };
        const answer = await tool.answer(heart, principal, input, granted);
        audit.done(principal, tool.scope, { tool: tool.name });
        return toolResult(answer, budget_tokens);
      });
    },
    { maxRequestBodySize: BODY_BYTES_MAX, maxSubscriptions: SUBSCRIPTIONS_MAX },
  );

  return {
    async serve(ctx, next) {
      if (ctx.path !== MCP_PATH) return next();
      ctx.set('Cache-Control', 'no-store');
      const principal = authenticate(credentialsOf(ctx.req.headersDistinct));
      requireScope(principal, 'read');
      if (!enabled) throw new DebugError('DISABLED', 'the debug system is switched off (DEBUG_SYSTEM_ENABLED)');
      // The token stays here: nothing behind needs it.
      const authInfo = { token: '', clientId: principal.name, scopes: [...principal.scopes], extra: { principal } };
      await reply(ctx, await handler.fetch(requestOf(ctx), { authInfo }));
    },
    stop: () => handler.close(),
  };
}

// A question and its context are some kilobytes.
const BODY_BYTES_MAX = 1 << 20;
// Nothing here changes while a server runs, so that nobody has anything to listen for.
const SUBSCRIPTIONS_MAX = 100;

function requestOf(ctx: Context): Request {
  const gone = new AbortController();
  ctx.res.once('close', () => gone.abort());
  const headers = new Headers();
  for (const [name, values] of Object.entries(ctx.req.headersDistinct))
    if (name !== 'authorization' && name !== 'x-api-key') for (const value of values ?? []) headers.append(name, value);
  const hasBody = ctx.method !== 'GET' && ctx.method !== 'HEAD';
  return new Request(`http://localhost${MCP_PATH}`, {
    method: ctx.method,
    headers,
    signal: gone.signal,
    ...(hasBody && { body: Readable.toWeb(ctx.req) as unknown as ReadableStream, duplex: 'half' }),
  });
}

async function reply(ctx: Context, response: Response): Promise<void> {
  ctx.status = response.status;
  for (const [name, value] of response.headers) ctx.set(name, value);
  ctx.body = response.body === null ? null : Readable.fromWeb(response.body as unknown as WebStream);
  // Koa takes a null body for 204; here it is the status that counts.
  ctx.status = response.status;
}
