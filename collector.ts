/**
 * The front door: builds every room in the order of the data's trip and joins them. Rooms know nothing of each other; what one
 * needs and another has meets here, and only here.
 */
import { join } from 'node:path';
import type { Clock } from './base/clock.ts';
import { assemble, type Part } from './base/lifecycle.ts';
import type { Logger } from './base/log.ts';
import type { Meter } from './base/meter.ts';
import { createAuthenticate } from './base/tokens.ts';
import { VERSION } from './base/version.ts';
import { archivePath, type Config } from './config.ts';
import { createInsightEngine } from './insight/engine.ts';
import { createTemplateMiner } from './insight/templates.ts';
import { decodeIndex } from './model/block.ts';
import { DEFAULT_TENANT } from './model/tenant.ts';
import { createIndexer } from './otlp/walk.ts';
import { createLive } from './query/live.ts';
import { createQueryServer } from './query/server.ts';
import { createQueryService } from './query/service.ts';
import { createAdmission } from './receiver/admission.ts';
import { createExporter } from './receiver/export.ts';
import { createGrpcReceiver } from './receiver/grpc.ts';
import { createHttpReceiver } from './receiver/http.ts';
import { createJournal, type Journal } from './receiver/journal.ts';
import { createPipeline, type Sink } from './receiver/pipeline.ts';
import { RecentIds } from './receiver/recent-ids.ts';
import { createArchive } from './storage/archive/archive.ts';
import type { Feed, HotStore, WarmStore } from './storage/contract.ts';
import { createEmbeddedStore } from './storage/embedded/store.ts';
import { eventually } from './storage/eventually.ts';
import { createMemoryFeed } from './storage/memory/feed.ts';
import { createMemoryHotStore } from './storage/memory/hot.ts';
import { createPostgresStore } from './storage/postgres/store.ts';
import { createRedisFeed } from './storage/redis/feed.ts';
import { createRedisHotStore } from './storage/redis/hot.ts';
import { createRetention } from './storage/retention.ts';
import { createTiers } from './storage/tiers.ts';

/** Where it listens; null for what this role does not serve. Field names are those of `ai-debug up --json`. */
export interface Addresses {
  otlp_grpc: string | null;
  otlp_http: string | null;
  http: string | null;
}

export interface Collector extends Part {
  /** Known once started. */
  addresses(): Addresses;
}

/** What every room is given. */
interface Shared {
  clock: Clock;
  log: Logger;
  meter: Meter;
}

const HOUR_NANOS = 3_600_000_000_000n;
const HOUR_MS = 3_600_000;
const SEGMENT_BYTES = 64 << 20;
// Two generations of 16 MiB: at 10,000 records a second the last two to four minutes, longer than any exporter retries.
const RECENT_IDS = 1 << 20;
// Enough to know what exporters may send again after a restart; it costs the start some 0.3 s where the store has as many.
const RECALL_RECORDS_MAX = 200_000;
const BARRIER_MS = 1000;
const JOURNAL_ALARM = 0.9;

export function createCollector(config: Config, shared: Shared): Collector {
  const keys = { correlationKeys: config.correlationKeys, operationKeys: config.operationKeys };
  const retentionNanos = BigInt(Math.round(config.eventRetentionHours)) * HOUR_NANOS;

  const { warm, hot, feed } = createStores(config, shared);
  const cold = createArchive({ url: archivePath(config), ...shared });
  const tiers = createTiers({ hot, warm, cold, soleWriter: config.pgUrl === '', ...shared });
  const retention = createRetention({
    warm,
    cold: config.pgAutoArchive ? cold : null,
    tenants: [DEFAULT_TENANT],
    retentionNanos,
    ...shared,
  });

  const index = createIndexer(keys);
  const journal = createJournal({
    directory: join(config.dataDir, 'journal'),
    bytesMax: config.journalBytesMax,
    segmentBytes: SEGMENT_BYTES,
    ...shared,
  });
  const pipeline = createPipeline({
    journal,
    sink: sinkOf(tiers, warm),
    index,
    retentionNanos,
    templateOf: createTemplateMiner().templateOf,
    recent: new RecentIds(RECENT_IDS),
    batchMs: config.batchSizeMs,
    committed(flush) {
      for (const { index, payload } of flush.blocks)
        feed.publish({ kind: 'block', tenant: flush.tenant, index, payload });
      engine.observe(flush);
    },
    ...shared,
  });
  const settled = async () => ({ pending: await pipeline.settled(BARRIER_MS) });

  const engine = createInsightEngine({
    reader: {
      events: tiers.reader.events,
      snapshots: warm.snapshots,
      templateMinutes: warm.templateMinutes,
      componentMinutes: warm.componentMinutes,
    },
    insights: warm,
    publish: feed.publish,
    automatic: config.insightAutoGenerate,
    confidenceThreshold: config.insightConfidenceThreshold,
    retentionHours: config.insightRetentionHours,
    ...shared,
  });

  const authenticate = createAuthenticate(config.apiTokens);
  const troubles = async () => [pipeline.trouble(), journalTrouble(journal)].filter((trouble) => trouble !== null);

  const parts: Part[] = [eventually(warm, shared.log), hot, cold, feed, journal, engine, pipeline, retention];
  const listening: (() => Partial<Addresses>)[] = [];
  const addresses = (): Addresses =>
    Object.assign({ otlp_grpc: null, otlp_http: null, http: null }, ...listening.map((of) => of()));

  if (config.role !== 'receiver') {
    const live = config.streamingEnabled ? createLive({ feed, rows: warm, ...shared }) : null;
    const service = createQueryService({
      events: tiers.reader,
      rows: warm,
      engine,
      settled,
      publish: feed.publish,
      async ingest(tenant, exports) {
        const receivedAt = shared.clock.nowNanos();
        const append = (body: Uint8Array) =>
          journal.append({ signal: 'log', tenant, receivedAt, body, index: index('log', body) });
        await Promise.all(exports.map(append));
        await settled();
      },
      keys,
      retentionNanos,
      clock: shared.clock,
    });
    const server = createQueryServer({
      host: config.host,
      port: config.httpPort,
      service,
      live,
      enabled: config.systemEnabled,
      tenant: DEFAULT_TENANT,
      authenticate,
      troubles,
      version: VERSION,
      exporters: addresses,
      ...shared,
    });
    if (live !== null) parts.push(live);
    parts.push(server);
    listening.push(() => ({ http: urlOf(server.address()) }));
  }

  if (config.role !== 'query') {
    const { requestBytesMax, inFlightBytesMax } = config;
    const admission = createAdmission({ requestBytesMax, inFlightBytesMax, meter: shared.meter });
    const exporter = createExporter({
      authenticate,
      admission,
      index,
      journal,
      enabled: config.systemEnabled,
      ...shared,
    });
    const common = { host: config.host, export: exporter, tenant: DEFAULT_TENANT };
    const grpc = createGrpcReceiver({ ...common, port: config.otlpGrpcPort, requestBytesMax });
    const http = createHttpReceiver({ ...common, port: config.otlpHttpPort });
    parts.push(grpc, http);
    listening.push(() => ({ otlp_grpc: urlOf(grpc.address()), otlp_http: urlOf(http.address()) }));
  }

  return { ...assemble('collector', parts), addresses };
}

/** What `/readyz` says of a journal that is about to refuse. */
function journalTrouble(journal: Journal): string | null {
  const { bytes, bytesMax } = journal.stats();
  return bytes > bytesMax * JOURNAL_ALARM ? `the journal is ${Math.round((100 * bytes) / bytesMax)}% full` : null;
}

function urlOf(address: { host: string; port: number } | null): string | null {
  if (address === null) return null;
  return `http://${address.host.includes(':') ? `[${address.host}]` : address.host}:${address.port}`;
}

function createStores(config: Config, shared: Shared): { warm: WarmStore; hot: HotStore; feed: Feed } {
  const ttlMs = config.redisHotTtlHours * HOUR_MS;
  const warm =
    config.pgUrl === ''
      ? createEmbeddedStore({ directory: config.dataDir, ...shared })
      : createPostgresStore({
          url: config.pgUrl,
          retentionHours: config.eventRetentionHours,
          partitionByDay: config.pgPartitionByDay,
          ...shared,
        });
  if (config.redisUrl === '' || !config.redisEnabled) {
    return {
      warm,
      hot: createMemoryHotStore({ bytesMax: config.hotBytesMax, ttlMs, clock: shared.clock }),
      feed: createMemoryFeed(),
    };
  }
  const redis = { url: config.redisUrl, keyPrefix: config.redisKeyPrefix, ...shared };
  return {
    warm,
    hot: createRedisHotStore({ ...redis, ttlMs, bytesMax: config.hotBytesMax }),
    feed: createRedisFeed(redis),
  };
}

/** The store as the pipeline sees it. */
function sinkOf(tiers: { commit: WarmStore['commit'] }, warm: WarmStore): Sink {
  return {
    commit: tiers.commit,
    committedPosition: warm.committedPosition,
    async recall(known) {
      let records = 0;
      for await (const block of warm.blocks({ tenant: DEFAULT_TENANT })) {
        const { columns, count } = decodeIndex(block.index);
        for (let i = 0; i < count; i++) known(DEFAULT_TENANT, columns.time[i]!, columns.hash[i]!);
        records += count;
        if (records >= RECALL_RECORDS_MAX) break;
      }
    },
  };
}
