/**
 * Moves days on: out of the warm tier when they are old enough, copied to the archive, read back and compared, then dropped whole; out
 * of the archive when they are older still; and both earlier, the oldest first, where the data folder would grow over its bound.
 * The last two days always stay. Interrupted at any step and run again it copies what is there already (which changes nothing) and
 * goes on; a lease keeps two processes from doing it at once, and without it they would only do the same work twice.
 *
 * The evidence of open insights outlives its tier: blocks that hold one of its events are copied to the archive even where days are
 * not, and kept there when their day leaves. Copied and not pinned in place, because a day is dropped whole for the price of one
 * block, and because the archive asks again each time: once the insight is resolved or has expired its blocks go with the next round.
 */
import { randomUUID } from 'node:crypto';
import { setImmediate as nextTurn } from 'node:timers/promises';
import type { Clock } from '../base/clock.ts';
import { DebugError } from '../base/errors.ts';
import type { Part } from '../base/lifecycle.ts';
import type { Logger } from '../base/log.ts';
import type { Meter } from '../base/meter.ts';
import { decodeIndex } from '../model/block.ts';
import { ContentHash } from '../model/hash.ts';
import type { Resource } from '../model/resource.ts';
import type { EdgeMinute } from '../model/rollup.ts';
import { dayOf, hourOf, NANOS_PER_DAY, NANOS_PER_HOUR, parseNanos } from '../model/time.ts';
import { type ArchivedRows, type ColdStore, emptyFlush, type FoundBlock, NO_ROWS, type WarmStore } from './contract.ts';
import { type Evidence, evidenceOfOpenInsights } from './evidence.ts';
import { wholeBlock } from './whole-block.ts';

export interface RetentionOptions {
  warm: WarmStore;
  cold: ColdStore;
  /** False: days are dropped without a copy, but for evidence (`DEBUG_PG_AUTO_ARCHIVE=false`). */
  archives: boolean;
  /** Age at which a day's newest possible record leaves the warm tier. */
  retentionNanos: bigint;
  /** The same of the archive. */
  archiveRetentionNanos: bigint;
  /** What the data folder may hold; absent: no bound. */
  disk?: {
    bytesMax: number;
    /** What lies there beside the warm tier and the archive. */
    otherBytes(): number;
    /** Whether the archive lies there too. */
    holdsArchive: boolean;
  };
  clock: Clock;
  log: Logger;
  meter: Meter;
}

export interface Retention extends Part {
  /**
   * One round now.
   * @returns the days that left the warm tier
   * @throws DebugError UNAVAILABLE while another process is at it
   */
  run(progress?: (done: Progress) => void): Promise<string[]>;
  /**
   * Brings an archived day back into the warm tier, where it stays for so long whatever its age. The archive keeps its copy.
   * @throws DebugError NOT_FOUND when the archive has no such day
   */
  restore(day: string, keptMs: number, progress?: (done: Progress) => void): Promise<{ blocks: number }>;
  status(): Promise<RetentionStatus>;
}

export interface Progress {
  day: string;
  /** Copied so far, of so many. */
  blocks: number;
}

export interface RetentionStatus {
  warm: { day: string; due: boolean; restored: boolean }[];
  archived: { tenant: string; day: string; files: number; blocks: number; records: number; bytes: number }[];
}

const ROUND_MS = 3_600_000;
const LEASE = 'retention';
const LEASE_MS = 300_000;
const RESTORED = 'restored ';
const RESTORE_BLOCKS = 64;

export function createRetention(options: RetentionOptions): Retention {
  const { warm, cold, archives, retentionNanos, archiveRetentionNanos, disk, clock, log, meter } = options;
  const moved = meter.counter('retention_blocks_archived_total', 'Blocks copied from the warm tier to the archive');
  const dropped = meter.counter('retention_days_dropped_total', 'Days that left the warm tier');
  const expired = meter.counter('retention_archive_days_dropped_total', 'Days of a tenant that left the archive');
  const holder = randomUUID();
  let timer: NodeJS.Timeout | undefined;
  let round: Promise<unknown> = Promise.resolve();
  let prunedDay = '';
  let heldMs = 0;

  async function run(progress: (done: Progress) => void = () => {}): Promise<string[]> {
    if (!(await warm.takeLease(LEASE, holder, LEASE_MS))) {
      throw new DebugError('UNAVAILABLE', 'another process is archiving', { retryAfterSeconds: 60 });
    }
    heldMs = clock.monotonicMs();
    try {
      const now = clock.nowNanos();
      const evidence = await evidenceOfOpenInsights(
        warm,
        (await cold.days()).map(({ tenant }) => tenant),
      );
      const restored = await restoredDays();
      const left = (await leavable(now)).filter((day) => endOf(day) <= now - retentionNanos && !restored.has(day));
      for (const day of left) await leave(day, archives, evidence, progress);
      for (const { tenant, day } of await cold.days()) {
        if (endOf(day) <= now - archiveRetentionNanos) await expire(tenant, day, evidence);
      }
      if (disk !== undefined) left.push(...(await keepBound(now, disk, evidence, progress)));
      if (prunedDay !== dayOf(now)) await warm.prune(now - retentionNanos, [...evidence.snapshots]);
      prunedDay = dayOf(now);
      return left;
    } finally {
      await warm.endLease(LEASE, holder);
    }
  }

  /** Days of the warm tier but for the last two. */
  async function leavable(now: bigint): Promise<string[]> {
    const yesterday = dayOf(now - NANOS_PER_DAY);
    return (await warm.days()).filter((day) => day < yesterday);
  }

  async function restoredDays(): Promise<Set<string>> {
    return new Set((await warm.leases(RESTORED)).map((name) => name.slice(RESTORED.length)));
  }

  /** @param whole false: only evidence is copied */
  async function leave(
    day: string,
    whole: boolean,
    evidence: Evidence,
    progress: (done: Progress) => void,
  ): Promise<void> {
    for (const tenant of await warm.tenants()) {
      const copied = new Map<string, bigint>();
      const outside: { start: bigint; end: bigint }[] = [];
      for await (const block of warm.blocksOfDay(tenant, day)) {
        if (!whole && !evidence.isIn(tenant, block)) continue;
        await cold.put(block);
        copied.set(block.id, new ContentHash().reset().bytes(block.index).digest());
        if (block.timeMin < startOf(day)) outside.push({ start: block.timeMin, end: block.timeMax });
        moved.inc();
        progress({ day, blocks: copied.size });
        await stillHeld();
      }
      if (copied.size === 0) continue;
      await cold.seal();
      await cold.verify(tenant, day, copied);
      if (whole) await cold.putRows(tenant, day, rowsOf(tenant, day, outside));
    }
    await warm.dropDay(day);
    dropped.inc();
    log.info({ day, archived: whole }, 'a day left the warm tier');
  }

  /** What the rows say of a day, an hour at a time; and of the times that old captures brought into it. */
  async function* rowsOf(
    tenant: string,
    day: string,
    outside: readonly { start: bigint; end: bigint }[],
  ): AsyncGenerator<ArchivedRows> {
    const hours = new Set(Array.from({ length: 24 }, (_, hour) => startOf(day) + BigInt(hour) * NANOS_PER_HOUR));
    for (const { start, end } of outside) {
      for (let hour = hourOf(start); hour <= end && hours.size < OUTSIDE_HOURS_MAX; hour += NANOS_PER_HOUR)
        hours.add(hour);
    }
    const traces = await tracesOf(tenant, day);
    const told = new Set<string>();
    for (const start of [...hours].sort((a, b) => (a < b ? -1 : 1))) {
      const range = { start, end: start + NANOS_PER_HOUR - 1n };
      const templateMinutes = await warm.templateMinutes(tenant, range);
      yield {
        componentMinutes: await warm.componentMinutes(tenant, range),
        templateMinutes,
        edgeMinutes: await warm.edgeMinutes(tenant, range),
        templates: await warm.templates(tenant, [...new Set(templateMinutes.map((minute) => minute.template_id))]),
        traceCorrelations: [],
        snapshots: await warm.snapshots(tenant, { ...range, limit: SNAPSHOTS_MAX }),
        resources: (await warm.resources(tenant, { ...range, limit: RESOURCES_MAX })).filter(
          (resource) => told.size < told.add(resourceName(resource)).size,
        ),
        insights: await warm.insights(tenant, { ...range, limit: INSIGHTS_MAX }),
      };
      await stillHeld();
    }
    for (let i = 0; i < traces.length; i += TRACES_AT_ONCE) {
      const some = traces.slice(i, i + TRACES_AT_ONCE);
      yield { ...NO_ROWS, insights: [], traceCorrelations: await warm.traceCorrelations(tenant, { traces: some }) };
      await stillHeld();
    }
  }

  async function tracesOf(tenant: string, day: string): Promise<string[]> {
    const traces = new Set<string>();
    for await (const block of warm.blocksOfDay(tenant, day)) {
      for (const trace of decodeIndex(block.index).header.traces) traces.add(trace);
      if (traces.size >= TRACES_MAX) break;
    }
    return [...traces].sort();
  }

  async function stillHeld(): Promise<void> {
    await nextTurn();
    if (clock.monotonicMs() - heldMs < LEASE_MS / 4) return;
    heldMs = clock.monotonicMs();
    if (await warm.takeLease(LEASE, holder, LEASE_MS)) return;
    throw new DebugError('UNAVAILABLE', 'another process is archiving', { retryAfterSeconds: 60 });
  }

  async function expire(tenant: string, day: string, evidence: Evidence): Promise<void> {
    await cold.dropDay(tenant, day, (block) => evidence.isIn(tenant, block));
    expired.inc();
    await stillHeld();
  }

  /** Of the archive and the warm tier the oldest day goes, until it fits or only the last two days are left. */
  async function keepBound(
    now: bigint,
    { bytesMax, otherBytes, holdsArchive }: NonNullable<RetentionOptions['disk']>,
    evidence: Evidence,
    progress: (done: Progress) => void,
  ): Promise<string[]> {
    const left: string[] = [];
    const archived = holdsArchive ? await cold.days() : [];
    const used = async () =>
      otherBytes() + (await warm.diskBytes()) + archived.reduce((total, { bytes }) => total + bytes, 0);
    if ((await used()) > bytesMax) await warm.giveBack();
    while ((await used()) > bytesMax) {
      const [warmDay] = await leavable(now);
      const [oldest] = archived;
      if (oldest !== undefined && (warmDay === undefined || oldest.day <= warmDay)) {
        archived.shift();
        await expire(oldest.tenant, oldest.day, evidence);
      } else if (warmDay !== undefined) {
        // Into an archive elsewhere it is moved; into one in the same folder it would only be to be dropped next.
        await leave(warmDay, archives && !holdsArchive, evidence, progress);
        await warm.giveBack();
        left.push(warmDay);
      } else {
        log.warn({ bytesMax, bytes: await used() }, 'the last two days alone are larger than DEBUG_MAX_DISK_BYTES');
        break;
      }
    }
    return left;
  }

  async function restore(
    day: string,
    keptMs: number,
    progress: (done: Progress) => void = () => {},
  ): Promise<{ blocks: number }> {
    const tenants = (await cold.days()).filter((archived) => archived.day === day).map(({ tenant }) => tenant);
    if (tenants.length === 0) throw new DebugError('NOT_FOUND', `the archive has no ${day}`);
    // Before the first block is back: the next round of whoever is running would take it for a day that is due.
    await warm.takeLease(RESTORED + day, RESTORED + day, keptMs);
    let blocks = 0;
    for (const tenant of tenants) {
      let some: FoundBlock[] = [];
      const commit = async () => {
        await warm.commit({ ...emptyFlush(tenant), blocks: await Promise.all(some.map(wholeBlock)) });
        blocks += some.length;
        some = [];
        progress({ day, blocks });
        await nextTurn();
      };
      for await (const block of cold.blocksOfDay(tenant, day)) if (some.push(block) === RESTORE_BLOCKS) await commit();
      await commit();
      await restoreRows(tenant, day);
    }
    return { blocks };
  }

  /** Minutes are added up by a commit: only those are brought back of which there is nothing, each hour in one step. */
  async function restoreRows(tenant: string, day: string): Promise<void> {
    const hours = new Map<bigint, ArchivedRows>();
    for await (const rows of cold.rows(tenant, day)) {
      await warm.commit({
        ...emptyFlush(tenant),
        templates: rows.templates,
        traceCorrelations: rows.traceCorrelations,
        snapshots: rows.snapshots,
        resources: rows.resources,
      });
      for (const insight of rows.insights) await warm.changeInsight(tenant, insight.id, (known) => known ?? insight);
      for (const hour of new Set(
        [...rows.componentMinutes, ...rows.templateMinutes, ...rows.edgeMinutes].map(({ minute }) => hourOf(minute)),
      )) {
        const ofHour = <R extends { minute: bigint }>(all: readonly R[]) =>
          all.filter((row) => hourOf(row.minute) === hour);
        const known = hours.get(hour) ?? { ...NO_ROWS, insights: [] };
        hours.set(hour, {
          ...NO_ROWS,
          insights: [],
          componentMinutes: largest(
            known.componentMinutes,
            ofHour(rows.componentMinutes),
            (row) => row.total,
            componentMinuteName,
          ),
          templateMinutes: largest(
            known.templateMinutes,
            ofHour(rows.templateMinutes),
            (row) => row.count,
            (row) => `${row.template_id} ${componentMinuteName(row)}`,
          ),
          edgeMinutes: largest(known.edgeMinutes, ofHour(rows.edgeMinutes), (row) => row.calls, edgeMinuteName),
        });
      }
    }
    for (const [start, { componentMinutes, templateMinutes, edgeMinutes }] of hours) {
      const range = { start, end: start + NANOS_PER_HOUR - 1n };
      if ((await warm.componentMinutes(tenant, range)).length > 0) continue;
      await warm.commit({ ...emptyFlush(tenant), componentMinutes, templateMinutes, edgeMinutes });
    }
  }

  async function status(): Promise<RetentionStatus> {
    const now = clock.nowNanos();
    const [restored, due] = [await restoredDays(), new Set(await leavable(now))];
    return {
      warm: (await warm.days()).map((day) => ({
        day,
        due: due.has(day) && endOf(day) <= now - retentionNanos && !restored.has(day),
        restored: restored.has(day),
      })),
      archived: await cold.days(),
    };
  }

  function next(): void {
    round = round
      .then(() => run())
      .catch((error) => {
        const isOthers = error instanceof DebugError && error.code === 'UNAVAILABLE';
        log[isOthers ? 'info' : 'error']({ err: error }, 'retention did not finish; it is tried again in an hour');
      });
  }

  return {
    name: 'retention',
    run,
    restore,
    status,
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

const SNAPSHOTS_MAX = 100_000;
const INSIGHTS_MAX = 10_000;
const RESOURCES_MAX = 100_000;
// Of a day with more traces than this the newest keep their correlation in each record that names it.
const TRACES_MAX = 1_000_000;
const TRACES_AT_ONCE = 1_000;
const OUTSIDE_HOURS_MAX = 24 * 31;
function componentMinuteName(row: { minute: bigint; component_type: string; component_id: string }): string {
  return JSON.stringify([String(row.minute), row.component_type, row.component_id]);
}

function resourceName({ hash, component_type, component_id }: Resource): string {
  return JSON.stringify([hash, component_type, component_id]);
}

function edgeMinuteName({ minute, kind, from_type, from_id, to_type, to_id }: EdgeMinute): string {
  return JSON.stringify([String(minute), kind, from_type, from_id, to_type, to_id]);
}

/** A day that was restored, had late records and left again is in the archive twice: the later count holds the earlier one. */
function largest<R>(
  one: readonly R[],
  other: readonly R[],
  sizeOf: (row: R) => number,
  nameOf: (row: R) => string,
): R[] {
  const rows = new Map<string, R>();
  for (const row of [...one, ...other]) {
    const known = rows.get(nameOf(row));
    if (known === undefined || sizeOf(row) > sizeOf(known)) rows.set(nameOf(row), row);
  }
  return [...rows.values()];
}

function startOf(day: string): bigint {
  return parseNanos(`${day}T00:00:00Z`)!;
}

function endOf(day: string): bigint {
  return startOf(day) + NANOS_PER_DAY;
}
