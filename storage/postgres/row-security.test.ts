/** F32: the second wall. Statements that forget whose they are, and roles that may or may not be had. */
import { randomBytes } from 'node:crypto';
import fc from 'fast-check';
import pg from 'pg';
import { type Logger, pino } from 'pino';
import { afterEach, beforeEach, describe, expect, inject, it, vi } from 'vitest';
import { systemClock } from '../../base/clock.ts';
import { createMeter, type Meter } from '../../base/meter.ts';
import { collect, logBlock, NOON } from '../../test/support/blocks.ts';
import { createDatabase } from '../../test/support/postgres.ts';
import { resource } from '../../test/support/rows.ts';
import { emptyFlush, type Flush } from '../contract.ts';
import { type Connection, createConnection } from './connection.ts';
import type { RowSecurity } from './row-security.ts';
import { READER } from './setting-query.ts';
import { createPostgresStore } from './store.ts';

let database: Awaited<ReturnType<typeof createDatabase>>;
let admin: pg.Client;
let ended: (() => Promise<unknown>)[];
beforeEach(async () => {
  database = await createDatabase(inject('pgUrl'));
  admin = new pg.Client({ connectionString: database.url });
  await admin.connect();
  ended = [];
});
afterEach(async () => {
  for (const end of ended.reverse()) await end();
  await admin.end();
  await database.drop();
});

async function storeAt(url: string, rowSecurity: RowSecurity, meter: Meter = createMeter(), log: Logger = silent()) {
  const options = { url, retentionHours: 168, partitionByDay: true, rowSecurity, clock: systemClock(), log, meter };
  const store = createPostgresStore(options);
  ended.push(() => store.stop());
  await store.start();
  return store;
}

function silent(): Logger {
  return pino({ level: 'silent' });
}

function connectionTo(url: string): Connection {
  const connection = createConnection(url, silent(), true);
  ended.push(() => connection.close());
  return connection;
}

const TENANTS = ['acme', 'zeta', "o'brien", 'acme ', ''];

async function fill(store: Awaited<ReturnType<typeof storeAt>>): Promise<void> {
  for (const tenant of TENANTS) {
    const component = { component_type: 'service', component_id: 'checkout' };
    const minute = { ...component, template_id: 'a'.repeat(32), minute: NOON, count: 1, severity_max: 17 };
    const flush: Flush = {
      ...emptyFlush(tenant),
      blocks: [logBlock([{ time: NOON, correlation: 'c' }], { tenant })],
      templateMinutes: [{ ...minute, first_time: NOON, last_time: NOON, example_event_id: 'b'.repeat(32) }],
      templates: [{ id: 'a'.repeat(32), text: `of ${tenant}` }],
      traceCorrelations: [{ trace_id: 'd'.repeat(32), correlation_id: 'c', time: NOON }],
      requests: ['e'.repeat(32)],
      resources: [resource({ attributes: { of: tenant } })],
    };
    await store.commit(flush);
  }
}

describe('F32 a statement without a tenant', () => {
  it('finds the rows of whoever asks, and no others, in every table', async () => {
    await fill(await storeAt(database.url, 'on'));
    const connection = connectionTo(database.url);
    const { rows: tables } = await admin.query<{ name: string }>(`
      SELECT relname AS name FROM pg_class JOIN pg_attribute ON attrelid = pg_class.oid AND attname = 'tenant_id'
      WHERE relnamespace = 'ai_debug'::regnamespace AND relkind IN ('r', 'p') AND NOT relispartition`);
    expect(tables.length).toBeGreaterThan(9);
    for (const { name } of tables) {
      for (const tenant of TENANTS) {
        const own = await admin.query(`SELECT FROM ai_debug.${name} WHERE tenant_id = $1`, [tenant]);
        const rows = await connection.rows<{ tenant_id: string }>(tenant, `SELECT tenant_id FROM ${name}`);
        expect([name, rows.filter(({ tenant_id }) => tenant_id !== tenant)]).toEqual([name, []]);
        expect([name, tenant, rows.length]).toEqual([name, tenant, own.rowCount]);
        expect(await connection.rows(`not ${tenant}`, `SELECT tenant_id FROM ${name} WHERE $1`, [true])).toEqual([]);
      }
    }
  });

  it('finds them whoever asked before on the same connection, and whatever failed', async () => {
    await fill(await storeAt(database.url, 'on'));
    const connection = connectionTo(database.url);
    const asked = fc.constantFrom('count', 'fails', 'of all');
    await fc.assert(
      fc.asyncProperty(fc.array(fc.tuple(fc.constantFrom(...TENANTS), asked), { maxLength: 20 }), async (reads) => {
        const answers = reads.map(async ([tenant, what]) => {
          if (what === 'fails') return connection.rows(tenant, 'SELECT 1 / 0').catch(() => null);
          if (what === 'of all') {
            expect(await connection.rowsOfAll('SELECT FROM template')).toHaveLength(TENANTS.length);
            return;
          }
          expect(await connection.rows(tenant, 'SELECT template_text FROM template')).toEqual([
            { template_text: `of ${tenant}` },
          ]);
        });
        await Promise.all(answers);
      }),
      { numRuns: 30 },
    );
  });

  it('changes nothing and finds nothing else: no partition by its name, no ledger, no lease', async () => {
    await fill(await storeAt(database.url, 'on'));
    const connection = connectionTo(database.url);
    const { rows: partitions } = await admin.query<{ name: string }>(
      `SELECT relname AS name FROM pg_class WHERE relispartition AND relkind = 'r' AND relnamespace = 'ai_debug'::regnamespace`,
    );
    expect(partitions.length).toBeGreaterThan(2);
    for (const name of [...partitions.map(({ name }) => name), 'ledger', 'lease', 'migration'])
      await expect(connection.rows('acme', `SELECT FROM ${name}`)).rejects.toThrow('permission denied');
    for (const change of ['DELETE FROM template', "UPDATE session SET doc = '{}'", 'TRUNCATE block'])
      await expect(connection.rows('acme', change)).rejects.toThrow('permission denied');
  });

  it('finds nothing where nobody says whose', async () => {
    await fill(await storeAt(database.url, 'on'));
    await admin.query(`SET ROLE ${READER}`);
    for (const table of ['block', 'template']) {
      expect((await admin.query(`SELECT FROM ai_debug.${table}`)).rowCount).toBe(0);
    }
    await admin.query('RESET ROLE');
    expect((await admin.query('SELECT FROM ai_debug.block')).rowCount).toBe(TENANTS.length);
  });

  it('is found out by this test: as the owner it finds everything', async () => {
    await fill(await storeAt(database.url, 'off'));
    const connection = createConnection(database.url, silent(), false);
    ended.push(() => connection.close());
    expect(await connection.rows('acme', 'SELECT FROM template')).toHaveLength(TENANTS.length);
  });
});

it('the wall is no detour: what a statement asks for still reaches its index', async () => {
  await fill(await storeAt(database.url, 'on'));
  await admin.query(`ALTER DATABASE ${new URL(database.url).pathname.slice(1)} SET enable_seqscan = off`);
  const connection = connectionTo(database.url);
  const conditionOf = async (statement: string) => {
    const rows = await connection.rows<{ 'QUERY PLAN': string }>('acme', `EXPLAIN ${statement}`);
    return rows.map((row) => row['QUERY PLAN']).join('\n');
  };
  const id = '0'.repeat(32);
  expect(
    await conditionOf(
      `SELECT FROM block_key WHERE tenant_id = 'acme' AND key = 1 AND reach = 0 AND block_id < '${id}'`,
    ),
  ).toMatch(/Index Cond: .*tenant_id = .*key = .*reach = .*block_id </);
  expect(
    await conditionOf(
      `SELECT FROM block WHERE tenant_id = 'acme' AND reach = ANY ('{0,1}') AND block_id = ANY ('{${id}}')`,
    ),
  ).toMatch(/Index Cond: .*tenant_id = .*reach = ANY.*block_id = ANY/);
  expect(
    await conditionOf(`SELECT FROM template_minute WHERE tenant_id = 'acme' AND minute >= 1 AND minute <= 2`),
  ).toMatch(/Index Cond: .*tenant_id = .*minute >= .*minute <= /);
});

it('every table of tenants has the wall', async () => {
  await storeAt(database.url, 'on');
  const { rows } = await admin.query(`
    SELECT relname AS name FROM pg_class JOIN pg_attribute ON attrelid = pg_class.oid AND attname = 'tenant_id'
    WHERE relnamespace = 'ai_debug'::regnamespace AND relkind IN ('r', 'p') AND NOT relispartition
      AND NOT (relrowsecurity AND EXISTS (SELECT FROM pg_policy WHERE polrelid = pg_class.oid
        AND pg_get_expr(polqual, polrelid) LIKE '(tenant\\_id = current\\_setting(''ai\\_debug.tenant''%'))`);
  expect(rows).toEqual([]);
});

describe('a user of the database', () => {
  let user: string;
  beforeEach(async () => {
    user = `ai_debug_test_${randomBytes(6).toString('hex')}`;
  });

  async function urlOf(rights: string): Promise<string> {
    await admin.query(`CREATE ROLE ${user} LOGIN PASSWORD 'secret' ${rights}`);
    ended.unshift(async () => {
      await admin.query(`DROP OWNED BY ${user} CASCADE; DROP ROLE ${user}`);
    });
    const url = new URL(database.url);
    await admin.query(`GRANT ALL ON DATABASE "${url.pathname.slice(1)}" TO ${user}`);
    url.username = user;
    url.password = 'secret';
    return url.href;
  }

  const gauge = async (meter: Meter) =>
    /^ai_debug_postgres_row_security (\d)/m.exec(await meter.registry.metrics())?.[1];

  it('who may make roles gets the wall', async () => {
    const [meter, url] = [createMeter(), await urlOf('CREATEROLE')];
    await fill(await storeAt(url, 'on', meter));
    expect(await gauge(meter)).toBe('1');
    expect(await connectionTo(url).rows('acme', 'SELECT FROM template')).toHaveLength(1);
  });

  it('who may not goes on without it and is told what to type, which helps', async () => {
    const [meter, url, log] = [createMeter(), await urlOf(''), silent()];
    const warn = vi.spyOn(log, 'warn');
    const store = await storeAt(url, 'auto', meter, log);
    await fill(store);
    expect(await collect(store.blocks({ tenant: 'acme' }))).toHaveLength(1);
    expect(await gauge(meter)).toBe('0');
    const { reason } = warn.mock.calls[0]![0] as { reason: string };
    expect(reason).toContain(`GRANT ${READER} TO ${user}`);
    await expect(storeAt(url, 'on')).rejects.toMatchObject({
      code: 'INVALID',
      fields: [{ field: 'DEBUG_PG_ROW_SECURITY', message: reason }],
    });
    // The role may be there already: of another database of this server.
    for (const statement of reason.split('run: ')[1]!.split(';')) await admin.query(statement).catch(() => {});
    const better = createMeter();
    const walled = await storeAt(url, 'on', better);
    expect(await collect(walled.blocks({ tenant: 'acme' }))).toHaveLength(1);
    expect(await gauge(better)).toBe('1');
  });

  it('who does not own the tables is refused, and told what to type', async () => {
    await storeAt(database.url, 'on');
    const url = await urlOf('');
    await admin.query(
      `GRANT USAGE ON SCHEMA ai_debug TO ${user}; GRANT ALL ON ALL TABLES IN SCHEMA ai_debug TO ${user}`,
    );
    const owner = (await admin.query('SELECT quote_ident(current_user) AS name')).rows[0].name;
    await expect(storeAt(url, 'off')).rejects.toThrow(`DEBUG_PG_URL: ${user} does not own the tables`);
    await expect(storeAt(url, 'off')).rejects.toThrow(`GRANT ${owner} TO ${user}`);
  });

  it('may start several processes at once', async () => {
    const url = await urlOf('CREATEROLE');
    const stores = await Promise.all(Array.from({ length: 4 }, () => storeAt(url, 'on')));
    await fill(stores[3]!);
    expect(await collect(stores[0]!.blocks({ tenant: 'zeta' }))).toHaveLength(1);
  });
});
