import { readFile } from 'node:fs/promises';
import type pg from 'pg';
import { afterEach, beforeEach, describe, expect, inject, it } from 'vitest';
import { createDatabase } from '../../test/support/postgres.ts';
import { connectOnce } from './connection.ts';
import { migrate } from './migrate.ts';

let database: Awaited<ReturnType<typeof createDatabase>>;
let clients: pg.Client[];
beforeEach(async () => {
  database = await createDatabase(inject('pgUrl'));
  clients = [];
});
afterEach(async () => {
  for (const client of clients) await client.end();
  await database.drop();
});

async function connect(): Promise<pg.Client> {
  const client = await connectOnce(database.url);
  clients.push(client);
  return client;
}

describe('F30 migrations', () => {
  it('lead to the schema that is checked in', async () => {
    const client = await connect();
    await migrate(client);
    await expect(await schemaOf(client)).toMatchFileSnapshot('sql/schema.sql');
  });

  it('are applied once when several processes start at the same time, and never again', async () => {
    const several = await Promise.all([connect(), connect(), connect(), connect()]);
    const applied = (await Promise.all(several.map(migrate))).flat();
    expect(applied.slice(0, 3)).toEqual(['001-blocks.sql', '002-rows.sql', '003-merge.sql']);
    expect(new Set(applied).size).toBe(applied.length);
    expect(await migrate(several[0]!)).toEqual([]);
  });

  it('need no right to write where nothing is missing', async () => {
    const client = await connect();
    await migrate(client);
    await client.query('SET default_transaction_read_only = on');
    expect(await migrate(client)).toEqual([]);
  });

  it('leave nothing behind when they are interrupted', async () => {
    const [client, other] = [await connect(), await connect()];
    await other.query('BEGIN; CREATE SCHEMA ai_debug; CREATE TABLE ai_debug.session (in_the_way int); COMMIT');
    await expect(migrate(client)).rejects.toThrow('"session" already exists');
    const { rows } = await other.query(`SELECT tablename FROM pg_tables WHERE schemaname = 'ai_debug'`);
    expect(rows).toEqual([{ tablename: 'session' }]);
    await other.query('DROP TABLE ai_debug.session');
    expect((await migrate(client)).length).toBeGreaterThan(2);
  });

  it('are made anew by who comes after a server that died half way', async () => {
    const [dying, other] = [await connect(), await connect()];
    await other.query('BEGIN; SELECT pg_advisory_xact_lock(27418529577694567)');
    const { rows } = await dying.query('SELECT pg_backend_pid() AS pid');
    const migrating = migrate(dying).catch((error: Error) => error);
    await other.query(`SELECT pg_terminate_backend(${rows[0].pid})`);
    await other.query('COMMIT');
    expect(await migrating).toBeInstanceOf(Error);
    expect(await migrate(other)).toContain('001-blocks.sql');
  });

  it('refuse a database of a newer version, naming the setting', async () => {
    const client = await connect();
    await migrate(client);
    await client.query(`INSERT INTO migration VALUES ('999-from-the-future.sql', now())`);
    await expect(migrate(client)).rejects.toMatchObject({ code: 'INVALID', message: /DEBUG_PG_URL.*newer.*999/ });
  });
});

it('the schema can be spread over machines: tenant and shard in every key, no sequence, no key across tables', async () => {
  const client = await connect();
  await migrate(client);
  const { rows: keys } = await client.query(`
    SELECT conrelid::regclass::text AS table, pg_get_constraintdef(oid) AS key FROM pg_constraint
    WHERE connamespace = 'ai_debug'::regnamespace AND contype IN ('p', 'u', 'f', 'x')`);
  const local = ['ledger', 'migration', 'lease']; // replicated everywhere
  for (const { table, key } of keys.filter(({ table }) => !local.includes(table))) {
    expect(`${table} ${key}`).toMatch(/PRIMARY KEY \(tenant_id, .*shard\)/);
  }
  const { rows: others } = await client.query(
    `SELECT relname FROM pg_class WHERE relnamespace = 'ai_debug'::regnamespace AND relkind NOT IN ('r', 'p', 'i', 'I', 't')`,
  );
  expect(others).toEqual([]);
});

it('Citus is told of every table, by a column that all its keys hold', async () => {
  const client = await connect();
  await migrate(client);
  const script = await readFile(new URL('citus.sql', import.meta.url), 'utf8');
  const distributed = [...script.matchAll(/create_distributed_table\('ai_debug\.(\w+)', '(\w+)'/g)];
  const copied = [...script.matchAll(/create_reference_table\('ai_debug\.(\w+)'/g)].map(([, table]) => table);
  const { rows: tables } = await client.query(`
    SELECT relname AS name FROM pg_class
    WHERE relnamespace = 'ai_debug'::regnamespace AND relkind IN ('r', 'p') AND NOT relispartition`);
  const told = [...distributed.map(([, table]) => table), ...copied].sort();
  expect(told).toEqual(tables.map(({ name }) => name).sort());
  // What create_distributed_table checks: the column is there, never null, and in every unique index.
  for (const [, table, column] of distributed) {
    const { rows: without } = await client.query(
      `SELECT indexrelid::regclass::text AS index FROM pg_index
       JOIN pg_attribute ON attrelid = indrelid AND attname = $2
       WHERE indrelid = ('ai_debug.' || $1)::regclass AND indisunique AND NOT attnum = ANY (indkey::int2[])`,
      [table, column],
    );
    const { rows: columns } = await client.query(
      `SELECT attnotnull, format_type(atttypid, atttypmod) AS type FROM pg_attribute
       WHERE attrelid = ('ai_debug.' || $1)::regclass AND attname = $2`,
      [table, column],
    );
    expect([table, without, columns]).toEqual([table, [], [{ attnotnull: true, type: 'smallint' }]]);
  }
  const { rows: forbidden } = await client.query(`
    SELECT conname FROM pg_constraint WHERE connamespace = 'ai_debug'::regnamespace AND contype IN ('f', 'x')
    UNION ALL SELECT tgname FROM pg_trigger WHERE NOT tgisinternal AND tgrelid::regclass::text LIKE 'ai_debug.%'`);
  expect(forbidden).toEqual([]);
});

/** The schema as SQL that a person can read, from the catalog, the same on every version of PostgreSQL. */
async function schemaOf(client: pg.ClientBase): Promise<string> {
  const { rows } = await client.query<{ name: string; definition: string }>(`
    SELECT c.relname AS name, 'CREATE TABLE ' || c.relname || E' (\\n' || (
        SELECT string_agg('  ' || line, E',\\n' ORDER BY place, line) FROM (
          SELECT attnum AS place, attname || ' ' || format_type(atttypid, atttypmod)
            || CASE WHEN collname = 'C' THEN ' COLLATE "C"' ELSE '' END
            || CASE WHEN attnotnull THEN ' NOT NULL' ELSE '' END
            || CASE WHEN attstorage <> typstorage THEN ' STORAGE ' || attstorage::text ELSE '' END
            || coalesce(' DEFAULT ' || pg_get_expr(adbin, adrelid), '') AS line
          FROM pg_attribute a JOIN pg_type t ON t.oid = atttypid
            LEFT JOIN pg_collation l ON l.oid = attcollation
            LEFT JOIN pg_attrdef d ON (adrelid, adnum) = (attrelid, attnum)
          WHERE attrelid = c.oid AND attnum > 0 AND NOT attisdropped
          UNION ALL
          SELECT 10000, pg_get_constraintdef(oid) FROM pg_constraint
          WHERE conrelid = c.oid AND contype IN ('p', 'u', 'f', 'c')
        ) lines
      ) || E'\\n)' || coalesce(' PARTITION BY ' || pg_get_partkeydef(c.oid), '')
      || coalesce(' WITH (' || array_to_string(c.reloptions, ', ') || ')', '') || ';' AS definition
    FROM pg_class c
    WHERE c.relnamespace = 'ai_debug'::regnamespace AND c.relkind IN ('r', 'p') AND NOT c.relispartition
    UNION ALL
    SELECT tablename || ' ' || indexname, indexdef || ';' FROM pg_indexes
    WHERE schemaname = 'ai_debug' AND indexname NOT LIKE '%\\_pkey'
    UNION ALL
    SELECT relname || ' row level security', 'ALTER TABLE ' || relname || ' ENABLE ROW LEVEL SECURITY;'
      || coalesce((SELECT string_agg(E'\\nCREATE POLICY ' || polname || ' ON ' || relname || ' FOR ' || CASE polcmd WHEN 'r' THEN 'SELECT' ELSE polcmd::text END
        || ' USING ' || pg_get_expr(polqual, polrelid) || ';', '') FROM pg_policy WHERE polrelid = c.oid), '')
    FROM pg_class c WHERE c.relnamespace = 'ai_debug'::regnamespace AND relrowsecurity
    ORDER BY name`);
  const head =
    '-- The schema that the migrations make; written by migrate.test.ts (vitest -u), compared in every run.\n\n';
  return `${head}${rows.map(({ definition }) => definition.replace(/ ON ai_debug\./, ' ON ')).join('\n\n')}\n`;
}
