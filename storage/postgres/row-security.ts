/**
 * The second wall between tenants (decision 014): reads go as a role that sees the rows of one tenant, whatever their statement says.
 * The policies are in the schema (sql/006-row-security.sql) and bind whoever does not own the tables; here is the role that reads. It
 * cannot log in, and is one for all databases of a server: what it may is granted in each.
 */
import type pg from 'pg';
import { DebugError } from '../../base/errors.ts';
import type { Logger } from '../../base/log.ts';
import { SCHEMA } from './connection.ts';
import { SETTING } from './errors.ts';
import { takeTurns } from './migrate.ts';
import { READER } from './setting-query.ts';

/** `auto`: where the role can be had; `on`: or there is no start; `off`: statements alone keep tenants apart. */
export type RowSecurity = 'auto' | 'on' | 'off';

/**
 * Makes the role and what it may where that is missing; safe when other processes do so too.
 * @returns whether reads are to go as the role
 * @throws DebugError INVALID where the tables are not ours to write, or where the role is a must and cannot be had
 */
export async function prepareReader(client: pg.ClientBase, wanted: RowSecurity, log: Logger): Promise<boolean> {
  await mustOwnTables(client);
  if (wanted === 'off') return false;
  const reason = await whyNot(client);
  if (reason === null) return true;
  const { rows } = await client.query<{ name: string }>('SELECT quote_ident(current_user) AS name');
  const message = `the role ${READER} cannot be had (${reason}); let somebody who may make roles run: CREATE ROLE ${READER} NOLOGIN; GRANT ${READER} TO ${rows[0]!.name}`;
  if (wanted === 'on') throw refused(message);
  log.warn({ reason: message }, 'row-level security is not in force; statements alone keep tenants apart');
  return false;
}

/** @returns null where the role is there and may read, else why it cannot be had */
async function whyNot(client: pg.ClientBase): Promise<string | null> {
  for (let attempt = 1; ; attempt++) {
    if (await isReady(client)) return null;
    try {
      await client.query('BEGIN');
      await takeTurns(client);
      await makeReader(client);
      await client.query('COMMIT');
    } catch (error) {
      await client.query('ROLLBACK');
      const { code = '', message } = error as { code?: string; message: string };
      if (code === INSUFFICIENT_PRIVILEGE) return message;
      if (attempt === ATTEMPTS || !RACES.has(code)) throw error;
    }
  }
}

/** Nothing is written where nothing is missing. */
async function isReady(client: pg.ClientBase): Promise<boolean> {
  await client.query('BEGIN');
  try {
    await client.query(`SET LOCAL ROLE ${READER}`);
    const { rows } = await client.query<{ ready: boolean }>(READY);
    return rows[0]!.ready;
  } catch {
    return false;
  } finally {
    await client.query('ROLLBACK');
  }
}

const READ = `c.relnamespace = '${SCHEMA}'::regnamespace AND NOT c.relispartition
  AND (c.relrowsecurity OR c.relname = 'block_version')`;
const READY = `
  SELECT has_schema_privilege('${SCHEMA}', 'USAGE')
    AND bool_and(has_table_privilege(c.oid, 'SELECT') AND (row_security_active(c.oid) OR NOT c.relrowsecurity)) AS ready
  FROM pg_class c WHERE ${READ}`;

async function makeReader(client: pg.ClientBase): Promise<void> {
  const { rowCount } = await client.query('SELECT 1 FROM pg_roles WHERE rolname = $1', [READER]);
  if (rowCount === 0) await client.query(`CREATE ROLE ${READER} NOLOGIN`);
  const { rows: tables } = await client.query<{ name: string }>(
    `SELECT quote_ident(c.relname) AS name FROM pg_class c WHERE ${READ}`,
  );
  await client.query(`GRANT USAGE ON SCHEMA ${SCHEMA} TO ${READER}`);
  await client.query(`GRANT SELECT ON ${tables.map(({ name }) => name).join(', ')} TO ${READER}`);
  await client.query('SAVEPOINT membership');
  try {
    await client.query(`SET LOCAL ROLE ${READER}`);
  } catch {
    await client.query('ROLLBACK TO membership');
    await client.query(`GRANT ${READER} TO CURRENT_USER`);
  }
}

/** Policies bind whoever does not own the tables: COPY would be refused, and every other write. */
async function mustOwnTables(client: pg.ClientBase): Promise<void> {
  const { rows } = await client.query<{ name: string; owner: string }>(`
    SELECT quote_ident(current_user) AS name, quote_ident(pg_get_userbyid(relowner)) AS owner FROM pg_class
    WHERE oid = 'block'::regclass AND row_security_active(oid)`);
  const [user] = rows;
  if (user === undefined) return;
  throw refused(
    `${user.name} does not own the tables of ai-debug, and may not write them: GRANT ${user.owner} TO ${user.name}`,
    SETTING,
  );
}

function refused(message: string, setting = 'DEBUG_PG_ROW_SECURITY'): DebugError {
  return new DebugError('INVALID', `${setting}: ${message}`, { fields: [{ field: setting, message }] });
}

const INSUFFICIENT_PRIVILEGE = '42501';
// Another database of the same server makes the role at the same time; turns are taken within one.
const RACES = new Set(['42710', '23505', 'XX000']);
const ATTEMPTS = 5;
