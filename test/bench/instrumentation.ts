/**
 * `npm run bench:instrumentation [-- --rounds N] [--requests N] [--json FILE]`: what instrumentation costs the service that carries it.
 *
 * Three copies of one service (bare; with ours; with stock auto-instrumentation, all three signals) take turns, a few hundred requests
 * each, so that a noisy moment hits all alike; printed are medians, and ratios to the others of the same run. CPU is that of the whole
 * process with its threads, exporting included, to a receiver in this process that accepts everything.
 */
import { type ChildProcess, execFile, fork } from 'node:child_process';
import { once } from 'node:events';
import { existsSync } from 'node:fs';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { createServer } from 'node:http';
import { type AddressInfo, connect } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseArgs, promisify } from 'node:util';
import { buildInstrumentation } from '../../instrumentation/build.ts';

const { values: options } = parseArgs({
  options: {
    rounds: { type: 'string', default: '7' },
    requests: { type: 'string', default: '10000' },
    json: { type: 'string' },
  },
});

const ROUNDS = Number(options.rounds);
const REQUESTS = Number(options.requests);
const CONNECTIONS = 10;
/** Of each path in a round, every mode after the other: seconds of one and then of the next are seconds of different weather. */
const TURNS = 20;
const PATHS = ['/plain', '/log', '/fan'] as const;
const MODES = ['bare', 'ours', 'stock'] as const;
const STOCK = '@opentelemetry/auto-instrumentations-node@0.82.0';
const SERVICE = join(import.meta.dirname, 'instrumented-service/service.cjs');

type Path = (typeof PATHS)[number];
type Mode = (typeof MODES)[number];

interface Sample {
  startMs: number;
  rssBytes: number;
  cpuUs: Record<Path, number>;
  requestsPerS: Record<Path, number>;
}

async function main(): Promise<void> {
  await buildInstrumentation();
  const stock = await installStock();
  const receiver = await startReceiver();
  const nodeArgs: Record<Mode, string[]> = {
    bare: [],
    ours: ['--import', join(import.meta.dirname, '../../instrumentation/dist/register.js')],
    // A CommonJS service: the stock package needs no loader thread for it, which is the cheapest that it can be.
    stock: ['--require', join(stock, 'node_modules/@opentelemetry/auto-instrumentations-node/dist/register.cjs')],
  };
  const samples: Record<Mode, Sample[]> = { bare: [], ours: [], stock: [] };
  try {
    for (let round = 0; round < ROUNDS; round++) {
      const services: Service[] = [];
      for (const mode of MODES) services.push(await start(nodeArgs[mode], receiver.url));
      for (const path of PATHS) await measure(services, path);
      for (const [i, mode] of MODES.entries()) samples[mode].push(await services[i]!.stop());
    }
  } finally {
    receiver.close();
    await rm(stock, { recursive: true, force: true });
  }
  await report(samples);
}

interface Service {
  process: ChildProcess;
  port: number;
  sample: Sample;
  stop(): Promise<Sample>;
}

/** A warm-up that is not counted, then turns of all services in one order and in the other. */
async function measure(services: Service[], path: Path): Promise<void> {
  for (const { port } of services) await load(port, path, REQUESTS / 5);
  const wallMs = new Map<Service, number>();
  for (let turn = 0; turn < TURNS; turn++) {
    for (const service of turn % 2 ? services.toReversed() : services) {
      const { process, port, sample } = service;
      const before = await usage(process);
      const beginMs = performance.now();
      await load(port, path, REQUESTS / TURNS);
      wallMs.set(service, (wallMs.get(service) ?? 0) + performance.now() - beginMs);
      const after = await usage(process);
      sample.cpuUs[path] += (after.cpuUs - before.cpuUs) / REQUESTS;
      sample.rssBytes = after.rssBytes;
    }
  }
  for (const [{ sample }, ms] of wallMs) sample.requestsPerS[path] = (1000 * REQUESTS) / ms;
}

async function start(nodeArgs: string[], receiver: string): Promise<Service> {
  const spool = await mkdtemp(join(tmpdir(), 'ai-debug-bench-spool-'));
  const spawnedMs = performance.now();
  const service = fork(SERVICE, {
    execArgv: nodeArgs,
    silent: true,
    env: {
      PATH: process.env.PATH,
      OTEL_SERVICE_NAME: 'bench',
      OTEL_EXPORTER_OTLP_ENDPOINT: receiver,
      OTEL_EXPORTER_OTLP_PROTOCOL: 'http/protobuf',
      OTEL_TRACES_EXPORTER: 'otlp',
      OTEL_LOGS_EXPORTER: 'otlp',
      OTEL_METRICS_EXPORTER: 'otlp',
      // What the kill at the end leaves behind is not the next round's to deliver.
      AI_DEBUG_SPOOL_DIR: spool,
      // The cloud detectors of the stock package ask the network; this machine's answers would be measured, not the package.
      OTEL_NODE_RESOURCE_DETECTORS: 'env,host,os,process,serviceinstance',
    },
  });
  let said = '';
  service.stderr!.setEncoding('utf8').on('data', (text: string) => {
    said += text;
  });
  service.stdout!.resume();
  const { port } = await Promise.race([
    once(service, 'message').then(([message]) => message as { port: number }),
    once(service, 'exit').then(() => Promise.reject(new Error(`the service ended: ${said}`))),
  ]);
  const startMs = performance.now() - spawnedMs;
  const sample: Sample = { startMs, rssBytes: 0, cpuUs: zero(), requestsPerS: zero() };
  return {
    process: service,
    port,
    sample,
    async stop() {
      const ended = once(service, 'exit');
      service.kill('SIGKILL');
      await ended;
      await rm(spool, { recursive: true, force: true });
      return sample;
    },
  };
}

async function usage(service: ChildProcess): Promise<{ cpuUs: number; rssBytes: number }> {
  const answer = once(service, 'message');
  service.send('usage');
  return (await answer)[0] as { cpuUs: number; rssBytes: number };
}

/** Keep-alive connections on raw sockets, the next request when the answer is there: the cheapest client that waits its turn. */
async function load(port: number, path: Path, requests: number): Promise<void> {
  const request = `GET ${path} HTTP/1.1\r\nhost: 127.0.0.1:${port}\r\nuser-agent: bench/1\r\naccept: */*\r\n\r\n`;
  let left = requests;
  const connection = async () => {
    const socket = connect(port, '127.0.0.1');
    socket.setNoDelay(true);
    let received = '';
    socket.setEncoding('latin1');
    await once(socket, 'connect');
    await new Promise<void>((resolve, reject) => {
      const next = () => {
        if (left-- <= 0) return resolve();
        socket.write(request);
      };
      socket.on('data', (chunk: string) => {
        received += chunk;
        if (!received.endsWith('{"ok":true}')) return;
        received = '';
        next();
      });
      socket.on('error', reject);
      socket.on('close', () => reject(new Error(`the service closed a connection; it said: ${received}`)));
      next();
    });
    socket.removeAllListeners('close').destroy();
  };
  await Promise.all(Array.from({ length: CONNECTIONS }, connection));
}

async function startReceiver(): Promise<{ url: string; close(): void }> {
  const server = createServer((request, response) => {
    request.resume().on('end', () => response.setHeader('content-type', 'application/x-protobuf').end());
  });
  await once(server.listen(0, '127.0.0.1'), 'listening');
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    close() {
      server.closeAllConnections();
      server.close();
    },
  };
}

/** Not a dependency of ours: some 300 packages that only this bench wants. */
async function installStock(): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), 'ai-debug-stock-'));
  await writeFile(join(folder, 'package.json'), '{"private": true}');
  const npm = ['install', '--ignore-scripts', '--no-audit', '--no-fund', STOCK, '@opentelemetry/api@1.10.0'];
  await promisify(execFile)('npm', npm, { cwd: folder });
  if (!existsSync(join(folder, 'node_modules'))) throw new Error(`npm installed nothing for ${STOCK}`);
  return folder;
}

async function report(samples: Record<Mode, Sample[]>): Promise<void> {
  const of = (mode: Mode, figure: (sample: Sample) => number) => median(samples[mode].map(figure));
  const rows: [string, (sample: Sample) => number][] = [
    ['start, ms', (sample) => sample.startMs],
    ...PATHS.map((path): [string, (sample: Sample) => number] => [`CPU µs ${path}`, (sample) => sample.cpuUs[path]]),
    ...PATHS.map((path): [string, (sample: Sample) => number] => [
      `requests/s ${path}`,
      (sample) => sample.requestsPerS[path],
    ]),
    ['memory, MB', (sample) => sample.rssBytes / 2 ** 20],
  ];
  const lines = rows.map(([name, figure]) => {
    const [bare, ours, stock] = MODES.map((mode) => of(mode, figure)) as [number, number, number];
    const share = (ours - bare) / (stock - bare);
    return [name, ...[bare, ours, stock].map((value) => value.toFixed(1)), share.toFixed(2)];
  });
  const table = [['', ...MODES, 'added by ours / by stock'], ['---', '---', '---', '---', '---'], ...lines];
  process.stdout.write(`\n${table.map((cells) => `| ${cells.join(' | ')} |`).join('\n')}\n\n`);
  process.stdout.write(
    `medians of ${ROUNDS} rounds, ${REQUESTS} requests a path over ${CONNECTIONS} connections, Node ${process.versions.node}; stock is ${STOCK}\n`,
  );
  if (options.json === undefined) return;
  const added = (path: Path, mode: Mode) =>
    of(mode, (sample) => sample.cpuUs[path]) - of('bare', (sample) => sample.cpuUs[path]);
  const ratio = (path: Path) => added(path, 'ours') / added(path, 'stock');
  const instrumentation = {
    start_ms_over_bare: of('ours', (sample) => sample.startMs) - of('bare', (sample) => sample.startMs),
    stock_start_ms_over_bare: of('stock', (sample) => sample.startMs) - of('bare', (sample) => sample.startMs),
    cpu_added_vs_stock: Math.max(...PATHS.map(ratio)), // the worst kind of request
    cpu_added_vs_stock_by_path: Object.fromEntries(PATHS.map((path) => [path.slice(1), ratio(path)])),
    cpu_added_us: Object.fromEntries(PATHS.map((path) => [path.slice(1), added(path, 'ours')])),
    requests_per_s: Object.fromEntries(
      MODES.map((mode) => [mode, of(mode, ({ requestsPerS }) => requestsPerS['/plain'])]),
    ),
    rss_mb: Object.fromEntries(MODES.map((mode) => [mode, of(mode, (sample) => sample.rssBytes / 2 ** 20)])),
  };
  await writeFile(options.json, `${JSON.stringify({ instrumentation }, null, 2)}\n`);
}

function zero(): Record<Path, number> {
  return { '/plain': 0, '/log': 0, '/fan': 0 };
}

function median(values: number[]): number {
  const sorted = values.toSorted((a, b) => a - b);
  const middle = sorted.length >> 1;
  return sorted.length % 2 === 1 ? sorted[middle]! : (sorted[middle - 1]! + sorted[middle]!) / 2;
}

await main();
