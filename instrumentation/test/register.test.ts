import { execFileSync } from 'node:child_process';
import { join } from 'node:path';
import { afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import packageJson from '../package.json' with { type: 'json' };
import { type FarEnd, startFarEnd, startGrpcFarEnd } from './far-end.ts';
import { ensureBuilt, REGISTER, runApp } from './run-app.ts';

const PACKAGE = join(import.meta.dirname, '..');

let farEnd: FarEnd;

beforeAll(ensureBuilt);
beforeEach(async () => {
  farEnd = await startFarEnd();
});
afterEach(() => farEnd.close());

describe('the flag', () => {
  it.each([
    ['--import by name', ['--import', '@ai-debug/instrumentation/register']],
    ['--require by name', ['--require', '@ai-debug/instrumentation/register']],
    ['--import twice', ['--import', REGISTER, '--import', `${REGISTER}?again`]],
    ['--import and --require', ['--import', REGISTER, '--require', '@ai-debug/instrumentation/register']],
  ])('%s records once, and says nothing', async (_, nodeArgs) => {
    const ended = await runApp('ends.cjs', farEnd.url, { nodeArgs });
    expect(ended).toEqual({ code: 0, signal: null, stdout: 'last words\n', stderr: '' });
    expect(farEnd.logs.map(({ body }) => body)).toEqual(['last words']);
  });

  it('works from NODE_OPTIONS', async () => {
    const NODE_OPTIONS = `--import ${REGISTER}`;
    await runApp('ends.cjs', farEnd.url, { nodeArgs: [], env: { NODE_OPTIONS } });
    expect(farEnd.logs.map(({ body }) => body)).toEqual(['last words']);
  });

  it('reaches worker threads, as the same replica, and forked processes, as another', async () => {
    await runApp('worker.mjs', farEnd.url);
    const instance = (body: string): unknown =>
      farEnd.logs.find((log) => log.body === body)?.resource['service.instance.id'];
    expect(farEnd.logs.map(({ body }) => body).sort()).toEqual([
      'from the child process',
      'from the main thread',
      'from the worker',
    ]);
    expect(instance('from the worker')).toBe(instance('from the main thread'));
    expect(instance('from the child process')).not.toBe(instance('from the main thread'));
  });

  it('leaves no sign and no telemetry when OTEL_SDK_DISABLED says so', async () => {
    const ended = await runApp('winston-logger.cjs', farEnd.url, { env: { OTEL_SDK_DISABLED: 'true' } });
    expect(ended.code).toBe(0);
    expect(farEnd.requests).toEqual([]);
  });

  it('keeps stdout for the app, whatever OTEL_LOG_LEVEL asks for', async () => {
    const { stdout, stderr } = await runApp('ends.cjs', farEnd.url, { env: { OTEL_LOG_LEVEL: 'debug' } });
    expect(stdout).toBe('last words\n');
    expect(stderr).toContain('[ai-debug instrumentation] debug');
    expect(farEnd.logs.map(({ body }) => body)).toEqual(['last words']);
  });
});

describe('what arrives', () => {
  it('says who sent it, and no command line', async () => {
    await runApp('ends.cjs', farEnd.url, { args: ['', '--password=hunter2'] });
    const { resource } = farEnd.logs[0]!;
    expect(resource).toMatchObject({
      'service.name': 'ends',
      'service.instance.id': expect.stringMatching(/^[0-9a-f]{8}-[0-9a-f]{4}-4/),
      'telemetry.distro.name': packageJson.name,
      'telemetry.distro.version': packageJson.version,
      'telemetry.sdk.language': 'nodejs',
      'process.pid': expect.any(Number),
      'process.runtime.name': 'nodejs',
      'process.runtime.version': expect.stringMatching(/^\d+\.\d+\.\d+$/),
    });
    expect(JSON.stringify([farEnd.logs, farEnd.spans, farEnd.metrics])).not.toContain('hunter2');
  });

  it("follows OpenTelemetry's own variables", async () => {
    const own = await startFarEnd();
    const env = {
      OTEL_SERVICE_NAME: 'named',
      OTEL_RESOURCE_ATTRIBUTES: 'service.instance.id=pod-1,team=blue',
      OTEL_EXPORTER_OTLP_HEADERS: 'authorization=Bearer%20t,x-tenant=a',
      OTEL_EXPORTER_OTLP_LOGS_HEADERS: 'x-tenant=b',
      OTEL_EXPORTER_OTLP_LOGS_ENDPOINT: `${own.url}/elsewhere`,
      OTEL_EXPORTER_OTLP_COMPRESSION: 'gzip',
      OTEL_BLRP_SCHEDULE_DELAY: '20',
      OTEL_METRICS_EXPORTER: 'none',
    };
    await runApp('ticks.cjs', farEnd.url, { env });
    await own.close();
    expect(own.logs[0]!.resource).toMatchObject({
      'service.name': 'named',
      'service.instance.id': 'pod-1',
      team: 'blue',
    });
    expect(own.requests.length).toBeGreaterThan(1);
    for (const { url, headers } of own.requests) {
      expect(url).toBe('/elsewhere');
      expect(headers).toMatchObject({ authorization: 'Bearer t', 'x-tenant': 'b' });
    }
    expect(own.requests[0]!.headers['content-encoding']).toBe('gzip');
    expect(farEnd.requests).toEqual([]);
  });

  it('includes requests through functions that an ES module imports by name, also where http was loaded before', async () => {
    const nodeArgs = ['--import', 'data:text/javascript,import "node:http"', '--import', REGISTER];
    await runApp('pino-logger.mjs', farEnd.url, { args: ['own-id'], nodeArgs });
    expect(farEnd.spans.map(({ kind }) => kind).sort()).toEqual([2, 3]);
  });

  it('gives up at once on an endpoint that cannot be used', async () => {
    const env = { OTEL_EXPORTER_OTLP_HEADERS: 'x-bad=%0A', OTEL_LOGS_EXPORTER: 'otlp' };
    const ended = await runApp('ends.cjs', farEnd.url, { args: ['code'], env });
    expect(ended).toMatchObject({ code: 4, stderr: '' });
    expect(farEnd.requests).toEqual([]);
  });

  it('names a server span by its method, and by its route where the framework leaves one', async () => {
    await runApp('routes.cjs', farEnd.url);
    const servers = farEnd.spans.filter(({ kind }) => kind === 2);
    expect(servers.map(({ name, attributes }) => [name, attributes['http.route']])).toEqual([
      ['GET', undefined],
      ['GET /api/orders/:id', '/api/orders/:id'],
    ]);
  });

  it('is protobuf unless JSON is asked for', async () => {
    await runApp('ends.cjs', farEnd.url, { env: { OTEL_EXPORTER_OTLP_PROTOCOL: '' } });
    expect(farEnd.requests.map(({ url, headers }) => [url, headers['content-type']]).sort()).toEqual([
      ['/v1/logs', 'application/x-protobuf'],
      ['/v1/metrics', 'application/x-protobuf'],
    ]);
  });

  it('is gRPC where that is asked for', async () => {
    const exported: string[] = [];
    const server = await startGrpcFarEnd((method) => exported.push(method));
    const env = {
      OTEL_EXPORTER_OTLP_PROTOCOL: 'grpc',
      OTEL_BLRP_SCHEDULE_DELAY: '10',
      OTEL_METRIC_EXPORT_INTERVAL: '50',
      OTEL_TRACES_EXPORTER: 'none',
    };
    const { code, stderr } = await runApp('ticks.cjs', server.url, { env });
    server.stop();
    expect({ code, stderr }).toEqual({ code: 0, stderr: '' });
    expect([...new Set(exported)].sort()).toEqual(['logs', 'metrics']);
  });

  it('has no span of its own delivery and none of sockets', async () => {
    const env = { OTEL_BLRP_SCHEDULE_DELAY: '10', OTEL_METRIC_EXPORT_INTERVAL: '50', OTEL_BSP_SCHEDULE_DELAY: '10' };
    await runApp('ticks.cjs', farEnd.url, { env });
    expect(farEnd.requests.length).toBeGreaterThan(2);
    expect(farEnd.spans).toEqual([]);
  });
});

describe('beside an SDK of the app', () => {
  it('is parts of that one', async () => {
    await runApp('own-sdk.mjs', farEnd.url, { nodeArgs: [], env: { OTEL_METRICS_EXPORTER: 'none' } });
    expect(farEnd.spans.map(({ name, attributes }) => [name, attributes['debug.operation_id']])).toEqual([
      ['work', 'op-1'],
    ]);
    expect(farEnd.logs.map(({ body, spanId }) => [body, spanId])).toEqual([
      [{ items: 2, token: '[REDACTED]' }, farEnd.spans[0]!.spanId],
    ]);
    expect(farEnd.spans[0]!.resource).toMatchObject({ 'service.name': 'own-sdk', 'process.runtime.name': 'nodejs' });
  });
});

describe('beside the instrumentations of somebody else', () => {
  const app = 'two-instrumentations.cjs';
  const paths = () =>
    farEnd.spans
      .map(
        ({ kind, attributes }) =>
          `${kind} ${attributes['url.path'] ?? new URL(String(attributes['url.full'])).pathname}`,
      )
      .sort();

  it('that the app starts itself, each request has one span at either end, and each line arrives once', async () => {
    await runApp(app, farEnd.url, { env: { OTEL_METRICS_EXPORTER: 'none' } });
    expect(paths()).toEqual(['2 /all', '2 /fetched', '2 /got', '3 /all', '3 /fetched', '3 /got']);
    expect(farEnd.logs.map(({ body }) => body)).toEqual(['all called']);
    const [first] = farEnd.spans;
    expect(farEnd.spans.map(({ attributes }) => attributes['debug.correlation_id'])).toEqual(
      farEnd.spans.map(() => first!.traceId),
    );
  });

  it('that were there first, the flag does nothing and says so', async () => {
    const nodeArgs = ['--require', join(PACKAGE, 'test/apps', app), '--import', REGISTER];
    const env = { OTEL_LOGS_EXPORTER: 'none', OTEL_METRICS_EXPORTER: 'none' };
    const { code, stderr } = await runApp('ends.cjs', farEnd.url, { nodeArgs, env });
    expect(code).toBe(0);
    expect(stderr).toContain('an OpenTelemetry SDK was registered before');
    expect(farEnd.requests).toEqual([]);
  });
});

describe('the package', () => {
  it('publishes what the exports name, and no source', () => {
    const output = execFileSync('npm', ['pack', '--dry-run', '--json', '--ignore-scripts'], { cwd: PACKAGE });
    const [packed] = Object.values(JSON.parse(String(output))) as { files: { path: string }[] }[];
    const files = packed!.files.map(({ path }) => path);
    const named = JSON.stringify(packageJson.exports).match(/(?<=\.\/)dist\/[\w.]+/g)!;
    expect(files).toEqual(expect.arrayContaining([...named, 'README.md', 'LICENSE']));
    expect(files.filter((file) => file.endsWith('.ts') && !file.startsWith('dist/'))).toEqual([]);
  });
});
