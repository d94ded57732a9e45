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

/** The sketches are merged from their bytes; who is called by whom is kept of one row. */
export function readEdgeSums(database: Database, tenant: string, range: { start: bigint; end: bigint }): EdgeSum[] {
  const sums = new Map<bigint, EdgeSum>();
  const rows = database.all<Omit<EdgeMinuteRow, 'minute'> & { edge_key: bigint }>(SUMS, [
    ...[tenant, rowTime(range.start), rowTime(range.end)],
  ]);
  for (const { edge_key, calls, errors, latency, ...ends } of rows) {
    let sum = sums.get(edge_key);
    if (sum === undefined) sums.set(edge_key, (sum = { ...ends, calls: 0, errors: 0, latency: new Sketch() }));
    sum.calls += Number(calls);
    sum.errors += Number(errors);
    sum.latency.addBytes(latency);
  }
  return [...sums.values()];
}

const COLUMNS = 'edge_key, kind, from_type, from_id, to_type, to_id, calls, errors, latency';
const SUMS = `
  WITH ${countedAndParts('?2', '?3')}
  SELECT ${COLUMNS} FROM counted CROSS JOIN edge_hour USING (hour) WHERE tenant = ?1
  UNION ALL
  SELECT ${COLUMNS} FROM part CROSS JOIN edge_minute ON minute BETWEEN first AND last WHERE tenant = ?1 AND calls > 0`;

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
