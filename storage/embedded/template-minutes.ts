/** Log templates, and their counts per component and minute. */
import type { Template, TemplateMinute } from '../../model/rollup.ts';
import { minuteOf, NANOS_PER_HOUR } from '../../model/time.ts';
import type { TemplateRange, TemplateSum, TemplateWindow } from '../contract.ts';
import { rowText, rowTime } from '../text.ts';
import { inMinutes } from './component-minutes.ts';
import type { Database } from './database.ts';
import { countedAndParts, HOUR_TO_LAST_MINUTE } from './hours.ts';
import { rowKey } from './keys.ts';

/** Adds to the minute that is there. The newest example stays: it is kept the longest. */
export function writeTemplateMinute(database: Database, tenant: string, row: TemplateMinute): void {
  database.run(
    `INSERT INTO template_minute
       (tenant, minute, template_id, component_key, component_type, component_id,
        count, severity_max, first_time, last_time, example_event_id)
     VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)
     ON CONFLICT DO UPDATE SET
       count = count + excluded.count,
       severity_max = max(severity_max, excluded.severity_max),
       first_time = min(first_time, excluded.first_time),
       last_time = max(last_time, excluded.last_time),
       example_event_id = max(example_event_id, excluded.example_event_id)`,
    [
      tenant,
      rowTime(row.minute),
      row.template_id,
      rowKey('component', row.component_type, row.component_id),
      rowText(row.component_type),
      rowText(row.component_id),
      row.count,
      row.severity_max,
      rowTime(row.first_time),
      rowTime(row.last_time),
      row.example_event_id,
    ],
  );
}

type TemplateMinuteRow = Omit<TemplateMinute, 'count' | 'severity_max'> & { count: bigint; severity_max: bigint };

export function readTemplateMinutes(database: Database, tenant: string, range: TemplateRange): TemplateMinute[] {
  const where = inMinutes(tenant, range).equal('template_id', range.template_id);
  // Spelled as the index has it.
  if (range.errors) where.and('severity_max >= 17');
  const rows = database.all<TemplateMinuteRow>(
    `SELECT minute, template_id, component_type, component_id, count, severity_max, first_time, last_time, example_event_id
     FROM template_minute ${where} ORDER BY minute, template_id, component_key`,
    where.values,
  );
  return rows.map((row) => ({ ...row, count: Number(row.count), severity_max: Number(row.severity_max) }));
}

export function readTemplateSums(
  database: Database,
  tenant: string,
  { start, end, middle, errors }: TemplateWindow,
): TemplateSum[] {
  const rows = database.all<Omit<TemplateMinuteRow, 'minute'> & { earlier: bigint }>(errors ? ERROR_SUMS : SUMS, [
    ...[tenant, rowTime(minuteOf(start)), rowTime(start), rowTime(end), rowTime(middle)],
  ]);
  return rows.map((row) => ({
    ...row,
    ...{ count: Number(row.count), earlier: Number(row.earlier), severity_max: Number(row.severity_max) },
  }));
}

export function readTemplatesSeen(
  database: Database,
  tenant: string,
  ids: readonly string[],
  { start, end }: { start: bigint; end: bigint },
): string[] {
  const values = [tenant, rowTime(minuteOf(start)), rowTime(end), JSON.stringify(ids)];
  return database.all<{ id: string }>(SEEN, values).map(({ id }) => id);
}

const SUMS = sumsWhere('with_errors IN (0, 1)', 'true');
// The second as the index has it.
const ERROR_SUMS = sumsWhere('with_errors = 1', 'severity_max >= 17');

/**
 * Of ?2 to ?5: the window's first minute, its start, its end, its middle. An hour stands for its minutes where it lies within the window and on
 * one side of the middle: then all of its records do.
 */
function sumsWhere(ofHours: string, ofMinutes: string): string {
  const within = `hour >= ?3 AND hour <= ?4 - ${NANOS_PER_HOUR - 1n} AND (hour >= ?5 OR hour < ?5 - ${HOUR_TO_LAST_MINUTE})`;
  const columns = `template_id, component_key, component_type, component_id, count, severity_max, first_time, last_time,
      example_event_id`;
  return `
  WITH ${countedAndParts('?2', '?4', within)}, known AS (
    SELECT hour AS minute, ${columns} FROM counted CROSS JOIN template_hour USING (hour) WHERE tenant = ?1 AND ${ofHours}
    UNION ALL
    SELECT minute, ${columns} FROM part CROSS JOIN template_minute ON minute BETWEEN first AND last
    WHERE tenant = ?1 AND last_time >= ?3 AND first_time <= ?4 AND ${ofMinutes}
  )
  SELECT template_id, component_type, component_id, sum(count) AS count,
    sum(CASE WHEN minute < ?5 THEN count ELSE 0 END) AS earlier, max(severity_max) AS severity_max,
    min(first_time) AS first_time, max(last_time) AS last_time, max(example_event_id) AS example_event_id
  FROM known GROUP BY template_id, component_key`;
}

// Of ?2 and ?3: the first minute, and what it has to be before.
const SEEN = `
  WITH ${countedAndParts('?2', '?3 - 1', `hour >= ?2 AND hour <= ?3 - ${NANOS_PER_HOUR}`)}
  SELECT value AS id FROM json_each(?4) WHERE EXISTS (
    SELECT 1 FROM counted CROSS JOIN template_hour USING (hour)
    WHERE tenant = ?1 AND with_errors IN (0, 1) AND template_id = value)
  OR EXISTS (
    SELECT 1 FROM part CROSS JOIN template_minute ON minute BETWEEN first AND last
    WHERE tenant = ?1 AND template_id = value AND first_time < ?3)`;

/** What is there already stays, as it is the same or more general; only what has become part of another replaces it. */
export function writeTemplate(database: Database, tenant: string, { id, text, merged }: Template): void {
  const otherwise = merged ? 'DO UPDATE SET text = excluded.text' : 'DO NOTHING';
  database.run(`INSERT INTO template (tenant, id, text) VALUES (?, ?, ?) ON CONFLICT ${otherwise}`, [
    tenant,
    id,
    rowText(text),
  ]);
}

export function readTemplates(database: Database, tenant: string, ids?: readonly string[]): Template[] {
  if (ids === undefined) return database.all<Template>('SELECT id, text FROM template WHERE tenant = ?', [tenant]);
  return database.all<Template>(
    'SELECT id, text FROM template WHERE tenant = ? AND id IN (SELECT value FROM json_each(?))',
    [tenant, JSON.stringify(ids)],
  );
}
