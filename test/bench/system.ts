/** The whole program in a process of its own, on throw-away stores, under a load from another process. */
import { spawn } from 'node:child_process';
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { cpus, tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { startProgram } from '../../demo/processes.ts';
import type { Load, Sent } from './generator.ts';

export interface SystemUnderLoad {
  /** host:port of OTLP over gRPC. */
  grpc: string;
  /** URL of the query service, and of OTLP over HTTP. */
  http: string;
  otlpHttp: string;
  pid: number;
  /** Value of a metric without labels, 0 while there is none. */
  metric(name: string): Promise<number>;
  residentBytes(): Promise<number>;
  stop(): Promise<void>;
}

/** @param stores absent: the embedded tiers */
export async function startSystem(
  stores: { pgUrl: string; redisUrl: string } | null,
  { environment = {}, nodeFlags = [] as string[] } = {},
): Promise<SystemUnderLoad> {
  const dataDir = await mkdtemp(join(tmpdir(), 'ai-debug-bench-'));
  const program = await startProgram({
    name: 'ai-debug up',
    args: [
      ...nodeFlags,
      join(import.meta.dirname, '../../cli.ts'),
      ...['up', '--json', '--log-level=warn', `--data-dir=${dataDir}`],
      ...['--otlp-grpc-port=0', '--otlp-http-port=0', '--http-port=0', '--grpc-port=0'],
    ],
    environment: {
      ...(stores !== null && { DEBUG_PG_URL: stores.pgUrl, DEBUG_REDIS_URL: stores.redisUrl }),
      ...environment,
    },
    hide: /^DEBUG_/,
    ready: /^\{.*\}$/m,
  });
  const addresses = JSON.parse(program.said[0]) as { http: string; otlp_http: string; otlp_grpc: string };
  return {
    grpc: new URL(addresses.otlp_grpc).host,
    http: addresses.http,
    otlpHttp: addresses.otlp_http,
    pid: program.pid,
    async metric(name) {
      const text = await (await fetch(`${addresses.http}/metrics`)).text();
      const line = text.split('\n').find((line) => line.split(/[ {]/)[0]!.endsWith(name) && !line.startsWith('#'));
      return Number(line?.split(' ').at(-1) ?? 0);
    },
    async residentBytes() {
      const status = await readFile(`/proc/${program.pid}/status`, 'utf8');
      return Number(/VmRSS:\s+(\d+)/.exec(status)![1]) * 1024;
    },
    async stop() {
      await program.stop();
      await rm(dataDir, { recursive: true, force: true });
    },
  };
}

export interface Ingested extends Sent {
  /** From the first request until everything acknowledged was committed. */
  seconds: number;
  eventsPerSecond: number;
  /** CPU of the receiver, of the generator, and of all else on the machine (stores, kernel), microseconds an event. */
  cpu: { receiver: number; generator: number; others: number };
}

let sequence = 1;

/** Sends a load and waits until all of it is committed. @throws Error when not all that was acknowledged is, a minute later */
export async function ingest(
  system: SystemUnderLoad,
  load: Omit<Load, 'address' | 'firstSequence'>,
): Promise<Ingested> {
  const storedBefore = await storedRecords(system);
  const before = { receiver: await cpuSeconds(system.pid), machine: machineSeconds() };
  const sent = await send(system, load);
  const stored = (await committed(system, storedBefore + sent.acknowledged)) - storedBefore;
  // Refused requests may have been kept all the same, where the answer was lost; without refusals both must be equal.
  if (sent.refused === 0 && stored !== sent.acknowledged)
    throw new Error(`${sent.acknowledged} sent, ${stored} stored`);
  const seconds = (Date.now() - sent.startMs) / 1000;
  const receiver = (await cpuSeconds(system.pid)) - before.receiver;
  const others = machineSeconds() - before.machine - receiver - sent.cpuSeconds;
  const micros = (seconds: number) => (seconds * 1e6) / sent.acknowledged;
  return {
    ...sent,
    seconds,
    eventsPerSecond: sent.acknowledged / seconds,
    cpu: { receiver: micros(receiver), generator: micros(sent.cpuSeconds), others: micros(others) },
  };
}

/** Sends a load and waits for its answers alone. */
export function send(system: SystemUnderLoad, load: Omit<Load, 'address' | 'firstSequence'>): Promise<Sent> {
  const firstSequence = sequence;
  sequence += Math.ceil(load.records / load.recordsPerRequest);
  return generate({ ...load, address: system.grpc, firstSequence });
}

/** How many records the store has taken since the start. */
export function storedRecords(system: SystemUnderLoad): Promise<number> {
  return system.metric(STORED);
}

/**
 * Waits until the store has taken so many. It is told by the barrier of `POST /flush`: asking for the metrics again and again took more CPU
 * of the machine, 2.4 µs an event in a round of 300,000, than Redis did.
 * @returns how many it has  @throws Error a minute later
 */
export async function committed(system: SystemUnderLoad, records: number): Promise<number> {
  const deadlineMs = Date.now() + COMMIT_MS_MAX;
  for (;;) {
    await fetch(`${system.http}/api/debug/flush?timeout_ms=${COMMIT_MS_MAX}`, { method: 'POST' });
    const stored = await storedRecords(system);
    if (stored >= records) return stored;
    if (Date.now() > deadlineMs) throw new Error(`${records} acknowledged, ${stored} stored a minute later`);
    await sleep(20);
  }
}

const STORED = 'records_stored_total';
const COMMIT_MS_MAX = 60_000;

function generate(load: Load): Promise<Sent> {
  const { promise, resolve, reject } = Promise.withResolvers<Sent>();
  const child = spawn(process.execPath, [join(import.meta.dirname, 'generator.ts'), JSON.stringify(load)], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  let output = '';
  child.stdout.setEncoding('utf8').on('data', (text: string) => {
    output += text;
  });
  child.once('exit', (code) => {
    if (code === 0) resolve(JSON.parse(output));
    else reject(new Error(`the generator ended with ${code}`));
  });
  return promise;
}

/** Of a process with its threads, since its start. */
export async function cpuSeconds(pid: number): Promise<number> {
  const stat = await readFile(`/proc/${pid}/stat`, 'utf8');
  const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
  return (Number(fields[11]) + Number(fields[12])) / TICKS;
}

const TICKS = 100;

/** Of all that runs here, since the machine started. */
function machineSeconds(): number {
  return cpus().reduce((sum, { times }) => sum + times.user + times.nice + times.sys + times.irq, 0) / 1000;
}
