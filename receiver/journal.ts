/**
 * The journal: where a request is safe before it is acknowledged, and the queue from which it is stored.
 *
 * - An append resolves after fdatasync, or it is refused. All that arrives while one fdatasync runs shares the next; an idle
 *   writer does not wait.
 * - Entries are handed out in order, from memory while the unread tail is small, else read back from the files: a store that is
 *   away makes the files grow, never the heap.
 * - `release` says what the store has committed; whole segments behind that are unlinked. What was handed out but not released
 *   is handed out again after a restart.
 * - Bounded: at most `bytesMax` of entries wait. Files are dropped whole, so the disk holds up to two segments more, and the last
 *   two that were damaged. When full, appends are refused.
 * - Damage costs the damaged records only: reading goes on at the next whole one, and the file is kept aside.
 */
import { mkdir, open } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { assert } from '../base/assert.ts';
import type { Clock } from '../base/clock.ts';
import { DebugError } from '../base/errors.ts';
import type { Part } from '../base/lifecycle.ts';
import type { Logger } from '../base/log.ts';
import type { Counter, Histogram, Meter } from '../base/meter.ts';
import type { RequestIndex } from '../otlp/walk.ts';
import { lockFile } from './directory-lock.ts';
import {
  createSegment,
  dropSegment,
  endOf,
  isLost,
  type OpenFile,
  recoverFiles,
  type Segment,
  type SegmentFile,
  syncDirectory,
  writeAll,
  writeCheckpoint,
} from './journal-files.ts';
import {
  encodeRecordHead,
  type PlacedEntry,
  recordBytes,
  SEGMENT_HEADER_BYTES,
  SegmentReader,
  seedOf,
} from './segment.ts';

export interface JournalEntry extends PlacedEntry {
  /** What the walk found, carried along in memory; null when the entry was read back. */
  index: RequestIndex | null;
}

export interface Journal extends Part {
  /** 32 hex digits, made when the directory was. Known once started. */
  readonly id: string;
  /**
   * Resolves with the entry's position once it is on disk. The body MUST NOT change afterwards.
   * @throws DebugError UNAVAILABLE when full, when the disk refuses, or when stopping; TOO_LARGE for what could never fit
   */
  append(entry: Omit<JournalEntry, 'position'>): Promise<bigint>;
  /**
   * The next entries in order, at least one and at most about `bytesMax` of them; waits for the first. One taker at a time.
   * Empty once stopped or when `signal` says so. Never fails: what cannot be read now is tried again, what never can is passed over.
   */
  take(bytesMax: number, signal?: AbortSignal): Promise<JournalEntry[]>;
  /** Everything up to and including this position is in the store. Resolves when the disk shows it; need not be awaited. */
  release(position: bigint): Promise<void>;
  /**
   * Continues behind `position`, the line of the store's ledger, and never gives out a position at or before it again. To be called
   * before the first append and take; without it the journal goes by its own checkpoint, which may lag.
   */
  seek(position: bigint): void;
  stats(): JournalStats;
}

export interface JournalStats {
  /** Position of the last entry on disk; 0n before the first. */
  durable: bigint;
  /** Of entries not released. */
  bytes: number;
  bytesMax: number;
  /** Of entries not yet taken. */
  unreadBytes: number;
  segments: number;
  /** Passed over since the start because they could not be read. */
  damagedBytes: number;
}

export interface JournalOptions {
  directory: string;
  /** Entries that may wait for the store. */
  bytesMax: number;
  /** Size at which a file is closed and the next begun. */
  segmentBytes: number;
  /** Unread entries that are kept in memory; those beyond are read back from the files. Default 64 MiB. */
  memoryBytesMax?: number;
  clock: Clock;
  log: Logger;
  meter: Meter;
  /** Opens segments; tests give one that fails. */
  openFile?: OpenFile;
}

export function createJournal(options: JournalOptions): Journal {
  return new SegmentedJournal(options);
}

// What the index of one record weighs in memory, beside the body that it points into.
const INDEX_RECORD_BYTES = 400;
const RETRY_FULL_SECONDS = 3;
const RETRY_DISK_SECONDS = 2;
const RETRY_STOPPING_SECONDS = 1;
const READ_AGAIN_MS = 500;

interface Waiting {
  entry: Omit<JournalEntry, 'position'>;
  bytes: number;
  resolve(position: bigint): void;
  reject(error: Error): void;
}

/**
 * Four positions, each at or before the one above it; the position of an entry is where it ends.
 *   end      where the next record or segment begins
 *   durable  of the last entry on disk
 *   read     of the last entry handed out by `take`
 *   released of the last entry that the store has
 * Unread entries lie in `memory` as far as it reaches. Once it is full, those that follow are left on disk (`spilled`) until
 * the reader has caught up with them, so that memory always holds the front of what is unread and nothing behind a hole.
 */
class SegmentedJournal implements Journal {
  readonly name = 'journal';
  readonly #options: Required<JournalOptions>;

  #state: 'new' | 'running' | 'stopped' = 'new';
  #starting: Promise<void> | undefined;
  #stopping: Promise<void> | undefined;
  #unlock: (() => void) | null = null;
  #id = '';
  #seed = 0;

  #segments: Segment[] = [];
  #end = 0n;
  #durable = 0n;
  #read = 0n;
  #released = 0n;

  #waiting: Waiting[] = [];
  #waitingBytes = 0;
  #committing: Promise<void> | undefined;
  /** The file being written, the last of `segments`; null when the next commit begins another. */
  #active: { segment: Segment; file: SegmentFile } | null = null;
  #diskTrouble = false;
  #readTrouble = false;

  #memory: JournalEntry[] = [];
  #memoryBytes = 0;
  #spilled = false;
  #reading: { segment: Segment; file: SegmentFile; reader: SegmentReader } | null = null;
  #taking = false;
  #wake: (() => void) | null = null;

  #housekeeping: Promise<void> = Promise.resolve();
  #housekeepingQueued = false;

  #damagedBytes = 0;
  readonly #appendedBytes: Counter;
  readonly #refused: Counter;
  readonly #damaged: Counter;
  readonly #commitSeconds: Histogram;

  constructor(options: JournalOptions) {
    this.#options = { memoryBytesMax: 64 * 1024 * 1024, openFile: open, ...options };
    const { meter } = options;
    this.#appendedBytes = meter.counter('journal_appended_bytes_total', 'Bytes of entries made durable.');
    this.#refused = meter.counter('journal_refused_total', 'Appends refused.', ['reason']);
    this.#damaged = meter.counter('journal_damaged_bytes_total', 'Bytes passed over because they could not be read.');
    this.#commitSeconds = meter.histogram(
      'journal_commit_seconds',
      'One group commit: write and fdatasync.',
      COMMIT_BUCKETS_SECONDS,
    );
    meter.gauge('journal_bytes', 'Bytes of entries that wait for the store.', () => this.stats().bytes);
    meter.gauge('journal_unread_bytes', 'Bytes of entries that nobody has taken yet.', () => this.stats().unreadBytes);
    meter.gauge('journal_segments', 'Files of the journal.', () => this.#segments.length);
  }

  get id(): string {
    return this.#id;
  }

  stats(): JournalStats {
    return {
      durable: this.#durable,
      bytes: between(this.#released, this.#durable),
      bytesMax: this.#options.bytesMax,
      unreadBytes: between(this.#read, this.#durable),
      segments: this.#segments.length,
      damagedBytes: this.#damagedBytes,
    };
  }

  // ── append and commit ────────────────────────────────────────────────────────────────────────────────────────────────────

  append(entry: Omit<JournalEntry, 'position'>): Promise<bigint> {
    const bytes = recordBytes(entry);
    const { bytesMax } = this.#options;
    if (this.#state !== 'running') return Promise.reject(this.#refuse('stopping', 1));
    if (bytes > bytesMax) {
      return Promise.reject(
        new DebugError('TOO_LARGE', `${bytes} bytes exceed the whole journal of ${bytesMax} bytes`),
      );
    }
    if (between(this.#released, this.#durable) + this.#waitingBytes + bytes > bytesMax) {
      return Promise.reject(this.#refuse('full', 1));
    }
    return new Promise((resolve, reject) => {
      this.#waiting.push({ entry, bytes, resolve, reject });
      this.#waitingBytes += bytes;
      this.#committing ??= this.#commitWaiting();
    });
  }

  async #commitWaiting(): Promise<void> {
    while (this.#waiting.length > 0) {
      const { batch, bytes } = this.#nextBatch();
      try {
        await this.#commit(batch, bytes);
        if (this.#diskTrouble) this.#options.log.info('the journal can write again');
        this.#diskTrouble = false;
      } catch (error) {
        const { log } = this.#options;
        if (!this.#diskTrouble) log.error({ err: error }, 'the journal cannot write: ingest is refused until it can');
        this.#diskTrouble = true;
        this.#waitingBytes -= bytes;
        const refusal = this.#refuse('disk', batch.length, error);
        for (const waiting of batch) waiting.reject(refusal);
      }
    }
    this.#committing = undefined;
  }

  /** All that wait, as far as they fit one segment. */
  #nextBatch(): { batch: Waiting[]; bytes: number } {
    const waiting = this.#waiting;
    const { segmentBytes } = this.#options;
    let bytes = waiting[0]!.bytes;
    let count = 1;
    while (count < waiting.length && bytes + waiting[count]!.bytes <= segmentBytes) bytes += waiting[count++]!.bytes;
    return { batch: waiting.splice(0, count), bytes };
  }

  async #commit(batch: readonly Waiting[], bytes: number): Promise<void> {
    const startMs = this.#options.clock.monotonicMs();
    const { segment, file } = await this.#writable(bytes);
    const buffers: Uint8Array[] = [];
    const positions: bigint[] = [];
    let end = endOf(segment);
    for (const { entry, bytes } of batch) {
      end += BigInt(bytes);
      buffers.push(encodeRecordHead(entry, end, this.#seed), entry.body);
      positions.push(end);
    }
    try {
      await writeAll(file, buffers, segment.size);
    } catch (error) {
      // What was written in part is cut off, lest it be taken for acknowledged; where that fails the next write covers it.
      await file.truncate(segment.size).catch(() => {});
      throw error;
    }
    try {
      await file.datasync();
    } catch (error) {
      // The kernel may have dropped the pages and call the next fdatasync of this file a success: never ask it again.
      await this.#abandon(end);
      throw error;
    }
    segment.size += bytes;
    this.#end = end;
    this.#durable = end;
    this.#waitingBytes -= bytes;
    this.#appendedBytes.inc(bytes);
    this.#commitSeconds.observe((this.#options.clock.monotonicMs() - startMs) / 1000);
    for (let i = 0; i < batch.length; i++) {
      this.#remember({ ...batch[i]!.entry, position: positions[i]! });
      batch[i]!.resolve(positions[i]!);
    }
    this.#wake?.();
  }

  /** The segment that takes the next `bytes`: the active one, or a new one when they would not fit. */
  async #writable(bytes: number): Promise<{ segment: Segment; file: SegmentFile }> {
    if (this.#active !== null) {
      const { segment, file } = this.#active;
      const fits = segment.size + bytes <= this.#options.segmentBytes;
      if (fits || segment.size === SEGMENT_HEADER_BYTES) return this.#active;
      this.#active = null;
      await file.close();
    }
    this.#active = await createSegment(this.#options.directory, this.#id, this.#end, this.#options.openFile);
    this.#segments.push(this.#active.segment);
    return this.#active;
  }

  /** Leaves the active file as it is; the next one begins behind whatever may have reached it. */
  async #abandon(end: bigint): Promise<void> {
    const file = this.#active?.file;
    this.#active = null;
    this.#end = end;
    await file?.close().catch(() => {});
  }

  #refuse(reason: 'full' | 'disk' | 'stopping', count: number, cause?: unknown): DebugError {
    this.#refused.inc({ reason }, count);
    switch (reason) {
      case 'full':
        return new DebugError('UNAVAILABLE', 'the journal is full: the store does not keep up', {
          retryAfterSeconds: RETRY_FULL_SECONDS,
        });
      case 'disk':
        return new DebugError('UNAVAILABLE', 'the journal cannot write to its disk', {
          retryAfterSeconds: RETRY_DISK_SECONDS,
          cause,
        });
      case 'stopping':
        return new DebugError('UNAVAILABLE', 'the receiver is stopping', { retryAfterSeconds: RETRY_STOPPING_SECONDS });
    }
  }

  // ── take and release ─────────────────────────────────────────────────────────────────────────────────────────────────────

  #remember(entry: JournalEntry): void {
    const bytes = memoryBytesOf(entry);
    if (this.#spilled || this.#memoryBytes + bytes > this.#options.memoryBytesMax) {
      this.#spilled = true;
      return;
    }
    this.#memory.push(entry);
    this.#memoryBytes += bytes;
  }

  async take(bytesMax: number, signal?: AbortSignal): Promise<JournalEntry[]> {
    assert(!this.#taking, 'the journal has one taker at a time');
    this.#taking = true;
    try {
      while (this.#state === 'running' && !signal?.aborted) {
        const entries = this.#memory.length > 0 ? this.#takeFromMemory(bytesMax) : await this.#takeFromDisk(bytesMax);
        if (entries.length > 0) return entries;
        // Looked at anew, for much may have happened while the disk was asked.
        const idle = !this.#spilled && this.#memory.length === 0;
        if (idle && this.#state === 'running' && !signal?.aborted) await this.#arrival(signal);
      }
      return [];
    } finally {
      this.#taking = false;
    }
  }

  #takeFromMemory(bytesMax: number): JournalEntry[] {
    let bytes = 0;
    let count = 0;
    do {
      const entry = this.#memory[count++]!;
      bytes += entry.body.length;
      this.#memoryBytes -= memoryBytesOf(entry);
    } while (count < this.#memory.length && bytes + this.#memory[count]!.body.length <= bytesMax);
    const entries = this.#memory.splice(0, count);
    this.#read = entries.at(-1)!.position;
    return entries;
  }

  async #takeFromDisk(bytesMax: number): Promise<JournalEntry[]> {
    const entries: JournalEntry[] = [];
    let bytes = 0;
    try {
      while (this.#spilled && bytes < bytesMax && this.#state === 'running') {
        const segment = this.#segments.find((segment) => endOf(segment) > this.#read);
        assert(segment !== undefined, 'what is durable and unread lies in a segment');
        const entry = await this.#readFrom(segment);
        if (entry !== null) {
          entries.push({ ...entry, index: null });
          bytes += entry.body.length;
          this.#read = entry.position;
        }
        // Looked at and set in one turn: what is committed from now on goes to memory again.
        if (this.#read >= this.#durable) this.#spilled = false;
      }
      if (!this.#spilled) await this.#closeReader();
      this.#readTrouble = false;
    } catch (error) {
      // Too many open files, say. What was read so far has left the queue and is handed out first.
      if (entries.length === 0 && this.#state === 'running') {
        const { log } = this.#options;
        if (!this.#readTrouble) log.error({ err: error }, 'the journal cannot be read: it is tried again');
        this.#readTrouble = true;
        await this.#arrival(undefined, READ_AGAIN_MS);
      }
    }
    return entries;
  }

  /** The next entry of a segment behind `read`; null, and `read` at its end, when it has no more. */
  async #readFrom(segment: Segment): Promise<PlacedEntry | null> {
    const offset = Math.max(SEGMENT_HEADER_BYTES, Number(this.#read - segment.base));
    const limit = segment.size;
    let damagedBytes = limit - offset;
    let entry: PlacedEntry | null = null;
    try {
      const reader = await this.#readerAt(segment, offset);
      const damagedBefore = reader.damagedBytes;
      entry = await reader.next(limit);
      damagedBytes = reader.damagedBytes - damagedBefore + (entry === null ? limit - reader.offset : 0);
    } catch (error) {
      // What is lost for good would stop the line for good.
      if (!isLost(error)) throw error;
    }
    if (damagedBytes > 0) this.#reportDamage(segment, damagedBytes);
    if (entry === null) this.#read = segment.base + BigInt(limit);
    return entry;
  }

  async #readerAt(segment: Segment, offset: number): Promise<SegmentReader> {
    if (this.#reading?.segment !== segment || this.#reading.reader.offset !== offset) {
      await this.#closeReader();
      const file = await this.#options.openFile(segment.path, 'r');
      this.#reading = { segment, file, reader: new SegmentReader(file, segment.base, this.#seed, offset) };
    }
    return this.#reading.reader;
  }

  #reportDamage(segment: Segment, bytes: number): void {
    if (!segment.damaged) {
      const message = 'a file of the journal is damaged: what is whole in it is read on';
      this.#options.log.error({ file: segment.path, bytes }, message);
    }
    segment.damaged = true;
    this.#damagedBytes += bytes;
    this.#damaged.inc(bytes);
  }

  async #closeReader(): Promise<void> {
    const reading = this.#reading;
    this.#reading = null;
    await reading?.file.close().catch(() => {});
  }

  /** Until something was committed, the journal stops, or the signal or the time says so. */
  #arrival(signal: AbortSignal | undefined, timeoutMs?: number): Promise<void> {
    return new Promise((resolve) => {
      const wake = () => {
        this.#wake = null;
        clearTimeout(timer);
        signal?.removeEventListener('abort', wake);
        resolve();
      };
      const timer = timeoutMs === undefined ? undefined : setTimeout(wake, timeoutMs);
      this.#wake = wake;
      signal?.addEventListener('abort', wake);
    });
  }

  seek(position: bigint): void {
    assert(
      this.#active === null && this.#waiting.length === 0 && !this.#taking,
      'seek comes before the first append and take',
    );
    this.#read = position;
    this.#released = position;
    // Where files were lost that the store had read, go on behind them: it takes nothing at or before its own line.
    this.#end = max(this.#end, position);
    this.#spilled = this.#read < this.#durable;
  }

  release(position: bigint): Promise<void> {
    this.#released = max(this.#released, position);
    if (!this.#housekeepingQueued) {
      this.#housekeepingQueued = true;
      this.#housekeeping = this.#housekeeping.then(() => this.#tidyUp());
    }
    return this.#housekeeping;
  }

  /** Writes the checkpoint and unlinks what lies behind it. Neither has to succeed: the ledger knows better, and a next time comes. */
  async #tidyUp(): Promise<void> {
    this.#housekeepingQueued = false;
    try {
      await writeCheckpoint(this.#options.directory, this.#released);
      // The last file stays, whatever is in it: its name is what the next position is known from.
      while (this.#segments.length > 1 && endOf(this.#segments[0]!) <= this.#released) {
        await dropSegment(this.#options.directory, this.#segments.shift()!);
      }
    } catch (error) {
      this.#options.log.warn({ err: error }, 'the journal could not tidy up behind itself');
    }
  }

  // ── start and stop ───────────────────────────────────────────────────────────────────────────────────────────────────────

  start(): Promise<void> {
    this.#starting ??= this.#open();
    return this.#starting;
  }

  async #open(): Promise<void> {
    const { directory } = this.#options;
    try {
      const created = await mkdir(directory, { recursive: true });
      if (created !== undefined) await syncDirectory(dirname(created));
      this.#unlock = lockFile(join(directory, 'lock'));
      if (this.#unlock !== null) await this.#recover();
    } catch (error) {
      this.#unlock?.();
      const message = `cannot open the journal in ${directory} (DEBUG_DATA_DIR): ${(error as Error).message}`;
      throw new DebugError('INTERNAL', message, { cause: error });
    }
    if (this.#unlock === null) {
      throw new DebugError('CONFLICT', `another process has the journal in ${directory} open (DEBUG_DATA_DIR)`);
    }
    this.#state = 'running';
  }

  async #recover(): Promise<void> {
    const { directory, openFile, log } = this.#options;
    const { id, segments, end, checkpoint } = await recoverFiles(directory, openFile, log);
    this.#id = id;
    this.#seed = seedOf(id);
    this.#segments = segments;
    this.#end = max(end, checkpoint);
    const lastWritten = segments.findLast(({ size }) => size > SEGMENT_HEADER_BYTES);
    this.#durable = lastWritten === undefined ? checkpoint : endOf(lastWritten);
    this.#read = checkpoint;
    this.#released = checkpoint;
    this.#spilled = this.#read < this.#durable;
    log.info({ directory, bytes: this.stats().bytes, segments: segments.length }, 'the journal is open');
  }

  stop(): Promise<void> {
    this.#stopping ??= (this.#starting ?? Promise.resolve()).catch(() => {}).then(() => this.#close());
    return this.#stopping;
  }

  async #close(): Promise<void> {
    const wasRunning = this.#state === 'running';
    this.#state = 'stopped';
    this.#wake?.();
    if (!wasRunning) return;
    try {
      await this.#committing;
      await this.release(this.#released);
      await this.#closeReader();
      await this.#active?.file.close();
    } finally {
      this.#unlock?.();
    }
  }
}

const COMMIT_BUCKETS_SECONDS = [0.0005, 0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.5, 2];

function memoryBytesOf(entry: JournalEntry): number {
  return entry.body.length + (entry.index === null ? 0 : entry.index.records.length * INDEX_RECORD_BYTES);
}

function between(from: bigint, to: bigint): number {
  return to > from ? Number(to - from) : 0;
}

function max(a: bigint, b: bigint): bigint {
  return a > b ? a : b;
}
