/**
 * The warm tier on PostgreSQL 13 to 18: blocks in day partitions, what is small as rows, one transaction a flush.
 *
 * `start` tries once: UNAVAILABLE when the server is away, so that the caller may go on without it and start again later, as often
 * as it takes; INVALID, naming DEBUG_PG_URL, when that will not help. Once started, a server that goes away makes each
 * call UNAVAILABLE until it is back, and nothing has to be started again.
 */
import type { Clock } from '../../base/clock.ts';
import { DebugError } from '../../base/errors.ts';
import type { Logger } from '../../base/log.ts';
import type { Meter } from '../../base/meter.ts';
import { partitionDay } from '../../model/block.ts';
import { dayOf, NANOS_PER_DAY } from '../../model/time.ts';
import { type Flush, type Others, REQUESTS_REMEMBERED_NANOS, type WarmStore } from '../contract.ts';
import { RepeatedRequests, Vetoed } from '../repeated.ts';
import { findBlocks, findBlocksOfDay, tenantsWithBlocks } from './blocks.ts';
import { forgetRequests, writeFlush } from './commit.ts';
import { forgetCommits, lastCommits } from './commits.ts';
import { componentMinutes, componentSums } from './component-minutes.ts';
import { type Connection, connectOnce, createConnection } from './connection.ts';
import { edgeMinutes, edgeSums } from './edge-minutes.ts';
import { asDebugError, lostRace, missesPartition } from './errors.ts';
import { countHours } from './hours.ts';
import { changeInsight, insight, insights } from './insights.ts';
import { endLease, heldLeases, takeLease } from './leases.ts';
import { blockVersion, forgetReplaced, replaceBlocks, smallBlocks } from './merge.ts';
import { migrate } from './migrate.ts';
import { daysWithBlocks, dropDay, makePartitions } from './partitions.ts';
import { pruneRows } from './prune.ts';
import { resources } from './resources.ts';
import { prepareReader, type RowSecurity } from './row-security.ts';
import { putSession, session, sessions } from './sessions.ts';
import { snapshots } from './snapshots.ts';
import { templateMinutes, templateSums, templates, templatesSeen } from './template-minutes.ts';
import { traceCorrelations } from './trace-correlations.ts';

export interface PostgresStoreOptions {
  /** `postgres://user:password@host:5432/database`. */
  url: string;
  /** How long rollups, snapshots and trace correlations are kept. Blocks go when the archive drops their day. */
  retentionHours: number;
  /** False: all days in one partition, for databases where DDL at run time is not wanted. */
  partitionByDay: boolean;
  /** Whether reads go as a role that sees one tenant. */
  rowSecurity: RowSecurity;
  clock: Clock;
  log: Logger;
  meter: Meter;
}

export function createPostgresStore(options: PostgresStoreOptions): WarmStore {
  const { url, partitionByDay, rowSecurity, clock, log, meter } = options;
  const retentionNanos = BigInt(options.retentionHours) * 3_600_000_000_000n;
  let connection: Connection | undefined;
  let starting: Promise<void> | undefined;
  let upkeep: NodeJS.Timeout | undefined;
  let away = false;
  let wall = 0;
  const commitSeconds = meter.histogram(
    'postgres_commit_seconds',
    'Time of one committed flush.',
    COMMIT_BUCKETS_SECONDS,
  );
  meter.gauge('postgres_connections', 'Open connections to PostgreSQL.', () => connection?.open ?? 0);
  meter.gauge(
    'postgres_row_security',
    '1 where the server keeps tenants apart too: reads go as a role that sees one tenant; 0 where statements alone do.',
    () => wall,
  );

  async function open(): Promise<void> {
    const client = await connectOnce(url);
    let asReader: boolean;
    try {
      for (const name of await migrate(client)) log.info({ name }, 'migrated PostgreSQL');
      asReader = await prepareReader(client, rowSecurity, log);
    } catch (error) {
      throw asDebugError(error, true);
    } finally {
      await client.end().catch(() => {}); // all is committed or rolled back already
    }
    connection = createConnection(url, log, asReader);
    wall = asReader ? 1 : 0;
    await keepUp();
    upkeep = setInterval(keepUp, UPKEEP_MS).unref();
  }

  /** What has time: the next commit makes the partition that it misses. */
  async function keepUp(): Promise<void> {
    const now = clock.nowNanos();
    try {
      const days = Array.from({ length: DAYS_AHEAD + 1 }, (_, i) => dayOf(now + BigInt(i) * NANOS_PER_DAY));
      await makePartitions(opened(), days, partitionByDay);
      await forgetRequests(opened(), now - REQUESTS_REMEMBERED_NANOS);
      await forgetCommits(opened(), now - REQUESTS_REMEMBERED_NANOS);
    } catch (error) {
      if (connection !== undefined) log.warn({ reason: (error as Error).message }, 'PostgreSQL upkeep failed');
    }
  }

  function opened(): Connection {
    if (connection === undefined) {
      throw new DebugError('UNAVAILABLE', 'PostgreSQL is not open', { retryAfterSeconds: 2 });
    }
    return connection;
  }

  async function commit(flush: Flush, others: Others | undefined): Promise<void> {
    const now = clock.nowNanos();
    const retentionDay = (time: bigint) => partitionDay(time, now, retentionNanos);
    for (let attempt = 1; ; attempt++) {
      try {
        const moment = { now, retentionDay, others };
        const commit = await opened().transaction((client) => writeFlush(client, flush, moment));
        if (commit !== undefined) others?.committed(commit);
        return;
      } catch (error) {
        const days = flush.blocks.map(({ day }) => day);
        if (attempt === COMMIT_ATTEMPTS || !(missesPartition(error) || lostRace(error))) throw error;
        if (missesPartition(error)) await makePartitions(opened(), days, partitionByDay);
      }
    }
  }

  return {
    name: 'postgres',
    tier: 'warm',

    start() {
      starting ??= open().catch((error) => {
        starting = undefined;
        throw error;
      });
      return starting;
    },

    async stop() {
      await starting?.catch(() => {});
      starting = undefined;
      clearInterval(upkeep);
      const closing = connection;
      connection = undefined;
      await closing?.close();
    },

    async commit(flush, others) {
      const done = commitSeconds.startTimer();
      try {
        await commit(flush, others);
        done();
        if (away) log.info('PostgreSQL is back');
        away = false;
        return [];
      } catch (error) {
        if (error instanceof RepeatedRequests) return error.requests;
        if (error instanceof Vetoed) throw error.reason;
        if (error instanceof DebugError && error.code === 'CONFLICT') throw error;
        const failure = asDebugError(error);
        if (!away) log.warn({ code: failure.code, reason: failure.message }, 'PostgreSQL takes no commits');
        away = true;
        throw failure;
      }
    },

    async committedPosition(journal) {
      const [line] = await opened().rowsOfAll<{ position: string }>('SELECT position FROM ledger WHERE journal = $1', [
        journal,
      ]);
      return BigInt(line?.position ?? 0);
    },

    commits: async () => lastCommits(opened()),

    async *blocks(selector) {
      yield* findBlocks(opened(), selector);
    },
    async *blocksOfDay(tenant, day) {
      yield* findBlocksOfDay(opened(), tenant, day);
    },
    tenants: async () => tenantsWithBlocks(opened()),
    days: async () => daysWithBlocks(opened()),
    dropDay: async (day) => dropDay(opened(), day),

    version: async () => blockVersion(opened()),
    smallBlocks: async (tenant, day, range) => smallBlocks(opened(), tenant, day, range),
    async replaceBlocks(replaced, by) {
      try {
        return await opened().transaction(async (client) => {
          if (await replaceBlocks(client, replaced, by, clock.nowNanos())) return true;
          throw new Raced();
        });
      } catch (error) {
        if (error instanceof Raced || lostRace(error)) return false;
        throw asDebugError(error);
      }
    },
    async forgetReplaced(before) {
      try {
        return await forgetReplaced(opened(), before);
      } catch (error) {
        throw asDebugError(error);
      }
    },
    async countHours(tenant, range) {
      try {
        return await countHours(opened(), tenant, range);
      } catch (error) {
        throw asDebugError(error);
      }
    },
    prune: async (before, pinnedSnapshots) => pruneRows(opened(), { before, now: clock.nowNanos(), pinnedSnapshots }),
    // Not in the data folder.
    diskBytes: async () => 0,
    giveBack: async () => {},
    async takeLease(name, holder, durationMs) {
      try {
        return await takeLease(opened(), name, holder, durationMs);
      } catch (error) {
        throw asDebugError(error);
      }
    },
    endLease: async (name, holder) => endLease(opened(), name, holder),
    leases: async (prefix) => heldLeases(opened(), prefix),

    componentMinutes: async (tenant, range) => componentMinutes(opened(), tenant, range),
    componentSums: async (tenant, range) => componentSums(opened(), tenant, range),
    templateMinutes: async (tenant, range) => templateMinutes(opened(), tenant, range),
    templateSums: async (tenant, window) => templateSums(opened(), tenant, window),
    templatesSeen: async (tenant, ids, range) => templatesSeen(opened(), tenant, ids, range),
    edgeMinutes: async (tenant, range) => edgeMinutes(opened(), tenant, range),
    edgeSums: async (tenant, range) => edgeSums(opened(), tenant, range),
    templates: async (tenant, ids) => templates(opened(), tenant, ids),
    traceCorrelations: async (tenant, about) => traceCorrelations(opened(), tenant, about),
    snapshots: async (tenant, query) => snapshots(opened(), tenant, query),
    resources: async (tenant, query) => resources(opened(), tenant, query),
    insight: async (tenant, id) => insight(opened(), tenant, id),
    insights: async (tenant, query) => insights(opened(), tenant, query),
    async changeInsight(tenant, id, change) {
      try {
        return await opened().transaction((client) => changeInsight(client, tenant, id, change));
      } catch (error) {
        throw asDebugError(error);
      }
    },
    session: async (tenant, id) => session(opened(), tenant, id),
    sessions: async (tenant, query) => sessions(opened(), tenant, query),
    putSession: async (tenant, session) => putSession(opened(), tenant, session),
  };
}

// The first misses its partition, the second meets a deadlock or the same block in another process, the third is alone.
const COMMIT_ATTEMPTS = 3;
const COMMIT_BUCKETS_SECONDS = [0.002, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 15];
const UPKEEP_MS = 3_600_000;
// A process that cannot make partitions for a weekend (rights taken away, locks held) goes on writing.
const DAYS_AHEAD = 3;

/** Undoes a transaction that came too late. */
class Raced extends Error {
  override name = 'Raced';
}
