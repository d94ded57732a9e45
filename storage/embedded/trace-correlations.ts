/** What the records of a trace say about its correlation. */
import type { TraceCorrelation } from '../../model/rollup.ts';
import { rowText, rowTime } from '../text.ts';
import type { Database } from './database.ts';
import { rowKey } from './keys.ts';

/** Kept where it is the smallest (time, text) so far. */
export function writeTraceCorrelation(database: Database, tenant: string, said: TraceCorrelation): void {
  const { trace_id, correlation_id, time } = said;
  database.run(
    `INSERT INTO trace_correlation (tenant, trace_id, time, correlation_key, correlation_id) VALUES (?, ?, ?, ?, ?)
     ON CONFLICT DO UPDATE SET
       time = excluded.time, correlation_key = excluded.correlation_key, correlation_id = excluded.correlation_id
     WHERE (excluded.time, excluded.correlation_id) < (time, correlation_id)`,
    [tenant, traceBytes(trace_id), rowTime(time), rowKey('correlation', correlation_id), rowText(correlation_id)],
  );
}

const SELECT = 'SELECT lower(hex(trace_id)) AS trace_id, correlation_id, time FROM trace_correlation';

export function readTraceCorrelations(
  database: Database,
  tenant: string,
  { traces = [], correlations = [] }: { traces?: readonly string[]; correlations?: readonly string[] },
): TraceCorrelation[] {
  const known = new Map<string, TraceCorrelation>();
  for (const trace of new Set(traces)) {
    const row = database.get<TraceCorrelation>(`${SELECT} WHERE tenant = ? AND trace_id = ?`, [
      tenant,
      traceBytes(trace),
    ]);
    if (row !== undefined) known.set(row.trace_id, row);
  }
  for (const correlation of new Set(correlations)) {
    const rows = database.all<TraceCorrelation>(`${SELECT} WHERE tenant = ? AND correlation_key = ?`, [
      tenant,
      rowKey('correlation', correlation),
    ]);
    for (const row of rows) known.set(row.trace_id, row);
  }
  return [...known.values()];
}

function traceBytes(traceId: string): Uint8Array {
  return Buffer.from(traceId, 'hex');
}
