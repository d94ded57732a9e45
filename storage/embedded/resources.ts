/** Resources: who spoke as a component, from when until when. */
import type { JsonObject } from '../../model/json.ts';
import type { Resource } from '../../model/resource.ts';
import type { ResourceQuery } from '../contract.ts';
import { rowText, rowTime } from '../text.ts';
import type { Database } from './database.ts';
import { rowKey } from './keys.ts';
import { Where } from './where.ts';

/** Widens the times of the one that is there. */
export function writeResource(database: Database, tenant: string, row: Resource): void {
  const [type, id] = [rowText(row.component_type), rowText(row.component_id)];
  database.run(
    `INSERT INTO resource (tenant, component_key, hash, first_time, last_time, component_type, component_id, attributes)
     VALUES (?, ?, ?, ?, ?, ?, ?, ?)
     ON CONFLICT DO UPDATE SET
       first_time = min(first_time, excluded.first_time), last_time = max(last_time, excluded.last_time)`,
    [
      ...[tenant, rowKey('component', type, id), row.hash, rowTime(row.first_time), rowTime(row.last_time)],
      ...[type, id, JSON.stringify(row.attributes)],
    ],
  );
}

export function readResources(
  database: Database,
  tenant: string,
  { start, end, component_type, component_id, limit }: ResourceQuery,
): Resource[] {
  const where = new Where().equal('tenant', tenant);
  if (component_type !== undefined && component_id !== undefined) {
    where.equal('component_key', rowKey('component', rowText(component_type), rowText(component_id)));
  } else where.equal('component_type', component_type).equal('component_id', component_id);
  where.and('first_time <= ?', rowTime(end)).and('last_time >= ?', rowTime(start));
  const rows = database.all<Omit<Resource, 'attributes'> & { attributes: string }>(
    `SELECT hash, component_type, component_id, attributes, first_time, last_time FROM resource ${where}
     ORDER BY last_time DESC, hash, component_type, component_id LIMIT ?`,
    [...where.values, limit],
  );
  return rows.map((row) => ({ ...row, attributes: JSON.parse(row.attributes) as JsonObject }));
}
