/** Writing one file of the archive: lines and index grow in a folder apart, and take their place when they are whole. */
import { createHash, type Hash, randomBytes } from 'node:crypto';
import { type FileHandle, mkdir, open, rename, rm, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { constants, zstdCompressSync } from 'node:zlib';
import { type BlockIndex, decodePayload, keysOf } from '../../model/block.ts';
import { ContentHash } from '../../model/hash.ts';
import { dayFolder, INDEX, LINES, MANIFEST, type Manifest } from './catalog.ts';
import { type DirectoryEntry, encodeDirectory } from './directory.ts';
import { buildFilter } from './filter.ts';
import { toLines } from './lines.ts';

/** Blocks of one tenant, day and hour, on their way into one file. */
export class ArchiveWriter {
  readonly #root: string;
  readonly #tenant: string;
  readonly #day: string;
  readonly #hour: string;
  readonly #entries: DirectoryEntry[] = [];
  readonly #ids = new Set<string>();
  readonly #lines: Growing;
  readonly #index: Growing;
  #records = 0;

  private constructor(root: string, tenant: string, day: string, hour: string, lines: Growing, index: Growing) {
    this.#root = root;
    this.#tenant = tenant;
    this.#day = day;
    this.#hour = hour;
    this.#lines = lines;
    this.#index = index;
  }

  /** @param hour `HH` */
  static async open(root: string, tenant: string, day: string, hour: string): Promise<ArchiveWriter> {
    const growing = join(root, GROWING);
    await mkdir(growing, { recursive: true });
    const path = join(growing, randomBytes(8).toString('hex'));
    const lines = await Growing.open(path + LINES);
    return new ArchiveWriter(root, tenant, day, hour, lines, await Growing.open(path + INDEX));
  }

  has(id: string): boolean {
    return this.#ids.has(id);
  }

  /** A block as a store keeps it. */
  async add(index: BlockIndex, indexBytes: Uint8Array, payloadBytes: Uint8Array): Promise<void> {
    const { header } = index;
    const payload = decodePayload(payloadBytes);
    const { lines, patch } = toLines(index, payload);
    const frame = zstdCompressSync(lines, { params: { [constants.ZSTD_c_compressionLevel]: ZSTD_LEVEL } });
    const frameOffset = await this.#lines.append(frame);
    const indexOffset = await this.#index.append(Buffer.concat([indexBytes, patch]));
    // Only now: what failed half way is written over by the next.
    this.#lines.keep();
    this.#index.keep();
    this.#ids.add(header.id);
    this.#records += index.count;
    this.#entries.push({
      id: header.id,
      timeMin: header.timeMin,
      indexOffset,
      indexLength: indexBytes.length,
      patchLength: patch.length,
      frameOffset,
      frameLength: frame.length,
      payloadHash: hashOf(payload),
      keys: keysOf(header),
    });
  }

  /** Gives the file its name and then its manifest, each only when what it stands for is on disk. */
  async commit(): Promise<void> {
    const entries = this.#entries.sort((a, b) => (a.id < b.id ? 1 : -1));
    const directory = encodeDirectory(entries);
    const directoryOffset = await this.#index.append(directory);
    this.#index.keep();
    const filter = buildFilter(new Set(entries.flatMap(({ keys }) => keys)));
    const filterOffset = await this.#index.append(filter);
    this.#index.keep();

    const [linesFacts, indexFacts] = [await this.#lines.finish(), await this.#index.finish()];
    const content = createHash('sha256').update(linesFacts.sha256).update(indexFacts.sha256).digest('hex');
    const name = `${this.#hour}-${content.slice(0, 16)}`;
    const manifest: Manifest = {
      format: 1,
      tenant: this.#tenant,
      day: this.#day,
      name,
      blocks: entries.length,
      records: this.#records,
      id_max: entries[0]!.id,
      time_min: String(entries.reduce((min, { timeMin }) => (timeMin < min ? timeMin : min), entries[0]!.timeMin)),
      lines: linesFacts,
      index: indexFacts,
      directory: { offset: directoryOffset, length: directory.length },
      filter: { offset: filterOffset, length: filter.length },
    };
    const folder = dayFolder(this.#root, this.#tenant, this.#day);
    await mkdir(folder, { recursive: true });
    await rename(this.#lines.path, join(folder, name + LINES));
    await rename(this.#index.path, join(folder, name + INDEX));
    await syncFolders(folder, this.#root);
    const manifestPath = this.#index.path + MANIFEST;
    await writeFile(manifestPath, `${JSON.stringify(manifest)}\n`, { flush: true });
    await rename(manifestPath, join(folder, name + MANIFEST));
    await syncFolders(folder, folder);
  }

  async discard(): Promise<void> {
    for (const file of [this.#lines, this.#index]) {
      await file.close();
      await rm(file.path, { force: true });
    }
  }
}

/** Where files grow, below the archive's folder: the same file system, so that a rename is one step. */
export const GROWING = 'growing';

// On the Train Ticket set: 34 bytes a span and 43 a log record, level 3 takes more, 6 saves a tenth of the logs' for five times the time.
const ZSTD_LEVEL = 1;

export function hashOf(payload: Uint8Array): bigint {
  return new ContentHash().reset().bytes(payload).digest();
}

class Growing {
  readonly path: string;
  readonly #file: FileHandle;
  readonly #hash: Hash = createHash('sha256');
  #size = 0;
  #pending: Uint8Array | null = null;
  #closed = false;

  private constructor(path: string, file: FileHandle) {
    this.path = path;
    this.#file = file;
  }

  static async open(path: string): Promise<Growing> {
    return new Growing(path, await open(path, 'wx'));
  }

  /** @returns where the bytes begin */
  async append(bytes: Uint8Array): Promise<number> {
    let written = 0;
    while (written < bytes.length) {
      written += (await this.#file.write(bytes, written, bytes.length - written, this.#size + written)).bytesWritten;
    }
    this.#pending = bytes;
    return this.#size;
  }

  /** What was appended last stays; else the next append takes its place. */
  keep(): void {
    if (this.#pending === null) return;
    this.#hash.update(this.#pending);
    this.#size += this.#pending.length;
    this.#pending = null;
  }

  async finish(): Promise<{ bytes: number; sha256: string }> {
    await this.#file.truncate(this.#size);
    await this.#file.sync();
    await this.close();
    return { bytes: this.#size, sha256: this.#hash.digest('hex') };
  }

  async close(): Promise<void> {
    if (this.#closed) return;
    this.#closed = true;
    await this.#file.close();
  }
}

/** A name is on disk when its folder is; so is the folder's own in the one above, up to `root`. */
async function syncFolders(folder: string, root: string): Promise<void> {
  for (let path = folder; ; path = dirname(path)) {
    const handle = await open(path, 'r');
    try {
      await handle.sync();
    } finally {
      await handle.close();
    }
    if (path === root || path === dirname(path)) return;
  }
}
