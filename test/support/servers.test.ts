import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Redis } from 'ioredis';
import pg from 'pg';
import { afterEach, beforeEach, describe, expect, inject, it, vi } from 'vitest';
import { startLocalServer } from './local-server.ts';
import { createDatabase } from './postgres.ts';
import { startRedis } from './redis.ts';

describe('the PostgreSQL of the run', () => {
  it('gives each test file an empty database of its own, durable and in UTF-8', async () => {
    const [one, other] = await Promise.all([createDatabase(inject('pgUrl')), createDatabase(inject('pgUrl'))]);
    try {
      expect(one.url).not.toBe(other.url);
      expect(await rows(one.url, 'CREATE TABLE t (x text)')).toEqual([]);
      expect(await rows(other.url, `SELECT 1 FROM pg_tables WHERE schemaname = 'public'`)).toEqual([]);
      expect(await rows(one.url, 'SHOW fsync')).toEqual([{ fsync: 'on' }]);
      expect(await rows(one.url, 'SHOW server_encoding')).toEqual([{ server_encoding: 'UTF8' }]);
    } finally {
      await Promise.all([one.drop(), other.drop()]);
    }
  });

  it('drops a database that is still in use, and only once', async () => {
    const database = await createDatabase(inject('pgUrl'));
    const client = new pg.Client({ connectionString: database.url });
    client.on('error', () => {});
    await client.connect();
    const ended = new Promise((resolve) => client.once('end', () => resolve(undefined)));
    await database.drop();
    await database.drop();
    await ended;
    await expect(rows(database.url, 'SELECT 1')).rejects.toMatchObject({ code: '3D000' });
  });
});

describe('the Redis of the run', () => {
  it('answers, and keeps nothing on disk', async () => {
    const redis = new Redis(inject('redisUrl'));
    try {
      await redis.set('servers.test', 'here', 'PX', 10_000);
      expect(await redis.get('servers.test')).toBe('here');
      expect(await redis.config('GET', 'save')).toEqual(['save', '']);
    } finally {
      await redis.quit();
    }
  });
});

describe('a server of our own', () => {
  // Other test runs on this machine leave and take files too.
  beforeEach(() => vi.stubEnv('TMPDIR', mkdtempSync(join(tmpdir(), 'ai-debug-servers-test-'))));
  afterEach(() => {
    rmSync(tmpdir(), { recursive: true, force: true });
    vi.unstubAllEnvs();
    vi.restoreAllMocks();
  });

  it('is a second one beside that of the run; stopping it twice leaves neither process nor files', async () => {
    vi.stubEnv('DEBUG_TEST_REDIS_URL', undefined);
    const server = await startRedis();
    expect(server.url).not.toBe(inject('redisUrl'));
    expect(await answers(server.url)).toBe(true);
    await Promise.all([server.stop(), server.stop()]);
    expect(await answers(server.url)).toBe(false);
    expect(readdirSync(tmpdir())).toEqual([]);
  });

  it('ends with its owner, also when that is killed', async () => {
    const script = `
      const { startRedis } = await import(${JSON.stringify(new URL('redis.ts', import.meta.url).href)});
      console.log((await startRedis()).url);
    `;
    const owner = spawn(process.execPath, ['--input-type=module', '-e', script], {
      env: { ...process.env, DEBUG_TEST_REDIS_URL: '' },
      stdio: ['ignore', 'pipe', 'inherit'],
    });
    const [url] = await once(owner.stdout.setEncoding('utf8'), 'data');
    expect(await answers(String(url).trim())).toBe(true);
    owner.kill('SIGKILL');
    await vi.waitFor(async () => expect(await answers(String(url).trim())).toBe(false), 10_000);
    await vi.waitFor(() => expect(readdirSync(tmpdir())).toEqual([]), 10_000);
  });

  it('is not started when a variable names one', async () => {
    vi.stubEnv('DEBUG_TEST_REDIS_URL', 'redis://given.test:1');
    expect((await startRedis()).url).toBe('redis://given.test:1');
  });

  it('says what it printed when it does not start', async () => {
    const broken = { ...absent, programs: ['sh'], command: () => ['sh', '-c', 'echo no such setting >&2; exit 3'] };
    await expect(startLocalServer(broken)).rejects.toThrow(
      /Absent did not start: it ended with status 3\nno such setting/,
    );
  });

  it('is given up with what to type when it is neither here nor can be installed', async () => {
    vi.spyOn(process, 'getuid').mockReturnValue(1000);
    await expect(startLocalServer(absent)).rejects.toThrow(
      /absent-server.* install .*absent-package.*DEBUG_TEST_ABSENT_URL/s,
    );
  });
});

const absent = {
  name: 'Absent',
  urlVariable: 'DEBUG_TEST_ABSENT_URL',
  programs: ['absent-server'],
  directories: [],
  packages: { 'apt-get': 'absent-package', dnf: 'absent-package', brew: 'absent-package' },
  refusesRoot: false,
  command: () => [],
  url: (port: number) => `absent://127.0.0.1:${port}`,
};

async function rows(url: string, statement: string): Promise<unknown[]> {
  const client = new pg.Client({ connectionString: url });
  try {
    await client.connect();
    return (await client.query(statement)).rows;
  } finally {
    await client.end();
  }
}

async function answers(url: string): Promise<boolean> {
  const redis = new Redis(url, { lazyConnect: true, retryStrategy: () => null });
  redis.on('error', () => {});
  try {
    await redis.connect();
    return (await redis.ping()) === 'PONG';
  } catch {
    return false;
  } finally {
    redis.disconnect();
  }
}
