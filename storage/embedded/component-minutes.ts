/** Counts and latencies per component and minute. */
import type { ComponentMinute } from '../../model/rollup.ts';
import { Sketch } from '../../model/sketch.ts';
import type { ComponentSum, MinuteRange } from '../contract.ts';
import { rowText, rowTime } from '../text.ts';
import type { Database } from './database.ts';
import { countedAndParts } from './hours.ts';
import { rowKey } from './keys.ts';
import { Where } from './where.ts';

/** Adds to the minute that is there. */
export function writeComponentMinute(database: Database, tenant: string, row: ComponentMinute): void {
  database.run(
    `INSERT INTO component_minute
       (tenant, minute, component_key, component_type, component_id, total, errors, critical, untold, latency)
     VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)
     ON CONFLICT DO UPDATE SET
       total = total + excluded.total,
       errors = errors + excluded.errors,
       critical = critical + excluded.critical,
       untold = untold + excluded.untold,
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
      row.untold ?? null,
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
  /** Of sums never null. */
  untold: bigint | null;
  latency: Uint8Array;
}

export function readComponentMinutes(database: Database, tenant: string, range: MinuteRange): ComponentMinute[] {
  const where = inMinutes(tenant, range);
  const rows = database.all<ComponentMinuteRow>(
    `SELECT minute, component_type, component_id, total, errors, critical, untold, latency
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
    ...(row.untold !== null && { untold: Number(row.untold) }),
    latency: Sketch.fromBytes(row.latency),
  }));
}

/** Of counted hours one row a component, of what is left around and between them the minutes. */
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
    untold: Number(row.untold),
  }));
}

const SUMS = sumsWhere('component_type = coalesce(?4, component_type) AND component_id = coalesce(?5, component_id)');
const SUMS_OF_ONE = sumsWhere('component_key = ?4', 'INDEXED BY component_minute_by_component');

function sumsWhere(condition: string, minutesBy = ''): string {
  return `
  WITH ${countedAndParts('?2', '?3')}, known AS (
    SELECT component_type, component_id, total, errors, critical, coalesce(untold, errors) AS untold
    FROM counted CROSS JOIN component_hour USING (hour) WHERE tenant = ?1 AND ${condition}
    UNION ALL
    SELECT component_type, component_id, total, errors, critical, coalesce(untold, errors)
    FROM part CROSS JOIN component_minute ${minutesBy} ON minute BETWEEN first AND last WHERE tenant = ?1 AND ${condition}
  )
  SELECT component_type, component_id, sum(total) AS total, sum(errors) AS errors, sum(critical) AS critical,
    sum(untold) AS untold
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
