/**
 * The cold tier in a folder or a bucket: immutable files per tenant, day and hour, OTLP JSON lines that outlive the product, found by the same
 * headers and keys as in the other tiers. A file is there when its manifest is; until then there is nothing.
 */
import { createHash } from 'node:crypto';
import { readdir, rm, stat } from 'node:fs/promises';
import { join } from 'node:path';
import type { Clock } from '../../base/clock.ts';
import { DebugError } from '../../base/errors.ts';
import type { Logger } from '../../base/log.ts';
import type { Meter } from '../../base/meter.ts';
import { decodeIndex, encodePayload } from '../../model/block.ts';
import type { ArchivedDay, BlockSelector, ColdStore, FileTally, FoundBlock } from '../contract.ts';
import { Heap } from '../heap.ts';
import { Catalog, dayFolder, INDEX, LINES, MANIFEST } from './catalog.ts';
import { type DirectoryEntry, decodeDirectory } from './directory.ts';
import { type ArchivedBlock, createLookup, timeOf } from './lookup.ts';
import type { FileFacts, Manifest } from './manifest.ts';
import type { Objects, S3Settings } from './objects.ts';
import { hashOf, unpack } from './pack.ts';
import { createPacker } from './packer.ts';
import { objectsAt } from './places.ts';
import { createArchivedRows } from './rows.ts';
import { putSummary } from './summary.ts';
import { ArchiveWriter, hourOf } from './writer.ts';

export interface ArchiveOptions {
  /** `file:` and a folder, absolute or relative to the working directory, or `s3://bucket/prefix`. */
  url: string;
  s3?: S3Settings;
  /** Where files grow that go to a bucket; a folder has one of its own. */
  scratch?: string;
  /** Tests put something between. */
  objects?: Objects | null;
  clock: Clock;
  log: Logger;
  meter: Meter;
}

const SETTING = 'DEBUG_ARCHIVE_URL';

export function createArchive(options: ArchiveOptions): ColdStore {
  const { url, s3 = {}, scratch, clock, log, meter } = options;
  const given = options.objects === undefined ? objectsAt(url, s3, scratch) : options.objects;
  const unreadable = meter.counter(
    'archive_unreadable_total',
    'Manifests and files of the archive that could not be read.',
  );
  const opened = meter.counter(
    'archive_files_opened_total',
    'Files of the archive whose directory a look-up has read.',
  );
  const objects = given!;
  const catalog = new Catalog(objects, clock, log, unreadable);
  const packer = createPacker();
  const rows = createArchivedRows(objects);
  const lookup = createLookup({ objects, catalog, nameOf, directory: readDirectory, readable });
  /** By folder and hour; each becomes a file at the next seal. */
  const growing = new Map<string, { writer: ArchiveWriter; tenant: string; day: string }>();
  /** Ids of the sealed files of the days that are being added to. */
  const sealed = new Map<string, Set<string>>();
  /** Days that were added to since the last seal, by folder. */
  const touched = new Map<string, { tenant: string; day: string }>();
  /** Files whose damage is in the log. */
  const told = new Set<string>();
  let starting: Promise<void> | undefined;
  let isOpen = false;
  let last: Promise<unknown> = Promise.resolve();

  async function start(): Promise<void> {
    if (given === null) throw refused('must be file: and a folder, or s3: with a bucket');
    try {
      await objects.open();
      await removeAbandoned(objects.scratch, clock);
    } catch (error) {
      throw refused((error as Error).message);
    }
    isOpen = true;
  }

  /** One change after the other. */
  function inTurn<T>(change: () => Promise<T>): Promise<T> {
    const turn = last.then(() => {
      mustBeOpen();
      return change().catch((error) => {
        throw asDebugError(error);
      });
    });
    last = turn.catch(() => {});
    return turn;
  }

  function mustBeOpen(): void {
    if (!isOpen) throw new DebugError('UNAVAILABLE', 'the archive is not open', { retryAfterSeconds: 2 });
  }

  async function put(block: FoundBlock): Promise<void> {
    const { header } = decodeIndex(block.index);
    const { tenant, day, id } = header;
    const folder = dayFolder(tenant, day);
    touched.set(folder, { tenant, day });
    if ((await sealedIds(folder, tenant, day)).has(id)) return;
    const hour = hourOf(header);
    const name = `${folder}/${hour}`;
    let writer = growing.get(name)?.writer;
    if (writer === undefined) {
      writer = await ArchiveWriter.open(objects, tenant, day, hour);
      growing.set(name, { writer, tenant, day });
    }
    if (writer.has(id)) return;
    await writer.add(block.index, await packer.pack(block.index, await block.payload()));
    if (writer.isFull) await sealOne(name);
  }

  async function sealedIds(folder: string, tenant: string, day: string): Promise<Set<string>> {
    let ids = sealed.get(folder);
    if (ids === undefined) {
      ids = new Set();
      for (const manifest of await catalog.ofDay(tenant, day)) {
        // What is damaged counts as not there: its blocks are still in the warm tier, and are put again.
        const entries = await readable(manifest, async () => {
          await mustBeWhole(manifest);
          return readDirectory(manifest);
        });
        for (const { id } of entries ?? []) ids.add(id);
      }
      sealed.set(folder, ids);
    }
    return ids;
  }

  async function seal(): Promise<void> {
    sealed.clear();
    for (const name of [...growing.keys()]) await sealOne(name);
    packer.rest();
    for (const { tenant, day } of touched.values()) await summarize(tenant, day);
    touched.clear();
  }

  /** Nothing is lost where this fails: without a summary each file is looked at by itself. */
  async function summarize(tenant: string, day: string): Promise<void> {
    const of = {
      keys: async (manifest: Manifest) => (await directoryOf(manifest)).flatMap(({ keys }) => keys),
      filters: (manifest: Manifest) => lookup.filtersOf(manifest, ['attributes', 'texts']),
    };
    try {
      await putSummary(objects, dayFolder(tenant, day), await catalog.ofDay(tenant, day), of);
    } catch (error) {
      log.warn({ tenant, day, err: error }, 'a day of the archive has no summary: look-ups open each of its files');
    }
    catalog.changed(tenant, day);
  }

  async function sealOne(name: string): Promise<void> {
    const { writer, tenant, day } = growing.get(name)!;
    growing.delete(name);
    await writer.commit().catch(async (error) => {
      // Whoever copies drops nothing after this, and comes again with all its blocks.
      await writer.discard();
      throw error;
    });
    catalog.changed(tenant, day);
    sealed.delete(dayFolder(tenant, day));
  }

  async function verify(tenant: string, day: string, expected: ReadonlyMap<string, bigint>): Promise<void> {
    catalog.changed(tenant, day);
    const missing = new Map(expected);
    for (const manifest of await catalog.ofDay(tenant, day)) {
      const facts: [string, FileFacts][] = [
        [LINES, manifest.lines],
        [INDEX, manifest.index],
      ];
      for (const [kind, { bytes, sha256 }] of facts) {
        const hash = createHash('sha256');
        let size = 0;
        for await (const piece of objects.read(nameOf(manifest, kind))) {
          hash.update(piece);
          size += piece.length;
        }
        if (size !== bytes || hash.digest('hex') !== sha256)
          throw unlike(`${nameOf(manifest, kind)} is not as it was written`);
      }
      for (const entry of await readDirectory(manifest)) {
        const hash = missing.get(entry.id);
        if (hash === undefined) continue;
        const index = await read(manifest, INDEX, entry.indexOffset, entry.indexLength);
        if (hashOf(index) !== hash) throw unlike(`block ${entry.id} is another one in ${nameOf(manifest, INDEX)}`);
        missing.delete(entry.id);
      }
    }
    if (missing.size > 0) throw unlike(`${missing.size} of ${expected.size} blocks of ${day} are not there`);
  }

  /** The manifest goes first: what is left without one when this is interrupted is nobody's. */
  async function remove(manifest: Manifest): Promise<void> {
    for (const kind of [MANIFEST, INDEX, LINES]) await objects.delete(nameOf(manifest, kind));
    catalog.changed(manifest.tenant, manifest.day);
  }

  async function dropDay(tenant: string, day: string, keeps: (block: FoundBlock) => boolean): Promise<void> {
    for (const manifest of await catalog.ofDay(tenant, day)) {
      const entries = (await readable(manifest, () => readDirectory(manifest))) ?? [];
      const kept: FoundBlock[] = [];
      for (const entry of entries) {
        const index = await readable(manifest, () => read(manifest, INDEX, entry.indexOffset, entry.indexLength));
        if (index === null) continue;
        const block = foundBlock(manifest, entry, index);
        if (keeps(block)) kept.push(block);
      }
      if (kept.length > 0 && kept.length === manifest.blocks) continue;
      if (kept.length > 0) {
        const { header } = decodeIndex(kept[0]!.index);
        const writer = await ArchiveWriter.open(objects, tenant, day, hourOf(header));
        try {
          for (const block of kept)
            await writer.add(block.index, await packer.pack(block.index, await block.payload()));
          await writer.commit();
        } catch (error) {
          await writer.discard();
          throw error;
        }
      }
      await remove(manifest);
    }
    packer.rest();
    await rows.remove(tenant, day);
    await removeOrphans(tenant, day);
    await summarize(tenant, day);
  }

  /** Lines and indexes that have no manifest: of a run that was interrupted. */
  async function removeOrphans(tenant: string, day: string): Promise<void> {
    const folder = dayFolder(tenant, day);
    const { files } = await objects.list(folder);
    const whole = new Set(
      files.filter((file) => file.endsWith(MANIFEST)).map((file) => file.slice(0, -MANIFEST.length)),
    );
    for (const file of files) {
      const kind = [LINES, INDEX].find((kind) => file.endsWith(kind));
      if (kind !== undefined && !whole.has(file.slice(0, -kind.length))) await objects.delete(`${folder}/${file}`);
    }
  }

  async function days(): Promise<ArchivedDay[]> {
    mustBeOpen();
    const all: ArchivedDay[] = [];
    for (const tenant of await catalog.tenants()) {
      for (const day of await catalog.days(tenant)) {
        const manifests = await catalog.ofDay(tenant, day);
        const sum = (of: (manifest: Manifest) => number) => manifests.reduce((total, one) => total + of(one), 0);
        if (manifests.length === 0) continue;
        all.push({
          tenant,
          day,
          files: manifests.length,
          blocks: sum(({ blocks }) => blocks),
          records: sum(({ records }) => records),
          bytes: sum(({ lines, index }) => lines.bytes + index.bytes),
        });
      }
    }
    return all.sort((a, b) => (a.day < b.day ? -1 : a.day > b.day ? 1 : 0));
  }

  async function* blocksOfDay(tenant: string, day: string): AsyncGenerator<FoundBlock> {
    mustBeOpen();
    const yielded = new Set<string>();
    for (const manifest of await catalog.ofDay(tenant, day)) {
      for (const entry of await readDirectory(manifest)) {
        if (yielded.has(entry.id)) continue;
        yielded.add(entry.id);
        yield foundBlock(manifest, entry, await read(manifest, INDEX, entry.indexOffset, entry.indexLength));
      }
    }
  }

  async function* blocks(
    selector: BlockSelector,
    tally: FileTally = { considered: 0, opened: 0 },
  ): AsyncGenerator<FoundBlock> {
    mustBeOpen();
    const { start = 0n, end } = selector;
    const keys = selector.keys?.map((key) => BigInt.asUintN(64, key));
    const files = (await lookup.candidates(selector, keys, tally)).sort((a, b) =>
      a.id_max < b.id_max ? 1 : a.id_max > b.id_max ? -1 : 0,
    );
    const found = new Heap<ArchivedBlock>((a, b) => a.entry.id > b.entry.id);
    let yielded: string | undefined;
    for (let next = 0; ; ) {
      // A file is opened when a block of its could be the next.
      while (next < files.length && (found.top === undefined || files[next]!.id_max >= found.top.entry.id)) {
        const manifest = files[next++]!;
        tally.opened++;
        for (const block of await lookup.matching(manifest, keys, selector.mayHold)) {
          const { id, timeMin } = block.entry;
          if (timeOf(id) >= start && (end === undefined || timeMin <= end)) found.push(block);
        }
      }
      const newest = found.pop();
      if (newest === undefined) return;
      const { manifest, entry, mayHold } = newest;
      // The same block in two files: of two processes that archived the same day.
      if (entry.id === yielded) continue;
      yielded = entry.id;
      // What cannot be read denies nothing.
      if ((await readable(manifest, mayHold)) === false) continue;
      const indexBytes = await readable(manifest, () => read(manifest, INDEX, entry.indexOffset, entry.indexLength));
      if (indexBytes !== null) yield foundBlock(manifest, entry, indexBytes);
    }
  }

  async function readDirectory(manifest: Manifest): Promise<DirectoryEntry[]> {
    opened.inc();
    return directoryOf(manifest);
  }

  async function directoryOf(manifest: Manifest): Promise<DirectoryEntry[]> {
    return decodeDirectory(await read(manifest, INDEX, manifest.directory.offset, manifest.directory.length));
  }

  function foundBlock(manifest: Manifest, entry: DirectoryEntry, index: Uint8Array): FoundBlock {
    return {
      id: entry.id,
      timeMin: entry.timeMin,
      timeMax: timeOf(entry.id),
      index,
      async payload() {
        const [frame, patch] = await Promise.all([
          read(manifest, LINES, entry.frameOffset, entry.frameLength),
          read(manifest, INDEX, entry.indexOffset + entry.indexLength, entry.patchLength),
        ]).catch((error) => {
          throw asDebugError(error);
        });
        try {
          return encodePayload(unpack(index, { frame, patch, payloadHash: entry.payloadHash }));
        } catch (error) {
          const message = `block ${entry.id} in ${nameOf(manifest, LINES)} is damaged`;
          throw new DebugError('INTERNAL', message, { cause: error });
        }
      },
    };
  }

  /** Null, counted and told once, for a file that is damaged or gone: the others still answer. */
  async function readable<T>(manifest: Manifest, what: () => Promise<T>): Promise<T | null> {
    try {
      return await what();
    } catch (error) {
      unreadable.inc();
      if (!told.has(manifest.name))
        log.error({ file: nameOf(manifest, INDEX), err: error }, 'an archived file cannot be read');
      told.add(manifest.name);
      return null;
    }
  }
  function read(manifest: Manifest, kind: string, offset: number, length: number): Promise<Uint8Array> {
    return objects.get(nameOf(manifest, kind), [{ offset, length }]).then(([bytes]) => bytes!);
  }

  async function mustBeWhole(manifest: Manifest): Promise<void> {
    for (const [kind, { bytes }] of [[LINES, manifest.lines] as const, [INDEX, manifest.index] as const]) {
      const size = await objects.size(nameOf(manifest, kind));
      if (size !== bytes) throw new Error(`${nameOf(manifest, kind)} has ${size} bytes, not ${bytes}`);
    }
  }

  function nameOf({ tenant, day, name }: Manifest, kind: string): string {
    return `${dayFolder(tenant, day)}/${name}${kind}`;
  }

  return {
    name: 'archive',
    tier: 'cold',
    start: () =>
      (starting ??= start().catch((error) => {
        starting = undefined;
        throw error;
      })),
    async stop() {
      await starting?.catch(() => {});
      await last;
      starting = undefined;
      isOpen = false;
      for (const { writer } of growing.values()) await writer.discard();
      await packer.stop();
      growing.clear();
      sealed.clear();
      touched.clear();
    },
    put: (block) => inTurn(() => put(block)),
    seal: () => inTurn(seal),
    verify: (tenant, day, expected) => inTurn(() => verify(tenant, day, expected)),
    blocks,
    days,
    blocksOfDay,
    dropDay: (tenant, day, keeps) => inTurn(() => dropDay(tenant, day, keeps)),
    putRows: (tenant, day, archived) => inTurn(() => rows.put(tenant, day, archived)),
    rows: (tenant, day) => rows.read(tenant, day),
  };
}

function unlike(message: string): DebugError {
  return new DebugError('INTERNAL', `the archive is not what was put into it: ${message}`);
}

/** Growing files of processes that died; younger ones may be another process's. */
async function removeAbandoned(folder: string, clock: Clock): Promise<void> {
  const nowMs = Number(clock.nowNanos() / 1_000_000n);
  for (const name of await readdir(folder).catch(() => [])) {
    const path = join(folder, name);
    const changedMs = await stat(path).then(
      (stats) => stats.mtimeMs,
      () => nowMs,
    );
    if (nowMs - changedMs > ABANDONED_MS) await rm(path, { force: true });
  }
}

const ABANDONED_MS = 86_400_000;

function asDebugError(error: unknown): Error {
  const { code, message } = error as { code?: string; message: string };
  if (error instanceof DebugError || code === undefined) return error as Error;
  // A full disk, too many open files, an I/O error: all may pass.
  return new DebugError('UNAVAILABLE', `the archive is unavailable: ${message}`, {
    retryAfterSeconds: 30,
    cause: error,
  });
}

function refused(message: string): DebugError {
  return new DebugError('INVALID', `${SETTING}: ${message}`, { fields: [{ field: SETTING, message }] });
}
