import type { TestProject } from 'vitest/node';
import { startPostgres } from './postgres.ts';
import { startRedis } from './redis.ts';

declare module 'vitest' {
  interface ProvidedContext {
    /** URL of the run's PostgreSQL server; `createDatabase` makes a database on it for a test file. */
    pgUrl: string;
    /** URL of the run's Redis, shared by all test files. */
    redisUrl: string;
  }
}

/** Starts one PostgreSQL and one Redis for the whole run; a test file gets their URLs from vitest's `inject`. */
export default async function setup(project: TestProject): Promise<() => Promise<void>> {
  const [postgres, redis] = await Promise.allSettled([startPostgres(), startRedis()]);
  const stop = async () => {
    await Promise.all([postgres, redis].map((server) => server.status === 'fulfilled' && server.value.stop()));
  };
  if (postgres.status === 'rejected' || redis.status === 'rejected') {
    await stop();
    const errors = [postgres, redis].flatMap((server) =>
      server.status === 'rejected' ? [server.reason as Error] : [],
    );
    throw errors.length === 1 ? errors[0] : new Error(errors.map((error) => error.message).join('\n\n'));
  }
  project.provide('pgUrl', postgres.value.url);
  project.provide('redisUrl', redis.value.url);
  return stop;
}
