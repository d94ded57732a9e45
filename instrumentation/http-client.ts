import { subscribe } from 'node:diagnostics_channel';
import type { ClientRequest, IncomingMessage } from 'node:http';
import { type Attributes, context, propagation, SpanKind, SpanStatusCode, trace } from '@opentelemetry/api';
import { isTracingSuppressed } from '@opentelemetry/core';
import {
  ATTR_ERROR_TYPE,
  ATTR_HTTP_REQUEST_METHOD,
  ATTR_HTTP_RESPONSE_STATUS_CODE,
  ATTR_NETWORK_PROTOCOL_VERSION,
  ATTR_SERVER_ADDRESS,
  ATTR_SERVER_PORT,
  ATTR_URL_FULL,
  METRIC_HTTP_CLIENT_REQUEST_DURATION,
} from '@opentelemetry/semantic-conventions';
import type { Durations } from './durations.ts';
import { emitWithin } from './emit-within.ts';
import { methodOf, splitHost, withoutSecrets } from './http-attributes.ts';
import packageJson from './package.json' with { type: 'json' };

/**
 * A span and a duration for every request that the app makes through `node:http` and `node:https`. Node publishes each one while its
 * headers can still be added to, so nothing is patched and it does not matter how the app has imported `request`.
 */
export function watchHttpClients(durations: Durations): void {
  const tracer = trace.getTracer(packageJson.name, packageJson.version);
  const record = durations.histogram(METRIC_HTTP_CLIENT_REQUEST_DURATION, 'Duration of HTTP client requests.');

  subscribe('http.client.request.created', (message) => {
    const parent = context.active();
    // Our own exports among others.
    if (isTracingSuppressed(parent)) return;
    const { request } = message as { request: ClientRequest };
    const startMs = performance.now();
    const labels = targetOf(request);
    const method = labels[ATTR_HTTP_REQUEST_METHOD] as string;
    const attributes = { ...labels, [ATTR_URL_FULL]: urlOf(request) };
    const span = tracer.startSpan(method, { kind: SpanKind.CLIENT, attributes }, parent);
    // Headers that the app handed over as an array are on their way already: then the trace ends here.
    if (!request.headersSent)
      propagation.inject(trace.setSpan(parent, span), request, {
        set: (carrier: ClientRequest, name, value) => void carrier.setHeader(name, value),
      });

    let ended = false;
    const end = (errorType?: string): void => {
      if (ended) return;
      ended = true;
      if (errorType !== undefined) {
        labels[ATTR_ERROR_TYPE] = errorType;
        span.setAttribute(ATTR_ERROR_TYPE, errorType);
        span.setStatus({ code: SpanStatusCode.ERROR });
      }
      span.end();
      record((performance.now() - startMs) / 1000, Object.values(labels).join(' '), () => labels);
    };
    emitWithin(request, parent, (event, argument) => {
      if (event === 'response') {
        const response = argument as IncomingMessage;
        const { statusCode = 0, httpVersion } = response;
        span.setAttribute(ATTR_NETWORK_PROTOCOL_VERSION, httpVersion);
        span.setAttribute(ATTR_HTTP_RESPONSE_STATUS_CODE, statusCode);
        labels[ATTR_HTTP_RESPONSE_STATUS_CODE] = statusCode;
        emitWithin(response, parent, (event) => {
          // A body that nobody reads never ends; the request's 'close' comes when its connection goes.
          if (event === 'end') end(statusCode >= 400 ? String(statusCode) : undefined);
        });
      } else if (event === 'error') {
        const error = argument as NodeJS.ErrnoException;
        span.recordException(error);
        end(error.code ?? error.name);
      } else if (event === 'close') end();
    });
  });
}

function targetOf(request: ClientRequest): Attributes {
  const { host, protocol } = request;
  const header = request.getHeader('host');
  const named = splitHost(typeof header === 'string' ? header : host);
  return {
    [ATTR_HTTP_REQUEST_METHOD]: methodOf(request.method),
    [ATTR_SERVER_ADDRESS]: named.address,
    [ATTR_SERVER_PORT]: named.port ?? (protocol === 'https:' ? 443 : 80),
  };
}

function urlOf(request: ClientRequest): string {
  const { protocol, path } = request;
  const at = path.indexOf('?');
  const clean = at < 0 ? path : `${path.slice(0, at)}?${withoutSecrets(path.slice(at + 1))}`;
  return `${protocol}//${request.getHeader('host') ?? request.host}${clean}`;
}
