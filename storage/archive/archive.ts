/**
 * The cold tier in a folder: immutable files per tenant, day and hour, OTLP JSON lines that outlive the product, found by the same
 * headers and keys as in the other tiers. A file is there when its manifest is; until then there is nothing.
 */
import { constants } from 'node:fs';
import { access, mkdir, open, readdir, rm, stat } from 'node:fs/promises';
import { join, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { zstdDecompressSync } from 'node:zlib';
import type { Clock } from '../../base/clock.ts';
import { DebugError } from '../../base/errors.ts';
import type { Logger } from '../../base/log.ts';
import type { Meter } from '../../base/meter.ts';
import { type BlockHeader, decodeIndex, encodePayload } from '../../model/block.ts';
import { dayOf, formatNanos } from '../../model/time.ts';
import type { BlockSelector, ColdStore, FoundBlock } from '../contract.ts';
import { Heap } from '../heap.ts';
import { Catalog, dayFolder, INDEX, LINES, type Manifest, type Place } from './catalog.ts';
import { type DirectoryEntry, decodeDirectory } from './directory.ts';
import { filterBlock, mayHold } from './filter.ts';
import { fromLines } from './lines.ts';
import { ArchiveWriter, GROWING, hashOf } from './writer.ts';

export interface ArchiveOptions {
  /** `file:` and a folder, absolute or relative to the working directory. */
  url: string;
  clock: Clock;
  log: Logger;
  meter: Meter;
}

const SETTING = 'DEBUG_ARCHIVE_URL';

export function createArchive({ url, clock, log, meter }: ArchiveOptions): ColdStore {
  const unreadable = meter.counter(
    'archive_unreadable_total',
    'Manifests and files of the archive that could not be read.',
  );
  const opened = meter.counter(
    'archive_files_opened_total',
    'Files of the archive whose directory a look-up has read.',
  );
  const root = folderOf(url);
  const catalog = new Catalog(root ?? '', clock, log, unreadable);
  /** By folder and hour; each becomes a file at the next seal. */
  const growing = new Map<string, ArchiveWriter>();
  /** Ids of the sealed files of the days that are being added to. */
  const sealed = new Map<string, Set<string>>();
  /** Files whose damage is in the log. */
  const told = new Set<string>();
  let starting: Promise<void> | undefined;
  let isOpen = false;
  let last: Promise<unknown> = Promise.resolve();

  async function start(): Promise<void> {
    if (root === null) throw refused('must be file: and a folder');
    try {
      await mkdir(root, { recursive: true });
      await access(root, constants.W_OK);
      await removeAbandoned(join(root, GROWING), clock);
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
    const index = decodeIndex(block.index);
    const { tenant, day, id } = index.header;
    const folder = dayFolder(root!, tenant, day);
    if ((await sealedIds(folder, tenant, day)).has(id)) return;
    const hour = hourOf(index.header);
    const name = join(folder, hour);
    let writer = growing.get(name);
    if (writer === undefined) {
      writer = await ArchiveWriter.open(root!, tenant, day, hour);
      growing.set(name, writer);
    }
    if (!writer.has(id)) await writer.add(index, block.index, await block.payload());
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
    for (const [name, writer] of growing) {
      growing.delete(name);
      await writer.commit().catch(async (error) => {
        // Whoever copies drops nothing after this, and comes again with all its blocks.
        await writer.discard();
        throw error;
      });
    }
  }

  async function* blocks(selector: BlockSelector): AsyncGenerator<FoundBlock> {
    mustBeOpen();
    const { tenant, start = 0n, end } = selector;
    const keys = selector.keys?.map((key) => BigInt.asUintN(64, key));
    const files = (await catalog.ofTenant(tenant))
      .filter(({ id_max, time_min }) => timeOf(id_max) >= start && (end === undefined || BigInt(time_min) <= end))
      .sort((a, b) => (a.id_max < b.id_max ? 1 : a.id_max > b.id_max ? -1 : 0));
    const found = new Heap<{ manifest: Manifest; entry: DirectoryEntry }>((a, b) => a.entry.id > b.entry.id);
    let yielded: string | undefined;
    for (let next = 0; ; ) {
      // A file is opened when a block of its could be the next.
      while (next < files.length && (found.top === undefined || files[next]!.id_max >= found.top.entry.id)) {
        const manifest = files[next++]!;
        for (const entry of await matching(manifest, keys)) {
          const inRange = timeOf(entry.id) >= start && (end === undefined || entry.timeMin <= end);
          if (inRange) found.push({ manifest, entry });
        }
      }
      const newest = found.pop();
      if (newest === undefined) return;
      const { manifest, entry } = newest;
      // The same block in two files: of two processes that archived the same day.
      if (entry.id === yielded) continue;
      yielded = entry.id;
      const indexBytes = await readable(manifest, () => read(manifest, INDEX, entry.indexOffset, entry.indexLength));
      if (indexBytes !== null) yield foundBlock(manifest, entry, indexBytes);
    }
  }

  /** Entries that hold one of the keys; none, after a look at 64 bytes a key, of most files. */
  async function matching(manifest: Manifest, keys: bigint[] | undefined): Promise<DirectoryEntry[]> {
    if (keys === undefined) return (await readable(manifest, () => readDirectory(manifest))) ?? [];
    const hits = await readable(manifest, () => filterHits(manifest, keys));
    if (hits === null || hits.length === 0) return [];
    const wanted = new Set(hits);
    const entries = (await readable(manifest, () => readDirectory(manifest))) ?? [];
    return entries.filter((entry) => entry.keys.some((key) => wanted.has(key)));
  }

  async function filterHits(manifest: Manifest, keys: readonly bigint[]): Promise<bigint[]> {
    const { offset, length } = manifest.filter;
    const places = keys.map((key): Place => {
      const block = filterBlock(key, length);
      return { offset: offset + block.offset, length: block.length };
    });
    const bytes = await readPlaces(pathOf(manifest, INDEX), places);
    return keys.filter((key, i) => mayHold(bytes[i]!, key));
  }

  async function readDirectory(manifest: Manifest): Promise<DirectoryEntry[]> {
    opened.inc();
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
        const payload = fromLines({ lines: zstdDecompressSync(frame), patch });
        if (hashOf(payload) !== entry.payloadHash) {
          throw new DebugError('INTERNAL', `block ${entry.id} in ${pathOf(manifest, LINES)} is damaged`);
        }
        return encodePayload(payload);
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
        log.error({ file: pathOf(manifest, INDEX), err: error }, 'an archived file cannot be read');
      told.add(manifest.name);
      return null;
    }
  }
  function read(manifest: Manifest, kind: string, offset: number, length: number): Promise<Uint8Array> {
    return readPlaces(pathOf(manifest, kind), [{ offset, length }]).then(([bytes]) => bytes!);
  }

  async function mustBeWhole(manifest: Manifest): Promise<void> {
    for (const [kind, { bytes }] of [[LINES, manifest.lines] as const, [INDEX, manifest.index] as const]) {
      const { size } = await stat(pathOf(manifest, kind));
      if (size !== bytes) throw new Error(`${pathOf(manifest, kind)} has ${size} bytes, not ${bytes}`);
    }
  }

  function pathOf({ tenant, day, name }: Manifest, kind: string): string {
    return join(dayFolder(root!, tenant, day), name + kind);
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
      for (const writer of growing.values()) await writer.discard();
      growing.clear();
      sealed.clear();
    },
    put: (block) => inTurn(() => put(block)),
    seal: () => inTurn(seal),
    blocks,
  };
}

/** Null for what is no `file:` URL. Relative folders are no URLs by the letter, and what everybody writes. */
function folderOf(url: string): string | null {
  if (!url.startsWith('file:') || url.length === 'file:'.length) return null;
  return url.startsWith('file://') ? fileURLToPath(url) : resolve(url.slice('file:'.length));
}

/** The hour of its newest record, or of its arrival where the block is not on its own day. */
function hourOf({ timeMax, receivedAt, day }: BlockHeader): string {
  const time = dayOf(timeMax) === day ? timeMax : receivedAt;
  return formatNanos(time).slice(11, 13);
}

function timeOf(id: string): bigint {
  return BigInt(`0x${id.slice(0, 16)}`);
}

async function readPlaces(path: string, places: readonly Place[]): Promise<Uint8Array[]> {
  const file = await open(path, 'r');
  try {
    const read: Uint8Array[] = [];
    for (const { offset, length } of places) {
      const bytes = new Uint8Array(length);
      const { bytesRead } = await file.read(bytes, 0, length, offset);
      if (bytesRead < length) throw new Error(`${path} ends at ${offset + bytesRead}, before ${offset + length}`);
      read.push(bytes);
    }
    return read;
  } finally {
    await file.close();
  }
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
