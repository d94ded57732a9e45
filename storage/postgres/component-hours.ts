/**
 * Hours of components, added up from their minutes by whoever keeps the store (decision 026). A flush takes the marks of its hours away as the
 * last thing that it does, and counting shuts flushes out from that moment on: so a count either has what a flush brought, or loses its mark
 * to it.
 */
import type pg from 'pg';
import type { ComponentMinute } from '../../model/rollup.ts';
import { hourOf, NANOS_PER_HOUR } from '../../model/time.ts';
import { rowTime } from '../text.ts';
import type { Connection } from './connection.ts';
import { LOCK_NOT_AVAILABLE } from './errors.ts';

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
  let counted = 0;
  try {
    for (; counted < rows.length; counted++) {
      await connection.transaction((client) => countHour(client, tenant, rows[counted]!.hour));
    }
  } catch (error) {
    // A commit takes longer than the lock is waited for: the rest is counted in the next round.
    if ((error as pg.DatabaseError).code !== LOCK_NOT_AVAILABLE) throw error;
  }
  return counted;
}

/** The last statement of a flush: nobody waits for anything behind it while counting waits for the flush. */
export async function uncountHours(
  client: pg.ClientBase,
  tenant: string,
  minutes: readonly ComponentMinute[],
): Promise<void> {
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
  await connection.write(
    `DELETE FROM component_hour AS known WHERE NOT EXISTS (
       SELECT 1 FROM counted_hour AS counted WHERE counted.tenant_id = known.tenant_id AND counted.hour = known.hour)`,
  );
}

async function countHour(client: pg.ClientBase, tenant: string, hour: string): Promise<void> {
  await client.query(`SET LOCAL lock_timeout = ${LOCK_TIMEOUT_MS}`);
  await client.query('LOCK TABLE counted_hour IN SHARE ROW EXCLUSIVE MODE');
  await client.query('DELETE FROM component_hour WHERE tenant_id = $1 AND hour = $2', [tenant, hour]);
  await client.query(COUNT, [tenant, hour, BigInt(hour) + NANOS_PER_HOUR - 1n]);
  await client.query('INSERT INTO counted_hour (tenant_id, hour, shard) VALUES ($1, $2, 0) ON CONFLICT DO NOTHING', [
    tenant,
    hour,
  ]);
}

// While we wait flushes wait behind us.
const LOCK_TIMEOUT_MS = 1_000;
// A month: what an old capture brings from before is its minutes.
const HOURS_BACK = 744n;

// From the first that has a minute.
const UNCOUNTED = `
  SELECT hour FROM generate_series(
    (SELECT min(minute) FROM component_minute WHERE tenant_id = $1 AND minute >= $2) / ${NANOS_PER_HOUR} * ${NANOS_PER_HOUR},
    $3::bigint, ${NANOS_PER_HOUR}::bigint) AS hour
  WHERE NOT EXISTS (SELECT 1 FROM counted_hour AS counted WHERE tenant_id = $1 AND counted.hour = hour.hour)
  ORDER BY hour DESC LIMIT $4`;

const COUNT = `
  INSERT INTO component_hour (tenant_id, hour, component_key, shard, component_type, component_id, total, errors, critical)
  SELECT $1, $2::bigint, component_key, shard, min(component_type), min(component_id), sum(total), sum(errors), sum(critical)
  FROM component_minute WHERE tenant_id = $1 AND minute BETWEEN $2 AND $3 GROUP BY component_key, shard`;
