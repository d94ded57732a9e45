/**
 * Moves days out of the warm tier when they are old enough: copied to the archive, sealed, then dropped whole. Interrupted at any
 * step and run again it copies what is there already (which changes nothing) and goes on. The last two days always stay.
 */
import type { Clock } from '../base/clock.ts';
import type { Part } from '../base/lifecycle.ts';
import type { Logger } from '../base/log.ts';
import type { Meter } from '../base/meter.ts';
import { dayOf, NANOS_PER_DAY, parseNanos } from '../model/time.ts';
import type { ColdStore, WarmStore } from './contract.ts';

export interface RetentionOptions {
  warm: WarmStore;
  /** Null: days are dropped without a copy (`DEBUG_PG_AUTO_ARCHIVE=false`). */
  cold: ColdStore | null;
  tenants: readonly string[];
  /** Age at which a day's newest possible record leaves. */
  retentionNanos: bigint;
  clock: Clock;
  log: Logger;
  meter: Meter;
}

export interface Retention extends Part {
  /** One round now. @returns the days that left the warm tier */
  run(): Promise<string[]>;
}

const ROUND_MS = 3_600_000;

export function createRetention(options: RetentionOptions): Retention {
  const { warm, cold, tenants, retentionNanos, clock, log, meter } = options;
  const moved = meter.counter('retention_blocks_archived_total', 'Blocks copied from the warm tier to the archive');
  const dropped = meter.counter('retention_days_dropped_total', 'Days that left the warm tier');
  let timer: NodeJS.Timeout | undefined;
  let round: Promise<unknown> = Promise.resolve();

  async function run(): Promise<string[]> {
    const now = clock.nowNanos();
    const yesterday = dayOf(now - NANOS_PER_DAY);
    const due = (await warm.days()).filter((day) => day < yesterday && endOf(day) <= now - retentionNanos);
    for (const day of due) {
      if (cold !== null) await copy(day, cold);
      await warm.dropDay(day);
      dropped.inc();
      log.info({ day, archived: cold !== null }, 'a day left the warm tier');
    }
    return due;
  }

  async function copy(day: string, archive: ColdStore): Promise<void> {
    for (const tenant of tenants) {
      for await (const block of warm.blocksOfDay(tenant, day)) {
        await archive.put(block);
        moved.inc();
      }
    }
    await archive.seal();
  }

  function next(): void {
    round = round
      .then(run)
      .catch((error) => log.error({ err: error }, 'retention failed; it is tried again in an hour'));
  }

  return {
    name: 'retention',
    run,
    async start() {
      next();
      timer = setInterval(next, ROUND_MS);
      timer.unref();
    },
    async stop() {
      clearInterval(timer);
      await round;
    },
  };
}

function endOf(day: string): bigint {
  return parseNanos(`${day}T00:00:00Z`)! + NANOS_PER_DAY;
}
