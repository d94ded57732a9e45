/** Keeps foreign web pages out of a server that listens on this machine only. */
import type { IncomingMessage } from 'node:http';
import type { Cors } from '../base/cors.ts';
import { DebugError } from '../base/errors.ts';

/**
 * A page of another site can have its name resolve to 127.0.0.1 (DNS rebinding) and then read what it likes; but its name stands in
 * `Host`. So on loopback only loopback's own names are answered. Beyond loopback tokens guard.
 *
 * @throws DebugError FORBIDDEN, answered with 421
 */
export function checkHost(request: IncomingMessage): void {
  const { host } = request.headers;
  if (host === undefined || LOCAL_HOST.test(host) || !isLoopback(request.socket.localAddress)) return;
  throw new DebugError('FORBIDDEN', 'this host name is not served here', { reason: 'MISDIRECTED' });
}

/**
 * Browsers let any page open a WebSocket anywhere and send simple requests anywhere, and say whose page it is.
 * @throws DebugError FORBIDDEN for a page of another site that is not allowed
 */
export function checkOrigin(request: IncomingMessage, allowed: Pick<Cors, 'allows'>): void {
  const { origin, host } = request.headers;
  if (origin === undefined || URL.parse(origin)?.host === host || allowed.allows(origin)) return;
  throw new DebugError('FORBIDDEN', 'pages of other sites may not do this (DEBUG_CORS_ORIGINS)');
}

// `host.docker.internal` is how containers reach this machine; it cannot be made to mean anything else from outside.
const LOCAL_HOST = /^(localhost|[\w.-]+\.localhost|host\.docker\.internal|127(\.\d{1,3}){3}|\[::1\])(:\d+)?$/i;

function isLoopback(address: string | undefined): boolean {
  return address !== undefined && /^(127\.|::1$|::ffff:127\.)/.test(address);
}
