import { setImmediate as turn } from 'node:timers/promises';
import { beforeEach, describe, expect, test } from 'vitest';
import { createMeter } from '../base/meter.ts';
import type { Insight } from '../model/insight.ts';
import type { RowStore } from '../storage/contract.ts';
import { type Cache, type CacheKey, createCache, ENTRY_BYTES_MAX, TOPICS } from './cache.ts';
import { tellingRows } from './cached-rows.ts';

let nowMs = 0;
let cache: Cache;
const clock = { monotonicMs: () => nowMs };
const make = (more: { entriesMax?: number; ttlMs?: number } = {}) =>
  createCache({ entriesMax: 1000, ttlMs: 60_000, clock, meter: createMeter(), ...more });
beforeEach(() => {
  nowMs = 1;
  cache = make();
});

let reads = 0;
const keyOf = (component: string, tenant = 'default'): CacheKey => ({
  kind: 'counts',
  tenant,
  question: component,
  topics: [TOPICS.component(component)],
});
/** @returns which read it was that answered */
async function read(component: string, tenant?: string): Promise<number> {
  const key = keyOf(component, tenant);
  const load = async () => ({ read: ++reads });
  return (await cache.read(key, load, () => ({ topics: key.topics, bytes: 100 }))).read;
}

describe('52', () => {
  test('the least lately used goes first', async () => {
    cache = make({ entriesMax: 3 });
    const first = [await read('a'), await read('b'), await read('c')];
    expect(await read('a')).toBe(first[0]);
    await read('d');
    expect([await read('a'), await read('c')]).toEqual([first[0], first[2]]);
    expect(await read('b')).not.toBe(first[1]);
    expect(cache.stats()).toMatchObject({ entries: 3, evictions: 2 });
  });

  test('what is too old is read again', async () => {
    cache = make({ ttlMs: 300_000 });
    const first = await read('a');
    nowMs += 299_999;
    expect(await read('a')).toBe(first);
    nowMs += 2;
    expect(await read('a')).not.toBe(first);
  });

  test('one miss and one hit are a hit rate of a half', async () => {
    expect(cache.stats().hit_rate).toBeNull();
    await read('a');
    await read('a');
    expect(cache.stats()).toMatchObject({ hits: 1, misses: 1, hit_rate: 0.5 });
  });

  test('clearing counts what it took out', async () => {
    await read('a');
    await read('b');
    cache.clear();
    expect(cache.stats()).toMatchObject({ entries: 0, invalidations: 2 });
  });

  test('what arrives touches its own component alone', async () => {
    const first = [await read('a'), await read('b')];
    cache.arrived('default', ['a'], []);
    expect(await read('b')).toBe(first[1]);
    expect(await read('a')).not.toBe(first[0]);
    expect(cache.stats().invalidations).toBe(1);
  });
});

test('tenants share nothing, neither entries nor what arrives', async () => {
  const [mine, theirs] = [await read('a', 'mine'), await read('a', 'theirs')];
  expect(theirs).not.toBe(mine);
  cache.arrived('mine', ['a'], []);
  expect(await read('a', 'theirs')).toBe(theirs);
  expect(await read('a', 'mine')).not.toBe(mine);
});

test('many who ask at once wait for one read', async () => {
  const before = reads;
  const answers = await Promise.all(Array.from({ length: 100 }, () => read('a')));
  expect(new Set(answers).size).toBe(1);
  expect(reads - before).toBe(1);
});

test('what was being read when something arrived is given to who waited, and not kept', async () => {
  const key = keyOf('a');
  const slow = Promise.withResolvers<{ read: number }>();
  const keeping = () => ({ topics: key.topics, bytes: 100 });
  const waiting = cache.read(key, () => slow.promise, keeping);
  cache.arrived('default', ['a'], []);
  const after = await read('a');
  slow.resolve({ read: -1 });
  expect(await waiting).toEqual({ read: -1 });
  expect(await read('a')).toBe(after);
});

test('a read that failed is told to all who waited for it, and tried again by the next', async () => {
  const key = keyOf('a');
  const failing = () => turn().then(() => Promise.reject(new Error('away')));
  const keeping = () => ({ topics: key.topics, bytes: 100 });
  const both = await Promise.allSettled([cache.read(key, failing, keeping), cache.read(key, failing, keeping)]);
  expect(both.map(({ status }) => status)).toEqual(['rejected', 'rejected']);
  expect(await read('a')).toBeGreaterThan(0);
  expect(cache.stats().entries).toBe(1);
});

test('what is too large, or not to be kept, is read each time', async () => {
  const key = keyOf('a');
  const load = async () => ({ read: ++reads });
  for (const keeping of [null, { topics: key.topics, bytes: ENTRY_BYTES_MAX + 1 }]) {
    const first = await cache.read(key, load, () => keeping);
    expect(await cache.read(key, load, () => keeping)).not.toEqual(first);
  }
  expect(cache.stats().entries).toBe(0);
});

test('an insight that changed takes out itself and the lists that it is or was in', async () => {
  const insight = { id: 'i-1', affected_components: [{ type: 'service', id: 'a' }] } as Insight;
  const list = async (question: string, topics: string[]) => {
    const key: CacheKey = { kind: 'insights', tenant: 'default', question, topics: [TOPICS.insights] };
    return (
      await cache.read(
        key,
        async () => ({ read: ++reads }),
        () => ({ topics, bytes: 100 }),
      )
    ).read;
  };
  const all = () => list('all', [TOPICS.insights]);
  const ofA = () => list('a', [TOPICS.insightsOf('a')]);
  const ofB = () => list('b', [TOPICS.insightsOf('b')]);
  const onceOfB = () => list('c', [TOPICS.insightsOf('c'), TOPICS.insight('i-1')]);
  const before = [await all(), await ofA(), await onceOfB(), await ofB()];
  cache.observe({ kind: 'insight', tenant: 'default', change: 'updated', insight });
  const after = [await all(), await ofA(), await onceOfB(), await ofB()];
  expect(after.map((each, i) => each === before[i])).toEqual([false, false, false, true]);
});

test('nothing is remembered of what is gone', async () => {
  cache = make({ entriesMax: 2 });
  for (let i = 0; i < 100; i++) await read(`c-${i}`);
  cache.clear();
  const { invalidations } = cache.stats();
  for (let i = 0; i < 100; i++) cache.arrived('default', [`c-${i}`], [`c-${i}`]);
  expect(cache.stats().invalidations).toBe(invalidations);
});

test('an insight that is stored without being news takes itself out too', async () => {
  const insight = { id: 'i-2', affected_components: [] } as unknown as Insight;
  const rows = tellingRows<Pick<RowStore, 'changeInsight'>>({ changeInsight: async () => insight }, cache);
  const key: CacheKey = { kind: 'insight', tenant: 'default', question: 'i-2', topics: [TOPICS.insight('i-2')] };
  const look = () =>
    cache.read(
      key,
      async () => ({ read: ++reads }),
      () => ({ topics: key.topics, bytes: 100 }),
    );
  const first = await look();
  expect(await look()).toEqual(first);
  await rows.changeInsight('default', 'i-2', () => insight);
  expect(await look()).not.toEqual(first);
});
