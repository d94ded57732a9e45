/** Insights: documents that change, found by columns that follow them. */
import type pg from 'pg';
import { DebugError } from '../../base/errors.ts';
import type { Insight } from '../../model/insight.ts';
import { parseNanos } from '../../model/time.ts';
import type { InsightQuery } from '../contract.ts';
import { rowText, rowTime } from '../text.ts';
import type { Connection } from './connection.ts';
import { shardOf } from './rows.ts';

export async function insight(connection: Connection, tenant: string, id: string): Promise<Insight | null> {
  const [row] = await connection.rows<{ doc: Insight }>(tenant, ONE, oneValues(tenant, id));
  return row?.doc ?? null;
}

export async function insights(connection: Connection, tenant: string, query: InsightQuery): Promise<Insight[]> {
  const text = (value: string | undefined) => (value === undefined ? null : rowText(value));
  const rows = await connection.rows<{ doc: Insight }>(
    tenant,
    `SELECT doc FROM insight
     WHERE tenant_id = $1
       AND ($2::text IS NULL OR insight_type = $2) AND ($3::text IS NULL OR severity = $3)
       AND ($4::text IS NULL OR scope = $4) AND ($5::text[] IS NULL OR state = ANY ($5))
       AND ($6::text IS NULL OR correlation_id = $6) AND ($7::text IS NULL OR operation_id = $7)
       AND ($8::text IS NULL AND $9::text IS NULL OR EXISTS (
         SELECT 1 FROM unnest(affected_types, affected_ids) AS affected (type, id)
         WHERE ($8 IS NULL OR type = $8) AND ($9 IS NULL OR id = $9)))
       AND ($10::bigint IS NULL OR last_seen >= $10) AND ($11::bigint IS NULL OR last_seen <= $11)
       AND ($12::bigint IS NULL OR (last_seen, insight_id) < ($12, $13::text))
       AND ($14::text IS NULL OR (doc ->> 'updated_at') COLLATE "C" > $14)
     ORDER BY last_seen DESC, insight_id DESC LIMIT $15`,
    [
      tenant,
      query.insight_type ?? null,
      query.severity ?? null,
      query.scope ?? null,
      query.states ?? null,
      text(query.correlation_id),
      text(query.operation_id),
      text(query.component_type),
      text(query.component_id),
      query.start === undefined ? null : rowTime(query.start),
      query.end === undefined ? null : rowTime(query.end),
      query.after === undefined ? null : timeOf(query.after.last_seen),
      text(query.after?.id),
      query.changed_since ?? null,
      query.limit,
    ],
  );
  return rows.map(({ doc }) => doc);
}

/**
 * One step of {@link Connection.transaction}: the row stays locked from the read to the write. A row that is not there
 * cannot be locked: when another process puts it in between, all is read again.
 */
export async function changeInsight(
  client: pg.ClientBase,
  tenant: string,
  id: string,
  change: (current: Insight | null) => Insight | null,
): Promise<Insight | null> {
  for (let attempt = 1; attempt <= ATTEMPTS; attempt++) {
    const [row] = (await client.query<{ doc: Insight }>(`${ONE} FOR UPDATE`, oneValues(tenant, id))).rows;
    const changed = change(row?.doc ?? null);
    if (changed === null) return null;
    const { rowCount } = await client.query(row === undefined ? INSERT : UPDATE, changedValues(tenant, id, changed));
    if (rowCount === 1) return changed;
  }
  throw new DebugError('UNAVAILABLE', `insight ${id} is changed by too many at once`, { retryAfterSeconds: 1 });
}

// Each is one insert and one expiry of the same insight by others between two of our statements.
const ATTEMPTS = 5;

const ONE = 'SELECT doc FROM insight WHERE tenant_id = $1 AND insight_id = $2 AND shard = $3';

const INSERT = `
  INSERT INTO insight (tenant_id, insight_id, shard, insight_type, severity, scope, state, correlation_id, operation_id,
    affected_types, affected_ids, last_seen, expires_at, doc)
  VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14) ON CONFLICT DO NOTHING`;

const UPDATE = `
  UPDATE insight SET insight_type = $4, severity = $5, scope = $6, state = $7, correlation_id = $8, operation_id = $9,
    affected_types = $10, affected_ids = $11, last_seen = $12, expires_at = $13, doc = $14
  WHERE tenant_id = $1 AND insight_id = $2 AND shard = $3`;

function oneValues(tenant: string, id: string): unknown[] {
  return [tenant, rowText(id), shardOf(rowText(id))];
}

function changedValues(tenant: string, id: string, changed: Insight): unknown[] {
  const text = (value: string | null) => (value === null ? null : rowText(value));
  return [
    ...oneValues(tenant, id),
    changed.insight_type,
    changed.severity,
    changed.scope,
    changed.state,
    text(changed.correlation_id),
    text(changed.operation_id),
    changed.affected_components.map(({ type }) => rowText(type)),
    changed.affected_components.map(({ id }) => rowText(id)),
    timeOf(changed.last_seen),
    timeOf(changed.expires_at),
    JSON.stringify(changed),
  ];
}

function timeOf(text: string): bigint {
  return rowTime(parseNanos(text) ?? 0n);
}
