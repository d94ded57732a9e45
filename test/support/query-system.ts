/** A query server over everything that stands behind it: journal, pipeline, embedded store, engine, feed, in a folder that `stop` removes. */
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type Clock, systemClock } from '../../base/clock.ts';
import { assemble } from '../../base/lifecycle.ts';
import { createLogger } from '../../base/log.ts';
import { createMeter, type Meter } from '../../base/meter.ts';
import { createAuthenticate } from '../../base/tokens.ts';
import { createInsightEngine } from '../../insight/engine.ts';
import { findRootCauses } from '../../insight/root-cause/find.ts';
import { createTemplateMiner } from '../../insight/templates.ts';
import { topologyOf } from '../../insight/topology.ts';
import type { Signal } from '../../model/block.ts';
import { wholeSnapshots } from '../../model/state-assembly.ts';
import { DEFAULT_KEYS } from '../../otlp/keys.ts';
import { indexRequest } from '../../otlp/walk.ts';
import { createCache } from '../../query/cache.ts';
import { tellingRows } from '../../query/cached-rows.ts';
import { createLive, type Live } from '../../query/live.ts';
import type { QueryNeeds } from '../../query/needs.ts';
import { createQuestionLimit } from '../../query/question-limit.ts';
import { createQueryServer } from '../../query/server.ts';
import { createQueryService, type QueryService } from '../../query/service.ts';
import { Calls } from '../../receiver/calls.ts';
import { createJournal } from '../../receiver/journal.ts';
import { KnownResources } from '../../receiver/known-resources.ts';
import { createPipeline } from '../../receiver/pipeline.ts';
import { RecentIds } from '../../receiver/recent-ids.ts';
import type { FeedMessage } from '../../storage/contract.ts';
import { createEmbeddedStore } from '../../storage/embedded/store.ts';
import { createMemoryFeed } from '../../storage/memory/feed.ts';
import { createMemoryHotStore } from '../../storage/memory/hot.ts';
import { createTiers } from '../../storage/tiers.ts';

export interface QuerySystem {
  /** `http://127.0.0.1:port` */
  url: string;
  /** Takes an OTLP export request as a receiver would: durable when it resolves, not yet readable. */
  send(signal: Signal, body: Uint8Array, tenant?: string): Promise<void>;
  /** What the system is made of, for tests that reach behind the network. */
  needs: QueryNeeds;
  service: QueryService;
  live: Live;
  meter: Meter;
  stop(): Promise<void>;
}

const idOf = ({ component_id }: { component_id: string }) => component_id;

export interface QuerySystemOptions {
  /** Absent: any that is free. */
  port?: number;
  tokens?: readonly string[];
  enabled?: boolean;
  clock?: Clock;
  requestsPerSecond?: number;
  streaming?: boolean;
  troubles?: () => Promise<readonly string[]>;
  engine?: QueryNeeds['engine'];
}

export async function startQuerySystem(options: QuerySystemOptions = {}): Promise<QuerySystem> {
  const directory = await mkdtemp(join(tmpdir(), 'ai-debug-query-'));
  const shared = { clock: options.clock ?? systemClock(), log: createLogger('silent'), meter: createMeter() };
  const warm = createEmbeddedStore({ directory, ...shared });
  const hot = createMemoryHotStore({ bytesMax: 64 << 20, ttlMs: 3_600_000, clock: shared.clock });
  const tiers = createTiers({ hot, warm, cold: null, ...shared });
  const feed = createMemoryFeed();
  const cache = createCache({ entriesMax: 1000, ttlMs: 300_000, ...shared });
  const publish = (message: FeedMessage) => {
    cache.observe(message);
    feed.publish(message);
  };
  const journal = createJournal({
    directory: join(directory, 'journal'),
    bytesMax: 1 << 30,
    segmentBytes: 64 << 20,
    ...shared,
  });
  const retentionNanos = 168n * 3_600_000_000_000n;
  const pipeline = createPipeline({
    setAside: async (_entry, reason) => {
      throw reason;
    },
    journal,
    sink: { ...warm, commit: tiers.commit },
    index: indexRequest,
    retentionNanos,
    templateOf: createTemplateMiner().templateOf,
    recent: new RecentIds(1 << 16),
    calls: new Calls(1 << 12),
    resources: new KnownResources(),
    batchMs: 10,
    committed: ({ tenant, blocks, componentMinutes, snapshots }) => {
      cache.arrived(tenant, componentMinutes.map(idOf), snapshots.map(idOf));
      for (const { index, payload } of blocks) feed.publish({ kind: 'block', tenant, index, payload });
    },
    ...shared,
  });
  const send = async (signal: Signal, body: Uint8Array, tenant = 'default') => {
    const receivedAt = shared.clock.nowNanos();
    await journal.append({ signal, tenant, receivedAt, body, index: indexRequest(signal, body) });
  };
  const settled = async () => ({ pending: await pipeline.settled(1000) });
  const engine = createInsightEngine({
    reader: { ...tiers.reader, ...warm, snapshots: wholeSnapshots(warm.snapshots) },
    insights: tellingRows(warm, cache),
    confidenceThreshold: 0.7,
    retentionHours: 720,
    publish,
    ...shared,
  });
  const needs: QueryNeeds = {
    events: tiers.reader,
    rows: warm,
    engine: options.engine ?? engine,
    topology: topologyOf,
    rootCauses: (request) => findRootCauses({ ...tiers.reader, templates: warm.templates }, request),
    publish,
    cache,
    redact: () => {},
    ingest: async (tenant, exports, signal = 'log') => {
      for (const body of exports) await send(signal, body, tenant);
      await settled();
    },
    settled,
    keys: DEFAULT_KEYS,
    retentionNanos,
    clock: shared.clock,
  };
  const service = createQueryService(needs);
  const live = createLive({ feed, rows: warm, ...shared });
  const server = createQueryServer({
    host: '127.0.0.1',
    port: options.port ?? 0,
    service,
    live: options.streaming === false ? null : live,
    enabled: options.enabled ?? true,
    limit: createQuestionLimit(options.requestsPerSecond ?? 0, shared),
    authenticate: createAuthenticate(options.tokens ?? []),
    troubles: options.troubles ?? (async () => []),
    version: '0.0.0-test',
    exporters: () => ({ otlp_grpc: null, otlp_http: 'http://127.0.0.1:4318' }),
    ...shared,
  });
  const parts = assemble('query system', [warm, hot, feed, journal, pipeline, live, server]);
  try {
    await parts.start();
  } catch (error) {
    await rm(directory, { recursive: true });
    throw error;
  }
  return {
    url: `http://127.0.0.1:${server.address()!.port}`,
    send,
    needs,
    service,
    live,
    meter: shared.meter,
    async stop() {
      await parts.stop();
      await rm(directory, { recursive: true });
    },
  };
}
