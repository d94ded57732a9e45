/**
 * Brings the schema to what this version needs. Migrations are the numbered files in sql/, each applied once, in order, all that
 * are missing in one transaction: half a migration does not exist. Processes that start together take turns by an
 * advisory lock that ends with its transaction, however that ends.
 *
 * Our own sixty lines rather than node-pg-migrate: plain SQL files and one table are all there is to it, and this one refuses a
 * database of a newer version and needs no right to write where there is nothing to do.
 */
import { readdir, readFile } from 'node:fs/promises';
import type pg from 'pg';
import { DebugError } from '../../base/errors.ts';
import { SCHEMA } from './connection.ts';
import { SETTING } from './errors.ts';

/** @returns the names of what was applied  @throws DebugError INVALID when a newer version was here; what the server says */
export async function migrate(client: pg.ClientBase): Promise<string[]> {
  const known = await migrations();
  if (missing(known, await applied(client)).length === 0) return [];
  await client.query('BEGIN');
  try {
    await takeTurns(client);
    const before = await applied(client);
    if (before === null) {
      await client.query(`CREATE SCHEMA IF NOT EXISTS ${SCHEMA}`);
      await client.query(`CREATE TABLE ${SCHEMA}.migration (name text PRIMARY KEY, applied_at timestamptz NOT NULL)`);
    }
    const names = missing(known, before);
    for (const name of names) {
      await client.query(await readFile(new URL(name, DIRECTORY), 'utf8'));
      await client.query('INSERT INTO migration VALUES ($1, now())', [name]);
    }
    await client.query('COMMIT');
    return names;
  } catch (error) {
    await client.query('ROLLBACK').catch(() => {}); // the first failure is the one to tell
    throw error;
  }
}

/** Waits until no other process changes the schema; until the transaction ends no other does. */
export async function takeTurns(client: pg.ClientBase): Promise<void> {
  await client.query(`SELECT pg_advisory_xact_lock(${LOCK})`);
}

const DIRECTORY = new URL('./sql/', import.meta.url);
// 'aidebug' in ASCII: of 2^64 locks that a shared database may use, an unlikely one.
const LOCK = '27418529577694567';

async function migrations(): Promise<string[]> {
  return (await readdir(DIRECTORY)).filter((name) => /^\d{3}-.*\.sql$/.test(name)).sort();
}

/** Null when nothing was ever applied. */
async function applied(client: pg.ClientBase): Promise<string[] | null> {
  // Not to_regclass: it answers from a cache that may not know yet what was committed while we waited for our turn.
  const { rowCount } = await client.query('SELECT 1 FROM pg_tables WHERE (schemaname, tablename) = ($1, $2)', [
    SCHEMA,
    'migration',
  ]);
  if (rowCount === 0) return null;
  return (await client.query(`SELECT name FROM ${SCHEMA}.migration ORDER BY name`)).rows.map(({ name }) => name);
}

function missing(known: readonly string[], applied: readonly string[] | null): string[] {
  const done = new Set(applied);
  const newer = [...done].filter((name) => !known.includes(name));
  if (newer.length > 0) {
    const message = `the database is of a newer version of ai-debug (it has ${newer.join(', ')})`;
    throw new DebugError('INVALID', `${SETTING}: ${message}`, { fields: [{ field: SETTING, message }] });
  }
  return known.filter((name) => !done.has(name));
}
