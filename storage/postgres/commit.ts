/** One flush, one transaction: the blocks, what was derived from them, and the ledger line that says so. */
import { pipeline } from 'node:stream/promises';
import type pg from 'pg';
import { from as copyFrom } from 'pg-copy-streams';
import type { Block } from '../../model/block.ts';
import type { Flush, LedgerLine, Others } from '../contract.ts';
import { lineTaken, RepeatedRequests } from '../repeated.ts';
import { rowTime } from '../text.ts';
import { reachOf } from './blocks.ts';
import { recordCommit } from './commits.ts';
import { addComponentMinutes } from './component-minutes.ts';
import type { Connection } from './connection.ts';
import { CopyBinary } from './copy-binary.ts';
import { addEdgeMinutes } from './edge-minutes.ts';
import { uncountHours } from './hours.ts';
import { putResources } from './resources.ts';
import { recordset, shardOf } from './rows.ts';
import { putSnapshots } from './snapshots.ts';
import { addTemplateMinutes, putTemplates } from './template-minutes.ts';
import { putTraceCorrelations } from './trace-correlations.ts';

export interface CommitMoment {
  /** Nanoseconds. */
  now: bigint;
  /** The day until which retention keeps a row of this time. */
  retentionDay: (time: bigint) => string;
  /** Absent: nobody who compares. */
  others?: Others | undefined;
}

/**
 * Writes a flush within the caller's transaction, or nothing when its ledger line says that it was written before. Tables and rows
 * always come in the same order, so that two flushes may wait for each other but never in a circle.
 * @returns its number among the commits of its tenant; undefined where it brings no blocks
 * @throws RepeatedRequests or Vetoed, for the caller to roll back
 */
export async function writeFlush(
  client: pg.ClientBase,
  flush: Flush,
  { now, retentionDay, others }: CommitMoment,
): Promise<bigint | undefined> {
  const { tenant } = flush;
  if (flush.ledger !== null && !(await advanceLedger(client, flush.ledger))) return undefined;
  await rememberRequests(client, tenant, flush.requests ?? [], now);
  const blocks = await unknownBlocks(client, tenant, flush.blocks);
  if (blocks.length > 0) {
    await copy(client, BLOCK_COPY, blockRows(tenant, blocks));
    await copy(client, BLOCK_KEY_COPY, blockKeyRows(tenant, blocks));
  }
  // From here on other receivers of this tenant wait: what takes long has been done.
  const commit = flush.blocks.length > 0 ? await recordCommit(client, flush, now, others) : undefined;
  await addComponentMinutes(client, tenant, flush.componentMinutes, retentionDay);
  await addTemplateMinutes(client, tenant, flush.templateMinutes, retentionDay);
  await addEdgeMinutes(client, tenant, flush.edgeMinutes, retentionDay);
  await putTemplates(client, tenant, flush.templates);
  await putTraceCorrelations(client, tenant, flush.traceCorrelations, retentionDay);
  await putSnapshots(client, tenant, flush.snapshots, retentionDay);
  await putResources(client, tenant, flush.resources, retentionDay);
  await uncountHours(client, flush);
  return commit;
}

// The check, the row lock against a second process that replays the same journal, and the new position in one statement.
const ADVANCE = `
  INSERT INTO ledger AS known (journal, position) VALUES ($1, $2)
  ON CONFLICT (journal) DO UPDATE SET position = excluded.position
  WHERE known.position < excluded.position AND ($3::bigint IS NULL OR known.position = $3)`;

/** @returns false where the flush was committed before  @throws DebugError CONFLICT where another process writes this line */
async function advanceLedger(client: pg.ClientBase, { journal, position, after }: LedgerLine): Promise<boolean> {
  if ((await client.query(ADVANCE, [journal, position, after ?? null])).rowCount === 1) return true;
  const { rows } = await client.query('SELECT position FROM ledger WHERE journal = $1', [journal]);
  const known = BigInt(rows[0].position);
  if (after !== undefined && known !== position) throw lineTaken(journal, known, after);
  return false;
}

// Of two receivers that commit the same request at once the second waits here for the first.
const REMEMBER = `
  INSERT INTO received_request (tenant_id, received_at, request_id, shard)
  SELECT $1, $2, id, shard FROM json_to_recordset($3) AS request (id uuid, shard smallint) ORDER BY id
  ON CONFLICT DO NOTHING RETURNING replace(request_id::text, '-', '') AS id`;

async function rememberRequests(
  client: pg.ClientBase,
  tenant: string,
  requests: readonly string[],
  now: bigint,
): Promise<void> {
  const missing = new Set(requests);
  if (missing.size === 0) return;
  const rows = [...missing].map((id) => ({ id, shard: shardOf(BigInt(`0x${id.slice(16)}`)) }));
  for (const { id } of (await client.query(REMEMBER, [tenant, now, recordset(rows)])).rows) missing.delete(id);
  if (missing.size > 0) throw new RepeatedRequests([...missing]);
}

/** @param before nanoseconds */
export async function forgetRequests(connection: Connection, before: bigint): Promise<void> {
  await connection.write('DELETE FROM received_request WHERE received_at < $1', [before]);
}

/** Those that are not there yet, on whatever day, each once. COPY knows no ON CONFLICT: a lost race aborts and is run again. */
async function unknownBlocks(client: pg.ClientBase, tenant: string, blocks: readonly Block[]): Promise<Block[]> {
  const byId = new Map(blocks.map((block) => [block.id, block]));
  if (byId.size === 0) return [];
  const { rows } = await client.query(
    `SELECT replace(block_id::text, '-', '') AS id FROM block
     WHERE tenant_id = $1 AND reach = ANY ($2::smallint[]) AND block_id = ANY ($3::uuid[])`,
    [tenant, [...new Set(blocks.map(reachOf))], [...byId.keys()]],
  );
  for (const { id } of rows) byId.delete(id);
  return [...byId.values()].sort((a, b) => (a.id < b.id ? -1 : 1));
}

const BLOCK_COPY = `
  COPY block (time_min, block_id, day, shard, reach, tenant_id, block_index, payload, texts, attributes) FROM STDIN (FORMAT binary)`;

function blockRows(tenant: string, blocks: readonly Block[]): Uint8Array {
  const rows = new CopyBinary();
  for (const block of blocks) {
    rows
      .row(10)
      .int8(rowTime(block.timeMin))
      .uuid(block.id)
      .date(block.day)
      .int2(block.shard)
      .int2(reachOf(block))
      .text(tenant);
    rows.bytea(block.index).bytea(block.payload).bytea(block.filters.texts).bytea(block.filters.attributes);
  }
  return rows.end();
}

const BLOCK_KEY_COPY = 'COPY block_key (key, block_id, day, shard, reach, tenant_id) FROM STDIN (FORMAT binary)';

function blockKeyRows(tenant: string, blocks: readonly Block[]): Uint8Array {
  const rows = new CopyBinary();
  for (const block of blocks) {
    for (const key of block.keys) {
      rows.row(6).int8(key).uuid(block.id).date(block.day).int2(block.shard).int2(reachOf(block)).text(tenant);
    }
  }
  return rows.end();
}

function copy(client: pg.ClientBase, statement: string, rows: Uint8Array): Promise<void> {
  return pipeline([rows], client.query(copyFrom(statement)));
}
