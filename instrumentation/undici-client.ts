import { subscribe } from 'node:diagnostics_channel';
import { context, propagation, trace } from '@opentelemetry/api';
import { isTracingSuppressed } from '@opentelemetry/core';
import type { Durations } from './durations.ts';
import { withoutQuerySecrets } from './http-attributes.ts';
import { isInstrumentedByOthers } from './other-instrumentations.ts';
import { type OutboundRequest, OutboundRequests } from './outbound.ts';

/**
 * A span and a duration for every request of `fetch` and of the app's own `undici` (5.12 and newer). Both publish each request while
 * headers can still be added, on the same channels, so nothing is patched.
 */
export function watchUndici(durations: Durations): void {
  const requests = new OutboundRequests(durations);

  subscribe('undici:request:create', (message) => {
    if (isInstrumentedByOthers('undici') || isTracingSuppressed(context.active())) return;
    const { request } = message as { request: UndiciRequest };
    const { method, path } = request;
    const origin = originOf(request.origin);
    if (method === 'CONNECT' || origin === undefined) return;
    const { address, port } = origin;
    const sent = requests.start({ method, address, port, url: `${origin.url}${withoutQuerySecrets(path)}` });
    request[SENT] = sent;
    propagation.inject(trace.setSpan(sent.parent, sent.span), request, SETTER);
  });
  subscribe('undici:request:headers', (message) => {
    const { request, response } = message as { request: UndiciRequest; response: { statusCode: number } };
    request[SENT]?.answered(response.statusCode);
  });
  // The last of every answer that arrives whole, with trailers or without.
  subscribe('undici:request:trailers', (message) => {
    (message as { request: UndiciRequest }).request[SENT]?.end();
  });
  subscribe('undici:request:error', (message) => {
    const { request, error } = message as { request: UndiciRequest; error: NodeJS.ErrnoException };
    // The app no longer wanted the answer: that is no failure of whoever was to give it.
    if (error.name === 'AbortError') request[SENT]?.end();
    else request[SENT]?.failed(error);
  });
}

const SENT = Symbol('ai-debug.outbound-request');

interface UndiciRequest {
  method: string;
  origin: string | URL;
  path: string;
  /** Names and values in turn; one text of lines in undici 5. */
  headers: unknown[] | string;
  addHeader(name: string, value: string): unknown;
  [SENT]?: OutboundRequest;
}

/** A proxy passes on the headers of its own caller: those of ours take their place. */
const SETTER = {
  set(request: UndiciRequest, name: string, value: string): void {
    const { headers } = request;
    if (Array.isArray(headers)) {
      for (let i = 0; i < headers.length; i += 2) {
        const present = headers[i];
        if (typeof present === 'string' && present.length === name.length && present.toLowerCase() === name) {
          headers[i + 1] = value;
          return;
        }
      }
    }
    request.addHeader(name, value);
  },
};

interface Origin {
  /** `https://example.org`, `http://[::1]:8080` */
  url: string;
  address: string;
  port: number;
}

const ORIGINS_MAX = 1000;
const origins = new Map<string, Origin | undefined>();

/** An app asks few origins many times, and to parse a URL takes longer than the rest of the span. */
function originOf(given: string | URL): Origin | undefined {
  const text = String(given);
  if (origins.has(text)) return origins.get(text);
  if (origins.size >= ORIGINS_MAX) origins.clear();
  const parsed = URL.parse(text);
  const { protocol, hostname, port } = parsed ?? {};
  const origin =
    parsed === null
      ? undefined
      : { url: parsed.origin, address: hostname!, port: port ? Number(port) : protocol === 'https:' ? 443 : 80 };
  origins.set(text, origin);
  return origin;
}
