import { mkdtemp, readdir, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import { createLogger } from '../../base/log.ts';
import { Sketch } from '../../model/sketch.ts';
import { NANOS_PER_HOUR } from '../../model/time.ts';
import { flush } from '../../test/contract/warm-store.suite.ts';
import { collect, logBlock, NOON } from '../../test/support/blocks.ts';
import { componentMinute, edgeMinute, resource, snapshot, templateMinute } from '../../test/support/rows.ts';
import type { Flush } from '../contract.ts';
import { findBlocks } from './blocks.ts';
import { commitFlush } from './commit.ts';
import { type Database, openDatabase } from './database.ts';
import { createRowStore } from './rows.ts';
import { createWriter, type Writer } from './writer.ts';

let directory: string;
let database: Database;
let writer: Writer;
/** The same file, through which nothing may be written here. */
let onlyThread: Database;

beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), 'ai-debug-writer-'));
  database = await openDatabase(directory);
  writer = createWriter(directory, createLogger('silent'));
  onlyThread = {
    ...database,
    transaction: () => Promise.reject(new Error('written here')),
    run() {
      throw new Error('written here');
    },
  };
});
afterEach(async () => {
  await writer.stop();
  database.close();
  await rm(directory, { recursive: true });
});

let time = NOON;

/** Too large to be written by the loop. */
function largeFlush(more: Partial<Flush> = {}): Flush {
  const text = Array.from({ length: 9000 }, () => Math.random().toString(36)).join(' ');
  time += 1000n;
  return flush({ blocks: [logBlock([{ time, message: text }])], ...more });
}

/** From then on large flushes go to the thread. */
async function threadOpen(): Promise<void> {
  await writer.commit(database, largeFlush(), NOON);
  await vi.waitFor(() => writer.commit(onlyThread, largeFlush(), NOON), { timeout: 20_000 });
}

const ids = async () => (await collect(findBlocks(database, { tenant: 'default' }))).map(({ id }) => id);

describe('large flushes are written by a thread', () => {
  test('what it wrote is read here, rows and blocks as if they had been written here', async () => {
    await threadOpen();
    const before = (await ids()).length;
    const latency = new Sketch();
    for (const ms of [1, 7, 900]) latency.add(ms);
    const rows = {
      componentMinutes: [componentMinute({ latency })],
      edgeMinutes: [edgeMinute({ latency })],
      templateMinutes: [templateMinute()],
      templates: [{ id: 'a'.repeat(16), text: 'a <n>' }],
      traceCorrelations: [{ trace_id: 'a'.repeat(32), correlation_id: 'c', time: NOON }],
      snapshots: [snapshot()],
      resources: [resource()],
    };
    const written = largeFlush(rows);
    await writer.commit(onlyThread, written, NOON);
    expect(await ids()).toHaveLength(before + 1);

    const elsewhere = join(directory, 'elsewhere');
    const other = await openDatabase(elsewhere);
    await commitFlush(other, written, NOON);
    const range = { start: 0n, end: NOON * 2n };
    const all = async (of: Database) => {
      const store = createRowStore(() => of);
      return [
        await store.componentMinutes('default', range),
        await store.edgeMinutes('default', range),
        await store.templateMinutes('default', range),
        await store.templates('default'),
        await store.traceCorrelations('default', { correlations: ['c'] }),
        await store.snapshots('default', { limit: 9 }),
        await store.resources('default', { ...range, limit: 9 }),
      ].flat();
    };
    expect(await all(database)).toEqual(await all(other));
    expect(await all(database)).toHaveLength(7);
    other.close();
  });

  test('hours are counted by it, and here before it is there', async () => {
    const hour = NOON - (NOON % NANOS_PER_HOUR);
    const rows = { componentMinutes: [componentMinute({ total: 3 })], edgeMinutes: [edgeMinute({ calls: 4 })] };
    const sums = () => database.all('SELECT total, calls FROM component_hour JOIN edge_hour USING (tenant, hour)');
    await writer.commit(database, flush(rows), NOON);
    await expect(writer.countHour(onlyThread, 'default', hour)).rejects.toThrow('written here');
    await writer.countHour(database, 'default', hour);
    expect(sums()).toEqual([{ total: 3n, calls: 4n }]);
    await threadOpen();
    await writer.commit(database, flush(rows), NOON);
    await writer.countHour(onlyThread, 'default', hour);
    expect(sums()).toEqual([{ total: 6n, calls: 8n }]);
  });

  test('a small one, and one before the thread is there, is written here', async () => {
    await writer.commit(database, largeFlush(), NOON);
    expect(await ids()).toHaveLength(1);
    await threadOpen();
    const small = flush({ blocks: [logBlock([{ time: NOON + 1n }])] });
    await expect(writer.commit(onlyThread, small, NOON)).rejects.toThrow('written here');
  });

  test('its ledger, the requests that were brought before and another writer of its line are told as here', async () => {
    await threadOpen();
    const before = (await ids()).length;
    const line = (position: bigint, after: bigint) => ({ ledger: { journal: 'j', position, after } });
    const request = 'ab'.repeat(16);
    expect(await writer.commit(onlyThread, largeFlush({ ...line(5n, 0n), requests: [request] }), NOON)).toEqual([]);
    expect(await writer.commit(onlyThread, largeFlush(line(5n, 0n)), NOON)).toEqual([]);
    expect(await writer.commit(onlyThread, largeFlush({ ...line(9n, 5n), requests: [request] }), NOON)).toEqual([
      request,
    ]);
    await expect(writer.commit(onlyThread, largeFlush(line(9n, 7n)), NOON)).rejects.toMatchObject({ code: 'CONFLICT' });
    expect(await ids()).toHaveLength(before + 1);
  });

  test('who writes here has its turn between its flushes, and nobody is told that the file is busy', async () => {
    await threadOpen();
    const before = (await ids()).length;
    const here = (i: number) =>
      database.transaction(() => database.run('INSERT INTO ledger (journal, position) VALUES (?, 1)', [`here ${i}`]));
    const work = Array.from({ length: 20 }, (_, i) =>
      i % 2 === 0 ? writer.commit(database, largeFlush(), NOON) : here(i),
    );
    await Promise.all(work);
    expect(await ids()).toHaveLength(before + 10);
  });

  test('a stop leaves one file, with all in it', async () => {
    await threadOpen();
    const before = await ids();
    await writer.stop();
    database.close();
    expect(await readdir(directory)).toEqual(['events.db']);
    database = await openDatabase(directory);
    expect(await ids()).toEqual(before);
  });
});
