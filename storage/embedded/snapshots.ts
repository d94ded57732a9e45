/** State snapshots. */
import type { JsonObject } from '../../model/json.ts';
import type { Snapshot } from '../../model/snapshot.ts';
import type { SnapshotQuery } from '../contract.ts';
import { rowText, rowTime } from '../text.ts';
import type { Database } from './database.ts';
import { rowKey } from './keys.ts';
import { Where } from './where.ts';

/** Kept by id: a snapshot that is there already is the same. */
export function writeSnapshot(database: Database, tenant: string, row: Snapshot): void {
  database.run(
    `INSERT INTO snapshot
       (tenant, id, time, component_key, operation_key, correlation_key, component_type, component_id,
        node_id, operation_id, correlation_id, checkpoint_name, state_name, snapshot_type, state_data)
     VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT DO NOTHING`,
    [
      tenant,
      row.id,
      rowTime(row.time),
      rowKey('component', row.component_type, row.component_id),
      row.operation_id === null ? null : rowKey('operation', row.operation_id),
      row.correlation_id === null ? null : rowKey('correlation', row.correlation_id),
      rowText(row.component_type),
      rowText(row.component_id),
      row.node_id && rowText(row.node_id),
      row.operation_id && rowText(row.operation_id),
      row.correlation_id && rowText(row.correlation_id),
      row.checkpoint_name && rowText(row.checkpoint_name),
      row.state_name == null ? null : rowText(row.state_name),
      row.snapshot_type,
      JSON.stringify(row.state_data),
    ],
  );
}

export function readSnapshots(database: Database, tenant: string, query: SnapshotQuery): Snapshot[] {
  const { component_type, component_id, operation_id, correlation_id } = query;
  const where = new Where().equal('tenant', tenant).within('time', query);
  if (component_type !== undefined && component_id !== undefined) {
    where.equal('component_key', rowKey('component', component_type, component_id));
  } else where.equal('component_type', component_type).equal('component_id', component_id);
  if (operation_id !== undefined) where.equal('operation_key', rowKey('operation', operation_id));
  if (correlation_id !== undefined) where.equal('correlation_key', rowKey('correlation', correlation_id));
  where.equal('node_id', query.node_id).equal('checkpoint_name', query.checkpoint_name);
  const rows = database.all<Omit<Snapshot, 'state_data'> & { state_data: string }>(
    `SELECT id, component_type, component_id, node_id, operation_id, correlation_id, checkpoint_name,
            state_name, snapshot_type, state_data, time
     FROM snapshot ${where} ORDER BY time DESC, id DESC LIMIT ?`,
    [...where.values, query.limit],
  );
  return rows.map(({ state_name, ...row }) => ({
    ...row,
    state_data: JSON.parse(row.state_data) as JsonObject,
    ...(state_name != null && { state_name }),
  }));
}
