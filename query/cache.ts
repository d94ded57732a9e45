/**
 * What was read lately, until something arrives that makes it wrong. It holds what answers are made of (counts of components, latest
 * snapshots, insights), not answers: an answer is put together for its own instant each time, so that `as_of` and a window that moves with
 * the clock stay true.
 *
 * Every entry has topics, each of one tenant: what is told by {@link Cache.arrived} and {@link Cache.observe} takes the entries of its
 * topics out. A read that is under way when its topic is told of is given to those who waited for it, as they asked before, and is not
 * kept. Many who ask for the same at once wait for one read.
 *
 * What this process stores is never stale. What others store is told of by the live feed, milliseconds after it was stored; as that may
 * lose a message, entries live shorter where others write: {@link FEED_TTL_MS} at most.
 */
import { LRUCache } from 'lru-cache';
import type { Clock } from '../base/clock.ts';
import type { Meter } from '../base/meter.ts';
import { decodeIndex } from '../model/block.ts';
import { EVENT_TYPES } from '../model/event.ts';
import type { Insight } from '../model/insight.ts';
import type { FeedMessage } from '../storage/contract.ts';
import { forEverybody } from './cancellation.ts';

export interface CacheSettings {
  /** `DEBUG_CACHE_MAX_SIZE`: the least lately used goes first. */
  entriesMax: number;
  /** Above 0: the age from which an entry is read again whatever arrived. */
  ttlMs: number;
  clock: Pick<Clock, 'monotonicMs'>;
  meter: Meter;
}

/** Names what is read; all of it together is the key. */
export interface CacheKey {
  kind: 'counts' | 'snapshots' | 'insight' | 'insights';
  tenant: string;
  question: string;
  /** While it is read: what would make it wrong. */
  topics: readonly string[];
}

/** How something that was read is kept. */
export interface Keeping {
  topics: readonly string[];
  /** About. */
  bytes: number;
}

export interface Cache {
  /**
   * What `load` gave for this key, or gives now. What comes back is shared: callers MUST NOT change it.
   * @param keeping null for what is not to be kept
   */
  read<T extends object>(key: CacheKey, load: () => Promise<T>, keeping: (value: T) => Keeping | null): Promise<T>;
  /** Telemetry was stored. @param components ids of those that it is of  @param states ids of those of which it has snapshots */
  arrived(tenant: string, components: Iterable<string>, states: Iterable<string>): void;
  /** The same from a message of the live feed, and insights that were stored or changed. */
  observe(message: FeedMessage): void;
  clear(): void;
  stats(): CacheStats;
}

export interface CacheStats {
  entries: number;
  hits: number;
  misses: number;
  /** Pushed out by others. */
  evictions: number;
  /** Taken out because something arrived, or by {@link Cache.clear}. */
  invalidations: number;
  /** 0 to 1; null before the first read. */
  hit_rate: number | null;
}

/** The topics of entries: of telemetry by component id, and of insights by id and by component id. */
export const TOPICS = {
  /** Of all components together. */
  telemetry: 'telemetry',
  component: (id: string) => `component ${id}`,
  /** Of its snapshots alone. */
  state: (id: string) => `state ${id}`,
  /** Of any insight. */
  insights: 'insights',
  insight: (id: string) => `insight ${id}`,
  insightsOf: (componentId: string) => `insights ${componentId}`,
};

// How long a health may be wrong when the feed between processes lost the message that would have said so.
export const FEED_TTL_MS = 10_000;
// Without a feed between them: what is acknowledged can be read within a second, wherever it is asked for.
export const UNTOLD_TTL_MS = 1_000;
// A thousand entries of some kilobytes are a few megabytes; states may be larger.
const BYTES_MAX = 64 << 20;
export const ENTRY_BYTES_MAX = 1 << 20;

export function createCache({ entriesMax, ttlMs, clock, meter }: CacheSettings): Cache {
  const requests = meter.counter('cache_requests_total', 'Reads of the query cache', ['kind', 'outcome']);
  const evicted = meter.counter('cache_evictions_total', 'Entries of the query cache pushed out by others');
  const expired = meter.counter('cache_expirations_total', 'Entries of the query cache that were too old');
  const invalidated = meter.counter(
    'cache_invalidations_total',
    'Entries of the query cache that something made wrong',
  );
  const counts = { hits: 0, misses: 0, evictions: 0, invalidations: 0 };
  const flights = new Map<string, Flight>();
  /** By tenant and topic. */
  const byTopic = new Map<string, Set<Held>>();

  const entries = new LRUCache<string, Entry>({
    max: entriesMax,
    maxSize: BYTES_MAX,
    maxEntrySize: ENTRY_BYTES_MAX,
    sizeCalculation: ({ bytes }) => bytes,
    ttl: ttlMs,
    ttlResolution: 0,
    perf: { now: () => clock.monotonicMs() },
    disposeAfter: (entry, _key, reason) => {
      forget(entry);
      if (reason === 'evict') {
        counts.evictions++;
        evicted.inc();
      } else if (reason === 'expire') expired.inc();
    },
  });
  meter.gauge('cache_entries', 'Entries of the query cache', () => entries.size);

  function remember(held: Held): void {
    for (const topic of held.topics) {
      const others = byTopic.get(topic);
      if (others === undefined) byTopic.set(topic, new Set([held]));
      else others.add(held);
    }
  }

  function forget(held: Held): void {
    for (const topic of held.topics) {
      const others = byTopic.get(topic);
      if (others?.delete(held) && others.size === 0) byTopic.delete(topic);
    }
  }

  function tell(tenant: string, topics: Iterable<string>): void {
    for (const topic of topics) {
      for (const held of [...(byTopic.get(`${tenant}\0${topic}`) ?? [])]) {
        forget(held);
        if (flights.get(held.key) === held) flights.delete(held.key);
        if (entries.peek(held.key, { allowStale: true }) !== held) continue;
        entries.delete(held.key);
        counts.invalidations++;
        invalidated.inc();
      }
    }
  }

  function arrived(tenant: string, components: Iterable<string>, states: Iterable<string>): void {
    if (byTopic.size === 0) return;
    const topics = new Set([TOPICS.telemetry]);
    for (const id of components) topics.add(TOPICS.component(id));
    for (const id of states) topics.add(TOPICS.state(id));
    tell(tenant, topics);
  }

  async function load<T extends object>(
    key: string,
    { tenant, topics }: CacheKey,
    read: () => Promise<T>,
    keeping: (value: T) => Keeping | null,
  ): Promise<T> {
    const named = (topics: readonly string[]) => topics.map((topic) => `${tenant}\0${topic}`);
    const reading = forEverybody(read);
    const flight: Flight = { key, topics: named(topics), value: reading };
    flights.set(key, flight);
    remember(flight);
    try {
      const value = await reading;
      const kept = keeping(value);
      // Gone where something arrived meanwhile: this is what was before it.
      if (flights.get(key) !== flight || kept === null || kept.bytes > ENTRY_BYTES_MAX) return value;
      const entry: Entry = { key, value, topics: named(kept.topics), bytes: kept.bytes };
      entries.set(key, entry);
      remember(entry);
      return value;
    } finally {
      forget(flight);
      if (flights.get(key) === flight) flights.delete(key);
    }
  }

  return {
    read(about, read, keeping) {
      const key = `${about.tenant}\0${about.kind}\0${about.question}`;
      const known = entries.get(key)?.value ?? flights.get(key)?.value;
      const outcome = known === undefined ? 'miss' : 'hit';
      requests.inc({ kind: about.kind, outcome });
      counts[known === undefined ? 'misses' : 'hits']++;
      if (known === undefined) return load(key, about, read, keeping);
      return Promise.resolve(known) as ReturnType<typeof read>;
    },

    arrived,

    observe(message) {
      if (byTopic.size === 0) return;
      if (message.kind === 'insight') tell(message.tenant, topicsOf(message.insight));
      else {
        const { header, columns } = decodeIndex(message.index);
        const states = new Set<string>();
        for (let i = columns.type.indexOf(SNAPSHOT); i !== -1; i = columns.type.indexOf(SNAPSHOT, i + 1))
          states.add(header.components[columns.component[i]!]!.id);
        arrived(
          message.tenant,
          header.components.map(({ id }) => id),
          states,
        );
      }
    },

    clear() {
      counts.invalidations += entries.size;
      invalidated.inc(entries.size);
      flights.clear();
      entries.clear();
      byTopic.clear();
    },

    stats: () => {
      const reads = counts.hits + counts.misses;
      return { entries: entries.size, ...counts, hit_rate: reads === 0 ? null : counts.hits / reads };
    },
  };
}

interface Held {
  readonly key: string;
  /** With their tenant. */
  readonly topics: readonly string[];
}

interface Entry extends Held {
  readonly value: object;
  readonly bytes: number;
}

interface Flight extends Held {
  readonly value: Promise<object>;
}

const SNAPSHOT = EVENT_TYPES.indexOf('state_snapshot');

function topicsOf({ id, affected_components }: Insight): string[] {
  return [TOPICS.insights, TOPICS.insight(id), ...affected_components.map((each) => TOPICS.insightsOf(each.id))];
}
