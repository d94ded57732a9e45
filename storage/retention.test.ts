import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import type { Clock } from '../base/clock.ts';
import { createLogger } from '../base/log.ts';
import { createMeter } from '../base/meter.ts';
import { NANOS_PER_DAY } from '../model/time.ts';
import { collect, eventsOf, found, logBlock, NOON } from '../test/support/blocks.ts';
import { createArchive } from './archive/archive.ts';
import type { ColdStore, WarmStore } from './contract.ts';
import { createEmbeddedStore } from './embedded/store.ts';
import { createRetention } from './retention.ts';

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
  await warm.commit({
    tenant: 'default',
    blocks: [old!, lately!, today!],
    componentMinutes: [],
    templateMinutes: [],
    templates: [],
    traceCorrelations: [],
    snapshots: [],
    ledger: null,
  });
});

afterEach(async () => {
  await archive.stop();
  await warm.stop();
  await rm(directory, { recursive: true });
});

const retention = (cold: ColdStore | null, days: bigint) =>
  createRetention({ warm, cold, tenants: ['default'], retentionNanos: days * NANOS_PER_DAY, ...shared });
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
