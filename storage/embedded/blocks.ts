/** Blocks and their keys in SQLite: written within a commit, found newest first. */
import { setImmediate as nextTurn } from 'node:timers/promises';
import { DebugError } from '../../base/errors.ts';
import { type Block, decodeIndex, keysOf } from '../../model/block.ts';
import { hex64, parseEventId } from '../../model/ids.ts';
import type { BlockSelector, FoundBlock } from '../contract.ts';
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
  const keys: { key: bigint; block: bigint; written: Block }[] = [];
  for (const written of blocks) {
    const { changes, lastInsertRowid } = database.run(
      `INSERT INTO block (tenant, shard, day, id, width, time_min, records, block_index, payload)
       VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT DO NOTHING`,
      [
        written.tenant,
        written.shard,
        written.day,
        idBytes(written.id),
        widthOf(written),
        rowTime(written.timeMin),
        written.count,
        written.index,
        written.payload,
      ],
    );
    if (changes === 0n) continue;
    for (const key of written.keys) keys.push({ key: signedKey(key), block: lastInsertRowid, written });
  }
  // In the order of the tree: neighbours share a page, and a flush of many blocks visits each page once.
  keys.sort((a, b) => (a.key < b.key ? -1 : a.key > b.key ? 1 : 0));
  for (const { key, block, written } of keys) {
    database.run('INSERT INTO block_key (tenant, key, width, id, time_min, block) VALUES (?, ?, ?, ?, ?, ?)', [
      written.tenant,
      key,
      widthOf(written),
      idBytes(written.id),
      rowTime(written.timeMin),
      block,
    ]);
  }
}

/** Blocks that match, newest first. Ids are read ahead, a few of each key; an index when its turn has come. */
export async function* findBlocks(database: Database, selector: BlockSelector): AsyncGenerator<FoundBlock> {
  const { tenant, keys, start = 0n, end = UINT64_MAX } = selector;
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
    const found = readFound(database, head);
    if (found === undefined) continue; // dropped since its id was read
    yield found;
    if (++steps % TURN_BLOCKS === 0) await nextTurn();
  }
}

// About a millisecond each.
const TURN_BLOCKS = 32;
const TURN_RUNS = 256;

export async function* findBlocksOfDay(database: Database, tenant: string, day: string): AsyncGenerator<FoundBlock> {
  for (let last = 0n; ; ) {
    const heads = database.all<{ block: bigint; id: Uint8Array }>(
      'SELECT block, id FROM block WHERE day = ? AND tenant = ? AND block > ? ORDER BY block LIMIT ?',
      [day, tenant, last, TURN_BLOCKS],
    );
    for (const { block, id } of heads) {
      last = block;
      const found = readFound(database, { block, id: id.toHex() });
      if (found !== undefined) yield found;
    }
    if (heads.length < TURN_BLOCKS) return;
    await nextTurn();
  }
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
  for (let dropped = TURN_BLOCKS; dropped === TURN_BLOCKS; ) {
    dropped = await database.transaction(() => dropSome(database, day));
    await nextTurn();
  }
  while (await database.shrink()) await nextTurn();
}

function dropSome(database: Database, day: string): number {
  const blocks = database.all<{
    block: bigint;
    tenant: string;
    id: Uint8Array;
    width: bigint;
    block_index: Uint8Array;
  }>('SELECT block, tenant, id, width, block_index FROM block WHERE day = ? LIMIT ?', [day, TURN_BLOCKS]);
  for (const { block, tenant, id, width, block_index } of blocks) {
    // The block says its keys itself: an index from block to keys would double their price.
    for (const key of keysOf(decodeIndex(block_index).header)) {
      database.run('DELETE FROM block_key WHERE tenant = ? AND key = ? AND width = ? AND id = ?', [
        tenant,
        signedKey(key),
        width,
        id,
      ]);
    }
    database.run('DELETE FROM block WHERE block = ?', [block]);
  }
  return blocks.length;
}

interface Head {
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

function readFound(database: Database, { block, id }: Head): FoundBlock | undefined {
  // Numbers of dropped blocks are given again, so that the id must be the same too.
  const row = database.get<{ time_min: bigint; block_index: Uint8Array }>(
    'SELECT time_min, block_index FROM block WHERE block = ? AND id = ?',
    [block, idBytes(id)],
  );
  if (row === undefined) return undefined;
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

function idBytes(id: string): Uint8Array {
  return Uint8Array.fromHex(id);
}

/** The smallest id of a time and those after it. */
function idFrom(time: bigint): Uint8Array {
  return time > UINT64_MAX ? AFTER_ALL : idBytes(hex64(time > 0n ? time : 0n) + '0'.repeat(16));
}
