/** Rows leave by the day until which retention keeps them, insights when they have expired, templates with their last minute. */
import { dayOf, NANOS_PER_DAY } from '../../model/time.ts';
import { rowTime } from '../text.ts';
import type { Connection } from './connection.ts';
import { forgetHours } from './hours.ts';

/** @param before times of the record before this one are not retained any more, nanoseconds */
export async function pruneRows(
  connection: Connection,
  { before, now, pinnedSnapshots }: { before: bigint; now: bigint; pinnedSnapshots: readonly string[] },
): Promise<void> {
  const oldest = dayOf(before > 0n ? before : 0n);
  for (const table of ['component_minute', 'template_minute', 'edge_minute', 'trace_correlation', 'resource']) {
    await connection.write(`DELETE FROM ${table} WHERE day < $1`, [oldest]);
  }
  await forgetHours(connection, before - (before % NANOS_PER_DAY));
  await connection.write('DELETE FROM snapshot WHERE day < $1 AND snapshot_id <> ALL ($2::text[])', [
    oldest,
    pinnedSnapshots,
  ]);
  await connection.write('DELETE FROM insight WHERE expires_at < $1', [rowTime(now)]);
  await pruneTemplates(connection);
}

/**
 * In two steps, since a template and its minutes lie in different shards. One that returns between them is gone until it returns again:
 * each flush brings the texts of the templates that it counts.
 */
async function pruneTemplates(connection: Connection): Promise<void> {
  const unused = await connection.rowsOfAll<{ tenant_id: string; ids: string[] }>(`
    SELECT tenant_id, array_agg(template_id) AS ids FROM (
      SELECT tenant_id, template_id FROM template
      EXCEPT
      SELECT tenant_id, template_id FROM template_minute
    ) unused GROUP BY tenant_id`);
  for (const { tenant_id, ids } of unused) {
    await connection.write('DELETE FROM template WHERE tenant_id = $1 AND template_id = ANY ($2::text[])', [
      tenant_id,
      ids,
    ]);
  }
}
