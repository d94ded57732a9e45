import { mkdtemp, readdir, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { systemClock } from '../base/clock.ts';
import { createLogger } from '../base/log.ts';
import { createMeter } from '../base/meter.ts';
import { jsonToProtobuf } from '../otlp/json.ts';
import { indexRequest } from '../otlp/walk.ts';
import type { Derived } from './derive.ts';
import { createJournal, type Journal } from './journal.ts';
import { KnownResources } from './known-resources.ts';
import { createPipeline, type Sink } from './pipeline.ts';
import { createQuarantine } from './quarantine.ts';
import { RecentIds } from './recent-ids.ts';

const POISON = 'poison';

let directory: string;
beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), 'pipeline-'));
});
afterEach(() => rm(directory, { recursive: true }));

test('what was appended before the barrier is committed behind it', async () => {
  const store = fakeStore();
  await running(store.sink, async (journal, pipeline) => {
    await append(journal, 'a');
    await append(journal, 'b');
    expect(await pipeline.settled(1000)).toBe(0);
    expect(store.messages()).toEqual(['a', 'b']);
  });
});

test('an answer has two turns of the loop to leave before what it acknowledges is derived', async () => {
  const store = fakeStore();
  let turns = 0;
  let derivedAfter = -1;
  const derived = () => {
    derivedAfter = turns;
  };
  await running(
    store.sink,
    async (journal, pipeline) => {
      await append(journal, 'first'); // the pipeline waits for the next one now
      await pipeline.settled(1000);
      await append(journal, 'a');
      const count = () => {
        turns++;
        if (turns < 10) setImmediate(count);
      };
      setImmediate(count);
      await pipeline.settled(1000);
    },
    derived,
  );
  expect(derivedAfter).toBeGreaterThanOrEqual(1);
});

test('a store that is away keeps nobody waiting: the journal keeps what comes, and it is stored once when the store is back', async () => {
  const store = fakeStore();
  store.away = true;
  await running(store.sink, async (journal, pipeline) => {
    await append(journal, 'a');
    expect(await pipeline.settled(50)).toBeGreaterThan(0);
    expect(pipeline.trouble()).toBe('away');
    store.away = false;
    expect(await pipeline.settled(5000)).toBe(0);
    expect(pipeline.trouble()).toBeNull();
    expect(store.messages()).toEqual(['a']);
  });
});

test('a commit whose answer was lost is not made twice, also when the store is away at the next start', async () => {
  const store = fakeStore();
  await running(store.sink, async (journal, pipeline) => {
    await append(journal, 'a');
    await pipeline.settled(1000);
  });
  await rm(join(directory, 'checkpoint'), { force: true }); // as if it had been killed before writing it
  store.away = true;
  await running(store.sink, async (journal, pipeline) => {
    await append(journal, 'b');
    store.away = false;
    expect(await pipeline.settled(5000)).toBe(0);
    expect(store.messages()).toEqual(['a', 'b']);
  });
});

test('a record that the store has is left out when it is sent again after a restart', async () => {
  const store = fakeStore();
  for (const _ of [1, 2]) {
    await running(store.sink, async (journal, pipeline) => {
      await append(journal, 'same');
      await pipeline.settled(1000);
    });
  }
  expect(store.messages()).toEqual(['same']);
});

test('F15 a request that another receiver stored is left out, and what came with it is stored', async () => {
  const store = fakeStore();
  await running(store.sink, async (journal, pipeline) => {
    await append(journal, 'theirs');
    await pipeline.settled(1000);
  });
  store.forgetIds();
  await rm(directory, { recursive: true }); // a journal of its own, as another receiver has
  await running(store.sink, async (journal, pipeline) => {
    await Promise.all([append(journal, 'theirs'), append(journal, 'ours')]);
    expect(await pipeline.settled(5000)).toBe(0);
    await append(journal, 'later');
    expect(await pipeline.settled(5000)).toBe(0);
  });
  expect(store.records()).toBe(3);
  expect(store.counted()).toBe(3);
});

test('stop commits what was acknowledged', async () => {
  const store = fakeStore();
  await running(store.sink, async (journal) => {
    for (let i = 0; i < 20; i++) await append(journal, String(i));
  });
  expect(store.messages()).toHaveLength(20);
});

test('one request that cannot be derived is set aside, and costs those beside it nothing', async () => {
  const store = fakeStore();
  await running(store.sink, async (journal, pipeline) => {
    await Promise.all(['a', POISON, 'b'].map((message) => append(journal, message)));
    expect(await pipeline.settled(5000)).toBe(0);
    await append(journal, 'c');
    expect(await pipeline.settled(5000)).toBe(0);
    expect(pipeline.trouble()).toBeNull();
  });
  expect(store.messages()).toEqual(['a', 'b', 'c']);
  const folder = join(directory, 'quarantine', Buffer.from('default').toString('hex'));
  const [file, ...others] = await readdir(folder);
  expect(others).toEqual([]);
  expect(file).toMatch(/^\d+\.log\.pb$/);
  expect(new Uint8Array(await readFile(join(folder, file!)))).toEqual(request(POISON));
});

test('entries of tenants that take turns make one flush for each tenant, and are stored once after a crash between them', async () => {
  const store = fakeStore();
  const { commit } = store.sink;
  const tenants: string[] = [];
  let crashed = false;
  store.sink.commit = async (flush, others) => {
    crashed ||= tenants.at(-1) === 'a' && flush.tenant === 'b' && !tenants.includes('b');
    if (crashed) throw new Error('the process ends here');
    const repeated = await commit(flush, others);
    tenants.push(flush.tenant);
    return repeated;
  };
  store.away = true;
  await running(store.sink, async (journal) => {
    await Promise.all([1, 2, 3, 4, 5, 6].map((i) => append(journal, `${i}`, i % 2 === 1 ? 'a' : 'b')));
  });
  store.away = false;
  await running(store.sink, async (_journal, pipeline) => {
    expect(await pipeline.settled(200)).toBeGreaterThan(0);
  });
  expect(tenants).toEqual(['a']);
  expect(store.messages()).toEqual(['1', '3', '5']);
  store.forgetIds();
  tenants.push('b');
  crashed = false;
  await running(store.sink, async (_journal, pipeline) => {
    expect(await pipeline.settled(5000)).toBe(0);
  });
  expect([...new Set(store.messages())].sort()).toEqual(['1', '2', '3', '4', '5', '6']);
  expect([store.records(), store.counted()]).toEqual([6, 6]);
});

test('a resource comes with what is committed first, however often that has to be derived, and not again', async () => {
  const store = fakeStore();
  store.away = true;
  await running(store.sink, async (journal) => {
    await Promise.all([append(journal, 'a'), append(journal, POISON), append(journal, 'b')]);
  });
  store.away = false;
  await running(store.sink, async (journal, pipeline) => {
    expect(await pipeline.settled(5000)).toBe(0);
    await append(journal, 'c');
    expect(await pipeline.settled(5000)).toBe(0);
  });
  expect(store.messages()).toEqual(['a', 'b', 'c']);
  expect(store.resources()).toEqual([1, 0]);
});

test('a journal that is stopped first, as when a stop runs out of time, ends it', async () => {
  const store = fakeStore();
  await running(store.sink, async (journal, pipeline) => {
    await append(journal, 'a');
    expect(await pipeline.settled(1000)).toBe(0);
    await journal.stop();
    // Were it to ask on and on, no timer would have its turn.
    await sleep(10);
  });
  expect(store.messages()).toEqual(['a']);
});

/** Keeps flushes in memory and the ledger's promise; `away` makes it refuse. */
function fakeStore() {
  const flushes: Derived[] = [];
  const ledger = new Map<string, bigint>();
  const requests = new Set<string>();
  let forgotten = false;
  const store = {
    away: false,
    resources: () => flushes.map(({ resources }) => resources.length),
    messages: () => flushes.flatMap(({ templates }) => templates.map(({ text }) => text)),
    sink: {
      async commit(flush) {
        if (store.away) throw new Error('away');
        if (flush.ledger.position <= (ledger.get(flush.ledger.journal) ?? 0n)) return [];
        const repeated = flush.requests.filter((id) => requests.has(id));
        if (repeated.length > 0) return repeated;
        for (const id of flush.requests) requests.add(id);
        ledger.set(flush.ledger.journal, flush.ledger.position);
        flushes.push(flush);
        return [];
      },
      async committedPosition(journal) {
        if (store.away) throw new Error('away');
        return ledger.get(journal) ?? 0n;
      },
      tenants: async () => (forgotten ? [] : [...new Set(flushes.map(({ tenant }) => tenant))]),
      commits: async () => new Map(),
      async *blocks({ tenant }) {
        for (const flush of flushes.toReversed()) if (flush.tenant === tenant) yield* flush.blocks;
      },
    } satisfies Sink as Sink,
    records: () => flushes.flatMap(({ blocks }) => blocks).reduce((sum, { count }) => sum + count, 0),
    counted: () => flushes.flatMap((flush) => flush.componentMinutes).reduce((sum, { total }) => sum + total, 0),
    forgetIds: () => (forgotten = true),
  };
  return store;
}

async function running(
  sink: Sink,
  work: (journal: Journal, pipeline: ReturnType<typeof createPipeline>) => Promise<void>,
  derived = () => {},
) {
  const shared = { clock: systemClock(), log: createLogger('silent'), meter: createMeter() };
  const journal = createJournal({ directory, bytesMax: 1 << 20, segmentBytes: 1 << 16, ...shared });
  const recent = new RecentIds(1000);
  const templateOf = (message: string) => {
    derived();
    if (message === POISON) throw new Error('a mistake of ours');
    return { id: message, text: message };
  };
  const pipeline = createPipeline({
    journal,
    sink,
    index: indexRequest,
    batchMs: 20,
    committed: () => {},
    retentionNanos: 1n << 62n,
    templateOf,
    recent,
    resources: new KnownResources(),
    setAside: createQuarantine({ directory: join(directory, 'quarantine'), ...shared }),
    ...shared,
  });
  await journal.start();
  await pipeline.start();
  try {
    await work(journal, pipeline);
  } finally {
    await pipeline.stop();
    await journal.stop();
  }
}

async function append(journal: Journal, message: string, tenant = 'default'): Promise<void> {
  await journal.append({ signal: 'log', tenant, receivedAt: 1n, body: request(message), index: null });
}

function request(message: string): Uint8Array {
  const json = {
    resourceLogs: [{ scopeLogs: [{ logRecords: [{ timeUnixNano: '1', body: { stringValue: message } }] }] }],
  };
  return jsonToProtobuf('log', new TextEncoder().encode(JSON.stringify(json)));
}
