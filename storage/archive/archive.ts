/**
 * The cold tier: immutable files, by tenant, day and hour, in a folder.
 *
 *   tenant=default/date=2026-03-01/hour=07/<run>.jsonl.zst     OTLP JSON lines, one zstd frame a block (lines.ts)
 *                                          <run>.index         the blocks' indexes, back to back
 *                                          <run>.manifest.json which blocks, when, under which keys, where in the two others
 *
 * The manifest is written last, so a run that dies leaves nothing that is read. Runs never touch each other's files; a block
 * that two of them wrote is handed out once. A reader looks at manifests first and opens files only for blocks that match.
 */
import { randomBytes } from 'node:crypto';
import { type FileHandle, glob, mkdir, open, readFile, rename, unlink } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { zstdCompress, zstdDecompress } from 'node:zlib';
import { LRUCache } from 'lru-cache';
import type { Clock } from '../../base/clock.ts';
import { DebugError } from '../../base/errors.ts';
import type { Logger } from '../../base/log.ts';
import type { Meter } from '../../base/meter.ts';
import { decodeIndex, keysOf } from '../../model/block.ts';
import { formatNanos } from '../../model/time.ts';
import type { BlockSelector, ColdStore, FoundBlock } from '../contract.ts';
import { linesOf, payloadOf } from './lines.ts';

export interface ArchiveOptions {
  /** `file:` and a folder, absolute or relative to the working directory; made when it is missing. */
  url: string;
  clock: Clock;
  log: Logger;
  meter: Meter;
}

/** `start` throws a DebugError that names DEBUG_ARCHIVE_URL when the URL is no `file:` or its folder cannot be made. */
export function createArchive({ url, log, meter }: ArchiveOptions): ColdStore {
  const written = meter.counter('archive_blocks_written_total', 'Blocks written to the archive');
  const opened = meter.counter('archive_files_opened_total', 'Archive files opened to answer questions');
  const manifests = new LRUCache<string, Manifest>({ max: 4096 });
  const pending = new Map<string, PendingFile>();
  const pendingIds = new Set<string>();
  let root = '';

  async function manifestAt(path: string): Promise<Manifest> {
    let manifest = manifests.get(path);
    if (manifest === undefined) {
      manifest = JSON.parse(await readFile(join(root, path), 'utf8')) as Manifest;
      manifests.set(path, manifest);
    }
    return manifest;
  }

  /** Every block that is sealed under a folder pattern, with the file it lies in. */
  async function* entries(pattern: string): AsyncGenerator<{ path: string; entry: Entry }> {
    for await (const path of glob(`${pattern}/*.manifest.json`, { cwd: root })) {
      for (const entry of (await manifestAt(path)).blocks) yield { path: path.slice(0, -MANIFEST.length), entry };
    }
  }

  async function has(folder: string, id: string): Promise<boolean> {
    for await (const { entry } of entries(folder)) if (entry.id === id) return true;
    return false;
  }

  async function read(path: string, [offset, length]: Range): Promise<Buffer> {
    opened.inc();
    const file = await open(join(root, path));
    try {
      const { buffer } = await file.read(Buffer.alloc(length), 0, length, offset);
      return buffer;
    } finally {
      await file.close();
    }
  }

  return {
    name: 'archive',
    tier: 'cold',

    async start() {
      root = folderOf(url);
      await mkdir(root, { recursive: true }).catch((error) => {
        throw new DebugError('INVALID', `DEBUG_ARCHIVE_URL: ${error.message}`, { cause: error });
      });
    },

    async stop() {
      // Not sealed is not promised: the warm tier has it still.
      for (const file of pending.values()) await file.discard();
      pending.clear();
      pendingIds.clear();
    },

    async put(block) {
      const { header } = decodeIndex(block.index);
      const folder = folderFor(header.tenant, header.day, header.timeMax);
      if (pendingIds.has(`${folder}/${block.id}`) || (await has(folder, block.id))) return;
      let file = pending.get(folder);
      if (file === undefined) {
        file = await PendingFile.create(root, folder);
        pending.set(folder, file);
      }
      const { lines, index } = linesOf(block.index, await block.payload());
      await file.add({
        id: block.id,
        time_min: String(header.timeMin),
        time_max: String(header.timeMax),
        keys: packKeys(keysOf(header)),
        frame: await compress(lines),
        index,
      });
      pendingIds.add(`${folder}/${block.id}`);
    },

    async seal() {
      for (const [folder, file] of pending) {
        await file.seal();
        written.inc(file.count);
        pending.delete(folder);
      }
      if (pendingIds.size > 0) log.info({ blocks: pendingIds.size }, 'archive sealed');
      pendingIds.clear();
    },

    async *blocks(selector) {
      const found = new Map<string, { path: string; entry: Entry }>();
      for await (const each of entries(`${tenantFolder(selector.tenant)}/date=*/hour=*`)) {
        if (!found.has(each.entry.id) && matches(each.entry, selector)) found.set(each.entry.id, each);
      }
      for (const { path, entry } of [...found.values()].sort(newestFirst)) {
        yield {
          id: entry.id,
          timeMin: BigInt(entry.time_min),
          timeMax: BigInt(entry.time_max),
          index: await read(`${path}${INDEX}`, entry.index),
          payload: async () => payloadOf((await decompress(await read(`${path}${LINES}`, entry.lines))).toString()),
        } satisfies FoundBlock;
      }
    },
  };
}

interface Manifest {
  blocks: Entry[];
}

type Range = [offset: number, length: number];

interface Entry {
  id: string;
  /** Nanoseconds, decimal. */
  time_min: string;
  time_max: string;
  /** The block's keys as little-endian 64-bit integers, base64. */
  keys: string;
  /** In the `.index` file. */
  index: Range;
  /** In the `.jsonl.zst` file: one frame. */
  lines: Range;
}

const LINES = '.jsonl.zst';
const INDEX = '.index';
const MANIFEST = '.manifest.json';
const compress = promisify(zstdCompress);
const decompress = promisify(zstdDecompress);

/** The three files of one run in one folder, under names that no reader looks at until they are sealed. */
class PendingFile {
  readonly #base: string;
  readonly #lines: FileHandle;
  readonly #index: FileHandle;
  readonly #entries: Entry[] = [];
  #linesSize = 0;
  #indexSize = 0;

  static async create(root: string, folder: string): Promise<PendingFile> {
    await mkdir(join(root, folder), { recursive: true });
    const base = join(root, folder, randomBytes(8).toString('hex'));
    return new PendingFile(base, await open(`${base}${LINES}`, 'wx'), await open(`${base}${INDEX}`, 'wx'));
  }

  private constructor(base: string, lines: FileHandle, index: FileHandle) {
    this.#base = base;
    this.#lines = lines;
    this.#index = index;
  }

  get count(): number {
    return this.#entries.length;
  }

  async add({
    frame,
    index,
    ...entry
  }: Omit<Entry, 'index' | 'lines'> & { frame: Uint8Array; index: Uint8Array }): Promise<void> {
    await this.#lines.appendFile(frame);
    await this.#index.appendFile(index);
    this.#entries.push({ ...entry, index: [this.#indexSize, index.length], lines: [this.#linesSize, frame.length] });
    this.#linesSize += frame.length;
    this.#indexSize += index.length;
  }

  async seal(): Promise<void> {
    for (const file of [this.#lines, this.#index]) {
      await file.datasync();
      await file.close();
    }
    const draft = await open(`${this.#base}.draft`, 'wx');
    await draft.writeFile(JSON.stringify({ blocks: this.#entries } satisfies Manifest));
    await draft.datasync();
    await draft.close();
    await rename(`${this.#base}.draft`, `${this.#base}${MANIFEST}`);
    const folder = await open(dirname(this.#base), 'r');
    await folder.sync();
    await folder.close();
  }

  async discard(): Promise<void> {
    await this.#lines.close();
    await this.#index.close();
    await unlink(`${this.#base}${LINES}`);
    await unlink(`${this.#base}${INDEX}`);
  }
}

function folderOf(url: string): string {
  if (url.startsWith('file://')) return fileURLToPath(url);
  if (url.startsWith('file:') && url.length > 'file:'.length) return url.slice('file:'.length);
  throw new DebugError(
    'INVALID',
    `DEBUG_ARCHIVE_URL: ${url} is no 'file:' with a folder; other places are not supported yet`,
  );
}

/** Paths are made of what we checked or encoded ourselves: a tenant's name cannot climb out of its folder. */
function folderFor(tenant: string, day: string, timeMax: bigint): string {
  const time = formatNanos(timeMax);
  // A record whose clock lies outside what is retained is kept under its day of arrival, which has no hour of it.
  const hour = time.startsWith(day) ? time.slice(11, 13) : '00';
  return `${tenantFolder(tenant)}/date=${day}/hour=${hour}`;
}

function tenantFolder(tenant: string): string {
  return `tenant=${encodeURIComponent(tenant.toWellFormed()).replace(/[.*'()!~[\]{}]/g, (c) => `%${c.charCodeAt(0).toString(16)}`)}`;
}

function matches({ time_min, time_max, keys }: Entry, selector: BlockSelector): boolean {
  if (selector.start !== undefined && BigInt(time_max) < selector.start) return false;
  if (selector.end !== undefined && BigInt(time_min) > selector.end) return false;
  if (selector.keys === undefined) return true;
  const held = new BigUint64Array(Uint8Array.fromBase64(keys).buffer);
  return selector.keys.some((key) => held.includes(key));
}

function packKeys(keys: readonly bigint[]): string {
  return new Uint8Array(BigUint64Array.from(keys).buffer).toBase64();
}

function newestFirst(a: { entry: Entry }, b: { entry: Entry }): number {
  const difference = BigInt(b.entry.time_max) - BigInt(a.entry.time_max);
  if (difference !== 0n) return difference > 0n ? 1 : -1;
  return a.entry.id < b.entry.id ? 1 : -1;
}
