import { connect as connectSocket } from 'node:net';
import { exporterEnvironment } from '../config.ts';
import { type CommandContext, EXIT, painter, UnreachableError } from './command.ts';
import {
  type Arrived,
  type Check,
  checkArrivals,
  checkExporters,
  checkProtocols,
  checkTenantWall,
  type Exporters,
} from './diagnosis.ts';
import { ASKING_HELP, parseAsking, Refused, type Server, serverOf } from './server.ts';
import { plain, wrapped } from './terminal.ts';

export const DOCTOR_HELP = `ai-debug doctor finds out why nothing arrives, or why answers are poor, and says what to type.

It looks at the server, its ports, the OTEL_ variables of this shell, and at what arrived.

${ASKING_HELP}
Exit code 0: all well, or could be better. 1: something is wrong. 2: usage. 3: no server answers.
`;

export async function doctor(context: CommandContext, args: string[]): Promise<number> {
  const { values } = parseAsking(args, {});
  const { stdout } = context;
  if (values.help) {
    stdout.write(DOCTOR_HELP);
    return EXIT.ok;
  }
  const server = serverOf(context, values);
  const checks: Check[] = [];
  let reached = true;
  try {
    await examine(server, checks);
  } catch (error) {
    if (!(error instanceof UnreachableError)) throw error;
    reached = false;
    checks.push(await whyUnreachable(server.url));
  }
  stdout.write(values.json ? `${JSON.stringify({ checks })}\n` : inWords(context, checks));
  if (!reached) return EXIT.unreachable;
  return checks.some(({ status }) => status === 'problem') ? EXIT.trouble : EXIT.ok;
}

async function examine(server: Server, checks: Check[]): Promise<void> {
  const version = (await (await server.fetch('/version')).json().catch(() => ({}))) as Partial<Exporters> & {
    name?: string;
    version?: string;
  };
  if (version.name !== 'ai-debug') throw new UnreachableError(`what answers at ${server.url} is not ai-debug`);
  checks.push({ name: 'server', status: 'ok', message: `ai-debug ${plain(version.version ?? '')} at ${server.url}` });
  checks.push(await checkReady(server));

  // Without a token that is known the server does not tell where it listens.
  const { otlp_grpc = null, otlp_http = null } = version;
  const token = await checkToken(server);
  checks.push(token);
  if (token.status === 'problem') return;
  for (const [name, url] of Object.entries({ 'OTLP over gRPC': otlp_grpc, 'OTLP over HTTP': otlp_http })) {
    if (url === null) continue;
    const open = await isOpen(url);
    checks.push(
      open
        ? { name, status: 'ok', message: `listens on ${url}` }
        : {
            name,
            status: 'problem',
            message: `does not answer on ${url} from here`,
            fix: `nc -vz ${hostAndPort(url)}   (a firewall, or a container that does not publish the port)`,
          },
    );
  }
  checks.push(...checkExporters(exporterEnvironment(), { otlp_grpc, otlp_http }, token.message.startsWith('accepted')));
  const metrics = await (await server.fetch('/metrics')).text();
  checks.push(...checkProtocols(metrics, { otlp_grpc, otlp_http }), ...checkTenantWall(metrics));
  const { data, meta } = await server.get<Arrived[]>('/events', { limit: '500' });
  checks.push(...checkArrivals(data, meta.as_of, otlp_http));
}

async function checkReady(server: Server): Promise<Check> {
  try {
    await server.fetch('/readyz');
    return { name: 'ready', status: 'ok', message: 'takes telemetry and questions' };
  } catch (error) {
    return {
      name: 'ready',
      status: 'problem',
      message: plain((error as Error).message),
      fix: `curl ${server.url}/readyz`,
    };
  }
}

async function checkToken(server: Server): Promise<Check> {
  try {
    await server.get('/events', { limit: '1' });
  } catch (error) {
    if (!(error instanceof Refused) || (error.status !== 401 && error.status !== 403)) throw error;
    const message =
      error.status === 401
        ? 'this server asks for a token, and none that it knows was sent'
        : 'this token may not read';
    return {
      name: 'token',
      status: 'problem',
      message,
      fix: 'export DEBUG_TOKEN=…   (a token of scope read, from DEBUG_API_TOKENS of the server)',
    };
  }
  const open = await fetch(`${server.url}/api/debug/events?limit=1`).then(
    ({ ok }) => ok,
    () => false,
  );
  return { name: 'token', status: 'ok', message: open ? 'none is asked for' : 'accepted' };
}

async function whyUnreachable(url: string): Promise<Check> {
  const open = await isOpen(url);
  if (!open)
    return {
      name: 'server',
      status: 'problem',
      message: `nothing listens at ${url}`,
      fix: 'ai-debug up   (or say where it is: --url, DEBUG_URL)',
    };
  if (await takesTelemetry(url))
    return {
      name: 'server',
      status: 'problem',
      message: `${url} takes telemetry (OTLP over HTTP), and is not where questions are answered`,
      fix: 'export DEBUG_URL=http://127.0.0.1:4319   (or the port of DEBUG_HTTP_PORT)',
    };
  const other = url.startsWith('https:') ? url.replace(/^https/, 'http') : url.replace(/^http/, 'https');
  const speaksOther = await fetch(`${other}/healthz`, { signal: AbortSignal.timeout(SOCKET_MS) }).then(
    () => true,
    (error) => isCertificate(error),
  );
  return speaksOther
    ? {
        name: 'server',
        status: 'problem',
        message: `it speaks ${other.split(':')[0]}, not ${url.split(':')[0]}`,
        fix: `export DEBUG_URL=${other}   (its certificate's signer: NODE_EXTRA_CA_CERTS=ca.pem)`,
      }
    : {
        name: 'server',
        status: 'problem',
        message: `what listens at ${url} is not ai-debug`,
        fix: 'ai-debug up --http-port 0   (takes a port that is free, and says what to type then)',
      };
}

/** Whoever takes OTLP says so to a request that only asks. */
function takesTelemetry(url: string): Promise<boolean> {
  return fetch(`${url}/v1/traces`, { signal: AbortSignal.timeout(SOCKET_MS) }).then(
    ({ status, headers }) => status === 405 && headers.get('allow') === 'POST',
    () => false,
  );
}

/** A certificate that is not trusted is one all the same. */
function isCertificate(error: unknown): boolean {
  const { cause } = error as { cause?: { code?: string } };
  return /CERT|SELF_SIGNED|UNABLE_TO/.test(cause?.code ?? '');
}

const SOCKET_MS = 2000;

function isOpen(url: string): Promise<boolean> {
  const { hostname, port, protocol } = new URL(url);
  const { promise, resolve } = Promise.withResolvers<boolean>();
  const host = hostname.replace(/^\[|\]$/g, '');
  const socket = connectSocket({ host, port: Number(port) || (protocol === 'https:' ? 443 : 80), timeout: SOCKET_MS });
  socket.once('connect', () => resolve(true));
  for (const event of ['error', 'timeout'] as const) socket.once(event, () => resolve(false));
  return promise.finally(() => socket.destroy());
}

function hostAndPort(url: string): string {
  const { hostname, port } = new URL(url);
  return `${hostname} ${port}`;
}

const SIGNS = { ok: ['green', '✓'], warning: ['yellow', '!'], problem: ['red', '✗'] } as const;

function inWords(context: CommandContext, checks: readonly Check[]): string {
  const paint = painter(context.stdout);
  const width = Math.max(...checks.map(({ name }) => name.length));
  const lines = checks.flatMap(({ name, status, message, fix }) => {
    const [style, sign] = SIGNS[status];
    const line = `${paint(style, sign)} ${name.padEnd(width)}  ${wrapped(message, paint, width + 4)}`;
    return fix === undefined ? [line] : [line, `  ${' '.repeat(width)}  ${paint('cyan', fix)}`];
  });
  return `${lines.join('\n')}\n`;
}
