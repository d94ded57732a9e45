import { type ChildProcess, execFile, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, open, readdir, readFile, rm, stat, truncate, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { promisify } from 'node:util';
import fc from 'fast-check';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { systemClock } from '../base/clock.ts';
import { createLogger } from '../base/log.ts';
import { createMeter } from '../base/meter.ts';
import { RecordTable } from '../model/records.ts';
import { bodyOf } from '../test/support/journal-writer.ts';
import { createJournal, type Journal, type JournalEntry, type JournalOptions } from './journal.ts';
import type { SegmentFile } from './journal-files.ts';

let directory: string;
const opened: Journal[] = [];

beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), 'journal-'));
});
afterEach(async () => {
  for (const journal of opened.splice(0)) await journal.stop();
  await rm(directory, { recursive: true });
});

function journalOf(more: Partial<JournalOptions> = {}): Journal {
  const journal = createJournal({
    directory,
    bytesMax: 64 << 20,
    segmentBytes: 1 << 20,
    clock: systemClock(),
    log: createLogger('silent'),
    meter: createMeter(),
    ...more,
  });
  opened.push(journal);
  return journal;
}

async function openJournal(more: Partial<JournalOptions> = {}): Promise<Journal> {
  const journal = journalOf(more);
  await journal.start();
  return journal;
}

const entry = (text: string): Omit<JournalEntry, 'position'> => ({
  signal: 'span',
  tenant: 'default',
  receivedAt: 1_700_000_000_000_000_000n,
  body: Buffer.from(text),
  index: null,
});
const textsOf = (entries: readonly JournalEntry[]): string[] => entries.map(({ body }) => Buffer.from(body).toString());

/** All that is unread right now. */
async function drain(journal: Journal, bytesMax = 1 << 20): Promise<JournalEntry[]> {
  const entries: JournalEntry[] = [];
  while (journal.stats().unreadBytes > 0) entries.push(...(await journal.take(bytesMax)));
  return entries;
}

const baseOf = (path: string): bigint => BigInt(`0x${path.slice(-'.segment'.length - 16, -'.segment'.length)}`);
const segmentsOf = async (): Promise<string[]> =>
  (await readdir(directory))
    .filter((name) => name.endsWith('.segment'))
    .sort()
    .map((name) => join(directory, name));

describe('append and take', () => {
  it('hands out what was appended, in order, with everything that came with it', async () => {
    const journal = await openJournal();
    const index = { records: new RecordTable(0, Buffer.from('one'), 1), accepted: 3, rejected: 0, rejectedReason: '' };
    const positions = await Promise.all([
      journal.append({ signal: 'log', tenant: 'a', receivedAt: 5n, body: Buffer.from('one'), index }),
      journal.append({ signal: 'metric', tenant: 'ü', receivedAt: 6n, body: Buffer.alloc(0), index: null }),
    ]);
    const taken = await journal.take(1 << 20);
    expect(taken.map((entry) => ({ ...entry, body: Buffer.from(entry.body).toString() }))).toEqual([
      { signal: 'log', tenant: 'a', receivedAt: 5n, body: 'one', index, position: positions[0] },
      { signal: 'metric', tenant: 'ü', receivedAt: 6n, body: '', index: null, position: positions[1] },
    ]);
    expect(positions[1]!).toBeGreaterThan(positions[0]!);
    expect(positions[0]!).toBeGreaterThan(0n);
    expect(journal.stats()).toMatchObject({ unreadBytes: 0, durable: positions[1] });
  });

  it('waits for the first entry, and ends the wait when told to', async () => {
    const journal = await openJournal();
    const waiting = journal.take(1 << 20);
    await journal.append(entry('late'));
    expect(textsOf(await waiting)).toEqual(['late']);

    const enough = new AbortController();
    const aborted = journal.take(1 << 20, enough.signal);
    enough.abort();
    expect(await aborted).toEqual([]);

    const stopped = journal.take(1 << 20);
    await journal.stop();
    expect(await stopped).toEqual([]);
    expect(await journal.take(1 << 20)).toEqual([]);
  });

  it('takes about as many bytes as asked for, and at least one entry', async () => {
    const journal = await openJournal();
    await Promise.all(['aaaa', 'bbbb', 'cccc'].map((text) => journal.append(entry(text))));
    expect(textsOf(await journal.take(8))).toEqual(['aaaa', 'bbbb']);
    expect(textsOf(await journal.take(1))).toEqual(['cccc']);
  });

  it('shares one commit among all that arrive while another runs', async () => {
    let syncs = 0;
    const journal = await openJournal({
      openFile: filesWith({
        datasync(file) {
          syncs++;
          return file.datasync();
        },
      }),
    });
    await Promise.all(Array.from({ length: 3000 }, (_, i) => journal.append(entry(`${i}`))));
    expect(syncs).toBe(2);
    expect(await drain(journal)).toHaveLength(3000);
  });

  it('reads back from the files what memory has no room for, whatever the sizes', async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.array(fc.oneof({ weight: 3, arbitrary: fc.nat(3000) }, { weight: 1, arbitrary: fc.constant(-1) }), {
          maxLength: 60,
        }),
        fc.integer({ min: 1, max: 8000 }),
        fc.integer({ min: 500, max: 9000 }),
        async (steps, memoryBytesMax, segmentBytes) => {
          const inner = await mkdtemp(join(directory, 'p-'));
          const journal = await openJournal({ directory: inner, memoryBytesMax, segmentBytes });
          const sent: string[] = [];
          const got: string[] = [];
          // A number appends that many bytes, -1 takes a few.
          for (const [i, step] of steps.entries()) {
            if (step >= 0) {
              sent.push(`${i}:`.padEnd(step, 'x'));
              await journal.append(entry(sent.at(-1)!));
            } else if (journal.stats().unreadBytes > 0) {
              const batch = await journal.take(2000);
              got.push(...textsOf(batch));
              await journal.release(batch.at(-1)!.position);
            }
          }
          got.push(...textsOf(await drain(journal, 5000)));
          expect(got).toEqual(sent);
          await journal.stop();
        },
      ),
      { numRuns: 30 },
    );
  });
});

describe('restart', () => {
  it('hands out again what was not released, behind the checkpoint, under the same id', async () => {
    const first = await openJournal();
    await Promise.all(['a', 'b', 'c'].map((text) => first.append(entry(text))));
    const [a] = await first.take(1);
    await first.release(a!.position);
    await first.stop();

    const second = await openJournal();
    expect(second.id).toBe(first.id);
    expect(second.id).toMatch(/^[0-9a-f]{32}$/);
    expect(textsOf(await drain(second))).toEqual(['b', 'c']);
  });

  it('gives out positions that grow across restarts, also when everything was released', async () => {
    let last = 0n;
    for (let i = 0; i < 4; i++) {
      const journal = await openJournal({ segmentBytes: 200 });
      for (const text of ['x', 'y'.repeat(150)]) {
        const position = await journal.append(entry(text));
        expect(position).toBeGreaterThan(last);
        last = position;
      }
      if (i !== 2) await journal.release((await drain(journal)).at(-1)!.position);
      await journal.stop();
      if (i === 1) await rm(join(directory, 'checkpoint'));
    }
  });

  it('continues behind the ledger, before or after its own checkpoint', async () => {
    const first = await openJournal();
    const [a, b] = await Promise.all(['a', 'b', 'c'].map((text) => first.append(entry(text))));
    await first.take(1 << 20);
    await first.release(b!);
    await first.stop();

    const second = await openJournal();
    await second.seek(a!);
    expect(textsOf(await drain(second))).toEqual(['b', 'c']);
    await second.stop();
  });

  it('never appends at a position that the ledger already has, though its files are gone', async () => {
    const journal = await openJournal();
    await journal.seek(1n << 62n);
    expect(await journal.append(entry('new'))).toBeGreaterThan(1n << 62n);
    expect(textsOf(await drain(journal))).toEqual(['new']);
  });

  it('gives no position of the ledger, though its files are gone and nobody could ask the ledger before', async () => {
    const first = await openJournal();
    await first.append(entry('stored'));
    const line = (await first.append(entry('stored too'))) + 1_000_000n;
    await first.stop();
    for (const name of await readdir(directory)) if (name !== 'identity') await rm(join(directory, name));

    const second = await openJournal();
    const appended = await second.append(entry('new'));
    expect(appended).toBeGreaterThan(line);
    await second.seek(line);
    expect(textsOf(await drain(second))).toEqual(['new']);
  });

  it('moves what it has behind the ledger when even the clock went back', async () => {
    const clock = { ...systemClock(), nowNanos: () => 0n };
    const journal = await openJournal({ clock, segmentBytes: 400, memoryBytesMax: 100 });
    const texts = Array.from({ length: 9 }, (_, i) => `${i}`.repeat(120));
    for (const text of texts.slice(0, 5)) await journal.append(entry(text));
    const during = texts.slice(5, 7).map((text) => journal.append(entry(text)));
    await journal.seek(1_000_000n);
    await Promise.all(during);
    for (const text of texts.slice(7)) expect(await journal.append(entry(text))).toBeGreaterThan(1_000_000n);
    const entries = await drain(journal);
    expect(textsOf(entries).sort()).toEqual(texts);
    for (const { position } of entries) expect(position).toBeGreaterThan(1_000_000n);
    await journal.release(entries.at(-1)!.position);
    expect(journal.stats()).toMatchObject({ bytes: 0, entries: 0, segments: 1 });
    await journal.stop();
    expect(textsOf(await drain(await openJournal()))).toEqual([]);
  });

  it('keeps the name of its line in the ledger, also where it had to take another', async () => {
    const first = await openJournal();
    expect(first.line).toBe(first.id);
    await first.takeAnotherLine();
    const { id, line } = first;
    expect(line).not.toBe(id);
    await first.stop();
    expect(await openJournal()).toMatchObject({ id, line });
  });

  it('offers all again rather than too little when a bit of the checkpoint flipped', async () => {
    const first = await openJournal();
    const [a] = await Promise.all(['a', 'b', 'c'].map((text) => first.append(entry(text))));
    await first.take(1);
    await first.release(a!);
    await first.stop();
    const path = join(directory, 'checkpoint');
    const text = await readFile(path, 'utf8');
    await writeFile(path, text.replace(/^\d/, '9'));
    expect(textsOf(await drain(await openJournal()))).toEqual(['a', 'b', 'c']);
  });

  it('keeps its id when the file that names it is lost, as the ledger goes by it', async () => {
    const first = await openJournal();
    await first.append(entry('a'));
    await first.stop();
    await rm(join(directory, 'identity'));
    const second = await openJournal();
    expect(second.id).toBe(first.id);
    expect(textsOf(await drain(second))).toEqual(['a']);
  });

  it('unlinks whole segments behind a release, and keeps the last', async () => {
    const journal = await openJournal({ segmentBytes: 1000 });
    for (let i = 0; i < 10; i++) await journal.append(entry('x'.repeat(700)));
    expect(await segmentsOf()).toHaveLength(10);
    const entries = await drain(journal);
    await journal.release(entries[4]!.position);
    expect(await segmentsOf()).toHaveLength(5);
    await journal.release(entries[9]!.position);
    expect(await segmentsOf()).toHaveLength(1);
    expect(journal.stats()).toMatchObject({ bytes: 0, segments: 1 });
  });
});

describe('F7 F10 a disk that refuses', () => {
  it('refuses with a retry hint when full, and takes again once the store has caught up', async () => {
    const journal = await openJournal({ bytesMax: 3000, segmentBytes: 1000 });
    await journal.append(entry('x'.repeat(1500)));
    await journal.append(entry('y'.repeat(1200)));
    await expect(journal.append(entry('z'.repeat(500)))).rejects.toMatchObject({
      code: 'UNAVAILABLE',
      retryAfterSeconds: expect.toSatisfy((seconds: number) => seconds >= 1 && seconds <= 5),
    });
    const [first] = await journal.take(1);
    await journal.release(first!.position);
    await journal.append(entry('z'.repeat(500)));
    expect((await drain(journal)).map(({ body }) => body.length)).toEqual([1200, 500]);
  });

  it('refuses for good what could never fit', async () => {
    const journal = await openJournal({ bytesMax: 1000 });
    await expect(journal.append(entry('x'.repeat(1000)))).rejects.toMatchObject({ code: 'TOO_LARGE' });
  });

  it('never acknowledges what a full disk took in part, and goes on when there is room', async () => {
    let full = false;
    const openFile = filesWith({
      async writev(file, buffers, position) {
        if (!full) return file.writev(buffers, position);
        await file.writev([Buffer.concat(buffers).subarray(0, 50)], position);
        throw Object.assign(new Error('no space left on device'), { code: 'ENOSPC' });
      },
    });
    const journal = await openJournal({ openFile });
    await journal.append(entry('before'));
    full = true;
    await expect(journal.append(entry('during'.repeat(9)))).rejects.toMatchObject({ code: 'UNAVAILABLE' });
    full = false;
    await journal.append(entry('after'));
    expect(textsOf(await drain(journal))).toEqual(['before', 'after']);
    await journal.stop();
    const again = await openJournal();
    expect(textsOf(await drain(again))).toEqual(['before', 'after']);
    expect(again.stats().damagedBytes).toBe(0);
  });

  it('forgets what of a refused batch reached the disk whole', async () => {
    let full = false;
    const openFile = filesWith({
      async writev(file, buffers, position) {
        if (!full) return file.writev(buffers, position);
        await file.writev(buffers.slice(0, 2), position);
        throw Object.assign(new Error('no space left on device'), { code: 'ENOSPC' });
      },
    });
    const journal = await openJournal({ openFile });
    await journal.append(entry('before'));
    full = true;
    const refused = await Promise.allSettled(['one', 'two', 'three'].map((text) => journal.append(entry(text))));
    expect(refused.map(({ status }) => status)).toEqual(['rejected', 'rejected', 'rejected']);
    await journal.stop();
    expect(textsOf(await drain(await openJournal()))).toEqual(['before']);
  });

  it('goes on over the torn part when that cannot be cut off', async () => {
    let full = false;
    const fail = () => Promise.reject(Object.assign(new Error('i/o error'), { code: 'EIO' }));
    const openFile = filesWith({
      async writev(file, buffers, position) {
        if (!full) return file.writev(buffers, position);
        await file.writev([Buffer.concat(buffers).subarray(0, 50)], position);
        return fail();
      },
      truncate: (file, size) => (full ? fail() : file.truncate(size)),
    });
    const journal = await openJournal({ openFile });
    await journal.append(entry('before'));
    full = true;
    await expect(journal.append(entry('during'.repeat(9)))).rejects.toMatchObject({ code: 'UNAVAILABLE' });
    full = false;
    await journal.append(entry('after'));
    await journal.stop();
    expect(textsOf(await drain(await openJournal()))).toEqual(['before', 'after']);
  });

  it('never asks a file again whose fdatasync failed', async () => {
    const failed = new Set<SegmentFile>();
    let fail = false;
    const openFile = filesWith({
      datasync(file) {
        expect(failed.has(file), 'fdatasync of a file that failed before').toBe(false);
        if (!fail) return file.datasync();
        failed.add(file);
        return Promise.reject(Object.assign(new Error('i/o error'), { code: 'EIO' }));
      },
    });
    const journal = await openJournal({ openFile });
    const before = await journal.append(entry('before'));
    fail = true;
    await expect(journal.append(entry('lost'))).rejects.toMatchObject({ code: 'UNAVAILABLE' });
    fail = false;
    expect(await journal.append(entry('after'))).toBeGreaterThan(before);
    expect(textsOf(await drain(journal))).toEqual(['before', 'after']);
    expect(await segmentsOf()).toHaveLength(2);
  });

  it('refuses while a new segment cannot be opened', async () => {
    let fail = true;
    const journal = await openJournal({
      openFile: (path, flags) =>
        fail ? Promise.reject(Object.assign(new Error('too many open files'), { code: 'EMFILE' })) : open(path, flags),
    });
    await expect(journal.append(entry('a'))).rejects.toMatchObject({ code: 'UNAVAILABLE' });
    fail = false;
    await journal.append(entry('b'));
    expect(textsOf(await drain(journal))).toEqual(['b']);
  });

  it('keeps its promise under a real limit of the kernel on the size of files', async () => {
    // RLIMIT_FSIZE of 64 kB: a short write first, then EFBIG, as a full disk would.
    const script = `
      const { createJournal } = await import(${JSON.stringify(new URL('./journal.ts', import.meta.url).href)});
      const { systemClock } = await import(${JSON.stringify(new URL('../base/clock.ts', import.meta.url).href)});
      const { createLogger } = await import(${JSON.stringify(new URL('../base/log.ts', import.meta.url).href)});
      const { createMeter } = await import(${JSON.stringify(new URL('../base/meter.ts', import.meta.url).href)});
      const journal = createJournal({ directory: ${JSON.stringify(directory)}, bytesMax: 1 << 24, segmentBytes: 1 << 24,
        clock: systemClock(), log: createLogger('silent'), meter: createMeter() });
      await journal.start();
      const acked = [], codes = new Set();
      for (let i = 0; i < 20; i++) {
        const body = Buffer.alloc(5000, 'x' + i);
        await journal.append({ signal: 'log', tenant: 't', receivedAt: 1n, body, index: null }).then(() => acked.push(i), (e) => codes.add(e.code));
      }
      console.log(JSON.stringify({ acked, codes: [...codes] }));
      process.exit(0);`;
    const { stdout } = await promisify(execFile)('bash', [
      '-c',
      'ulimit -f 64; exec "$0" --input-type=module -e "$1"',
      process.execPath,
      script,
    ]);
    const { acked, codes } = JSON.parse(stdout) as { acked: number[]; codes: string[] };
    expect(codes).toEqual(['UNAVAILABLE']);
    expect(acked.length).toBeGreaterThan(0);
    const journal = await openJournal();
    expect(textsOf(await drain(journal))).toEqual(acked.map((i) => Buffer.alloc(5000, `x${i}`).toString()));
  });
});

describe('what it says of itself', () => {
  it('how much waits and for how long, how it was written, and what was refused', async () => {
    let nowNanos = 1_700_000_005_000_000_000n;
    const meter = createMeter();
    const clock = { ...systemClock(), nowNanos: () => nowNanos };
    const journal = await openJournal({ meter, clock, bytesMax: 4000 });
    expect(journal.stats()).toMatchObject({ entries: 0, lagSeconds: 0 });
    const [first] = await Promise.all(['a', 'b', 'c'].map((text) => journal.append(entry(text))));
    expect(journal.stats()).toMatchObject({ entries: 3, lagSeconds: 5 });
    nowNanos += 2_000_000_000n;
    await expect(journal.append(entry('x'.repeat(3950)))).rejects.toMatchObject({ code: 'UNAVAILABLE' });
    await expect(journal.append(entry('x'.repeat(5000)))).rejects.toMatchObject({ code: 'TOO_LARGE' });
    expect(journal.stats()).toMatchObject({ entries: 3, lagSeconds: 7 });
    const text = await meter.registry.metrics();
    for (const line of [
      'ai_debug_journal_entries 3',
      'ai_debug_journal_lag_seconds 7',
      'ai_debug_journal_refused_total{reason="full"} 1',
      'ai_debug_journal_refused_total{reason="too_large"} 1',
      'ai_debug_journal_batch_entries_sum 3',
      'ai_debug_journal_batch_entries_count 2', // the first did not wait for the others
      'ai_debug_journal_fsync_seconds_count 2',
      'ai_debug_journal_quarantined_bytes 0',
    ]) {
      expect(text.split('\n')).toContain(line);
    }
    await journal.release(first!);
    expect(journal.stats().entries).toBe(2);
    await journal.release((await drain(journal)).at(-1)!.position);
    expect(journal.stats()).toMatchObject({ entries: 0, lagSeconds: 0, bytes: 0 });
  });

  it('knows after a restart since when the oldest waits', async () => {
    const first = await openJournal();
    await first.append(entry('a'));
    await first.stop();
    const clock = { ...systemClock(), nowNanos: () => 1_700_000_060_000_000_000n };
    const second = await openJournal({ clock });
    expect(second.stats()).toMatchObject({ entries: 0, lagSeconds: 60 });
    await second.release((await drain(second)).at(-1)!.position);
    expect(second.stats().lagSeconds).toBe(0);
  });
});

describe('F9 damage', () => {
  const texts = ['first', 'second'.repeat(100), 'third', 'fourth'];

  async function written(): Promise<string> {
    const journal = await openJournal();
    for (const text of texts) await journal.append(entry(text));
    await journal.stop();
    return (await segmentsOf())[0]!;
  }

  async function flip(path: string, offset: number): Promise<void> {
    const file = await open(path, 'r+');
    const byte = Buffer.alloc(1);
    await file.read(byte, 0, 1, offset);
    await file.write(Buffer.from([byte[0]! ^ 0x10]), 0, 1, offset);
    await file.close();
  }

  it.each([1, 7, 19, 33, 50])('drops a tail torn %i bytes short, and goes on behind it', async (missing) => {
    const path = await written();
    await truncate(path, (await stat(path)).size - missing);
    const journal = await openJournal();
    const position = await journal.append(entry('new'));
    expect(textsOf(await drain(journal))).toEqual([...texts.slice(0, missing < 45 ? 3 : 2), 'new']);
    expect(position).toBe(journal.stats().durable);
    await journal.stop();
    expect(textsOf(await drain(await openJournal()))).toEqual([...texts.slice(0, missing < 45 ? 3 : 2), 'new']);
  });

  it('drops a tail of zeros, which a file system may leave after a power cut', async () => {
    const path = await written();
    await truncate(path, (await stat(path)).size + 300_000);
    const journal = await openJournal();
    expect(textsOf(await drain(journal))).toEqual(texts);
    expect((await stat(path)).size).toBeLessThan(300_000);
  });

  it('loses only the record in which a bit flipped, and keeps the file aside', async () => {
    const path = await written();
    await flip(path, 36 + 50 + 100); // in the body of the second
    const journal = await openJournal();
    await journal.append(entry('new'));
    const entries = await drain(journal);
    expect(textsOf(entries)).toEqual(['first', 'third', 'fourth', 'new']);
    expect(journal.stats().damagedBytes).toBeGreaterThan(600);
    await journal.release(entries.at(-1)!.position);
    expect((await readdir(directory)).filter((name) => name.endsWith('.damaged'))).toHaveLength(1);
  });

  it('keeps the file aside also when the process ends before it lets go of it, and the next never reads it', async () => {
    const path = await written();
    await flip(path, 36 + 50 + 100);
    const killed = await openJournal();
    const entries = await drain(killed);
    expect(killed.stats().quarantinedBytes).toBeGreaterThan(0);
    await killed.stop(); // the store has them, and nobody was told

    const next = await openJournal();
    await next.seek(entries.at(-1)!.position);
    await next.append(entry('new'));
    await next.release((await drain(next)).at(-1)!.position);
    expect(await segmentsOf()).not.toContain(path);
    expect((await readdir(directory)).filter((name) => name.endsWith('.damaged'))).toHaveLength(1);
    expect(next.stats().quarantinedBytes).toBeGreaterThan(600);
  });

  it('never hands out anything but what was appended, wherever bits flip or zeros stand', async () => {
    const path = await written();
    const whole = await readFile(path);
    await fc.assert(
      fc.asyncProperty(
        fc.nat(whole.length - 1),
        fc.integer({ min: 1, max: 400 }),
        fc.constantFrom('flip', 'zero', 'cut'),
        async (offset, length, kind) => {
          const bytes = Buffer.from(whole);
          if (kind === 'flip') bytes[offset]! ^= length & 0xff || 1;
          if (kind === 'zero') bytes.fill(0, offset, Math.min(offset + length, bytes.length));
          await writeFile(path, kind === 'cut' ? bytes.subarray(0, offset) : bytes);
          const journal = await openJournal();
          await journal.append(entry('new'));
          const got = textsOf(await drain(journal));
          expect([...texts, 'new']).toEqual(expect.arrayContaining(got));
          expect(got).toEqual([...texts, 'new'].filter((text) => got.includes(text)));
          expect(got.at(-1)).toBe('new');
          if (kind === 'flip') expect(got.length).toBeGreaterThanOrEqual(4);
          await journal.stop();
          for (const name of await readdir(directory)) if (name !== 'identity') await rm(join(directory, name));
        },
      ),
      { numRuns: 60 },
    );
  });

  it('takes no bytes inside a body for a record', async () => {
    const path = await written();
    const bytes = await readFile(path);
    const journal = await openJournal();
    // A body that is itself a piece of a journal, and damage right before it.
    const at = (await journal.append({ ...entry(''), body: bytes })) - BigInt(bytes.length);
    await journal.stop();
    const [, last] = await segmentsOf();
    await flip(last!, Number(at - baseOf(last!)) - 3);
    expect(textsOf(await drain(await openJournal()))).toEqual(texts);
  });

  it('goes on when a segment in the middle is missing', async () => {
    const journal = await openJournal({ segmentBytes: 300 });
    for (const text of ['a', 'b', 'c']) await journal.append(entry(text.repeat(200)));
    await journal.stop();
    await rm((await segmentsOf())[1]!);
    expect(textsOf(await drain(await openJournal())).map((text) => text[0])).toEqual(['a', 'c']);
  });

  it('sets a file of another version or another journal aside, and starts', async () => {
    const path = await written();
    const other = await readFile(path);
    other.writeUInt16LE(2, 6);
    const { crc32 } = await import('node:zlib');
    other.writeUInt32LE(crc32(other.subarray(0, 32)), 32);
    await writeFile(path, other);
    const journal = await openJournal();
    expect(journal.stats().unreadBytes).toBe(0);
    await journal.append(entry('new'));
    expect(textsOf(await drain(journal))).toEqual(['new']);
    expect((await readdir(directory)).filter((name) => name.endsWith('.foreign'))).toHaveLength(1);
  });

  it('tries again, and loses nothing, when a file cannot be read for a while', async () => {
    await written();
    let failures = 0;
    let recovered = false;
    const journal = await openJournal({
      openFile: (path, flags) =>
        recovered && failures++ < 2
          ? Promise.reject(Object.assign(new Error('too many open files'), { code: 'EMFILE' }))
          : open(path, flags),
    });
    recovered = true;
    expect(textsOf(await drain(journal))).toEqual(texts);
    expect(failures).toBeGreaterThan(2);
    expect(journal.stats().damagedBytes).toBe(0);
  });

  it('passes over a sector that cannot be read', async () => {
    const path = await written();
    let reads = 0;
    const bad = filesWith({
      // The first read is of the header, the second recovers; then the disk fails.
      read: (file, ...args) =>
        ++reads <= 2 ? file.read(...args) : Promise.reject(Object.assign(new Error('i/o error'), { code: 'EIO' })),
    });
    const failing = await openJournal({ openFile: (name, flags) => (name === path ? bad : open)(name, flags) });
    await failing.append(entry('new'));
    expect(textsOf(await drain(failing))).toEqual(['new']);
    expect(failing.stats().damagedBytes).toBeGreaterThan(600);
  });
});

describe('F12 two writers', () => {
  it('refuses a second opener of the directory and names the setting, until the first has stopped', async () => {
    const first = await openJournal();
    await expect(journalOf().start()).rejects.toThrow(/another process.*DEBUG_DATA_DIR/);
    await first.append(entry('still works'));
    await first.stop();
    await openJournal();
  });

  it('holds against many that start at the same moment', async () => {
    const journals = Array.from({ length: 8 }, () => journalOf());
    const started = await Promise.allSettled(journals.map((journal) => journal.start()));
    expect(started.filter(({ status }) => status === 'fulfilled')).toHaveLength(1);
  });

  it('refuses one from another process, and not after that was killed', async () => {
    const writer = await startWriter(0, 1 << 20);
    await writer.acked(1);
    await expect(journalOf().start()).rejects.toThrow(/another process/);
    await writer.kill();
    await openJournal();
  });

  it('names the setting when the directory cannot be made', async () => {
    await writeFile(join(directory, 'file'), '');
    await expect(journalOf({ directory: join(directory, 'file', 'x') }).start()).rejects.toThrow(/DEBUG_DATA_DIR/);
  });
});

describe('stop', () => {
  it('commits what was appended, refuses what comes after, and can be asked twice', async () => {
    const openFile = filesWith({ datasync: async (file) => sleep(100).then(() => file.datasync()) });
    const journal = await openJournal({ openFile });
    await journal.append(entry('before'));
    const appended = ['a', 'b', 'c'].map((text) => journal.append(entry(text)));
    await Promise.all([journal.stop(), journal.stop()]);
    await Promise.all(appended);
    await expect(journal.append(entry('d'))).rejects.toMatchObject({ code: 'UNAVAILABLE' });
    expect(textsOf(await drain(await openJournal()))).toEqual(['before', 'a', 'b', 'c']);
  });

  it('does nothing when it was never started', async () => {
    await journalOf().stop();
    expect(await readdir(directory)).toEqual([]);
  });
});

describe('F8 kill -9', () => {
  it('has everything that was acknowledged, whole, after each of many kills', { timeout: 120_000 }, async () => {
    const owed = new Set<number>();
    let next = 0;
    for (let round = 0; round < 24; round++) {
      const writer = await startWriter(next, [3000, 60_000, 1 << 20][round % 3]!);
      await writer.acked(1 + ((round * 37) % 150));
      await writer.kill();
      for (const sequence of writer.lines) owed.add(sequence);
      next = Math.max(...writer.lines) + 100;

      const journal = await openJournal();
      const found = new Set<number>();
      let last = 0n;
      for (const { receivedAt, body, position } of await drain(journal)) {
        const sequence = Number(receivedAt);
        expect(Buffer.compare(body, bodyOf(sequence))).toBe(0);
        expect(found.has(sequence)).toBe(false);
        expect(position).toBeGreaterThan(last);
        last = position;
        found.add(sequence);
      }
      expect([...owed].filter((sequence) => !found.has(sequence))).toEqual([]);
      expect(journal.stats().damagedBytes).toBe(0);
      // Every other round leaves its entries to the next.
      if (round % 2 === 1) {
        await journal.release(last);
        owed.clear();
      }
      await journal.stop();
    }
  });
});

/** Files of the file system with some calls replaced. */
function filesWith(calls: {
  writev?: (file: SegmentFile, buffers: Uint8Array[], position: number) => ReturnType<SegmentFile['writev']>;
  datasync?: (file: SegmentFile) => Promise<void>;
  truncate?: (file: SegmentFile, size: number) => Promise<void>;
  read?: (file: SegmentFile, ...args: [Uint8Array, number, number, number]) => ReturnType<SegmentFile['read']>;
}): NonNullable<JournalOptions['openFile']> {
  return async (path, flags) => {
    const file = await open(path, flags);
    return new Proxy(file, {
      get(target, name: keyof typeof calls) {
        const replaced = calls[name] as ((file: SegmentFile, ...args: unknown[]) => unknown) | undefined;
        if (replaced !== undefined) return (...args: unknown[]) => replaced(target, ...args);
        const value = Reflect.get(target, name) as unknown;
        return typeof value === 'function' ? value.bind(target) : value;
      },
    });
  };
}

interface Writer {
  /** Sequences acknowledged so far. */
  lines: number[];
  acked(count: number): Promise<void>;
  kill(): Promise<void>;
}

/** test/support/journal-writer.ts in a process of its own, writing from a sequence on. */
async function startWriter(first: number, segmentBytes: number): Promise<Writer> {
  const script = new URL('../test/support/journal-writer.ts', import.meta.url).pathname;
  const child: ChildProcess = spawn(process.execPath, [script, directory, String(first), String(segmentBytes)], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  const lines: number[] = [];
  let rest = '';
  child.stdout!.setEncoding('utf8').on('data', (text: string) => {
    const parts = (rest + text).split('\n');
    rest = parts.pop()!;
    lines.push(...parts.map(Number));
  });
  return {
    lines,
    async acked(count) {
      while (lines.length < count) await once(child.stdout!, 'data');
    },
    async kill() {
      const closed = once(child, 'close');
      child.kill('SIGKILL');
      await closed;
    },
  };
}
