/**
 * Hours of components, templates and calls, added up from their minutes by whoever keeps the store (decisions 026 and 028). An hour is marked
 * before it is counted, and a flush takes the marks of its hours away as the last thing that it does. Who does not see a mark has ended before
 * it was made, as making one waits for all flushes that have come so far; who comes after takes the mark away, and counting with it.
 */
import type pg from 'pg';
import { hourOf, NANOS_PER_HOUR, NANOS_PER_MINUTE } from '../../model/time.ts';
import type { Flush } from '../contract.ts';
import { rowTime } from '../text.ts';
import type { Connection } from './connection.ts';
import { LOCK_NOT_AVAILABLE } from './errors.ts';
import { recordset } from './rows.ts';
import { BEHIND_EACH_OTHER, mergedSketch } from './sketches.ts';

/** @param before ends of hours, nanoseconds  @returns how many hours were counted, `limit` at most, the newest first */
export async function countHours(
  connection: Connection,
  tenant: string,
  { before, limit }: { before: bigint; limit: number },
): Promise<number> {
  const rows = await connection.rows<{ hour: string }>(tenant, UNCOUNTED, [
    tenant,
    rowTime(hourOf(before) - HOURS_BACK * NANOS_PER_HOUR),
    rowTime(hourOf(before) - NANOS_PER_HOUR),
    limit,
  ]);
  if (rows.length === 0) return 0;
  const hours = rows.map(({ hour }) => hour);
  try {
    await connection.transaction((client) => mark(client, tenant, hours));
  } catch (error) {
    // A commit takes longer than the lock is waited for: these are counted in the next round.
    if ((error as pg.DatabaseError).code === LOCK_NOT_AVAILABLE) return 0;
    throw error;
  }
  let counted = 0;
  for (const hour of hours) {
    if (await connection.transaction((client) => countHour(client, tenant, hour))) counted++;
  }
  return counted;
}

/** The last statement of a flush: nobody waits for anything behind it while counting waits for the flush, or the flush for a count of its hour. */
export async function uncountHours(
  client: pg.ClientBase,
  { tenant, componentMinutes, templateMinutes, edgeMinutes }: Flush,
): Promise<void> {
  const minutes = [...componentMinutes, ...templateMinutes, ...edgeMinutes];
  const hours = new Set(minutes.map(({ minute }) => hourOf(rowTime(minute))));
  if (hours.size === 0) return;
  await client.query('DELETE FROM counted_hour WHERE tenant_id = $1 AND hour = ANY ($2::bigint[])', [
    tenant,
    [...hours],
  ]);
}

/** Marks first: an hour without one is its minutes. @param before nanoseconds; may be of hours whose minutes stay */
export async function forgetHours(connection: Connection, before: bigint): Promise<void> {
  const hour = rowTime(hourOf(before > 0n ? before : 0n));
  await connection.write('DELETE FROM counted_hour WHERE hour < $1', [hour]);
  for (const table of TABLES) {
    await connection.write(
      `DELETE FROM ${table} AS known WHERE NOT EXISTS (
         SELECT 1 FROM counted_hour AS counted WHERE counted.tenant_id = known.tenant_id AND counted.hour = known.hour)`,
    );
  }
}

/**
 * Two tables of a statement of $1, the tenant: `counted`, the hours within a window that are counted; and `part`, the times around and
 * between them, of which the minutes are to be read. Hours and minutes are to be a question of their own for each row of these (LATERAL, OFFSET 0), which
 * an index answers: joined with what is of unknown length, all that there are were read.
 * @param start,end SQL: the first and the last minute of the window  @param within SQL: which hours lie in it whole
 */
export function countedAndParts(start: string, end: string, within = wholeMinutes(start, end)): string {
  return `
  counted AS MATERIALIZED (
    SELECT hour FROM counted_hour WHERE tenant_id = $1 AND whole AND ${within}
  ), part AS MATERIALIZED (
    SELECT * FROM (
      SELECT lag(hour + ${NANOS_PER_HOUR}, 1, ${start}::bigint) OVER (ORDER BY hour) AS first, hour - 1 AS last FROM counted
      UNION ALL SELECT coalesce((SELECT max(hour) + ${NANOS_PER_HOUR} FROM counted), ${start}), ${end}) AS each
    WHERE first <= last
  )`;
}

/** From the start of an hour to that of its last minute. */
export const HOUR_TO_LAST_MINUTE = NANOS_PER_HOUR - NANOS_PER_MINUTE;

function wholeMinutes(start: string, end: string): string {
  return `hour >= ${start} AND hour <= ${end} - ${HOUR_TO_LAST_MINUTE}`;
}

/**
 * Waits for the flushes that have come to their last statement; others come to theirs when the marks are there. So a mark holds whoever made it:
 * one that another process makes anew, where a flush took ours away, is as good.
 */
async function mark(client: pg.ClientBase, tenant: string, hours: readonly string[]): Promise<void> {
  await client.query(`SET LOCAL lock_timeout = ${LOCK_TIMEOUT_MS}`);
  await client.query('LOCK TABLE counted_hour IN SHARE ROW EXCLUSIVE MODE');
  await client.query(MARK, [tenant, hours]);
}

/** @returns false where a flush has taken the mark away, or another process has counted the hour */
async function countHour(client: pg.ClientBase, tenant: string, hour: string): Promise<boolean> {
  // From here on flushes wait that bring anything to this hour, and no others.
  if ((await client.query(HOLD, [tenant, hour])).rowCount === 0) return false;
  for (const table of TABLES) {
    await client.query(`DELETE FROM ${table} WHERE tenant_id = $1 AND hour = $2`, [tenant, hour]);
  }
  const minutes = [tenant, hour, BigInt(hour) + NANOS_PER_HOUR - 1n];
  await client.query(COUNT_COMPONENTS, minutes);
  await client.query(COUNT_TEMPLATES, minutes);
  await countEdges(client, minutes);
  await client.query('UPDATE counted_hour SET whole = true WHERE tenant_id = $1 AND hour = $2 AND shard = 0', [
    tenant,
    hour,
  ]);
  return true;
}

/** The server cannot merge sketches. */
async function countEdges(client: pg.ClientBase, minutes: unknown[]): Promise<void> {
  const { rows } = await client.query(EDGES, minutes);
  if (rows.length === 0) return;
  const merged = rows.map(({ latencies, ...row }) => ({
    ...row,
    latency: `\\x${mergedSketch(latencies).toBytes().toHex()}`,
  }));
  await client.query(PUT_EDGES, [...minutes.slice(0, 2), recordset(merged)]);
}

const TABLES = ['component_hour', 'template_hour', 'edge_hour'];
// While we wait flushes wait behind us.
const LOCK_TIMEOUT_MS = 1_000;
// A month: what an old capture brings from before is its minutes.
const HOURS_BACK = 744n;

// From the first that has a minute.
const UNCOUNTED = `
  SELECT hour FROM generate_series(
    (SELECT min(minute) FROM component_minute WHERE tenant_id = $1 AND minute >= $2) / ${NANOS_PER_HOUR} * ${NANOS_PER_HOUR},
    $3::bigint, ${NANOS_PER_HOUR}::bigint) AS hour
  WHERE NOT EXISTS (SELECT 1 FROM counted_hour AS counted WHERE tenant_id = $1 AND whole AND counted.hour = hour.hour)
  ORDER BY hour DESC LIMIT $4`;

const MARK = `
  INSERT INTO counted_hour (tenant_id, hour, shard, whole) SELECT $1, hour, 0, false FROM unnest($2::bigint[]) AS hour
  ORDER BY hour ON CONFLICT DO NOTHING`;

const HOLD = 'SELECT FROM counted_hour WHERE tenant_id = $1 AND hour = $2 AND shard = 0 AND NOT whole FOR UPDATE';

const COUNT_COMPONENTS = `
  INSERT INTO component_hour (tenant_id, hour, component_key, shard, component_type, component_id, total, errors, critical, untold)
  SELECT $1, $2::bigint, component_key, shard, min(component_type), min(component_id), sum(total), sum(errors), sum(critical),
    sum(coalesce(untold, errors))
  FROM component_minute WHERE tenant_id = $1 AND minute BETWEEN $2 AND $3 GROUP BY component_key, shard`;

// Minutes with errors apart, as answers are asked for them alone.
const COUNT_TEMPLATES = `
  INSERT INTO template_hour (tenant_id, hour, with_errors, template_id, component_key, shard, component_type, component_id,
    count, severity_max, first_time, last_time, example_event_id)
  SELECT $1, $2::bigint, severity_max >= 17, template_id, component_key, shard, min(component_type), min(component_id),
    sum(count), max(severity_max), min(first_time), max(last_time), max(example_event_id)
  FROM template_minute WHERE tenant_id = $1 AND minute BETWEEN $2 AND $3
  GROUP BY severity_max >= 17, template_id, component_key, shard`;

const EDGES = `
  SELECT edge_key, shard, min(kind) AS kind, min(from_type) AS from_type, min(from_id) AS from_id, min(to_type) AS to_type,
    min(to_id) AS to_id, sum(calls) AS calls, sum(errors) AS errors, ${BEHIND_EACH_OTHER} AS latencies
  FROM edge_minute WHERE tenant_id = $1 AND minute BETWEEN $2 AND $3 AND calls > 0 GROUP BY edge_key, shard`;

const PUT_EDGES = `
  INSERT INTO edge_hour (tenant_id, hour, edge_key, shard, kind, from_type, from_id, to_type, to_id, calls, errors, latency)
  SELECT $1, $2::bigint, * FROM json_to_recordset($3) AS counted (edge_key bigint, shard smallint, kind text, from_type text,
    from_id text, to_type text, to_id text, calls bigint, errors bigint, latency bytea)`;
