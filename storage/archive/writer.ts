/** Writing one file of the archive: lines and index grow in a local folder, and take their place when they are whole. */
import { createHash, type Hash, randomBytes } from 'node:crypto';
import { type FileHandle, open, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { type BlockHeader, decodeIndex, keysOf } from '../../model/block.ts';
import { dayOf, formatNanos } from '../../model/time.ts';
import { dayFolder, INDEX, LINES, MANIFEST } from './catalog.ts';
import { FileContents } from './contents.ts';
import { type DirectoryEntry, encodeDirectory } from './directory.ts';
import { buildFilter } from './filter.ts';
import type { Manifest } from './manifest.ts';
import type { Objects, Place } from './objects.ts';
import type { PackedBlock } from './pack.ts';

/** Blocks of one tenant, day and hour, on their way into one file. */
export class ArchiveWriter {
  readonly #objects: Objects;
  readonly #tenant: string;
  readonly #day: string;
  readonly #hour: string;
  readonly #entries: DirectoryEntry[] = [];
  readonly #ids = new Set<string>();
  readonly #contents = new FileContents();
  readonly #lines: Growing;
  readonly #index: Growing;
  #records = 0;

  private constructor(objects: Objects, tenant: string, day: string, hour: string, lines: Growing, index: Growing) {
    this.#objects = objects;
    this.#tenant = tenant;
    this.#day = day;
    this.#hour = hour;
    this.#lines = lines;
    this.#index = index;
  }

  /** @param hour `HH` */
  static async open(objects: Objects, tenant: string, day: string, hour: string): Promise<ArchiveWriter> {
    const path = join(objects.scratch, randomBytes(8).toString('hex'));
    const lines = await Growing.open(path + LINES);
    return new ArchiveWriter(objects, tenant, day, hour, lines, await Growing.open(path + INDEX));
  }

  has(id: string): boolean {
    return this.#ids.has(id);
  }

  /** Large enough to be a file of its own: what is opened for a look-up, its directory above all, stays small. */
  get isFull(): boolean {
    return this.#lines.size + this.#index.size > FILE_BYTES_MAX;
  }

  /** @param indexBytes as a store keeps it */
  async add(indexBytes: Uint8Array, packed: PackedBlock): Promise<void> {
    const { header, columns, count } = decodeIndex(indexBytes);
    const frameOffset = await this.#lines.append(packed.frame);
    const indexOffset = await this.#index.append(Buffer.concat([indexBytes, packed.patch]));
    // Only now: what failed half way is written over by the next.
    this.#lines.keep();
    this.#index.keep();
    this.#ids.add(header.id);
    this.#records += count;
    this.#contents.add(header.id, packed.contents);
    this.#entries.push({
      id: header.id,
      timeMin: header.timeMin,
      indexOffset,
      indexLength: indexBytes.length,
      patchLength: packed.patch.length,
      frameOffset,
      frameLength: packed.frame.length,
      payloadHash: packed.payloadHash,
      keys: keysOf(header, columns),
    });
  }

  /** Lines, index and then the manifest, each only when what it stands for is there. @returns the manifest's name */
  async commit(): Promise<string> {
    const entries = this.#entries.sort((a, b) => (a.id < b.id ? 1 : -1));
    const append = async (bytes: Uint8Array): Promise<Place> => {
      const offset = await this.#index.append(bytes);
      this.#index.keep();
      return { offset, length: bytes.length };
    };
    const contents = this.#contents.build(entries.map(({ id }) => id));
    const places = {
      directory: await append(encodeDirectory(entries)),
      filter: await append(buildFilter(new Set(entries.flatMap(({ keys }) => keys)))),
      contents: {
        attributes: await append(contents.attributes),
        texts: await append(contents.texts),
        blocks: await append(contents.blocks),
      },
    };

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
      ...places,
    };
    const path = `${dayFolder(this.#tenant, this.#day)}/${name}`;
    await this.#objects.put(path + LINES, { file: this.#lines.path, bytes: linesFacts.bytes });
    await this.#objects.put(path + INDEX, { file: this.#index.path, bytes: indexFacts.bytes });
    await this.#objects.put(path + MANIFEST, Buffer.from(`${JSON.stringify(manifest)}\n`));
    return name;
  }

  async discard(): Promise<void> {
    await this.#lines.discard();
    await this.#index.discard();
  }
}

// Of an hour of 100,000 records a second this makes some fifty files.
const FILE_BYTES_MAX = 256 << 20;

/** The hour of its newest record, or of its arrival where the block is not on its own day. */
export function hourOf({ timeMax, receivedAt, day }: BlockHeader): string {
  const time = dayOf(timeMax) === day ? timeMax : receivedAt;
  return formatNanos(time).slice(11, 13);
}

/** A local file on its way into the archive. */
export class Growing {
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

  get size(): number {
    return this.#size;
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

  async discard(): Promise<void> {
    await this.close();
    await rm(this.path, { force: true });
  }

  async close(): Promise<void> {
    if (this.#closed) return;
    this.#closed = true;
    await this.#file.close();
  }
}
