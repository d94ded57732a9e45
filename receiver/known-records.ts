/**
 * Which records are stored already, so that each is stored and counted once, in whatever company it comes again, at whichever receiver of
 * a store (decision 012). Three ways to know, each for what the one before cannot tell:
 *
 * - the ids of late, in memory (recent-ids.ts): what this receiver stored, and what it found at its start;
 * - what other receivers committed, which a store that has several tells us within our next commit, before any of it can be seen;
 * - the stored blocks of a record's own time, for records older than what the memory covers. Records on time never ask.
 */
import { setImmediate as nextTurn } from 'node:timers/promises';
import type { Clock } from '../base/clock.ts';
import type { Meter } from '../base/meter.ts';
import { type BlockIndex, decodeIndex } from '../model/block.ts';
import { HASH_HIGH, HASH_LOW, pairOf, type RecordTable, ROW_WORDS, TIME_HIGH, TIME_LOW } from '../model/records.ts';
import { NANOS_PER_MS } from '../model/time.ts';
import { type Arrival, withoutKnown } from './derive.ts';
import type { RecentIds } from './recent-ids.ts';

/** What has to be asked of a store. */
export interface KnownStore {
  /** Tenants that have blocks. */
  tenants(): Promise<string[]>;
  /** The last commit of each tenant; empty where nobody else commits. */
  commits(): Promise<ReadonlyMap<string, bigint>>;
  /** Blocks that hold records between these times (inclusive), the newest first. */
  blocks(selector: { tenant: string; start?: bigint; end?: bigint }): AsyncIterable<StoredBlock>;
}

export interface StoredBlock {
  timeMin: bigint;
  timeMax: bigint;
  index: Uint8Array;
}

/** Thrown within a commit to undo it: some of its records, or nobody knows which, were committed by another receiver meanwhile. */
export class StoredMeanwhile extends Error {
  override name = 'StoredMeanwhile';
}

/** Arrivals without what is stored, and when that was so. */
export interface Fresh<A> {
  arrivals: A[];
  duplicates: number;
  epoch: number;
}

export interface KnownRecordsOptions {
  recent: RecentIds;
  store: KnownStore;
  clock: Clock;
  meter: Meter;
}

// At a start: 60 ms of reading. What is older is looked for when it comes.
const RECALL_RECORDS_MAX = 200_000;
// A record that is ahead of us by more counts as late, so that a clock that is ahead makes its own records dear and nobody else's.
const AHEAD_NANOS = 1_000n * NANOS_PER_MS;
// Late records further apart are looked for each by itself, lest two of them fetch all that lies between.
const GAP_NANOS = 1_000n * NANOS_PER_MS;
// For one flush, some 100 ms between other work. Only records by the thousand that all say one wrong time reach it.
const LOOKED_BLOCKS_MAX = 512;
const TURN_BLOCKS = 8;

export class KnownRecords {
  readonly #recent: RecentIds;
  readonly #store: KnownStore;
  readonly #clock: Clock;
  readonly #commits = new Map<string, bigint>();
  /** Of this flush or the next, told to us by another receiver after they were found to be new: see {@link flushed}. */
  #taken = new Set<string>();
  #takenBefore = new Set<string>();
  /** Grows when we have missed what others committed: what was found to be new before that has to be looked at again. */
  #epoch = 0;
  readonly #looked;
  readonly #unlooked;

  constructor({ recent, store, clock, meter }: KnownRecordsOptions) {
    this.#recent = recent;
    this.#store = store;
    this.#clock = clock;
    this.#looked = meter.counter('late_records_total', 'Records older than the ids in memory, looked for in the store');
    this.#unlooked = meter.counter(
      'late_records_unlooked_total',
      'Late records stored although not all blocks of their time were looked at: they may be there twice',
    );
  }

  /** Learns what the store has, as far as that is quick. */
  async recall(): Promise<void> {
    // Before the blocks are read: what is committed meanwhile is told once more.
    for (const [tenant, commit] of await this.#store.commits()) this.#commits.set(tenant, commit);
    const tenants = await this.#store.tenants();
    for (const tenant of tenants) {
      let records = 0;
      for await (const { timeMax, index } of this.#store.blocks({ tenant })) {
        if (records >= RECALL_RECORDS_MAX / tenants.length) {
          this.#recent.lacks(timeMax);
          break;
        }
        records += this.#remember(tenant, decodeIndex(index), () => {});
      }
    }
    this.#recent.reach(this.#clock.nowNanos() + AHEAD_NANOS);
  }

  /**
   * Leaves out the records that are stored, or are on their way there, and the requests of which nothing remains. Changes the tables; to
   * be called once for each arrival, in the order of commits.
   * @param persist runs what asks the store, as often as it takes
   */
  async withoutStored<A extends Arrival>(
    tenant: string,
    arrivals: readonly A[],
    persist: (look: () => Promise<number>) => Promise<number>,
  ): Promise<Fresh<A>> {
    const recent = this.#recent;
    const epoch = this.#epoch;
    for (const { receivedAt } of arrivals) recent.reach(receivedAt + AHEAD_NANOS);
    const { fresh, duplicates } = await withoutKnown(tenant, arrivals, recent);
    for (const { receivedAt } of arrivals) recent.reach(receivedAt + AHEAD_NANOS); // of the generation that may have begun meanwhile
    const { covered } = recent;
    const late = fresh.map(({ records, receivedAt }) => ({ records, rows: lateRows(records, covered, receivedAt) }));
    const found = await persist(() => this.#leaveOutStored(tenant, late));
    return { arrivals: fresh.filter(({ records }) => records.length > 0), duplicates: duplicates + found, epoch };
  }

  /** Leaves out what others have stored since {@link withoutStored}, where its answer had this epoch. Changes the tables, and the epoch. */
  async withoutTaken(tenant: string, arrivals: readonly Arrival[], fresh: { epoch: number }): Promise<void> {
    if (this.#taken.size + this.#takenBefore.size > 0) {
      for (const { records } of arrivals) {
        records.filter((at) => {
          const key = keyOf(tenant, records, at);
          return !this.#taken.has(key) && !this.#takenBefore.has(key);
        });
      }
    }
    if (fresh.epoch !== this.#epoch) {
      const epoch = this.#epoch;
      const all = arrivals.map(({ records }) => ({
        records,
        rows: Array.from({ length: records.length }, (_, i) => i),
      }));
      await this.#leaveOutStored(tenant, all);
      fresh.epoch = epoch;
    }
  }

  /** For the commit of a flush of these arrivals. */
  others(tenant: string, arrivals: readonly Arrival[]) {
    const know = (next: bigint) => this.#commits.set(tenant, next - 1n);
    return {
      since: this.#commits.get(tenant) ?? 0n,
      heard: async (indexes: readonly Uint8Array[], next: bigint): Promise<void> => {
        for (const [i, bytes] of indexes.entries()) {
          const index = decodeIndex(bytes);
          const { time, hash } = index.columns;
          this.#remember(tenant, index, (row) => this.#taken.add(`${tenant} ${time[row]} ${hash[row]}`));
          if (i % TURN_BLOCKS === TURN_BLOCKS - 1) await nextTurn();
        }
        know(next);
        if (this.#taken.size > 0 && arrivals.some(({ records }) => this.#holdsTaken(tenant, records))) {
          throw new StoredMeanwhile();
        }
      },
      missed: (next: bigint): never => {
        know(next);
        this.#epoch++;
        // Whatever was committed until now may be unknown here: it counts as late.
        this.#recent.lacks(this.#clock.nowNanos() + AHEAD_NANOS);
        throw new StoredMeanwhile();
      },
      committed: (commit: bigint) => know(commit + 1n),
    };
  }

  /**
   * A flush is committed. While one is, the next is looked at: what another receiver stored in between concerns these two, and whatever
   * comes later finds it in memory.
   */
  flushed(): void {
    this.#takenBefore = this.#taken;
    this.#taken = new Set();
  }

  /** @param known told of the rows that were in memory already  @returns how many records */
  #remember(tenant: string, { header, columns, count }: BlockIndex, known: (row: number) => void): number {
    const time = words(columns.time);
    const hash = words(columns.hash);
    let received = 0;
    for (const micros of columns.received) if (micros > received) received = micros;
    const reach = header.receivedAt + BigInt(received) * 1000n + AHEAD_NANOS;
    this.#recent.reach(reach);
    for (let row = 0, at = 0; row < count; row++, at += 2) {
      if (!this.#recent.addWords(tenant, time[at + 1]!, time[at]!, hash[at + 1]!, hash[at]!)) known(row);
    }
    this.#recent.reach(reach);
    return count;
  }

  #holdsTaken(tenant: string, records: RecordTable): boolean {
    for (let at = 0; at < records.length * ROW_WORDS; at += ROW_WORDS) {
      if (this.#taken.has(keyOf(tenant, records, at))) return true;
    }
    return false;
  }

  /** Looks for these rows in the blocks of their time, and leaves out those that are there. @returns how many */
  async #leaveOutStored(tenant: string, tables: readonly { records: RecordTable; rows: number[] }[]): Promise<number> {
    const sought: Sought[] = [];
    for (const { records, rows } of tables) {
      for (const row of rows) sought.push({ time: timeAt(records, row * ROW_WORDS), records, at: row * ROW_WORDS });
    }
    if (sought.length === 0) return 0;
    this.#looked.inc(sought.length);
    sought.sort((a, b) => (a.time < b.time ? -1 : a.time > b.time ? 1 : 0));
    const stored = new Map<RecordTable, Set<number>>();
    let left = LOOKED_BLOCKS_MAX;
    for (let first = 0; first < sought.length; ) {
      let end = first + 1;
      while (end < sought.length && sought[end]!.time - sought[end - 1]!.time <= GAP_NANOS) end++;
      const run = sought.slice(first, end);
      if (left > 0) left -= await this.#look(tenant, run, left, stored);
      if (left <= 0) this.#unlooked.inc(run.length);
      first = end;
    }
    let found = 0;
    for (const [records, rows] of stored) {
      records.filter((at) => !rows.has(at));
      found += rows.size;
    }
    return found;
  }

  /** @param stored gets what is found  @returns how many blocks were looked at, `max` where there may be more */
  async #look(
    tenant: string,
    run: readonly Sought[],
    max: number,
    stored: Map<RecordTable, Set<number>>,
  ): Promise<number> {
    const byHash = Map.groupBy(run, ({ records, at }) => records.words[at + HASH_LOW]!);
    let blocks = 0;
    let steps = 0;
    for await (const block of this.#store.blocks({ tenant, start: run[0]!.time, end: run.at(-1)!.time })) {
      if (++steps % TURN_BLOCKS === 0) await nextTurn();
      if (!anyBetween(run, block)) continue;
      const { columns, count } = decodeIndex(block.index);
      const time = words(columns.time);
      const hash = words(columns.hash);
      for (let at = 0; at < count * 2; at += 2) {
        for (const one of byHash.get(hash[at]!) ?? []) {
          const { words: row } = one.records;
          const same =
            row[one.at + HASH_HIGH] === hash[at + 1] &&
            row[one.at + TIME_LOW] === time[at] &&
            row[one.at + TIME_HIGH] === time[at + 1];
          if (!same) continue;
          const rows = stored.get(one.records);
          if (rows === undefined) stored.set(one.records, new Set([one.at]));
          else rows.add(one.at);
        }
      }
      if (++blocks === max) break;
    }
    return blocks;
  }
}

interface Sought {
  time: bigint;
  records: RecordTable;
  /** Where its row begins. */
  at: number;
}

/** Rows that the ids in memory cannot tell of: from before what they cover, or too far ahead to be covered by the time of arrival. */
function lateRows({ words, length }: RecordTable, covered: bigint, receivedAt: bigint): number[] {
  const rows: number[] = [];
  // As floats, off by less than a microsecond, which AHEAD_NANOS has to spare.
  const first = Number(covered) + 1024;
  const last = Number(receivedAt + AHEAD_NANOS) - 1024;
  for (let row = 0, at = 0; row < length; row++, at += ROW_WORDS) {
    const time = words[at + TIME_HIGH]! * 2 ** 32 + words[at + TIME_LOW]!;
    if (time <= first || time >= last) rows.push(row);
  }
  return rows;
}

/** @param run by time, ascending */
function anyBetween(run: readonly Sought[], { timeMin, timeMax }: StoredBlock): boolean {
  let low = 0;
  let high = run.length;
  while (low < high) {
    const middle = (low + high) >>> 1;
    if (run[middle]!.time < timeMin) low = middle + 1;
    else high = middle;
  }
  return low < run.length && run[low]!.time <= timeMax;
}

function timeAt({ words }: RecordTable, at: number): bigint {
  return pairOf(words[at + TIME_HIGH]!, words[at + TIME_LOW]!);
}

function keyOf(tenant: string, records: RecordTable, at: number): string {
  const { words } = records;
  return `${tenant} ${timeAt(records, at)} ${pairOf(words[at + HASH_HIGH]!, words[at + HASH_LOW]!)}`;
}

/** The halves of a column, low first. */
function words({ buffer, byteOffset, length }: BigUint64Array): Uint32Array {
  return new Uint32Array(buffer, byteOffset, length * 2);
}
