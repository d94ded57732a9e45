/** Two receivers of one PostgreSQL: FAULTS.md F15, record by record, whatever they are sent in which company, and when they are restarted. */
import { cp, mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import fc from 'fast-check';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, inject, it } from 'vitest';
import { systemClock } from '../../base/clock.ts';
import { createLogger } from '../../base/log.ts';
import { createMeter } from '../../base/meter.ts';
import { decodeIndex } from '../../model/block.ts';
import { jsonToProtobuf } from '../../otlp/json.ts';
import { indexRequest } from '../../otlp/walk.ts';
import { createJournal } from '../../receiver/journal.ts';
import { createPipeline } from '../../receiver/pipeline.ts';
import { RecentIds } from '../../receiver/recent-ids.ts';
import type { WarmStore } from '../../storage/contract.ts';
import { createPostgresStore } from '../../storage/postgres/store.ts';
import { emptyDatabase } from '../contract/postgres-tables.ts';
import { createDatabase } from '../support/postgres.ts';

const clock = systemClock();
const SINCE = clock.nowNanos() - 3_600_000_000_000n;
// Of what a property sends; with records half a second apart, some are far enough apart to be looked for by themselves.
const KINDS = 200;

let database: Awaited<ReturnType<typeof createDatabase>>;
let folder: string;
let receivers: Receiver[] = [];

beforeAll(async () => {
  database = await createDatabase(inject('pgUrl'));
  await (await openStore()).stop();
});
afterAll(() => database.drop());
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'receivers-'));
});
afterEach(async () => {
  for (const receiver of receivers.splice(0)) await receiver.stop();
  await rm(folder, { recursive: true });
  await emptyDatabase(database.url);
});

describe('F15 the same record at two receivers', () => {
  const operation = fc.oneof(
    { weight: 6, arbitrary: fc.record({ send: numbers(24), to: fc.integer({ min: 0, max: 1 }) }) },
    { weight: 1, arbitrary: fc.record({ sendBoth: numbers(24) }) },
    { weight: 1, arbitrary: fc.record({ settle: fc.integer({ min: 0, max: 1 }) }) },
    { weight: 1, arbitrary: fc.record({ restart: fc.integer({ min: 0, max: 1 }) }) },
  );

  it('is one in blocks and counts, whatever came in which order, and whoever was restarted', {
    timeout: 300_000,
  }, async () => {
    const capacity = 1 << 16;
    await fc.assert(
      fc.asyncProperty(fc.array(operation, { minLength: 4, maxLength: 16 }), async (operations) => {
        receivers = await Promise.all(['one', 'two'].map((name) => openReceiver(name, capacity)));
        const sent = new Set<number>();
        const send = async (to: number, numbers: readonly number[]) => {
          for (const number of numbers) sent.add(number);
          await receivers[to]!.append(numbers);
        };
        for (const step of operations) {
          if ('send' in step) await send(step.to, step.send);
          else if ('sendBoth' in step) await Promise.all([0, 1].map((to) => send(to, step.sendBoth)));
          else if ('settle' in step) await receivers[step.settle]!.settle();
          else {
            await receivers[step.restart]!.stop();
            receivers[step.restart] = await openReceiver(step.restart === 0 ? 'one' : 'two', capacity);
          }
        }
        for (const receiver of receivers) await receiver.settle();
        const stored = await storedIds(receivers[0]!.store);
        const counted = await countedRecords(receivers[0]!.store);
        for (const receiver of receivers.splice(0)) await receiver.stop();
        await emptyDatabase(database.url);
        for (const name of ['one', 'two']) await rm(join(folder, name), { recursive: true });
        expect({ stored: stored.length, distinct: new Set(stored).size, counted }).toEqual({
          stored: sent.size,
          distinct: sent.size,
          counted: sent.size,
        });
      }),
      { numRuns: 8, endOnFailure: true },
    );
  });

  it('is one also when so much came in between that no memory holds it', async () => {
    receivers = [await openReceiver('one', 16)];
    const [one] = receivers as [Receiver];
    for (let number = 0; number < 60; number += 6) {
      await one.append(Array.from({ length: 6 }, (_, i) => number + i));
      await one.settle();
    }
    await one.append([1, 60, 3, 20]);
    await one.settle();
    expect(await storedIds(one.store)).toHaveLength(61);
    expect(await countedRecords(one.store)).toBe(61);
  });

  it('is one although the other receiver committed more than can be told within a commit', {
    timeout: 60_000,
  }, async () => {
    receivers = [await openReceiver('one', 1 << 16), await openReceiver('two', 1 << 16)];
    const [one, two] = receivers as [Receiver, Receiver];
    await two.append([0]);
    await two.settle();
    for (let i = 1; i <= 140; i++) {
      await one.append([i]);
      await one.settle();
    }
    await two.append([139, 140, 141]);
    await two.settle();
    expect(await storedIds(one.store)).toHaveLength(142);
    expect(await countedRecords(one.store)).toBe(142);
  });
});

it('F12 F15 a data folder that was copied, and both written: neither loses what it acknowledged, and nothing is doubled', {
  timeout: 120_000,
}, async () => {
  const one = await openReceiver('one', 1 << 16);
  receivers.push(one);
  await one.append([0, 1]);
  await one.settle();
  await cp(join(folder, 'one'), join(folder, 'two'), { recursive: true });
  const two = await openReceiver('two', 1 << 16);
  receivers.push(two);
  // Entries of the same size, in turns and at once: by their bytes alone the two journals are at the same place.
  for (let number = 2; number < 20; number += 2) {
    await Promise.all([one.append([number]), two.append([number + 1])]);
    if (number % 3 === 0) await Promise.all([one.settle(), two.settle()]);
  }
  await one.stop();
  receivers[0] = await openReceiver('one', 1 << 16);
  for (const receiver of receivers) await receiver.settle();
  expect(new Set(await storedIds(two.store)).size).toBe(20);
  expect(await countedRecords(two.store)).toBe(20);
});

interface Receiver {
  store: WarmStore;
  append(numbers: readonly number[]): Promise<void>;
  settle(): Promise<void>;
  stop(): Promise<void>;
}

async function openReceiver(name: string, capacity: number): Promise<Receiver> {
  const shared = { clock, log: createLogger('silent'), meter: createMeter() };
  const store = await openStore();
  const journal = createJournal({
    directory: join(folder, name),
    bytesMax: 1 << 20,
    segmentBytes: 1 << 16,
    ...shared,
  });
  const pipeline = createPipeline({
    journal,
    sink: store,
    index: indexRequest,
    batchMs: 2,
    committed: () => {},
    retentionNanos: 168n * 3_600_000_000_000n,
    templateOf: (message) => ({ id: message, text: message }),
    recent: new RecentIds(capacity),
    setAside: async (_, reason) => {
      throw reason;
    },
    ...shared,
  });
  await journal.start();
  await pipeline.start();
  return {
    store,
    async append(numbers) {
      await journal.append({
        signal: 'log',
        tenant: 'default',
        receivedAt: clock.nowNanos(),
        body: request(numbers),
        index: null,
      });
    },
    async settle() {
      expect(await pipeline.settled(30_000)).toBe(0);
    },
    async stop() {
      await pipeline.stop();
      await journal.stop();
      await store.stop();
    },
  };
}

async function openStore(): Promise<WarmStore> {
  const store = createPostgresStore({
    url: database.url,
    retentionHours: 168,
    partitionByDay: true,
    rowSecurity: 'auto',
    clock,
    log: createLogger('silent'),
    meter: createMeter(),
  });
  await store.start();
  return store;
}

function numbers(most: number): fc.Arbitrary<number[]> {
  return fc.uniqueArray(fc.integer({ min: 0, max: KINDS - 1 }), { minLength: 1, maxLength: most });
}

function request(numbers: readonly number[]): Uint8Array {
  const logRecords = numbers.map((number) => ({
    timeUnixNano: String(SINCE + BigInt(number) * 500_000_000n),
    severityNumber: 9,
    body: { stringValue: `record ${number}` },
  }));
  const json = { resourceLogs: [{ scopeLogs: [{ logRecords }] }] };
  return jsonToProtobuf('log', new TextEncoder().encode(JSON.stringify(json)));
}

async function storedIds(store: WarmStore): Promise<string[]> {
  const ids: string[] = [];
  for await (const { index } of store.blocks({ tenant: 'default' })) {
    const { columns, count } = decodeIndex(index);
    for (let row = 0; row < count; row++) ids.push(`${columns.time[row]} ${columns.hash[row]}`);
  }
  return ids;
}

async function countedRecords(store: WarmStore): Promise<number> {
  const minutes = await store.componentMinutes('default', { start: 0n, end: clock.nowNanos() });
  return minutes.reduce((sum, { total }) => sum + total, 0);
}
