/** Hours of components, added up from their minutes by whoever keeps the store (decision 026). */
import type { ComponentMinute } from '../../model/rollup.ts';
import { hourOf, NANOS_PER_HOUR } from '../../model/time.ts';
import { rowTime } from '../text.ts';
import type { Database } from './database.ts';

/** @param before ends of hours, nanoseconds  @returns how many hours were counted, `limit` at most, the newest first */
export async function countHours(
  database: Database,
  tenant: string,
  { before, limit }: { before: bigint; limit: number },
): Promise<number> {
  const last = hourOf(before) - NANOS_PER_HOUR;
  const known = database.all<{ hour: bigint }>('SELECT hour FROM counted_hour WHERE tenant = ?', [tenant]);
  const counted = new Set(known.map(({ hour }) => hour));
  let hours = 0;
  // From hour to hour that has minutes: of a tenant that was quiet for a week there is nothing to count.
  for (let end = before; hours < limit; ) {
    const row = database.get<{ minute: bigint | null }>(
      'SELECT max(minute) AS minute FROM component_minute WHERE tenant = ? AND minute < ?',
      [tenant, rowTime(hourOf(end))],
    );
    if (row?.minute == null || row.minute < last - HOURS_BACK * NANOS_PER_HOUR) break;
    end = hourOf(row.minute);
    if (counted.has(end)) continue;
    await database.transaction(() => countHour(database, tenant, end));
    hours++;
  }
  return hours;
}

/** Of a flush, within its transaction. */
export function uncountHours(database: Database, tenant: string, minutes: readonly ComponentMinute[]): void {
  for (const hour of new Set(minutes.map(({ minute }) => hourOf(rowTime(minute))))) {
    database.run('DELETE FROM counted_hour WHERE tenant = ? AND hour = ?', [tenant, hour]);
  }
}

function countHour(database: Database, tenant: string, hour: bigint): void {
  database.run('DELETE FROM component_hour WHERE tenant = ? AND hour = ?', [tenant, hour]);
  database.run(
    `INSERT INTO component_hour (tenant, hour, component_key, component_type, component_id, total, errors, critical)
     SELECT tenant, ?2, component_key, component_type, component_id, sum(total), sum(errors), sum(critical)
     FROM component_minute WHERE tenant = ?1 AND minute BETWEEN ?2 AND ?3 GROUP BY component_key`,
    [tenant, hour, hour + NANOS_PER_HOUR - 1n],
  );
  database.run('INSERT INTO counted_hour (tenant, hour) VALUES (?, ?) ON CONFLICT DO NOTHING', [tenant, hour]);
}

// A month: what an old capture brings from before is its minutes.
const HOURS_BACK = 744n;
