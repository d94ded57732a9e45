/**
 * Merges the small blocks of quiet hours in the background. A service that logs ten records a second makes ten blocks a second: read
 * one by one they cost a hundred times what the same records cost in blocks of a thousand, and most of their bytes are headers.
 *
 * Blocks are merged within a tenant, shard and day, neighbours in time, and their records laid down correlation by correlation, so
 * that fewer blocks hold a piece of each. Only of the last two days: older ones may be on their way to the archive, which must not
 * find other blocks there when it comes a second time. And only what has left the hot tier: until then both would hold the same
 * records under different ids, and each would be read.
 */
import { randomUUID } from 'node:crypto';
import { setImmediate as nextTurn } from 'node:timers/promises';
import type { Clock } from '../base/clock.ts';
import type { Part } from '../base/lifecycle.ts';
import type { Logger } from '../base/log.ts';
import type { Meter } from '../base/meter.ts';
import { createPause } from '../base/pause.ts';
import { AttributeFilterBuilder } from '../model/attribute-filter.ts';
import {
  BLOCK_RECORDS_MAX,
  type Block,
  type BlockIndex,
  type BlockRecord,
  decodeIndex,
  decodePayload,
  type SourceEnvelope,
} from '../model/block.ts';
import { buildBlock } from '../model/block-builder.ts';
import { TextFilterBuilder } from '../model/text-filter.ts';
import { dayOf, NANOS_PER_DAY, NANOS_PER_HOUR, NANOS_PER_MS } from '../model/time.ts';
import { addContents } from './block-contents.ts';
import { MERGED_RECORDS, type SmallBlock, type WarmStore } from './contract.ts';

export interface MergerOptions {
  warm: WarmStore;
  /** Blocks with anything that arrived within this time are left alone: what the hot tier may still hold. */
  settleMs: number;
  clock: Clock;
  log: Logger;
  meter: Meter;
}

export interface MergeTally {
  /** Blocks that were replaced, and by how many. */
  replaced: number;
  merged: number;
}

export interface Merger extends Part {
  /** One round now, null while another process is at it. */
  run(): Promise<MergeTally | null>;
  /** The newest record of a tenant that was merged while this runs; -1n: none. Known before any reader sees the merged block. */
  mergedUntil(tenant: string): bigint;
}

const LEASE = 'merge';
const LEASE_MS = 120_000;
const ROUND_MS = 60_000;
/** Longer than any read: one that began before a merge finds what it replaced for so long. */
const KEPT_MS = 600_000;
// A round ends after so many: ten minutes of ten blocks a second, about a second of work in turns of ten milliseconds.
const BLOCKS_PER_ROUND = 6_000;
// An hour of forty components takes some 20 ms to count.
const HOURS_PER_ROUND = 24;
const CHUNK = 256;
// As the stores class blocks by their reach: a look-up for a moment opens the merged block of its hour, and no other.
const SPAN_NANOS = 3_600_000_000_000n;
// Below the target only so many at once are worth it, so that a record is written anew three times at most on its way there.
const BLOCKS_LEAST = 8;
// Decompressed: what a merge holds in memory, and what a reader of one record has to open.
const PAYLOAD_BYTES_MAX = 8 << 20;

export function createMerger({ warm, settleMs, clock, log, meter }: MergerOptions): Merger {
  const replaced = meter.counter('merge_blocks_replaced_total', 'Small blocks that were merged into larger ones.');
  const merged = meter.counter('merge_blocks_written_total', 'Blocks that merging has written.');
  const until = new Map<string, bigint>();
  const holder = randomUUID();
  let timer: NodeJS.Timeout | undefined;
  let round: Promise<unknown> = Promise.resolve();
  let stopping = false;

  async function run(): Promise<MergeTally | null> {
    if (!(await warm.takeLease(LEASE, holder, LEASE_MS))) return null;
    try {
      const tally = { replaced: 0, merged: 0 };
      const now = clock.nowNanos();
      const recent = new Set([dayOf(now), dayOf(now - NANOS_PER_DAY)]);
      const days = (await warm.days()).filter((day) => recent.has(day));
      for (const tenant of await warm.tenants()) for (const day of days) await mergeDay(tenant, day, now, tally);
      for (const tenant of await warm.tenants())
        await warm.countHours(tenant, { before: now - NANOS_PER_HOUR, limit: HOURS_PER_ROUND });
      await warm.forgetReplaced(now - BigInt(KEPT_MS) * NANOS_PER_MS);
      return tally;
    } finally {
      await warm.endLease(LEASE, holder);
    }
  }

  async function mergeDay(tenant: string, day: string, now: bigint, tally: MergeTally): Promise<void> {
    const settled = now - BigInt(settleMs) * NANOS_PER_MS;
    const pause = createPause();
    let group = new Group();
    let after: SmallBlock | undefined;
    const finish = async () => {
      if (group.isWorthIt) await replace(tenant, day, group, tally);
      group = new Group();
    };
    for (let more = true; more && !stopping && tally.replaced < BLOCKS_PER_ROUND; ) {
      const small = await warm.smallBlocks(tenant, day, {
        ...(after !== undefined && { after }),
        until: settled,
        limit: CHUNK,
      });
      for (const block of small) {
        await pause();
        const index = decodeIndex(block.index);
        if (index.count >= MERGED_RECORDS || !hasSettled(index, settled)) continue;
        if (!group.takes(block, index)) await finish();
        const payload = decodePayload(await block.payload());
        if (payload.length > PAYLOAD_BYTES_MAX / 2) continue;
        if (!group.fits(payload)) await finish();
        group.add(block, index, payload);
      }
      after = small.at(-1);
      more = small.length === CHUNK;
      if (more && !(await warm.takeLease(LEASE, holder, LEASE_MS))) return;
    }
    await finish();
  }

  async function replace(tenant: string, day: string, group: Group, tally: MergeTally): Promise<void> {
    const block = group.merge(tenant, day);
    const newest = until.get(tenant) ?? -1n;
    if (block.timeMax > newest) until.set(tenant, block.timeMax);
    if (!(await warm.replaceBlocks(group.ids, block))) return; // somebody else has merged one of them
    replaced.inc(group.ids.length);
    merged.inc();
    tally.replaced += group.ids.length;
    tally.merged++;
    await nextTurn();
  }

  function next(): void {
    round = round.then(run).catch((error) => log.warn({ err: error }, 'merging failed; it is tried again in a minute'));
  }

  return {
    name: 'merger',
    run,
    mergedUntil: (tenant) => until.get(tenant) ?? -1n,
    async start() {
      stopping = false;
      timer ??= setInterval(next, ROUND_MS).unref();
    },
    async stop() {
      stopping = true;
      clearInterval(timer);
      timer = undefined;
      await round;
    },
  };
}

/** Neighbours of one shard that become one block. */
class Group {
  readonly #sources: { index: BlockIndex; payload: Uint8Array }[] = [];
  readonly ids: string[] = [];
  #shard = 0;
  #records = 0;
  #bytes = 0;
  #start = 0n;

  takes({ shard, timeMin, timeMax }: SmallBlock, { count }: BlockIndex): boolean {
    if (this.ids.length === 0) return true;
    const start = timeMin < this.#start ? timeMin : this.#start;
    return shard === this.#shard && this.#records + count <= BLOCK_RECORDS_MAX && timeMax - start <= SPAN_NANOS;
  }

  fits(payload: Uint8Array): boolean {
    return this.#bytes + payload.length <= PAYLOAD_BYTES_MAX;
  }

  add({ id, shard, timeMin }: SmallBlock, index: BlockIndex, payload: Uint8Array): void {
    if (this.ids.length === 0 || timeMin < this.#start) this.#start = timeMin;
    this.#shard = shard;
    this.#records += index.count;
    this.#bytes += payload.length;
    this.ids.push(id);
    this.#sources.push({ index, payload });
  }

  get isWorthIt(): boolean {
    return this.ids.length >= 2 && (this.#records >= MERGED_RECORDS || this.ids.length >= BLOCKS_LEAST);
  }

  merge(tenant: string, day: string): Block {
    const texts = new TextFilterBuilder();
    const attributes = new AttributeFilterBuilder();
    for (const { index, payload } of this.#sources) {
      addContents(index, payload, { attributes: [attributes], texts: [texts] });
    }
    const records = byCorrelation(this.#sources.flatMap(recordsOf));
    return buildBlock(tenant, this.#shard, day, records, { texts, attributes });
  }
}

function hasSettled({ header, columns }: BlockIndex, settled: bigint): boolean {
  return header.receivedAt + BigInt(columns.received.reduce((a, b) => Math.max(a, b), 0)) * 1000n <= settled;
}

/** The records as {@link buildBlock} was given them. */
function recordsOf({ index, payload }: { index: BlockIndex; payload: Uint8Array }): BlockRecord[] {
  const { header, columns, count } = index;
  const envelopes = header.envelopes.map(
    (envelope): SourceEnvelope => ({
      resourceStart: envelope.resourceStart,
      resourceEnd: envelope.resourceStart + envelope.resourceLength,
      resourceSchemaUrl: envelope.resourceSchemaUrl,
      scopeStart: envelope.scopeStart,
      scopeEnd: envelope.scopeStart + envelope.scopeLength,
      scopeSchemaUrl: envelope.scopeSchemaUrl,
      nodeId: envelope.nodeId,
    }),
  );
  const named = (values: readonly string[], code: number) => (code === 0 ? null : values[code - 1]!);
  return Array.from({ length: count }, (_, i) => ({
    time: columns.time[i]!,
    hash: columns.hash[i]!,
    type: columns.type[i]!,
    signal: columns.signal[i]!,
    severity: columns.severity[i]!,
    part: columns.part[i]!,
    component: header.components[columns.component[i]!]!,
    correlation: named(header.correlations, columns.correlation[i]!),
    operation: named(header.operations, columns.operation[i]!),
    trace: named(header.traces, columns.trace[i]!),
    template: named(header.templates, columns.template[i]!),
    envelope: envelopes[columns.envelope[i]!]!,
    body: payload,
    start: columns.start[i]!,
    end: columns.start[i]! + columns.length[i]!,
    receivedAt: header.receivedAt + BigInt(columns.received[i]!) * 1000n,
  }));
}

/**
 * Each once, correlation by correlation in the order in which they begin. The events of a span and the points of a metric stay behind
 * their owner, whatever they carry themselves: they share its bytes.
 */
function byCorrelation(records: readonly BlockRecord[]): BlockRecord[] {
  const known = new Set<string>();
  const groups = new Map<string, BlockRecord[]>();
  let owner: BlockRecord | undefined;
  let group: BlockRecord[] = [];
  for (const record of records) {
    const name = `${record.time} ${record.hash}`;
    if (known.has(name)) continue;
    known.add(name);
    if (record.body !== owner?.body || record.start !== owner.start) {
      owner = record;
      const key = record.correlation ?? record.trace ?? '';
      const same = groups.get(key);
      if (same === undefined) groups.set(key, (group = []));
      else group = same;
    }
    group.push(record);
  }
  return [...groups.values()].flat();
}
