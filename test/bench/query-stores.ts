/** Stores with a week of telemetry in them, and the query service over them. */
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Redis } from 'ioredis';
import pg from 'pg';
import type { Clock } from '../../base/clock.ts';
import { createLogger } from '../../base/log.ts';
import { createMeter } from '../../base/meter.ts';
import { createTenantTemplates } from '../../insight/templates.ts';
import { topologyOf } from '../../insight/topology.ts';
import { hashText } from '../../model/hash.ts';
import { eventId, hex64 } from '../../model/ids.ts';
import type { Insight } from '../../model/insight.ts';
import { dayOf, formatNanos, NANOS_PER_DAY, NANOS_PER_MINUTE } from '../../model/time.ts';
import { DEFAULT_KEYS } from '../../otlp/keys.ts';
import { createIndexer } from '../../otlp/walk.ts';
import { createQueryService, type QueryService } from '../../query/service.ts';
import { Calls } from '../../receiver/calls.ts';
import { derive } from '../../receiver/derive.ts';
import { createArchive } from '../../storage/archive/archive.ts';
import type { HotStore, WarmStore } from '../../storage/contract.ts';
import { createEmbeddedStore } from '../../storage/embedded/store.ts';
import { createMemoryHotStore } from '../../storage/memory/hot.ts';
import { createPostgresStore } from '../../storage/postgres/store.ts';
import { createRedisHotStore } from '../../storage/redis/hot.ts';
import { createTiers } from '../../storage/tiers.ts';
import { createDatabase, startPostgres } from '../support/postgres.ts';
import { startRedis } from '../support/redis.ts';
import { SERVICES, week } from './query-data.ts';
import { planOf, watchStatements } from './query-plans.ts';

export interface Loaded {
  service: QueryService;
  /** Nanoseconds: of the first and of the last event, about. */
  start: bigint;
  end: bigint;
  samples: Samples;
  events: number;
  bytesPerEvent: { hot: number; warm: number; blocks: number; cold: number };
  archive: { writtenPerSecond: number; readPerSecond: number };
  /** What loading took. */
  seconds: number;
  /** Of a store that has plans: of the statement that took longest since statements were forgotten. */
  planOfSlowest?(): Promise<string | undefined>;
  forgetStatements?(): void;
  stop(): Promise<void>;
}

/** What can be asked for: some of each, from all over the week. */
interface Samples {
  events: string[];
  hotEvents: string[];
  /** One of each slice of the last hour, which are a block or two each. */
  hotFirst: string[];
  traces: string[];
  correlations: string[];
  jobs: string[];
  values: { text: string; time: bigint }[];
}

const TENANT = 'default';
const HOUR = 3_600_000_000_000n;
const RETENTION_HOURS = 192;
const HOT_BYTES_MAX = 1 << 30;
const HOT_TTL_MS = 24 * 3_600_000;
const INSIGHTS = 2_000;
const SAMPLES_MAX = 500;

/** @param days over which the rows lie */
export async function loadPostgres(rows: number, days: number): Promise<Loaded> {
  const [postgres, redis] = await Promise.all([startPostgres(), startRedis()]);
  const database = await createDatabase(postgres.url);
  const shared = sharedOf();
  const warm = createPostgresStore({
    url: database.url,
    retentionHours: RETENTION_HOURS,
    partitionByDay: true,
    rowSecurity: 'on',
    ...shared,
  });
  const keyPrefix = 'bench';
  const hot = createRedisHotStore({
    ...{ url: redis.url, keyPrefix, ttlMs: HOT_TTL_MS, bytesMax: HOT_BYTES_MAX },
    ...shared,
  });
  const memory = new Redis(redis.url);
  const client = new pg.Client({ connectionString: database.url });
  await client.connect();
  await client.query('SET search_path = ai_debug');
  const slowest = watchStatements();
  const loaded = await load(
    { rows, days, warm, hot, soleWriter: false, shared },
    {
      hotBytes: async () => Number(/used_memory:(\d+)/.exec(await memory.info('memory'))![1]),
      async warmBytes() {
        await client.query('VACUUM (ANALYZE)');
        const size = (pattern: string) =>
          client.query(
            `SELECT coalesce(sum(pg_total_relation_size(c.oid)), 0)::bigint AS bytes FROM pg_class c
           WHERE relnamespace = 'ai_debug'::regnamespace AND relkind = 'r' AND relname ~ $1`,
            [pattern],
          );
        const [all, blocks] = await Promise.all([size('.'), size('^block')]);
        return { all: Number(all.rows[0].bytes), blocks: Number(blocks.rows[0].bytes) };
      },
      async close() {
        memory.disconnect();
        await client.end();
        await database.drop();
        await Promise.all([postgres.stop(), redis.stop()]);
      },
    },
  );
  return {
    ...loaded,
    forgetStatements: slowest,
    async planOfSlowest() {
      const statement = slowest();
      return statement === null ? undefined : `${statement.ms.toFixed(0)} ms\n${await planOf(client, statement)}`;
    },
  };
}

export async function loadEmbedded(rows: number, days: number): Promise<Loaded> {
  const directory = await mkdtemp(join(tmpdir(), 'ai-debug-bench-'));
  const shared = sharedOf();
  const warm = createEmbeddedStore({ directory, ...shared });
  const hot = createMemoryHotStore({ bytesMax: HOT_BYTES_MAX, ttlMs: HOT_TTL_MS, clock: shared.clock });
  return load(
    { rows, days, warm, hot, soleWriter: true, shared },
    {
      hotBytes: async () => Number.NaN,
      warmBytes: async () => ({ all: await warm.diskBytes(), blocks: Number.NaN }),
      close: () => rm(directory, { recursive: true }),
    },
  );
}

interface Stores {
  rows: number;
  days: number;
  warm: WarmStore;
  hot: HotStore;
  soleWriter: boolean;
  shared: ReturnType<typeof sharedOf>;
}

interface Yardstick {
  hotBytes(): Promise<number>;
  warmBytes(): Promise<{ all: number; blocks: number }>;
  close(): Promise<void>;
}

function sharedOf() {
  // Loading takes the time of what arrives; afterwards it goes on from there.
  const clock = new SetClock();
  return { clock, log: createLogger('warn'), meter: createMeter() };
}

class SetClock implements Clock {
  #nanos = BigInt(Date.now()) * 1_000_000n;
  #sinceMs = performance.now();

  set(nanos: bigint): void {
    this.#nanos = nanos;
    this.#sinceMs = performance.now();
  }

  nowNanos(): bigint {
    return this.#nanos + BigInt(Math.round((performance.now() - this.#sinceMs) * 1e6));
  }

  monotonicMs(): number {
    return performance.now();
  }
}

async function load({ rows, days, warm, hot, soleWriter, shared }: Stores, yardstick: Yardstick): Promise<Loaded> {
  const { clock } = shared;
  const folder = await mkdtemp(join(tmpdir(), 'ai-debug-bench-cold-'));
  const cold = createArchive({ url: `file:${folder}`, ...shared });
  for (const part of [warm, hot, cold]) await part.start();
  const end = clock.nowNanos();
  const start = end - BigInt(Math.round(days * 1440)) * NANOS_PER_MINUTE;
  const hotBefore = await yardstick.hotBytes();
  const begin = performance.now();
  const { samples, events, hotEvents } = await fill({ rows, days, warm, hot, soleWriter, shared }, start, end);
  const seconds = (performance.now() - begin) / 1000;
  clock.set(end);
  // As whoever merges does once an hour.
  await warm.countHours(TENANT, { before: end - HOUR, limit: 24 * 8 });
  await addInsights(warm, end);
  const { all, blocks } = await yardstick.warmBytes();
  const hotBytes = (await yardstick.hotBytes()) - hotBefore;
  const archive = await measureArchive(warm, cold, dayOf(start + (3n * (end - start)) / 7n));
  process.stderr.write(`${events} events loaded in ${seconds.toFixed(0)} s\n`);

  const tiers = createTiers({ hot, warm, cold, soleWriter, ...shared });
  const unused = async (): Promise<never> => {
    throw new Error('the bench asks no such thing');
  };
  const service = createQueryService({
    events: tiers.reader,
    rows: warm,
    redact: () => {},
    ingest: unused,
    settled: async () => ({ pending: 0 }),
    engine: { generate: unused, consistency: unused, explain: unused },
    rootCauses: unused,
    topology: topologyOf,
    publish: () => {},
    keys: DEFAULT_KEYS,
    retentionNanos: BigInt(RETENTION_HOURS) * HOUR,
    clock,
  });
  return {
    ...{ service, start, end, samples, events, seconds },
    bytesPerEvent: { hot: hotBytes / hotEvents, warm: all / events, blocks: blocks / events, cold: archive.bytes },
    archive,
    async stop() {
      for (const part of [cold, hot, warm]) await part.stop();
      await rm(folder, { recursive: true });
      await yardstick.close();
    },
  };
}

/** From OTLP to the store as the receiver does it; the next slice is made while the last one is committed. */
async function fill({ rows, warm, hot, soleWriter, shared: { clock } }: Stores, start: bigint, end: bigint) {
  const index = createIndexer(DEFAULT_KEYS);
  const templates = createTenantTemplates();
  const calls = new Calls();
  const samples: Samples = {
    events: [],
    hotEvents: [],
    hotFirst: [],
    traces: [],
    correlations: [],
    jobs: [],
    values: [],
  };
  const total = Math.max(1, Math.round(rows / 1024));
  let events = 0;
  let hotEvents = 0;
  let slices = 0;
  let committing: Promise<unknown> = Promise.resolve();
  for (const slice of week(rows, start, end)) {
    const arrivals = slice.requests.map(({ signal, body }) => ({
      receivedAt: slice.arrivedAt,
      records: index(signal, body).records,
    }));
    const derived = await derive(TENANT, arrivals, {
      retentionNanos: BigInt(RETENTION_HOURS) * HOUR,
      ...templates,
      calls,
    });
    await committing;
    clock.set(slice.arrivedAt);
    const isHot = slice.arrivedAt > end - HOUR || slices === total - 1;
    committing = warm.commit({ ...derived, ledger: null });
    // In one process everything that is written passes hot; Redis is given what it would still have.
    if (isHot || soleWriter) await hot.put(derived.blocks);
    events += slice.records;
    if (isHot || soleWriter) hotEvents += slice.records;
    for (const { records } of arrivals) {
      const { time, hash } = records.record(Math.floor(records.length / 2));
      take(samples.events, eventId(time, hash), slices);
      if (isHot && records === arrivals[0]!.records) samples.hotFirst.push(eventId(time, hash));
      if (isHot) for (const record of records) take(samples.hotEvents, eventId(record.time, record.hash), slices);
    }
    take(samples.traces, slice.traces[slices % slice.traces.length]!, slices);
    for (const correlation of slice.correlations.slice(0, 2)) take(samples.correlations, correlation, slices);
    for (const job of slice.jobs) take(samples.jobs, job, slices);
    for (const text of slice.values.slice(0, 2)) take(samples.values, { text, time: slice.arrivedAt }, slices);
    if (++slices % Math.ceil(total / 10) === 0) process.stderr.write(`  ${events} events\n`);
  }
  await committing;
  return { samples, events, hotEvents };
}

/** Keeps what came last and every so often what came before, so that all of the week is there. */
function take<T>(sample: T[], item: T, turn: number): void {
  if (sample.length < SAMPLES_MAX) sample.push(item);
  else sample[(turn * 7919 + sample.length) % SAMPLES_MAX] = item;
}

async function addInsights(warm: WarmStore, end: bigint): Promise<void> {
  for (let i = 0; i < INSIGHTS; i++) {
    const time = formatNanos(end - (BigInt(i) * 7n * NANOS_PER_DAY) / BigInt(INSIGHTS));
    const id = hex64(hashText('insight', String(i))).repeat(2);
    const insight: Insight = {
      ...{ id, fingerprint: id, insight_type: 'error', severity: 'warning', scope: 'component' },
      title: `${SERVICES[i % SERVICES.length]} fails more often than before`,
      summary: 'One call in thirty fails, ten times as many as the day before, all of them for the same reason.',
      description: 'Calls fail since a deployment. '.repeat(8),
      evidence: { event_ids: [id, id], span_ids: [], trace_ids: [id], snapshot_ids: [], numbers: { rate: 0.03 } },
      confidence_score: 0.8,
      suggestions: [{ action: 'Roll the deployment back.', why: 'It began with it.', source: 'known_cause' }],
      affected_components: [{ type: 'service', id: SERVICES[i % SERVICES.length]! }],
      ...{ correlation_id: null, operation_id: null, first_seen: time, last_seen: time, occurrences: 3 },
      ...{ state: i % 3 === 0 ? 'open' : 'resolved', resolution_notes: null, resolved_by: null, resolved_at: null },
      ...{ generated_at: time, updated_at: time, expires_at: formatNanos(end + 30n * NANOS_PER_DAY) },
    };
    await warm.changeInsight(TENANT, id, () => insight);
  }
}

const ARCHIVED_BLOCKS_MAX = 100;

/** A part of a day, written and read back. */
async function measureArchive(warm: WarmStore, cold: ReturnType<typeof createArchive>, day: string) {
  let begin = performance.now();
  let blocks = 0;
  for await (const block of warm.blocksOfDay(TENANT, day)) {
    await cold.put(block);
    if (++blocks === ARCHIVED_BLOCKS_MAX) break;
  }
  await cold.seal();
  const writtenMs = performance.now() - begin;
  const days = await cold.days();
  const records = days.reduce((sum, { records }) => sum + records, 0);
  const bytes = days.reduce((sum, { bytes }) => sum + bytes, 0);
  begin = performance.now();
  for await (const block of cold.blocksOfDay(TENANT, day)) await block.payload();
  const readMs = performance.now() - begin;
  return {
    bytes: bytes / records,
    writtenPerSecond: records / (writtenMs / 1000),
    readPerSecond: records / (readMs / 1000),
  };
}
