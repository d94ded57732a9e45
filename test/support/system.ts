import { execFile } from 'node:child_process';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { startProgram } from '../../demo/processes.ts';
import type { DebugEvent } from '../../model/event.ts';

export const CLI = join(import.meta.dirname, '../../cli.ts');

export interface System {
  /** `http://host:port` each. */
  readonly http: string;
  readonly otlpHttp: string;
  /** Every event that a query finds, newest first, over as many pages as it takes. */
  events(query: Record<string, string>): Promise<DebugEvent[]>;
  /** SIGTERM, and its data is gone. */
  stop(): Promise<void>;
}

/** A real `ai-debug up` on the embedded tiers, in a process of its own on free ports and a fresh folder. */
export async function startSystem(...flags: string[]): Promise<System> {
  const dataDir = await mkdtemp(join(tmpdir(), 'ai-debug-system-'));
  const ports = ['--otlp-grpc-port=0', '--otlp-http-port=0', '--http-port=0', '--grpc-port=0'];
  const program = await startProgram({
    name: 'ai-debug up',
    args: [CLI, 'up', '--json', '--log-level=warn', `--data-dir=${dataDir}`, ...ports, ...flags],
    hide: /^DEBUG_/,
    ready: /^\{.*\}$/m,
  });
  const addresses = JSON.parse(program.said[0]) as { http: string; otlp_http: string };
  return {
    http: addresses.http,
    otlpHttp: addresses.otlp_http,
    events: (query) => allPages(`${addresses.http}/api/debug/events`, query),
    async stop() {
      await program.stop();
      await rm(dataDir, { recursive: true, force: true });
    },
  };
}

/** Runs a command of the program to its end. */
export function runProgram(...args: string[]): Promise<{ code: number; stdout: string; stderr: string }> {
  const { promise, resolve } = Promise.withResolvers<{ code: number; stdout: string; stderr: string }>();
  execFile(process.execPath, [CLI, ...args], { maxBuffer: 64 * 1024 * 1024 }, (error, stdout, stderr) => {
    resolve({ code: error === null ? 0 : Number(error.code ?? -1), stdout, stderr });
  });
  return promise;
}

/** Every event of a list, newest first, over as many pages as it takes. */
export async function allPages(url: string, query: Record<string, string>): Promise<DebugEvent[]> {
  const events: DebugEvent[] = [];
  let cursor: string | undefined;
  do {
    const parameters = new URLSearchParams({ ...query, limit: '1000', ...(cursor !== undefined && { cursor }) });
    const response = await fetch(`${url}?${parameters}`);
    const page = (await response.json()) as { data: DebugEvent[]; meta: { next_cursor?: string } };
    if (!response.ok) throw new Error(`GET ${url} answered ${response.status}: ${JSON.stringify(page)}`);
    events.push(...page.data);
    cursor = page.meta.next_cursor;
  } while (cursor !== undefined);
  return events;
}
