import { pino } from 'pino';
import { afterEach, beforeEach, expect, inject, it } from 'vitest';
import { createDatabase } from '../../test/support/postgres.ts';
import { type Connection, connectOnce, createConnection } from './connection.ts';
import { migrate } from './migrate.ts';
import { prepareReader } from './row-security.ts';

let database: Awaited<ReturnType<typeof createDatabase>>;
let connection: Connection;
beforeEach(async () => {
  database = await createDatabase(inject('pgUrl'));
  const client = await connectOnce(database.url);
  await migrate(client);
  await prepareReader(client, 'on', pino({ level: 'silent' }));
  await client.end();
});
afterEach(async () => {
  await connection.close();
  await database.drop();
});

it.each([
  ['the owner', false],
  ['the reader', true],
])('as %s, a planned read is kept by the connection, and made again where that has lost it', async (_, asReader) => {
  connection = createConnection(database.url, pino({ level: 'silent' }), asReader);
  const read = () => connection.plannedRows('default', 'SELECT $1::int AS n, current_user AS name', [7]);
  const kept = async () =>
    (await connection.rowsOfAll('SELECT count(*)::int AS n FROM pg_prepared_statements WHERE generic_plans > 0'))[0].n;
  const [first] = await read();
  expect(first).toMatchObject({ n: 7, ...(asReader && { name: 'ai_debug_reader' }) });
  expect(await read()).toEqual([first]);
  expect(await kept()).toBe(1);
  await connection.rowsOfAll('DEALLOCATE ALL');
  expect(await read()).toEqual([first]);
  expect(await connection.rowsOfAll('SHOW plan_cache_mode')).toEqual([{ plan_cache_mode: 'auto' }]);
});
