/** Merging in PostgreSQL: what is small, what takes its place, and when what was replaced goes. */
import type pg from 'pg';
import { type Block, decodeIndex, keysOf } from '../../model/block.ts';
import { hex64 } from '../../model/ids.ts';
import { MERGED_RECORDS, type SmallBlock } from '../contract.ts';
import { rowTime } from '../text.ts';
import { BLOCKS, type BlockRow, found, reachOf } from './blocks.ts';
import type { Connection } from './connection.ts';

export async function blockVersion(connection: Connection): Promise<bigint> {
  const [row] = await connection.rowsOfAll<{ version: string }>('SELECT version FROM block_version');
  return BigInt(row!.version);
}

export async function smallBlocks(
  connection: Connection,
  tenant: string,
  day: string,
  { after, until, limit }: { after?: SmallBlock; until: bigint; limit: number },
): Promise<SmallBlock[]> {
  const rows = await connection.rows<BlockRow>(
    tenant,
    `SELECT ${BLOCKS} FROM block
     WHERE tenant_id = $1 AND day = $2 AND (shard, block_id) > ($3, $4) AND block_id < $5
       AND ${SMALL} AND replaced_at = ${ALWAYS}
     ORDER BY shard, block_id LIMIT $6`,
    [tenant, day, after?.shard ?? -1, after?.id ?? '0'.repeat(32), hex64(until + 1n) + '0'.repeat(16), limit],
  );
  return rows.map((row) => ({ ...found(connection, tenant, row), shard: row.shard }));
}

/** Within one transaction, which is to be rolled back where this is false. */
export async function replaceBlocks(
  client: pg.ClientBase,
  replaced: readonly string[],
  by: Block,
  now: bigint,
): Promise<boolean> {
  // The row lock: one merge after the other, so that a greater version always holds all the smaller ones.
  const { rows } = await client.query<{ version: string }>(
    'UPDATE block_version SET version = greatest(version + 1, $1) RETURNING version',
    [now],
  );
  const version = rows[0]!.version;
  const gone = replaced.filter((id) => id !== by.id);
  const { rowCount } = await client.query(
    `UPDATE block SET replaced_at = $1
     WHERE tenant_id = $2 AND day = $3 AND shard = $4 AND block_id = ANY ($5::uuid[]) AND ${SMALL} AND replaced_at = ${ALWAYS}`,
    [version, by.tenant, by.day, by.shard, gone],
  );
  if (rowCount !== gone.length) return false;
  if (replaced.includes(by.id)) return true;
  const place = [by.id, by.day, by.shard, reachOf(by), by.tenant];
  await client.query(
    `INSERT INTO block (block_id, day, shard, reach, tenant_id, time_min, block_index, payload, merged_at, records,
       texts, attributes)
     VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12)`,
    [
      ...place,
      ...[rowTime(by.timeMin), by.index, by.payload, version, by.count],
      ...[by.filters.texts, by.filters.attributes],
    ],
  );
  await client.query(
    `INSERT INTO block_key (block_id, day, shard, reach, tenant_id, key)
     SELECT $1, $2, $3, $4, $5, key FROM unnest($6::bigint[]) AS added (key) ORDER BY key`,
    [...place, by.keys.map((key) => BigInt.asIntN(64, key))],
  );
  return true;
}

/** @returns how many blocks went */
export async function forgetReplaced(connection: Connection, before: bigint): Promise<number> {
  let count = 0;
  for (let gone = AT_ONCE; gone === AT_ONCE; count += gone) {
    gone = await connection.transaction((client) => forgetSome(client, before));
  }
  return count;
}

async function forgetSome(client: pg.ClientBase, before: bigint): Promise<number> {
  const { rows } = await client.query<Replaced>(
    `SELECT tenant_id, reach, block_id, to_char(day, 'YYYY-MM-DD') AS day, shard, block_index, replaced_at FROM block
     WHERE replaced_at < $1 AND ${SMALL} ORDER BY replaced_at LIMIT ${AT_ONCE} FOR UPDATE SKIP LOCKED`,
    [before],
  );
  for (const { tenant_id, reach, block_id, day, shard, block_index } of rows) {
    const place = [tenant_id, reach, block_id, day, shard];
    // The block says its keys itself: an index from block to keys would double their price.
    const { header, columns } = decodeIndex(block_index);
    const keys = keysOf(header, columns).map((key) => BigInt.asIntN(64, key));
    await client.query(
      `DELETE FROM block_key
       WHERE tenant_id = $1 AND reach = $2 AND block_id = $3 AND day = $4 AND shard = $5 AND key = ANY ($6::bigint[])`,
      [...place, keys],
    );
    await client.query(
      'DELETE FROM block WHERE tenant_id = $1 AND reach = $2 AND block_id = $3 AND day = $4 AND shard = $5',
      place,
    );
  }
  const last = rows.at(-1)?.replaced_at;
  if (last !== undefined) await client.query('UPDATE block_version SET forgotten = greatest(forgotten, $1)', [last]);
  return rows.length;
}

interface Replaced {
  tenant_id: string;
  reach: number;
  block_id: string;
  day: string;
  shard: number;
  block_index: Buffer;
  replaced_at: string;
}

const ALWAYS = '9223372036854775807';
/** As the condition of the index `block_small` says it. */
const SMALL = `octet_length(payload) < 32768 AND records < ${MERGED_RECORDS}`;
const AT_ONCE = 64;
