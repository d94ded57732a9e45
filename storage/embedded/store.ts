/** The warm tier of one machine: blocks, keys and rows in one SQLite file, open in milliseconds, nothing to install. */
import { setImmediate as nextTurn } from 'node:timers/promises';
import { type Clock, systemClock } from '../../base/clock.ts';
import { DebugError } from '../../base/errors.ts';
import type { Logger } from '../../base/log.ts';
import type { Meter } from '../../base/meter.ts';
import { NANOS_PER_MS } from '../../model/time.ts';
import type { WarmStore } from '../contract.ts';
import {
  blockVersion,
  daysWithBlocks,
  dropBlocksOfDay,
  findBlocks,
  findBlocksOfDay,
  tenantsWithBlocks,
} from './blocks.ts';
import { type Database, openDatabase } from './database.ts';
import { countHours } from './hours.ts';
import { endLease, heldLeases, takeLease } from './leases.ts';
import { forgetReplaced, readSmallBlocks, replaceBlocks } from './merge.ts';
import { pruneRows } from './prune.ts';
import { createRowStore } from './rows.ts';
import { createWriter } from './writer.ts';

export interface EmbeddedOptions {
  /** Holds `events.db`; made when it is missing. */
  directory: string;
  clock?: Clock;
  log: Logger;
  meter: Meter;
}

/**
 * Several processes may open the same directory; SQLite lets them write in turns.
 * `start` throws a DebugError that names DEBUG_DATA_DIR when the file cannot be opened or was written by a later version.
 */
export function createEmbeddedStore(options: EmbeddedOptions): WarmStore {
  const { directory, log, meter, clock = systemClock() } = options;
  const commitSeconds = meter.histogram(
    'embedded_commit_seconds',
    'Time to commit one flush to the embedded store, fsync included.',
    [0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.5, 2, 10],
  );
  let starting: Promise<void> | undefined;
  let opened: Database | undefined;
  const writer = createWriter(directory, log);

  async function open(): Promise<void> {
    const start = clock.monotonicMs();
    opened = await openDatabase(directory);
    log.info({ directory, durationMs: Math.round(clock.monotonicMs() - start) }, 'embedded store open');
  }

  function database(): Database {
    if (opened === undefined) throw new DebugError('UNAVAILABLE', 'the embedded store is not open');
    return opened;
  }

  return {
    name: 'embedded store',
    tier: 'warm',
    start: () => (starting ??= open()),
    async stop() {
      await starting?.catch(() => {});
      await writer.stop(); // who closes the file last folds its log in
      opened?.close();
      opened = undefined;
    },

    async commit(flush) {
      const start = clock.monotonicMs();
      const open = database();
      const repeated = await writer.commit(open, flush, clock.nowNanos());
      if (repeated.length > 0) return repeated;
      commitSeconds.observe((clock.monotonicMs() - start) / 1000);
      return [];
    },
    async committedPosition(journal) {
      const row = database().get<{ position: bigint }>('SELECT position FROM ledger WHERE journal = ?', [journal]);
      return row?.position ?? 0n;
    },

    // The journal beside it has one writer.
    commits: async () => new Map(),

    async *blocks(selector) {
      yield* findBlocks(database(), selector);
    },
    async tenants() {
      return tenantsWithBlocks(database());
    },
    async days() {
      return daysWithBlocks(database());
    },
    async *blocksOfDay(tenant, day) {
      yield* findBlocksOfDay(database(), tenant, day);
    },
    async dropDay(day) {
      await dropBlocksOfDay(database(), day);
    },
    async version() {
      return blockVersion(database());
    },
    async smallBlocks(tenant, day, range) {
      return readSmallBlocks(database(), tenant, day, range);
    },
    async replaceBlocks(replaced, by) {
      const open = database();
      return open.transaction(() => replaceBlocks(open, replaced, by, clock.nowNanos()));
    },
    async forgetReplaced(before) {
      return forgetReplaced(database(), before);
    },
    async countHours(tenant, range) {
      const open = database();
      return countHours(open, tenant, range, (hour) => writer.countHour(open, tenant, hour));
    },
    async prune(before, pinnedSnapshots) {
      await pruneRows(database(), { before, now: clock.nowNanos(), pinnedSnapshots });
    },
    async diskBytes() {
      return database().fileBytes();
    },
    async giveBack() {
      while (await database().shrink(true)) await nextTurn();
    },
    async takeLease(name, holder, durationMs) {
      const open = database();
      const now = clock.nowNanos();
      const until = now + BigInt(Math.round(durationMs)) * NANOS_PER_MS;
      return open.transaction(() => takeLease(open, { name, holder, now, until }));
    },
    async endLease(name, holder) {
      const open = database();
      await open.transaction(() => endLease(open, name, holder));
    },
    async leases(prefix) {
      return heldLeases(database(), prefix, clock.nowNanos());
    },
    ...createRowStore(database),
  };
}
