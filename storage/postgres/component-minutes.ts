/** Component minutes: counts are added by the server, sketches merged by us while the server keeps the rows locked. */
import type pg from 'pg';
import type { ComponentMinute } from '../../model/rollup.ts';
import { Sketch } from '../../model/sketch.ts';
import type { ComponentSum, MinuteRange } from '../contract.ts';
import { rowText, rowTime } from '../text.ts';
import type { Connection } from './connection.ts';
import { countedAndParts } from './hours.ts';
import { combine, recordset, rowKey, shardOf } from './rows.ts';
import { addSketches, sketchOf } from './sketches.ts';

export async function componentMinutes(
  connection: Connection,
  tenant: string,
  range: MinuteRange,
): Promise<ComponentMinute[]> {
  const rows = await connection.rows(
    tenant,
    `SELECT minute, component_type, component_id, total, errors, critical, untold, latency FROM component_minute
     WHERE tenant_id = $1 AND ${IN_RANGE}
     ORDER BY minute, component_type COLLATE "C", component_id COLLATE "C"`,
    [tenant, ...rangeValues(range)],
  );
  return rows.map((row) => ({
    minute: BigInt(row.minute),
    component_type: row.component_type,
    component_id: row.component_id,
    total: Number(row.total),
    errors: Number(row.errors),
    critical: Number(row.critical),
    ...(row.untold !== null && { untold: Number(row.untold) }),
    latency: sketchOf(row.latency),
  }));
}

export async function componentSums(
  connection: Connection,
  tenant: string,
  range: MinuteRange,
): Promise<ComponentSum[]> {
  const rows = await connection.rows(tenant, SUMS, [tenant, ...rangeValues(range)]);
  return rows.map(({ component_type, component_id, total, errors, critical, untold }) => ({
    ...{ component_type, component_id },
    ...{ total: Number(total), errors: Number(errors), critical: Number(critical), untold: Number(untold) },
  }));
}

/** @param retentionDay the day until which retention keeps a row of this time */
export async function addComponentMinutes(
  client: pg.ClientBase,
  tenant: string,
  minutes: readonly ComponentMinute[],
  retentionDay: (time: bigint) => string,
): Promise<void> {
  if (minutes.length === 0) return;
  const added = combine(minutes.map(toRow), identity, (into, row) => {
    into.total += row.total;
    into.errors += row.errors;
    into.critical += row.critical;
    into.untold = sumOf(into.untold, row.untold);
    into.latency = Sketch.mergeBytes(into.latency, row.latency);
  });
  const rows = added.map(({ latency: _, ...row }) => ({ ...row, day: retentionDay(row.minute) }));
  const stored = await client.query(ADD, [tenant, recordset(rows)]);
  await addSketches(client, tenant, { table: 'component_minute', key: 'component_key' }, added, stored.rows);
}

export function rangeValues({ start, end, component_type: type, component_id: id }: MinuteRange): unknown[] {
  const ref = [type === undefined ? null : rowText(type), id === undefined ? null : rowText(id)] as const;
  const key = ref[0] === null || ref[1] === null ? null : rowKey('component', ref[0], ref[1]);
  return [rowTime(start), rowTime(end), ...ref, key];
}

/** Of $2 to $6: start, end, component type, id and key, the last three or null. Also the template minutes' range. */
const IN_COMPONENT = `($4::text IS NULL OR component_type = $4) AND ($5::text IS NULL OR component_id = $5)
  AND ($6::bigint IS NULL OR component_key = $6)`;
export const IN_RANGE = `minute BETWEEN $2 AND $3 AND ${IN_COMPONENT}`;

/**
 * Of counted hours one row a component, of what is left around and between them the minutes. Added up by a number of eight bytes, not by
 * two texts; what that stands for is looked up in one minute of each.
 */
const SUMS = `
  WITH ${countedAndParts('$2', '$3')}, known AS (
    SELECT component_key, total, errors, critical, untold FROM counted CROSS JOIN LATERAL (
      SELECT component_key, total, errors, critical, coalesce(untold, errors) AS untold FROM component_hour
      WHERE tenant_id = $1 AND hour = counted.hour AND ${IN_COMPONENT} OFFSET 0) AS hours
    UNION ALL
    SELECT component_key, total, errors, critical, untold FROM part CROSS JOIN LATERAL (
      SELECT component_key, total, errors, critical, coalesce(untold, errors) AS untold FROM component_minute
      WHERE tenant_id = $1 AND minute BETWEEN part.first AND part.last AND ${IN_COMPONENT} OFFSET 0) AS minutes
  ), sums AS (
    SELECT component_key, sum(total) AS total, sum(errors) AS errors, sum(critical) AS critical,
      sum(untold) AS untold
    FROM known GROUP BY component_key
  )
  SELECT component_type, component_id, sums.total, sums.errors, sums.critical, sums.untold
  FROM sums CROSS JOIN LATERAL (
    SELECT component_type, component_id FROM component_minute
    WHERE tenant_id = $1 AND component_key = sums.component_key LIMIT 1) AS component`;

interface Row {
  component_key: bigint;
  minute: bigint;
  shard: number;
  component_type: string;
  component_id: string;
  total: number;
  errors: number;
  critical: number;
  untold?: number | undefined;
  latency: Uint8Array;
}

function toRow(minute: ComponentMinute): Row {
  const component_type = rowText(minute.component_type);
  const component_id = rowText(minute.component_id);
  const component_key = rowKey('component', component_type, component_id);
  const latency = minute.latency.toBytes();
  const shard = shardOf(component_key);
  return { ...minute, minute: rowTime(minute.minute), component_key, component_type, component_id, shard, latency };
}

function sumOf(a: number | undefined, b: number | undefined): number | undefined {
  return a === undefined || b === undefined ? undefined : a + b;
}

function identity({ component_key, minute }: { component_key: bigint; minute: bigint }): string {
  return `${component_key} ${minute}`;
}

// A new row has the empty sketch, so that new and known rows go on alike.
const ADD = `
  INSERT INTO component_minute AS known (tenant_id, component_key, minute, shard, day, component_type, component_id,
    total, errors, critical, untold, latency)
  SELECT $1, *, ''::bytea FROM json_to_recordset($2) AS added (component_key bigint, minute bigint, shard smallint,
    day date, component_type text, component_id text, total bigint, errors bigint, critical bigint, untold bigint)
  ON CONFLICT (tenant_id, component_key, minute, shard) DO UPDATE SET total = known.total + excluded.total,
    errors = known.errors + excluded.errors, critical = known.critical + excluded.critical,
    untold = known.untold + excluded.untold
  RETURNING component_key, minute, latency`;
