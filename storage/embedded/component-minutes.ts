/** Counts and latencies per component and minute. */
import type { ComponentMinute } from '../../model/rollup.ts';
import { Sketch } from '../../model/sketch.ts';
import { NANOS_PER_HOUR, NANOS_PER_MINUTE } from '../../model/time.ts';
import type { ComponentSum, MinuteRange } from '../contract.ts';
import { rowText, rowTime } from '../text.ts';
import type { Database } from './database.ts';
import { rowKey } from './keys.ts';
import { Where } from './where.ts';

/** Adds to the minute that is there. */
export function writeComponentMinute(database: Database, tenant: string, row: ComponentMinute): void {
  database.run(
    `INSERT INTO component_minute
       (tenant, minute, component_key, component_type, component_id, total, errors, critical, latency)
     VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)
     ON CONFLICT DO UPDATE SET
       total = total + excluded.total,
       errors = errors + excluded.errors,
       critical = critical + excluded.critical,
       latency = sketch_merge(latency, excluded.latency)`,
    [
      tenant,
      rowTime(row.minute),
      rowKey('component', row.component_type, row.component_id),
      rowText(row.component_type),
      rowText(row.component_id),
      row.total,
      row.errors,
      row.critical,
      row.latency.toBytes(),
    ],
  );
}

interface ComponentMinuteRow {
  minute: bigint;
  component_type: string;
  component_id: string;
  total: bigint;
  errors: bigint;
  critical: bigint;
  latency: Uint8Array;
}

export function readComponentMinutes(database: Database, tenant: string, range: MinuteRange): ComponentMinute[] {
  const where = inMinutes(tenant, range);
  const rows = database.all<ComponentMinuteRow>(
    `SELECT minute, component_type, component_id, total, errors, critical, latency
     FROM component_minute ${where} ORDER BY minute, component_key`,
    where.values,
  );
  return rows.map((row) => ({
    minute: row.minute,
    component_type: row.component_type,
    component_id: row.component_id,
    total: Number(row.total),
    errors: Number(row.errors),
    critical: Number(row.critical),
    latency: Sketch.fromBytes(row.latency),
  }));
}

/** Of counted hours one row a component, of what is left around and between them the minutes: in one statement, as commits come from a thread. */
export function readComponentSums(database: Database, tenant: string, range: MinuteRange): ComponentSum[] {
  const { component_type, component_id, start, end } = range;
  const isOne = component_type !== undefined && component_id !== undefined;
  const rows = database.all<Omit<ComponentMinuteRow, 'minute' | 'latency'>>(isOne ? SUMS_OF_ONE : SUMS, [
    ...[tenant, rowTime(start), rowTime(end)],
    ...(isOne
      ? [rowKey('component', component_type, component_id)]
      : [component_type, component_id].map((text) => (text === undefined ? null : rowText(text)))),
  ]);
  return rows.map((row) => ({
    ...row,
    total: Number(row.total),
    errors: Number(row.errors),
    critical: Number(row.critical),
  }));
}

const SUMS = sumsWhere('component_type = coalesce(?4, component_type) AND component_id = coalesce(?5, component_id)');
const SUMS_OF_ONE = sumsWhere('component_key = ?4', 'INDEXED BY component_minute_by_component');

/** CROSS JOIN is read in the order in which it is written. */
function sumsWhere(condition: string, minutesBy = ''): string {
  return `
  WITH counted AS MATERIALIZED (
    SELECT hour FROM counted_hour WHERE tenant = ?1 AND hour BETWEEN ?2 AND ?3 - ${NANOS_PER_HOUR - NANOS_PER_MINUTE}
  ), part AS MATERIALIZED (
    SELECT lag(hour + ${NANOS_PER_HOUR}, 1, ?2) OVER (ORDER BY hour) AS first, hour - 1 AS last FROM counted
    UNION ALL SELECT coalesce((SELECT max(hour) + ${NANOS_PER_HOUR} FROM counted), ?2), ?3
  ), known AS (
    SELECT component_type, component_id, total, errors, critical
    FROM counted CROSS JOIN component_hour USING (hour) WHERE tenant = ?1 AND ${condition}
    UNION ALL
    SELECT component_type, component_id, total, errors, critical
    FROM part CROSS JOIN component_minute ${minutesBy} ON minute BETWEEN first AND last WHERE tenant = ?1 AND ${condition}
  )
  SELECT component_type, component_id, sum(total) AS total, sum(errors) AS errors, sum(critical) AS critical
  FROM known GROUP BY component_type, component_id`;
}

export function inMinutes(tenant: string, range: MinuteRange): Where {
  const where = new Where().equal('tenant', tenant).within('minute', range);
  const { component_type, component_id } = range;
  if (component_type !== undefined && component_id !== undefined) {
    return where.equal('component_key', rowKey('component', component_type, component_id));
  }
  return where.equal('component_type', component_type).equal('component_id', component_id);
}
