/** Calls per edge and minute. */
import type { EdgeKind, EdgeMinute } from '../../model/rollup.ts';
import { Sketch } from '../../model/sketch.ts';
import type { EdgeSum } from '../contract.ts';
import { rowText, rowTime } from '../text.ts';
import type { Database } from './database.ts';
import { countedAndParts } from './hours.ts';
import { rowKey } from './keys.ts';
import { Where } from './where.ts';

/** Adds to the minute that is there. */
export function writeEdgeMinute(database: Database, tenant: string, row: EdgeMinute): void {
  const ends = [row.from_type, row.from_id, row.to_type, row.to_id].map(rowText);
  database.run(
    `INSERT INTO edge_minute (tenant, minute, edge_key, kind, from_type, from_id, to_type, to_id, calls, errors, latency)
     VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)
     ON CONFLICT DO UPDATE SET
       calls = calls + excluded.calls,
       errors = errors + excluded.errors,
       latency = sketch_merge(latency, excluded.latency)`,
    [
      ...[tenant, rowTime(row.minute), rowKey('edge', row.kind, ...ends), row.kind, ...ends],
      ...[row.calls, row.errors, row.latency.toBytes()],
    ],
  );
}

interface EdgeMinuteRow {
  minute: bigint;
  kind: EdgeKind;
  from_type: string;
  from_id: string;
  to_type: string;
  to_id: string;
  calls: bigint;
  errors: bigint;
  latency: Uint8Array;
}

/** Of counted hours one row an edge, of what is left around and between them the minutes. */
export function readEdgeSums(database: Database, tenant: string, range: { start: bigint; end: bigint }): EdgeSum[] {
  const rows = database.all<Omit<EdgeMinuteRow, 'minute'>>(SUMS, [tenant, rowTime(range.start), rowTime(range.end)]);
  return rows.map(({ calls, errors, latency, ...ends }) => ({
    ...ends,
    ...{ calls: Number(calls), errors: Number(errors), latency: Sketch.fromBytes(latency) },
  }));
}

const COLUMNS = 'edge_key, kind, from_type, from_id, to_type, to_id, calls, errors, latency';
const SUMS = `
  WITH ${countedAndParts('?2', '?3')}, known AS (
    SELECT ${COLUMNS} FROM counted CROSS JOIN edge_hour USING (hour) WHERE tenant = ?1
    UNION ALL
    SELECT ${COLUMNS} FROM part CROSS JOIN edge_minute ON minute BETWEEN first AND last WHERE tenant = ?1 AND calls > 0
  )
  SELECT kind, from_type, from_id, to_type, to_id, sum(calls) AS calls, sum(errors) AS errors, sketch_sum(latency) AS latency
  FROM known GROUP BY edge_key`;

export function readEdgeMinutes(
  database: Database,
  tenant: string,
  range: { start: bigint; end: bigint },
): EdgeMinute[] {
  const where = new Where().equal('tenant', tenant).within('minute', range).and('calls > 0');
  const rows = database.all<EdgeMinuteRow>(
    `SELECT minute, kind, from_type, from_id, to_type, to_id, calls, errors, latency
     FROM edge_minute ${where} ORDER BY minute, edge_key`,
    where.values,
  );
  return rows.map((row) => ({
    ...row,
    calls: Number(row.calls),
    errors: Number(row.errors),
    latency: Sketch.fromBytes(row.latency),
  }));
}
