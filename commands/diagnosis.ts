/** What a newcomer gets wrong, recognised from what exporters are told and from what arrived. No I/O: doctor.ts looks, this judges. */
import { parseNanos } from '../model/time.ts';
import { duration, plain } from './terminal.ts';

export interface Check {
  name: string;
  /** `warning`: it works, but answers will be poorer than they could be. */
  status: 'ok' | 'warning' | 'problem';
  message: string;
  /** What to type, or to set. */
  fix?: string;
}

/** Where telemetry is taken, from `/version` of the server; null where this process takes none. */
export interface Exporters {
  otlp_grpc: string | null;
  otlp_http: string | null;
}

/** @param environment the `OTEL_` variables that exporters started from this shell would read */
export function checkExporters(
  environment: Readonly<Record<string, string>>,
  { otlp_grpc, otlp_http }: Exporters,
  needsToken: boolean,
): Check[] {
  const checks: Check[] = [];
  const problem = (name: string, message: string, fix: string) =>
    checks.push({ name, status: 'problem', message, fix });
  if (environment.OTEL_SDK_DISABLED?.toLowerCase() === 'true')
    problem('OTEL_SDK_DISABLED', 'is true: SDKs started from this shell record nothing', 'unset OTEL_SDK_DISABLED');
  for (const signal of SIGNALS) {
    const name = `OTEL_${signal}_EXPORTER`;
    const exporter = environment[name];
    if (exporter !== undefined && !/\botlp\b/.test(exporter))
      problem(name, `is '${plain(exporter)}': ${signal.toLowerCase()} go elsewhere`, `export ${name}=otlp`);
  }
  for (const prefix of ['OTEL_EXPORTER_OTLP', ...SIGNALS.map((signal) => `OTEL_EXPORTER_OTLP_${signal}`)]) {
    const name = `${prefix}_ENDPOINT`;
    const endpoint = environment[name];
    if (endpoint === undefined) continue;
    const protocol = environment[`${prefix}_PROTOCOL`] ?? environment.OTEL_EXPORTER_OTLP_PROTOCOL;
    const check = checkEndpoint(name, endpoint, protocol, { otlp_grpc, otlp_http });
    if (check !== null) checks.push(check);
  }
  if (
    needsToken &&
    Object.keys(environment).length > 0 &&
    !/authorization|x-api-key/i.test(environment.OTEL_EXPORTER_OTLP_HEADERS ?? '')
  )
    problem(
      'OTEL_EXPORTER_OTLP_HEADERS',
      'carries no token, and this server asks for one',
      "export OTEL_EXPORTER_OTLP_HEADERS='authorization=Bearer%20YOUR_TOKEN'",
    );
  if (checks.length === 0) {
    const set = environment.OTEL_EXPORTER_OTLP_ENDPOINT;
    const message =
      set === undefined
        ? 'nothing in this shell points exporters elsewhere'
        : `exporters of this shell point here (${plain(set)})`;
    const [host] = [otlp_http ?? otlp_grpc];
    const usual = host === null || isUsual(host);
    checks.push({
      name: 'exporters',
      status: usual || set !== undefined ? 'ok' : 'warning',
      message:
        usual || set !== undefined
          ? message
          : 'this server does not listen on the usual ports, so exporters must be told where',
      ...(!usual && set === undefined && { fix: `export OTEL_EXPORTER_OTLP_ENDPOINT=${host}` }),
    });
  }
  return checks;
}

const SIGNALS = ['TRACES', 'METRICS', 'LOGS'] as const;

function checkEndpoint(
  name: string,
  endpoint: string,
  protocol: string | undefined,
  { otlp_grpc, otlp_http }: Exporters,
): Check | null {
  const url = URL.parse(endpoint.includes('://') ? endpoint : `http://${endpoint}`);
  const wrong = (message: string, fix: string): Check => ({
    name,
    status: 'problem',
    message: `${plain(endpoint)} ${message}`,
    fix,
  });
  const rightOne = (protocol === 'grpc' ? otlp_grpc : null) ?? otlp_http ?? otlp_grpc ?? '';
  if (url === null) return wrong('is no URL', `export ${name}=${rightOne}`);
  const [grpc, http] = [otlp_grpc, otlp_http].map((each) => (each === null ? null : URL.parse(each)));
  const here = [grpc, http].find((each) => each != null && each.port === portOf(url) && sameHost(each, url));
  if (here == null) return wrong('is not where this server listens', `export ${name}=${rightOne}`);
  if (url.protocol !== here.protocol)
    return wrong(
      `says ${url.protocol.slice(0, -1)}, but this server speaks ${here.protocol.slice(0, -1)}`,
      `export ${name}=${here.origin}`,
    );
  const isGrpc = here === grpc;
  if (isGrpc && protocol?.startsWith('http'))
    return wrong(`is the port of gRPC, but the protocol is ${protocol}`, `export ${name}=${otlp_http ?? rightOne}`);
  if (!isGrpc && protocol === 'grpc')
    return wrong('is the port of HTTP, but the protocol is grpc', `export ${name}=${otlp_grpc ?? rightOne}`);
  return null;
}

const portOf = ({ port, protocol }: URL) => port || (protocol === 'https:' ? '443' : '80');
const sameHost = (a: URL, b: URL) => a.hostname === b.hostname || (isLocal(a.hostname) && isLocal(b.hostname));
const isLocal = (host: string) => /^(localhost|127\.|\[?::1\]?$|0\.0\.0\.0)/.test(host);
const isUsual = (url: string) => /:431[78]$/.test(url) && isLocal(URL.parse(url)?.hostname ?? '');

/** @param metrics of the server, as Prometheus text  @returns nothing where there is no PostgreSQL */
export function checkTenantWall(metrics: string): Check[] {
  const wall = /^ai_debug_postgres_row_security (\d)/m.exec(metrics)?.[1];
  if (wall === undefined) return [];
  const name = 'tenants';
  if (wall === '1')
    return [{ name, status: 'ok', message: 'kept apart by PostgreSQL too: reads go as ai_debug_reader' }];
  return [
    {
      name,
      status: 'warning',
      message: 'kept apart by our statements alone: row-level security is off, or its role cannot be had',
      fix: 'what to type in psql is in the log of its start, and in docs/operations.md, "Tenants in PostgreSQL"',
    },
  ];
}

/** @param metrics of the server, as Prometheus text  @returns nothing where each port heard its own protocol */
export function checkProtocols(metrics: string, { otlp_grpc, otlp_http }: Exporters): Check[] {
  const checks: Check[] = [];
  for (const [, port, count] of metrics.matchAll(/^ai_debug_receiver_wrong_protocol_total\{port="(\w+)"\} (\d+)/gm)) {
    if (count === '0' || otlp_grpc === null || otlp_http === null) continue;
    const [spoke, here, there] =
      port === 'grpc'
        ? ['HTTP', `OTLP over gRPC, ${otlp_grpc}`, otlp_http]
        : ['gRPC', `OTLP over HTTP, ${otlp_http}`, otlp_grpc];
    checks.push({
      name: 'protocol',
      status: 'warning',
      message: `${count} connections since the start of the server spoke ${spoke} to the port of ${here}`,
      fix: `export OTEL_EXPORTER_OTLP_ENDPOINT=${there}   (or OTEL_EXPORTER_OTLP_PROTOCOL=${port === 'grpc' ? 'grpc' : 'http/protobuf'})`,
    });
  }
  return checks;
}

/** What is looked at of an event. */
export interface Arrived {
  event_type: string;
  component_type: string;
  component_id: string;
  node_id: string | null;
  correlation_id: string | null;
  trace_id: string | null;
  timestamp: string;
  received_at: string;
}

/** @param events the newest that arrived  @param asOf now, RFC 3339  @param otlpHttp where to send to */
export function checkArrivals(events: readonly Arrived[], asOf: string, otlpHttp: string | null): Check[] {
  if (events.length === 0) {
    return [
      {
        name: 'telemetry',
        status: 'problem',
        message: 'nothing has ever arrived',
        fix: `OTEL_EXPORTER_OTLP_ENDPOINT=${otlpHttp ?? 'http://127.0.0.1:4318'} node --import @ai-debug/instrumentation/register app.js   (or: ai-debug demo)`,
      },
    ];
  }
  const newest = events.reduce((latest, { received_at }) => (received_at > latest ? received_at : latest), '');
  const quietMs = millisBetween(newest, asOf);
  const checks: Check[] = [
    quietMs > QUIET_MS
      ? {
          name: 'telemetry',
          status: 'warning',
          message: `the last of it arrived ${duration(quietMs)} ago`,
          fix: 'is the service running, and does its exporter point here? Its log says when an export fails',
        }
      : { name: 'telemetry', status: 'ok', message: `arriving, the last ${duration(Math.max(0, quietMs))} ago` },
  ];
  checks.push(...checkClocks(events), checkNames(events), checkNodes(events), checkCorrelation(events));
  return checks;
}

function checkClocks(events: readonly Arrived[]): Check[] {
  const skewed: string[] = [];
  for (const [component, own] of Map.groupBy(events, ({ component_id }) => component_id)) {
    const lags = own.map(({ timestamp, received_at }) => millisBetween(timestamp, received_at)).sort((a, b) => a - b);
    const median = lags[lags.length >> 1]!;
    // Exporters wait up to a minute for a batch; nothing arrives before it was sent.
    if (median > LATE_MS) skewed.push(`${plain(component)} ${duration(median)} behind`);
    if (median < -AHEAD_MS) skewed.push(`${plain(component)} ${duration(-median)} ahead`);
  }
  if (skewed.length === 0) return [{ name: 'clocks', status: 'ok', message: 'agree with this server' }];
  return [
    {
      name: 'clocks',
      status: 'warning',
      message: `of records and of this server differ: ${listed(skewed)}`,
      fix: 'timedatectl set-ntp true on the machine that is off; replays of old captures look like this too (ai-debug replay --shift-to now)',
    },
  ];
}

function checkNames(events: readonly Arrived[]): Check {
  const unnamed = events.filter(({ component_id }) => /^unknown(_service|$)/.test(component_id)).length;
  if (unnamed === 0) return { name: 'names', status: 'ok', message: 'every record says which service it is of' };
  return {
    name: 'names',
    status: 'warning',
    message: `${share(unnamed, events)} of the records do not say which service they are of`,
    fix: 'export OTEL_SERVICE_NAME=my-service',
  };
}

function checkNodes(events: readonly Arrived[]): Check {
  const without = events.filter(({ node_id }) => node_id === null).length;
  if (without < events.length / 2) return { name: 'replicas', status: 'ok', message: 'can be told apart' };
  return {
    name: 'replicas',
    status: 'warning',
    message: `${share(without, events)} of the records name no instance: replicas cannot be compared`,
    fix: 'export OTEL_RESOURCE_ATTRIBUTES="service.instance.id=$(hostname)-$$"',
  };
}

function checkCorrelation(events: readonly Arrived[]): Check {
  // Metric points belong to no operation.
  const ofOperations = events.filter(({ event_type }) => event_type !== 'metric');
  const without = ofOperations.filter(
    ({ correlation_id, trace_id }) => correlation_id === null && trace_id === null,
  ).length;
  if (without <= ofOperations.length / 2)
    return { name: 'correlation', status: 'ok', message: 'records are tied to operations' };
  return {
    name: 'correlation',
    status: 'warning',
    message: `${share(without, ofOperations)} of the records belong to no trace and carry no correlation id: they cannot be joined across services`,
    fix: 'log within a span (node --import @ai-debug/instrumentation/register does), or set the attribute correlation_id',
  };
}

const QUIET_MS = 10 * 60_000;
const LATE_MS = 2 * 60_000;
const AHEAD_MS = 5_000;

function millisBetween(from: string, to: string): number {
  return Number((parseNanos(to) ?? 0n) - (parseNanos(from) ?? 0n)) / 1e6;
}

function share(part: number, of: readonly unknown[]): string {
  return `${Math.round((100 * part) / of.length)}%`;
}

function listed(items: readonly string[]): string {
  return items.length > 3 ? `${items.slice(0, 3).join(', ')} and ${items.length - 3} more` : items.join(', ');
}
