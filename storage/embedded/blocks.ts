/** Blocks and their keys in SQLite: written within a commit, found newest first. */
import type { SQLInputValue } from 'node:sqlite';
import { setImmediate as nextTurn } from 'node:timers/promises';
import { DebugError } from '../../base/errors.ts';
import { type Block, type BlockFilters, decodeIndex, keysOf } from '../../model/block.ts';
import { hex64, parseEventId } from '../../model/ids.ts';
import { type BlockSelector, type FilterProbe, type FoundBlock, holds } from '../contract.ts';
import { Heap } from '../heap.ts';
import { rowTime } from '../text.ts';
import type { Database } from './database.ts';
import { signedKey } from './keys.ts';

/**
 * How far a block of each class reaches back from its newest record, in nanoseconds. A look-up for a moment asks each class for
 * the ids within its reach of that moment; without classes a single block of a week would make it walk over all newer ones.
 */
const WIDTHS = [10n, 120n, 3600n].map((seconds) => seconds * 1_000_000_000n);
const WIDTH_ANY = WIDTHS.length;

/** Writes those that are not there yet, within the caller's transaction. */
export function writeBlocks(database: Database, blocks: readonly Block[]): void {
  const keys: { key: bigint; row: SQLInputValue[] }[] = [];
  for (const written of blocks) {
    const { tenant, timeMin } = written;
    const [width, id, time] = [widthOf(written), idBytes(written.id), rowTime(timeMin)];
    const { changes, lastInsertRowid } = database.run(
      `INSERT INTO block (tenant, shard, day, id, width, time_min, records, block_index, payload)
       VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT DO NOTHING`,
      [tenant, written.shard, written.day, id, width, time, written.count, written.index, written.payload],
    );
    if (changes === 0n) continue;
    const { texts, attributes } = written.filters;
    database.run('INSERT OR REPLACE INTO block_filter (block, id, texts, attributes) VALUES (?, ?, ?, ?)', [
      ...[lastInsertRowid, id, texts, attributes],
    ]);
    for (const block of written.keys) {
      const key = signedKey(block);
      keys.push({ key, row: [tenant, key, width, id, time, lastInsertRowid] });
    }
  }
  // In the order of the tree: neighbours share a page, and a flush of many blocks visits each page once.
  keys.sort((a, b) => (a.key < b.key ? -1 : a.key > b.key ? 1 : 0));
  for (const { row } of keys) database.run(INSERT_KEY, row);
}

const INSERT_KEY = 'INSERT INTO block_key (tenant, key, width, id, time_min, block) VALUES (?, ?, ?, ?, ?, ?)';

/** Blocks that match, newest first. Ids are read ahead, a few of each key; an index when its turn has come. */
export async function* findBlocks(database: Database, selector: BlockSelector): AsyncGenerator<FoundBlock> {
  const { tenant, besides, mayHold, start = 0n, end = UINT64_MAX, version = blockVersion(database) } = selector;
  const keys = besides === undefined ? selector.keys : [besides, OLDER_BLOCKS];
  if (start > end || end < 0n || start > UINT64_MAX) return;
  const widths = [...WIDTHS.keys(), WIDTH_ANY].filter(
    (width) =>
      database.get('SELECT 1 FROM block WHERE tenant = ? AND width = ? LIMIT 1', [tenant, width]) !== undefined,
  );
  // All of this is done without waiting: a long read must let others have their turn.
  let steps = 0;
  const runs = new Heap<Run>((a, b) => a.head!.id > b.head!.id);
  for (const key of keys === undefined ? [undefined] : new Set(keys)) {
    for (const width of widths) {
      const run = new Run(database, selector, width, key);
      if (run.head !== undefined) runs.push(run);
      if (++steps % TURN_RUNS === 0) await nextTurn();
    }
  }
  let last = '';
  for (let run = runs.top; run !== undefined; run = runs.top) {
    const head = run.head!;
    run.next();
    if (run.head === undefined) runs.pop();
    else runs.replaceTop(run);
    if (head.id === last) continue;
    last = head.id;
    if (mayHold !== undefined && !holds(mayHold, readFilters(database, head, mayHold))) {
      if (++steps % TURN_FILTERS === 0) await nextTurn();
      continue;
    }
    const found = readFound(database, head, version);
    mustBeKnown(database, version);
    if (found === undefined) continue; // dropped since its id was read, or of another version
    yield found;
    if (++steps % TURN_BLOCKS === 0) await nextTurn();
  }
  mustBeKnown(database, version);
}

// About a millisecond each.
const TURN_BLOCKS = 32;
const TURN_FILTERS = 128;
const TURN_RUNS = 256;
// A merged block has thousands: ten milliseconds.
const TURN_KEYS = 2_000;

/** The blocks as they are now: what {@link VISIBLE} is asked with. */
export function blockVersion(database: Database): bigint {
  return database.get<{ version: bigint }>('SELECT version FROM block_version')!.version;
}

/** Of a row of `block`, with a version as its value: whether readers of that version see it. */
const VISIBLE = `NOT EXISTS (
  SELECT 1 FROM block_change c WHERE c.block = block.block AND ?3 NOT BETWEEN c.visible_from AND c.visible_until - 1)`;

/** @throws DebugError UNAVAILABLE when what a reader of this version should see may be gone */
function mustBeKnown(database: Database, version: bigint): void {
  const { forgotten } = database.get<{ forgotten: bigint }>('SELECT forgotten FROM block_version')!;
  if (version >= forgotten) return;
  throw new DebugError('UNAVAILABLE', 'the read took so long that blocks were merged away under it', {
    retryAfterSeconds: 1,
  });
}

export async function* findBlocksOfDay(database: Database, tenant: string, day: string): AsyncGenerator<FoundBlock> {
  const version = blockVersion(database);
  for (let last = 0n; ; ) {
    const heads = database.all<{ block: bigint; id: Uint8Array }>(
      'SELECT block, id FROM block WHERE day = ? AND tenant = ? AND block > ? ORDER BY block LIMIT ?',
      [day, tenant, last, TURN_BLOCKS],
    );
    for (const { block, id } of heads) {
      last = block;
      const found = readFound(database, { block, id: id.toHex() }, version);
      if (found !== undefined) yield found;
    }
    if (heads.length < TURN_BLOCKS) return;
    await nextTurn();
  }
}

export function tenantsWithBlocks(database: Database): string[] {
  // A jump from tenant to tenant along the index.
  const rows = database.all<{ tenant: string }>(
    `WITH RECURSIVE known (tenant) AS (
       SELECT min(tenant) FROM block
       UNION ALL
       SELECT (SELECT min(tenant) FROM block WHERE tenant > known.tenant) FROM known WHERE known.tenant IS NOT NULL
     ) SELECT tenant FROM known WHERE tenant IS NOT NULL`,
  );
  return rows.map(({ tenant }) => tenant);
}

export function daysWithBlocks(database: Database): string[] {
  // A jump from day to day; DISTINCT would walk over every block.
  const rows = database.all<{ day: string }>(
    `WITH RECURSIVE known (day) AS (
       SELECT min(day) FROM block
       UNION ALL
       SELECT (SELECT min(day) FROM block WHERE day > known.day) FROM known WHERE known.day IS NOT NULL
     ) SELECT day FROM known WHERE day IS NOT NULL`,
  );
  return rows.map(({ day }) => day);
}

/**
 * Drops a day's blocks a few at a time, so that commits come between: a day of a million events has 100,000 keys. Stopped half way
 * it has dropped some of them, and is asked again.
 */
export async function dropBlocksOfDay(database: Database, day: string): Promise<void> {
  while ((await database.transaction(() => dropSome(database, day))) > 0) await nextTurn();
  while (await database.shrink()) await nextTurn();
}

/** @returns how many went */
function dropSome(database: Database, day: string): number {
  const blocks = database.all<DroppedBlock>(`SELECT ${DROPPED} FROM block WHERE day = ? LIMIT ?`, [day, TURN_BLOCKS]);
  return dropBlocks(database, blocks);
}

/** What {@link dropBlocks} needs of a row of `block`. */
export interface DroppedBlock {
  block: bigint;
  tenant: string;
  id: Uint8Array;
  width: bigint;
  block_index: Uint8Array;
}
export const DROPPED = 'block.block, tenant, id, width, block_index';

/** Within the caller's transaction: the first of these, as many as may take a turn of the loop. @returns how many */
export function dropBlocks(database: Database, blocks: readonly DroppedBlock[]): number {
  let keys = 0;
  for (const [i, { block, tenant, id, width, block_index }] of blocks.entries()) {
    if (keys > TURN_KEYS) return i;
    // The block says its keys itself: an index from block to keys would double their price.
    const { header, columns } = decodeIndex(block_index);
    for (const key of [...keysOf(header, columns), OLDER_BLOCKS]) {
      database.run('DELETE FROM block_key WHERE tenant = ? AND key = ? AND width = ? AND id = ?', [
        tenant,
        signedKey(key),
        width,
        id,
      ]);
      keys++;
    }
    database.run('DELETE FROM block WHERE block = ?', [block]);
    database.run('DELETE FROM block_change WHERE block = ?', [block]);
    database.run('DELETE FROM block_filter WHERE block = ?', [block]);
  }
  return blocks.length;
}

export interface Head {
  block: bigint;
  /** 32 hex. */
  id: string;
}

/** The ids of one class, of one key or of all blocks, newest first, read a few at a time. */
class Run {
  readonly #database: Database;
  readonly #sql: string;
  readonly #values: (string | bigint | number)[];
  readonly #oldest: Uint8Array;
  readonly #end: bigint;
  #before: Uint8Array;
  #ahead: Head[] = [];
  #limit = 8;
  #done = false;

  constructor(database: Database, selector: BlockSelector, width: number, key: bigint | undefined) {
    const { tenant, start = 0n, end = UINT64_MAX } = selector;
    this.#database = database;
    this.#sql = key === undefined ? OF_TENANT : OF_KEY;
    this.#values = key === undefined ? [tenant, width] : [tenant, width, signedKey(key)];
    this.#oldest = idFrom(start);
    this.#before = width === WIDTH_ANY ? AFTER_ALL : idFrom(end + WIDTHS[width]! + 1n);
    this.#end = rowTime(end);
    this.#read();
  }

  get head(): Head | undefined {
    return this.#ahead.at(-1);
  }

  next(): void {
    this.#ahead.pop();
    if (this.#ahead.length === 0 && !this.#done) this.#read();
  }

  #read(): void {
    const rows = this.#database.all<{ block: bigint; id: Uint8Array }>(this.#sql, [
      ...this.#values,
      this.#oldest,
      this.#before,
      this.#end,
      this.#limit,
    ]);
    this.#done = rows.length < this.#limit;
    this.#limit = Math.min(this.#limit * 4, 512);
    if (rows.length > 0) this.#before = rows.at(-1)!.id;
    this.#ahead = rows.map(({ block, id }) => ({ block, id: id.toHex() })).reverse();
  }
}

const OF_TENANT = `
  SELECT block, id FROM block
  WHERE tenant = ? AND width = ? AND id >= ? AND id < ? AND time_min <= ? ORDER BY id DESC LIMIT ?`;
const OF_KEY = `
  SELECT block, id FROM block_key
  WHERE tenant = ? AND width = ? AND key = ? AND id >= ? AND id < ? AND time_min <= ? ORDER BY id DESC LIMIT ?`;

/** The key of blocks from before components with errors had one, which the migration gave them. */
const OLDER_BLOCKS = 0n;

/** Those that are asked. */
function readFilters(database: Database, { block, id }: Head, { texts, attributes }: FilterProbe): BlockFilters {
  const columns = [texts && 'texts', attributes && 'attributes'].filter((name) => name !== undefined);
  const row =
    columns.length === 0
      ? undefined
      : database.get<Partial<BlockFilters>>(
          `SELECT ${columns.join(', ')} FROM block_filter WHERE block = ? AND id = ?`,
          [block, idBytes(id)],
        );
  return { texts: NO_FILTER, attributes: NO_FILTER, ...row };
}

const NO_FILTER = new Uint8Array();

function readFound(database: Database, { block, id }: Head, version: bigint): FoundBlock | undefined {
  // Numbers of dropped blocks are given again, so that the id must be the same too.
  const row = database.get<{ time_min: bigint; block_index: Uint8Array }>(
    `SELECT time_min, block_index FROM block WHERE block = ?1 AND id = ?2 AND ${VISIBLE}`,
    [block, idBytes(id), version],
  );
  return row === undefined ? undefined : foundBlock(database, { block, id }, row);
}

export function foundBlock(
  database: Database,
  { block, id }: Head,
  row: { time_min: bigint; block_index: Uint8Array },
): FoundBlock {
  return {
    id,
    timeMin: row.time_min,
    timeMax: parseEventId(id)!.time,
    index: row.block_index,
    async payload() {
      const read = database.get<{ payload: Uint8Array }>('SELECT payload FROM block WHERE block = ? AND id = ?', [
        block,
        idBytes(id),
      ]);
      if (read === undefined) {
        throw new DebugError('UNAVAILABLE', `block ${id} left the warm tier while it was read`, {
          retryAfterSeconds: 1,
        });
      }
      return read.payload;
    },
  };
}

const UINT64_MAX = 0xffff_ffff_ffff_ffffn;
/** Longer than any id: above all of them. */
const AFTER_ALL = new Uint8Array(17).fill(0xff);

function widthOf({ timeMin, timeMax }: Block): number {
  const width = WIDTHS.findIndex((reach) => timeMax - timeMin <= reach);
  return width === -1 ? WIDTH_ANY : width;
}

export function idBytes(id: string): Uint8Array {
  return Uint8Array.fromHex(id);
}

/** The smallest id of a time and those after it. */
export function idFrom(time: bigint): Uint8Array {
  return time > UINT64_MAX ? AFTER_ALL : idBytes(hex64(time > 0n ? time : 0n) + '0'.repeat(16));
}
