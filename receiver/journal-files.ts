/**
 * The directory of a journal: `<base>.segment` (segment.ts), named by where in the log each begins, in hex; `identity`, made once;
 * `line`, where its line in the ledger is not called so any more; `checkpoint`, how far the store has everything; and what was set
 * aside, `.damaged` or `.foreign`.
 */
import { randomBytes, randomInt } from 'node:crypto';
import { type FileHandle, link, open, readdir, readFile, rename, rm, stat, unlink } from 'node:fs/promises';
import { join } from 'node:path';
import { crc32 } from 'node:zlib';
import type { Logger } from '../base/log.ts';
import {
  decodeSegmentHeader,
  encodeSegmentHeader,
  FIRST_ENTRY_BYTES,
  firstReceivedAt,
  SEGMENT_HEADER_BYTES,
  SegmentReader,
  seedOf,
} from './segment.ts';

export interface Segment {
  path: string;
  base: bigint;
  /** Bytes of the file that are whole and on disk. */
  size: number;
  /** Where the checksums of its records start. */
  seed: number;
  /** When its first entry arrived, in nanoseconds, as its file says; null when that is not to be read. */
  since: bigint | null;
  damaged: boolean;
}

export type SegmentFile = Pick<FileHandle, 'read' | 'writev' | 'datasync' | 'truncate' | 'stat' | 'close'>;
export type OpenFile = (path: string, flags: string) => Promise<SegmentFile>;

/** Moments between two steps of which the second may never come. Whoever wants the process to end there is told of each. */
export type JournalPoint =
  | 'write' // nothing of a batch is in the file
  | 'fsync' // it is in the file, not on the disk
  | 'ack' // it is on the disk, nobody was answered
  | 'rotate' // a file is full and closed, the next is not begun
  | 'begin' // the next file is begun, its name is not on the disk
  | 'checkpoint' // the store has it, the checkpoint does not say so
  | 'unlink' // the checkpoint says so, the files are still there
  | 'unlinked'; // one of them is gone

export interface JournalFiles {
  id: string;
  /** What its line in the ledger is called. */
  line: string;
  /** In order of the log. */
  segments: Segment[];
  /** Behind everything that any file may hold. */
  end: bigint;
  checkpoint: bigint;
  /** Of files that were set aside: damaged, or not ours. */
  quarantinedBytes: number;
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
  for (const [i, { segment, header }] of found.entries()) {
    segment.seed = seedOf(id);
    // What reaches into the next file was never acknowledged, and would hide what was.
    const next = found[i + 1]?.segment.base;
    if (next !== undefined && endOf(segment) > next) segment.size = Number(next - segment.base);
    if (endOf(segment) > end) end = endOf(segment);
    // A header that is not whole is damage or a file just begun; one that is whole and says something else is not ours.
    if (header === null || (header.readable && header.id === id)) segments.push(segment);
    else {
      log.error({ file: segment.path }, 'a file of another journal or version is set aside, its records are not read');
      await rename(segment.path, `${segment.path}.foreign`);
    }
  }
  const last = segments.at(-1);
  if (last !== undefined) await cutTornTail(last, openFile, log);
  const checkpoint = await readCheckpoint(directory);
  const line = (await readName(directory, 'line')) ?? id;
  return { id, line, segments, end, checkpoint, quarantinedBytes: await quarantinedBytes(directory) };
}

/** What lies aside for whoever wants to look. */
export async function quarantinedBytes(directory: string): Promise<number> {
  const names = (await readdir(directory)).filter((name) => QUARANTINED.test(name));
  const sizes = await Promise.all(names.map((name) => stat(join(directory, name)).catch(() => ({ size: 0 }))));
  return sizes.reduce((sum, { size }) => sum + size, 0);
}

/** Begins a file that is sure to be found again: its name is on disk when this resolves, its bytes with the first datasync. */
export async function createSegment(
  directory: string,
  id: string,
  base: bigint,
  openFile: OpenFile,
  at: (point: JournalPoint) => void,
): Promise<{ segment: Segment; file: SegmentFile }> {
  const path = join(directory, `${base.toString(16).padStart(16, '0')}.segment`);
  const file = await openFile(path, 'w');
  try {
    await writeAll(file, [encodeSegmentHeader(id, base)], 0);
    at('begin');
    await syncDirectory(directory);
  } catch (error) {
    await file.close().catch(() => {});
    await unlink(path).catch(() => {});
    throw error;
  }
  const segment = { path, base, size: SEGMENT_HEADER_BYTES, seed: seedOf(id), since: null, damaged: false };
  return { segment, file };
}

/**
 * Gives a segment that was found to be damaged a second name, so that it outlives being dropped, by whichever process. Kept for whoever
 * wants to look, as long as it is among the last.
 * @throws where the file system knows no second names
 */
export async function keepDamaged(directory: string, segment: Segment): Promise<void> {
  await link(segment.path, `${segment.path}.damaged`).catch((error: NodeJS.ErrnoException) => {
    if (error.code !== 'EEXIST') throw error; // by the process before this one
  });
  await syncDirectory(directory);
  const kept = (await readdir(directory)).filter((name) => name.endsWith('.damaged')).sort();
  for (const name of kept.slice(0, -DAMAGED_FILES_MAX)) await rm(join(directory, name));
}

/** A name for the line in the ledger that no other journal has, on disk when this resolves. */
export async function renameLine(directory: string): Promise<string> {
  const line = randomBytes(16).toString('hex');
  await writeName(directory, 'line', line);
  return line;
}

/** Not synced: an old one, or none, only makes the journal offer again what the store then knows it has. */
export async function writeCheckpoint(directory: string, position: bigint): Promise<void> {
  const path = join(directory, 'checkpoint');
  const file = await open(`${path}.new`, 'w');
  await file.writeFile(checkpointText(position)).finally(() => file.close());
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

/** So far behind what it found a process begins, so that two on copies of one directory never mean different entries by one position. */
export function startingGap(): bigint {
  return BigInt(randomInt(GAP_MAX));
}

export function max(a: bigint, b: bigint): bigint {
  return a > b ? a : b;
}

/** Of entries on disk behind a position. Positions have gaps, so that their distance says nothing. */
export function bytesBehind(segments: readonly Segment[], position: bigint): number {
  let bytes = 0;
  for (const segment of segments) {
    const behind = Number(position - segment.base);
    bytes += Math.max(0, segment.size - Math.max(SEGMENT_HEADER_BYTES, behind));
  }
  return bytes;
}

export function endOf(segment: Segment): bigint {
  return segment.base + BigInt(segment.size);
}

/** The sector is bad: asking again would not help, where any other failure of a file may pass. */
export function isLost(error: unknown): boolean {
  const { code } = error as NodeJS.ErrnoException;
  return code === 'EIO' || code === 'ENOENT';
}

const QUARANTINED = /\.(damaged|foreign)$/;
const SEGMENT_NAME = /^[0-9a-f]{16}\.segment$/;
const DAMAGED_FILES_MAX = 2;
// Four seconds of positions by the clock.
const GAP_MAX = 2 ** 32;

async function inspect(path: string, openFile: OpenFile) {
  const file = await openFile(path, 'r');
  try {
    const { size } = await file.stat();
    const bytes = Buffer.alloc(SEGMENT_HEADER_BYTES + FIRST_ENTRY_BYTES);
    const bytesRead = await file.read(bytes, 0, bytes.length, 0).then(
      (read) => read.bytesRead,
      (error) => {
        if (isLost(error)) return 0;
        throw error;
      },
    );
    const base = BigInt(`0x${path.slice(-'.segment'.length - 16, -'.segment'.length)}`);
    const since = firstReceivedAt(bytes.subarray(Math.min(bytesRead, SEGMENT_HEADER_BYTES), bytesRead));
    const segment: Segment = { path, base, size: Math.max(size, SEGMENT_HEADER_BYTES), seed: 0, since, damaged: false };
    return { segment, header: decodeSegmentHeader(bytes.subarray(0, bytesRead)) };
  } finally {
    await file.close();
  }
}

/** Whatever was being written when the process ended was not acknowledged. */
async function cutTornTail(segment: Segment, openFile: OpenFile, log: Logger): Promise<void> {
  const file = await openFile(segment.path, 'r+');
  try {
    const reader = new SegmentReader(file, segment.base, segment.seed);
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
  const known = await readName(directory, 'identity');
  if (known !== null) return known;
  const id = ofSegments ?? randomBytes(16).toString('hex');
  await writeName(directory, 'identity', id);
  return id;
}

/** @returns null where there is none, or no whole one */
async function readName(directory: string, file: string): Promise<string | null> {
  const text = await readFile(join(directory, file), 'utf8').catch(() => '');
  const name = text.slice(0, 32);
  return text === nameText(name) ? name : null;
}

async function writeName(directory: string, name: string, value: string): Promise<void> {
  const path = join(directory, name);
  const file = await open(`${path}.new`, 'w');
  try {
    await file.writeFile(nameText(value));
    await file.sync();
  } finally {
    await file.close();
  }
  await rename(`${path}.new`, path);
  await syncDirectory(directory);
}

/** With a checksum: under another name nothing in the directory would be ours. */
function nameText(name: string): string {
  return `${name} ${crc32(name).toString(16)}\n`;
}

async function readCheckpoint(directory: string): Promise<bigint> {
  const text = await readFile(join(directory, 'checkpoint'), 'utf8').catch(() => '');
  const position = /^(\d{1,19}) /.exec(text)?.[1] ?? '0';
  return text === checkpointText(BigInt(position)) ? BigInt(position) : 0n;
}

/** With a checksum: a digit that flipped would pass over what nobody has stored. */
function checkpointText(position: bigint): string {
  return `${position} ${crc32(String(position)).toString(16)}\n`;
}

/** What a short write left: a disk that fills up takes a part before it refuses. */
function behind(buffers: readonly Uint8Array[], bytes: number): Uint8Array[] {
  let i = 0;
  while (i < buffers.length && bytes >= buffers[i]!.length) bytes -= buffers[i++]!.length;
  const rest = buffers.slice(i);
  if (bytes > 0) rest[0] = rest[0]!.subarray(bytes);
  return rest;
}
