/** What was acknowledged is there after a stop, and after a kill, once. */
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { type RunningProgram, startProgram } from '../../demo/processes.ts';
import { allPages, CLI } from '../support/system.ts';

let dataDir: string;
let running: RunningProgram | undefined;

beforeEach(async () => {
  dataDir = await mkdtemp(join(tmpdir(), 'ai-debug-acknowledged-'));
});

afterEach(async () => {
  await running?.stop();
  await rm(dataDir, { recursive: true, force: true });
});

test.each(['SIGTERM', 'SIGKILL'] as const)(
  'F8 F30 %s under load loses nothing that was acknowledged',
  async (signal) => {
    const acknowledged: string[] = [];
    for (let round = 0; round < 2; round++) {
      const { otlp_http } = await up();
      const load = Array.from({ length: 8 }, (_, sender) => send(otlp_http, `${round}-${sender}`, acknowledged));
      await sleep(150 + 100 * round);
      process.kill(running!.pid, signal);
      await Promise.all(load);
      await running!.stop(); // it has ended: only waits for that
    }
    expect(acknowledged.length).toBeGreaterThan(0);
    const { http } = await up();
    const stored = (await allPages(`${http}/api/debug/events`, {})).map(({ message }) => message);
    expect(new Set(stored).size).toBe(stored.length);
    const there = new Set(stored);
    expect(acknowledged.filter((message) => !there.has(message))).toEqual([]);
  },
  60_000,
);

/** Sends until nobody answers any more; remembers what got a 200. */
async function send(endpoint: string, sender: string, acknowledged: string[]): Promise<void> {
  for (let request = 0; request < 2000; request++) {
    const messages = Array.from({ length: 5 }, (_, i) => `message ${sender}-${request}-${i}`);
    const time = String(BigInt(Date.now()) * 1_000_000n);
    const logRecords = messages.map((message) => ({ timeUnixNano: time, body: { stringValue: message } }));
    const body = JSON.stringify({ resourceLogs: [{ scopeLogs: [{ logRecords }] }] });
    const headers = { 'content-type': 'application/json' };
    const response = await fetch(`${endpoint}/v1/logs`, { method: 'POST', headers, body }).catch(() => null);
    if (response === null) return;
    await response.arrayBuffer().catch(() => {});
    if (response.status === 200) acknowledged.push(...messages);
  }
}

async function up(): Promise<{ http: string; otlp_http: string }> {
  const ports = ['--otlp-grpc-port=0', '--otlp-http-port=0', '--http-port=0', '--grpc-port=0'];
  running = await startProgram({
    name: 'ai-debug up',
    args: [CLI, 'up', '--json', '--log-level=warn', `--data-dir=${dataDir}`, ...ports],
    hide: /^DEBUG_/,
    ready: /^\{.*\}$/m,
  });
  return JSON.parse(running.said[0]);
}
