/** Edge minutes: counts are added by the server, sketches merged by us while the server keeps the rows locked. */
import type pg from 'pg';
import type { EdgeMinute } from '../../model/rollup.ts';
import { Sketch } from '../../model/sketch.ts';
import type { EdgeSum } from '../contract.ts';
import { rowText, rowTime } from '../text.ts';
import type { Connection } from './connection.ts';
import { combine, recordset, rowKey, shardOf } from './rows.ts';
import { addSketches, sketchOf } from './sketches.ts';

export async function edgeMinutes(
  connection: Connection,
  tenant: string,
  { start, end }: { start: bigint; end: bigint },
): Promise<EdgeMinute[]> {
  const rows = await connection.rows(
    tenant,
    `SELECT minute, kind, from_type, from_id, to_type, to_id, calls, errors, latency FROM edge_minute
     WHERE tenant_id = $1 AND minute BETWEEN $2 AND $3 AND calls > 0 ORDER BY minute, edge_key`,
    [tenant, rowTime(start), rowTime(end)],
  );
  return rows.map(({ minute, kind, from_type, from_id, to_type, to_id, calls, errors, latency }) => ({
    ...{ minute: BigInt(minute), kind, from_type, from_id, to_type, to_id },
    ...{ calls: Number(calls), errors: Number(errors), latency: sketchOf(latency) },
  }));
}

/**
 * Of each edge one row, with the sketches of its minutes behind each other, each behind its length: the server cannot merge them, and sixty
 * rows of ten columns cost more to read than their counts and sketches.
 */
export async function edgeSums(
  connection: Connection,
  tenant: string,
  { start, end }: { start: bigint; end: bigint },
): Promise<EdgeSum[]> {
  const rows = await connection.rows(
    tenant,
    // By a number of eight bytes, not by five texts; what it stands for is looked up in one minute of each.
    `WITH sums AS (
       SELECT edge_key, max(minute) AS minute, sum(calls) AS calls, sum(errors) AS errors,
         string_agg(int4send(octet_length(latency)) || latency, ''::bytea) AS latencies
       FROM edge_minute WHERE tenant_id = $1 AND minute BETWEEN $2 AND $3 AND calls > 0 GROUP BY edge_key)
     SELECT kind, from_type, from_id, to_type, to_id, sums.calls, sums.errors, latencies
     FROM sums JOIN edge_minute AS known USING (edge_key, minute) WHERE known.tenant_id = $1`,
    [tenant, rowTime(start), rowTime(end)],
  );
  return rows.map(({ kind, from_type, from_id, to_type, to_id, calls, errors, latencies }) => ({
    ...{ kind, from_type, from_id, to_type, to_id },
    ...{ calls: Number(calls), errors: Number(errors), latency: mergedSketches(latencies) },
  }));
}

function mergedSketches(bytes: Buffer): Sketch {
  const merged = new Sketch();
  for (let at = 0; at < bytes.length; ) {
    const start = at + 4;
    at = start + bytes.readInt32BE(at);
    merged.addBytes(bytes.subarray(start, at));
  }
  return merged;
}

/** @param retentionDay the day until which retention keeps a row of this time */
export async function addEdgeMinutes(
  client: pg.ClientBase,
  tenant: string,
  minutes: readonly EdgeMinute[],
  retentionDay: (time: bigint) => string,
): Promise<void> {
  if (minutes.length === 0) return;
  const added = combine(
    minutes.map(toRow),
    ({ edge_key, minute }) => `${edge_key} ${minute}`,
    (into, row) => {
      into.calls += row.calls;
      into.errors += row.errors;
      into.latency = Sketch.mergeBytes(into.latency, row.latency);
    },
  );
  const rows = added.map(({ latency: _, ...row }) => ({ ...row, day: retentionDay(row.minute) }));
  const stored = await client.query(ADD, [tenant, recordset(rows)]);
  await addSketches(client, tenant, { table: 'edge_minute', key: 'edge_key' }, added, stored.rows);
}

interface Row extends Omit<EdgeMinute, 'latency'> {
  edge_key: bigint;
  shard: number;
  latency: Uint8Array;
}

function toRow(edge: EdgeMinute): Row {
  const [from_type, from_id, to_type, to_id] = [edge.from_type, edge.from_id, edge.to_type, edge.to_id].map(rowText);
  const edge_key = rowKey('edge', edge.kind, from_type!, from_id!, to_type!, to_id!);
  const latency = edge.latency.toBytes();
  return {
    ...{ kind: edge.kind, from_type: from_type!, from_id: from_id!, to_type: to_type!, to_id: to_id! },
    ...{ minute: rowTime(edge.minute), calls: edge.calls, errors: edge.errors, latency },
    ...{ edge_key, shard: shardOf(edge_key) },
  };
}

// A new row has the empty sketch, so that new and known rows go on alike.
const ADD = `
  INSERT INTO edge_minute AS known (tenant_id, edge_key, minute, shard, day, kind, from_type, from_id, to_type, to_id,
    calls, errors, latency)
  SELECT $1, *, ''::bytea FROM json_to_recordset($2) AS added (edge_key bigint, minute bigint, shard smallint, day date,
    kind text, from_type text, from_id text, to_type text, to_id text, calls bigint, errors bigint)
  ON CONFLICT (tenant_id, minute, edge_key, shard) DO UPDATE SET calls = known.calls + excluded.calls,
    errors = known.errors + excluded.errors
  RETURNING edge_key, minute, latency`;
