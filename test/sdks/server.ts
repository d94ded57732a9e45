/** The whole program on its embedded tiers, as a user starts it: a process, free ports, a folder of its own. */
import { type ChildProcess, spawn } from 'node:child_process';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import type { DebugEvent } from '../../model/event.ts';

export interface Server {
  readonly grpcUrl: string;
  readonly httpUrl: string;
  /** Of questions: over HTTP, over gRPC. */
  readonly queryUrl: string;
  readonly queryGrpcUrl: string;
  /**
   * All events that match the parameters of `GET /events`, once there are at least as many: an acknowledged record is
   * readable within a second, and these were acknowledged.
   * @throws Error that says what there was instead
   */
  events(count: number, params?: Record<string, string>): Promise<DebugEvent[]>;
  event(id: string): Promise<DebugEvent>;
  /** Stops it and removes its folder. @throws Error when it did not stop by itself with status 0 */
  stop(): Promise<void>;
}

/** @param args besides those that give it ports and a folder of its own */
export async function startServer(args: readonly string[] = []): Promise<Server> {
  const dataDir = await mkdtemp(join(tmpdir(), 'ai-debug-sdks-'));
  const ports = ['otlp-grpc-port', 'otlp-http-port', 'http-port', 'grpc-port'].map((name) => `--${name}=0`);
  const child = spawn(
    process.execPath,
    [CLI, 'up', '--json', ...ports, `--data-dir=${dataDir}`, '--log-level=warn', ...args],
    {
      // Settings of whoever runs the tests are not those of the server under test.
      env: Object.fromEntries(Object.entries(process.env).filter(([name]) => !name.startsWith('DEBUG_'))),
      stdio: ['ignore', 'pipe', 'inherit'],
    },
  );
  const ended = new Promise<number | null>((resolve) => child.once('close', (code) => resolve(code)));
  const removed = ended.then(() => rm(dataDir, { recursive: true, force: true }));
  const { otlp_grpc, otlp_http, http, grpc } = await firstLine(child);

  async function ask<Data>(path: string): Promise<Data> {
    const response = await fetch(`${http}/api/debug${path}`);
    if (!response.ok) throw new Error(`GET ${path}: ${response.status} ${await response.text()}`);
    return ((await response.json()) as { data: Data }).data;
  }

  return {
    grpcUrl: otlp_grpc,
    httpUrl: otlp_http,
    queryUrl: http,
    queryGrpcUrl: grpc,
    async events(count, params = {}) {
      const query = new URLSearchParams({ time_range: '1h', limit: '1000', ...params });
      for (const deadline = Date.now() + READABLE_TIMEOUT_MS; ; await sleep(POLL_MS)) {
        const events = await ask<DebugEvent[]>(`/events?${query}`);
        if (events.length >= count) return events;
        if (Date.now() > deadline)
          throw new Error(`${events.length} events instead of ${count}: ${JSON.stringify(events)}`);
      }
    },
    event: (id) => ask(`/events/${id}`),
    async stop() {
      child.kill('SIGTERM');
      const status = await ended;
      await removed;
      if (status !== 0) throw new Error(`the server ended with status ${status}`);
    },
  };
}

const CLI = join(import.meta.dirname, '../../cli.ts');
/** The promise is one second; a busy test machine is granted more. */
const READABLE_TIMEOUT_MS = 10_000;
const POLL_MS = 50;

const sleep = (ms: number) => new Promise((resolve) => setTimeout(resolve, ms));

/** Where it listens. It prints that once it does. */
async function firstLine(child: ChildProcess): Promise<Record<'otlp_grpc' | 'otlp_http' | 'http' | 'grpc', string>> {
  for await (const line of createInterface(child.stdout!)) return JSON.parse(line);
  throw new Error('the server ended before it listened');
}
