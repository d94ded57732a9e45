/** Resources: who spoke as a component, from when until when. */
import type pg from 'pg';
import type { JsonObject } from '../../model/json.ts';
import type { Resource } from '../../model/resource.ts';
import type { ResourceQuery } from '../contract.ts';
import { rowText, rowTime } from '../text.ts';
import type { Connection } from './connection.ts';
import { combine, rowKey, shardOf } from './rows.ts';

export async function resources(connection: Connection, tenant: string, query: ResourceQuery): Promise<Resource[]> {
  const text = (value: string | undefined) => (value === undefined ? null : rowText(value));
  const [type, id] = [text(query.component_type), text(query.component_id)];
  const rows = await connection.rows<{
    hash: string;
    component_type: string;
    component_id: string;
    attributes: JsonObject;
    first_time: string;
    last_time: string;
  }>(
    tenant,
    `SELECT resource_hash AS hash, component_type, component_id, attributes, first_time, last_time FROM resource
     WHERE tenant_id = $1 AND ($2::bigint IS NULL OR component_key = $2)
       AND ($3::text IS NULL OR component_type = $3) AND ($4::text IS NULL OR component_id = $4)
       AND first_time <= $6 AND last_time >= $5
     ORDER BY last_time DESC, resource_hash, component_type COLLATE "C", component_id COLLATE "C" LIMIT $7`,
    [
      ...[tenant, type === null || id === null ? null : rowKey('component', type, id), type, id],
      ...[rowTime(query.start), rowTime(query.end), query.limit],
    ],
  );
  return rows.map((row) => ({ ...row, first_time: BigInt(row.first_time), last_time: BigInt(row.last_time) }));
}

/** @param retentionDay the day until which retention keeps a row of this time */
export async function putResources(
  client: pg.ClientBase,
  tenant: string,
  spoke: readonly Resource[],
  retentionDay: (time: bigint) => string,
): Promise<void> {
  if (spoke.length === 0) return;
  const rows = combine(
    spoke.map(toRow),
    ({ component_key, hash }) => `${component_key} ${hash}`,
    (into, { first_time, last_time }) => {
      if (first_time < into.first_time) into.first_time = first_time;
      if (last_time > into.last_time) into.last_time = last_time;
    },
  );
  // Arrays rather than a recordset: that would decode what is escaped within a document, and stop at a NUL.
  await client.query(PUT, [
    tenant,
    rows.map((row) => row.component_key),
    rows.map((row) => row.first_time),
    rows.map((row) => row.last_time),
    rows.map((row) => retentionDay(row.last_time)),
    rows.map((row) => shardOf(row.component_key)),
    rows.map((row) => row.hash),
    rows.map((row) => row.component_type),
    rows.map((row) => row.component_id),
    rows.map((row) => JSON.stringify(row.attributes)),
  ]);
}

function toRow(resource: Resource) {
  const component_type = rowText(resource.component_type);
  const component_id = rowText(resource.component_id);
  return {
    ...resource,
    ...{ component_type, component_id, component_key: rowKey('component', component_type, component_id) },
    ...{ first_time: rowTime(resource.first_time), last_time: rowTime(resource.last_time) },
  };
}

// What says nothing new leaves the row alone: several receivers say the same once a minute.
const PUT = `
  INSERT INTO resource AS known (tenant_id, component_key, first_time, last_time, day, shard, resource_hash,
    component_type, component_id, attributes)
  SELECT $1, * FROM unnest($2::bigint[], $3::bigint[], $4::bigint[], $5::date[], $6::smallint[], $7::text[], $8::text[],
    $9::text[], $10::json[])
  ON CONFLICT (tenant_id, component_key, resource_hash, shard) DO UPDATE SET
    first_time = least(known.first_time, excluded.first_time),
    last_time = greatest(known.last_time, excluded.last_time),
    day = greatest(known.day, excluded.day)
  WHERE excluded.first_time < known.first_time OR excluded.last_time > known.last_time OR excluded.day > known.day`;
