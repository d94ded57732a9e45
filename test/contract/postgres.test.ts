/** The warm tier on a real PostgreSQL. */
import pg from 'pg';
import { pino } from 'pino';
import { afterAll, inject } from 'vitest';
import { systemClock } from '../../base/clock.ts';
import { createMeter } from '../../base/meter.ts';
import { createPostgresStore } from '../../storage/postgres/store.ts';
import { createDatabase } from '../support/postgres.ts';
import { describeWarmStore } from './warm-store.suite.ts';

for (const partitionByDay of [true, false]) {
  const database = createDatabase(inject('pgUrl'));
  afterAll(async () => (await database).drop());

  describeWarmStore(partitionByDay ? 'PostgreSQL' : 'PostgreSQL with one partition for all days', async () => {
    const { url } = await database;
    return {
      async open() {
        const store = createPostgresStore({
          url,
          retentionHours: 168,
          partitionByDay,
          clock: systemClock(),
          log: pino({ level: 'silent' }),
          meter: createMeter(),
        });
        await store.start();
        return store;
      },
      drop: () => empty(url),
    };
  });
}

/** Migrating anew would take most of each test's time. */
async function empty(url: string): Promise<void> {
  const client = new pg.Client({ connectionString: url });
  await client.connect();
  const tables = ['block', 'block_key', 'ledger', 'component_minute', 'template_minute', 'template'];
  tables.push('trace_correlation', 'snapshot', 'insight', 'session');
  await client.query(tables.map((table) => `DELETE FROM ai_debug.${table}`).join(';'));
  await client.end();
}
