/** TLS for every port: one certificate, and client certificates where they are asked for. Renewed files are taken over without a restart. */
import { readFile } from 'node:fs/promises';
import { createServer as createHttpServer, type RequestListener, type Server as WebServer } from 'node:http';
import { createServer as createHttpsServer } from 'node:https';
import { createServer as createPlainServer, type Socket, type Server as SocketServer } from 'node:net';
import { createSecureContext, createServer as createTlsServer, type Server, type TlsOptions } from 'node:tls';
import { DebugError } from './errors.ts';
import type { Part } from './lifecycle.ts';
import type { Logger } from './log.ts';
import { watchFiles } from './watch-files.ts';

export interface TlsFiles {
  /** PEM: the certificate and what leads to its root. */
  certificate: string;
  /** PEM. */
  key: string;
  /** PEM: who signs the certificates that clients must show; null: clients need none. */
  clientCa: string | null;
}

/** Starts before the servers that it guards: they are made without a certificate and get theirs then. */
export interface Tls extends Part {
  /** What a server is made with, of `node:https` or `node:tls`. */
  readonly options: TlsOptions;
  guard(server: Server): void;
}

/** Without I/O; `start` throws a DebugError INVALID that names DEBUG_TLS_CERT when the files cannot be used. */
export function createTls(files: TlsFiles, { log, everyMs }: { log: Logger; everyMs?: number }): Tls {
  const servers = new Set<Server>();
  const paths = [files.certificate, files.key, ...(files.clientCa === null ? [] : [files.clientCa])];
  const watch = watchFiles({ paths, changed: load, log, ...(everyMs !== undefined && { everyMs }) });

  /** All or nothing: a server never gets a certificate without its key. */
  async function load(): Promise<void> {
    const [cert, key, ca] = await Promise.all(paths.map((path) => readFile(path)));
    const context = { cert: cert!, key: key!, minVersion: MIN_VERSION, ...(ca !== undefined && { ca }) } as const;
    createSecureContext(context); // throws for what does not fit together, while every server still has what it had
    for (const server of servers) server.setSecureContext(context);
  }

  return {
    name: 'TLS',
    options: {
      minVersion: MIN_VERSION,
      requestCert: files.clientCa !== null,
      rejectUnauthorized: files.clientCa !== null,
      handshakeTimeout: HANDSHAKE_MS,
    },
    guard: (server) => void servers.add(server),
    async start() {
      try {
        await load();
      } catch (error) {
        const message = `DEBUG_TLS_CERT, DEBUG_TLS_KEY or DEBUG_TLS_CLIENT_CA cannot be used: ${(error as Error).message}`;
        throw new DebugError('INVALID', message, { cause: error });
      }
      await watch.start();
    },
    stop: watch.stop,
  };
}

/** How long a client may take; what stays open longer is one that only wants to hold a connection (F24). */
export interface SlowClients {
  headersTimeout: number;
  requestTimeout: number;
  keepAliveTimeout: number;
  connectionsCheckingInterval: number;
}

const SLOW_CLIENTS: SlowClients = {
  // Exporters wait 10 s for an answer; whoever takes longer to send is not one of them.
  headersTimeout: 15_000,
  // 64 MiB over a slow line; answers and streams are not bounded by it.
  requestTimeout: 60_000,
  // SDKs keep a connection from one export to the next, often a minute.
  keepAliveTimeout: 75_000,
  connectionsCheckingInterval: 5_000,
};

/** A server of HTTP/1.1, not listening yet. */
export function createWebServer(
  tls: Tls | null,
  slowClients: SlowClients = SLOW_CLIENTS,
  answer: RequestListener,
): WebServer {
  if (tls === null) return bounded(createHttpServer(slowClients, answer));
  const server = createHttpsServer({ ...slowClients, ...tls.options }, answer);
  tls.guard(server);
  return bounded(server);
}

/** A server of bare connections that speak HTTP/2, not listening yet. */
export function createSocketServer(tls: Tls | null, connected: (socket: Socket) => void): SocketServer {
  if (tls === null) return bounded(createPlainServer({ noDelay: true }, connected));
  const server = createTlsServer({ ...tls.options, noDelay: true, ALPNProtocols: ['h2'] }, connected);
  tls.guard(server);
  return bounded(server);
}

function bounded<S extends SocketServer>(server: S): S {
  // Each costs some 20 kB: a ceiling against those who only connect, far over any fleet that one process can serve.
  server.maxConnections = 10_000;
  return server;
}

// RFC 8996 forbids what is older.
const MIN_VERSION = 'TLSv1.2';
// A handshake is two round trips; Node's default lets a silent connection stay for two minutes.
const HANDSHAKE_MS = 10_000;
