/** Counts and latencies per component and minute. */
import type { ComponentMinute } from '../../model/rollup.ts';
import { Sketch } from '../../model/sketch.ts';
import { NANOS_PER_HOUR } from '../../model/time.ts';
import type { ComponentSum, MinuteRange } from '../contract.ts';
import { rowText, rowTime } from '../text.ts';
import { countedHours } from './component-hours.ts';
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

/** Of counted hours one row a component, of what is left around and between them the minutes. */
export function readComponentSums(database: Database, tenant: string, range: MinuteRange): ComponentSum[] {
  const sums = new Map<string, ComponentSum>();
  const add = (from: string, where: Where) => {
    const rows = database.all<Omit<ComponentMinuteRow, 'minute' | 'latency'>>(
      `SELECT component_type, component_id, sum(total) AS total, sum(errors) AS errors, sum(critical) AS critical
       FROM ${from} ${where} GROUP BY component_type, component_id`,
      where.values,
    );
    for (const { component_type, component_id, total, errors, critical } of rows) {
      const name = `${component_type}\0${component_id}`;
      const sum = sums.get(name) ?? { component_type, component_id, total: 0, errors: 0, critical: 0 };
      sum.total += Number(total);
      sum.errors += Number(errors);
      sum.critical += Number(critical);
      sums.set(name, sum);
    }
  };
  const hours = countedHours(database, tenant, range);
  let start = range.start;
  for (const hour of hours) {
    if (start < hour) add('component_minute', inMinutes(tenant, { ...range, start, end: hour - 1n }));
    start = hour + NANOS_PER_HOUR;
  }
  if (start <= range.end) add('component_minute', inMinutes(tenant, { ...range, start }));
  if (hours.length > 0) {
    const counted = `hour IN (SELECT hour FROM counted_hour WHERE tenant = ? AND hour BETWEEN ? AND ?)`;
    const where = new Where().equal('tenant', tenant).and(counted, tenant, hours[0]!, hours.at(-1)!);
    add(
      'component_hour',
      where.equal('component_type', range.component_type).equal('component_id', range.component_id),
    );
  }
  return [...sums.values()];
}

export function inMinutes(tenant: string, range: MinuteRange): Where {
  const where = new Where().equal('tenant', tenant).within('minute', range);
  const { component_type, component_id } = range;
  if (component_type !== undefined && component_id !== undefined) {
    return where.equal('component_key', rowKey('component', component_type, component_id));
  }
  return where.equal('component_type', component_type).equal('component_id', component_id);
}
