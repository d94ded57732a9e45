/**
 * Asking for events over all tiers. A query names what it wants; the answer is one page, newest first, each event once, and says
 * which tiers answered.
 *
 * Blocks come by their newest record, descending. Their columns decide what can be; a payload is opened only for records that
 * are returned, or whose text is asked for. A page is done when no block to come can hold anything newer than its last event,
 * so that its cost does not grow with what is stored.
 */
import { LRUCache } from 'lru-cache';
import { assert } from '../base/assert.ts';
import { DebugError } from '../base/errors.ts';
import { createPause, type Pause } from '../base/pause.ts';
import { type BlockIndex, blockKey, decodeIndex, decodePayload, decodePayloadAside } from '../model/block.ts';
import { type DebugEvent, SEVERITY_ERROR } from '../model/event.ts';
import { eventId, parseEventId } from '../model/ids.ts';
import { idsOfTemplate } from '../model/template.ts';
import { type BlockRecords, readBlock } from '../otlp/read.ts';
import { requestsOf, type StoredRequest } from './archive/lines.ts';
import type { BlockSelector, FileTally, RowStore, TierName } from './contract.ts';
import {
  type ColumnQuery,
  type ContentQuery,
  columnMatcher,
  contentMatcher,
  type Scope,
  severityRange,
} from './match.ts';
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
  /** What was looked at in the archive; absent where that was not asked. */
  files?: FileTally;
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
   * @param visit returns false to be shown no more
   * @returns the tiers that answered
   */
  scan(query: ColumnQuery, visit: (index: BlockIndex, position: number) => unknown): Promise<TierName[]>;
}

export type { StoredRequest } from './archive/lines.ts';
export type { ColumnQuery } from './match.ts';

export interface RequestReader {
  /**
   * The records that match, as OTLP as they were sent, each once, blocks newest first: what leaves the system whole.
   * @throws DebugError as `events`
   */
  requests(query: ColumnQuery): AsyncIterable<StoredRequest>;
}

export interface EventReaderOptions {
  blocks: (selector: BlockSelector) => BlockWalk;
  /** Of the fastest tier alone: one event by its id need not wait for the others where that has it. */
  hotBlocks?: (selector: BlockSelector) => BlockWalk;
  /** What of it this process has at hand. */
  latestBlocks?: (selector: BlockSelector) => TieredBlock[];
  rows: Pick<RowStore, 'traceCorrelations' | 'templates'>;
  /** For decoded blocks, half for indexes and half for payloads. */
  cacheBytesMax?: number;
}

export function createEventReader(options: EventReaderOptions): EventReader & ColumnReader & RequestReader {
  const { blocks, hotBlocks, latestBlocks, rows, cacheBytesMax = 64 << 20 } = options;
  const opened = openedBlocks(cacheBytesMax);
  /** Where events were looked for by their ids: the next one is often beside them, and needs no way to a tier. */
  const foundLately = new LRUCache<string, { tenant: string; block: TieredBlock }>({ max: LATELY_MAX, ttl: LATELY_MS });

  return {
    async events(query) {
      const pause = createPause();
      const { tenant, limit } = query;
      assert(limit >= 1, `a page holds at least one event, not ${limit}`);
      const files: FileTally = { considered: 0, opened: 0 };
      const scope = await resolve(query, pause, files);
      const page = new NewestPage<TieredBlock>(limit + 1);
      const matchColumns = columnMatcher(scope);
      const matchContent = contentMatcher(query);
      const walk = blocks({ ...selectorOf(scope), ...(matchContent !== null && { mayHold: matchContent.probe }) });
      const opening = (block: TieredBlock) => {
        const index = opened.index(tenant, block);
        const matches = matchContent?.mayHold(index) === false ? null : matchColumns(index);
        if (matches !== null && matchContent !== null && holdsAny(index.count, matches)) opened.prefetch(tenant, block);
        return { block, index, matches };
      };
      for await (const { block, index, matches } of ahead(
        walk,
        opening,
        matchContent === null ? 0 : PAYLOADS_AT_ONCE,
      )) {
        if (page.isFull && timeOf(block.id) < timeOf(page.oldest!)) break;
        await pause();
        if (matches === null) continue;
        let records: BlockRecords | undefined;
        let canMatch: ((position: number) => boolean) | null = null;
        for (let i = 0; i < index.count; i++) {
          if (!page.takes(index.columns.time[i]!) || !matches(i)) continue;
          let event: DebugEvent | undefined;
          if (matchContent !== null) {
            if (records === undefined) {
              const read = await opened.payload(tenant, block);
              records = read.records;
              canMatch = matchContent.canMatch(index, read.payload);
              await pause();
            }
            if (canMatch === null) break;
            if (!canMatch(i)) continue;
            await pause();
            event = records.event(i, unknownCorrelation);
            if (!matchContent.matches(event)) continue;
          }
          page.add(index.columns.time[i]!, index.columns.hash[i]!, block, i, event);
        }
      }
      const hits = page.newestFirst();
      const more = hits.length > limit;
      const events = await read(tenant, hits.slice(0, limit), pause);
      addFiles(files, walk.files);
      return {
        events,
        next: more ? events.at(-1)!.id : null,
        tiers: walk.answered(),
        ...(files.considered > 0 && { files }),
      };
    },

    async event(tenant, id) {
      const wanted = parseEventId(id);
      if (wanted === null) return null;
      const at = { tenant, start: wanted.time, end: wanted.time, withPayloads: true } as const;
      const beside = [...foundLately.values()].filter(
        (known) => known.tenant === tenant && known.block.timeMin <= wanted.time && known.block.timeMax >= wanted.time,
      );
      const atHand = [...beside.map(({ block }) => block), ...(latestBlocks?.(at) ?? [])];
      const known = await found(tenant, wanted, atHand);
      if (known !== null) return known;
      return (hotBlocks && (await found(tenant, wanted, hotBlocks(at)))) ?? (await found(tenant, wanted, blocks(at)));
    },

    async scan(query, visit) {
      const pause = createPause();
      const scope = await resolve(query, pause);
      const matchColumns = columnMatcher(scope);
      const seen = new SeenOnce();
      const walk = blocks(selectorOf(scope));
      for await (const block of walk) {
        await pause();
        const index = opened.index(query.tenant, block);
        const matches = matchColumns(index);
        if (matches === null) continue;
        seen.forgetAfter(block.timeMax);
        for (let i = 0; i < index.count; i++) {
          if (!matches(i) || !seen.first(index.columns.time[i]!, index.columns.hash[i]!)) continue;
          if (visit(index, i) === false) return walk.answered();
        }
      }
      return walk.answered();
    },

    requests,
  };

  async function* requests(query: ColumnQuery): AsyncGenerator<StoredRequest> {
    const pause = createPause();
    const scope = await resolve(query, pause);
    const matchColumns = columnMatcher(scope);
    const seen = new SeenOnce();
    for await (const block of blocks(selectorOf(scope))) {
      await pause();
      const index = opened.index(query.tenant, block);
      const matches = matchColumns(index);
      if (matches === null) continue;
      seen.forgetAfter(block.timeMax);
      const { time, hash } = index.columns;
      const taken = Array.from({ length: index.count }, (_, i) => matches(i) && seen.first(time[i]!, hash[i]!));
      if (!taken.includes(true)) continue;
      const { payload } = await opened.payload(query.tenant, block);
      yield* requestsOf(index, payload, (i) => taken[i]!);
    }
  }

  async function found(
    tenant: string,
    { time, hash }: { time: bigint; hash: bigint },
    walk: AsyncIterable<TieredBlock> | Iterable<TieredBlock>,
  ): Promise<{ event: DebugEvent; tier: TierName } | null> {
    const pause = createPause();
    for await (const block of walk) {
      await pause();
      const { columns } = opened.index(tenant, block);
      // Also of one that has it not: the next event that is asked for is often beside this one, and may be there.
      const name = `${block.id} ${tenant}`;
      if (!foundLately.has(name)) foundLately.set(name, { tenant, block });
      for (let i = columns.hash.indexOf(hash); i !== -1; i = columns.hash.indexOf(hash, i + 1)) {
        if (columns.time[i] !== time) continue;
        const [event] = await read(tenant, [{ id: eventId(time, hash), block, position: i }], pause);
        return { event: event!, tier: block.tier };
      }
    }
    return null;
  }

  /** A correlation stands for its traces too, a template for those that have become part of it. */
  async function resolve<Q extends ColumnQuery & { before?: string }>(
    query: Q,
    pause: Pause,
    files?: FileTally,
  ): Promise<Q & Scope> {
    const before = query.before === undefined ? null : parseEventId(query.before);
    if (query.before !== undefined && before === null) {
      throw new DebugError('INVALID', 'before must be an event id', {
        fields: [{ field: 'before', message: 'must be 32 hex digits' }],
      });
    }
    const { tenant, correlation_id, template_id } = query;
    const traces = correlation_id === undefined ? [] : await tracesOf(tenant, correlation_id, pause, files);
    const templates =
      template_id === undefined ? new Set<string>() : await idsOfTemplate(template_id, await rows.templates(tenant));
    return { ...query, traces, templates, older: before };
  }

  /**
   * The traces that a correlation touches: those that it names, those whose records carry it beside another, and itself, since
   * records that nobody gave a correlation have their trace's id for one.
   */
  async function tracesOf(tenant: string, correlation: string, pause: Pause, files?: FileTally): Promise<string[]> {
    const known = await rows.traceCorrelations(tenant, { correlations: [correlation] });
    known.sort((a, b) => (a.time < b.time ? 1 : -1));
    const traces = new Set(known.slice(0, TRACES_MAX).map(({ trace_id }) => trace_id));
    if (/^[0-9a-f]{32}$/.test(correlation)) traces.add(correlation);
    let blocksLeft = CARRIERS_MAX;
    const walk = blocks({ tenant, keys: [blockKey('correlation', correlation)] });
    for await (const block of walk) {
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
    if (files !== undefined) addFiles(files, walk.files);
    return [...traces];
  }

  /** Events of the hits, in their order. */
  async function read(tenant: string, hits: readonly Hit<TieredBlock>[], pause: Pause): Promise<DebugEvent[]> {
    const unnamed = new Set<string>();
    for (const { block, position } of hits) {
      const { header, columns } = opened.index(tenant, block);
      const trace = columns.trace[position]!;
      if (trace !== 0 && columns.correlation[position] === 0) unnamed.add(header.traces[trace - 1]!);
    }
    // Asked while the first payloads are on their way.
    const naming = unnamed.size === 0 ? [] : rows.traceCorrelations(tenant, { traces: [...unnamed] });

    const events = new Map<string, DebugEvent>();
    // Block by block, so that each payload is opened once however its records lie among those of others. One that was looked through may
    // have left the cache: what was decoded then is not decoded again.
    const undecoded = hits.filter(({ event }) => event === undefined);
    const byBlock = [...Map.groupBy(undecoded, ({ block }) => block).values()];
    // Of one alone it takes no longer here than the way to a thread and back.
    const decode = byBlock.length === 1 ? decodePayload : decodePayloadAside;
    for (const [hit] of byBlock.slice(0, PAYLOADS_AT_ONCE)) opened.prefetch(tenant, hit!.block, decode);
    const known = await naming;
    const correlations = new Map(known.map(({ trace_id, correlation_id }) => [trace_id, correlation_id]));
    const correlationOf = (trace: string) => correlations.get(trace);
    for (const { id, block, position, event } of hits) {
      if (event === undefined) continue;
      events.set(id, event);
      const { trace_id } = event;
      if (trace_id === null || opened.index(tenant, block).columns.correlation[position] !== 0) continue;
      event.correlation_id = correlationOf(trace_id) ?? trace_id;
    }
    for (const [i, ofBlock] of byBlock.entries()) {
      // While this one is read others are on their way: one after the other each would wait for the way to its store and back.
      const next = byBlock[i + PAYLOADS_AT_ONCE];
      if (next !== undefined) opened.prefetch(tenant, next[0]!.block);
      const { records } = await opened.payload(tenant, ofBlock[0]!.block);
      for (const { id, position } of ofBlock.sort((a, b) => a.position - b.position)) {
        events.set(id, records.event(position, correlationOf));
        await pause();
      }
    }
    return hits.map(({ id }) => events.get(id)!);
  }
}

/** What `begin` makes of each item, begun this many items before it is asked for. */
async function* ahead<T, U>(items: AsyncIterable<T>, begin: (item: T) => U, count: number): AsyncGenerator<U> {
  const begun: U[] = [];
  for await (const item of items) {
    begun.push(begin(item));
    if (begun.length > count) yield begun.shift()!;
  }
  yield* begun;
}

function holdsAny(count: number, matches: (position: number) => boolean): boolean {
  for (let i = 0; i < count; i++) if (matches(i)) return true;
  return false;
}

/** Of two walks for one answer: the same files, opened by either. */
function addFiles(into: FileTally, { considered, opened }: FileTally): void {
  into.considered = Math.max(into.considered, considered);
  into.opened += opened;
}

// Each keeps an index and a payload, 130 kB together.
const LATELY_MAX = 64;
// What has left all tiers is answered so much longer.
const LATELY_MS = 60_000;
// A page's events lie in a few blocks, of 100 kB each.
const PAYLOADS_AT_ONCE = 8;
// A correlation is one operation and lies in a few blocks. One that is a day's session may touch more: then the newest of its traces
// are followed, and of the older ones only the records that carry it themselves are found.
const TRACES_MAX = 10_000;
const CARRIERS_MAX = 256;

function selectorOf(scope: Scope): BlockSelector {
  const { tenant, start, older } = scope;
  const end = older !== null && (scope.end === undefined || older.time < scope.end) ? older.time : scope.end;
  const keys = keysOf(scope);
  const besides = besidesOf(scope);
  return {
    tenant,
    ...(keys !== undefined && { keys }),
    ...(besides !== undefined && { besides }),
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

/** The errors of one component lie in few of the blocks that it is in. */
function besidesOf(scope: Scope): bigint | undefined {
  const { component_type, component_id } = scope;
  if (component_type === undefined || component_id === undefined) return undefined;
  return severityRange(scope).severityMin >= SEVERITY_ERROR
    ? blockKey('errors', component_type, component_id)
    : undefined;
}

/** Decoded blocks, the last used ones kept: a page after a page reads the same, and so does the next question. */
function openedBlocks(bytesMax: number) {
  const indexes = new LRUCache<string, BlockIndex>({ maxSize: bytesMax / 2, sizeCalculation: indexBytes });
  const payloads = new LRUCache<string, OpenPayload>({
    maxSize: bytesMax / 2,
    // Resources and scopes are kept decoded beside the bytes: a few kB.
    sizeCalculation: ({ payload }) => payload.length + 8192,
  });
  /** Who asks for what another is just opening waits for that. */
  const beingOpened = new Map<string, Promise<OpenPayload>>();

  function index(tenant: string, block: TieredBlock): BlockIndex {
    const name = `${block.id} ${tenant}`;
    let known = indexes.get(name);
    if (known === undefined) indexes.set(name, (known = decodeIndex(block.index)));
    return known;
  }

  async function payload(
    tenant: string,
    block: TieredBlock,
    decode: Decode = decodePayloadAside,
  ): Promise<OpenPayload> {
    const name = `${block.id} ${tenant}`;
    const known = payloads.get(name);
    if (known !== undefined) return known;
    let opening = beingOpened.get(name);
    if (opening === undefined) {
      opening = open(tenant, block, name, decode).finally(() => beingOpened.delete(name));
      beingOpened.set(name, opening);
    }
    return opening;
  }

  async function open(tenant: string, block: TieredBlock, name: string, decode: Decode): Promise<OpenPayload> {
    const payload = await decode(await block.payload());
    const opened = { payload, records: readBlock(index(tenant, block), payload) };
    payloads.set(name, opened);
    return opened;
  }

  return {
    index,
    payload,
    /** Fails in silence: whoever asks for it will hear. */
    prefetch(tenant: string, block: TieredBlock, decode?: Decode): void {
      payload(tenant, block, decode).catch(() => {});
    },
  };
}

type Decode = (bytes: Uint8Array) => Uint8Array | Promise<Uint8Array>;

interface OpenPayload {
  payload: Uint8Array;
  records: BlockRecords;
}

/** The columns, the filter, and the lists as they came, which take some four times as much once they have been asked for. */
function indexBytes({ columns, count, texts }: BlockIndex): number {
  const { byteLength } = columns.time.buffer;
  return byteLength + 4 * (byteLength - INDEX_RECORD_BYTES * count - texts.length) + 500;
}

const INDEX_RECORD_BYTES = 47;

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

function timeOf(id: string): string {
  return id.slice(0, 16);
}

function unknownCorrelation(): undefined {
  return undefined;
}
