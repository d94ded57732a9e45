/** Insights: one document each, and the columns that find it. */
import type { Insight } from '../../model/insight.ts';
import { parseNanos } from '../../model/time.ts';
import type { InsightQuery } from '../contract.ts';
import { rowText, rowTime } from '../text.ts';
import type { Database } from './database.ts';
import { Where } from './where.ts';

export function readInsight(database: Database, tenant: string, id: string): Insight | null {
  const row = database.get<InsightRow>('SELECT document FROM insight WHERE tenant = ? AND id = ?', [tenant, id]);
  return row === undefined ? null : (JSON.parse(row.document) as Insight);
}

/** Replaces the one of its id, within the caller's transaction. */
export function writeInsight(database: Database, tenant: string, row: Insight): void {
  const { insight } = database.get<{ insight: bigint }>(
    `INSERT INTO insight
       (tenant, id, insight_type, severity, scope, state, correlation_id, operation_id, last_seen, document)
     VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)
     ON CONFLICT (tenant, id) DO UPDATE SET
       insight_type = excluded.insight_type, severity = excluded.severity, scope = excluded.scope,
       state = excluded.state, correlation_id = excluded.correlation_id, operation_id = excluded.operation_id,
       last_seen = excluded.last_seen, document = excluded.document
     RETURNING insight`,
    [
      tenant,
      row.id,
      row.insight_type,
      row.severity,
      row.scope,
      row.state,
      row.correlation_id && rowText(row.correlation_id),
      row.operation_id && rowText(row.operation_id),
      timeOf(row.last_seen),
      JSON.stringify(row),
    ],
  )!;
  database.run('DELETE FROM insight_component WHERE insight = ?', [insight]);
  for (const { type, id } of row.affected_components) {
    database.run(
      `INSERT INTO insight_component (insight, component_id, component_type) VALUES (?, ?, ?) ON CONFLICT DO NOTHING`,
      [insight, rowText(id), rowText(type)],
    );
  }
}

export function readInsights(database: Database, tenant: string, query: InsightQuery): Insight[] {
  const where = new Where()
    .equal('tenant', tenant)
    .within('last_seen', query)
    .equal('insight_type', query.insight_type)
    .equal('severity', query.severity)
    .equal('scope', query.scope)
    .equal('correlation_id', query.correlation_id)
    .equal('operation_id', query.operation_id);
  if (query.states !== undefined) {
    where.and('state IN (SELECT value FROM json_each(?))', JSON.stringify(query.states));
  }
  if (query.component_type !== undefined || query.component_id !== undefined) {
    const component = new Where()
      .and('c.insight = insight.insight')
      .equal('component_type', query.component_type)
      .equal('component_id', query.component_id);
    where.and(`EXISTS (SELECT 1 FROM insight_component c ${component})`, ...component.values);
  }
  // Thousands of documents at most, looked into once for each question: no column and no index is worth it.
  if (query.changed_since !== undefined) where.and("document ->> '$.updated_at' > ?", query.changed_since);
  if (query.after !== undefined) {
    where.and('(last_seen, id) < (?, ?)', timeOf(query.after.last_seen), query.after.id);
  }
  const rows = database.all<InsightRow>(
    `SELECT document FROM insight ${where} ORDER BY last_seen DESC, id DESC LIMIT ?`,
    [...where.values, query.limit],
  );
  return rows.map(({ document }) => JSON.parse(document) as Insight);
}

interface InsightRow {
  document: string;
}

/** Nanoseconds of an RFC 3339 text, as a column holds them; what is none is at the very beginning. */
function timeOf(text: string): bigint {
  return rowTime(parseNanos(text) ?? 0n);
}
