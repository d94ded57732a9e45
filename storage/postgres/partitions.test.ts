import pg from 'pg';
import { pino } from 'pino';
import { afterAll, beforeAll, expect, inject, it } from 'vitest';
import { createDatabase } from '../../test/support/postgres.ts';
import { type Connection, connectOnce, createConnection } from './connection.ts';
import { migrate } from './migrate.ts';
import { daysWithBlocks, dropDay, makePartitions } from './partitions.ts';

let database: Awaited<ReturnType<typeof createDatabase>>;
let connection: Connection;
let other: Connection;
beforeAll(async () => {
  database = await createDatabase(inject('pgUrl'));
  const client = await connectOnce(database.url);
  await migrate(client);
  await client.end();
  connection = createConnection(database.url, pino({ level: 'silent' }), false);
  other = createConnection(database.url, pino({ level: 'silent' }), false);
});
afterAll(async () => {
  await connection?.close();
  await other?.close();
  await database?.drop();
});

async function partitions(): Promise<string[]> {
  const rows = await connection.rowsOfAll<{ name: string }>(
    `SELECT inhrelid::regclass::text AS name FROM pg_inherits WHERE inhparent IN ('block'::regclass, 'block_key'::regclass)`,
  );
  return rows.map(({ name }) => name).sort();
}

it('are made once by two processes that make them at the same time', async () => {
  const days = ['2026-01-01', '2026-01-02', '2026-02-28'];
  await Promise.all([connection, other, connection, other].map((one) => makePartitions(one, days, true)));
  const expected = ['20260101', '20260102', '20260228'];
  expect(await partitions()).toEqual(
    ['block', 'block_key'].flatMap((table) => expected.map((day) => `${table}_${day}`)).sort(),
  );
  expect(await daysWithBlocks(connection)).toEqual([]);
});

it('are made while others read and write the days that are there', async () => {
  const reader = new pg.Client({ connectionString: database.url });
  await reader.connect();
  await reader.query('BEGIN; SELECT 1 FROM ai_debug.block; DELETE FROM ai_debug.block_key');
  await makePartitions(connection, ['2026-03-01'], true);
  await reader.query('ROLLBACK');
  await reader.end();
  expect(await partitions()).toContain('block_20260301');
});

it('wait for a reader to be dropped, and do not keep others waiting for long meanwhile', async () => {
  await makePartitions(connection, ['2026-04-01'], true);
  const reader = new pg.Client({ connectionString: database.url });
  await reader.connect();
  await reader.query('BEGIN; SELECT 1 FROM ai_debug.block');
  const dropped = dropDay(connection, '2026-04-01');
  await other.rowsOfAll('SELECT 1 FROM block'); // behind the waiting drop, which gives way
  await reader.query('COMMIT');
  await dropped;
  await reader.end();
  expect(await partitions()).not.toContain('block_20260401');
});

it('take what is no day for our mistake, not for SQL', async () => {
  await expect(dropDay(connection, '2026-01-01; DROP TABLE block')).rejects.toThrow('no day');
});
