/**
 * From journal entries to one flush: duplicates are left out, messages get their template, records go into blocks, and what
 * answers need without reading blocks (minutes, templates, correlations of traces, snapshots, resources) is counted up beside.
 */
import { setImmediate as nextTurn } from 'node:timers/promises';
import { type Block, compressBlock, decodeIndex, decodePayload, partitionDay } from '../model/block.ts';
import { BlockBuilder } from '../model/block-builder.ts';
import { EVENT_TYPES } from '../model/event.ts';
import { ContentHash } from '../model/hash.ts';
import { hex64 } from '../model/ids.ts';
import { isJsonObject } from '../model/json.ts';
import {
  HASH_HIGH,
  HASH_LOW,
  KIND,
  MESSAGE_END,
  MESSAGE_START,
  NAMED,
  type RecordTable,
  ROW_WORDS,
  TIME_HIGH,
  TIME_LOW,
} from '../model/records.ts';
import type { Resource } from '../model/resource.ts';
import type { ComponentMinute, EdgeMinute, Template, TemplateMinute, TraceCorrelation } from '../model/rollup.ts';
import { SNAPSHOT_TYPES, type Snapshot, type SnapshotType } from '../model/snapshot.ts';
import { readBlock } from '../otlp/read.ts';
import { textOf } from '../otlp/wire.ts';
import { Calls } from './calls.ts';
import type { Cardinality } from './cardinality.ts';
import { KnownResources } from './known-resources.ts';
import { type Admits, MinuteCounts, OVERFLOW_TEMPLATE } from './minute-counts.ts';
import type { RecentIds } from './recent-ids.ts';
import { ResourceTimes } from './resource-times.ts';
import type { ToldTraces } from './told-traces.ts';
import { TraceCorrelations } from './trace-correlations.ts';

/** What a flush holds for one tenant; the pipeline adds the ledger line. */
export interface Derived {
  tenant: string;
  blocks: Block[];
  componentMinutes: ComponentMinute[];
  templateMinutes: TemplateMinute[];
  edgeMinutes: EdgeMinute[];
  templates: Template[];
  traceCorrelations: TraceCorrelation[];
  snapshots: Snapshot[];
  resources: Resource[];
  /** The requests within, by what they hold: see {@link Arrival}. */
  requests: string[];
}

export interface DeriveSettings {
  retentionNanos: bigint;
  templateOf: (message: string, tenant: string) => Template;
  /** Absent: every name is counted by itself, however many there are. */
  cardinality?: Cardinality;
  /** The spans of flushes before this one, for calls that come in several. Absent: calls are joined within the flush alone. */
  calls?: Calls;
  /** What the store has been told of resources. Absent: it is told of each that speaks. */
  resources?: KnownResources;
  /** Of flushes before this one. Absent: failed spans are told by the errors of this flush alone. */
  told?: ToldTraces;
  /** Whether more waits than the next flush will take: then others have their turn less often. */
  isBehind?: () => boolean;
  /** Templates that have become another text since this was asked. */
  takeMerged?: (tenant: string) => readonly Template[];
}

/** Records of one request, with the time that it arrived. */
export interface Arrival {
  receivedAt: bigint;
  records: RecordTable;
  /**
   * 32 hex: hash of the ids of all records that the request brought. The same when it is sent again, whatever its encoding, to whichever
   * receiver. Absent until {@link withoutKnown} has looked.
   */
  request?: string;
}

/**
 * Leaves out the records that were stored lately, and the requests of which nothing remains. Changes the tables, and `recent` knows the
 * rest from now on: to be called once for each arrival. Gives way to others where a request is large.
 */
export async function withoutKnown<A extends Arrival>(
  tenant: string,
  arrivals: readonly A[],
  recent: RecentIds,
): Promise<{ fresh: A[]; duplicates: number }> {
  const fresh: A[] = [];
  let duplicates = 0;
  let rows = 0;
  for (const arrival of arrivals) {
    const { records } = arrival;
    const before = records.length;
    const request = new RequestHash(before);
    const { words } = records;
    const steps = records.filtering((at) => {
      const timeHigh = words[at + TIME_HIGH]!;
      const timeLow = words[at + TIME_LOW]!;
      const hashHigh = words[at + HASH_HIGH]!;
      const hashLow = words[at + HASH_LOW]!;
      request.add(timeHigh, timeLow, hashHigh, hashLow);
      return recent.addWords(tenant, timeHigh, timeLow, hashHigh, hashLow);
    }, TURN_ROWS);
    for (const _ of steps) await nextTurn();
    duplicates += before - records.length;
    if (records.length > 0) fresh.push({ ...arrival, request: request.end() });
    rows += before;
    if (rows >= TURN_ROWS) {
      rows = 0;
      await nextTurn();
    }
  }
  return { fresh, duplicates };
}

/**
 * Changes neither the arrivals nor what `recent` knows: it may be asked again, then without `calls`, which know the spans by then. Gives
 * way to others between blocks.
 */
export async function derive(tenant: string, arrivals: readonly Arrival[], settings: DeriveSettings): Promise<Derived> {
  const { cardinality, told } = settings;
  const admits: Admits = (kind, name) => cardinality?.admits(tenant, kind, name) ?? true;
  const minutes = new MinuteCounts(admits, (trace) => told?.has(tenant, trace) ?? false);
  const correlations = new TraceCorrelations();
  const spoke = new ResourceTimes();
  const templates = new Map<string, Template>();
  const blocks = new BlocksByDay(tenant);
  let snapshots = false;
  let rows = 0;
  for (const { receivedAt, records } of arrivals) {
    const { words, body, length } = records;
    const dayOf = dayFinder(receivedAt, settings.retentionNanos);
    minutes.begin(records);
    correlations.begin(records);
    spoke.begin(records, receivedAt);
    blocks.begin(records, receivedAt);
    for (let row = 0, at = 0; row < length; row++, at += ROW_WORDS) {
      const messageStart = words[at + MESSAGE_START]!;
      const messageEnd = words[at + MESSAGE_END]!;
      let template: string | null = null;
      if (messageEnd > messageStart && (words[at + KIND]! & NAMED) === 0) {
        const mined = settings.templateOf(textOf(body, messageStart, messageEnd), tenant);
        template = mined.id;
        if (!templates.has(template)) {
          if (admits('template', template)) templates.set(template, mined);
          else templates.set(OVERFLOW_TEMPLATE.id, OVERFLOW_TEMPLATE);
        }
      }
      const type = words[at + KIND]! & 0xff;
      if (type === SNAPSHOT) snapshots = true;
      if (type !== METRIC) minutes.count(at, template);
      correlations.note(at);
      spoke.note(at);
      const filled = blocks.add(dayOf(words[at + TIME_HIGH]!, words[at + TIME_LOW]!), row, template);
      if (filled || ++rows % STEP_RECORDS === 0) {
        if (!settings.isBehind?.() || blocks.pauses(BEHIND_TURN_BLOCKS)) await nextTurn();
      }
    }
  }
  const built = await blocks.finish();
  // Not of a flush that cannot be derived: what it brings is set aside.
  told?.add(tenant, minutes.toldTraces);
  const tables = arrivals.map(({ records }) => records);
  const calls = settings.calls ?? new Calls(capacityFor(tables));
  return {
    tenant,
    blocks: built,
    ...minutes.rows(),
    edgeMinutes: calls.edgesOf(tenant, tables, admits),
    templates: [...templates.values(), ...(settings.takeMerged?.(tenant) ?? [])],
    traceCorrelations: correlations.rows(),
    snapshots: snapshots ? snapshotsIn(built) : [],
    resources: spoke.rows(tenant, settings.resources ?? new KnownResources(), admits),
    requests: arrivals.flatMap(({ request }) => request ?? []),
  };
}

// 512 to 2,048 records cost the same to write; a look-up decodes whole blocks, so the smaller half of that (PERF.md).
const BLOCK_RECORDS = 1024;
// Under a millisecond: a request is read, written, synced and answered in some six turns, and behind each of them may be such a step.
const STEP_RECORDS = 256;
// Some 10 ms. At every block, requests that come in take four fifths of the loop: what waits grows until it is left on disk, and has to be
// read and walked again.
const BEHIND_TURN_BLOCKS = 8;
// What a look-up opens for one record, where records are as large as requests.
const BLOCK_PAYLOAD_BYTES = 4 << 20;
// One writer fills one shard until a machine is outgrown; the column is in every key from day one.
const SHARD = 0;
const METRIC = EVENT_TYPES.indexOf('metric');
const SNAPSHOT = EVENT_TYPES.indexOf('state_snapshot');

/** A power of two that holds all of these records. */
function capacityFor(tables: readonly RecordTable[]): number {
  const records = tables.reduce((sum, { length }) => sum + length, 0);
  return 2 ** Math.ceil(Math.log2(records + 2));
}

/** What a request holds, in 128 bits, as what collides is lost: two hashes of 64 that begin differently. */
class RequestHash {
  readonly #first = new ContentHash().reset();
  readonly #second: ContentHash;

  /** @param length of how many records */
  constructor(length: number) {
    this.#second = new ContentHash().reset().number(length);
  }

  add(timeHigh: number, timeLow: number, hashHigh: number, hashLow: number): void {
    this.#first.pair(timeHigh, timeLow).pair(hashHigh, hashLow);
    this.#second.pair(hashLow, timeLow).pair(hashHigh, timeHigh);
  }

  /** 32 hex. */
  end(): string {
    return hex64(this.#first.digest()) + hex64(this.#second.digest());
  }
}

// Some 5 ms.
const TURN_ROWS = 8192;

/** The day partition of records of one request: asked for each record, nearly always within one minute of the last. */
function dayFinder(receivedAt: bigint, retentionNanos: bigint): (timeHigh: number, timeLow: number) => string {
  // Of a high word, 4.3 s of time, all have the same day unless one of the borders lies within.
  let knownHigh = -1;
  let day = '';
  return (timeHigh, timeLow) => {
    if (timeHigh === knownHigh) return day;
    const first = BigInt(timeHigh) << 32n;
    day = partitionDay(first | BigInt(timeLow), receivedAt, retentionNanos);
    const same =
      partitionDay(first, receivedAt, retentionNanos) === day &&
      partitionDay(first | 0xffff_ffffn, receivedAt, retentionNanos) === day;
    knownHigh = same ? timeHigh : -1;
    return day;
  };
}

/** One block under way for each day; those that are full are compressed while others fill. */
class BlocksByDay {
  readonly #tenant: string;
  readonly #open = new Map<string, BlockBuilder>();
  readonly #done: Promise<Block>[] = [];
  #records!: RecordTable;
  #receivedAt = 0n;
  #day = '';
  #builder: BlockBuilder | undefined;
  /** Blocks that became full since the last pause. */
  #full = 0;

  constructor(tenant: string) {
    this.#tenant = tenant;
  }

  /** Whether so many blocks have become full since it last said so: a good moment to give way. */
  pauses(blocks: number): boolean {
    if (this.#full < blocks) return false;
    this.#full = 0;
    return true;
  }

  begin(records: RecordTable, receivedAt: bigint): void {
    this.#records = records;
    this.#receivedAt = receivedAt;
    for (const builder of this.#open.values()) builder.begin(records, receivedAt);
  }

  /** @returns whether a block has become full */
  add(day: string, row: number, template: string | null): boolean {
    if (this.#builder === undefined || day !== this.#day) {
      this.#day = day;
      this.#builder = this.#open.get(day) ?? this.#opened(day);
    }
    this.#builder.add(row, template);
    if (!this.#builder.full && this.#builder.payloadBytes < BLOCK_PAYLOAD_BYTES) return false;
    this.#close(day, this.#builder);
    this.#full++;
    return true;
  }

  finish(): Promise<Block[]> {
    for (const [day, builder] of this.#open) this.#close(day, builder);
    return Promise.all(this.#done);
  }

  #opened(day: string): BlockBuilder {
    const builder = IDLE_BUILDERS.pop() ?? new BlockBuilder(BLOCK_RECORDS);
    builder.begin(this.#records, this.#receivedAt);
    this.#open.set(day, builder);
    return builder;
  }

  #close(day: string, builder: BlockBuilder): void {
    this.#open.delete(day);
    this.#builder = undefined;
    if (builder.count > 0) this.#done.push(this.#compressed(day, builder));
  }

  async #compressed(day: string, builder: BlockBuilder): Promise<Block> {
    const block = await compressBlock(builder.build(this.#tenant, SHARD, day));
    builder.clear();
    if (IDLE_BUILDERS.length < IDLE_BUILDERS_MAX) IDLE_BUILDERS.push(builder);
    return block;
  }
}

// A builder's memory is a megabyte that the kernel would hand out in 250 pages, and take back, for every block.
const IDLE_BUILDERS: BlockBuilder[] = [];
const IDLE_BUILDERS_MAX = 16;

/** Snapshots are also rows, as they are asked for by component and time. Rare enough to be read back from their block. */
function snapshotsIn(blocks: readonly Block[]): Snapshot[] {
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
      const name = event.data['debug.state.name'];
      snapshots.push({
        id: event.id,
        component_type: event.component_type,
        component_id: event.component_id,
        node_id: event.node_id,
        operation_id: event.operation_id,
        correlation_id: event.correlation_id,
        checkpoint_name: typeof checkpoint === 'string' ? checkpoint : null,
        ...(typeof name === 'string' && { state_name: name }),
        snapshot_type: SNAPSHOT_TYPES.includes(type as SnapshotType) ? (type as SnapshotType) : 'full',
        state_data: isJsonObject(state) ? state : { value: state ?? event.message },
        time: columns.time[i]!,
      });
    }
  }
  return snapshots;
}
