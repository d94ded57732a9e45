/** What the records of a trace say about its correlation. */
import type pg from 'pg';
import type { TraceCorrelation } from '../../model/rollup.ts';
import { rowText, rowTime } from '../text.ts';
import type { Connection } from './connection.ts';
import { recordset, rowKey, shardOf } from './rows.ts';

export async function traceCorrelations(
  connection: Connection,
  tenant: string,
  about: { traces?: readonly string[]; correlations?: readonly string[] },
): Promise<TraceCorrelation[]> {
  const traces = (about.traces ?? []).map(rowText);
  const correlations = (about.correlations ?? []).map(rowText);
  if (correlations.length === 0) return ofTraces(connection, tenant, traces);
  // Two index look-ups: one condition with OR reads the whole table.
  const rows = await connection.rows<{ trace_id: string; correlation_id: string; time: string }>(
    tenant,
    `SELECT trace_id, correlation_id, time FROM trace_correlation
     WHERE tenant_id = $1 AND trace_key = ANY ($2::bigint[]) AND trace_id = ANY ($3::text[])
     UNION
     SELECT trace_id, correlation_id, time FROM trace_correlation
     WHERE tenant_id = $1 AND correlation_key = ANY ($4::bigint[]) AND correlation_id = ANY ($5::text[])
     ORDER BY trace_id`,
    [
      tenant,
      traces.map((id) => rowKey('trace', id)),
      traces,
      correlations.map((id) => rowKey('correlation', id)),
      correlations,
    ],
  );
  return rows.map((row) => ({ ...row, time: BigInt(row.time) }));
}

/** Asked for one event by its id, which waits for nothing else of PostgreSQL's: so it is planned once a connection. */
async function ofTraces(
  connection: Connection,
  tenant: string,
  traces: readonly string[],
): Promise<TraceCorrelation[]> {
  if (traces.length === 0) return [];
  const rows = await connection.plannedRows<{ trace_id: string; correlation_id: string; time: string }>(
    tenant,
    `SELECT trace_id, correlation_id, time FROM trace_correlation
     WHERE tenant_id = $1 AND trace_key = ANY ($2::bigint[]) AND trace_id = ANY ($3::text[]) ORDER BY trace_id`,
    [tenant, traces.map((id) => rowKey('trace', id)), traces],
  );
  return rows.map((row) => ({ ...row, time: BigInt(row.time) }));
}

/** @param retentionDay the day until which retention keeps a row of this time */
export async function putTraceCorrelations(
  client: pg.ClientBase,
  tenant: string,
  said: readonly TraceCorrelation[],
  retentionDay: (time: bigint) => string,
): Promise<void> {
  if (said.length === 0) return;
  const rows = said.map((one) => {
    const trace_id = rowText(one.trace_id);
    const correlation_id = rowText(one.correlation_id);
    const trace_key = rowKey('trace', trace_id);
    const correlation_key = rowKey('correlation', correlation_id);
    const time = rowTime(one.time);
    return {
      trace_key,
      shard: shardOf(trace_key),
      correlation_key,
      time,
      day: retentionDay(time),
      trace_id,
      correlation_id,
    };
  });
  await client.query(PUT, [tenant, recordset(rows)]);
}

// The smallest wins, among those that come together as against the one that is known; C collation compares code points.
const PUT = `
  INSERT INTO trace_correlation AS known (tenant_id, trace_key, shard, correlation_key, time, day, trace_id, correlation_id)
  SELECT DISTINCT ON (trace_key) $1, * FROM json_to_recordset($2) AS said (trace_key bigint, shard smallint,
    correlation_key bigint, time bigint, day date, trace_id text, correlation_id text)
  ORDER BY trace_key, time, correlation_id COLLATE "C"
  ON CONFLICT (tenant_id, trace_key, shard) DO UPDATE SET correlation_key = excluded.correlation_key,
    correlation_id = excluded.correlation_id, time = excluded.time, day = excluded.day
  WHERE (excluded.time, excluded.correlation_id) < (known.time, known.correlation_id)`;
