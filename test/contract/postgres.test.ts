/** The warm tier on a real PostgreSQL. */
import { pino } from 'pino';
import { afterAll, inject } from 'vitest';
import { systemClock } from '../../base/clock.ts';
import { createMeter } from '../../base/meter.ts';
import { createPostgresStore } from '../../storage/postgres/store.ts';
import { createDatabase } from '../support/postgres.ts';
import { emptyDatabase } from './postgres-tables.ts';
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
          rowSecurity: partitionByDay ? 'on' : 'off',
          clock: systemClock(),
          log: pino({ level: 'silent' }),
          meter: createMeter(),
        });
        await store.start();
        return store;
      },
      drop: () => emptyDatabase(url),
    };
  });
}
