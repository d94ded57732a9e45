/** Template minutes, and the templates themselves. */
import type pg from 'pg';
import type { Template, TemplateMinute } from '../../model/rollup.ts';
import { minuteOf, NANOS_PER_HOUR } from '../../model/time.ts';
import type { TemplateRange, TemplateSum, TemplateWindow } from '../contract.ts';
import { rowText, rowTime } from '../text.ts';
import { IN_RANGE, rangeValues } from './component-minutes.ts';
import type { Connection } from './connection.ts';
import { countedAndParts, HOUR_TO_LAST_MINUTE } from './hours.ts';
import { combine, recordset, rowKey, shardOf } from './rows.ts';

export async function templateMinutes(
  connection: Connection,
  tenant: string,
  range: TemplateRange,
): Promise<TemplateMinute[]> {
  const rows = await connection.rows(
    tenant,
    `SELECT minute, template_id, component_type, component_id, count, severity_max, first_time, last_time,
       example_event_id
     FROM template_minute WHERE tenant_id = $1 AND ${IN_RANGE} AND ($7::text IS NULL OR template_id = $7)
       ${range.errors ? 'AND severity_max >= 17' : '' /* as the index has it */}
     ORDER BY minute, template_id, component_type COLLATE "C", component_id COLLATE "C"`,
    [tenant, ...rangeValues(range), range.template_id === undefined ? null : rowText(range.template_id)],
  );
  return rows.map((row) => ({
    minute: BigInt(row.minute),
    template_id: row.template_id,
    component_type: row.component_type,
    component_id: row.component_id,
    count: Number(row.count),
    severity_max: row.severity_max,
    first_time: BigInt(row.first_time),
    last_time: BigInt(row.last_time),
    example_event_id: row.example_event_id,
  }));
}

export async function templateSums(
  connection: Connection,
  tenant: string,
  { start, end, middle, errors }: TemplateWindow,
): Promise<TemplateSum[]> {
  const values = [tenant, rowTime(minuteOf(start)), rowTime(start), rowTime(end), rowTime(middle)];
  const rows = await connection.rows(tenant, errors ? ERROR_SUMS : SUMS, values);
  return rows.map((row) => ({
    ...{ template_id: row.template_id, component_type: row.component_type, component_id: row.component_id },
    ...{ count: Number(row.count), earlier: Number(row.earlier), severity_max: row.severity_max },
    ...{ first_time: BigInt(row.first_time), last_time: BigInt(row.last_time), example_event_id: row.example_event_id },
  }));
}

export async function templatesSeen(
  connection: Connection,
  tenant: string,
  ids: readonly string[],
  { start, end }: { start: bigint; end: bigint },
): Promise<string[]> {
  if (ids.length === 0) return [];
  const values = [tenant, rowTime(minuteOf(start)), rowTime(end), ids.map(rowText)];
  return (await connection.rows<{ id: string }>(tenant, SEEN, values)).map(({ id }) => id);
}

const SUMS = sumsWhere('true', 'true');
// The second as the index has it.
const ERROR_SUMS = sumsWhere('with_errors', 'severity_max >= 17');

/**
 * Of $2 to $5: the window's first minute, its start, its end, its middle. An hour stands for its minutes where it lies within the window and on
 * one side of the middle: then all of its records do.
 */
function sumsWhere(ofHours: string, ofMinutes: string): string {
  const within = `hour >= $3 AND hour <= $4 - ${NANOS_PER_HOUR - 1n} AND (hour >= $5 OR hour < $5 - ${HOUR_TO_LAST_MINUTE})`;
  const columns = `template_id, component_key, component_type, component_id, count, severity_max, first_time, last_time,
      example_event_id`;
  return `
  WITH ${countedAndParts('$2', '$4', within)}, known AS (
    SELECT hour AS minute, ${columns} FROM counted CROSS JOIN LATERAL (
      SELECT ${columns} FROM template_hour WHERE tenant_id = $1 AND hour = counted.hour AND ${ofHours} OFFSET 0) AS hours
    UNION ALL
    SELECT minute, ${columns} FROM part CROSS JOIN LATERAL (
      SELECT minute, ${columns} FROM template_minute
      WHERE tenant_id = $1 AND minute BETWEEN part.first AND part.last AND last_time >= $3 AND first_time <= $4 AND ${ofMinutes}
      OFFSET 0) AS minutes
  )
  SELECT template_id, min(component_type) AS component_type, min(component_id) AS component_id, sum(count) AS count,
    coalesce(sum(count) FILTER (WHERE minute < $5), 0) AS earlier, max(severity_max) AS severity_max,
    min(first_time) AS first_time, max(last_time) AS last_time, max(example_event_id COLLATE "C") AS example_event_id
  FROM known GROUP BY template_id, component_key`;
}

// Of $2 and $3: the first minute, and what it has to be before. A look into an index for each, of what is left for each part.
const SEEN = `
  WITH ${countedAndParts('$2', '$3 - 1', `hour >= $2 AND hour <= $3 - ${NANOS_PER_HOUR}`)}
  SELECT id FROM unnest($4::text[]) AS asked (id) WHERE EXISTS (
    SELECT 1 FROM template_hour AS known WHERE tenant_id = $1 AND template_id = id AND hour >= $2 AND hour < $3
      AND hour IN (SELECT hour FROM counted))
  OR EXISTS (
    SELECT 1 FROM part CROSS JOIN LATERAL (
      SELECT 1 FROM template_minute
      WHERE tenant_id = $1 AND template_id = id AND minute BETWEEN part.first AND part.last AND first_time < $3 LIMIT 1) AS seen)`;

/** @param retentionDay the day until which retention keeps a row of this time */
export async function addTemplateMinutes(
  client: pg.ClientBase,
  tenant: string,
  minutes: readonly TemplateMinute[],
  retentionDay: (time: bigint) => string,
): Promise<void> {
  if (minutes.length === 0) return;
  const added = combine(minutes.map(toRow), identity, (into, row) => {
    into.count += row.count;
    into.severity_max = Math.max(into.severity_max, row.severity_max);
    if (row.first_time < into.first_time) into.first_time = row.first_time;
    if (row.last_time > into.last_time) into.last_time = row.last_time;
    if (row.example_event_id > into.example_event_id) into.example_event_id = row.example_event_id;
  });
  await client.query(ADD, [tenant, recordset(added.map((row) => ({ ...row, day: retentionDay(row.minute) })))]);
}

export async function templates(connection: Connection, tenant: string, ids?: readonly string[]): Promise<Template[]> {
  return connection.rows<{ id: string; text: string }>(
    tenant,
    `SELECT template_id AS id, template_text AS text FROM template
     WHERE tenant_id = $1 AND ($2::text[] IS NULL OR template_id = ANY ($2)) ORDER BY template_id`,
    [tenant, ids?.map(rowText) ?? null],
  );
}

export async function putTemplates(client: pg.ClientBase, tenant: string, added: readonly Template[]): Promise<void> {
  const insert = (rows: readonly Template[], otherwise: string) =>
    client.query(
      `INSERT INTO template (tenant_id, template_id, template_text, shard)
       SELECT $1, * FROM json_to_recordset($2) AS added (id text, text text, shard smallint) ORDER BY id
       ON CONFLICT ${otherwise}`,
      [tenant, recordset(rows.map(({ id, text }) => ({ id: rowText(id), text: rowText(text), shard: shardOf(id) })))],
    );
  const known = added.filter(({ merged }) => !merged);
  if (known.length > 0) await insert(known, 'DO NOTHING');
  // One row an id: a command must not update a row twice.
  const merged = new Map(added.filter(({ merged }) => merged).map((row) => [row.id, row]));
  if (merged.size > 0)
    await insert(
      [...merged.values()],
      '(tenant_id, template_id, shard) DO UPDATE SET template_text = excluded.template_text',
    );
}

interface Row extends TemplateMinute {
  component_key: bigint;
  shard: number;
}

function toRow(minute: TemplateMinute): Row {
  const component_type = rowText(minute.component_type);
  const component_id = rowText(minute.component_id);
  const component_key = rowKey('component', component_type, component_id);
  return {
    ...minute,
    minute: rowTime(minute.minute),
    first_time: rowTime(minute.first_time),
    last_time: rowTime(minute.last_time),
    template_id: rowText(minute.template_id),
    example_event_id: rowText(minute.example_event_id),
    component_type,
    component_id,
    component_key,
    shard: shardOf(component_key),
  };
}

function identity({ template_id, component_key, minute }: Row): string {
  return `${template_id} ${component_key} ${minute}`;
}

// The newest example: ids sort by time.
const ADD = `
  INSERT INTO template_minute AS known (tenant_id, template_id, component_key, minute, shard, day, component_type,
    component_id, count, severity_max, first_time, last_time, example_event_id)
  SELECT $1, * FROM json_to_recordset($2) AS added (template_id text, component_key bigint, minute bigint, shard smallint,
    day date, component_type text, component_id text, count bigint, severity_max smallint, first_time bigint,
    last_time bigint, example_event_id text)
  ON CONFLICT (tenant_id, template_id, component_key, minute, shard) DO UPDATE SET
    count = known.count + excluded.count,
    severity_max = greatest(known.severity_max, excluded.severity_max),
    first_time = least(known.first_time, excluded.first_time),
    last_time = greatest(known.last_time, excluded.last_time),
    example_event_id = greatest(known.example_event_id, excluded.example_event_id)`;
