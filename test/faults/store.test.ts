/** What a PostgreSQL or a Redis that is away, dies, lies or is slow does to the whole: FAULTS.md F1 to F6, F15, seen from outside. */
import { setTimeout as sleep } from 'node:timers/promises';
import { Redis } from 'ioredis';
import pg from 'pg';
import { afterEach, beforeEach, describe, expect, inject, it, vi } from 'vitest';
import { type Link, startLink } from '../support/link.ts';
import { createDatabase } from '../support/postgres.ts';
import { startWholeSystem, type WholeSystem } from '../support/whole-system.ts';
import { createSenders, messageOf, type Outcome, requestOf, type Senders, WAYS } from './telemetry.ts';

const SINCE = (BigInt(Date.now()) / 60_000n) * 60_000_000_000n;
const DRAIN = { timeout: 20_000, interval: 50 };

let database: Awaited<ReturnType<typeof createDatabase>>;
let postgres: Link;
let redis: Link;
const systems: WholeSystem[] = [];
const senders = new Map<WholeSystem, Senders>();

beforeEach(async () => {
  database = await createDatabase(inject('pgUrl'));
  postgres = await startLink(database.url);
  redis = await startLink(inject('redisUrl'));
});
afterEach(async () => {
  for (const link of [postgres, redis]) {
    link.resume();
    await link.accept();
  }
  for (const sender of senders.values()) sender.stop();
  senders.clear();
  for (const system of systems.splice(0)) await system.stop();
  await postgres.stop();
  await redis.stop();
  await database.drop();
});

async function start(flags: Record<string, string> = {}): Promise<WholeSystem> {
  const system = await startWholeSystem('embedded', {
    flags: { 'pg-url': postgres.url, 'batch-size-ms': '10', 'insight-auto-generate': 'false', ...flags },
  });
  systems.push(system);
  const { otlpHttp, otlpGrpc } = system;
  senders.set(system, createSenders({ otlp_http: otlpHttp, otlp_grpc: otlpGrpc }));
  return system;
}

/** Records by their numbers, all even or all odd. */
function send(system: WholeSystem, ...numbers: number[]): Promise<Outcome> {
  return senders.get(system)!.send(WAYS[numbers[0]! % 3]!, requestOf(numbers, SINCE));
}

/** Messages in the answer and records in the counts, once nothing is on its way any more. */
async function stored(system: WholeSystem): Promise<{ messages: string[]; counted: number }> {
  await vi.waitFor(async () => expect(await metric(system, 'journal_bytes')).toBe(0), DRAIN);
  const messages = (await system.events({})).map(({ message }) => message).sort();
  const range = new URLSearchParams({ start: iso(SINCE), end: iso(SINCE + 86_400_000_000_000n) });
  const response = await fetch(`${system.http}/api/debug/analytics/throughput?${range}`);
  const { data } = (await response.json()) as { data: { total_events: number } };
  return { messages, counted: data.total_events };
}

const once = (...numbers: number[]) => ({ messages: numbers.map(messageOf).sort(), counted: numbers.length });
const iso = (nanos: bigint) => new Date(Number(nanos / 1_000_000n)).toISOString();

async function metric(system: WholeSystem, name: string): Promise<number> {
  const text = await (await fetch(`${system.http}/metrics`)).text();
  return Number(new RegExp(`^ai_debug_${name} (.*)$`, 'm').exec(text)?.[1]);
}

const readiness = async (system: WholeSystem) => (await fetch(`${system.http}/readyz`)).status;

/** @returns the rows of the last */
async function admin(...statements: string[]): Promise<Record<string, unknown>[]> {
  const client = new pg.Client({ connectionString: database.url });
  await client.connect();
  try {
    let rows: Record<string, unknown>[] = [];
    for (const statement of statements) rows = (await client.query(statement)).rows;
    return rows;
  } finally {
    await client.end();
  }
}

describe('F1 PostgreSQL away at the start', () => {
  it('takes in what fits the journal, then refuses with when to come again, and loses none of it', async () => {
    await postgres.refuse();
    const system = await start({ 'journal-bytes-max': '4194304', 'request-bytes-max': '262144' });
    await vi.waitFor(async () => expect(await readiness(system)).toBe(503), DRAIN);
    const acknowledged: number[] = [];
    let refused = 0;
    for (let number = 0; refused < 6; number += 80) {
      const numbers = Array.from({ length: 40 }, (_, i) => number + ((number / 80) % 2) + 2 * i);
      const outcome = await send(system, ...numbers);
      if (outcome === 'acknowledged') acknowledged.push(...numbers);
      else refused++;
      expect(outcome).not.toBe('unknown');
    }
    expect(acknowledged.length).toBeGreaterThanOrEqual(300);
    expect(await metric(system, 'journal_lag_seconds')).toBeGreaterThan(0);

    await postgres.accept();
    expect(await stored(system)).toEqual(once(...acknowledged));
    expect(await send(system, 1_000_000)).toBe('acknowledged');
    await vi.waitFor(async () => expect(await readiness(system)).toBe(200), DRAIN);
  });

  it('comes up also when it accepts and never answers', async () => {
    postgres.hang();
    const system = await start();
    expect(await send(system, 2, 4)).toBe('acknowledged');
    postgres.resume();
    expect(await stored(system)).toEqual(once(2, 4));
  });
});

it('F2 PostgreSQL dies in the middle of a COPY: the batch is made again and there once', async () => {
  const system = await start();
  expect(await send(system, 0)).toBe('acknowledged');
  await stored(system);
  const cut = new Promise<void>((resolve) => postgres.cutAfterSent(2000, { from: 'COPY block ', act: resolve }));
  const numbers = Array.from({ length: 300 }, (_, i) => 2 + 2 * i);
  expect(await send(system, ...numbers)).toBe('acknowledged');
  await cut;
  expect(await stored(system)).toEqual(once(0, ...numbers));
});

describe('F3 PostgreSQL slow', () => {
  it('keeps nobody waiting who sends, whatever it waits for itself', async () => {
    const system = await start();
    await send(system, 0);
    await stored(system);
    const locker = new pg.Client({ connectionString: database.url });
    await locker.connect();
    await locker.query('BEGIN; LOCK TABLE ai_debug.ledger IN ACCESS EXCLUSIVE MODE');
    // Each is acknowledged although not one commit comes through.
    for (let number = 2; number < 40; number += 2) expect(await send(system, number)).toBe('acknowledged');
    expect(await metric(system, 'journal_entries')).toBeGreaterThanOrEqual(19);
    await locker.query('ROLLBACK');
    await locker.end();
    expect((await stored(system)).counted).toBe(20);
  });

  it('drains over a link that takes its time', async () => {
    const system = await start();
    postgres.delay(30);
    for (let number = 1; number < 40; number += 2) expect(await send(system, number)).toBe('acknowledged');
    expect(await stored(system)).toEqual(once(...Array.from({ length: 20 }, (_, i) => 1 + 2 * i)));
  });
});

it('F4 the answer to COMMIT is lost: nothing is doubled, neither in answers nor in counts', async () => {
  const system = await start();
  for (let round = 0; round < 3; round++) {
    const lost = new Promise<void>((resolve) => postgres.cutAnswerTo('COMMIT\0', resolve));
    expect(await send(system, 2 * round, 100 + 2 * round)).toBe('acknowledged');
    await lost;
  }
  expect(await stored(system)).toEqual(once(0, 2, 4, 100, 102, 104));
});

describe('F5 PostgreSQL refuses', () => {
  const name = () => new URL(database.url).pathname.slice(1);

  it.each([
    [
      'writes, since it is a standby now',
      () => `ALTER DATABASE ${name()} SET default_transaction_read_only = on`,
      () => ['SET default_transaction_read_only = off', `ALTER DATABASE ${name()} RESET default_transaction_read_only`],
    ],
    [
      'connections, since it has too many',
      () => `ALTER DATABASE ${name()} CONNECTION LIMIT 0`,
      () => [`ALTER DATABASE ${name()} CONNECTION LIMIT -1`],
    ],
  ])('%s: the journal keeps what comes until it takes it again', async (_, refuse, allow) => {
    const user = `faults_${name().slice(-8)}`;
    await admin(
      `CREATE ROLE ${user} LOGIN PASSWORD 'word'`,
      `GRANT ALL ON DATABASE ${name()} TO ${user}`,
      `GRANT ALL ON SCHEMA public TO ${user}`,
    );
    const url = new URL(postgres.url);
    [url.username, url.password] = [user, 'word'];
    try {
      const system = await start({ 'pg-url': url.href });
      expect(await send(system, 0)).toBe('acknowledged');
      await stored(system);
      await admin(refuse());
      postgres.cut();
      expect(await send(system, 2)).toBe('acknowledged');
      await vi.waitFor(async () => expect(await readiness(system)).toBe(503), DRAIN);
      await admin(...allow());
      postgres.cut();
      expect(await stored(system)).toEqual(once(0, 2));
    } finally {
      for (const system of systems.splice(0)) {
        senders.get(system)!.stop();
        await system.stop();
      }
      await admin(`DROP OWNED BY ${user} CASCADE`, `DROP ROLE ${user}`);
    }
  });
});

describe('F6 Redis', () => {
  const prefix = () => `faults-${process.pid}-${Math.random().toString(36).slice(2)}`;

  it.each([
    ['away', () => redis.refuse()],
    ['silent', () => redis.hang()],
    ['deaf', () => redis.lose('sent')],
    ['not heard', () => redis.lose('answers')],
  ])('%s: records are stored and answered all the same, and the hot tier comes back', async (_, breakIt) => {
    const system = await start({ 'redis-url': redis.url, 'redis-key-prefix': prefix() });
    expect(await send(system, 0)).toBe('acknowledged');
    await stored(system);
    await breakIt();
    expect(await send(system, 2)).toBe('acknowledged');
    expect(await stored(system)).toEqual(once(0, 2));
    redis.resume();
    await redis.accept();
    expect(await send(system, 4)).toBe('acknowledged');
    expect(await stored(system)).toEqual(once(0, 2, 4));
  });

  it('emptied, or holding something else under our keys: answers are whole', async () => {
    const keyPrefix = prefix();
    const system = await start({ 'redis-url': redis.url, 'redis-key-prefix': keyPrefix });
    const client = new Redis(inject('redisUrl'));
    try {
      for (const [number, change] of [
        [0, (key: string) => client.del(key)],
        [2, (key: string) => client.set(key, 'not ours')],
      ] as const) {
        expect(await send(system, number)).toBe('acknowledged');
        await stored(system);
        for (const key of await client.keys(`${keyPrefix}*`)) await change(key);
      }
      expect(await send(system, 4)).toBe('acknowledged');
      expect(await stored(system)).toEqual(once(0, 2, 4));
    } finally {
      for (const key of await client.keys(`${keyPrefix}*`)) await client.del(key);
      client.disconnect();
    }
  });
});

it('F30 stopping while PostgreSQL is silent takes no longer than a container is given', async () => {
  const system = await start();
  expect(await send(system, 0)).toBe('acknowledged');
  await stored(system);
  postgres.hang();
  expect(await send(system, 2)).toBe('acknowledged');
  systems.splice(systems.indexOf(system), 1);
  const late = sleep(10_000, 'late');
  const ended = system.stop().then(
    () => 'ended',
    () => 'ended', // and said that something had to be given up
  );
  expect(await Promise.race([ended, late])).toBe('ended');
});

describe('F15 the same again', () => {
  it('twice, at once, in other company, by another way, is one', async () => {
    const system = await start();
    const requests = [[0, 2, 4], [0, 2, 4], [4, 6], [6, 0, 8], [2]];
    await Promise.all(requests.map((numbers) => send(system, ...numbers)));
    await Promise.all(requests.map((numbers) => send(system, ...numbers)));
    expect(await stored(system)).toEqual(once(0, 2, 4, 6, 8));
  });

  it('at two receivers, one after the other and at once, is one', async () => {
    const [one, two] = [await start(), await start()];
    expect(await send(one, 0, 2, 4)).toBe('acknowledged');
    await stored(one);
    expect(await send(two, 0, 2, 4)).toBe('acknowledged');
    for (let number = 6; number < 46; number += 4)
      await Promise.all([send(one, number, number + 2), send(two, number, number + 2)]);
    await stored(one);
    expect(await stored(two)).toEqual(once(...Array.from({ length: 23 }, (_, i) => 2 * i)));
  });

  it('at two receivers, in other company, is one', async () => {
    const [one, two] = [await start(), await start()];
    expect(await send(one, 0, 2, 4)).toBe('acknowledged');
    await stored(one);
    expect(await send(two, 2, 4, 6)).toBe('acknowledged');
    expect(await stored(two)).toEqual(once(0, 2, 4, 6));
  });
});
