/** What a look-up over a month opens, and that no summary hides a file. */
import { readdir, rm } from 'node:fs/promises';
import { join } from 'node:path';
import fc from 'fast-check';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { blockKey } from '../../model/block.ts';
import { NANOS_PER_DAY } from '../../model/time.ts';
import { type ArchiveFolder, archiveAll, archiveFolder } from '../../test/support/archives.ts';
import { collect, logBlock, MINUTE, NOON } from '../../test/support/blocks.ts';
import type { ColdStore, FileTally } from '../contract.ts';
import { createDirectoryObjects } from './folder.ts';
import type { Objects } from './objects.ts';

const HOUR = 60n * MINUTE;
let archives: ArchiveFolder;
let folder: string;
beforeEach(async () => {
  archives = await archiveFolder();
  folder = archives.folder;
});
afterEach(() => archives.drop());

const openArchive = (objects?: Objects) => archives.open(objects && { objects });

const keyOf = (correlation: string) => blockKey('correlation', correlation);

async function look(archive: ColdStore, correlation: string): Promise<{ ids: string[] } & FileTally> {
  const tally = { considered: 0, opened: 0 };
  const blocks = await collect(archive.blocks({ tenant: 'default', keys: [keyOf(correlation)] }, tally));
  return { ids: blocks.map(({ id }) => id), ...tally };
}

const at = (day: number, hour: number) =>
  logBlock([{ time: NOON - BigInt(day) * NANOS_PER_DAY - BigInt(hour) * HOUR, correlation: `c${day}.${hour}` }]);
const [DAYS, HOURS] = [30, 4];
const summaries = async (day = '2026-01-15') =>
  (await readdir(join(folder, 'tenant=default', `date=${day}`))).filter((name) => name.startsWith('day-')).sort();

it('a look-up over thirty days opens one object a day, and the files of the day that has it', async () => {
  const blocks = Array.from({ length: DAYS * HOURS }, (_, i) => at(Math.floor(i / HOURS), i % HOURS));
  await archiveAll(await openArchive(), blocks);
  const archive = await openArchive();
  const known = await look(archive, 'c17.3');
  expect(known.ids).toEqual([blocks[17 * HOURS + 3]!.id]);
  expect(known.considered).toBe(DAYS * HOURS);
  expect(known.opened).toBeGreaterThan(0);
  // A filter of one block of a cache line is wrong now and then.
  expect(known.opened).toBeLessThanOrEqual(DAYS + 2 * HOURS);
  const unknown = await look(archive, 'no such');
  expect(unknown.ids).toEqual([]);
  expect(unknown.opened).toBeLessThanOrEqual(DAYS + HOURS);
});

it('a process that begins reads one object for the manifests of a day', async () => {
  await archiveAll(
    await openArchive(),
    Array.from({ length: HOURS }, (_, hour) => at(0, hour)),
  );
  const read: string[] = [];
  const objects = createDirectoryObjects(folder);
  const archive = await openArchive({
    ...objects,
    read(name) {
      read.push(name);
      return objects.read(name);
    },
  });
  expect(await archive.days()).toMatchObject([{ files: HOURS, blocks: HOURS }]);
  expect(read).toHaveLength(1);
});

it('a file that came after the summary was made is found, and so is what the summary had', async () => {
  const [one, other] = [await openArchive(), await openArchive()];
  await archiveAll(one, [at(0, 0), at(0, 1), at(0, 5), at(0, 6)]);
  await archiveAll(other, [at(0, 2)]);
  expect(await summaries()).toHaveLength(3);
  // As of a process that does not know of the second file, and puts its own summary last.
  const before = await openArchive();
  await look(before, 'c0.0');
  await archiveAll(one, [at(0, 3), at(0, 4)]);
  for (const archive of [before, one, other, await openArchive()]) {
    for (const hour of [0, 1, 2, 3, 4]) expect((await look(archive, `c0.${hour}`)).ids).toEqual([at(0, hour).id]);
  }
});

it.each(['.filter', '.contents', '.manifests'])(
  'interrupted before its %s is there, nothing is lost; run again it is there',
  async (kind) => {
    const objects = createDirectoryObjects(folder);
    const failing = await openArchive({
      ...objects,
      async put(name, content) {
        if (name.endsWith(kind)) throw new Error('the power was cut');
        await objects.put(name, content);
      },
    });
    const blocks = [at(0, 0), at(0, 1), at(0, 2), at(0, 3)];
    await archiveAll(failing, blocks);
    const archive = await openArchive();
    for (const hour of [0, 1, 2]) expect((await look(archive, `c0.${hour}`)).ids).toEqual([blocks[hour]!.id]);
    await archiveAll(archive, blocks);
    expect(await summaries()).toHaveLength(3);
    expect((await look(await openArchive(), 'no such')).opened).toBeLessThanOrEqual(1 + 4);
  },
);

it('a filter that is gone is done without', async () => {
  await archiveAll(
    await openArchive(),
    [0, 1, 2, 3].map((hour) => at(0, hour)),
  );
  expect(await summaries()).toHaveLength(3);
  const archive = await openArchive();
  await look(archive, 'c0.0');
  for (const name of await summaries()) await rm(join(folder, 'tenant=default/date=2026-01-15', name));
  for (const reader of [archive, await openArchive()]) expect((await look(reader, 'c0.1')).ids).toEqual([at(0, 1).id]);
});

it('goes with its day', async () => {
  const archive = await openArchive();
  await archiveAll(
    archive,
    [0, 1, 2, 3, 4].map((hour) => at(0, hour)),
  );
  await archive.dropDay('default', '2026-01-15', ({ id }) => id !== at(0, 1).id);
  expect(await summaries()).toHaveLength(3);
  expect((await look(archive, 'c0.0')).ids).toEqual([at(0, 0).id]);
  expect((await look(archive, 'c0.1')).ids).toEqual([]);
  await archive.dropDay('default', '2026-01-15', () => false);
  expect(await summaries()).toEqual([]);
});

it('whatever is put and dropped by two processes in turn, a look-up finds what a walk over all finds', async () => {
  const step = fc.record({
    writer: fc.nat(1),
    what: fc.constantFrom('put', 'put', 'drop'),
    hours: fc.uniqueArray(fc.nat(7), { minLength: 1, maxLength: 4 }),
  });
  await fc.assert(
    fc.asyncProperty(fc.array(step, { maxLength: 6 }), async (steps) => {
      const writers = [await openArchive(), await openArchive()] as const;
      for (const { writer, what, hours } of steps) {
        if (what === 'put')
          await archiveAll(
            writers[writer]!,
            hours.map((hour) => at(0, hour)),
          );
        else
          await writers[writer]!.dropDay(
            'default',
            '2026-01-15',
            ({ id }) => !hours.some((hour) => at(0, hour).id === id),
          );
        for (const reader of [...writers, await openArchive()]) {
          const all = (await collect(reader.blocks({ tenant: 'default' }))).map(({ id }) => id);
          for (let hour = 0; hour < 8; hour++) {
            const { id } = at(0, hour);
            expect((await look(reader, `c0.${hour}`)).ids).toEqual(all.includes(id) ? [id] : []);
          }
        }
      }
      await writers[0].dropDay('default', '2026-01-15', () => false);
      await archives.stop();
    }),
    { numRuns: 6 },
  );
}, 60_000);
