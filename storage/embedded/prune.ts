/**
 * Rows leave when no block needs them: their own time is not retained any more, and no block of that time is. No index serves this: a
 * walk over a table in slices costs a second a million rows once a day, an index would cost each insert 2 µs.
 */
import { setImmediate as nextTurn } from 'node:timers/promises';
import { parseEventId } from '../../model/ids.ts';
import { formatNanos, NANOS_PER_HOUR } from '../../model/time.ts';
import { idFrom } from './blocks.ts';
import type { Database } from './database.ts';

/** @param before times of the record before this one are not retained any more, nanoseconds */
export async function pruneRows(
  database: Database,
  { before, now, pinnedSnapshots }: { before: bigint; now: bigint; pinnedSnapshots: readonly string[] },
): Promise<void> {
  const tenants = database.all<{ tenant: string }>(TENANTS).map(({ tenant }) => tenant);
  for (const tenant of tenants) {
    const kept = keptTimes(database, tenant, before, now + SKEW_AHEAD_NANOS);
    for (const { after, until } of gapsOf(kept)) {
      for (const statement of OF_TIME) {
        await inSlices(database, statement, [tenant, after, until, JSON.stringify(pinnedSnapshots)]);
      }
    }
    await pruneTraces(database, tenant, kept);
    await pruneTemplates(database, tenant);
    await pruneResources(database, tenant, kept);
  }
  await pruneInsights(database, formatNanos(now));
}

interface Range {
  start: bigint;
  end: bigint;
}

// As a block's day is its arrival's when it lies further ahead (model/block.ts).
const SKEW_AHEAD_NANOS = 3_600_000_000_000n;
// Of blocks that lie nearer than this to each other one range is made: rows between them stay a little longer.
const JOINED_NANOS = 3_600_000_000_000n;
const TIME_MAX = 0x7fff_ffff_ffff_ffffn;
const SLICE = 500;

const TENANTS = `
  SELECT tenant FROM component_minute UNION SELECT tenant FROM template_minute UNION SELECT tenant FROM edge_minute
  UNION SELECT tenant FROM snapshot   UNION SELECT tenant FROM trace_correlation UNION SELECT tenant FROM template
  UNION SELECT tenant FROM resource`;

/** A statement each, of ?1 tenant, ?2 and ?3 the times around the gap, ?4 JSON of what stays. */
const OF_TIME = [
  `DELETE FROM component_minute WHERE (tenant, minute, component_key) IN (
     SELECT tenant, minute, component_key FROM component_minute
     WHERE tenant = ?1 AND minute > ?2 AND minute < ?3 AND ?4 IS NOT NULL LIMIT ${SLICE})`,
  `DELETE FROM template_minute WHERE (tenant, minute, template_id, component_key) IN (
     SELECT tenant, minute, template_id, component_key FROM template_minute
     WHERE tenant = ?1 AND minute > ?2 AND minute < ?3 AND ?4 IS NOT NULL LIMIT ${SLICE})`,
  `DELETE FROM edge_minute WHERE (tenant, minute, edge_key) IN (
     SELECT tenant, minute, edge_key FROM edge_minute
     WHERE tenant = ?1 AND minute > ?2 AND minute < ?3 AND ?4 IS NOT NULL LIMIT ${SLICE})`,
  `DELETE FROM snapshot WHERE snapshot IN (
     SELECT snapshot FROM snapshot
     WHERE tenant = ?1 AND time > ?2 AND time < ?3 AND id NOT IN (SELECT value FROM json_each(?4)) LIMIT ${SLICE})`,
  // Behind the minutes: an hour that lost some is counted anew from what it has. Those at an edge of the gap may have lost some.
  ...['counted_hour', 'component_hour', 'template_hour', 'edge_hour'].map(
    (table) =>
      `DELETE FROM ${table} WHERE (tenant, hour) IN (
         SELECT tenant, hour FROM ${table}
         WHERE tenant = ?1 AND hour > ?2 - ${NANOS_PER_HOUR} AND hour < ?3 AND ?4 IS NOT NULL LIMIT ${SLICE})`,
  ),
];

/** What is retained by its own time, and what old captures and wrong clocks brought beside, as long as their blocks are there. */
function keptTimes(database: Database, tenant: string, start: bigint, end: bigint): Range[] {
  const ranges: Range[] = [{ start, end }];
  for (const condition of ['id < ?', 'id >= ?']) {
    const bound = idFrom(condition === 'id < ?' ? start : end);
    const rows = database.all<{ id: Uint8Array; time_min: bigint }>(
      `SELECT id, time_min FROM block WHERE tenant = ? AND width IN (0, 1, 2, 3) AND ${condition}`,
      [tenant, bound],
    );
    for (const { id, time_min } of rows) ranges.push({ start: time_min, end: parseEventId(id.toHex())!.time });
  }
  ranges.sort((a, b) => (a.start < b.start ? -1 : 1));
  const joined: Range[] = [];
  for (const range of ranges) {
    const last = joined.at(-1);
    if (last === undefined || range.start > last.end + JOINED_NANOS) joined.push({ ...range });
    else if (range.end > last.end) last.end = range.end;
  }
  return joined;
}

/** The times between ranges, both ends outside; a minute that a range begins in belongs to it. */
function gapsOf(kept: readonly Range[]): { after: bigint; until: bigint }[] {
  const edges = [-1n, ...kept.flatMap(({ start, end }) => [start - (start % 60_000_000_000n), end])];
  return Array.from({ length: kept.length + 1 }, (_, i) => ({
    after: clipped(edges[2 * i]!),
    until: clipped(edges[2 * i + 1] ?? TIME_MAX),
  }));
}

function clipped(time: bigint): bigint {
  return time > TIME_MAX ? TIME_MAX : time;
}

/** Repeats a statement that changes a few rows until there are none left, others having their turn between. */
async function inSlices(database: Database, statement: string, values: (string | bigint)[]): Promise<void> {
  for (let changes = BigInt(SLICE); changes === BigInt(SLICE); ) {
    ({ changes } = await database.transaction(() => database.run(statement, values)));
    await nextTurn();
  }
}

async function pruneTraces(database: Database, tenant: string, kept: readonly Range[]): Promise<void> {
  for (let last: Uint8Array = new Uint8Array(), more = true; more; ) {
    const rows = database.all<{ trace_id: Uint8Array; time: bigint }>(
      'SELECT trace_id, time FROM trace_correlation WHERE tenant = ? AND trace_id > ? ORDER BY trace_id LIMIT ?',
      [tenant, last, SLICE],
    );
    const gone = rows.filter(({ time }) => !kept.some(({ start, end }) => time >= start && time <= end));
    if (gone.length > 0) {
      await database.transaction(() => {
        for (const { trace_id, time } of gone) {
          database.run('DELETE FROM trace_correlation WHERE tenant = ? AND trace_id = ? AND time = ?', [
            tenant,
            trace_id,
            time,
          ]);
        }
      });
    }
    more = rows.length === SLICE;
    if (more) last = rows.at(-1)!.trace_id;
    await nextTurn();
  }
}

/** A template comes with each flush that counts it: one that returns has its text again. */
async function pruneTemplates(database: Database, tenant: string): Promise<void> {
  for (let last = '', more = true; more; ) {
    const rows = database.all<{ id: string }>(
      'SELECT id FROM template WHERE tenant = ? AND id > ? ORDER BY id LIMIT ?',
      [tenant, last, SLICE],
    );
    if (rows.length === 0) return;
    const first = rows[0]!.id;
    last = rows.at(-1)!.id;
    await database.transaction(() =>
      database.run(
        `DELETE FROM template WHERE tenant = ? AND id BETWEEN ? AND ? AND NOT EXISTS (
           SELECT 1 FROM template_minute AS used WHERE used.tenant = template.tenant AND used.template_id = template.id)`,
        [tenant, first, last],
      ),
    );
    more = rows.length === SLICE;
    await nextTurn();
  }
}

/** One that goes on speaking is written again within the hour (receiver/known-resources.ts). */
async function pruneResources(database: Database, tenant: string, kept: readonly Range[]): Promise<void> {
  for (let last = -1n, more = true; more; ) {
    const rows = database.all<{ resource: bigint; first_time: bigint; last_time: bigint }>(
      'SELECT resource, first_time, last_time FROM resource WHERE tenant = ? AND resource > ? ORDER BY resource LIMIT ?',
      [tenant, last, SLICE],
    );
    const gone = rows.filter(
      ({ first_time, last_time }) => !kept.some(({ start, end }) => last_time >= start && first_time <= end),
    );
    if (gone.length > 0) {
      await database.transaction(() => {
        for (const { resource, last_time } of gone)
          database.run('DELETE FROM resource WHERE resource = ? AND last_time = ?', [resource, last_time]);
      });
    }
    more = rows.length === SLICE;
    if (more) last = rows.at(-1)!.resource;
    await nextTurn();
  }
}

async function pruneInsights(database: Database, now: string): Promise<void> {
  for (let last = -1n, more = true; more; ) {
    const rows = database.all<{ insight: bigint; expired: bigint }>(
      `SELECT insight, json_extract(document, '$.expires_at') < ? AS expired FROM insight
       WHERE insight > ? ORDER BY insight LIMIT ?`,
      [now, last, SLICE],
    );
    const gone = rows.filter(({ expired }) => expired === 1n);
    if (gone.length > 0) {
      await database.transaction(() => {
        for (const { insight } of gone) {
          database.run('DELETE FROM insight_component WHERE insight = ?', [insight]);
          database.run('DELETE FROM insight WHERE insight = ?', [insight]);
        }
      });
    }
    more = rows.length === SLICE;
    if (more) last = rows.at(-1)!.insight;
    await nextTurn();
  }
}
