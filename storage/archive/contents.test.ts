/** Which files and blocks a search for an attribute or a text leaves alone, and that it passes over nothing. */
import { readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import fc from 'fast-check';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { NANOS_PER_DAY } from '../../model/time.ts';
import { type ArchiveFolder, archiveAll, archiveFolder } from '../../test/support/archives.ts';
import { collect, eventsOf, type LogSpec, logBlock, MINUTE, NOON } from '../../test/support/blocks.ts';
import type { ColdStore, FileTally } from '../contract.ts';
import { type ContentQuery, contentMatcher } from '../match.ts';
import { createDirectoryObjects } from './folder.ts';
import type { Objects } from './objects.ts';

const HOUR = 60n * MINUTE;
const [DAYS, HOURS] = [30, 4];
let archives: ArchiveFolder;
let folder: string;
beforeEach(async () => {
  archives = await archiveFolder();
  folder = archives.folder;
});
afterEach(() => archives.drop());

const openArchive = (objects?: Objects) => archives.open(objects && { objects });

async function search(archive: ColdStore, query: ContentQuery): Promise<{ ids: string[] } & FileTally> {
  const tally = { considered: 0, opened: 0 };
  const { probe } = contentMatcher(query)!;
  const blocks = await collect(archive.blocks({ tenant: 'default', mayHold: probe }, tally));
  return { ids: blocks.map(({ id }) => id), ...tally };
}

const attribute = (key: string, value: string): ContentQuery => ({ attributes: new Map([[key, value]]) });
const at = (day: number, hour: number, nth = 0) =>
  logBlock([
    {
      time: NOON - BigInt(day) * NANOS_PER_DAY - BigInt(hour) * HOUR + BigInt(nth),
      message: `refused by bank of ${day}-${hour}-${nth}`,
      attributes: { 'order.id': `o${day}-${hour}-${nth}` },
      resource: { host: `h${day}` },
    },
  ]);
const dayOfFolder = 'tenant=default/date=2026-01-15';

it('a search over thirty days opens one object a day, and the files of the day that has it', async () => {
  const blocks = Array.from({ length: DAYS * HOURS }, (_, i) => at(Math.floor(i / HOURS), i % HOURS));
  await archiveAll(await openArchive(), blocks);
  const archive = await openArchive();
  const wanted = blocks[17 * HOURS + 3]!.id;
  for (const query of [attribute('order.id', 'o17-3-0'), { q: 'BANK of 17-3-0' }, { regex: 'bank of 17-3-\\d+' }]) {
    const { ids, considered, opened } = await search(archive, query);
    expect(ids).toContain(wanted);
    expect(considered).toBe(DAYS * HOURS);
    expect(opened).toBeLessThanOrEqual(DAYS + HOURS);
  }
  expect((await search(archive, attribute('host', 'h17'))).ids.slice(0, HOURS)).toHaveLength(HOURS);
  const nowhere = await search(archive, attribute('order.id', 'no such'));
  expect(nowhere.ids).toEqual([]);
  expect(nowhere.opened).toBeLessThanOrEqual(DAYS + HOURS);
});

it('of a file that is opened only the blocks are read that may hold it', async () => {
  await archiveAll(
    await openArchive(),
    Array.from({ length: 200 }, (_, nth) => at(0, 0, nth)),
  );
  const { ids, considered, opened } = await search(await openArchive(), attribute('order.id', 'o0-0-77'));
  expect(ids).toContain(at(0, 0, 77).id);
  expect(ids.length).toBeLessThan(5);
  expect([considered, opened]).toEqual([1, 1]);
});

it('files from before there were filters are looked through', async () => {
  const blocks = [0, 1, 2, 3, 4].map((hour) => at(0, hour));
  await archiveAll(await openArchive(), blocks);
  for (const name of await readdir(join(folder, dayOfFolder))) {
    const path = join(folder, dayOfFolder, name);
    if (name.startsWith('day-')) await rm(path);
    else if (name.endsWith('.json')) {
      const { contents: _, ...manifest } = JSON.parse(await readFile(path, 'utf8'));
      await writeFile(path, JSON.stringify(manifest));
    }
  }
  const archive = await openArchive();
  const newest = blocks.map(({ id }) => id);
  expect((await search(archive, attribute('order.id', 'o0-3-0'))).ids).toEqual(newest);
  // A file of today beside them gives the day a summary again, of which the others are no part.
  await archiveAll(archive, [at(0, 5)]);
  expect((await search(await openArchive(), attribute('order.id', 'o0-3-0'))).ids).toEqual(newest);
  expect((await search(await openArchive(), attribute('order.id', 'o0-5-0'))).ids).toContain(at(0, 5).id);
});

it('interrupted before the filters of the day are there, or where they are gone, nothing is passed over', async () => {
  const objects = createDirectoryObjects(folder);
  const failing = await openArchive({
    ...objects,
    async put(name, content) {
      if (name.endsWith('.contents')) throw new Error('the power was cut');
      await objects.put(name, content);
    },
  });
  const blocks = [0, 1, 2, 3].map((hour) => at(0, hour));
  await archiveAll(failing, blocks);
  expect((await search(await openArchive(), attribute('order.id', 'o0-2-0'))).ids).toContain(blocks[2]!.id);
  const archive = await openArchive();
  await archiveAll(archive, blocks);
  const contents = (await readdir(join(folder, dayOfFolder))).filter((name) => name.endsWith('.contents'));
  expect(contents).toHaveLength(1);
  await search(archive, attribute('order.id', 'o0-2-0'));
  await rm(join(folder, dayOfFolder, contents[0]!));
  expect((await search(archive, attribute('order.id', 'o0-2-0'))).ids).toContain(blocks[2]!.id);
});

const word = fc.constantFrom('Kiel', 'K', 'paid', 'B-17', '4711', '日本', 'é', ' ');
const text = fc.array(word, { maxLength: 5 }).map((parts) => parts.join(''));
const value = fc.oneof(text, fc.integer({ min: -3, max: 12 }));
const log = fc.record({
  message: text,
  attributes: fc.dictionary(fc.constantFrom('k', 'key'), value, { maxKeys: 2 }),
  resource: fc.dictionary(fc.constantFrom('key', 'r'), text, { maxKeys: 1 }),
});
const step = fc.record({
  writer: fc.nat(1),
  what: fc.constantFrom('put', 'put', 'put', 'drop'),
  hours: fc.uniqueArray(fc.nat(7), { minLength: 1, maxLength: 5 }),
  logs: fc.array(log, { minLength: 1, maxLength: 4 }),
});
const asked = fc.record(
  {
    q: text,
    regex: fc.constantFrom('B-\\d+', 'pai?d', '(?i)kiel', 'K|é', '4711'),
    attributes: fc
      .dictionary(fc.constantFrom('k', 'key', 'r'), value.map(String), { minKeys: 1, maxKeys: 2 })
      .map((pairs) => new Map(Object.entries(pairs))),
  },
  { requiredKeys: [] },
);

it('whatever two processes archive and drop in turn, each record that matches is in a block that is found', async () => {
  await fc.assert(
    fc.asyncProperty(
      fc.array(step, { minLength: 1, maxLength: 5 }),
      fc.array(asked, { minLength: 1, maxLength: 6 }),
      async (steps, queries) => {
        const writers = [await openArchive(), await openArchive()] as const;
        for (const { writer, what, hours, logs } of steps) {
          if (what === 'drop') {
            const isOf = (time: bigint) => hours.some((hour) => time / HOUR === (NOON - BigInt(hour) * HOUR) / HOUR);
            await writers[writer]!.dropDay('default', '2026-01-15', ({ timeMax }) => !isOf(timeMax));
          } else {
            const blocks = hours.map((hour) =>
              logBlock(logs.map((spec, i): LogSpec => ({ ...spec, time: NOON - BigInt(hour) * HOUR + BigInt(i) }))),
            );
            await archiveAll(writers[writer]!, blocks);
          }
        }
        for (const query of queries) {
          const matcher = contentMatcher(query);
          if (matcher === null) continue;
          for (const reader of [...writers, await openArchive()]) {
            const found = new Set((await search(reader, query)).ids);
            for (const block of await collect(reader.blocks({ tenant: 'default' }))) {
              if ((await eventsOf(block)).some(matcher.matches)) expect(found).toContain(block.id);
            }
          }
        }
        await writers[0].dropDay('default', '2026-01-15', () => false);
        await archives.stop();
      },
    ),
    { numRuns: 12 },
  );
}, 120_000);
