import { pino } from 'pino';
import { afterAll, inject } from 'vitest';
import { createMeter } from '../../base/meter.ts';
import { createPostgresStore } from '../../storage/postgres/store.ts';
import { embeddedDirectory } from '../support/embedded.ts';
import { createDatabase } from '../support/postgres.ts';
import { describeMerging } from './merge.suite.ts';
import { emptyDatabase } from './postgres-tables.ts';

describeMerging('SQLite', 20, embeddedDirectory);

const database = createDatabase(inject('pgUrl'));
afterAll(async () => (await database).drop());

describeMerging('PostgreSQL', 6, async () => {
  const { url } = await database;
  return {
    async open(clock) {
      const options = { url, retentionHours: 168, partitionByDay: true, rowSecurity: 'on' as const, clock };
      const store = createPostgresStore({ ...options, log: pino({ level: 'silent' }), meter: createMeter() });
      await store.start();
      return store;
    },
    drop: () => emptyDatabase(url),
  };
});
