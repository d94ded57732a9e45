/** Hours of components, templates and calls, added up from their minutes by whoever keeps the store (decisions 026 and 028). */
import { hourOf, NANOS_PER_HOUR, NANOS_PER_MINUTE } from '../../model/time.ts';
import type { Flush } from '../contract.ts';
import { rowTime } from '../text.ts';
import type { Database } from './database.ts';

/**
 * @param before ends of hours, nanoseconds
 * @param count counts an hour by {@link countHour}
 * @returns how many hours were counted, `limit` at most, the newest first
 */
export async function countHours(
  database: Database,
  tenant: string,
  { before, limit }: { before: bigint; limit: number },
  count: (hour: bigint) => Promise<void>,
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
    await count(end);
    hours++;
  }
  return hours;
}

/** Durable when it resolves. */
export function countHour(database: Database, tenant: string, hour: bigint): Promise<void> {
  return database.transaction(() => {
    for (const [table, count] of COUNTS) {
      database.run(`DELETE FROM ${table} WHERE tenant = ? AND hour = ?`, [tenant, hour]);
      database.run(count, [tenant, hour, hour + NANOS_PER_HOUR - 1n]);
    }
    database.run('INSERT INTO counted_hour (tenant, hour) VALUES (?, ?) ON CONFLICT DO NOTHING', [tenant, hour]);
  });
}

/** Of a flush, within its transaction. */
export function uncountHours(
  database: Database,
  { tenant, componentMinutes, templateMinutes, edgeMinutes }: Flush,
): void {
  const minutes = [...componentMinutes, ...templateMinutes, ...edgeMinutes];
  for (const hour of new Set(minutes.map(({ minute }) => hourOf(rowTime(minute))))) {
    database.run('DELETE FROM counted_hour WHERE tenant = ? AND hour = ?', [tenant, hour]);
  }
}

/**
 * Two tables of a statement of ?1, the tenant: `counted`, the hours within a window that are counted; and `part`, the times around and
 * between them, of which the minutes are to be read. In one statement, as commits come from a thread; CROSS JOIN is read in the order in
 * which it is written.
 * @param start,end SQL: the first and the last minute of the window  @param within SQL: which hours lie in it whole
 */
export function countedAndParts(start: string, end: string, within = wholeMinutes(start, end)): string {
  return `
  counted AS MATERIALIZED (
    SELECT hour FROM counted_hour WHERE tenant = ?1 AND ${within}
  ), part AS MATERIALIZED (
    SELECT lag(hour + ${NANOS_PER_HOUR}, 1, ${start}) OVER (ORDER BY hour) AS first, hour - 1 AS last FROM counted
    UNION ALL SELECT coalesce((SELECT max(hour) + ${NANOS_PER_HOUR} FROM counted), ${start}), ${end}
  )`;
}

/** From the start of an hour to that of its last minute. */
export const HOUR_TO_LAST_MINUTE = NANOS_PER_HOUR - NANOS_PER_MINUTE;

function wholeMinutes(start: string, end: string): string {
  return `hour >= ${start} AND hour <= ${end} - ${HOUR_TO_LAST_MINUTE}`;
}

// A month: what an old capture brings from before is its minutes.
const HOURS_BACK = 744n;

const COUNTS = [
  [
    'component_hour',
    `INSERT INTO component_hour (tenant, hour, component_key, component_type, component_id, total, errors, critical, untold)
     SELECT tenant, ?2, component_key, component_type, component_id, sum(total), sum(errors), sum(critical),
       sum(coalesce(untold, errors))
     FROM component_minute WHERE tenant = ?1 AND minute BETWEEN ?2 AND ?3 GROUP BY component_key`,
  ],
  // Minutes with errors apart, as answers are asked for them alone.
  [
    'template_hour',
    `INSERT INTO template_hour (tenant, hour, with_errors, template_id, component_key, component_type, component_id,
       count, severity_max, first_time, last_time, example_event_id)
     SELECT tenant, ?2, severity_max >= 17, template_id, component_key, component_type, component_id,
       sum(count), max(severity_max), min(first_time), max(last_time), max(example_event_id)
     FROM template_minute WHERE tenant = ?1 AND minute BETWEEN ?2 AND ?3
     GROUP BY severity_max >= 17, template_id, component_key`,
  ],
  [
    'edge_hour',
    `INSERT INTO edge_hour (tenant, hour, edge_key, kind, from_type, from_id, to_type, to_id, calls, errors, latency)
     SELECT tenant, ?2, edge_key, kind, from_type, from_id, to_type, to_id, sum(calls), sum(errors), sketch_sum(latency)
     FROM edge_minute WHERE tenant = ?1 AND minute BETWEEN ?2 AND ?3 AND calls > 0 GROUP BY edge_key`,
  ],
] as const;
