/**
 * A segment of the journal, as it lies on disk. Integers are little-endian.
 *
 *   segment = magic 'ADJSEG' | version u16 | journal id 16 | base u64 | crc u32 of all before     then records
 *   record  = magic 'ADJ1' | length u32 | position u64 | crc u32 of length, position and entry    then the entry
 *   entry   = signal u8 | 0 u8 | tenant length u16 | received at u64 | tenant | body
 *
 * A position is a byte's place in the endless log of which segments are pieces: a segment's base plus an offset in its file. That
 * of an entry is where it ends. Each record repeats its own, so that after damage the next whole one can be found by its magic
 * without taking bytes inside a body for one; the checksums start from the journal's id, which no sender knows.
 */
import { crc32 } from 'node:zlib';
import { SIGNALS, type Signal } from '../model/block.ts';

export const SEGMENT_HEADER_BYTES = 36;

/** One export request, as it was acknowledged. */
export interface SegmentEntry {
  signal: Signal;
  tenant: string;
  /** Nanoseconds. */
  receivedAt: bigint;
  /** The request in protobuf. */
  body: Uint8Array;
}

export interface PlacedEntry extends SegmentEntry {
  /** Where the entry ends in the log. Grows strictly from entry to entry, across restarts too; never 0. */
  position: bigint;
}

export function recordBytes(entry: SegmentEntry): number {
  return RECORD_HEADER_BYTES + ENTRY_HEADER_BYTES + Buffer.byteLength(entry.tenant) + entry.body.length;
}

/** What goes before the body of an entry. */
export function encodeRecordHead(entry: SegmentEntry, position: bigint, seed: number): Buffer {
  const head = Buffer.allocUnsafe(recordBytes(entry) - entry.body.length);
  RECORD_MAGIC.copy(head);
  head.writeUInt32LE(head.length - RECORD_HEADER_BYTES + entry.body.length, 4);
  head.writeBigUInt64LE(position, 8);
  const tenantBytes = head.write(entry.tenant, RECORD_HEADER_BYTES + ENTRY_HEADER_BYTES);
  head.writeUInt8(SIGNALS.indexOf(entry.signal), 20);
  head.writeUInt8(0, 21);
  head.writeUInt16LE(tenantBytes, 22);
  head.writeBigUInt64LE(entry.receivedAt, 24);
  head.writeUInt32LE(recordCrc(head, entry.body, seed), 16);
  return head;
}

/** Checksums start from here. @param id 32 hex digits */
export function seedOf(id: string): number {
  return crc32(Buffer.from(id, 'hex'));
}

export function encodeSegmentHeader(id: string, base: bigint): Buffer {
  const header = Buffer.alloc(SEGMENT_HEADER_BYTES);
  SEGMENT_MAGIC.copy(header);
  header.writeUInt16LE(VERSION, 6);
  header.write(id, 8, 'hex');
  header.writeBigUInt64LE(base, 24);
  header.writeUInt32LE(crc32(header.subarray(0, 32)), 32);
  return header;
}

/** What a segment says of itself; null when its header is not whole. */
export function decodeSegmentHeader(header: Buffer): { id: string; base: bigint; readable: boolean } | null {
  if (header.length < SEGMENT_HEADER_BYTES || !header.subarray(0, 6).equals(SEGMENT_MAGIC)) return null;
  if (header.readUInt32LE(32) !== crc32(header.subarray(0, 32))) return null;
  return {
    id: header.toString('hex', 8, 24),
    base: header.readBigUInt64LE(24),
    readable: header.readUInt16LE(6) === VERSION,
  };
}

/** How much of what follows a segment's header says when its first entry arrived. */
export const FIRST_ENTRY_BYTES = 32;

/** When the entry arrived whose record begins here, in nanoseconds; null when none does. Not checked: for metrics only. */
export function firstReceivedAt(record: Buffer): bigint | null {
  if (record.length < FIRST_ENTRY_BYTES || !record.subarray(0, 4).equals(RECORD_MAGIC)) return null;
  return record.readBigUInt64LE(24);
}

/** What is read of a segment's file. */
export interface ReadableFile {
  read(buffer: Uint8Array, offset: number, length: number, position: number): Promise<{ bytesRead: number }>;
}

/** Reads the entries of one segment in order, past whatever is damaged. */
export class SegmentReader {
  /** Where in the file the next record is expected: behind the last whole one. */
  offset: number;
  /** Bytes passed over because no whole record could be made of them. */
  damagedBytes = 0;

  readonly #file: ReadableFile;
  readonly #base: bigint;
  readonly #seed: number;
  // Fresh for each read and never written again: bodies are views of it.
  #window = Buffer.alloc(0);
  #windowStart = 0;

  constructor(file: ReadableFile, base: bigint, seed: number, offset = SEGMENT_HEADER_BYTES) {
    this.#file = file;
    this.#base = base;
    this.#seed = seed;
    this.offset = offset;
  }

  /**
   * The next entry that lies wholly before `limit`, or null. After null, what lies between `offset` and `limit` holds no whole
   * record.
   */
  async next(limit: number): Promise<PlacedEntry | null> {
    let at = this.offset;
    while (at + RECORD_HEADER_BYTES <= limit) {
      const record = await this.#recordAt(at, limit);
      if (record !== null) {
        this.damagedBytes += at - this.offset;
        this.offset = at + record.length;
        return decodeEntry(record, this.#base + BigInt(this.offset));
      }
      at = await this.#magicFrom(at + 1, limit);
    }
    return null;
  }

  async #recordAt(at: number, limit: number): Promise<Buffer | null> {
    const head = await this.#view(at, RECORD_HEADER_BYTES, limit);
    if (head.length < RECORD_HEADER_BYTES || head.readUInt32LE(0) !== RECORD_MAGIC.readUInt32LE(0)) return null;
    const length = RECORD_HEADER_BYTES + head.readUInt32LE(4);
    if (length < RECORD_HEADER_BYTES + ENTRY_HEADER_BYTES || at + length > limit) return null;
    if (head.readBigUInt64LE(8) !== this.#base + BigInt(at + length)) return null;
    const record = await this.#view(at, length, limit);
    if (record.length < length) return null;
    return record.readUInt32LE(16) === recordCrc(record, NO_BYTES, this.#seed) ? record : null;
  }

  /** Where the next magic is, or `limit`. */
  async #magicFrom(from: number, limit: number): Promise<number> {
    for (let at = from; at + RECORD_HEADER_BYTES <= limit; ) {
      const view = await this.#view(at, Math.min(READ_BYTES, limit - at), limit);
      const found = view.indexOf(RECORD_MAGIC);
      if (found >= 0) return at + found;
      if (view.length < RECORD_MAGIC.length) break; // the file is shorter than it was said to be
      at += view.length - RECORD_MAGIC.length + 1;
    }
    return limit;
  }

  /** `length` bytes of the file from `at` on, fewer where it ends. Never reads past `limit`: what lies there may yet change. */
  async #view(at: number, length: number, limit: number): Promise<Buffer> {
    const start = at - this.#windowStart;
    if (start >= 0 && start + length <= this.#window.length) return this.#window.subarray(start, start + length);
    const window = Buffer.allocUnsafeSlow(Math.max(length, Math.min(READ_BYTES, limit - at)));
    let size = 0;
    while (size < window.length) {
      const { bytesRead } = await this.#file.read(window, size, window.length - size, at + size);
      if (bytesRead === 0) break;
      size += bytesRead;
    }
    this.#window = window.subarray(0, size);
    this.#windowStart = at;
    return this.#window.subarray(0, length);
  }
}

const VERSION = 1;
const SEGMENT_MAGIC = Buffer.from('ADJSEG');
const RECORD_MAGIC = Buffer.from('ADJ1');
const RECORD_HEADER_BYTES = 20;
const ENTRY_HEADER_BYTES = 12;
const READ_BYTES = 1024 * 1024;
const NO_BYTES = new Uint8Array(0);

function recordCrc(head: Buffer, body: Uint8Array, seed: number): number {
  const placed = crc32(head.subarray(4, 16), seed);
  return crc32(body, crc32(head.subarray(RECORD_HEADER_BYTES), placed));
}

function decodeEntry(record: Buffer, position: bigint): PlacedEntry {
  const bodyStart = RECORD_HEADER_BYTES + ENTRY_HEADER_BYTES + record.readUInt16LE(22);
  return {
    position,
    signal: SIGNALS[record.readUInt8(20)]!,
    tenant: record.toString('utf8', RECORD_HEADER_BYTES + ENTRY_HEADER_BYTES, bodyStart),
    receivedAt: record.readBigUInt64LE(24),
    body: record.subarray(bodyStart),
  };
}
