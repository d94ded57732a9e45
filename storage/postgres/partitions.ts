/** The day partitions of blocks and their keys: made before anything falls into them, dropped whole. */
import { setTimeout as sleep } from 'node:timers/promises';
import type pg from 'pg';
import { assert } from '../../base/assert.ts';
import type { Connection } from './connection.ts';
import { asDebugError, LOCK_NOT_AVAILABLE } from './errors.ts';
import { takeTurns } from './migrate.ts';

/**
 * Makes the partitions of these days (`YYYY-MM-DD`) where they are missing; safe when other processes do so too.
 * @param byDay false: one partition for all days, for databases where DDL at run time is not wanted; their days are deleted
 */
export async function makePartitions(connection: Connection, days: Iterable<string>, byDay: boolean): Promise<void> {
  await connection.transaction(async (client) => {
    await takeTurns(client);
    await client.query(`SET LOCAL lock_timeout = ${LOCK_TIMEOUT_MS}`);
    const existing = await partitionsOf(client);
    if (!byDay && !existing.has(DEFAULT)) await attach(client, DEFAULT, 'DEFAULT');
    if (byDay) for (const day of new Set(days)) await attachDay(client, day, existing);
  });
}

/** Drops a day with all its blocks and keys; idempotent. @throws DebugError UNAVAILABLE while long reads keep it in use */
export async function dropDay(connection: Connection, day: string): Promise<void> {
  // Keys first and each alone: nobody holds one table while waiting for the other, and a day counts until its blocks are gone.
  for (const table of ['block_key', 'block']) await dropPartition(connection, table, day);
}

/** Days that hold blocks, ascending. */
export async function daysWithBlocks(connection: Connection): Promise<string[]> {
  const existing = await partitionsOf({ query: async (text) => ({ rows: await connection.rowsOfAll(text) }) });
  const each = [...existing].map((suffix) =>
    suffix === DEFAULT
      ? `SELECT DISTINCT to_char(day, 'YYYY-MM-DD') AS day FROM block_${DEFAULT}`
      : `SELECT '${dayOfSuffix(suffix)}' AS day WHERE EXISTS (SELECT 1 FROM block_${suffix})`,
  );
  if (each.length === 0) return [];
  const rows = await connection.rowsOfAll<{ day: string }>(`${each.join(' UNION ')} ORDER BY day`);
  return rows.map(({ day }) => day);
}

const DEFAULT = 'default';
const TABLES = ['block', 'block_key'];
// While we wait for a lock everybody behind us waits too: rather give up soon and come again.
const LOCK_TIMEOUT_MS = 1_000;
const DROP_ATTEMPTS = 10;
const DROP_PAUSE_MS = 500;

/** Suffixes of the partitions of `block`: `20260131`, or `default`. */
async function partitionsOf(client: {
  query(text: string): Promise<{ rows: { name: string }[] }>;
}): Promise<Set<string>> {
  const { rows } = await client.query(`
    SELECT relname AS name FROM pg_inherits JOIN pg_class ON pg_class.oid = inhrelid WHERE inhparent = 'block'::regclass`);
  const names = rows.map(({ name }) => /^block_(\d{8}|default)$/.exec(name)?.[1]);
  return new Set(names.filter((suffix) => suffix !== undefined));
}

async function attachDay(client: pg.ClientBase, day: string, existing: Set<string>): Promise<void> {
  const suffix = suffixOf(day);
  if (existing.has(suffix)) return;
  if (existing.has(DEFAULT)) {
    // From a time when days were not partitioned: what is in the default partition stays there until it is deleted.
    const { rows } = await client.query(`SELECT 1 FROM block_${DEFAULT} WHERE day = $1 LIMIT 1`, [day]);
    if (rows.length > 0) return;
  }
  const next = new Date(Date.parse(`${day}T00:00:00Z`) + 86_400_000).toISOString().slice(0, 10);
  await attach(client, suffix, `FOR VALUES FROM ('${day}') TO ('${next}')`);
}

/** CREATE TABLE … PARTITION OF would shut out readers and writers of all days; making it apart and attaching it does not. */
async function attach(client: pg.ClientBase, suffix: string, bounds: string): Promise<void> {
  for (const table of TABLES) {
    await client.query(`CREATE TABLE ${table}_${suffix} (LIKE ${table} INCLUDING ALL)`);
    await client.query(`ALTER TABLE ${table} ATTACH PARTITION ${table}_${suffix} ${bounds}`);
  }
}

async function dropPartition(connection: Connection, table: string, day: string): Promise<void> {
  const suffix = suffixOf(day);
  for (let attempt = 1; ; attempt++) {
    try {
      await connection.transaction(async (client) => {
        await takeTurns(client);
        await client.query(`SET LOCAL lock_timeout = ${LOCK_TIMEOUT_MS}`);
        const existing = await partitionsOf(client);
        await client.query(`DROP TABLE IF EXISTS ${table}_${suffix}`);
        if (existing.has(DEFAULT)) await client.query(`DELETE FROM ${table}_${DEFAULT} WHERE day = $1`, [day]);
      });
      return;
    } catch (error) {
      if ((error as { code?: string }).code !== LOCK_NOT_AVAILABLE || attempt === DROP_ATTEMPTS)
        throw asDebugError(error);
      await sleep(DROP_PAUSE_MS);
    }
  }
}

function suffixOf(day: string): string {
  // It becomes part of a statement.
  assert(/^\d{4}-\d\d-\d\d$/.test(day), `no day: ${day}`);
  return day.replaceAll('-', '');
}

function dayOfSuffix(suffix: string): string {
  return `${suffix.slice(0, 4)}-${suffix.slice(4, 6)}-${suffix.slice(6)}`;
}
