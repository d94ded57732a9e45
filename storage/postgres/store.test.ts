/** What a PostgreSQL that is away, dies or lies does to the store: FAULTS.md F1 to F5. */
import pg from 'pg';
import { pino } from 'pino';
import { afterEach, beforeEach, describe, expect, inject, it } from 'vitest';
import { systemClock } from '../../base/clock.ts';
import { createMeter } from '../../base/meter.ts';
import { attributeProbe } from '../../model/attribute-filter.ts';
import { type Block, blockKey } from '../../model/block.ts';
import { Sketch } from '../../model/sketch.ts';
import { textProbe } from '../../model/text-filter.ts';
import { minuteOf } from '../../model/time.ts';
import { collect, logBlock, NOON } from '../../test/support/blocks.ts';
import { type Link, startLink } from '../../test/support/link.ts';
import { createDatabase } from '../../test/support/postgres.ts';
import { type BlockSelector, emptyFlush, type Flush, type WarmStore } from '../contract.ts';
import { createPostgresStore } from './store.ts';

let database: Awaited<ReturnType<typeof createDatabase>>;
let link: Link;
let stores: WarmStore[];
beforeEach(async () => {
  database = await createDatabase(inject('pgUrl'));
  link = await startLink(database.url);
  stores = [];
});
afterEach(async () => {
  for (const store of stores) await store.stop();
  await link.stop();
  await database.drop();
});

function storeAt(url: string): WarmStore {
  const store = createPostgresStore({
    url,
    retentionHours: 168,
    partitionByDay: true,
    rowSecurity: 'on',
    clock: systemClock(),
    log: pino({ level: 'silent' }),
    meter: createMeter(),
  });
  stores.push(store);
  return store;
}

function flushOf(position: bigint, blocks: Block[]): Flush {
  const minute = { minute: minuteOf(NOON), component_type: 'service', component_id: 'checkout' };
  return {
    ...emptyFlush('default'),
    blocks,
    componentMinutes: [{ ...minute, total: 1, errors: 0, critical: 0, latency: new Sketch() }],
    ledger: { journal: 'journal', position },
  };
}

const large = () => logBlock(Array.from({ length: 4000 }, (_, i) => ({ time: NOON, message: `${Math.sin(i)} ${i}` })));

async function stored(store: WarmStore): Promise<{ blocks: number; total: number | undefined }> {
  const blocks = await collect(store.blocks({ tenant: 'default' }));
  const minutes = await store.componentMinutes('default', { start: 0n, end: NOON });
  return { blocks: blocks.length, total: minutes[0]?.total };
}

describe('F1 a server that is away at start', () => {
  it('is unavailable, and the same store starts when it is there', async () => {
    await link.refuse();
    const store = storeAt(link.url);
    await expect(store.start()).rejects.toMatchObject({ name: 'DebugError', code: 'UNAVAILABLE' });
    await expect(store.commit(flushOf(1n, []))).rejects.toMatchObject({ code: 'UNAVAILABLE' });
    await link.accept();
    await Promise.all([store.start(), store.start()]);
    await store.commit(flushOf(1n, [large()]));
    expect(await stored(store)).toEqual({ blocks: 1, total: 1 });
  });

  it.each([
    ['a database that does not exist', (url: URL) => void (url.pathname = '/no_such_database')],
    ['a user that does not exist', (url: URL) => void (url.username = 'no_such_user')],
    ['what is no PostgreSQL URL', (url: URL) => void (url.protocol = 'mysql:')],
  ])('%s is a wrong setting, named without its password', async (_, change) => {
    const url = new URL(database.url);
    url.password = 'secret-word';
    change(url);
    const refused = storeAt(url.href).start();
    await expect(refused).rejects.toMatchObject({ code: 'INVALID', fields: [{ field: 'DEBUG_PG_URL' }] });
    await refused.catch((error) => expect(`${error} ${JSON.stringify(error)}`).not.toContain('secret-word'));
  });
});

describe('F2 F4 a server that dies', () => {
  /** Through the link; the day of the test's blocks has its partition. */
  async function started(): Promise<WarmStore> {
    const store = storeAt(link.url);
    await store.start();
    await store.commit({ ...flushOf(1n, [logBlock([{ time: NOON }])]), tenant: 'earlier', ledger: null });
    return store;
  }

  it('in the middle of a COPY leaves nothing; the same flush made again is there once', async () => {
    const store = await started();
    const flush = flushOf(1n, [large()]);
    link.cutAfterSent(20_000);
    await expect(store.commit(flush)).rejects.toMatchObject({ code: 'UNAVAILABLE' });
    expect(await stored(store)).toEqual({ blocks: 0, total: undefined });
    await store.commit(flush);
    expect(await stored(store)).toEqual({ blocks: 1, total: 1 });
  });

  it('after COMMIT, before its answer, has the flush; made again it is not doubled', async () => {
    const store = await started();
    const flush = flushOf(1n, [large()]);
    link.cutAnswerTo('COMMIT\0');
    await expect(store.commit(flush)).rejects.toMatchObject({ code: 'UNAVAILABLE' });
    expect(await store.committedPosition('journal')).toBe(1n);
    await store.commit(flush);
    expect(await stored(store)).toEqual({ blocks: 1, total: 1 });
  });

  it('and comes back needs nothing from us', async () => {
    const store = storeAt(database.url);
    await store.start();
    await store.commit(flushOf(1n, [large()]));
    await admin(`SELECT pg_terminate_backend(pid) FROM pg_stat_activity
      WHERE application_name = 'ai-debug' AND datname = current_database()`);
    await store.commit(flushOf(2n, [])).catch((error) => expect(error.code).toBe('UNAVAILABLE'));
    await store.commit(flushOf(3n, []));
    expect(await store.committedPosition('journal')).toBe(3n);
  });
});

it('F5 a server that turns read-only takes no commits, still reads, and takes them again later', async () => {
  const store = storeAt(database.url);
  await store.start();
  await store.commit(flushOf(1n, [large()]));
  await store.stop();
  await admin(alterDatabase('SET default_transaction_read_only = on'));
  await store.start();
  await expect(store.commit(flushOf(2n, []))).rejects.toMatchObject({ code: 'UNAVAILABLE' });
  expect(await stored(store)).toEqual({ blocks: 1, total: 1 });
  await store.stop();
  await admin('SET default_transaction_read_only = off', alterDatabase('RESET default_transaction_read_only'));
  await store.start();
  await store.commit(flushOf(2n, []));
});

it('finds by errors, texts and attributes what a version without filters wrote', async () => {
  const component = { type: 'service', id: 'api' };
  const [old, added] = [0n, 1n].map((i) => logBlock([{ time: NOON + i, component, severity: 17 }]));
  const store = storeAt(database.url);
  await store.start();
  await store.commit(flushOf(1n, [old!]));
  const client = new pg.Client(database.url);
  await client.connect();
  await client.query('UPDATE ai_debug.block SET texts = NULL, attributes = NULL');
  const besides = blockKey('errors', 'service', 'api');
  await client.query('DELETE FROM ai_debug.block_key WHERE key = $1', [BigInt.asIntN(64, besides)]);
  await client.end();
  await store.commit(flushOf(2n, [added!]));

  const ids = async (selector: Partial<BlockSelector>) =>
    (await collect(store.blocks({ tenant: 'default', ...selector }))).map(({ id }) => id);
  const keys = [blockKey('component', 'service', 'api')];
  expect(await ids({ keys, besides })).toEqual([added!.id, old!.id]);
  expect(await ids({ keys, besides, end: NOON })).toEqual([old!.id]);
  const mayHold = { texts: textProbe(['nowhere'])!, attributes: attributeProbe([['nowhere', '1']])! };
  expect(await ids({ mayHold })).toEqual([old!.id]);
  expect(await ids({ keys, mayHold })).toEqual([old!.id]);
});

it('a commit is durable even where the server prefers speed', async () => {
  await admin(
    `DO $$ BEGIN EXECUTE format('ALTER DATABASE %I SET synchronous_commit = off', current_database()); END $$`,
  );
  const store = storeAt(link.url);
  await store.start();
  await admin(`CREATE TABLE seen (setting text); GRANT ALL ON seen TO public;
    CREATE FUNCTION see() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
      INSERT INTO public.seen VALUES (current_setting('synchronous_commit')); RETURN NEW; END $$;
    CREATE TRIGGER see AFTER INSERT ON ai_debug.ledger FOR EACH ROW EXECUTE FUNCTION see()`);
  await store.commit(flushOf(1n, []));
  expect(await admin('SELECT setting FROM seen')).toEqual([{ setting: 'on' }]);
});

it('F15 the same block from two receivers at once is stored once', async () => {
  const [one, two] = [storeAt(database.url), storeAt(database.url)];
  await Promise.all([one.start(), two.start()]);
  const block = large();
  for (let i = 1n; i <= 5n; i++) {
    const [a, b] = [flushOf(i, [block]), flushOf(i, [block])];
    b.ledger!.journal = 'another';
    await Promise.all([one.commit(a), two.commit(b)]);
    expect(await stored(one)).toEqual({ blocks: 1, total: 2 });
    await admin('DELETE FROM ai_debug.block; DELETE FROM ai_debug.block_key; DELETE FROM ai_debug.component_minute');
  }
});

function alterDatabase(how: string): string {
  return `ALTER DATABASE ${new URL(database.url).pathname.slice(1)} ${how}`;
}

/** @returns the rows of the last */
async function admin(...statements: string[]): Promise<unknown[]> {
  const client = new pg.Client({ connectionString: database.url });
  await client.connect();
  try {
    let rows: unknown[] = [];
    for (const statement of statements) rows = (await client.query(statement)).rows;
    return rows;
  } finally {
    await client.end();
  }
}
