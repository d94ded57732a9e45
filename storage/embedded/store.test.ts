import { mkdtemp, readdir, rm, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { createLogger } from '../../base/log.ts';
import { createMeter } from '../../base/meter.ts';
import { attributeProbe } from '../../model/attribute-filter.ts';
import { blockKey } from '../../model/block.ts';
import { textProbe } from '../../model/text-filter.ts';
import { formatNanos, minuteOf, NANOS_PER_DAY } from '../../model/time.ts';
import { flush } from '../../test/contract/warm-store.suite.ts';
import { collect, logBlock, NOON } from '../../test/support/blocks.ts';
import { componentMinute, insight, snapshot, templateMinute } from '../../test/support/rows.ts';
import type { BlockSelector, WarmStore } from '../contract.ts';
import { createEmbeddedStore } from './store.ts';

describe('the embedded store', () => {
  let directory: string;
  const opened: WarmStore[] = [];

  beforeEach(async () => {
    directory = await mkdtemp(join(tmpdir(), 'ai-debug-embedded-'));
  });
  afterEach(async () => {
    for (const store of opened.splice(0)) await store.stop();
    await rm(directory, { recursive: true });
  });

  function create(within = directory): WarmStore {
    const store = createEmbeddedStore({ directory: within, log: createLogger('silent'), meter: createMeter() });
    opened.push(store);
    return store;
  }

  it('makes its schema, as it is written down in schema.sql', async () => {
    await create().start();
    const database = new DatabaseSync(join(directory, 'events.db'), { readOnly: true });
    const objects = database.prepare(`SELECT sql FROM sqlite_schema WHERE sql IS NOT NULL ORDER BY name`).all();
    const settings = ['user_version', 'journal_mode', 'auto_vacuum', 'page_size'].map(
      (pragma) => `-- ${pragma} = ${database.prepare(`PRAGMA ${pragma}`).get()![pragma]}`,
    );
    database.close();
    const schema = [...settings, ...objects.map(({ sql }) => `${sql};`)].join('\n\n');
    await expect(`${schema}\n`).toMatchFileSnapshot('./schema.sql');
  });

  it('makes the folder, and nothing before it is started', async () => {
    const folder = join(directory, 'not', 'there');
    const store = create(folder);
    await expect(stat(folder)).rejects.toThrow('ENOENT');
    await store.start();
    expect(await readdir(folder)).toContain('events.db');
    await store.stop();
    // What was in the log is in the file: a copy of it is a backup.
    expect(await readdir(folder)).toEqual(['events.db']);
  });

  it('comes up in eight at once over a new folder', async () => {
    const stores = Array.from({ length: 8 }, () => create());
    await Promise.all(stores.map((store) => store.start()));
    await Promise.all(
      stores.map((store, i) => store.commit(flush({ blocks: [logBlock([{ time: NOON + BigInt(i) }])] }))),
    );
    expect(await collect(stores[0]!.blocks({ tenant: 'default' }))).toHaveLength(8);
  });

  it('F30 refuses a file of a later version, and leaves it alone', async () => {
    await create().start();
    await opened[0]!.stop();
    const file = join(directory, 'events.db');
    const later = new DatabaseSync(file);
    later.exec('PRAGMA user_version = 999');
    later.close();
    await expect(create().start()).rejects.toMatchObject({
      name: 'DebugError',
      message: expect.stringMatching(/DEBUG_DATA_DIR.*later version \(schema 999/),
    });
    const after = new DatabaseSync(file, { readOnly: true });
    expect(after.prepare('PRAGMA user_version').get()).toEqual({ user_version: 999 });
    after.close();
  });

  it('finds by errors, texts and attributes what a version without filters wrote, and forgets it whole', async () => {
    const component = { type: 'service', id: 'api' };
    const old = logBlock([{ time: NOON, component, severity: 17 }]);
    const before = create();
    await before.start();
    await before.commit(flush({ blocks: [old] }));
    await before.stop();
    const database = new DatabaseSync(join(directory, 'events.db'));
    database.exec(
      `${['block_filter', 'counted_hour', 'component_hour', 'template_hour', 'edge_hour', 'resource']
        .map((table) => `DROP TABLE ${table};`)
        .join('')}ALTER TABLE component_minute DROP COLUMN untold; PRAGMA user_version = 6`,
    );
    database
      .prepare('DELETE FROM block_key WHERE key = ?')
      .run(BigInt.asIntN(64, blockKey('errors', 'service', 'api')));
    database.close();

    const store = create();
    await store.start();
    const added = logBlock([{ time: NOON + 1n, component, severity: 17 }]);
    await store.commit(flush({ blocks: [added] }));
    const ids = async (selector: Partial<BlockSelector>) =>
      (await collect(store.blocks({ tenant: 'default', ...selector }))).map(({ id }) => id);
    const keys = [blockKey('component', 'service', 'api')];
    expect(await ids({ keys, besides: blockKey('errors', 'service', 'api') })).toEqual([added.id, old.id]);
    // What is not there says nothing, and is asked all the same.
    const mayHold = { texts: textProbe(['nowhere'])!, attributes: attributeProbe([['nowhere', '1']])! };
    expect(await ids({ mayHold })).toEqual([old.id]);
    await store.dropDay('2026-01-15');
    await store.stop();
    const left = new DatabaseSync(join(directory, 'events.db'));
    expect(
      left
        .prepare('SELECT (SELECT count(*) FROM block_key) AS keys, (SELECT count(*) FROM block_filter) AS filters')
        .get(),
    ).toEqual({ keys: 0, filters: 0 });
    left.close();
  });

  it('names the setting when the file is none of ours, or the folder is a file', async () => {
    const file = join(directory, 'events.db');
    await writeFile(file, 'this is not a database, but it is long enough to look like one'.repeat(20));
    const refused = { name: 'DebugError', message: expect.stringContaining('DEBUG_DATA_DIR') };
    await expect(create().start()).rejects.toMatchObject(refused);
    await expect(create(file).start()).rejects.toMatchObject(refused);
    await rm(file);
  });

  it('waits for another writer, and serves readers meanwhile', async () => {
    const store = create();
    await store.start();
    await store.commit(flush({ blocks: [logBlock([{ time: NOON }])] }));
    const other = new DatabaseSync(join(directory, 'events.db'));
    other.exec('BEGIN IMMEDIATE');
    let committed = false;
    const waiting = store.commit(flush({ blocks: [logBlock([{ time: NOON + 1n }])] })).then(() => {
      committed = true;
    });
    expect(await collect(store.blocks({ tenant: 'default' }))).toHaveLength(1);
    await new Promise((resolve) => setTimeout(resolve, 100));
    expect(committed).toBe(false);
    other.exec('ROLLBACK');
    other.close();
    await waiting;
    expect(await collect(store.blocks({ tenant: 'default' }))).toHaveLength(2);
  });

  it('never gives the bytes of another block for those of one that was dropped', async () => {
    const store = create();
    await store.start();
    const old = logBlock([{ time: NOON, message: 'old' }], { day: '2026-01-01' });
    await store.commit(flush({ blocks: [old] }));
    const [found] = await collect(store.blocks({ tenant: 'default' }));
    await store.dropDay('2026-01-01');
    // SQLite gives the number of the last row again.
    await store.commit(flush({ blocks: [logBlock([{ time: NOON, message: 'new' }])] }));
    await expect(found!.payload()).rejects.toMatchObject({ code: 'UNAVAILABLE' });
  });

  it('gives the disk back what a dropped day held, once that is more than half of the file', async () => {
    const store = create();
    await store.start();
    const text = Array.from({ length: 100_000 }, (_, i) => Math.sin(i).toString(36)).join('');
    for (let i = 0; i < 20; i++) {
      const logs = [{ time: NOON, message: `${i} ${text.slice(i * 10_000, i * 10_000 + 200_000)}` }];
      await store.commit(flush({ blocks: [logBlock(logs, { day: '2026-01-01' })] }));
    }
    const kept = logBlock([{ time: NOON, message: 'kept' }]);
    await store.commit(flush({ blocks: [kept] }));
    const pages = async () => {
      const database = new DatabaseSync(join(directory, 'events.db'), { readOnly: true });
      const { page_count } = database.prepare('PRAGMA page_count').get() as { page_count: number };
      database.close();
      return page_count;
    };
    const before = await pages();
    await store.dropDay('2026-01-01');
    expect(await pages()).toBeLessThan(before / 4);
    expect((await collect(store.blocks({ tenant: 'default' }))).map(({ id }) => id)).toEqual([kept.id]);
  });

  it('prunes rows when their time is over and no block of that time is left, and keeps what is pinned', async () => {
    const store = create();
    await store.start();
    const old = NOON - 100n * NANOS_PER_DAY;
    const captured = logBlock([{ time: old }]);
    const rows = (time: bigint, id: string) => ({
      componentMinutes: [componentMinute({ minute: minuteOf(time) })],
      templateMinutes: [templateMinute({ minute: minuteOf(time), template_id: id.repeat(16) })],
      templates: [{ id: id.repeat(16), text: id }],
      traceCorrelations: [{ trace_id: id.repeat(32), correlation_id: id, time }],
      snapshots: [snapshot({ id: id.repeat(32), time })],
    });
    await store.commit(flush({ blocks: [captured], ...rows(old, 'a') }));
    await store.commit(flush(rows(NOON - 50n * NANOS_PER_DAY, 'b')));
    await store.commit(
      flush({ ...rows(NOON, 'c'), snapshots: [snapshot({ id: 'd'.repeat(32), time: old + NANOS_PER_DAY })] }),
    );
    await store.changeInsight('default', 'expired', () => insight({ id: 'expired', expires_at: formatNanos(1n) }));
    const ids = 'abc'.split('');
    const left = async () => ({
      minutes: (await store.componentMinutes('default', { start: 0n, end: NOON })).length,
      templateMinutes: (await store.templateMinutes('default', { start: 0n, end: NOON })).length,
      templates: (
        await store.templates(
          'default',
          ids.map((id) => id.repeat(16)),
        )
      )
        .map(({ text }) => text)
        .sort(),
      traces: (await store.traceCorrelations('default', { correlations: ids })).map((one) => one.correlation_id).sort(),
      snapshots: (await store.snapshots('default', { limit: 9 })).map(({ id }) => id[0]).sort(),
    });
    await store.prune(NOON - NANOS_PER_DAY, ['d'.repeat(32)]);
    const kept = { minutes: 2, templateMinutes: 2, templates: ['a', 'c'], traces: ['a', 'c'], snapshots: ['a', 'd'] };
    expect(await left()).toEqual(kept);
    expect(await store.insight('default', 'expired')).toBeNull();
    await store.dropDay(captured.day);
    await store.prune(NOON - NANOS_PER_DAY, []);
    expect(await left()).toEqual({ minutes: 1, templateMinutes: 1, templates: ['c'], traces: ['c'], snapshots: [] });
  });

  it('takes a stop before its start, and while it starts', async () => {
    const never = create();
    await never.stop();
    const store = create();
    const starting = store.start();
    await Promise.all([starting, store.start(), store.stop()]);
    await expect(store.days()).rejects.toMatchObject({ code: 'UNAVAILABLE' });
  });
});
