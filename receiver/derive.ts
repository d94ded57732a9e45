/**
 * From journal entries to one flush: duplicates are left out, messages get their template, records go into blocks, and what
 * answers need without reading blocks (minutes, templates, correlations of traces, snapshots) is counted up beside.
 */
import { type Block, buildBlock, decodeIndex, decodePayload, partitionDay } from '../model/block.ts';
import { EVENT_TYPES, SEVERITY_CRITICAL, SEVERITY_ERROR } from '../model/event.ts';
import { eventId } from '../model/ids.ts';
import { isJsonObject } from '../model/json.ts';
import type { ComponentMinute, Template, TemplateMinute, TraceCorrelation } from '../model/rollup.ts';
import { Sketch } from '../model/sketch.ts';
import { SNAPSHOT_TYPES, type Snapshot, type SnapshotType } from '../model/snapshot.ts';
import { minuteOf } from '../model/time.ts';
import { readBlock } from '../otlp/read.ts';
import type { IndexedRecord } from '../otlp/walk.ts';
import { textOf } from '../otlp/wire.ts';
import type { RecentIds } from './recent-ids.ts';

/** What a flush holds for one tenant; the pipeline adds the ledger line. */
export interface Derived {
  tenant: string;
  blocks: Block[];
  componentMinutes: ComponentMinute[];
  templateMinutes: TemplateMinute[];
  templates: Template[];
  traceCorrelations: TraceCorrelation[];
  snapshots: Snapshot[];
  /** Records that were there already. */
  duplicates: number;
}

export interface DeriveSettings {
  retentionNanos: bigint;
  templateOf: (message: string) => Template;
  recent: RecentIds;
}

/** Records of one request, with the time that it arrived. */
export interface Arrival {
  receivedAt: bigint;
  records: readonly IndexedRecord[];
}

export function derive(tenant: string, arrivals: readonly Arrival[], settings: DeriveSettings): Derived {
  const minutes = new Minutes();
  const templates = new Map<string, Template>();
  const correlations = new Map<string, TraceCorrelation>();
  const byDay = new Map<string, IndexedRecord[]>();
  let duplicates = 0;
  for (const { receivedAt, records } of arrivals) {
    for (const record of records) {
      if (!settings.recent.add(tenant, record.time, record.hash)) {
        duplicates++;
        continue;
      }
      record.receivedAt = receivedAt;
      if (record.messageEnd > record.messageStart) {
        const template = settings.templateOf(textOf(record.body, record.messageStart, record.messageEnd));
        record.template = template.id;
        templates.set(template.id, template);
      }
      if (record.trace !== null && record.correlation !== null)
        noteCorrelation(correlations, record.trace, record.correlation, record.time);
      if (record.type !== METRIC) minutes.count(record);
      const day = partitionDay(record.time, receivedAt, settings.retentionNanos);
      const sameDay = byDay.get(day);
      if (sameDay === undefined) byDay.set(day, [record]);
      else sameDay.push(record);
    }
  }
  const blocks: Block[] = [];
  for (const [day, records] of byDay) {
    for (let i = 0; i < records.length; i += BLOCK_RECORDS) {
      blocks.push(buildBlock(tenant, SHARD, day, records.slice(i, i + BLOCK_RECORDS)));
    }
  }
  return {
    tenant,
    blocks,
    ...minutes.rows(),
    templates: [...templates.values()],
    traceCorrelations: [...correlations.values()],
    snapshots: snapshotsIn(blocks, byDay),
    duplicates,
  };
}

// 512 to 2,048 records cost the same to write; a look-up decodes whole blocks, so the smaller half of that (PERF.md).
const BLOCK_RECORDS = 1024;
// One writer fills one shard until a machine is outgrown; the column is in every key from day one.
const SHARD = 0;
const METRIC = EVENT_TYPES.indexOf('metric');
const SNAPSHOT = EVENT_TYPES.indexOf('state_snapshot');

/** The smallest (time, text) wins, so that the order of arrival does not matter. */
function noteCorrelation(known: Map<string, TraceCorrelation>, trace: string, correlation: string, time: bigint): void {
  const current = known.get(trace);
  if (
    current !== undefined &&
    (current.time < time || (current.time === time && current.correlation_id <= correlation))
  )
    return;
  known.set(trace, { trace_id: trace, correlation_id: correlation, time });
}

class Minutes {
  readonly #components = new Map<string, ComponentMinute>();
  readonly #templates = new Map<string, TemplateMinute>();

  count(record: IndexedRecord): void {
    const minute = minuteOf(record.time);
    const { type, id } = record.component;
    const key = `${minute} ${type.length} ${type}${id}`;
    let row = this.#components.get(key);
    if (row === undefined) {
      row = { minute, component_type: type, component_id: id, total: 0, errors: 0, critical: 0, latency: new Sketch() };
      this.#components.set(key, row);
    }
    row.total++;
    if (record.severity >= SEVERITY_ERROR) row.errors++;
    if (record.severity >= SEVERITY_CRITICAL) row.critical++;
    if (record.durationMs >= 0) row.latency.add(record.durationMs);
    if (record.template !== null) this.#countTemplate(`${record.template} ${key}`, minute, record, record.template);
  }

  rows(): { componentMinutes: ComponentMinute[]; templateMinutes: TemplateMinute[] } {
    return { componentMinutes: [...this.#components.values()], templateMinutes: [...this.#templates.values()] };
  }

  #countTemplate(key: string, minute: bigint, record: IndexedRecord, template: string): void {
    const row = this.#templates.get(key);
    if (row === undefined) {
      this.#templates.set(key, {
        minute,
        template_id: template,
        component_type: record.component.type,
        component_id: record.component.id,
        count: 1,
        severity_max: record.severity,
        first_time: record.time,
        last_time: record.time,
        example_event_id: eventId(record.time, record.hash),
      });
      return;
    }
    row.count++;
    if (record.severity > row.severity_max) row.severity_max = record.severity;
    if (record.time < row.first_time) row.first_time = record.time;
    if (record.time > row.last_time) row.last_time = record.time;
  }
}

/** Snapshots are also rows, as they are asked for by component and time. Rare enough to be read back from their block. */
function snapshotsIn(blocks: readonly Block[], byDay: ReadonlyMap<string, readonly IndexedRecord[]>): Snapshot[] {
  if (![...byDay.values()].some((records) => records.some((record) => record.type === SNAPSHOT))) return [];
  const snapshots: Snapshot[] = [];
  for (const block of blocks) {
    const index = decodeIndex(block.index);
    const { columns } = index;
    if (!columns.type.includes(SNAPSHOT)) continue;
    const records = readBlock(index, decodePayload(block.payload));
    for (let i = 0; i < index.count; i++) {
      if (columns.type[i] !== SNAPSHOT) continue;
      const event = records.event(i, () => undefined);
      const state = event.log?.body;
      const type = event.data['debug.snapshot.type'];
      const checkpoint = event.data['debug.checkpoint'];
      snapshots.push({
        id: event.id,
        component_type: event.component_type,
        component_id: event.component_id,
        node_id: event.node_id,
        operation_id: event.operation_id,
        correlation_id: event.correlation_id,
        checkpoint_name: typeof checkpoint === 'string' ? checkpoint : null,
        snapshot_type: SNAPSHOT_TYPES.includes(type as SnapshotType) ? (type as SnapshotType) : 'full',
        state_data: isJsonObject(state) ? state : { value: state ?? event.message },
        time: columns.time[i]!,
      });
    }
  }
  return snapshots;
}
