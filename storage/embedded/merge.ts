/** Merging in SQLite: what is small, what takes its place, and when what was replaced goes. */
import { setImmediate as nextTurn } from 'node:timers/promises';
import type { Block } from '../../model/block.ts';
import { MERGED_RECORDS, type SmallBlock } from '../contract.ts';
import { DROPPED, type DroppedBlock, dropBlocks, foundBlock, idBytes, idFrom, writeBlocks } from './blocks.ts';
import type { Database } from './database.ts';

export function readSmallBlocks(
  database: Database,
  tenant: string,
  day: string,
  { after, until, limit }: { after?: SmallBlock; until: bigint; limit: number },
): SmallBlock[] {
  const rows = database.all<{
    block: bigint;
    id: Uint8Array;
    shard: bigint;
    time_min: bigint;
    block_index: Uint8Array;
  }>(
    `SELECT block.block, id, shard, time_min, block_index
     FROM block LEFT JOIN block_change AS change ON change.block = block.block
     WHERE tenant = ? AND day = ? AND records < ${MERGED_RECORDS} AND (shard, id) > (?, ?) AND id < ?
       AND (change.block IS NULL OR change.visible_until = ${ALWAYS})
     ORDER BY shard, id LIMIT ?`,
    [tenant, day, after?.shard ?? -1, idBytes(after?.id ?? ''), idFrom(until + 1n), limit],
  );
  return rows.map((row) => ({
    ...foundBlock(database, { block: row.block, id: row.id.toHex() }, row),
    shard: Number(row.shard),
  }));
}

/** Within one transaction. */
export function replaceBlocks(database: Database, replaced: readonly string[], by: Block, now: bigint): boolean {
  const rows = replaced.filter((id) => id !== by.id).map((id) => liveBlock(database, by, id));
  if (rows.includes(undefined)) return false;
  const { version } = database.get<{ version: bigint }>(
    'UPDATE block_version SET version = max(version + 1, ?) RETURNING version',
    [now],
  )!;
  for (const block of rows) {
    database.run(
      `INSERT INTO block_change (block, visible_from, visible_until) VALUES (?, 0, ?)
       ON CONFLICT DO UPDATE SET visible_until = excluded.visible_until`,
      [block!, version],
    );
  }
  if (!replaced.includes(by.id)) {
    writeBlocks(database, [by]);
    database.run(
      `INSERT INTO block_change (block, visible_from, visible_until)
       SELECT block, ?, ${ALWAYS} FROM block WHERE tenant = ? AND day = ? AND id = ?`,
      [version, by.tenant, by.day, idBytes(by.id)],
    );
  }
  return true;
}

/** @returns how many blocks went */
export async function forgetReplaced(database: Database, before: bigint): Promise<number> {
  for (let count = 0; ; await nextTurn()) {
    const gone = await database.transaction(() => forgetSome(database, before));
    if (gone === 0) return count;
    count += gone;
  }
}

function forgetSome(database: Database, before: bigint): number {
  const blocks = database.all<DroppedBlock & { visible_until: bigint }>(
    `SELECT ${DROPPED}, visible_until FROM block_change AS change JOIN block ON block.block = change.block
     WHERE visible_until < ? ORDER BY visible_until LIMIT ${AT_ONCE}`,
    [before],
  );
  const gone = dropBlocks(database, blocks);
  const versions = blocks.slice(0, gone).map((row) => row.visible_until);
  if (gone === 0) {
    // Those merged then are seen by everybody from now on: their row goes too.
    const settled = database.all<{ visible_from: bigint }>(
      `DELETE FROM block_change WHERE visible_from < ? AND visible_until = ${ALWAYS} RETURNING visible_from`,
      [before],
    );
    versions.push(...settled.map((row) => row.visible_from));
  }
  for (const version of versions) database.run('UPDATE block_version SET forgotten = max(forgotten, ?)', [version]);
  return gone;
}

/** The number of a block that was not replaced yet. */
function liveBlock(database: Database, { tenant, day, shard }: Block, id: string): bigint | undefined {
  return database.get<{ block: bigint }>(
    `SELECT block FROM block
     WHERE tenant = ? AND day = ? AND shard = ? AND id = ? AND records < ${MERGED_RECORDS} AND NOT EXISTS (
       SELECT 1 FROM block_change AS change WHERE change.block = block.block AND change.visible_until <> ${ALWAYS})`,
    [tenant, day, shard, idBytes(id)],
  )?.block;
}

const ALWAYS = '9223372036854775807';
// About a millisecond.
const AT_ONCE = 32;
