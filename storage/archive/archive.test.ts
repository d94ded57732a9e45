/** What interruption, damage and company do to the archive: FAULTS.md F11, F35. */
import { cp, readdir, readFile, truncate, utimes, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { zstdDecompressSync } from 'node:zlib';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { createMeter, type Meter } from '../../base/meter.ts';
import { blockKey } from '../../model/block.ts';
import { type ArchiveFolder, archiveAll, archiveFolder } from '../../test/support/archives.ts';
import { collect, eventsOf, found, logBlock, MINUTE, NOON } from '../../test/support/blocks.ts';
import type { ColdStore } from '../contract.ts';

let archives: ArchiveFolder;
let folder: string;
beforeEach(async () => {
  archives = await archiveFolder();
  folder = archives.folder;
});
afterEach(() => archives.drop());

const openArchive = (url = `file:${folder}/archive`, meter?: Meter) => archives.open({ url, ...(meter && { meter }) });

const ids = async (archive: ColdStore, keys?: bigint[]) =>
  (await collect(archive.blocks({ tenant: 'default', ...(keys && { keys }) }))).map(({ id }) => id);

const HOUR = 60n * MINUTE;
const day = `${'archive'}/tenant=default/date=2026-01-15`;
const three = [2n, 1n, 0n].map((hour) => logBlock([{ time: NOON + hour * HOUR, correlation: `c${hour}` }]));

it('lies in a folder per tenant and day, a file per hour, for text tools to read', async () => {
  await archiveAll(await openArchive(), three);
  const names = (await readdir(join(folder, day))).sort();
  const hash = '[0-9a-f]{16}';
  expect(names).toHaveLength(9);
  expect(names.slice(0, 3).join()).toMatch(RegExp(`^12-${hash}.index,12-${hash}.json,12-${hash}.otlp.jsonl.zst$`));
  const lines = zstdDecompressSync(await readFile(join(folder, day, names[2]!))).toString();
  expect(JSON.parse(lines)).toHaveProperty('resourceLogs');
});

it('keeps blocks of one hour in one file that decompresses as a whole', async () => {
  const blocks = Array.from({ length: 5 }, (_, i) => logBlock([{ time: NOON + BigInt(i), message: `${i}` }]));
  await archiveAll(await openArchive(), blocks);
  const names = await readdir(join(folder, day));
  const lines = zstdDecompressSync(await readFile(join(folder, day, names.find((name) => name.endsWith('zst'))!)));
  expect(lines.toString().trim().split('\n')).toHaveLength(5);
});

describe('interrupted', () => {
  it('after each file that it puts in place it has lost nothing and doubled nothing', async () => {
    const whole = await openArchive(`file:${folder}/whole`);
    await archiveAll(whole, three);
    const source = join(folder, 'whole/tenant=default/date=2026-01-15');
    // In the order in which they were put: lines, index, manifest of each hour.
    const suffixes = ['.otlp.jsonl.zst', '.index', '.json'];
    const order = (await readdir(source)).sort(
      (a, b) => a.slice(0, 2).localeCompare(b.slice(0, 2)) || rankOf(a) - rankOf(b),
    );
    function rankOf(name: string): number {
      return suffixes.findIndex((suffix) => name.endsWith(suffix));
    }
    for (let done = 0; done <= order.length; done++) {
      const name = `step-${done}`;
      for (const file of order.slice(0, done)) {
        await cp(join(source, file), join(folder, name, 'tenant=default/date=2026-01-15', file));
      }
      const archive = await openArchive(`file:${folder}/${name}`);
      expect(await ids(archive)).toHaveLength(Math.floor(done / 3));
      await archiveAll(archive, three);
      const back = await collect(archive.blocks({ tenant: 'default' }));
      expect(back.map(({ id }) => id)).toEqual(three.map(({ id }) => id));
      for (const [i, block] of back.entries()) expect(await eventsOf(block)).toEqual(await eventsOf(found(three[i]!)));
      expect((await readdir(join(folder, name, 'tenant=default/date=2026-01-15'))).length).toBe(9);
    }
  });

  it('leaves what grew to be cleared away when it is a day old', async () => {
    const archive = await openArchive();
    await archive.put(found(three[0]!));
    const growing = join(folder, 'archive/growing');
    const [old, young] = await readdir(growing);
    await utimes(join(growing, old!), new Date(0), new Date(0));
    await openArchive();
    expect(await readdir(growing)).toEqual([young]);
  });

  it('by a reader that fails in the middle of a put, goes on with the next', async () => {
    const archive = await openArchive();
    const broken = { ...found(three[0]!), payload: () => Promise.reject(new Error('broken on purpose')) };
    await expect(archive.put(broken)).rejects.toThrow('broken on purpose');
    await archiveAll(archive, three);
    expect(await ids(archive)).toHaveLength(3);
  });
});

it('shared by processes that archive the same day at once holds each block once, whatever their order', async () => {
  const blocks = Array.from({ length: 12 }, (_, i) => logBlock([{ time: NOON + BigInt(i), message: `${i}` }]));
  const several = await Promise.all([openArchive(), openArchive(), openArchive(), openArchive()]);
  const orders = [blocks, blocks, blocks.toReversed(), blocks.slice(3)];
  await Promise.all(several.map((archive, i) => archiveAll(archive, orders[i]!)));
  for (const archive of several) {
    const back = await collect(archive.blocks({ tenant: 'default' }));
    expect(back.map(({ id }) => id)).toEqual(blocks.map(({ id }) => id).reverse());
    for (const [i, block] of back.entries())
      expect(await eventsOf(block)).toEqual(await eventsOf(found(blocks[11 - i]!)));
  }
});

describe('damaged', () => {
  it.each(['.index', '.json'])('in one %s it answers with the other files', async (suffix) => {
    await archiveAll(await openArchive(), three);
    const file = (await readdir(join(folder, day))).find((name) => name.startsWith('13') && name.endsWith(suffix))!;
    await truncate(join(folder, day, file), 10);
    const meter = createMeter();
    expect(await ids(await openArchive(undefined, meter))).toEqual([three[0]!.id, three[2]!.id]);
    expect((await meter.registry.getSingleMetric('ai_debug_archive_unreadable_total')!.get()).values[0]!.value).toBe(1);
  });

  it.each(['.index', '.json', '.otlp.jsonl.zst'])('in one %s it takes the blocks again', async (suffix) => {
    await archiveAll(await openArchive(), three);
    const file = (await readdir(join(folder, day))).find((name) => name.startsWith('13') && name.endsWith(suffix))!;
    await truncate(join(folder, day, file), 10);
    const archive = await openArchive();
    await archiveAll(archive, three);
    const back = await collect(archive.blocks({ tenant: 'default' }));
    expect(back.map(({ id }) => id)).toEqual(three.map(({ id }) => id));
    for (const [i, block] of back.entries()) expect(await eventsOf(block)).toEqual(await eventsOf(found(three[i]!)));
  });

  it('in its lines it says so, and gives no wrong bytes', async () => {
    await archiveAll(await openArchive(), [three[0]!]);
    const file = (await readdir(join(folder, day))).find((name) => name.endsWith('.zst'))!;
    const path = join(folder, day, file);
    const bytes = await readFile(path);
    for (let i = 0; i < bytes.length; i++) {
      await writeFile(path, bytes.with(i, bytes[i]! ^ 0x10));
      const [block] = await collect((await openArchive()).blocks({ tenant: 'default' }));
      const read = await eventsOf(block!).catch(() => null);
      if (read !== null) expect(read).toEqual(await eventsOf(found(three[0]!)));
    }
  });
});

it('opens only files that may hold what is looked for', async () => {
  const hours = Array.from({ length: 48 }, (_, i) =>
    logBlock([{ time: NOON + BigInt(i) * HOUR, correlation: `c${i}` }]),
  );
  const meter = createMeter();
  const archive = await openArchive(undefined, meter);
  await archiveAll(archive, hours);
  const opened = async () =>
    (await meter.registry.getSingleMetric('ai_debug_archive_files_opened_total')!.get()).values[0]!.value;
  const before = await opened();
  expect(await ids(archive, [blockKey('correlation', 'c7')])).toEqual([hours[7]!.id]);
  expect((await opened()) - before).toBeLessThanOrEqual(3);
  for await (const _ of archive.blocks({ tenant: 'default', start: NOON, end: NOON + 20n * HOUR })) break;
  expect((await opened()) - before).toBeLessThanOrEqual(5);
});

it.each(['..', '../../escape', '/etc', 'a\0b', '\ud800', 'tenant=x', 'ünï %2e'])(
  'tenant %j stays in its own folder',
  async (tenant) => {
    const archive = await openArchive();
    const block = logBlock([{ time: NOON }], { tenant });
    await archiveAll(archive, [block, three[2]!]);
    expect((await collect(archive.blocks({ tenant }))).map(({ id }) => id)).toEqual([block.id]);
    expect(await readdir(folder)).toEqual(['archive']);
    expect(await readdir(join(folder, 'archive'))).toHaveLength(3);
  },
);

it.each(['s3://bucket/path', 'file:', '/plain/path', 'file:/dev/null/x'])(
  '%s is a wrong setting, named',
  async (url) => {
    await expect(openArchive(url)).rejects.toMatchObject({ code: 'INVALID', fields: [{ field: 'DEBUG_ARCHIVE_URL' }] });
  },
);
