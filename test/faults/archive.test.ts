/**
 * F11: archiving that is interrupted at any step, run twice, run by two, and days that come back. Whatever happens, each event is
 * there once: to readers at any moment, and on the disk when a run has ended.
 */
import { mkdtemp, readdir, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { Clock } from '../../base/clock.ts';
import { createLogger } from '../../base/log.ts';
import { createMeter } from '../../base/meter.ts';
import { dayOf, NANOS_PER_DAY } from '../../model/time.ts';
import { createArchive } from '../../storage/archive/archive.ts';
import { createDirectoryObjects } from '../../storage/archive/folder.ts';
import type { Objects } from '../../storage/archive/objects.ts';
import type { WarmStore } from '../../storage/contract.ts';
import { createEmbeddedStore } from '../../storage/embedded/store.ts';
import { createRetention } from '../../storage/retention.ts';
import { createTiers } from '../../storage/tiers.ts';
import { flush } from '../contract/warm-store.suite.ts';
import { killedArchiver } from '../support/archiver.ts';
import { collect, logBlock, MINUTE, NOON } from '../support/blocks.ts';
import { componentMinute, resource, snapshot } from '../support/rows.ts';

const TODAY = NOON + 10n * NANOS_PER_DAY;
const DAY = dayOf(NOON);
const blocks = Array.from({ length: 6 }, (_, i) =>
  logBlock([{ time: NOON + BigInt(i) * 20n * MINUTE, message: `${i}`, correlation: `c${i % 2}` }]),
);
const late = logBlock([{ time: NOON + 5n * MINUTE, message: 'late' }]);

let folder: string;
let now: bigint;
const clock: Clock = { nowNanos: () => now++, monotonicMs: () => performance.now() };

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'ai-debug-f11-'));
  now = TODAY;
});
afterEach(() => rm(folder, { recursive: true, force: true }));

/** One process: its stores over the shared folder, and what its steps go through. */
async function open(step: () => void = () => {}, name = 'data') {
  const shared = { clock, log: createLogger('silent'), meter: createMeter() };
  const store = createEmbeddedStore({ directory: join(folder, name), ...shared });
  const archive = createArchive({
    url: '',
    objects: stepping(createDirectoryObjects(join(folder, name, 'archive')), step),
    ...shared,
  });
  await store.start();
  await archive.start();
  const warm: WarmStore = {
    ...store,
    async dropDay(day) {
      step();
      await store.dropDay(day);
      step();
    },
  };
  const retention = createRetention({
    ...{ warm, cold: archive, archives: true, ...shared },
    retentionNanos: 7n * NANOS_PER_DAY,
    archiveRetentionNanos: 90n * NANOS_PER_DAY,
  });
  const { reader } = createTiers({ hot: null, warm: store, cold: archive, ...shared });
  return {
    ...{ store, archive, retention },
    async messages(): Promise<string[]> {
      const { events } = await reader.events({ tenant: 'default', limit: 100 });
      return events.map(({ message }) => message).sort();
    },
    async archived(): Promise<string[]> {
      return (await collect(archive.blocksOfDay('default', DAY))).map(({ id }) => id).sort();
    },
    async close() {
      await archive.stop();
      await store.stop();
    },
  };
}

/** Each change of the place in two steps: not yet, and done. */
function stepping(objects: Objects, step: () => void): Objects {
  return {
    ...objects,
    async put(name, content) {
      step();
      await objects.put(name, content);
      step();
    },
    async delete(name) {
      step();
      await objects.delete(name);
      step();
    },
  };
}

async function fill(name = 'data'): Promise<void> {
  const { store, close } = await open(undefined, name);
  await store.commit(
    flush({
      ...{ blocks, snapshots: [snapshot()], resources: [SPOKE] },
      componentMinutes: [componentMinute({ minute: NOON, total: 6 })],
    }),
  );
  await close();
}

/** From the day before, still there hours later. */
const SPOKE = resource({ first_time: NOON - NANOS_PER_DAY, last_time: NOON + 300n * MINUTE });
const ALL = ['0', '1', '2', '3', '4', '5'];
const IDS = blocks.map(({ id }) => id).sort();
const files = async (name = 'data') =>
  (await readdir(join(folder, name, 'archive/tenant=default', `date=${DAY}`))).sort();

describe('F11 archiving', () => {
  it('interrupted at any step loses nothing and doubles nothing', async () => {
    await fill('whole');
    let steps = 0;
    const whole = await open(() => void steps++, 'whole');
    expect(await whole.retention.run()).toEqual([DAY]);
    await whole.close();
    const expected = await files('whole');
    expect(steps).toBeGreaterThan(10);
    for (let last = 1; last <= steps; last++) {
      const name = `killed-${last}`;
      await fill(name);
      let left = last;
      const killed = await open(() => {
        if (--left <= 0) throw new Error('killed');
      }, name);
      await expect(killed.retention.run()).rejects.toThrow('killed');
      expect(await killed.messages()).toEqual(ALL);
      await killed.close();
      const next = await open(undefined, name);
      expect(await next.messages()).toEqual(ALL);
      await next.retention.run();
      expect([await next.messages(), await next.archived(), await next.store.days()]).toEqual([ALL, IDS, []]);
      expect(await files(name)).toEqual(expected);
      await next.close();
    }
  });

  it.each([1, 4, 7])('killed for good at step %i goes on when its lease has run out', async (last) => {
    await fill();
    expect(killedArchiver(join(folder, 'data'), TODAY, last)).toBe('SIGKILL');
    const next = await open();
    expect(await next.messages()).toEqual(ALL);
    await expect(next.retention.run()).rejects.toMatchObject({ code: 'UNAVAILABLE' });
    now += 10n * MINUTE;
    expect(await next.retention.run()).toEqual([DAY]);
    expect([await next.messages(), await next.archived()]).toEqual([ALL, IDS]);
    await next.close();
  });

  it('is refused to a second process; twice in a row it changes nothing', async () => {
    await fill();
    const [one, two] = await Promise.all([open(), open()]);
    const rounds = await Promise.allSettled([one.retention.run(), two.retention.run()]);
    expect(rounds.map(({ status }) => status).sort()).toEqual(['fulfilled', 'rejected']);
    const before = await files();
    expect(await one.retention.run()).toEqual([]);
    expect(await files()).toEqual(before);
    expect(await two.messages()).toEqual(ALL);
    await one.close();
    await two.close();
  });

  it('does not drop a day whose copy is not what was put', async () => {
    await fill();
    const { archive, store, retention, close } = await open();
    const objects = createDirectoryObjects(join(folder, 'data/archive'));
    const seal = archive.seal;
    archive.seal = async () => {
      await seal();
      const file = (await files()).find((name) => name.endsWith('.otlp.jsonl.zst'))!;
      const path = `tenant=default/date=${DAY}/${file}`;
      const bytes = Buffer.concat(await Array.fromAsync(objects.read(path)));
      bytes[bytes.length >> 1]! ^= 1;
      await objects.put(path, bytes);
    };
    await expect(retention.run()).rejects.toThrow('not as it was written');
    expect(await store.days()).toEqual([DAY]);
    await close();
  });

  it('takes what comes late for a day that has left', async () => {
    await fill();
    const { store, retention, messages, archived, close } = await open();
    await retention.run();
    await store.commit(flush({ blocks: [late, blocks[0]!] }));
    expect(await messages()).toEqual([...ALL, 'late']);
    expect(await retention.run()).toEqual([DAY]);
    expect([await messages(), await archived()]).toEqual([[...ALL, 'late'], [...IDS, late.id].sort()]);
    await close();
  });

  it('brings a day back with its rows, keeps it for a while, and lets it go again without a second copy', async () => {
    await fill();
    const { store, retention, messages, archived, close } = await open();
    const range = { start: NOON, end: NOON + MINUTE };
    const before = await store.componentMinutes('default', range);
    await retention.run();
    await store.prune(NOON + NANOS_PER_DAY, []);
    expect(await store.componentMinutes('default', range)).toEqual([]);
    expect(await store.resources('default', { ...range, limit: 9 })).toEqual([]);
    const copies = await files();
    for (let twice = 0; twice < 2; twice++) {
      expect(await retention.restore(DAY, 3_600_000)).toEqual({ blocks: 6 });
      expect(await store.days()).toEqual([DAY]);
      expect(await store.componentMinutes('default', range)).toEqual(before);
      expect(await store.snapshots('default', { limit: 9 })).toEqual([snapshot()]);
      expect(await store.resources('default', { ...range, limit: 9 })).toEqual([SPOKE]);
      expect(await messages()).toEqual(ALL);
    }
    expect(await retention.run()).toEqual([]);
    expect((await retention.status()).warm).toEqual([{ day: DAY, due: false, restored: true }]);
    now += 61n * MINUTE;
    expect(await retention.run()).toEqual([DAY]);
    expect([await messages(), await archived(), await files()]).toEqual([ALL, IDS, copies]);
    await expect(retention.restore('2020-01-01', 1)).rejects.toMatchObject({ code: 'NOT_FOUND' });
    await close();
  });
});
