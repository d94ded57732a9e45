/** Rollups, templates, correlations, snapshots, insights and sessions in SQLite. */
import type { SQLInputValue } from 'node:sqlite';
import { blockKey, type KeyKind } from '../../model/block.ts';
import type { Insight } from '../../model/insight.ts';
import type { JsonObject } from '../../model/json.ts';
import type { ComponentMinute, Template, TemplateMinute, TraceCorrelation } from '../../model/rollup.ts';
import { Sketch } from '../../model/sketch.ts';
import type { Session, Snapshot, SnapshotType } from '../../model/snapshot.ts';
import { parseNanos } from '../../model/time.ts';
import type { Flush, InsightQuery, MinuteRange, RowStore, SnapshotQuery } from '../contract.ts';
import { rowText, rowTime } from '../text.ts';
import type { Database } from './database.ts';

/** Writes what a flush brings beside its blocks, within the caller's transaction. */
export function writeRows(database: Database, flush: Flush): void {
  const { tenant } = flush;
  for (const minute of flush.componentMinutes) writeComponentMinute(database, tenant, minute);
  for (const minute of flush.templateMinutes) writeTemplateMinute(database, tenant, minute);
  for (const template of flush.templates) writeTemplate(database, tenant, template);
  for (const correlation of flush.traceCorrelations) writeTraceCorrelation(database, tenant, correlation);
  for (const snapshot of flush.snapshots) writeSnapshot(database, tenant, snapshot);
}

/** @param database gives the open database, or throws */
export function createRowStore(database: () => Database): RowStore {
  return {
    async componentMinutes(tenant, range) {
      return componentMinutes(database(), tenant, range);
    },
    async templateMinutes(tenant, range) {
      return templateMinutes(database(), tenant, range);
    },
    async templates(tenant, ids) {
      return templates(database(), tenant, ids);
    },
    async traceCorrelations(tenant, about) {
      return traceCorrelations(database(), tenant, about);
    },
    async snapshots(tenant, query) {
      return snapshots(database(), tenant, query);
    },
    async insight(tenant, id) {
      return insight(database(), tenant, id);
    },
    async insights(tenant, query) {
      return insights(database(), tenant, query);
    },
    async changeInsight(tenant, id, change) {
      return database().transaction(() => {
        const changed = change(insight(database(), tenant, id));
        if (changed !== null) writeInsight(database(), tenant, changed);
        return changed;
      });
    },
    async session(tenant, id) {
      return session(database(), tenant, id);
    },
    async sessions(tenant, query) {
      return sessions(database(), tenant, query);
    },
    async putSession(tenant, session) {
      return database().transaction(() => writeSession(database(), tenant, session));
    },
  };
}

/** A row that is a JSON document. */
interface Document {
  document: string;
}

function writeComponentMinute(database: Database, tenant: string, minute: ComponentMinute): void {
  const { component_type, component_id, total, errors, critical } = minute;
  database.run(
    `INSERT INTO component_minute
       (tenant, minute, component_key, component_type, component_id, total, errors, critical, latency)
     VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)
     ON CONFLICT DO UPDATE SET
       total = total + excluded.total,
       errors = errors + excluded.errors,
       critical = critical + excluded.critical,
       latency = sketch_merge(latency, excluded.latency)`,
    ...[tenant, rowTime(minute.minute), keyOf('component', component_type, component_id)],
    ...[rowText(component_type), rowText(component_id), total, errors, critical, minute.latency.toBytes()],
  );
}

function componentMinutes(database: Database, tenant: string, range: MinuteRange): ComponentMinute[] {
  const where = inMinutes(tenant, range);
  const rows = database.all<{
    minute: bigint;
    component_type: string;
    component_id: string;
    total: bigint;
    errors: bigint;
    critical: bigint;
    latency: Uint8Array;
  }>(
    `SELECT minute, component_type, component_id, total, errors, critical, latency
     FROM component_minute ${where} ORDER BY minute, component_key`,
    ...where.values,
  );
  return rows.map((row) => ({
    minute: row.minute,
    component_type: row.component_type,
    component_id: row.component_id,
    total: Number(row.total),
    errors: Number(row.errors),
    critical: Number(row.critical),
    latency: Sketch.fromBytes(row.latency),
  }));
}

function writeTemplateMinute(database: Database, tenant: string, minute: TemplateMinute): void {
  const { template_id, component_type, component_id, count, severity_max, example_event_id } = minute;
  database.run(
    `INSERT INTO template_minute
       (tenant, minute, template_id, component_key, component_type, component_id,
        count, severity_max, first_time, last_time, example)
     VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)
     ON CONFLICT DO UPDATE SET
       count = count + excluded.count,
       severity_max = max(severity_max, excluded.severity_max),
       first_time = min(first_time, excluded.first_time),
       last_time = max(last_time, excluded.last_time),
       example = max(example, excluded.example)`,
    ...[tenant, rowTime(minute.minute), template_id, keyOf('component', component_type, component_id)],
    ...[rowText(component_type), rowText(component_id), count, severity_max],
    ...[rowTime(minute.first_time), rowTime(minute.last_time), example_event_id],
  );
}

function templateMinutes(
  database: Database,
  tenant: string,
  range: MinuteRange & { template_id?: string },
): TemplateMinute[] {
  const where = inMinutes(tenant, range).equal('template_id', range.template_id);
  const rows = database.all<{
    minute: bigint;
    template_id: string;
    component_type: string;
    component_id: string;
    count: bigint;
    severity_max: bigint;
    first_time: bigint;
    last_time: bigint;
    example_event_id: string;
  }>(
    `SELECT minute, template_id, component_type, component_id, count, severity_max, first_time, last_time,
            example AS example_event_id
     FROM template_minute ${where} ORDER BY minute, template_id, component_key`,
    ...where.values,
  );
  return rows.map((row) => ({ ...row, count: Number(row.count), severity_max: Number(row.severity_max) }));
}

function inMinutes(tenant: string, { start, end, component_type, component_id }: MinuteRange): Where {
  const where = new Where('tenant', tenant).within('minute', start, end);
  if (component_type !== undefined && component_id !== undefined) {
    return where.equal('component_key', keyOf('component', component_type, component_id));
  }
  return where.equal('component_type', component_type).equal('component_id', component_id);
}

function writeTemplate(database: Database, tenant: string, { id, text }: Template): void {
  database.run(
    'INSERT INTO template (tenant, id, text) VALUES (?, ?, ?) ON CONFLICT DO NOTHING',
    ...[tenant, id, rowText(text)],
  );
}

function templates(database: Database, tenant: string, ids: readonly string[]): Template[] {
  return database.all<Template>(
    'SELECT id, text FROM template WHERE tenant = ? AND id IN (SELECT value FROM json_each(?))',
    ...[tenant, JSON.stringify(ids)],
  );
}

function writeTraceCorrelation(database: Database, tenant: string, known: TraceCorrelation): void {
  const { trace_id, correlation_id, time } = known;
  database.run(
    `INSERT INTO trace_correlation (tenant, trace_id, time, correlation_key, correlation_id) VALUES (?, ?, ?, ?, ?)
     ON CONFLICT DO UPDATE SET
       time = excluded.time, correlation_key = excluded.correlation_key, correlation_id = excluded.correlation_id
     WHERE (excluded.time, excluded.correlation_id) < (time, correlation_id)`,
    ...[tenant, traceBytes(trace_id), rowTime(time), keyOf('correlation', correlation_id), rowText(correlation_id)],
  );
}

const KNOWN_TRACE = 'SELECT lower(hex(trace_id)) AS trace_id, correlation_id, time FROM trace_correlation';

function traceCorrelations(
  database: Database,
  tenant: string,
  { traces = [], correlations = [] }: { traces?: readonly string[]; correlations?: readonly string[] },
): TraceCorrelation[] {
  const known = new Map<string, TraceCorrelation>();
  for (const trace of new Set(traces)) {
    const row = database.get<TraceCorrelation>(
      `${KNOWN_TRACE} WHERE tenant = ? AND trace_id = ?`,
      ...[tenant, traceBytes(trace)],
    );
    if (row !== undefined) known.set(trace, row);
  }
  for (const correlation of new Set(correlations)) {
    const rows = database.all<TraceCorrelation>(
      `${KNOWN_TRACE} WHERE tenant = ? AND correlation_key = ?`,
      ...[tenant, keyOf('correlation', correlation)],
    );
    for (const row of rows) known.set(row.trace_id, row);
  }
  return [...known.values()];
}

function writeSnapshot(database: Database, tenant: string, snapshot: Snapshot): void {
  const { component_type, component_id, node_id, operation_id, correlation_id, checkpoint_name } = snapshot;
  database.run(
    `INSERT INTO snapshot
       (tenant, id, time, component_key, operation_key, correlation_key, component_type, component_id,
        node_id, operation_id, correlation_id, checkpoint_name, snapshot_type, state_data)
     VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT DO NOTHING`,
    ...[tenant, snapshot.id, rowTime(snapshot.time), keyOf('component', component_type, component_id)],
    operation_id === null ? null : keyOf('operation', operation_id),
    correlation_id === null ? null : keyOf('correlation', correlation_id),
    ...[component_type, component_id, node_id, operation_id, correlation_id, checkpoint_name].map(
      (text) => text && rowText(text),
    ),
    ...[snapshot.snapshot_type, JSON.stringify(snapshot.state_data)],
  );
}

function snapshots(database: Database, tenant: string, query: SnapshotQuery): Snapshot[] {
  const { component_type, component_id, operation_id, correlation_id } = query;
  const where = new Where('tenant', tenant).within('time', query.start, query.end);
  if (component_type !== undefined && component_id !== undefined) {
    where.equal('component_key', keyOf('component', component_type, component_id));
  } else where.equal('component_type', component_type).equal('component_id', component_id);
  if (operation_id !== undefined) where.equal('operation_key', keyOf('operation', operation_id));
  if (correlation_id !== undefined) where.equal('correlation_key', keyOf('correlation', correlation_id));
  where.equal('node_id', query.node_id).equal('checkpoint_name', query.checkpoint_name);
  const rows = database.all<Omit<Snapshot, 'state_data'> & { state_data: string; snapshot_type: SnapshotType }>(
    `SELECT id, component_type, component_id, node_id, operation_id, correlation_id, checkpoint_name,
            snapshot_type, state_data, time
     FROM snapshot ${where} ORDER BY time DESC, id DESC LIMIT ?`,
    ...[...where.values, query.limit],
  );
  return rows.map((row) => ({ ...row, state_data: JSON.parse(row.state_data) as JsonObject }));
}

function insight(database: Database, tenant: string, id: string): Insight | null {
  const row = database.get<Document>('SELECT document FROM insight WHERE tenant = ? AND id = ?', tenant, id);
  return row === undefined ? null : (JSON.parse(row.document) as Insight);
}

function writeInsight(database: Database, tenant: string, changed: Insight): void {
  const { id, insight_type, severity, scope, state, correlation_id, operation_id, last_seen } = changed;
  const row = database.get<{ insight: bigint }>(
    `INSERT INTO insight
       (tenant, id, insight_type, severity, scope, state, correlation_id, operation_id, last_seen, document)
     VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)
     ON CONFLICT (tenant, id) DO UPDATE SET
       insight_type = excluded.insight_type, severity = excluded.severity, scope = excluded.scope,
       state = excluded.state, correlation_id = excluded.correlation_id, operation_id = excluded.operation_id,
       last_seen = excluded.last_seen, document = excluded.document
     RETURNING insight`,
    ...[tenant, id, insight_type, severity, scope, state],
    ...[correlation_id && rowText(correlation_id), operation_id && rowText(operation_id)],
    ...[rowTime(parseNanos(last_seen) ?? 0n), JSON.stringify(changed)],
  )!;
  database.run('DELETE FROM insight_component WHERE insight = ?', row.insight);
  for (const component of changed.affected_components) {
    database.run(
      `INSERT INTO insight_component (insight, component_id, component_type) VALUES (?, ?, ?) ON CONFLICT DO NOTHING`,
      ...[row.insight, rowText(component.id), rowText(component.type)],
    );
  }
}

function insights(database: Database, tenant: string, query: InsightQuery): Insight[] {
  const where = new Where('tenant', tenant)
    .within('last_seen', query.start, query.end)
    .equal('insight_type', query.insight_type)
    .equal('severity', query.severity)
    .equal('scope', query.scope)
    .equal('correlation_id', query.correlation_id)
    .equal('operation_id', query.operation_id);
  if (query.states !== undefined) {
    where.and('state IN (SELECT value FROM json_each(?))', JSON.stringify(query.states));
  }
  if (query.component_type !== undefined || query.component_id !== undefined) {
    const component = new Where('insight', undefined)
      .equal('component_type', query.component_type)
      .equal('component_id', query.component_id);
    where.and(
      `EXISTS (SELECT 1 FROM insight_component c ${component} AND c.insight = insight.insight)`,
      ...component.values,
    );
  }
  if (query.after !== undefined) {
    where.and('(last_seen, id) < (?, ?)', rowTime(parseNanos(query.after.last_seen) ?? 0n), query.after.id);
  }
  const rows = database.all<Document>(
    `SELECT document FROM insight ${where} ORDER BY last_seen DESC, id DESC LIMIT ?`,
    ...[...where.values, query.limit],
  );
  return rows.map(({ document }) => JSON.parse(document) as Insight);
}

function writeSession(database: Database, tenant: string, session: Session): void {
  const { id, active, created_at } = session;
  database.run(
    'INSERT OR REPLACE INTO session (tenant, id, active, created_at, document) VALUES (?, ?, ?, ?, ?)',
    ...[tenant, id, Number(active), rowTime(parseNanos(created_at) ?? 0n), JSON.stringify(session)],
  );
}

function session(database: Database, tenant: string, id: string): Session | null {
  const row = database.get<Document>('SELECT document FROM session WHERE tenant = ? AND id = ?', tenant, id);
  return row === undefined ? null : (JSON.parse(row.document) as Session);
}

function sessions(database: Database, tenant: string, query: { active?: boolean; limit: number }): Session[] {
  const where = new Where('tenant', tenant).equal(
    'active',
    query.active === undefined ? undefined : Number(query.active),
  );
  const rows = database.all<Document>(
    `SELECT document FROM session ${where} ORDER BY created_at DESC, id DESC LIMIT ?`,
    ...[...where.values, query.limit],
  );
  return rows.map(({ document }) => JSON.parse(document) as Session);
}

/** Conditions that all hold, and their values in the same order. What is undefined asks for nothing. */
class Where {
  readonly values: SQLInputValue[] = [];
  #sql = '';

  constructor(column: string, value: SQLInputValue | undefined) {
    this.equal(column, value);
  }

  equal(column: string, value: SQLInputValue | undefined): this {
    if (value === undefined) return this;
    return this.and(`${column} = ?`, typeof value === 'string' ? rowText(value) : value);
  }

  /** Both ends are inside. */
  within(column: string, start: bigint | undefined, end: bigint | undefined): this {
    if (start !== undefined) this.and(`${column} >= ?`, rowTime(start));
    if (end !== undefined) this.and(`${column} <= ?`, rowTime(end));
    return this;
  }

  and(condition: string, ...values: SQLInputValue[]): this {
    this.#sql += this.#sql === '' ? `WHERE ${condition}` : ` AND ${condition}`;
    this.values.push(...values);
    return this;
  }

  toString(): string {
    return this.#sql;
  }
}

/** The same 64-bit hash as in the keys of blocks, as a signed column holds it. */
function keyOf(kind: KeyKind, ...values: string[]): bigint {
  return BigInt.asIntN(64, blockKey(kind, ...values));
}

function traceBytes(traceId: string): Uint8Array {
  return Buffer.from(traceId, 'hex');
}
