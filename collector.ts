/**
 * The front door: builds every room in the order of the data's trip and joins them. Rooms know nothing of each other; what one
 * needs and another has meets here, and only here.
 */
import { existsSync, readdirSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { createLookThread } from './assembly/look-thread.ts';
import { analyzersOf, readerOf } from './assembly/looks.ts';
import { coldOf, createStores, HOUR_MS, hasRedis, warmOf } from './assembly/stores.ts';
import type { Clock } from './base/clock.ts';
import { createCors } from './base/cors.ts';
import { watchEventLoop } from './base/event-loop.ts';
import { assemble, type Part } from './base/lifecycle.ts';
import { compileLinear } from './base/linear-pattern.ts';
import type { Listening } from './base/listen.ts';
import type { Logger } from './base/log.ts';
import type { Meter } from './base/meter.ts';
import { createBackgroundPause } from './base/pause.ts';
import { createTls, type Tls } from './base/tls.ts';
import { createTokens, requireScope } from './base/tokens.ts';
import { VERSION } from './base/version.ts';
import { watchFiles } from './base/watch-files.ts';
import { apiTokensOf, type Config } from './config.ts';
import { createInsightEngine } from './insight/engine.ts';
import { findRootCauses } from './insight/root-cause/find.ts';
import { createTenantTemplates } from './insight/templates.ts';
import { topologyOf } from './insight/topology.ts';
import type { Signal } from './model/block.ts';
import { createRedactor } from './otlp/redact.ts';
import { REDACTION_RULES, type RedactionRule } from './otlp/secrets.ts';
import { createIndexer } from './otlp/walk.ts';
import { createWording } from './query/ask/wording.ts';
import { type Cache, createCache, FEED_TTL_MS, UNTOLD_TTL_MS } from './query/cache.ts';
import { tellingRows } from './query/cached-rows.ts';
import { cancellable } from './query/cancellation.ts';
import { createDebugQueryServer } from './query/grpc/server.ts';
import { createLive, type Live } from './query/live.ts';
import { createQuestionLimit } from './query/question-limit.ts';
import { createQueryServer } from './query/server.ts';
import { createQueryService, type QueryService } from './query/service.ts';
import { createAdmission } from './receiver/admission.ts';
import { Calls } from './receiver/calls.ts';
import { createCardinality } from './receiver/cardinality.ts';
import { createExporter, type Redaction } from './receiver/export.ts';
import { createGrpcReceiver } from './receiver/grpc.ts';
import { guardSessions } from './receiver/grpc-guard.ts';
import { createHttpReceiver } from './receiver/http.ts';
import { createJournal, type Journal, type JournalOptions } from './receiver/journal.ts';
import { KnownResources } from './receiver/known-resources.ts';
import { createPipeline, type Sink } from './receiver/pipeline.ts';
import { createQuarantine } from './receiver/quarantine.ts';
import { RecentIds } from './receiver/recent-ids.ts';
import { createRejected } from './receiver/rejected.ts';
import { ToldTraces } from './receiver/told-traces.ts';
import type { ColdStore, Feed, FeedMessage, WarmStore } from './storage/contract.ts';
import { eventually } from './storage/eventually.ts';
import { createMerger } from './storage/merge.ts';
import { createRetention, type Retention } from './storage/retention.ts';
import { createTiers } from './storage/tiers.ts';

/** Where it listens; null for what this role does not serve. Field names are those of `ai-debug up --json`. */
export interface Addresses {
  otlp_grpc: string | null;
  otlp_http: string | null;
  http: string | null;
  grpc: string | null;
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
  /** Told of the journal's moments between two steps; tests end the process there. */
  at?: NonNullable<JournalOptions['at']>;
}

const HOUR_NANOS = 3_600_000_000_000n;
const SEGMENT_BYTES = 64 << 20;
// Files go whole: of a small journal each must be a small part.
const JOURNAL_SEGMENTS_MIN = 16;
// Two generations of 16 MiB: at 10,000 records a second the last two to four minutes, longer than any exporter retries.
const RECENT_IDS = 1 << 20;
const BARRIER_MS = 1000;
// What one flush takes.
const BEHIND_BYTES = 8 << 20;
const FEW_REQUESTS = 4;
// What was merged must have left the hot tier, also where the commit of what came in took a while.
const SETTLE_MS = 300_000;
const JOURNAL_ALARM = 0.9;
// Beside turns of 3 ms it leaves the feed two fifths of the loop where requests never pause; a thousand readers of 5,000 events a second take about
// one (test/bench/live-hub.ts).
const LIVE_REST_MS = 4;

export function createCollector(config: Config, shared: Shared): Collector {
  const keys = { correlationKeys: config.correlationKeys, operationKeys: config.operationKeys };
  const retentionNanos = BigInt(Math.round(config.eventRetentionHours)) * HOUR_NANOS;

  const { warm, hot, refiller, feed } = createStores(config, shared);
  const cache = cacheOf(config, shared);
  const publish = (message: FeedMessage) => {
    cache?.observe(message);
    feed.publish(message);
  };
  const settleMs = config.redisHotTtlHours * HOUR_MS + SETTLE_MS;
  const merger = createMerger({ warm, settleMs, ...shared });
  const cold = coldOf(config, shared);
  const soleWriter = config.pgUrl === '';
  const tiers = createTiers({ hot, warm, cold, soleWriter, mergedUntil: merger.mergedUntil, ...shared });
  const retention = retentionOf(config, shared, { warm, cold, journalBytes: () => journal.stats().bytes });

  const index = createIndexer(keys);
  const journal = createJournal({
    directory: join(config.dataDir, 'journal'),
    bytesMax: config.journalBytesMax,
    segmentBytes: Math.min(SEGMENT_BYTES, Math.ceil(config.journalBytesMax / JOURNAL_SEGMENTS_MIN)),
    ...shared,
  });
  const isBehind = () => journal.unreadBytes > BEHIND_BYTES;
  let requestsUnderWay = () => 0;
  const pipeline = createPipeline({
    journal,
    sink: sinkOf(tiers, warm),
    index,
    retentionNanos,
    ...createTenantTemplates(),
    // Few requests leave it the loop anyway, and are answered between its blocks while it catches up.
    isBehind: () => isBehind() && requestsUnderWay() > FEW_REQUESTS,
    recent: new RecentIds(RECENT_IDS),
    cardinality: createCardinality(shared),
    calls: new Calls(),
    told: new ToldTraces(),
    resources: new KnownResources(shared),
    setAside: createQuarantine({ directory: join(config.dataDir, 'quarantine'), ...shared }),
    batchMs: config.batchSizeMs,
    committed(flush) {
      for (const { index, payload } of flush.blocks)
        feed.publish({ kind: 'block', tenant: flush.tenant, index, payload });
      cache?.arrived(flush.tenant, flush.componentMinutes.map(idOf), flush.snapshots.map(idOf));
      engine.observe(flush);
    },
    ...shared,
  });
  const settled = async () => ({ pending: await pipeline.settled(BARRIER_MS) });

  const looking = createLookThread(config, shared);
  const engine = createInsightEngine({
    reader: readerOf(tiers.reader, warm),
    background: looking.look,
    insights: cache === null ? warm : tellingRows(warm, cache),
    analyzers: analyzersOf(config),
    publish,
    automatic: config.insightAutoGenerate,
    confidenceThreshold: config.insightConfidenceThreshold,
    retentionHours: config.insightRetentionHours,
    ...shared,
  });

  const tokens = createTokens(apiTokensOf(config));
  const { authenticate } = tokens;
  const tokensFile = watchFiles({
    paths: config.apiTokensFile === '' ? [] : [config.apiTokensFile],
    changed: () => tokens.replace(apiTokensOf(config)),
    log: shared.log,
  });
  const tls = tlsOf(config, shared);
  const urlOf = (address: Listening | null) => (address === null ? null : urlAt(address, tls !== null));
  const eventLoop = watchEventLoop(shared);
  const redact = redactionOf(config, shared);
  const rejected = createRejected();
  const troubles = async () =>
    [pipeline.trouble(), journalTrouble(journal), eventLoop.trouble()].filter((trouble) => trouble !== null);

  const parts: Part[] = [
    eventLoop,
    tokensFile,
    eventually(warm, shared.log),
    hot,
    cold,
    feed,
    journal,
    engine,
    looking, // stopped before the engine, which waits for what it is at
    pipeline,
    merger,
    retention,
  ];
  if (refiller !== null) parts.push(refiller);
  if (tls !== null) parts.unshift(tls);
  const listening: (() => Partial<Addresses>)[] = [];
  const addresses = (): Addresses =>
    Object.assign({ otlp_grpc: null, otlp_http: null, http: null, grpc: null }, ...listening.map((of) => of()));

  const resting = () => createBackgroundPause(() => requestsUnderWay() > 0, LIVE_REST_MS);
  const limit = createQuestionLimit(config.requestsPerSecond, shared);
  let live: Live | null = null;
  let service: QueryService | null = null;
  if (config.role !== 'receiver') {
    live = config.streamingEnabled ? createLive({ feed, rows: warm, pause: resting, ...shared }) : null;
    service = createQueryService({
      events: cancellable(tiers.reader),
      rows: warm,
      engine,
      topology: topologyOf,
      rootCauses: (request) =>
        findRootCauses({ events: cancellable(tiers.reader).events, templates: warm.templates }, request),
      settled,
      ...(config.role !== 'query' && { rejected: rejected.of }),
      publish,
      ...(cache !== null && { cache }),
      redact: (tenant, body, signal = 'log') => redact(signal, tenant, body),
      async ingest(tenant, exports, signal = 'log') {
        const receivedAt = shared.clock.nowNanos();
        for (const body of exports) redact(signal, tenant, body);
        const append = (body: Uint8Array) =>
          journal.append({ signal, tenant, receivedAt, body, index: index(signal, body) });
        await Promise.all(exports.map(append));
        await settled();
      },
      keys,
      retentionNanos,
      aiQueryEnabled: config.aiQueryEnabled,
      ...(config.aiUrl !== '' && {
        wording: createWording({ url: config.aiUrl, model: config.aiModel, apiKey: config.aiApiKey, ...shared }),
      }),
      clock: shared.clock,
    });
    if (live !== null) parts.push(live);
    if (cache !== null && hasRedis(config)) parts.push(hearing(feed, cache));
    const questions = createDebugQueryServer({
      host: config.host,
      port: config.grpcPort,
      service,
      live,
      enabled: config.systemEnabled,
      authenticate,
      limit,
      tls,
      guard: guardSessions,
      ...shared,
    });
    parts.push(questions);
    listening.push(() => ({ grpc: urlOf(questions.address()) }));
  }
  const server = createQueryServer({
    host: config.host,
    port: config.httpPort,
    service,
    live,
    enabled: config.systemEnabled,
    authenticate,
    tls,
    corsOrigins: config.corsOrigins,
    limit,
    troubles,
    version: VERSION,
    exporters: addresses,
    ...shared,
  });
  parts.push(server);
  listening.push(() => ({ http: urlOf(server.address()) }));

  if (config.role !== 'query') {
    const { requestBytesMax, inFlightBytesMax } = config;
    const admission = createAdmission({
      requestBytesMax,
      inFlightBytesMax,
      tenant: {
        requestsMax: config.tenantRequestsMax,
        bytesMax: config.tenantBytesMax,
        recordsPerSecond: config.tenantRecordsPerSecond,
        bytesPerSecond: config.tenantBytesPerSecond,
      },
      ...shared,
    });
    requestsUnderWay = admission.underWay;
    const exporter = createExporter({
      authenticate,
      admission,
      index,
      redact,
      journal,
      isBehind,
      rejected: rejected.add,
      enabled: config.systemEnabled,
      ...shared,
    });
    const admit = (authorization: string | undefined) => {
      const principal = authenticate(authorization);
      requireScope(principal, 'ingest');
      return admission.expect(principal.tenant);
    };
    const common = { host: config.host, export: exporter, tls };
    const strangers = shared.meter.counter(
      'receiver_wrong_protocol_total',
      'Connections that spoke HTTP to the port of OTLP over gRPC, or gRPC to that of OTLP over HTTP',
      ['port'],
    );
    const grpc = createGrpcReceiver({
      ...common,
      port: config.otlpGrpcPort,
      requestBytesMax,
      admit,
      heardHttp: () => strangers.inc({ port: 'grpc' }),
    });
    const http = createHttpReceiver({
      ...common,
      heardGrpc: () => strangers.inc({ port: 'http' }),
      port: config.otlpHttpPort,
      cors: createCors(config.corsOrigins, 'POST'),
    });
    parts.push(grpc, http);
    listening.push(() => ({ otlp_grpc: urlOf(grpc.address()), otlp_http: urlOf(http.address()) }));
  }

  return { ...assemble('collector', parts), addresses };
}

/** The stores and what moves between them, without anything that receives or answers: what `ai-debug archive` works with. */
export interface Storekeeper extends Part {
  retention: Retention;
}

export function createStorekeeper(config: Config, shared: Shared): Storekeeper {
  const warm = warmOf(config, shared);
  const cold = coldOf(config, shared);
  const journalBytes = () => bytesIn(join(config.dataDir, 'journal'));
  const retention = retentionOf(config, shared, { warm, cold, journalBytes });
  return { ...assemble('storekeeper', [warm, cold]), retention };
}

function retentionOf(
  config: Config,
  shared: Shared,
  { warm, cold, journalBytes }: { warm: WarmStore; cold: ColdStore; journalBytes: () => number },
): Retention {
  const bytesMax = config.maxDiskBytes;
  return createRetention({
    ...{ warm, cold, archives: config.pgAutoArchive },
    retentionNanos: BigInt(Math.round(config.eventRetentionHours)) * HOUR_NANOS,
    archiveRetentionNanos: BigInt(Math.round(config.archiveRetentionDays * 24)) * HOUR_NANOS,
    ...(bytesMax > 0 && { disk: { bytesMax, otherBytes: journalBytes, holdsArchive: config.archiveUrl === '' } }),
    ...shared,
  });
}

/** Of the files of a folder; 0 where there is none. */
function bytesIn(folder: string): number {
  const names = existsSync(folder) ? readdirSync(folder) : [];
  return names.reduce((total, name) => total + (statSync(join(folder, name), { throwIfNoEntry: false })?.size ?? 0), 0);
}

/** What `/readyz` says of a journal that is about to refuse. */
function journalTrouble(journal: Journal): string | null {
  const { bytes, bytesMax } = journal.stats();
  return bytes > bytesMax * JOURNAL_ALARM ? `the journal is ${Math.round((100 * bytes) / bytesMax)}% full` : null;
}

function urlAt({ host, port }: Listening, secure: boolean): string {
  return `${secure ? 'https' : 'http'}://${host.includes(':') ? `[${host}]` : host}:${port}`;
}

/** Secrets leave before the journal: nothing behind it ever had them. */
function redactionOf(config: Config, { meter }: Shared): Redaction {
  if (!config.redactEnabled) return Object.assign(() => {}, { inTurns: async () => {} });
  const count = meter.counter('redacted_total', 'Secrets made unreadable before they were written.', ['rule']);
  for (const rule of REDACTION_RULES) count.inc({ rule }, 0);
  const redacted = (rule: RedactionRule) => count.inc({ rule });
  const redactor = createRedactor({
    keys: config.redactKeys,
    allowKeys: config.redactAllowKeys,
    emails: config.redactEmails,
    patterns: config.redactPatterns.map(compileLinear),
    hashKey: config.redactHashKey,
  });
  return Object.assign((signal: Signal, tenant: string, body: Uint8Array) => redactor(signal, body, tenant, redacted), {
    inTurns: (signal: Signal, tenant: string, body: Uint8Array) => redactor.inTurns(signal, body, tenant, redacted),
  });
}

function tlsOf({ tlsCert, tlsKey, tlsClientCa }: Config, { log }: Shared): Tls | null {
  if (tlsCert === '') return null;
  return createTls({ certificate: tlsCert, key: tlsKey, clientCa: tlsClientCa === '' ? null : tlsClientCa }, { log });
}

const idOf = ({ component_id }: { component_id: string }) => component_id;

/** What other processes store is told of by the feed; what this one stores has told the cache already. */
function hearing(feed: Feed, cache: Cache): Part {
  let end: (() => void) | null = null;
  return {
    name: 'cache',
    async start() {
      end ??= feed.subscribe(cache.observe);
    },
    async stop() {
      end?.();
      end = null;
    },
  };
}

/** Null where nothing is asked, or nothing is to be kept. */
function cacheOf(config: Config, shared: Shared): Cache | null {
  const othersTtlMs = hasRedis(config) ? FEED_TTL_MS : UNTOLD_TTL_MS;
  const ttlMs = Math.min(config.cacheTtlSeconds * 1000, config.pgUrl === '' ? Number.POSITIVE_INFINITY : othersTtlMs);
  if (config.role === 'receiver' || ttlMs === 0) return null;
  return createCache({ entriesMax: config.cacheMaxSize, ttlMs, ...shared });
}

/** The store as the pipeline sees it. */
function sinkOf(tiers: { commit: WarmStore['commit'] }, warm: WarmStore): Sink {
  return {
    commit: tiers.commit,
    committedPosition: warm.committedPosition,
    tenants: warm.tenants,
    commits: warm.commits,
    blocks: warm.blocks,
  };
}
