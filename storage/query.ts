/**
 * Asking for events over all tiers. A query names what it wants; the answer is one page, newest first, each event once, and says
 * which tiers answered.
 *
 * Blocks come by their newest record, descending. Their columns decide what can be; a payload is opened only for records that
 * are returned, or whose text is asked for. A page is done when no block to come can hold anything newer than its last event,
 * so that its cost does not grow with what is stored.
 */
import { setImmediate as nextTurn } from 'node:timers/promises';
import { LRUCache } from 'lru-cache';
import { assert } from '../base/assert.ts';
import { DebugError } from '../base/errors.ts';
import { type BlockIndex, blockKey, decodeIndex, decodePayload } from '../model/block.ts';
import type { DebugEvent } from '../model/event.ts';
import { parseEventId } from '../model/ids.ts';
import { type BlockRecords, readBlock } from '../otlp/read.ts';
import type { BlockSelector, RowStore, TierName } from './contract.ts';
import { type ColumnQuery, type ContentQuery, columnMatcher, contentMatcher, type Scope } from './match.ts';
import { type Hit, NewestPage } from './page.ts';
import type { BlockWalk, TieredBlock } from './walk.ts';

export interface EventQuery extends ColumnQuery, ContentQuery {
  /** Only events older than this one: the id of the last event of the page before. */
  before?: string;
  /** 1 and up. */
  limit: number;
}

export interface EventPage {
  /** By id descending, that is newest first. */
  events: DebugEvent[];
  /** The `before` of the next page; null at the end. */
  next: string | null;
  tiers: TierName[];
}

export interface EventReader {
  /** @throws DebugError INVALID when `before` is no event id, UNAVAILABLE when the warm tier is away */
  events(query: EventQuery): Promise<EventPage>;
  event(tenant: string, id: string): Promise<{ event: DebugEvent; tier: TierName } | null>;
}

export interface ColumnReader {
  /**
   * Calls `visit` for each matching record once, blocks newest first, records in the order of their block. Opens no payload:
   * for counts that must be exact where minutes are too coarse.
   * @returns the tiers that answered
   */
  scan(query: ColumnQuery, visit: (index: BlockIndex, position: number) => void): Promise<TierName[]>;
}

export interface EventReaderOptions {
  blocks: (selector: BlockSelector) => BlockWalk;
  rows: Pick<RowStore, 'traceCorrelations'>;
  /** For decoded blocks, half for indexes and half for payloads. */
  cacheBytesMax?: number;
}

export function createEventReader(options: EventReaderOptions): EventReader & ColumnReader {
  const { blocks, rows, cacheBytesMax = 64 << 20 } = options;
  const opened = openedBlocks(cacheBytesMax);

  return {
    async events(query) {
      const { tenant, limit } = query;
      assert(limit >= 1, `a page holds at least one event, not ${limit}`);
      const scope = await resolve(query);
      const page = new NewestPage<TieredBlock>(limit + 1);
      const matchColumns = columnMatcher(scope);
      const matchContent = contentMatcher(query);
      const pause = createPause();
      const walk = blocks(selectorOf(scope));
      for await (const block of walk) {
        if (page.isFull && timeOf(block.id) < timeOf(page.oldest!)) break;
        await pause();
        const index = opened.index(tenant, block);
        const matches = matchColumns(index);
        if (matches === null) continue;
        for (let i = 0; i < index.count; i++) {
          if (!page.takes(index.columns.time[i]!) || !matches(i)) continue;
          if (matchContent !== null) {
            const records = await opened.records(tenant, block);
            await pause();
            if (!matchContent(records.event(i, unknownCorrelation))) continue;
          }
          page.add(index.columns.time[i]!, index.columns.hash[i]!, block, i);
        }
      }
      const hits = page.newestFirst();
      const more = hits.length > limit;
      const events = await read(tenant, hits.slice(0, limit));
      return { events, next: more ? events.at(-1)!.id : null, tiers: walk.answered() };
    },

    async event(tenant, id) {
      const wanted = parseEventId(id);
      if (wanted === null) return null;
      const pause = createPause();
      for await (const block of blocks({ tenant, start: wanted.time, end: wanted.time })) {
        await pause();
        const { columns } = opened.index(tenant, block);
        for (let i = columns.hash.indexOf(wanted.hash); i !== -1; i = columns.hash.indexOf(wanted.hash, i + 1)) {
          if (columns.time[i] !== wanted.time) continue;
          const [event] = await read(tenant, [{ id, block, position: i }]);
          return { event: event!, tier: block.tier };
        }
      }
      return null;
    },

    async scan(query, visit) {
      const scope = await resolve(query);
      const matchColumns = columnMatcher(scope);
      const seen = new SeenOnce();
      const pause = createPause();
      const walk = blocks(selectorOf(scope));
      for await (const block of walk) {
        await pause();
        const index = opened.index(query.tenant, block);
        const matches = matchColumns(index);
        if (matches === null) continue;
        seen.forgetAfter(block.timeMax);
        for (let i = 0; i < index.count; i++) {
          if (matches(i) && seen.first(index.columns.time[i]!, index.columns.hash[i]!)) visit(index, i);
        }
      }
      return walk.answered();
    },
  };

  /** A correlation stands for its traces too. */
  async function resolve<Q extends ColumnQuery & { before?: string }>(query: Q): Promise<Q & Scope> {
    const before = query.before === undefined ? null : parseEventId(query.before);
    if (query.before !== undefined && before === null) {
      throw new DebugError('INVALID', 'before must be an event id', {
        fields: [{ field: 'before', message: 'must be 32 hex digits' }],
      });
    }
    const { tenant, correlation_id } = query;
    const traces = correlation_id === undefined ? [] : await tracesOf(tenant, correlation_id);
    return { ...query, traces, older: before };
  }

  /**
   * The traces that a correlation touches: those that it names, those whose records carry it beside another, and itself, since
   * records that nobody gave a correlation have their trace's id for one.
   */
  async function tracesOf(tenant: string, correlation: string): Promise<string[]> {
    const known = await rows.traceCorrelations(tenant, { correlations: [correlation] });
    known.sort((a, b) => (a.time < b.time ? 1 : -1));
    const traces = new Set(known.slice(0, TRACES_MAX).map(({ trace_id }) => trace_id));
    if (/^[0-9a-f]{32}$/.test(correlation)) traces.add(correlation);
    const pause = createPause();
    let blocksLeft = CARRIERS_MAX;
    for await (const block of blocks({ tenant, keys: [blockKey('correlation', correlation)] })) {
      if (blocksLeft-- === 0 || traces.size >= TRACES_MAX) break;
      await pause();
      const { header, columns, count } = opened.index(tenant, block);
      const carried = header.correlations.indexOf(correlation) + 1;
      if (carried === 0) continue; // another correlation of the same hash
      for (let i = 0; i < count; i++) {
        if (columns.correlation[i] === carried && columns.trace[i] !== 0)
          traces.add(header.traces[columns.trace[i]! - 1]!);
      }
    }
    return [...traces];
  }

  /** Events of the hits, in their order. */
  async function read(tenant: string, hits: readonly Hit<TieredBlock>[]): Promise<DebugEvent[]> {
    const unnamed = new Set<string>();
    for (const { block, position } of hits) {
      const { header, columns } = opened.index(tenant, block);
      const trace = columns.trace[position]!;
      if (trace !== 0 && columns.correlation[position] === 0) unnamed.add(header.traces[trace - 1]!);
    }
    const known = unnamed.size === 0 ? [] : await rows.traceCorrelations(tenant, { traces: [...unnamed] });
    const correlations = new Map(known.map(({ trace_id, correlation_id }) => [trace_id, correlation_id]));
    const correlationOf = (trace: string) => correlations.get(trace);

    const events = new Map<string, DebugEvent>();
    const pause = createPause();
    // Block by block, so that each payload is opened once however its records lie among those of others.
    for (const ofBlock of Map.groupBy(hits, ({ block }) => block).values()) {
      const records = await opened.records(tenant, ofBlock[0]!.block);
      for (const { id, position } of ofBlock.sort((a, b) => a.position - b.position)) {
        events.set(id, records.event(position, correlationOf));
        await pause();
      }
    }
    return hits.map(({ id }) => events.get(id)!);
  }
}

// A correlation is one operation and lies in a few blocks. One that is a day's session may touch more: then the newest of its traces
// are followed, and of the older ones only the records that carry it themselves are found.
const TRACES_MAX = 10_000;
const CARRIERS_MAX = 256;

function selectorOf(scope: Scope): BlockSelector {
  const { tenant, start, older } = scope;
  const end = older !== null && (scope.end === undefined || older.time < scope.end) ? older.time : scope.end;
  const keys = keysOf(scope);
  return {
    tenant,
    ...(keys !== undefined && { keys }),
    ...(start !== undefined && { start }),
    ...(end !== undefined && { end }),
  };
}

/** Of all that is asked for, what is in the fewest blocks. */
function keysOf(scope: Scope): bigint[] | undefined {
  const { trace_id, correlation_id, operation_id, component_type, component_id } = scope;
  if (trace_id !== undefined) return [blockKey('trace', trace_id)];
  if (correlation_id !== undefined) {
    return [blockKey('correlation', correlation_id), ...scope.traces.map((trace) => blockKey('trace', trace))];
  }
  if (operation_id !== undefined) return [blockKey('operation', operation_id)];
  if (component_type !== undefined && component_id !== undefined) {
    return [blockKey('component', component_type, component_id)];
  }
  return undefined;
}

/** Decoded blocks, the last used ones kept: a page after a page reads the same, and so does the next question. */
function openedBlocks(bytesMax: number) {
  const indexes = new LRUCache<string, BlockIndex>({ maxSize: bytesMax / 2, sizeCalculation: indexBytes });
  const payloads = new LRUCache<string, { records: BlockRecords; bytes: number }>({
    maxSize: bytesMax / 2,
    sizeCalculation: ({ bytes }) => bytes,
  });

  function index(tenant: string, block: TieredBlock): BlockIndex {
    const name = `${block.id} ${tenant}`;
    let known = indexes.get(name);
    if (known === undefined) indexes.set(name, (known = decodeIndex(block.index)));
    return known;
  }

  async function records(tenant: string, block: TieredBlock): Promise<BlockRecords> {
    const name = `${block.id} ${tenant}`;
    const known = payloads.get(name);
    if (known !== undefined) return known.records;
    const payload = decodePayload(await block.payload());
    const records = readBlock(index(tenant, block), payload);
    // Resources and scopes are kept decoded beside the bytes: a few kB.
    payloads.set(name, { records, bytes: payload.length + 8192 });
    return records;
  }

  return { index, records };
}

/** 47 bytes a record of columns; a text of the header about 64. */
function indexBytes({ header, count }: BlockIndex): number {
  const texts = header.correlations.length + header.operations.length + header.traces.length + header.templates.length;
  return 47 * count + 64 * (texts + 2 * header.components.length) + 400 * header.envelopes.length + 500;
}

/** Records met already, by id. Those newer than every block to come are forgotten, since they cannot come again. */
class SeenOnce {
  #times = new Map<bigint, bigint>();
  #sizeMax = 65_536;

  first(time: bigint, hash: bigint): boolean {
    if (this.#times.get(hash) === time) return false;
    this.#times.set(hash, time);
    return true;
  }

  forgetAfter(time: bigint): void {
    if (this.#times.size < this.#sizeMax) return;
    this.#times = new Map([...this.#times].filter(([, seen]) => seen <= time));
    this.#sizeMax = Math.max(65_536, 2 * this.#times.size);
  }
}

// Longer than this nobody else should wait for a reader of many blocks.
const TURN_MS = 10;

/** Gives others their turn now and then: decoding waits for nothing, so that it would never end one by itself. */
function createPause(): () => Promise<unknown> | undefined {
  let since = performance.now();
  return () => {
    if (performance.now() - since < TURN_MS) return undefined;
    return nextTurn().then(() => {
      since = performance.now();
    });
  };
}

function timeOf(id: string): string {
  return id.slice(0, 16);
}

function unknownCorrelation(): undefined {
  return undefined;
}
