import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { createLogger } from '../base/log.ts';
import { createMeter } from '../base/meter.ts';
import { NANOS_PER_DAY } from '../model/time.ts';
import type { WarmStore } from '../storage/contract.ts';
import { createEmbeddedStore } from '../storage/embedded/store.ts';
import { flush } from '../test/contract/warm-store.suite.ts';
import { logBlock, NOON } from '../test/support/blocks.ts';
import { archive } from './archive.ts';
import { EXIT, runCommand } from './command.ts';

let folder: string;
let running: WarmStore;
const clock = { nowNanos: () => NOON, monotonicMs: () => performance.now() };

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'ai-debug-archive-command-'));
  // As a running `ai-debug up` has it open.
  running = createEmbeddedStore({ directory: folder, clock, log: createLogger('silent'), meter: createMeter() });
  await running.start();
  const days = [20n, 1n].map((day) => logBlock([{ time: NOON - day * NANOS_PER_DAY, message: `${day}` }]));
  await running.commit(flush({ blocks: days }));
});
afterEach(async () => {
  await running.stop();
  await rm(folder, { recursive: true });
});

async function run(...args: string[]): Promise<{ code: number; out: string; err: string }> {
  const said = { out: '', err: '' };
  const into = (name: 'out' | 'err') => ({
    write(text: string) {
      said[name] += text;
      return true;
    },
  });
  const context = { stdout: into('out'), stderr: into('err'), clock, signal: new AbortController().signal, entry: '' };
  const code = await runCommand('archive', archive, context, [...args, `--data-dir=${folder}`]);
  return { code, ...said };
}

it('moves what is due, says what there is, and brings it back, beside a running system', async () => {
  expect(JSON.parse((await run('run', '--json')).out)).toEqual({ days: ['2025-12-26'] });
  expect(await run('run')).toEqual({ code: EXIT.ok, out: 'nothing was due\n', err: '' });
  const status = JSON.parse((await run('status', '--json')).out);
  expect(status.warm).toEqual([{ day: '2026-01-14', due: false, restored: false }]);
  expect(status.archived).toMatchObject([{ tenant: 'default', day: '2025-12-26', files: 1, blocks: 1, records: 1 }]);
  expect((await run('restore', '2025-12-26')).out).toBe('2025-12-26 is back: 1 blocks\n');
  expect(await running.days()).toEqual(['2025-12-26', '2026-01-14']);
  expect((await run('status')).out).toMatch(
    /2025-12-26 {2}restored[\s\S]*archive\n {2}2025-12-26 {2}default {2}1 records in 1 files/,
  );
});

it('says that another process is archiving, that there is no such day, and what it takes', async () => {
  await running.takeLease('retention', 'another process', 60_000);
  expect(await run('run')).toMatchObject({ code: EXIT.trouble, err: expect.stringContaining('another process') });
  expect(await run('restore', '2001-01-01')).toMatchObject({ code: EXIT.trouble });
  for (const wrong of [['burn'], [], ['restore', 'monday'], ['status', 'x']]) {
    expect((await run(...wrong)).code).toBe(EXIT.usage);
  }
  expect((await run('status', '--pg-url=postgres://127.0.0.1:1/none')).code).toBe(EXIT.unreachable);
  expect((await run('--help')).out).toContain('restore DAY');
});
