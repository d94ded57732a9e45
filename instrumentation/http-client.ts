import { subscribe } from 'node:diagnostics_channel';
import type { ClientRequest, IncomingMessage } from 'node:http';
import { context, propagation, trace } from '@opentelemetry/api';
import { isTracingSuppressed } from '@opentelemetry/core';
import { ATTR_NETWORK_PROTOCOL_VERSION } from '@opentelemetry/semantic-conventions';
import type { Durations } from './durations.ts';
import { emitWithin } from './emit-within.ts';
import { splitHost, withoutQuerySecrets } from './http-attributes.ts';
import { isInstrumentedByOthers } from './other-instrumentations.ts';
import { OutboundRequests, type Target } from './outbound.ts';

/**
 * A span and a duration for every request that the app makes through `node:http` and `node:https`. Node publishes each one while its
 * headers can still be added to, so nothing is patched and it does not matter how the app has imported `request`.
 */
export function watchHttpClients(durations: Durations): void {
  const requests = new OutboundRequests(durations);

  subscribe('http.client.request.created', (message) => {
    // Our own exports among others.
    if (isInstrumentedByOthers('http') || isTracingSuppressed(context.active())) return;
    const { request } = message as { request: ClientRequest };
    const sent = requests.start(targetOf(request));
    const { span, parent } = sent;
    // Headers that the app handed over as an array are on their way already: then the trace ends here.
    if (!request.headersSent) propagation.inject(trace.setSpan(parent, span), request, SETTER);

    emitWithin(request, parent, (event, argument) => {
      if (event === 'response') {
        const response = argument as IncomingMessage;
        span.setAttribute(ATTR_NETWORK_PROTOCOL_VERSION, response.httpVersion);
        sent.answered(response.statusCode ?? 0);
        emitWithin(response, parent, (event) => {
          // A body that nobody reads never ends; the request's 'close' comes when its connection goes.
          if (event === 'end') sent.end();
        });
      } else if (event === 'error') sent.failed(argument as NodeJS.ErrnoException);
      else if (event === 'close') sent.end();
    });
  });
}

const SETTER = { set: (request: ClientRequest, name: string, value: string) => void request.setHeader(name, value) };

function targetOf(request: ClientRequest): Target {
  const { host, protocol, path, method } = request;
  const header = request.getHeader('host');
  const authority = typeof header === 'string' ? header : host;
  const { address, port } = splitHost(authority);
  return {
    method,
    address,
    port: port ?? (protocol === 'https:' ? 443 : 80),
    url: `${protocol}//${authority}${withoutQuerySecrets(path)}`,
  };
}
