/**
 * The directory of a journal: `<base>.segment` (segment.ts), named by where in the log each begins, in hex; `identity`, made once;
 * `checkpoint`, how far the store has everything; and what was set aside, `.damaged` or `.foreign`.
 */
import { randomBytes } from 'node:crypto';
import { type FileHandle, open, readdir, readFile, rename, rm, unlink } from 'node:fs/promises';
import { join } from 'node:path';
import type { Logger } from '../base/log.ts';
import { decodeSegmentHeader, encodeSegmentHeader, SEGMENT_HEADER_BYTES, SegmentReader, seedOf } from './segment.ts';

export interface Segment {
  path: string;
  base: bigint;
  /** Bytes of the file that are whole and on disk. */
  size: number;
  damaged: boolean;
}

export type SegmentFile = Pick<FileHandle, 'read' | 'writev' | 'datasync' | 'truncate' | 'stat' | 'close'>;
export type OpenFile = (path: string, flags: string) => Promise<SegmentFile>;

export interface JournalFiles {
  id: string;
  /** In order of the log. */
  segments: Segment[];
  /** Behind everything that any file may hold. */
  end: bigint;
  checkpoint: bigint;
}

/**
 * Takes stock of a directory after whatever ended the last process: a torn tail is cut off, what cannot be ours is set aside. Damage
 * further up is met, and passed over, when it is read.
 */
export async function recoverFiles(directory: string, openFile: OpenFile, log: Logger): Promise<JournalFiles> {
  const names = (await readdir(directory)).filter((name) => SEGMENT_NAME.test(name)).sort();
  const found = await Promise.all(names.map((name) => inspect(join(directory, name), openFile)));
  const id = await identityOf(directory, found.find(({ header }) => header !== null)?.header?.id);
  const segments: Segment[] = [];
  let end = 0n;
  for (const { segment, header } of found) {
    if (endOf(segment) > end) end = endOf(segment);
    // A header that is not whole is damage or a file just begun; one that is whole and says something else is not ours.
    if (header === null || (header.readable && header.id === id)) segments.push(segment);
    else {
      log.error({ file: segment.path }, 'a file of another journal or version is set aside, its records are not read');
      await rename(segment.path, `${segment.path}.foreign`);
    }
  }
  const last = segments.at(-1);
  if (last !== undefined) await cutTornTail(last, seedOf(id), openFile, log);
  return { id, segments, end, checkpoint: await readCheckpoint(directory) };
}

/** Begins a file that is sure to be found again: its name is on disk when this resolves, its bytes with the first datasync. */
export async function createSegment(
  directory: string,
  id: string,
  base: bigint,
  openFile: OpenFile,
): Promise<{ segment: Segment; file: SegmentFile }> {
  const path = join(directory, `${base.toString(16).padStart(16, '0')}.segment`);
  const file = await openFile(path, 'w');
  try {
    await writeAll(file, [encodeSegmentHeader(id, base)], 0);
    await syncDirectory(directory);
  } catch (error) {
    await file.close().catch(() => {});
    await unlink(path).catch(() => {});
    throw error;
  }
  return { segment: { path, base, size: SEGMENT_HEADER_BYTES, damaged: false }, file };
}

/** Lets a segment go that the store has. One that was damaged is kept for whoever wants to look, as long as it is among the last. */
export async function dropSegment(directory: string, segment: Segment): Promise<void> {
  if (!segment.damaged) return unlink(segment.path);
  await rename(segment.path, `${segment.path}.damaged`);
  const kept = (await readdir(directory)).filter((name) => name.endsWith('.damaged')).sort();
  for (const name of kept.slice(0, -DAMAGED_FILES_MAX)) await rm(join(directory, name));
}

/** Not synced: an old one, or none, only makes the journal offer again what the store then knows it has. */
export async function writeCheckpoint(directory: string, position: bigint): Promise<void> {
  const path = join(directory, 'checkpoint');
  const file = await open(`${path}.new`, 'w');
  await file.writeFile(`${position}\n`).finally(() => file.close());
  await rename(`${path}.new`, path);
}

export async function writeAll(file: SegmentFile, buffers: Uint8Array[], position: number): Promise<void> {
  for (let rest = buffers; rest.length > 0; ) {
    const { bytesWritten } = await file.writev(rest, position);
    if (bytesWritten === 0) throw new Error('the disk takes no more bytes');
    position += bytesWritten;
    rest = behind(rest, bytesWritten);
  }
}

/** Makes names in a directory durable. Some platforms cannot open one; those keep names without being asked. */
export async function syncDirectory(path: string): Promise<void> {
  const directory = await open(path, 'r').catch((error: NodeJS.ErrnoException) => {
    if (error.code === 'EISDIR' || error.code === 'EPERM') return null;
    throw error;
  });
  try {
    await directory?.sync();
  } finally {
    await directory?.close();
  }
}

export function endOf(segment: Segment): bigint {
  return segment.base + BigInt(segment.size);
}

/** The sector is bad: asking again would not help, where any other failure of a file may pass. */
export function isLost(error: unknown): boolean {
  const { code } = error as NodeJS.ErrnoException;
  return code === 'EIO' || code === 'ENOENT';
}

const SEGMENT_NAME = /^[0-9a-f]{16}\.segment$/;
const DAMAGED_FILES_MAX = 2;

async function inspect(path: string, openFile: OpenFile) {
  const file = await openFile(path, 'r');
  try {
    const { size } = await file.stat();
    const bytes = Buffer.alloc(SEGMENT_HEADER_BYTES);
    const bytesRead = await file.read(bytes, 0, bytes.length, 0).then(
      (read) => read.bytesRead,
      (error) => {
        if (isLost(error)) return 0;
        throw error;
      },
    );
    const base = BigInt(`0x${path.slice(-'.segment'.length - 16, -'.segment'.length)}`);
    const segment: Segment = { path, base, size: Math.max(size, SEGMENT_HEADER_BYTES), damaged: false };
    return { segment, header: decodeSegmentHeader(bytes.subarray(0, bytesRead)) };
  } finally {
    await file.close();
  }
}

/** Whatever was being written when the process ended was not acknowledged. */
async function cutTornTail(segment: Segment, seed: number, openFile: OpenFile, log: Logger): Promise<void> {
  const file = await openFile(segment.path, 'r+');
  try {
    const reader = new SegmentReader(file, segment.base, seed);
    while ((await reader.next(segment.size)) !== null);
    if (reader.offset === segment.size) return;
    const bytes = segment.size - reader.offset;
    log.warn({ file: segment.path, bytes }, 'the last write to the journal was torn and is dropped');
    await file.truncate(reader.offset);
    await file.datasync();
    segment.size = reader.offset;
  } catch (error) {
    // Left as it is: what is whole before the bad sector will be read.
    if (!isLost(error)) throw error;
  } finally {
    await file.close();
  }
}

/** Of the directory, else of the segments in it, else a new one. The store's ledger goes by it, so it must not change. */
async function identityOf(directory: string, ofSegments: string | undefined): Promise<string> {
  const path = join(directory, 'identity');
  const known = await readFile(path, 'utf8').catch(() => '');
  if (/^[0-9a-f]{32}\n$/.test(known)) return known.trim();
  const id = ofSegments ?? randomBytes(16).toString('hex');
  const file = await open(`${path}.new`, 'w');
  try {
    await file.writeFile(`${id}\n`);
    await file.sync();
  } finally {
    await file.close();
  }
  await rename(`${path}.new`, path);
  await syncDirectory(directory);
  return id;
}

async function readCheckpoint(directory: string): Promise<bigint> {
  const text = await readFile(join(directory, 'checkpoint'), 'utf8').catch(() => '');
  return /^\d{1,19}\n$/.test(text) ? BigInt(text) : 0n;
}

/** What a short write left: a disk that fills up takes a part before it refuses. */
function behind(buffers: readonly Uint8Array[], bytes: number): Uint8Array[] {
  let i = 0;
  while (i < buffers.length && bytes >= buffers[i]!.length) bytes -= buffers[i++]!.length;
  const rest = buffers.slice(i);
  if (bytes > 0) rest[0] = rest[0]!.subarray(bytes);
  return rest;
}
