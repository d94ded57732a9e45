/** State snapshots: what they were taken of in columns, the state as a document. */
import type pg from 'pg';
import type { Snapshot } from '../../model/snapshot.ts';
import type { SnapshotQuery } from '../contract.ts';
import { rowText, rowTime } from '../text.ts';
import type { Connection } from './connection.ts';
import { rowKey, shardOf } from './rows.ts';

export async function snapshots(connection: Connection, tenant: string, query: SnapshotQuery): Promise<Snapshot[]> {
  const text = (value: string | undefined) => (value === undefined ? null : rowText(value));
  const { start, end, limit } = query;
  const [type, id] = [text(query.component_type), text(query.component_id)];
  const [operation, correlation] = [text(query.operation_id), text(query.correlation_id)];
  const rows = await connection.rows<Omit<Snapshot, 'time'> & { time: string }>(
    tenant,
    `SELECT snapshot_id AS id, component_type, component_id, node_id, operation_id, correlation_id, checkpoint_name,
       state_name, snapshot_type, state_data, time
     FROM snapshot
     WHERE tenant_id = $1
       AND ($2::bigint IS NULL OR component_key = $2)
       AND ($3::text IS NULL OR component_type = $3) AND ($4::text IS NULL OR component_id = $4)
       AND ($5::text IS NULL OR node_id = $5)
       AND ($6::bigint IS NULL OR operation_key = $6) AND ($7::text IS NULL OR operation_id = $7)
       AND ($8::bigint IS NULL OR correlation_key = $8) AND ($9::text IS NULL OR correlation_id = $9)
       AND ($10::text IS NULL OR checkpoint_name = $10)
       AND ($11::bigint IS NULL OR time >= $11) AND ($12::bigint IS NULL OR time <= $12)
     ORDER BY time DESC, snapshot_id DESC LIMIT $13`,
    [
      tenant,
      type === null || id === null ? null : rowKey('component', type, id),
      type,
      id,
      text(query.node_id),
      operation === null ? null : rowKey('operation', operation),
      operation,
      correlation === null ? null : rowKey('correlation', correlation),
      correlation,
      text(query.checkpoint_name),
      start === undefined ? null : rowTime(start),
      end === undefined ? null : rowTime(end),
      limit,
    ],
  );
  return rows.map(({ state_name, ...row }) => ({
    ...row,
    time: BigInt(row.time),
    ...(state_name != null && { state_name }),
  }));
}

/** @param retentionDay the day until which retention keeps a row of this time */
export async function putSnapshots(
  client: pg.ClientBase,
  tenant: string,
  added: readonly Snapshot[],
  retentionDay: (time: bigint) => string,
): Promise<void> {
  if (added.length === 0) return;
  const rows = added.map((snapshot) => toRow(snapshot, retentionDay)).sort((a, b) => (a.id < b.id ? -1 : 1));
  // Arrays rather than a recordset: that would decode what is escaped within a document, and stop at a NUL.
  await client.query(PUT, [
    tenant,
    rows.map((row) => row.id),
    rows.map((row) => row.componentKey),
    rows.map((row) => row.operationKey),
    rows.map((row) => row.correlationKey),
    rows.map((row) => row.time),
    rows.map((row) => row.day),
    rows.map((row) => shardOf(row.componentKey)),
    rows.map((row) => row.componentType),
    rows.map((row) => row.componentId),
    rows.map((row) => row.nodeId),
    rows.map((row) => row.operationId),
    rows.map((row) => row.correlationId),
    rows.map((row) => row.checkpointName),
    rows.map((row) => row.stateName),
    rows.map((row) => row.snapshotType),
    rows.map((row) => row.stateData),
  ]);
}

function toRow(snapshot: Snapshot, retentionDay: (time: bigint) => string) {
  const text = (value: string | null) => (value === null ? null : rowText(value));
  const componentType = rowText(snapshot.component_type);
  const componentId = rowText(snapshot.component_id);
  const operationId = text(snapshot.operation_id);
  const correlationId = text(snapshot.correlation_id);
  return {
    id: rowText(snapshot.id),
    componentKey: rowKey('component', componentType, componentId),
    operationKey: operationId === null ? null : rowKey('operation', operationId),
    correlationKey: correlationId === null ? null : rowKey('correlation', correlationId),
    time: rowTime(snapshot.time),
    day: retentionDay(snapshot.time),
    componentType,
    componentId,
    nodeId: text(snapshot.node_id),
    operationId,
    correlationId,
    checkpointName: text(snapshot.checkpoint_name),
    stateName: text(snapshot.state_name ?? null),
    snapshotType: snapshot.snapshot_type,
    stateData: JSON.stringify(snapshot.state_data),
  };
}

const PUT = `
  INSERT INTO snapshot (tenant_id, snapshot_id, component_key, operation_key, correlation_key, time, day, shard,
    component_type, component_id, node_id, operation_id, correlation_id, checkpoint_name, state_name, snapshot_type, state_data)
  SELECT $1, * FROM unnest($2::text[], $3::bigint[], $4::bigint[], $5::bigint[], $6::bigint[], $7::date[], $8::smallint[],
    $9::text[], $10::text[], $11::text[], $12::text[], $13::text[], $14::text[],
    $15::text[], $16::text[], $17::json[])
  ON CONFLICT DO NOTHING`;
