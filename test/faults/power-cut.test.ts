/**
 * F8 when it is not the process but the power that goes: of what was written and not synced, any part of any page may be on the disk.
 * The disk here forgets like that; the journal over it must not.
 */
import { mkdtemp, open, readdir, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import fc from 'fast-check';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { systemClock } from '../../base/clock.ts';
import { createLogger } from '../../base/log.ts';
import { createMeter } from '../../base/meter.ts';
import { createJournal, type Journal } from '../../receiver/journal.ts';
import type { SegmentFile } from '../../receiver/journal-files.ts';
import { createRandom, type Random } from './random.ts';

let folder: string;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'power-cut-'));
});
afterAll(() => rm(folder, { recursive: true }));

it('F8 F10 what was acknowledged is there after a power cut, whatever the disk made of the rest', async () => {
  await fc.assert(
    fc.asyncProperty(
      fc.array(fc.record({ sizes: fc.array(fc.nat(9000), { minLength: 1, maxLength: 6 }), fails: fc.nat(20) }), {
        minLength: 1,
        maxLength: 12,
      }),
      fc.integer({ min: 400, max: 20_000 }),
      fc.nat(),
      async (rounds, segmentBytes, seed) => {
        const directory = await mkdtemp(join(folder, 'd-'));
        const random = createRandom(seed);
        const acknowledged: string[] = [];
        const sent = new Set<string>();
        for (let life = 0; life < 2; life++) {
          const disk = forgetfulDisk(random);
          const journal = await journalAt(directory, segmentBytes, disk.openFile);
          for (const [round, { sizes, fails }] of rounds.entries()) {
            if (fails === 1) disk.failNext('datasync');
            if (fails === 2) disk.failNext('writev');
            if (fails === 3) disk.failNext('truncate', 'writev');
            const texts = sizes.map((size, i) => `${life}.${round}.${i}:`.padEnd(size, 'x'));
            await Promise.all(
              texts.map((text) => {
                sent.add(text);
                const body = Buffer.from(text);
                return journal
                  .append({ signal: 'log', tenant: 't', receivedAt: 1n, body, index: null })
                  .then(() => acknowledged.push(text))
                  .catch((error) => expect(error.code).toBe('UNAVAILABLE'));
              }),
            );
          }
          await disk.cutPower();
          await journal.stop(); // what it still does, it does to a disk that is no more
        }
        const journal = await journalAt(directory, segmentBytes);
        const found: string[] = [];
        while (journal.stats().unreadBytes > 0) {
          found.push(...(await journal.take(1 << 20)).map(({ body }) => Buffer.from(body).toString()));
        }
        await journal.stop();
        expect(acknowledged.filter((text) => !found.includes(text))).toEqual([]);
        expect(found.filter((text) => !sent.has(text))).toEqual([]);
        expect(new Set(found).size).toBe(found.length);
        await rm(directory, { recursive: true });
      },
    ),
    { numRuns: 25 },
  );
}, 120_000);

async function journalAt(directory: string, segmentBytes: number, openFile?: Disk['openFile']): Promise<Journal> {
  const journal = createJournal({
    directory,
    bytesMax: 64 << 20,
    segmentBytes,
    clock: systemClock(),
    log: createLogger('silent'),
    meter: createMeter(),
    ...(openFile && { openFile }),
  });
  await journal.start();
  return journal;
}

interface Disk {
  openFile(path: string, flags: string): Promise<SegmentFile>;
  /** The next of these calls fails, once each. */
  failNext(...calls: string[]): void;
  /** Everything not synced is lost in part; what is written from now on is lost whole. */
  cutPower(): Promise<void>;
}

const PAGE = 512;

/** Writes go to the file at once, and into a list of what is not synced; a power cut takes some of it back. */
function forgetfulDisk(random: Random): Disk {
  const unsynced = new Map<string, { position: number; bytes: Buffer }[]>();
  const failing = new Set<string>();
  let off = false;
  const fail = (call: string) => {
    if (!failing.delete(call)) return;
    throw Object.assign(new Error('i/o error'), { code: 'EIO' });
  };
  return {
    failNext(...calls) {
      for (const call of calls) failing.add(call);
    },
    async openFile(path, flags) {
      const file = await open(path, flags);
      return new Proxy(file as SegmentFile, {
        get(target, name: keyof SegmentFile) {
          if (name === 'writev') {
            return async (buffers: Uint8Array[], position: number) => {
              const bytes = Buffer.concat(buffers);
              if (off) return { bytesWritten: bytes.length, buffers };
              const part = failing.has('writev') ? bytes.subarray(0, random.between(0, bytes.length)) : bytes;
              unsynced.set(path, [...(unsynced.get(path) ?? []), { position, bytes: part }]);
              await target.writev([part], position);
              fail('writev');
              return { bytesWritten: bytes.length, buffers };
            };
          }
          if (name === 'datasync') {
            return async () => {
              if (off) return;
              fail('datasync'); // and nobody knows what of it is there
              unsynced.delete(path);
            };
          }
          if (name === 'truncate') {
            return async (size: number) => {
              if (off) return;
              fail('truncate');
              await target.truncate(size);
            };
          }
          const value = Reflect.get(target, name) as unknown;
          return typeof value === 'function' ? value.bind(target) : value;
        },
      });
    },
    async cutPower() {
      off = true;
      for (const [path, writes] of unsynced) {
        const there = (await readdir(join(path, '..'))).some((name) => path.endsWith(name));
        if (!there) continue;
        const file = await open(path, 'r+');
        const { size } = await file.stat();
        for (const { position, bytes } of writes) {
          for (let at = 0; at < bytes.length; at += PAGE) {
            const fate = random.between(0, 2);
            const page = bytes.subarray(at, at + PAGE);
            if (fate === 0 || position + at >= size) continue; // it made it
            const lost = fate === 1 ? Buffer.alloc(page.length) : Buffer.from(page).reverse();
            await file.write(lost, 0, Math.min(lost.length, size - position - at), position + at);
          }
        }
        await file.close();
      }
    },
  };
}
