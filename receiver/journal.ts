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
import { mkdir, open, unlink } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { assert } from '../base/assert.ts';
import type { Clock } from '../base/clock.ts';
import { DebugError } from '../base/errors.ts';
import type { Part } from '../base/lifecycle.ts';
import type { Logger } from '../base/log.ts';
import type { Meter } from '../base/meter.ts';
import type { RequestIndex } from '../otlp/walk.ts';
import { lockFile } from './directory-lock.ts';
import { Backlog, memoryBytesOf } from './journal-backlog.ts';
import {
  bytesBehind,
  createSegment,
  endOf,
  type JournalPoint,
  keepDamaged,
  max,
  type OpenFile,
  quarantinedBytes,
  recoverFiles,
  renameLine,
  type Segment,
  type SegmentFile,
  startingGap,
  syncDirectory,
  writeAll,
  writeCheckpoint,
} from './journal-files.ts';
import { createJournalMetrics, type JournalMetrics, type JournalStats } from './journal-metrics.ts';
import { JournalReader } from './journal-reader.ts';
import { type Refusal, refusal } from './journal-refusal.ts';
import { encodeRecordHead, type PlacedEntry, recordBytes, SEGMENT_HEADER_BYTES } from './segment.ts';

export interface JournalEntry extends PlacedEntry {
  /** What the walk found, carried along in memory; null when the entry was read back. */
  index: RequestIndex | null;
}

export interface Journal extends Part {
  /** 32 hex digits, made when the directory was. Known once started. */
  readonly id: string;
  /** What its line in the store's ledger is called: its id, until {@link takeAnotherLine}. */
  readonly line: string;
  /** Goes on under a line of its own: another process, on a copy of this directory, was found to write the one it had. */
  takeAnotherLine(): Promise<void>;
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
   * Continues behind `position`, the line of the store's ledger: hands out what lies behind it, and never gives out a position at or
   * before it. To be called before the first take. Until then the journal goes by its own checkpoint, which may lag, and gives
   * positions by the clock, lest a directory whose files were lost or came back from a backup repeat those of the ledger.
   * @returns `position`
   */
  seek(position: bigint): Promise<bigint>;
  /** Of entries not yet taken; cheap to ask, as the stats are not. */
  readonly unreadBytes: number;
  stats(): JournalStats;
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
  /** Told of each moment between two steps; tests end the process there. */
  at?: (point: JournalPoint) => void;
}

export type { JournalPoint, JournalStats };

export function createJournal(options: JournalOptions): Journal {
  return new SegmentedJournal(options);
}

const READ_AGAIN_MS = 500;
// A byte a nanosecond, and more than any disk syncs for long: positions by the clock grow faster than those by bytes.
const POSITIONS_PER_MS = 1n << 20n;
const MOVE_BYTES_MAX = 8 << 20;

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
  #line = '';

  #segments: Segment[] = [];
  #end = 0n;
  /** What begins from now on begins here or behind. */
  #floor = 0n;
  /** Behind what was there at the start or has been sought. */
  #found = 0n;
  #durable = 0n;
  #read = 0n;
  #released = 0n;

  #waiting: Waiting[] = [];
  #waitingBytes = 0;
  /** Of entries on disk that are not released. */
  #heldBytes = 0;
  #committing: Promise<void> | undefined;
  #batch: Promise<void> | undefined;
  /** The file being written, the last of `segments`; null when the next commit begins another. */
  #active: { segment: Segment; file: SegmentFile } | null = null;
  #diskTrouble = false;
  #readTrouble = false;
  #tidyTrouble = false;

  #memory: JournalEntry[] = [];
  #memoryBytes = 0;
  #spilled = false;
  readonly #reader: JournalReader;
  #taking = false;
  #wake: (() => void) | null = null;

  #housekeeping: Promise<void> = Promise.resolve();
  #housekeepingQueued = false;

  #damagedBytes = 0;
  #quarantinedBytes = 0;
  readonly #backlog = new Backlog();
  readonly #metrics: JournalMetrics;

  constructor(options: JournalOptions) {
    this.#options = { memoryBytesMax: 64 * 1024 * 1024, openFile: open, at: () => {}, ...options };
    this.#reader = new JournalReader(this.#options.openFile);
    this.#metrics = createJournalMetrics(options.meter, () => this.stats());
  }

  get id(): string {
    return this.#id;
  }

  get line(): string {
    return this.#line;
  }

  async takeAnotherLine(): Promise<void> {
    this.#line = await renameLine(this.#options.directory);
  }

  get unreadBytes(): number {
    return bytesBehind(this.#segments, this.#read);
  }

  stats(): JournalStats {
    const { oldest, entries } = this.#backlog;
    const { bytesMax, clock } = this.#options;
    return {
      durable: this.#durable,
      bytes: this.#heldBytes,
      bytesMax,
      unreadBytes: this.unreadBytes,
      entries,
      lagSeconds: oldest === null ? 0 : Math.max(0, Number(clock.nowNanos() - oldest) / 1e9),
      segments: this.#segments.length,
      quarantinedBytes: this.#quarantinedBytes,
      damagedBytes: this.#damagedBytes,
    };
  }

  // ── append and commit ────────────────────────────────────────────────────────────────────────────────────────────────────

  append(entry: Omit<JournalEntry, 'position'>): Promise<bigint> {
    const bytes = recordBytes(entry);
    if (this.#state !== 'running') return Promise.reject(this.#refuse('stopping', 1));
    const { bytesMax } = this.#options;
    if (bytes > bytesMax) {
      this.#metrics.refused.inc({ reason: 'too_large' });
      const message = `${bytes} bytes exceed the whole journal of ${bytesMax} bytes`;
      return Promise.reject(new DebugError('TOO_LARGE', message));
    }
    if (this.#heldBytes + this.#waitingBytes + bytes > bytesMax) return Promise.reject(this.#refuse('full', 1));
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
        this.#batch = this.#commit(batch, bytes);
        await this.#batch;
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
    const { clock, at } = this.#options;
    const metrics = this.#metrics;
    const startMs = clock.monotonicMs();
    const { segment, file } = await this.#writable(bytes);
    const buffers: Uint8Array[] = [];
    const positions: bigint[] = [];
    let end = endOf(segment);
    for (const { entry, bytes } of batch) {
      end += BigInt(bytes);
      buffers.push(encodeRecordHead(entry, end, segment.seed), entry.body);
      positions.push(end);
    }
    at('write');
    try {
      await writeAll(file, buffers, segment.size);
    } catch (error) {
      // What was written in part is cut off, lest it be taken for acknowledged.
      await file.truncate(segment.size).catch(() => this.#abandon(end));
      throw error;
    }
    at('fsync');
    const writtenMs = clock.monotonicMs();
    try {
      await file.datasync();
    } catch (error) {
      // The kernel may have dropped the pages and call the next fdatasync of this file a success: never ask it again.
      await this.#abandon(end);
      throw error;
    }
    at('ack');
    const syncedMs = clock.monotonicMs();
    segment.since ??= batch[0]!.entry.receivedAt;
    segment.size += bytes;
    this.#end = end;
    this.#durable = end;
    this.#waitingBytes -= bytes;
    this.#heldBytes += bytes;
    this.#backlog.add(end, batch.length, batch[0]!.entry.receivedAt);
    metrics.appendedBytes.inc(bytes);
    metrics.batchEntries.observe(batch.length);
    metrics.syncSeconds.observe((syncedMs - writtenMs) / 1000);
    metrics.commitSeconds.observe((syncedMs - startMs) / 1000);
    for (let i = 0; i < batch.length; i++) {
      this.#remember({ ...batch[i]!.entry, position: positions[i]! });
      batch[i]!.resolve(positions[i]!);
    }
    this.#wake?.();
  }

  /** The segment that takes the next `bytes`: the active one, or a new one when they would not fit. */
  async #writable(bytes: number): Promise<{ segment: Segment; file: SegmentFile }> {
    const { directory, segmentBytes, openFile, at } = this.#options;
    if (this.#active !== null) {
      const { segment, file } = this.#active;
      const fits = segment.size + bytes <= segmentBytes || segment.size === SEGMENT_HEADER_BYTES;
      if (fits && segment.base >= this.#floor) return this.#active;
      this.#active = null;
      await file.close();
      at('rotate');
    }
    this.#active = await createSegment(directory, this.#id, max(this.#end, this.#floor), openFile, at);
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

  #refuse(reason: Refusal, count: number, cause?: unknown): DebugError {
    this.#metrics.refused.inc({ reason }, count);
    return refusal(reason, cause);
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
      if (!this.#spilled) await this.#reader.close();
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
    const { entry, damagedBytes } = await this.#reader.next(segment, this.#read);
    if (damagedBytes > 0) await this.#reportDamage(segment, damagedBytes);
    if (entry === null) this.#read = endOf(segment);
    return entry;
  }

  /** Before anything behind the damage is handed out: once that is stored the file may go at any moment. */
  async #reportDamage(segment: Segment, bytes: number): Promise<void> {
    this.#damagedBytes += bytes;
    this.#metrics.damagedBytes.inc(bytes);
    if (segment.damaged) return;
    segment.damaged = true;
    const { directory, log } = this.#options;
    log.error({ file: segment.path, bytes }, 'a file of the journal is damaged: what is whole in it is read on');
    try {
      await keepDamaged(directory, segment);
      this.#quarantinedBytes = await quarantinedBytes(directory);
    } catch (error) {
      log.error({ err: error, file: segment.path }, 'a damaged file of the journal could not be kept aside');
    }
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

  async seek(position: bigint): Promise<bigint> {
    assert(!this.#taking, 'seek comes before the first take');
    const stranded = this.#segments.filter(({ base }) => base >= this.#found && base < position);
    this.#floor = position + startingGap();
    if (stranded.length > 0) await this.#move(stranded);
    this.#found = max(this.#found, position);
    this.#read = position;
    this.#released = position;
    this.#memory = [];
    this.#memoryBytes = 0;
    this.#spilled = this.#read < this.#durable;
    this.#account();
    return position;
  }

  /**
   * What was appended since the start at positions that the ledger has for something else is appended again, behind it. Only a
   * clock that went back, after files were lost, while the store was away, leads here.
   */
  async #move(stranded: readonly Segment[]): Promise<void> {
    await this.#batch?.catch(() => {}); // the last that may go to one of them
    const reader = new JournalReader(this.#options.openFile);
    let bytes = 0;
    let moved: Promise<bigint>[] = [];
    try {
      for await (const { position: _, ...entry } of reader.entries(stranded, 0n)) {
        moved.push(this.append({ ...entry, index: null }));
        bytes += entry.body.length;
        if (bytes < MOVE_BYTES_MAX) continue;
        await Promise.all(moved);
        moved = [];
        bytes = 0;
      }
      await Promise.all(moved);
    } finally {
      await reader.close();
    }
  }

  release(position: bigint): Promise<void> {
    this.#released = max(this.#released, position);
    this.#account();
    if (!this.#housekeepingQueued) {
      this.#housekeepingQueued = true;
      this.#housekeeping = this.#housekeeping.then(() => this.#tidyUp());
    }
    return this.#housekeeping;
  }

  /** Writes the checkpoint and unlinks what lies behind it. Neither has to succeed: the ledger knows better, and a next time comes. */
  async #tidyUp(): Promise<void> {
    const { directory, at, log } = this.#options;
    this.#housekeepingQueued = false;
    try {
      at('checkpoint');
      await writeCheckpoint(directory, this.#released);
      // The last file stays, whatever is in it: its name is what the next position is known from.
      while (this.#segments.length > 1 && endOf(this.#segments[0]!) <= this.#released) {
        at('unlink');
        const dropped = this.#segments.shift()!;
        await unlink(dropped.path);
        at('unlinked');
      }
      this.#tidyTrouble = false;
    } catch (error) {
      if (!this.#tidyTrouble) log.warn({ err: error }, 'the journal could not tidy up behind itself');
      this.#tidyTrouble = true;
    }
  }

  #account(): void {
    this.#heldBytes = bytesBehind(this.#segments, this.#released);
    this.#backlog.release(this.#released);
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
    const { directory, openFile, clock, log } = this.#options;
    const { id, line, segments, end, checkpoint, quarantinedBytes } = await recoverFiles(directory, openFile, log);
    this.#id = id;
    this.#line = line;
    this.#segments = segments;
    this.#quarantinedBytes = quarantinedBytes;
    this.#end = max(end, checkpoint);
    this.#found = this.#end;
    this.#floor = (clock.nowNanos() / 1_000_000n) * POSITIONS_PER_MS;
    const lastWritten = segments.findLast(({ size }) => size > SEGMENT_HEADER_BYTES);
    this.#durable = lastWritten === undefined ? checkpoint : endOf(lastWritten);
    this.#read = checkpoint;
    this.#released = checkpoint;
    this.#spilled = this.#read < this.#durable;
    for (const segment of segments) {
      if (segment.since !== null) this.#backlog.add(endOf(segment), 0, segment.since);
    }
    this.#account();
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
      await this.#reader.close();
      await this.#active?.file.close();
    } finally {
      this.#unlock?.();
    }
  }
}
