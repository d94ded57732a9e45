/** What a disk, a kill, a second process and a stop do to the whole in a process of its own: FAULTS.md F7, F9, F12, F30. */
import { execFile } from 'node:child_process';
import { mkdtemp, open, readdir, rm, stat, statfs } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { promisify } from 'node:util';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it, vi } from 'vitest';
import type { Addresses } from '../../collector.ts';
import { allPages, runProgram } from '../support/system.ts';
import { createSenders, messageOf, requestOf, type Senders, WAYS } from './telemetry.ts';
import { createVictims, type Victim, type Victims } from './victims.ts';

const run = promisify(execFile);
const SINCE = (BigInt(Date.now()) / 60_000n) * 60_000_000_000n;

let folder: string;
let dataDir: string;
let victims: Victims;
let victim: Victim;
let addresses: Addresses;
let senders: Senders;
let acknowledged: number[];

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'ai-debug-process-'));
  victims = createVictims(join(folder, 'compile-cache'));
});
afterAll(async () => {
  await victims.stop();
  await rm(folder, { recursive: true, force: true });
});
beforeEach(async () => {
  dataDir = await mkdtemp(join(folder, 'data-'));
  acknowledged = [];
});
afterEach(async () => {
  senders.stop();
  victim.kill();
  await victim.ended;
});

async function start(flags: Record<string, string> = {}): Promise<void> {
  victim = await victims.start({
    'data-dir': dataDir,
    'otlp-grpc-port': '0',
    'otlp-http-port': '0',
    'http-port': '0',
    'grpc-port': '0',
    'insight-auto-generate': 'false',
    ...flags,
  });
  addresses = (await victim.up)!;
  senders?.stop();
  senders = createSenders(addresses);
}

async function send(...numbers: number[]) {
  const outcome = await senders.send(WAYS[(numbers[0]! / 2) % 3]!, requestOf(numbers, SINCE));
  if (outcome === 'acknowledged') acknowledged.push(...numbers);
  return outcome;
}

async function kill(): Promise<void> {
  victim.kill();
  await victim.ended;
}

const stored = async () => (await allPages(`${addresses.http}/api/debug/events`, {})).map(({ message }) => message);

async function metric(name: string): Promise<number> {
  const text = await (await fetch(`${addresses.http}/metrics`)).text();
  return Number(new RegExp(`^ai_debug_${name} (.*)$`, 'm').exec(text)?.[1]);
}

/** Everything acknowledged is there once. */
async function expectNothingLost(): Promise<void> {
  await vi.waitFor(async () => expect(await metric('journal_bytes')).toBe(0), { timeout: 15_000, interval: 50 });
  const messages = await stored();
  expect(new Set(messages).size).toBe(messages.length);
  expect(acknowledged.map(messageOf).filter((message) => !messages.includes(message))).toEqual([]);
}

describe('F7 a full disk', () => {
  let disk: Disk;
  beforeEach(async () => {
    disk = await smallDisk(dataDir);
  });
  afterEach(async () => {
    await kill();
    await disk.remove();
  });

  it('is never an acknowledgement: senders are told when to come again, and taken in when there is room', async () => {
    await start();
    expect(await send(0, 2)).toBe('acknowledged');
    await disk.fill(victim);
    // Each of the three ways, over and over: what little room is left is used up first.
    await vi.waitFor(async () => {
      for (const number of [100, 102, 104]) expect(await send(number, number + 200)).toBe('refused');
    }, 10_000);
    await disk.free(victim);
    await vi.waitFor(async () => expect(await send(4, 6)).toBe('acknowledged'), 10_000);
    await expectNothingLost();
  });

  it('does not cost what was acknowledged before it, though the process is killed on it', async () => {
    await start();
    for (let number = 0; number < 60; number += 6) await send(number, number + 2, number + 4);
    await disk.fill(victim);
    for (let number = 100; number < 160; number += 6) await send(number, number + 2, number + 4);
    await kill();
    await disk.free(victim);
    await start();
    await expectNothingLost();
    expect(acknowledged.length).toBeGreaterThanOrEqual(30);
  });
});

describe('F9 a journal that is damaged', () => {
  it('starts, stores what is whole, keeps the file aside and tells how much it passed over', async () => {
    await start();
    await send(0, 2);
    await expectNothingLost();
    // The store is out of the way, so that what comes waits in the journal.
    victim.killAt('checkpoint', 1);
    for (let number = 10; !victim.dead; number += 4) await send(number, number + 2);
    await kill();
    const journal = join(dataDir, 'journal');
    const segments = (await readdir(journal)).filter((name) => name.endsWith('.segment')).sort();
    const sizes = await Promise.all(segments.map(async (name) => (await stat(join(journal, name))).size));
    // The newest may be there and hold nothing yet.
    await flipBits(join(journal, segments[sizes.findLastIndex((bytes) => bytes > 36 + 100)]!));
    await rm(join(dataDir, 'events.db'), { force: true });
    for (const name of await readdir(dataDir)) if (name.startsWith('events.db')) await rm(join(dataDir, name));
    await rm(join(journal, 'checkpoint'), { force: true });

    for (let round = 0; round < 3; round++) {
      await start(); // and again: never a loop of crashes
      expect(await send(1000 + round * 2)).toBe('acknowledged');
      await vi.waitFor(async () => expect(await metric('journal_bytes')).toBe(0), { timeout: 15_000 });
      if (round === 0) {
        expect(await metric('journal_damaged_bytes_total')).toBeGreaterThan(0);
        // Put aside when the journal tidies up, soon after the store has what is whole in it.
        const aside = async () => expect(await metric('journal_quarantined_bytes')).toBeGreaterThan(0);
        await vi.waitFor(aside, { timeout: 15_000 });
      }
      await kill();
    }
    await start();
    expect(await metric('journal_quarantined_bytes')).toBeGreaterThan(0);
    const messages = await stored();
    expect(new Set(messages).size).toBe(messages.length);
    expect(messages).toEqual(expect.arrayContaining([1000, 1002, 1004].map(messageOf)));
  });
});

it('F12 a second process on the same folder refuses to start and names the setting; the first goes on', async () => {
  await start();
  const ports = ['--otlp-grpc-port=0', '--otlp-http-port=0', '--http-port=0', '--grpc-port=0'];
  const second = await runProgram('up', `--data-dir=${dataDir}`, ...ports);
  expect(second.code).not.toBe(0);
  expect(second.stderr).toMatch(/another process.*DEBUG_DATA_DIR/s);
  expect(await send(0, 2)).toBe('acknowledged');
  await expectNothingLost();
});

it('F30 SIGTERM under load: it ends by itself and in time, and nothing that was acknowledged is lost', async () => {
  for (let round = 0; round < 3; round++) {
    await start();
    const load = Array.from({ length: 6 }, async (_, sender) => {
      for (let i = 0; !victim.dead && i < 500; i++) {
        const number = 2 * (10_000 * round + 1000 * sender + i);
        await send(number);
      }
    });
    await sleep(200);
    const grace = setTimeout(() => victim.kill(), 10_000);
    expect(await victim.stop()).toBe(0);
    clearTimeout(grace);
    await Promise.all(load);
  }
  await start();
  await expectNothingLost();
  expect(acknowledged.length).toBeGreaterThan(10);
});

async function flipBits(path: string): Promise<void> {
  const file = await open(path, 'r+');
  const { size } = await file.stat();
  const byte = Buffer.alloc(1);
  // In the first record, behind the header of the file and that of the record.
  const at = Math.min(36 + 100, size - 1);
  await file.read(byte, 0, 1, at);
  await file.write(Buffer.from([byte[0]! ^ 0x10]), 0, 1, at);
  await file.close();
}

interface Disk {
  fill(victim: Victim): Promise<void>;
  free(victim: Victim): Promise<void>;
  remove(): Promise<void>;
}

/** A file system of its own where we may mount one, else a limit on the size of files, which a process meets in the same way. */
async function smallDisk(directory: string): Promise<Disk> {
  try {
    await run('mount', ['-t', 'tmpfs', '-o', 'size=24m', 'tmpfs', directory]);
  } catch {
    const limit = (victim: Victim, bytes: string) =>
      run('prlimit', [`--pid=${victim.pid}`, `--fsize=${bytes}:`]).then(
        () => {},
        () => {}, // it has ended
      );
    return {
      fill: (victim) => limit(victim, '1000'),
      free: (victim) => limit(victim, 'unlimited'),
      remove: async () => {},
    };
  }
  const ballast = join(directory, 'ballast');
  return {
    async fill() {
      const { bavail, bsize } = await statfs(directory);
      const file = await open(ballast, 'w');
      for (let left = bavail * bsize; left > 0; left -= bsize) await file.write(Buffer.alloc(bsize)).catch(() => {});
      await file.close();
    },
    free: () => rm(ballast),
    remove: () => run('umount', ['-l', directory]).then(() => {}),
  };
}
