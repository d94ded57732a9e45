import { pipeline } from 'node:stream/promises';
import pg from 'pg';
import { from as copyFrom } from 'pg-copy-streams';
import { afterAll, beforeAll, expect, inject, it } from 'vitest';
import { createDatabase } from '../../test/support/postgres.ts';
import { CopyBinary } from './copy-binary.ts';

let database: Awaited<ReturnType<typeof createDatabase>>;
let client: pg.Client;
beforeAll(async () => {
  database = await createDatabase(inject('pgUrl'));
  client = new pg.Client({ connectionString: database.url });
  await client.connect();
});
afterAll(async () => {
  await client?.end();
  await database?.drop();
});

it('is read by PostgreSQL as what was written, at the ends of every type', async () => {
  await client.query('CREATE TABLE t (a smallint, b int, c bigint, d uuid, e date, f text, g bytea)');
  const id = '00112233445566778899aabbccddeeff';
  const large = Buffer.alloc(300_000, 'x');
  const rows = new CopyBinary();
  rows
    .row(7)
    .int2(-32768)
    .int4(-2147483648)
    .int8(-(2n ** 63n))
    .uuid(id)
    .date('1970-01-01')
    .text('')
    .bytea(Buffer.of());
  rows
    .row(7)
    .int2(32767)
    .int4(2147483647)
    .int8(2n ** 64n - 1n)
    .uuid('f'.repeat(32))
    .date('2554-07-21');
  rows.text('a\u{1f389}ü').bytea(large);
  await pipeline([rows.end()], client.query(copyFrom('COPY t FROM STDIN (FORMAT binary)')));

  const { rows: read } = await client.query('SELECT a, b, c, d::text, e::text, f, g FROM t ORDER BY a');
  expect(read).toEqual([
    {
      a: -32768,
      b: -2147483648,
      c: '-9223372036854775808',
      d: '00112233-4455-6677-8899-aabbccddeeff',
      e: '1970-01-01',
      f: '',
      g: Buffer.of(),
    },
    {
      a: 32767,
      b: 2147483647,
      c: '-1',
      d: 'ffffffff-ffff-ffff-ffff-ffffffffffff',
      e: '2554-07-21',
      f: 'a\u{1f389}ü',
      g: large,
    },
  ]);
});
