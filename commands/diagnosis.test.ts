import { describe, expect, it } from 'vitest';
import { formatNanos } from '../model/time.ts';
import { type Arrived, checkArrivals, checkExporters, checkProtocols, checkTenantWall } from './diagnosis.ts';

const HERE = { otlp_grpc: 'http://127.0.0.1:4317', otlp_http: 'http://127.0.0.1:4318' };

describe('exporters', () => {
  const wrongs: [Record<string, string>, RegExp, string?][] = [
    [{ OTEL_EXPORTER_OTLP_ENDPOINT: 'http://collector:4318' }, /not where this server listens/],
    [{ OTEL_EXPORTER_OTLP_ENDPOINT: 'http://localhost:9999' }, /not where this server listens/],
    [
      { OTEL_EXPORTER_OTLP_ENDPOINT: 'http://localhost:9999', OTEL_EXPORTER_OTLP_PROTOCOL: 'grpc' },
      /not where this server listens/,
      'export OTEL_EXPORTER_OTLP_ENDPOINT=http://127.0.0.1:4317',
    ],
    [{ OTEL_EXPORTER_OTLP_ENDPOINT: 'https://localhost:4318' }, /says https, but this server speaks http/],
    [
      { OTEL_EXPORTER_OTLP_ENDPOINT: 'http://localhost:4318', OTEL_EXPORTER_OTLP_PROTOCOL: 'grpc' },
      /port of HTTP, but the protocol is grpc/,
      'export OTEL_EXPORTER_OTLP_ENDPOINT=http://127.0.0.1:4317',
    ],
    [
      { OTEL_EXPORTER_OTLP_ENDPOINT: 'http://localhost:4317', OTEL_EXPORTER_OTLP_PROTOCOL: 'http/protobuf' },
      /port of gRPC, but the protocol is http\/protobuf/,
      'export OTEL_EXPORTER_OTLP_ENDPOINT=http://127.0.0.1:4318',
    ],
    [{ OTEL_EXPORTER_OTLP_TRACES_ENDPOINT: 'http://elsewhere:1' }, /not where this server listens/],
    [{ OTEL_TRACES_EXPORTER: 'none' }, /traces go elsewhere/, 'export OTEL_TRACES_EXPORTER=otlp'],
    [{ OTEL_SDK_DISABLED: 'true' }, /record nothing/, 'unset OTEL_SDK_DISABLED'],
  ];

  it.each(wrongs)('%j is found', (environment, message, fix) => {
    const checks = checkExporters(environment, HERE, false);
    expect(checks).toEqual([expect.objectContaining({ status: 'problem', message: expect.stringMatching(message) })]);
    if (fix !== undefined) expect(checks[0]!.fix).toBe(fix);
  });

  it('that point here are well, as are none', () => {
    for (const environment of [{}, { OTEL_EXPORTER_OTLP_ENDPOINT: 'http://localhost:4318' }] as Record<
      string,
      string
    >[])
      expect(checkExporters(environment, HERE, false)).toMatchObject([{ name: 'exporters', status: 'ok' }]);
  });

  it('without the token that is asked for are told how to send it', () => {
    const [check] = checkExporters({ OTEL_SERVICE_NAME: 'x' }, HERE, true);
    expect(check).toMatchObject({ status: 'problem', fix: expect.stringContaining('OTEL_EXPORTER_OTLP_HEADERS') });
    const headers = { OTEL_EXPORTER_OTLP_HEADERS: 'authorization=Bearer%20x' };
    expect(checkExporters(headers, HERE, true)).toMatchObject([{ status: 'ok' }]);
  });

  it('that cannot guess the port are told it', () => {
    const odd = { otlp_grpc: null, otlp_http: 'http://127.0.0.1:5555' };
    expect(checkExporters({}, odd, false)).toMatchObject([
      { status: 'warning', fix: 'export OTEL_EXPORTER_OTLP_ENDPOINT=http://127.0.0.1:5555' },
    ]);
  });
});

describe('ports', () => {
  const metrics = (port: string, count: number) =>
    `# HELP x\nai_debug_receiver_wrong_protocol_total{port="${port}"} ${count}\n`;

  it('that heard the protocol of the other say which is meant', () => {
    expect(checkProtocols(metrics('http', 3), HERE)).toMatchObject([
      {
        status: 'warning',
        message: expect.stringMatching(/^3 connections .* spoke gRPC to the port of OTLP over HTTP, .*:4318$/),
        fix: 'export OTEL_EXPORTER_OTLP_ENDPOINT=http://127.0.0.1:4317   (or OTEL_EXPORTER_OTLP_PROTOCOL=http/protobuf)',
      },
    ]);
    expect(checkProtocols(metrics('grpc', 1), HERE)).toMatchObject([
      { fix: 'export OTEL_EXPORTER_OTLP_ENDPOINT=http://127.0.0.1:4318   (or OTEL_EXPORTER_OTLP_PROTOCOL=grpc)' },
    ]);
  });

  it('that heard their own are not spoken of', () => {
    expect(checkProtocols('', HERE)).toEqual([]);
    expect(checkProtocols(metrics('http', 0), HERE)).toEqual([]);
  });
});

describe('what arrived', () => {
  const NOW = 1_800_000_000_000_000_000n;
  const time = (secondsAgo: number) => formatNanos(NOW - BigInt(secondsAgo * 1e9));
  const event = (more: Partial<Arrived> = {}): Arrived => ({
    event_type: 'log',
    component_type: 'service',
    component_id: 'orders',
    node_id: 'orders-1',
    correlation_id: 'c',
    trace_id: null,
    timestamp: time(3),
    received_at: time(2),
    ...more,
  });
  const statuses = (events: Arrived[]) =>
    Object.fromEntries(
      checkArrivals(events, formatNanos(NOW), HERE.otlp_http).map(({ name, status }) => [name, status]),
    );
  const well = { telemetry: 'ok', clocks: 'ok', names: 'ok', replicas: 'ok', correlation: 'ok' };

  it('is well', () => expect(statuses([event(), event({ component_id: 'front' })])).toEqual(well));
  it('is nothing', () => expect(statuses([])).toEqual({ telemetry: 'problem' }));
  it('is old', () =>
    expect(statuses([event({ timestamp: time(7200), received_at: time(7199) })])).toEqual({
      ...well,
      telemetry: 'warning',
    }));

  it.each([
    ['ahead', -60],
    ['behind', 3600],
  ])('has a clock that is %s', (_, secondsAgo) => {
    expect(statuses([event({ timestamp: time(secondsAgo) })])).toEqual({ ...well, clocks: 'warning' });
  });

  it('has no names, no replicas, no correlation', () => {
    expect(statuses([event({ component_id: 'unknown_service:node' })])).toEqual({ ...well, names: 'warning' });
    expect(statuses([event({ node_id: null })])).toEqual({ ...well, replicas: 'warning' });
    expect(statuses([event({ correlation_id: null })])).toEqual({ ...well, correlation: 'warning' });
    expect(statuses([event({ correlation_id: null, event_type: 'metric' })])).toEqual(well);
  });
});

describe('the wall between tenants in PostgreSQL', () => {
  const gauge = (value: number) =>
    `# TYPE ai_debug_postgres_row_security gauge\nai_debug_postgres_row_security ${value}\n`;

  it('is told of where there is a PostgreSQL, and how to raise it where it is down', () => {
    expect(checkTenantWall('ai_debug_journal_bytes 0\n')).toEqual([]);
    expect(checkTenantWall(gauge(1))).toMatchObject([{ status: 'ok' }]);
    expect(checkTenantWall(gauge(0))).toMatchObject([{ status: 'warning', fix: expect.stringContaining('psql') }]);
  });
});
