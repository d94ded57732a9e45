/** Edge minutes: counts are added by the server, sketches merged by us while the server keeps the rows locked. */
import type pg from 'pg';
import type { EdgeMinute } from '../../model/rollup.ts';
import { Sketch } from '../../model/sketch.ts';
import type { EdgeSum } from '../contract.ts';
import { rowText, rowTime } from '../text.ts';
import type { Connection } from './connection.ts';
import { countedAndParts } from './hours.ts';
import { combine, recordset, rowKey, shardOf } from './rows.ts';
import { addSketches, BEHIND_EACH_OTHER, mergedSketch, sketchOf } from './sketches.ts';

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

/** Of counted hours one row an edge, of what is left around and between them the minutes; their sketches come behind each other. */
export async function edgeSums(
  connection: Connection,
  tenant: string,
  { start, end }: { start: bigint; end: bigint },
): Promise<EdgeSum[]> {
  const rows = await connection.rows(tenant, SUMS, [tenant, rowTime(start), rowTime(end)]);
  return rows.map(({ kind, from_type, from_id, to_type, to_id, calls, errors, latencies }) => ({
    ...{ kind, from_type, from_id, to_type, to_id },
    ...{ calls: Number(calls), errors: Number(errors), latency: mergedSketch(latencies) },
  }));
}

// By a number of eight bytes, not by five texts; what it stands for is looked up in one row of each.
const SUMS = `
  WITH ${countedAndParts('$2', '$3')}, known AS (
    SELECT edge_key, hour AS minute, true AS of_hour, calls, errors, latency FROM counted CROSS JOIN LATERAL (
      SELECT edge_key, calls, errors, latency FROM edge_hour WHERE tenant_id = $1 AND hour = counted.hour OFFSET 0) AS hours
    UNION ALL
    SELECT edge_key, minute, false, calls, errors, latency FROM part CROSS JOIN LATERAL (
      SELECT edge_key, minute, calls, errors, latency FROM edge_minute
      WHERE tenant_id = $1 AND minute BETWEEN part.first AND part.last AND calls > 0 OFFSET 0) AS minutes
  ), sums AS (
    SELECT edge_key, max(minute) FILTER (WHERE of_hour) AS hour, max(minute) FILTER (WHERE NOT of_hour) AS minute,
      sum(calls) AS calls, sum(errors) AS errors, ${BEHIND_EACH_OTHER} AS latencies
    FROM known GROUP BY edge_key
  )
  SELECT kind, from_type, from_id, to_type, to_id, sums.calls, sums.errors, latencies FROM sums CROSS JOIN LATERAL (
    SELECT kind, from_type, from_id, to_type, to_id FROM edge_minute AS one
    WHERE one.tenant_id = $1 AND one.edge_key = sums.edge_key AND one.minute = sums.minute
    UNION ALL
    SELECT kind, from_type, from_id, to_type, to_id FROM edge_hour AS one
    WHERE one.tenant_id = $1 AND one.edge_key = sums.edge_key AND one.hour = sums.hour
    LIMIT 1) AS ends`;

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
