/** Which of a count and a flush waits for which: what test/contract/minutes.suite.ts finds by chance, step by step. */
import { setTimeout as sleep } from 'node:timers/promises';
import type pg from 'pg';
import { pino } from 'pino';
import { afterEach, beforeEach, expect, inject, it } from 'vitest';
import type { ComponentMinute } from '../../model/rollup.ts';
import { Sketch } from '../../model/sketch.ts';
import { dayOf, hourOf, NANOS_PER_HOUR } from '../../model/time.ts';
import { NOON } from '../../test/support/blocks.ts';
import { createDatabase } from '../../test/support/postgres.ts';
import { emptyFlush } from '../contract.ts';
import { addComponentMinutes, componentSums } from './component-minutes.ts';
import { type Connection, connectOnce, createConnection } from './connection.ts';
import { countHours, uncountHours } from './hours.ts';
import { migrate } from './migrate.ts';

let database: Awaited<ReturnType<typeof createDatabase>>;
let connection: Connection;
let client: pg.Client;
beforeEach(async () => {
  database = await createDatabase(inject('pgUrl'));
  client = await connectOnce(database.url);
  await migrate(client);
  connection = createConnection(database.url, pino({ level: 'silent' }), false);
});
afterEach(async () => {
  await connection.close();
  await client.end();
  await database.drop();
});

const HOUR = hourOf(NOON);
const FLUSH = { ...emptyFlush('default'), componentMinutes: [minute(1)] };
const count = () => countHours(connection, 'default', { before: HOUR + NANOS_PER_HOUR, limit: 1 });

it('counting waits for a flush that has come to its last statement', async () => {
  await flush();
  await client.query('BEGIN');
  await flush();
  const counting = count();
  await somebodyWaits(counting);
  // Else another count would take it for one that the flush has seen.
  expect(await connection.rowsOfAll('SELECT hour FROM counted_hour')).toEqual([]);
  await client.query('COMMIT');
  expect(await counting).toBe(1);
  expect(await total()).toBe(2);
});

it('and leaves the hours to the next round where that takes too long', async () => {
  await flush();
  await client.query('BEGIN');
  await flush();
  expect(await count()).toBe(0);
  await client.query('COMMIT');
  expect(await total()).toBe(2);
  expect(await count()).toBe(1);
  expect(await total()).toBe(2);
});

it('a flush to an hour that is being counted waits, and takes its mark away; to another hour it does not', async () => {
  await flush();
  expect(await count()).toBe(1);
  const counting = await connectOnce(database.url);
  try {
    await counting.query('BEGIN; SELECT FROM counted_hour FOR UPDATE');
    await uncountHours(client, { ...FLUSH, componentMinutes: [{ ...minute(1), minute: NOON + NANOS_PER_HOUR }] });
    const flushing = flush();
    await somebodyWaits(flushing);
    await counting.query('COMMIT');
    await flushing;
    expect((await client.query('SELECT FROM counted_hour')).rowCount).toBe(0);
    expect(await total()).toBe(2);
  } finally {
    await counting.end();
  }
});

it('a mark that is not whole, as versions before this one left it, counts for nothing', async () => {
  await flush();
  await client.query('INSERT INTO counted_hour (hour, shard, tenant_id) VALUES ($1, 0, $2)', [HOUR, 'default']);
  expect(await total()).toBe(1);
  expect(await count()).toBe(1);
  expect(await total()).toBe(1);
});

async function flush(): Promise<void> {
  await addComponentMinutes(client, 'default', FLUSH.componentMinutes, dayOf);
  await uncountHours(client, FLUSH);
}

async function total(): Promise<number> {
  const range = { start: HOUR, end: HOUR + NANOS_PER_HOUR - 1n };
  return (await componentSums(connection, 'default', range))[0]!.total;
}

function minute(total: number): ComponentMinute {
  const component = { component_type: 'service', component_id: 'checkout' };
  return { minute: NOON, ...component, total, errors: 0, critical: 0, untold: 0, latency: new Sketch() };
}

/** Until some lock of the database is waited for, or what should wait has ended. */
async function somebodyWaits(work: Promise<unknown>): Promise<void> {
  let ended = false;
  const end = () => {
    ended = true;
  };
  work.then(end, end);
  const waiting = `SELECT FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'`;
  while (!ended && (await connection.rowsOfAll(waiting)).length === 0) await sleep(5);
  expect(ended).toBe(false);
}
