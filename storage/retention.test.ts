import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import type { Clock } from '../base/clock.ts';
import { createLogger } from '../base/log.ts';
import { createMeter } from '../base/meter.ts';
import { type Block, decodeIndex } from '../model/block.ts';
import { eventId } from '../model/ids.ts';
import type { Insight, InsightState } from '../model/insight.ts';
import { NANOS_PER_DAY } from '../model/time.ts';
import { flush } from '../test/contract/warm-store.suite.ts';
import { collect, eventsOf, found, logBlock, NOON } from '../test/support/blocks.ts';
import { insight } from '../test/support/rows.ts';
import { createArchive } from './archive/archive.ts';
import type { ColdStore, WarmStore } from './contract.ts';
import { createEmbeddedStore } from './embedded/store.ts';
import { createRetention, type RetentionOptions } from './retention.ts';

const clock: Clock = { nowNanos: () => NOON, monotonicMs: () => performance.now() };
const shared = { clock, log: createLogger('silent'), meter: createMeter() };
const [old, lately, today] = [10n, 1n, 0n].map((days) =>
  logBlock([{ time: NOON - days * NANOS_PER_DAY, message: `${days}` }]),
);

let directory: string;
let warm: WarmStore;
let archive: ColdStore;

beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), 'retention-'));
  warm = createEmbeddedStore({ directory, ...shared });
  archive = createArchive({ url: `file:${join(directory, 'archive')}`, ...shared });
  await warm.start();
  await archive.start();
  await warm.commit(flush({ blocks: [old!, lately!, today!] }));
});

afterEach(async () => {
  await archive.stop();
  await warm.stop();
  await rm(directory, { recursive: true });
});

const retention = (cold: ColdStore | null, days: bigint, more: Partial<RetentionOptions> = {}) =>
  createRetention({
    ...{ warm, cold: cold ?? archive, archives: cold !== null, retentionNanos: days * NANOS_PER_DAY },
    ...{ archiveRetentionNanos: 90n * NANOS_PER_DAY, ...shared, ...more },
  });
const archived = () => collect(archive.blocks({ tenant: 'default' }));

test('a day that is old enough moves to the archive whole; run again, nothing more happens', async () => {
  const moved = await retention(archive, 7n).run();
  expect(moved).toEqual([old!.day]);
  expect(await warm.days()).toEqual([lately!.day, today!.day]);
  expect(await Promise.all((await archived()).map(eventsOf))).toEqual([await eventsOf(found(old!))]);
  expect(await retention(archive, 7n).run()).toEqual([]);
});

test('the last two days stay, however short the retention', async () => {
  await retention(archive, 0n).run();
  expect(await warm.days()).toEqual([lately!.day, today!.day]);
});

test('a day that the archive did not seal is not dropped, and moves once when it is tried again', async () => {
  const broken: ColdStore = {
    ...archive,
    seal: () => Promise.reject(new Error('disk full')),
  };
  await expect(retention(broken, 7n).run()).rejects.toThrow('disk full');
  expect(await warm.days()).toContain(old!.day);
  await retention(archive, 7n).run();
  expect((await archived()).map(({ id }) => id)).toEqual([old!.id]);
});

test('without an archive the day is dropped', async () => {
  await retention(null, 7n).run();
  expect(await warm.days()).not.toContain(old!.day);
  expect(await archived()).toEqual([]);
});

const disk = (bytesMax: number) => ({ disk: { bytesMax, otherBytes: () => 0, holdsArchive: true } });

function insightOn(block: Block, state: InsightState, more: Partial<Insight> = {}): Insight {
  const { columns } = decodeIndex(block.index);
  const evidence = { event_ids: [eventId(columns.time[0]!, columns.hash[0]!)], snapshot_ids: [] };
  return insight({ state, evidence: { ...insight({}).evidence, ...evidence }, ...more });
}

async function store(changed: Insight): Promise<void> {
  await warm.changeInsight('default', changed.id, () => changed);
}

test('evidence of an open insight stays when its day is dropped without a copy, and goes when the insight is resolved', async () => {
  const other = logBlock([{ time: NOON - 10n * NANOS_PER_DAY, message: 'of no interest' }]);
  await warm.commit(flush({ blocks: [other] }));
  await store(insightOn(old!, 'open'));
  await retention(null, 7n).run();
  expect(await warm.days()).not.toContain(old!.day);
  expect((await archived()).map(({ id }) => id)).toEqual([old!.id]);
  await store(insightOn(old!, 'resolved'));
  await retention(null, 7n, { archiveRetentionNanos: NANOS_PER_DAY }).run();
  expect(await archived()).toEqual([]);
});

test('the archive lets go what is older than it keeps, but for evidence, however often it is asked', async () => {
  const other = logBlock([{ time: NOON - 10n * NANOS_PER_DAY, message: 'of no interest' }]);
  await warm.commit(flush({ blocks: [other] }));
  await store(insightOn(old!, 'regressed'));
  await retention(archive, 7n).run();
  expect(await archived()).toHaveLength(2);
  for (let round = 0; round < 3; round++) {
    await retention(archive, 7n, { archiveRetentionNanos: 9n * NANOS_PER_DAY }).run();
    expect((await archived()).map(({ id }) => id)).toEqual([old!.id]);
  }
  expect(await eventsOf((await archived())[0]!)).toEqual(await eventsOf(found(old!)));
});

test('over its bound the data folder loses the oldest days first, and never the last two', async () => {
  const text = (day: bigint) => Array.from({ length: 4000 }, (_, i) => Math.sin(i + Number(day)).toString(36)).join('');
  const days = [9n, 8n, 6n, 5n].map((day) =>
    logBlock(
      Array.from({ length: 40 }, (_, i) => ({ time: NOON - day * NANOS_PER_DAY + BigInt(i), message: text(day) + i })),
    ),
  );
  await warm.commit(flush({ blocks: days }));
  await retention(archive, 7n).run();
  const before = [...new Set((await archive.days()).map(({ day }) => day)), ...(await warm.days())];
  expect(before).toHaveLength(7);
  await warm.giveBack();
  const bytes = await warm.diskBytes();
  await retention(archive, 7n, disk(bytes)).run();
  expect((await archive.days()).length).toBe(0);
  expect(await warm.days()).toHaveLength(4);
  await retention(archive, 7n, disk(1)).run();
  expect(await warm.days()).toEqual([lately!.day, today!.day]);
});
