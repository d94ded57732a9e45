/**
 * The commits of each tenant in their order, and what receivers that share the store tell each other by them: a receiver is told of the
 * blocks that others brought since its last look, and compares, before anything of its own can be seen (decision 012).
 */
import type pg from 'pg';
import type { Flush, Others } from '../contract.ts';
import { Vetoed } from '../repeated.ts';
import { IDS, type IdRow, reachOf } from './blocks.ts';
import type { Connection } from './connection.ts';
import { recordset } from './rows.ts';

// The other receivers of the tenant wait meanwhile. 128 blocks are some 20 ms; who missed more looks for itself.
const HEARD_BLOCKS_MAX = 128;

// The number is taken first, and its row is held until the commit: whoever comes next sees these blocks.
const RECORD = `
  WITH mine AS (
    INSERT INTO tenant_commit AS last (tenant_id, shard, commit) VALUES ($1, 0, 1)
    ON CONFLICT (tenant_id, shard) DO UPDATE SET commit = last.commit + 1 RETURNING commit
  ), blocks AS (
    INSERT INTO committed_block (tenant_id, commit, committed_at, journal, block_id, day, shard, reach)
    SELECT $1, commit, $2, $3, id, day, shard, reach
    FROM mine, json_to_recordset($4) AS block (id uuid, day date, shard smallint, reach smallint)
  ) SELECT commit FROM mine`;

/**
 * Gives a flush its number within the caller's transaction, and tells `others` what it has to know before.
 * @throws Vetoed for what `others` throws
 */
export async function recordCommit(
  client: pg.ClientBase,
  { tenant, blocks, ledger }: Flush,
  now: bigint,
  others: Others | undefined,
): Promise<bigint> {
  const rows = new Map(blocks.map((block) => [block.id, { ...block, reach: reachOf(block) }]));
  const said = [...rows.values()].map(({ id, day, shard, reach }) => ({ id, day, shard, reach }));
  const journal = ledger?.journal ?? '';
  const { rows: mine } = await client.query(RECORD, [tenant, now, journal, recordset(said)]);
  const commit = BigInt(mine[0].commit);
  if (others === undefined || others.since === commit - 1n) return commit;
  const indexes = await blocksSince(client, tenant, journal, others.since, commit);
  try {
    if (indexes === undefined) others.missed(commit);
    else await others.heard(indexes, commit);
  } catch (reason) {
    throw new Vetoed(reason);
  }
  return commit;
}

/** @returns undefined where some of them are too many, forgotten or merged away */
async function blocksSince(
  client: pg.ClientBase,
  tenant: string,
  journal: string,
  since: bigint,
  before: bigint,
): Promise<Uint8Array[] | undefined> {
  const { rows } = await client.query<IdRow & { commit: string; journal: string }>(
    `SELECT commit, journal, ${IDS} FROM committed_block
     WHERE tenant_id = $1 AND commit > $2 AND commit < $3 ORDER BY commit LIMIT $4`,
    [tenant, since, before, HEARD_BLOCKS_MAX + 1],
  );
  // They are forgotten from the oldest on.
  if (rows.length > HEARD_BLOCKS_MAX || BigInt(rows[0]?.commit ?? 0) !== since + 1n) return undefined;
  const theirs = rows.filter((row) => row.journal !== journal);
  if (theirs.length === 0) return [];
  const unique = <K extends keyof IdRow>(name: K) => [...new Set(theirs.map((row) => row[name]))];
  const { rows: found } = await client.query<{ block_index: Buffer }>(
    `SELECT block_index FROM block WHERE tenant_id = $1 AND reach = ANY ($2::smallint[])
     AND block_id = ANY ($3::uuid[]) AND day = ANY ($4::date[])`,
    [tenant, unique('reach'), unique('block_id'), unique('day')],
  );
  return found.length < unique('block_id').length ? undefined : found.map(({ block_index }) => block_index);
}

export async function lastCommits(connection: Connection): Promise<Map<string, bigint>> {
  const rows = await connection.rowsOfAll<{ tenant_id: string; commit: string }>(
    'SELECT tenant_id, commit FROM tenant_commit WHERE shard = 0',
  );
  return new Map(rows.map(({ tenant_id, commit }) => [tenant_id, BigInt(commit)]));
}

/** @param before nanoseconds */
export async function forgetCommits(connection: Connection, before: bigint): Promise<void> {
  await connection.write('DELETE FROM committed_block WHERE committed_at < $1', [before]);
}
