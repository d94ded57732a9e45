/** The warm tier of one machine: blocks, keys and rows in one SQLite file, open in milliseconds, nothing to install. */
import { type Clock, systemClock } from '../../base/clock.ts';
import { DebugError } from '../../base/errors.ts';
import type { Logger } from '../../base/log.ts';
import type { Meter } from '../../base/meter.ts';
import type { LedgerLine, WarmStore } from '../contract.ts';
import { daysWithBlocks, dropBlocksOfDay, findBlocks, findBlocksOfDay, writeBlocks } from './blocks.ts';
import { type Database, openDatabase } from './database.ts';
import { createRowStore, writeRows } from './rows.ts';

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
      opened?.close();
      opened = undefined;
    },

    async commit(flush) {
      const start = clock.monotonicMs();
      const open = database();
      await open.transaction(() => {
        if (flush.ledger !== null && !advance(open, flush.ledger)) return;
        writeBlocks(open, flush.blocks);
        writeRows(open, flush);
      });
      commitSeconds.observe((clock.monotonicMs() - start) / 1000);
    },
    async committedPosition(journal) {
      const row = database().get<{ position: bigint }>('SELECT position FROM ledger WHERE journal = ?', [journal]);
      return row?.position ?? 0n;
    },

    async *blocks(selector) {
      yield* findBlocks(database(), selector);
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
    ...createRowStore(database),
  };
}

/** @returns whether the position is past the stored one */
function advance(database: Database, { journal, position }: LedgerLine): boolean {
  const { changes } = database.run(
    `INSERT INTO ledger (journal, position) VALUES (?, ?)
     ON CONFLICT DO UPDATE SET position = excluded.position WHERE position < excluded.position`,
    [journal, position],
  );
  return changes > 0n;
}
