/**
 * Which pages of other sites may speak to a port (Fetch standard, CORS protocol). None unless they are named. Credentials in the sense
 * of browsers, cookies above all, are never allowed: who speaks is known by a token that the page itself must have.
 */
import type { IncomingHttpHeaders, IncomingMessage } from 'node:http';

export interface Cors {
  /** Headers of any answer to this request; empty where it is not from an allowed page. */
  headers(request: { headers: IncomingHttpHeaders }): Record<string, string>;
  /** Headers of the 204 to a browser that asks beforehand; null for any other request. */
  preflight(request: IncomingMessage): Record<string, string> | null;
  allows(origin: string): boolean;
}

/** @param origins `https://app.example.com`, `https://*.example.com`, or `*`  @param methods as `GET, POST` */
export function createCors(origins: readonly string[], methods: string): Cors {
  const any = origins.includes('*');
  const patterns = origins.map(patternOf);
  const allows = (origin: string) => any || patterns.some((pattern) => pattern.test(origin));

  function headers({ headers: { origin } }: { headers: IncomingHttpHeaders }): Record<string, string> {
    if (origins.length === 0) return {};
    // Said also to those who are refused: a cache must not hand their answer to others.
    const vary = any ? undefined : { vary: 'Origin' };
    if (origin === undefined || !allows(origin)) return { ...vary };
    return { 'access-control-allow-origin': any ? '*' : origin, 'access-control-expose-headers': EXPOSED, ...vary };
  }

  return {
    allows,
    headers,
    preflight(request) {
      const { origin, 'access-control-request-method': method } = request.headers;
      if (request.method !== 'OPTIONS' || method === undefined || origin === undefined || !allows(origin)) return null;
      return {
        ...headers(request),
        'access-control-allow-methods': methods,
        'access-control-allow-headers': ALLOWED,
        'access-control-max-age': MAX_AGE_SECONDS,
      };
    },
  };
}

/** An origin as it is sent: scheme, host, and the port where it is not the scheme's own. A star stands for the labels of a host. */
export const ORIGIN = /^(\*|https?:\/\/(\*\.)?[\w.-]+(:\d+)?|https?:\/\/\[[\da-f:]+\](:\d+)?)$/i;

function patternOf(origin: string): RegExp {
  return new RegExp(`^${RegExp.escape(origin.toLowerCase()).replace('\\*', '[\\w.-]+')}$`, 'i');
}

const ALLOWED =
  'authorization, x-api-key, content-type, content-encoding, idempotency-key, if-none-match, traceparent, tracestate, baggage, x-request-id, mcp-protocol-version, mcp-session-id';
const EXPOSED = 'retry-after, etag, x-request-id, mcp-session-id, ratelimit, ratelimit-policy';
// The longest that Chromium keeps it.
const MAX_AGE_SECONDS = '7200';
