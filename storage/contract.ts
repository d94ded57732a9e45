/**
 * What the tiers promise. One suite (test/contract/) runs over every implementation; what one cannot do it leaves out by
 * implementing the narrower interface.
 *
 * Every store
 * - MUST NOT do I/O in its constructor; `start` opens it or throws an error that names the setting that was wrong.
 * - MUST take bytes as opaque: no content of a record may make a write fail or be changed.
 * - MUST keep tenants apart in every read.
 * Every `time` is in nanoseconds. Times past 2^63 - 1 (year 2262) are kept exactly inside the block and clipped in rows.
 */
import type { Part } from '../base/lifecycle.ts';
import { type AttributeProbe, mayHoldAttributes } from '../model/attribute-filter.ts';
import type { Block, BlockFilters } from '../model/block.ts';
import type { Insight, InsightState, InsightType, Scope, Severity } from '../model/insight.ts';
import type { Resource } from '../model/resource.ts';
import type { ComponentMinute, EdgeMinute, Template, TemplateMinute, TraceCorrelation } from '../model/rollup.ts';
import type { Session, Snapshot } from '../model/snapshot.ts';
import { mayHoldText, type TextProbe } from '../model/text-filter.ts';

export type TierName = 'hot' | 'warm' | 'cold';

/** Which blocks to hand out. All given conditions hold together; times are inclusive and compared with the block's range. */
export interface BlockSelector {
  tenant: string;
  /** Blocks that hold at least one of these keys; absent: any. */
  keys?: readonly bigint[];
  start?: bigint;
  end?: bigint;
  /**
   * A key that each block wanted has besides one of `keys`, narrower than those. A tier MAY go by it instead, where it finds blocks that were
   * made before there were such keys as well.
   */
  besides?: bigint;
  /**
   * Asked of a block before its index is read, where the tier keeps filters beside, and of filters that stand for many blocks: what it denies
   * MAY be left out.
   */
  mayHold?: FilterProbe;
  /** The payload of some block will be asked for as soon as its index is there: a tier that is a way off MAY send both. */
  withPayloads?: true;
  /** Of a warm tier: the blocks as they were at this version. Absent: as they are when the read begins. */
  version?: bigint;
}

/** What the filters are asked: all that are asked have to say that they may hold it. */
export interface FilterProbe {
  texts?: TextProbe;
  attributes?: AttributeProbe;
}

export function holds(probe: FilterProbe | undefined, { texts, attributes }: BlockFilters): boolean {
  return (
    (probe?.texts === undefined || mayHoldText(texts, probe.texts)) &&
    (probe?.attributes === undefined || mayHoldAttributes(attributes, probe.attributes))
  );
}

/** A block found; the payload is read when asked for. */
export interface FoundBlock {
  id: string;
  timeMin: bigint;
  timeMax: bigint;
  index: Uint8Array;
  payload(): Promise<Uint8Array>;
}

export interface BlockReader {
  readonly tier: TierName;
  /**
   * The blocks that match, by `timeMax` descending, then id descending. A block MUST come at most once. Blocks added while
   * reading MAY be missed. Leaving the loop early MUST release what the read holds.
   */
  blocks(selector: BlockSelector, tally?: FileTally): AsyncIterable<FoundBlock>;
}

/** What a reader of files counts while it is read. */
export interface FileTally {
  /** Files of the time asked for. */
  considered: number;
  /** Files of which anything was read, the summaries of days among them. */
  opened: number;
}

/** The hot tier: the last hour, bounded in bytes and in age, the oldest dropped first. Losing it costs speed, never data. */
export interface HotStore extends Part, BlockReader {
  readonly tier: 'hot';
  /** MUST NOT throw for a store that is away: a hot tier is only ever a copy. Adding a block again changes nothing. */
  put(blocks: readonly Block[]): Promise<void>;
  /** From this time on the tier holds every block that was put; null while it cannot promise any. */
  completeSince(): Promise<bigint | null>;
  /** Of a store that lies elsewhere: what this process put last, of a tenant and window, newest first. Some of what `blocks` finds. */
  latest?(selector: BlockSelector): FoundBlock[];
}

/**
 * A hot tier that others may empty: a Redis that was flushed, restarted or failed over, or was away when a block was put. It knows what
 * it may lack, so that it can be filled again from the warm tier; readers ask the warm tier beside it all the while.
 */
export interface RefillableHotStore extends HotStore {
  /** @returns those of the tenants of which it may lack blocks  @throws DebugError UNAVAILABLE */
  lacking(tenants: readonly string[]): Promise<string[]>;
  /** One at a time for each tenant. */
  refill(tenant: string): Refill;
}

/** @throws DebugError UNAVAILABLE, from each: the tenant then goes on to be lacking */
export interface Refill {
  /** @returns those that are not there */
  missing(blocks: readonly FoundBlock[]): Promise<FoundBlock[]>;
  /**
   * Adds a block that was put elsewhere before, and drops nothing for it.
   * @param leftMs how long it has still to stay
   * @returns false when there is no room
   */
  add(block: Block, leftMs: number): Promise<boolean>;
  /** The tenant is whole now. @returns false when something was lost meanwhile, and it is not */
  end(): Promise<boolean>;
}

/** The line of one journal up to which everything is in the store. */
export interface LedgerLine {
  /** Identity of the journal, made when its directory was. */
  journal: string;
  /** Every entry up to and including this position is committed; 0n is before the first. */
  position: bigint;
  /** The position that the line has before, as far as the sender knows. Absent: any before `position`. */
  after?: bigint;
}

/** Told what the other journals brought to a store that several processes write. */
export interface Others {
  /** The last commit of this tenant before which it knows of everything. */
  readonly since: bigint;
  /**
   * What others committed after `since` and before `next`, as indexes of blocks; from now on it knows of everything before `next`. Asked
   * within the commit, while nobody else commits for this tenant. What it throws undoes the commit and is thrown as it is.
   */
  heard(indexes: readonly Uint8Array[], next: bigint): Promise<void>;
  /** The same for what is too much for that, or not known any more: it has to look itself. MUST throw. */
  missed(next: bigint): never;
  /** The flush is the store's commit of this number. */
  committed(commit: bigint): void;
}

/** What one flush brings: it is committed whole or not at all. */
export interface Flush {
  tenant: string;
  blocks: readonly Block[];
  componentMinutes: readonly ComponentMinute[];
  templateMinutes: readonly TemplateMinute[];
  edgeMinutes: readonly EdgeMinute[];
  templates: readonly Template[];
  traceCorrelations: readonly TraceCorrelation[];
  snapshots: readonly Snapshot[];
  resources: readonly Resource[];
  /** 32 hex each, of what the requests hold that the flush is made of: the same when a request is sent again. */
  requests?: readonly string[];
  ledger: LedgerLine | null;
}

/** Of what a flush derives from its blocks, nothing. */
export const NO_ROWS = {
  componentMinutes: [],
  templateMinutes: [],
  edgeMinutes: [],
  templates: [],
  traceCorrelations: [],
  snapshots: [],
  resources: [],
} satisfies Partial<Flush>;

/** One that brings nothing yet, under no ledger line. */
export function emptyFlush(tenant: string): Flush {
  return { tenant, blocks: [], ...NO_ROWS, ledger: null };
}

/** How long a store remembers the requests that it has committed: as long as any exporter tries again, ten times over. */
export const REQUESTS_REMEMBERED_NANOS = 3_600_000_000_000n;

/**
 * The warm tier. `commit` MUST be durable when it resolves and MUST be idempotent by ledger line: a flush whose ledger
 * position is not past the stored one of its journal changes nothing. Where the flush says after which position it comes, and the stored
 * one is neither that nor its own, another process writes with the same identity: CONFLICT, and nothing is changed. Minutes are added to what is there (counts summed,
 * sketches merged, first/last widened), templates and snapshots are kept by id, a template that is `merged` replaces
 * what is there, the times of a resource are only ever widened, a trace's correlation is replaced only by a smaller (time, text).
 */
export interface WarmStore extends Part, BlockReader, RowStore, Upkeep {
  readonly tier: 'warm';
  /**
   * @returns those of the flush's requests that another flush of the last hour brought, from whatever journal. When there are any, nothing
   * was changed, the ledger neither: the flush is to be made again without them.
   * @param others of who knows which records are stored; a store that only one process writes need not tell it anything
   */
  commit(flush: Flush, others?: Others): Promise<readonly string[]>;
  /** The last commit of each tenant, for {@link Others}; empty where only one process writes. */
  commits(): Promise<ReadonlyMap<string, bigint>>;
  /** The stored position of a journal, 0n when there is none. */
  committedPosition(journal: string): Promise<bigint>;
  /** Tenants that have blocks, sorted. */
  tenants(): Promise<string[]>;
  /** Days (`YYYY-MM-DD`) that hold blocks, ascending. */
  days(): Promise<string[]>;
  /** All blocks of a day, any order: what the archive copies. */
  blocksOfDay(tenant: string, day: string): AsyncIterable<FoundBlock>;
  /** Drops a day's blocks and keys whole; rollups, snapshots and insights have their own retention. */
  dropDay(day: string): Promise<void>;
}

/**
 * What keeps a warm tier small, in the background and by any process. Merging MUST NOT be noticed by a reader: one that began before
 * `replaceBlocks` sees what was replaced, one that begins after sees what took its place, and none sees both.
 */
export interface Upkeep {
  /** What `BlockSelector.version` takes: the blocks as they are now. */
  version(): Promise<bigint>;
  /**
   * Blocks of a day that are worth merging, of fewer than about MERGED_RECORDS records, by shard and then in the order of time: those
   * after `after` whose newest record is not past `until`.
   */
  smallBlocks(
    tenant: string,
    day: string,
    range: { after?: SmallBlock; until: bigint; limit: number },
  ): Promise<SmallBlock[]>;
  /**
   * Puts `by` in the place of blocks of its tenant, shard and day, in one transaction. Their bytes stay for readers that began before.
   * @returns false, and nothing has changed, when one of them is not there any more: another process has merged it
   */
  replaceBlocks(replaced: readonly string[], by: Block): Promise<boolean>;
  /** Deletes what was replaced before this version. @returns how many blocks */
  forgetReplaced(before: bigint): Promise<number>;
  /**
   * Adds up the minutes of hours that have ended for {@link RowStore.componentSums}, which answers the same before and after: what a commit
   * brings to such an hour later counts at once.
   * @param before hours that ended by then, nanoseconds
   * @returns how many hours were counted, `limit` at most, the newest first
   */
  countHours(tenant: string, range: { before: bigint; limit: number }): Promise<number>;
  /**
   * Deletes minutes, snapshots, trace correlations, resources and templates that no block needs any more, and insights that have expired, a few
   * at a time. Rows are kept while their own time is retained, and as long as blocks of that time are.
   * @param before times of the record before this one are not retained any more
   * @param pinnedSnapshots ids of those that stay
   */
  prune(before: bigint, pinnedSnapshots: readonly string[]): Promise<void>;
  /** What the store takes of the data folder, in bytes; 0 for one that lies elsewhere. */
  diskBytes(): Promise<number>;
  /** Gives the disk back what is free within the store, a little at a time. */
  giveBack(): Promise<void>;
  /** Takes a name for so long, or prolongs it. @returns false while another holder has it */
  takeLease(name: string, holder: string, durationMs: number): Promise<boolean>;
  /** Nothing when another has it by now. */
  endLease(name: string, holder: string): Promise<void>;
  /** Names that somebody holds now and that begin so. */
  leases(prefix: string): Promise<string[]>;
}

export interface SmallBlock extends FoundBlock {
  shard: number;
}

/** From so many records on a block is left as it is. */
export const MERGED_RECORDS = 1024;

/** The cold tier: immutable files, the manifest committed last. Putting the same block again changes nothing. */
export interface ColdStore extends Part, BlockReader {
  readonly tier: 'cold';
  put(block: FoundBlock): Promise<void>;
  /** Makes what was put since the last seal readable, durably. */
  seal(): Promise<void>;
  /**
   * Reads back what is sealed of a day and compares it with what was put: checksums of the files, each block's index.
   * @param expected by block id the hash of its index as the warm tier has it, by model/hash.ts
   * @throws DebugError INTERNAL that says what is not as it should be
   */
  verify(tenant: string, day: string, expected: ReadonlyMap<string, bigint>): Promise<void>;
  /** What there is, the oldest day first. */
  days(): Promise<ArchivedDay[]>;
  /** All blocks of a day, any order, each once. @throws where a file cannot be read: half a day is not to be taken for a whole one */
  blocksOfDay(tenant: string, day: string): AsyncIterable<FoundBlock>;
  /** Deletes a day but for the blocks that are to be kept, and what interrupted runs left of it. */
  dropDay(tenant: string, day: string, keeps: (block: FoundBlock) => boolean): Promise<void>;
  /** What the rows said of a day, beside its events. Put again it changes nothing. */
  putRows(tenant: string, day: string, rows: AsyncIterable<ArchivedRows>): Promise<void>;
  rows(tenant: string, day: string): AsyncIterable<ArchivedRows>;
}

export interface ArchivedDay {
  tenant: string;
  day: string;
  files: number;
  blocks: number;
  records: number;
  bytes: number;
}

/** Rows of an hour or less. */
export type ArchivedRows = Pick<
  Flush,
  'componentMinutes' | 'templateMinutes' | 'edgeMinutes' | 'templates' | 'traceCorrelations' | 'snapshots' | 'resources'
> & { insights: readonly Insight[] };

/** What is small or changes: ordinary rows. */
export interface RowStore {
  /** Minutes in [start, end], ascending; of one component when given. */
  componentMinutes(tenant: string, range: MinuteRange): Promise<ComponentMinute[]>;
  templateMinutes(tenant: string, range: TemplateRange): Promise<TemplateMinute[]>;
  /** The same of all records in [start, end] by template and component: a day of errors is tens of thousands of minutes. Any order. */
  templateSums(tenant: string, window: TemplateWindow): Promise<TemplateSum[]>;
  /** Those of these templates that have a record in a minute from `start` on and before `end`. */
  templatesSeen(tenant: string, ids: readonly string[], range: { start: bigint; end: bigint }): Promise<string[]>;
  /** All minutes in [start, end] of each component together, but for latency: a day of forty components is 57,600 minutes. Any order. */
  componentSums(tenant: string, range: MinuteRange): Promise<ComponentSum[]>;
  /** Who called whom in the minutes in [start, end], ascending; what was taken back whole is left out. */
  edgeMinutes(tenant: string, range: { start: bigint; end: bigint }): Promise<EdgeMinute[]>;
  /** The same minutes of each edge together. Any order. */
  edgeSums(tenant: string, range: { start: bigint; end: bigint }): Promise<EdgeSum[]>;
  /** Those of the given ids that exist; without ids all that there are. */
  templates(tenant: string, ids?: readonly string[]): Promise<Template[]>;
  /** What is known of these traces, and of all traces of these correlations. */
  traceCorrelations(
    tenant: string,
    about: { traces?: readonly string[]; correlations?: readonly string[] },
  ): Promise<TraceCorrelation[]>;
  /** Newest first, then by id descending. */
  snapshots(tenant: string, query: SnapshotQuery): Promise<Snapshot[]>;
  /** Those that spoke at or before the end and at or after the start, the one that spoke last first, then by hash, component type and id. */
  resources(tenant: string, query: ResourceQuery): Promise<Resource[]>;
  insight(tenant: string, id: string): Promise<Insight | null>;
  /** By `last_seen` descending, then id descending. */
  insights(tenant: string, query: InsightQuery): Promise<Insight[]>;
  /**
   * Reads the insight of this id, passes it (or null) to `change` and stores what comes back, as one atomic step even against other
   * processes; null stores nothing. `change` MUST be pure: it may run again.
   */
  changeInsight(
    tenant: string,
    id: string,
    change: (current: Insight | null) => Insight | null,
  ): Promise<Insight | null>;
  session(tenant: string, id: string): Promise<Session | null>;
  /** Newest first. */
  sessions(tenant: string, query: { active?: boolean; limit: number }): Promise<Session[]>;
  putSession(tenant: string, session: Session): Promise<void>;
}

export interface MinuteRange {
  start: bigint;
  end: bigint;
  component_type?: string;
  component_id?: string;
}

export interface TemplateRange extends MinuteRange {
  template_id?: string;
  /** Only minutes with an error: at ERROR and above. */
  errors?: true;
}

export interface ResourceQuery extends MinuteRange {
  limit: number;
}

export interface ComponentSum extends Omit<ComponentMinute, 'minute' | 'latency' | 'untold'> {
  /** Of minutes of which that is not known, all errors. */
  untold: number;
}
export type EdgeSum = Omit<EdgeMinute, 'minute'>;

/** Minutes of which a record lies in [start, end]. */
export interface TemplateWindow {
  start: bigint;
  end: bigint;
  /** Only minutes with an error: at ERROR and above. */
  errors?: true;
  /** What {@link TemplateSum.earlier} counts. */
  middle: bigint;
}

export interface TemplateSum extends Omit<TemplateMinute, 'minute'> {
  /** Of `count`, what lies in minutes that begin before the window's middle. */
  earlier: number;
}

export interface SnapshotQuery {
  component_type?: string;
  component_id?: string;
  node_id?: string;
  operation_id?: string;
  correlation_id?: string;
  checkpoint_name?: string;
  start?: bigint;
  end?: bigint;
  limit: number;
}

export interface InsightQuery {
  insight_type?: InsightType;
  severity?: Severity;
  scope?: Scope;
  states?: readonly InsightState[];
  component_type?: string;
  component_id?: string;
  correlation_id?: string;
  operation_id?: string;
  /** Of `last_seen`, nanoseconds. */
  start?: bigint;
  end?: bigint;
  /** Only what was stored or changed later than this: `updated_at`, RFC 3339 as we write it. */
  changed_since?: string;
  /** Continue after this insight: its `last_seen` and id. */
  after?: { last_seen: string; id: string };
  limit: number;
}

/**
 * The live feed: what was just stored, to every process that shows it. Best effort by design: a message is lost when nobody
 * listens or the way is down, and readers learn of it by the feed's own gaps. Publishing MUST NOT wait, throw or slow
 * ingest; what cannot be sent is dropped and counted.
 */
export interface Feed extends Part {
  publish(message: FeedMessage): void;
  /** @returns the function that ends it */
  subscribe(listener: (message: FeedMessage) => void): () => void;
}

/** Blocks travel whole, 512 events a message: one message per event costs ten times as much (PERF.md). */
export type FeedMessage =
  | { kind: 'block'; tenant: string; index: Uint8Array; payload: Uint8Array }
  | { kind: 'insight'; tenant: string; change: InsightChanged; insight: Insight };

/** `worsened`: graver than before; `recurred`: begins again after it was quiet for a while; `updated`: nothing of that. */
export type InsightChanged = 'opened' | 'updated' | 'resolved' | 'regressed' | 'worsened' | 'recurred';
