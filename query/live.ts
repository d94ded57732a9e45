/**
 * The live hub: takes what was just stored from the feed and hands it to whoever listens, as the messages of CONTRACT section 5.
 *
 * Blocks are opened only when somebody listens, records decoded only when somebody's filter wants them, and each message is
 * serialised once, however many readers it has. The last minutes of the feed are kept as they came, so that a reader who lost its
 * connection resumes where it was. Messages go through one queue: they reach every reader in the order of the feed.
 */
import { randomUUID } from 'node:crypto';
import { LRUCache } from 'lru-cache';
import type { Clock } from '../base/clock.ts';
import type { Part } from '../base/lifecycle.ts';
import type { Logger } from '../base/log.ts';
import type { Meter } from '../base/meter.ts';
import { createPause, type Pause } from '../base/pause.ts';
import { type BlockIndex, decodeIndex, decodePayload } from '../model/block.ts';
import { type DebugEvent, EVENT_TYPES } from '../model/event.ts';
import { parseEventId } from '../model/ids.ts';
import type { Insight } from '../model/insight.ts';
import { formatNanos } from '../model/time.ts';
import { readBlock } from '../otlp/read.ts';
import type { Feed, FeedMessage, InsightChanged, RowStore } from '../storage/contract.ts';
import { type Audience, type BlockMatcher, createAudience, type Group, matcherOf, presentIn } from './live-audience.ts';
import { type Channel, ChannelIndex } from './live-channels.ts';
import { type CompiledFilter, compileFilter, type LiveFilter, type MessageType, messageTypeOf } from './live-filter.ts';
import { createFlusher, type Flusher } from './live-flusher.ts';
import { FeedRing } from './live-ring.ts';
import { createTextFinder, type TextFinder } from './live-texts.ts';
import { describeSnapshot } from './state.ts';

export interface LiveNeeds {
  feed: Pick<Feed, 'subscribe'>;
  rows: Pick<RowStore, 'traceCorrelations' | 'snapshots'>;
  clock: Clock;
  log: Logger;
  meter: Meter;
  /** For work that others should not wait for; absent: it rests a turn now and then. */
  pause?: () => Pause;
}

export interface Live extends Part {
  /** When messages leave for readers. */
  readonly flusher: Flusher;
  /** Where the stream is now; opaque. */
  cursor(): string;
  /** @returns the function that ends it; nothing is delivered after it was called */
  subscribe(subscription: Subscription): () => void;
}

export interface Subscription {
  tenant: string;
  channel: Channel;
  filter: LiveFilter;
  /** A cursor of an earlier message: what came after it is delivered first, as far as it is still kept. */
  since?: string | undefined;
  /** MUST NOT throw or block. */
  deliver(message: LiveMessage): void;
  /** Something was not delivered and cannot be: null where nobody can tell how much. */
  gap(dropped: number | null): void;
}

export interface LiveMessage {
  readonly type: MessageType;
  /** The message as JSON for a channel. */
  text(channel: string): string;
  /** What follows its {@link headText}, the same for every channel and made once: UTF-8. */
  rest(): Uint8Array;
}

/** How the JSON of a message begins. */
export function headText(type: MessageType, channel: string): string {
  return `{"type":${JSON.stringify(type)},"channel":${JSON.stringify(channel)},`;
}

export function createLive({ feed, rows, clock, log, meter, pause: newPause = createPause }: LiveNeeds): Live {
  const epoch = randomUUID().slice(0, 8);
  const ring = new FeedRing(RING_MESSAGES_MAX, RING_BYTES_MAX);
  const readers = new ChannelIndex<Reader>();
  const filters = createSharedFilters();
  const correlations = new LRUCache<string, string>({ max: CORRELATIONS_MAX });
  const failures = meter.counter('live_failures_total', 'What the live feed could not do', ['what']);
  const complained = new Set<string>();
  meter.gauge('live_subscriptions', 'Live subscriptions', () => readers.size);
  /** Readers of a channel by what they ask for, made again when somebody came or went. */
  let audiences = new WeakMap<ReadonlySet<Reader>, Audience<Reader>>();
  let stamped = { nanos: 0n, text: '' };
  let queue: Promise<void> = Promise.resolve();
  let queued = 0;
  let pause = newPause();
  /** Messages were skipped behind the last one queued; readers are told where they would have stood. */
  let overflowed = false;
  /** The last message that went through the queue. */
  let delivered = 0;
  let unsubscribe: (() => void) | null = null;

  function take(message: FeedMessage): void {
    const sequence = ring.push(message);
    if (queued === 0 && readers.size === 0) delivered = sequence;
    else if (queued >= QUEUED_MAX) overflowed = true;
    else {
      const behindGap = overflowed;
      overflowed = false;
      enqueue(async () => {
        if (behindGap) tellGap();
        // Counted as passed before it is looked at: what fails once would fail again.
        delivered = sequence;
        try {
          await show(message, sequence, readers);
        } catch (error) {
          failed(error, 'a message of the live feed could not be shown');
          tellGap();
        }
      });
    }
  }

  function enqueue(job: () => Promise<void>): void {
    if (queued++ === 0) pause = newPause();
    queue = queue
      .then(job)
      .catch((error) => failed(error, 'a reader could not resume'))
      .finally(() => {
        if (--queued > 0 || !overflowed) return;
        overflowed = false;
        tellGap();
      });
  }

  function audienceOf(readers: ReadonlySet<Reader>): Audience<Reader> {
    let audience = audiences.get(readers);
    if (audience === undefined) {
      audience = createAudience(readers);
      audiences.set(readers, audience);
    }
    return audience;
  }

  function add(reader: Reader): void {
    readers.add(reader);
    audiences = new WeakMap();
  }

  function failed(error: unknown, what: string): void {
    failures.inc({ what });
    if (!complained.has(what)) log.error({ err: error }, what);
    complained.add(what);
  }

  function tellGap(): void {
    for (const reader of readers.all()) reader.gap(null);
  }

  /** @param after the position within the message behind which to begin */
  async function show(message: FeedMessage, sequence: number, to: ChannelIndex<Reader>, after = -1): Promise<void> {
    if (message.kind === 'insight') showInsight(message, sequence, to);
    else await showBlock(message, sequence, to, after);
  }

  function showInsight(message: FeedMessage & { kind: 'insight' }, sequence: number, to: ChannelIndex<Reader>): void {
    const { tenant, change, insight } = message;
    const channels = to.channels(tenant);
    if (channels === undefined) return;
    const heard = new Set([
      ...channels.all,
      ...insight.affected_components.flatMap(({ id }) => [...(channels.component.get(id) ?? [])]),
      ...(channels.correlation.get(insight.correlation_id ?? '') ?? []),
    ]);
    for (const type of isAlert(insight, change) ? ALERT : INSIGHT) {
      const live = messageOf(type, sequence, 0, { ...insight, change });
      for (const reader of heard) if (reader.filter.insight(insight, type)) reader.deliver(live);
    }
  }

  async function showBlock(
    message: FeedMessage & { kind: 'block' },
    sequence: number,
    to: ChannelIndex<Reader>,
    after: number,
  ): Promise<void> {
    const { tenant } = message;
    const channels = to.channels(tenant);
    if (channels === undefined) return;
    const index = decodeIndex(message.index);
    const { header, columns, count } = index;
    const present = presentIn(index);
    const match = (readers: ReadonlySet<Reader> | undefined) =>
      readers === undefined ? null : matcherOf(audienceOf(readers), index, present);
    const ofAll = match(channels.all);
    const ofComponents = header.components.map(({ id }) => match(channels.component.get(id)));
    const byCorrelation = new Map([...channels.correlation].map(([id, readers]) => [id, match(readers)]));
    if (ofAll === null && byCorrelation.size === 0 && ofComponents.every((match) => match === null)) return;

    const correlationOfTrace = await knownCorrelations(tenant, index);
    let records: ReturnType<typeof readBlock> | undefined;
    let described = 0;
    for (let i = after + 1; i < count; i++) {
      const rest = pause();
      if (rest !== undefined) await rest;
      const trace = header.traces[columns.trace[i]! - 1];
      // As in paged queries: what it says itself, what its trace belongs to, and the trace.
      const ids = [header.correlations[columns.correlation[i]! - 1], trace && correlationOfTrace(trace), trace];
      const ofCorrelations =
        byCorrelation.size === 0 ? NO_MATCHERS : [...new Set(ids)].map((id) => byCorrelation.get(id!) ?? null);
      const concerned: BlockMatcher<Reader>[] = [];
      for (const each of [ofAll, ofComponents[columns.component[i]!]!, ...ofCorrelations])
        if (each?.mayWant(i)) concerned.push(each);
      if (concerned.length === 0) continue;
      records ??= readBlock(index, decodePayload(message.payload));
      const event = records.event(i, correlationOfTrace);
      const type = messageTypeOf(EVENT_TYPES[columns.type[i]!]!);
      const heard: Group<Reader>[] = [];
      let said: ReadonlySet<string> | undefined;
      for (const each of concerned) {
        if (each.looksForTexts(i)) said ??= filters.texts().find(event.message.toLowerCase());
        for (const group of each.wanting(i, said)) {
          if ((group.test.record?.(i, ids) ?? true) && (group.filter.event?.(event) ?? true)) heard.push(group);
        }
      }
      if (heard.length === 0) continue;
      const data = type === 'debug:state_change' && described++ < DESCRIBED_MAX ? await withDiff(tenant, event) : event;
      const live = messageOf(type, sequence, i, data);
      for (const { readers } of heard) for (const reader of readers) reader.deliver(live);
    }
  }

  /** What the traces of a block belong to, from the block itself, what was seen lately, or the store. */
  async function knownCorrelations(
    tenant: string,
    { header }: BlockIndex,
  ): Promise<(trace: string) => string | undefined> {
    const unknown = header.traces.filter((trace) => !correlations.has(`${tenant}\0${trace}`));
    if (unknown.length > 0) {
      try {
        for (const { trace_id, correlation_id } of await rows.traceCorrelations(tenant, { traces: unknown })) {
          correlations.set(`${tenant}\0${trace_id}`, correlation_id);
        }
      } catch (error) {
        // A record without the correlation of its trace is worth more than none.
        failed(error, 'correlations of live records could not be read');
      }
    }
    return (trace) => correlations.get(`${tenant}\0${trace}`);
  }

  /** A snapshot's event, and what the snapshot changed. */
  async function withDiff(tenant: string, event: DebugEvent): Promise<object> {
    const { time } = parseEventId(event.id)!;
    const { component_type, component_id } = event;
    const instant = { component_type, component_id, start: time, end: time, limit: DESCRIBED_MAX };
    try {
      const snapshot = (await rows.snapshots(tenant, instant)).find(({ id }) => id === event.id);
      return snapshot === undefined ? event : { ...event, ...(await describeSnapshot(rows, tenant, snapshot)) };
    } catch (error) {
      failed(error, 'what a live snapshot changed could not be read');
      return event;
    }
  }

  function messageOf(type: MessageType, sequence: number, position: number, data: object): LiveMessage {
    let text: string | undefined;
    let bytes: Buffer | undefined;
    const rest = () =>
      (text ??= `"timestamp":"${timestampNow()}","cursor":"${cursorOf(sequence, position)}","data":${dataText(data)}}`);
    return {
      type,
      text: (channel) => headText(type, channel) + rest(),
      rest: () => (bytes ??= Buffer.from(rest())),
    };
  }

  /** To the millisecond in which messages are made: thousands share one. */
  function timestampNow(): string {
    const nanos = clock.nowNanos();
    if (nanos - stamped.nanos >= 1_000_000n || nanos < stamped.nanos) stamped = { nanos, text: formatNanos(nanos) };
    return stamped.text;
  }

  function cursorOf(sequence: number, position: number): string {
    return Buffer.from(`${epoch}.${sequence}.${position}`).toString('base64url');
  }

  async function replay(reader: Reader, since: string): Promise<void> {
    const [theirs, sequenceText, positionText] = Buffer.from(since, 'base64url').toString().split('.');
    const [sequence, position] = [Number(sequenceText), Number(positionText)];
    const mine = theirs === epoch && Number.isSafeInteger(sequence) && Number.isSafeInteger(position);
    if (!mine || sequence > delivered || !ring.holdsAfter(sequence, position === END)) {
      reader.gap(null);
      return;
    }
    const alone = new ChannelIndex<Reader>();
    alone.add(reader);
    for (const entry of ring.from(sequence)) {
      if (entry.sequence > delivered || reader.ended) return;
      await show(entry.message, entry.sequence, alone, entry.sequence === sequence ? position : -1);
    }
  }

  return {
    name: 'live',
    flusher: createFlusher(clock, newPause),
    async start() {
      unsubscribe ??= feed.subscribe(take);
    },
    async stop() {
      unsubscribe?.();
      unsubscribe = null;
      readers.clear();
      ring.clear();
      await queue;
    },
    cursor: () => cursorOf(delivered, END),
    subscribe({ tenant, channel, filter, since, deliver, gap }) {
      const reader: Reader = {
        tenant,
        channel,
        filter: filters.compiled(filter),
        ended: false,
        deliver: (message) => {
          if (!reader.ended) deliver(message);
        },
        gap: (dropped) => {
          if (!reader.ended) gap(dropped);
        },
      };
      const join = async () => {
        if (since !== undefined) await replay(reader, since);
        if (!reader.ended) add(reader);
      };
      // Behind what is being shown, so that a resumed reader misses nothing in between and gets nothing twice.
      if (queued === 0 && since === undefined) add(reader);
      else enqueue(join);
      return () => {
        if (!reader.ended) filters.released(reader.filter);
        reader.ended = true;
        readers.delete(reader);
        audiences = new WeakMap();
      };
    },
  };
}

/**
 * The resource and the scope of a block's records are one object each: most of a record's text, made once.
 * @param data of a message: an event with more beside it, or an insight
 */
function dataText(data: object): string {
  if (!('resource' in data) || !('scope' in data)) return JSON.stringify(data);
  const { resource, scope, ...own } = data as { resource: object; scope: object };
  return `${JSON.stringify(own).slice(0, -1)},"resource":${sharedText(resource)},"scope":${sharedText(scope)}}`;
}

function sharedText(shared: object): string {
  let text = sharedTexts.get(shared);
  if (text === undefined) {
    text = JSON.stringify(shared);
    sharedTexts.set(shared, text);
  }
  return text;
}

const sharedTexts = new WeakMap<object, string>();

/** One compiled filter for all who ask for the same, as long as one of them is there. */
function createSharedFilters() {
  const byText = new Map<string, { filter: CompiledFilter; uses: number }>();
  const texts = new WeakMap<CompiledFilter, string>();
  /** Of all filters; made when an event asks for it, as readers may come by the hundred. */
  let finder: TextFinder | null = null;
  return {
    texts(): TextFinder {
      finder ??= createTextFinder([...byText.values()].flatMap(({ filter }) => filter.text ?? []));
      return finder;
    },

    compiled(asked: LiveFilter): CompiledFilter {
      const text = JSON.stringify(asked);
      const known = byText.get(text) ?? { filter: compileFilter(asked), uses: 0 };
      if (known.uses === 0) finder = null;
      known.uses++;
      byText.set(text, known);
      texts.set(known.filter, text);
      return known.filter;
    },
    released(filter: CompiledFilter): void {
      const text = texts.get(filter)!;
      const known = byText.get(text);
      if (known === undefined || --known.uses > 0) return;
      byText.delete(text);
      finder = null;
    },
  };
}

const NO_MATCHERS: readonly (BlockMatcher<Reader> | null)[] = [];

interface Reader {
  tenant: string;
  channel: Channel;
  filter: CompiledFilter;
  ended: boolean;
  deliver(message: LiveMessage): void;
  gap(dropped: number | null): void;
}

// Some minutes of a busy feed: at 10,000 events a second 64 MB of blocks are about a minute, at 1,000 ten.
const RING_MESSAGES_MAX = 10_000;
const RING_BYTES_MAX = 64 << 20;
// Blocks waiting to be shown: beyond them showing has fallen seconds behind, and skipping is what keeps live live.
const QUEUED_MAX = 256;
const CORRELATIONS_MAX = 50_000;
// Each takes a look at the store; of more snapshots in one block the rest come without what they changed.
const DESCRIBED_MAX = 32;
/** The position behind the last record of any block. */
const END = 0xffff_ffff;

const INSIGHT = ['debug:insight'] as const;
const ALERT = ['debug:insight', 'debug:alert'] as const;

function isAlert({ severity }: Insight, change: InsightChanged): boolean {
  return severity !== 'info' && ALERTING.has(change);
}

const ALERTING: ReadonlySet<InsightChanged> = new Set(['opened', 'regressed', 'worsened', 'recurred']);
