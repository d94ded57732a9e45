import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import type { Clock } from '../base/clock.ts';
import { createLogger } from '../base/log.ts';
import { createMeter } from '../base/meter.ts';
import type { DebugEvent } from '../model/event.ts';
import { type Insight, sinceOf } from '../model/insight.ts';
import { formatNanos } from '../model/time.ts';
import type { WarmStore } from '../storage/contract.ts';
import { type EmbeddedDirectory, embeddedDirectory } from '../test/support/embedded.ts';
import { at, errorLog, log, readerOf, snapshot, span } from '../test/support/telemetry.ts';
import type { Analyzer } from './analyzer.ts';
import { createInsightEngine, type InsightChange, type InsightEngineOptions } from './engine.ts';
import { createLook, type Look, type LookRequest } from './look.ts';
import { STANDARD_ANALYZERS } from './standard.ts';

const tenant = 'test';
let directory: EmbeddedDirectory;
let store: WarmStore;
let events: DebugEvent[];
let heard: InsightChange[];
let nowMs: number;

beforeEach(async () => {
  directory = await embeddedDirectory();
  store = await directory.open();
  events = [];
  heard = [];
  nowMs = 600_000;
});
afterEach(async () => {
  await store.stop();
  await directory.drop();
});

const clock: Clock = { nowNanos: () => at(nowMs), monotonicMs: () => performance.now() };

function engine(more: Partial<InsightEngineOptions> = {}) {
  const meter = createMeter();
  const made = createInsightEngine({
    reader: { ...readerOf([]), events: (query) => readerOf(events).events(query) },
    insights: store,
    clock,
    confidenceThreshold: 0.7,
    retentionHours: 24,
    log: createLogger('silent'),
    meter,
    publish: (message) => heard.push(message),
    ...more,
  });
  const runs = async () => (await meter.registry.getSingleMetric('ai_debug_insight_analyzer_runs_total')!.get()).values;
  return { ...made, runs };
}

function fail(count: number, fromMs: number, by = 'api', correlation = 'c'): void {
  for (let i = 0; i < count; i++)
    events.push(errorLog({ ms: fromMs + i, by, correlation, message: `order ${i} lost` }));
}

/** Lets the engine look without being asked, once. */
async function lookAlone(made: ReturnType<typeof engine>): Promise<void> {
  vi.useFakeTimers({ toFake: ['setInterval', 'clearInterval'] });
  try {
    await made.start();
    made.observe({ tenant, componentMinutes: [{ minute: at(0), errors: 1 }] });
    vi.advanceTimersByTime(5000);
    await made.stop();
  } finally {
    vi.useRealTimers();
  }
}

test('a look that nobody asked for is made by whom it was given to and kept here, one that was asked for is made here', async () => {
  fail(5, 0);
  const elsewhere = createLook({ reader: readerOf(events), analyzers: STANDARD_ANALYZERS, clock });
  const asked: LookRequest[] = [];
  const background: Look = (request) => {
    asked.push(request);
    return elsewhere(request);
  };
  const made = engine({ automatic: true, background, reader: readerOf([]) });
  expect(await made.generate({ tenant })).toEqual([]);
  expect(asked).toEqual([]);
  await lookAlone(made);
  expect(asked).toMatchObject([{ scope: { tenant }, known: [] }]);
  expect(heard.map(({ change }) => change)).toContain('opened');
});

test('what is seen again during a look is not called fixed by it', async () => {
  fail(5, 0);
  const [found] = await engine().generate({ tenant });
  const { takeLease: _, ...insights } = store; // each engine has its turn
  const change = (to: Partial<Insight>) =>
    store.changeInsight(tenant, found!.id, (current) => ({ ...current!, ...to }));
  const since = async () => sinceOf((await store.insight(tenant, found!.id))!);
  await change({ state: 'resolved', resolved_at: formatNanos(at(1000)) });
  const fixed = { verdict: 'fixed', clean_runs: 9, runs_needed: 3, checked_until: formatNanos(at(5000)) } as const;
  const looked = { findings: [], since: new Map([[found!.id, fixed]]), unread: new Map(), runs: [] };

  await lookAlone(
    engine({
      ...{ insights, automatic: true },
      async background() {
        await change({ last_seen: formatNanos(at(4000)) });
        return looked;
      },
    }),
  );
  expect(await since()).toBeNull();
  await lookAlone(engine({ insights, automatic: true, background: async () => looked }));
  expect(await since()).toEqual(fixed);
});

describe('one analyzer does not cost another', () => {
  const broken: Analyzer = {
    name: 'broken',
    needs: ['events'],
    analyze() {
      throw new Error('a bug');
    },
  };
  const endless: Analyzer = {
    name: 'endless',
    needs: ['events'],
    analyze(_, budget) {
      for (;;) budget.check();
    },
  };
  const greedy: Analyzer = { name: 'greedy', needs: ['snapshots'], analyze: () => [] };

  test('one that throws, one that does not end and one whose input cannot be read are counted, the rest is found', async () => {
    fail(5, 0);
    const { repeatedError } = await import('./analyzers/repeated-error.ts');
    const { generate, runs } = engine({
      reader: { ...readerOf(events), snapshots: () => Promise.reject(new Error('the store is away')) },
      analyzers: [broken, endless, greedy, repeatedError],
    });
    expect(await generate({ tenant })).toMatchObject([{ insight_type: 'error', occurrences: 5 }]);
    expect((await runs()).map(({ labels, value }) => [labels.analyzer, labels.outcome, value])).toEqual([
      ['broken', 'failed', 1],
      ['endless', 'out_of_time', 1],
      ['greedy', 'left_out', 1],
      ['repeated-error', 'done', 1],
    ]);
  });

  test('events that cannot be read are an error: an empty answer would look like health', async () => {
    const { generate } = engine({ reader: { ...readerOf([]), events: () => Promise.reject(new Error('away')) } });
    await expect(generate({ tenant })).rejects.toThrow('away');
  });
});

describe('what is found again', () => {
  test('is the same insight, tells the feed only when something is new, and counts each occurrence once', async () => {
    const { generate } = engine();
    fail(5, 0);
    const first = await generate({ tenant });
    expect(heard.map(({ change }) => change)).toEqual(first.map(() => 'opened'));
    expect(await generate({ tenant })).toEqual(first);
    expect(heard).toHaveLength(first.length);
    fail(2, 1000);
    const later = await generate({ tenant });
    expect(later.map(({ id }) => id).sort()).toEqual(first.map(({ id }) => id).sort());
    expect(later.find(({ fingerprint }) => fingerprint.startsWith('repeated-error'))).toMatchObject({ occurrences: 7 });
    // A narrower look at the same time adds nothing.
    expect(
      (await generate({ tenant, start: at(0), end: at(500) })).find(({ fingerprint }) =>
        fingerprint.startsWith('repeated-error'),
      ),
    ).toMatchObject({ occurrences: 7 });
    expect(heard.slice(first.length).every(({ change }) => change === 'updated')).toBe(true);
  });

  test('an error that spreads to other components stays one insight', async () => {
    const { generate } = engine();
    fail(5, 0, 'zeta');
    const [first] = (await generate({ tenant })).filter(({ insight_type }) => insight_type === 'error');
    fail(9, 1000, 'alpha');
    const [second] = (await generate({ tenant })).filter(({ insight_type }) => insight_type === 'error');
    expect(second).toMatchObject({ id: first!.id, occurrences: 14, scope: 'distributed' });
  });

  test('ignored stays ignored and silent, resolved regresses on news, expired begins anew', async () => {
    const { generate } = engine();
    fail(5, 0);
    const [insight] = (await generate({ tenant })).filter(({ insight_type }) => insight_type === 'error');
    const change = (more: object) =>
      store.changeInsight(tenant, insight!.id, (current) => current && { ...current, ...more });
    const again = async () => (await generate({ tenant })).find(({ id }) => id === insight!.id);

    await change({ state: 'ignored' });
    heard.length = 0;
    fail(1, 2000);
    expect(await again()).toMatchObject({ state: 'ignored', occurrences: 6 });
    expect(heard.filter((message) => message.insight.id === insight!.id)).toEqual([]);

    await change({ state: 'resolved', resolved_at: events.at(-1)!.timestamp });
    expect(await again()).toMatchObject({ state: 'resolved' });
    fail(1, 1000);
    expect(await again()).toMatchObject({ state: 'resolved', occurrences: 6 });
    fail(1, 4000);
    expect(await again()).toMatchObject({ state: 'regressed' });
    expect(heard.find((message) => message.insight.id === insight!.id)).toMatchObject({ change: 'regressed' });

    nowMs += 25 * 3_600_000;
    heard.length = 0;
    expect(await again()).toMatchObject({ state: 'open', occurrences: 8, resolved_at: null });
    expect(heard.find((message) => message.insight.id === insight!.id)).toMatchObject({ change: 'opened' });
  });

  test('below the threshold nothing is stored', async () => {
    fail(5, 0);
    expect(await engine({ confidenceThreshold: 1 }).generate({ tenant })).toEqual([]);
    expect(await store.insights(tenant, { limit: 10 })).toEqual([]);
  });

  test('two engines that find the same at the same time store it once', async () => {
    fail(5, 0);
    await Promise.all([engine().generate({ tenant }), engine().generate({ tenant })]);
    const stored = await store.insights(tenant, { limit: 10 });
    expect(new Set(stored.map(({ fingerprint }) => fingerprint)).size).toBe(stored.length);
    expect(stored.find(({ insight_type }) => insight_type === 'error')).toMatchObject({ occurrences: 5 });
  });
});

test('asked about a component, it tells what has to do with it, with what the others did in view', async () => {
  const trace = 't1';
  events.push(
    span({ ms: 0, by: 'front', trace, id: 'a', kind: 'server', took: 9000, failed: true }),
    span({ ms: 5, by: 'stock', trace, id: 'b', parent: 'a', kind: 'server', took: 8900, failed: true }),
    errorLog({ ms: 50, by: 'elsewhere', correlation: 'other', message: 'unrelated' }),
  );
  const found = await engine().generate({ tenant, component_type: 'service', component_id: 'front' });
  expect(found.length).toBeGreaterThan(0);
  for (const insight of found)
    expect(insight.affected_components.map(({ id }) => id)).toEqual(expect.arrayContaining(['stock', 'front']));
});

test('of a window too large to read, errors and failed operations are still read whole', async () => {
  const trace = 'old';
  events.push(
    span({ ms: 0, by: 'front', trace, id: 'a', kind: 'server', took: 50, failed: true }),
    // Without this one, which did not fail, the two that did have nothing to do with each other.
    span({ ms: 2, by: 'front', trace, id: 'm', parent: 'a', took: 40 }),
    span({ ms: 5, by: 'stock', trace, id: 'b', parent: 'm', kind: 'server', took: 30, failed: true }),
    errorLog({ ms: 20, by: 'stock', trace, span: 'b', message: 'boom' }),
  );
  for (let i = 0; i < 12_000; i++) events.push(log({ ms: 1000 + i, by: 'noise', correlation: null, message: 'fine' }));
  const found = await engine().generate({ tenant });
  expect(found.filter(({ insight_type }) => insight_type === 'flow')).toMatchObject([
    { affected_components: [{ id: 'stock' }, { id: 'front' }] },
  ]);
});

describe('explain', () => {
  test('from an error to its origin, with the best finding, storing nothing', async () => {
    const trace = 't1';
    const front = errorLog({ ms: 45, by: 'front', trace, span: 'a', message: 'buy failed' });
    const stock = errorLog({ ms: 20, by: 'stock', trace, span: 'b', message: 'ECONNREFUSED' });
    events.push(
      span({ ms: 0, by: 'front', trace, id: 'a', kind: 'server', took: 50, failed: true }),
      span({ ms: 5, by: 'stock', trace, id: 'b', parent: 'a', kind: 'server', took: 30, failed: true }),
      front,
      stock,
    );
    const { explain } = engine();
    const explained = await explain(tenant, front);
    expect(explained.chain.map(({ id }) => id)).toEqual([front.id, stock.id]);
    expect(explained.insight).toMatchObject({ affected_components: [{ id: 'stock' }, { id: 'front' }] });
    expect(explained.insight!.suggestions.length).toBeGreaterThan(0);
    expect((await explain(tenant, stock)).chain).toEqual([stock]);
    expect(await store.insights(tenant, { limit: 10 })).toEqual([]);
  });

  test('of an error that was made good there is nothing but itself', async () => {
    const step = (ms: number, status: string, level: 'ERROR' | 'INFO') =>
      log({ ms, by: 'api', correlation: 'c', level, data: { step: 'pay', status } });
    const failed = step(0, 'failed', 'ERROR');
    events.push(failed, step(10, 'completed', 'INFO'));
    expect(await engine().explain(tenant, failed)).toEqual({
      insight: null,
      chain: [failed],
      affected_components: [{ type: 'service', id: 'api' }],
    });
  });
});

test('consistency: null when nobody reported, stored only when something is wrong', async () => {
  expect(await engine().consistency({ tenant, operation_id: 'op' })).toBeNull();
});

test('consistency that takes too long is refused as what may be asked again', async () => {
  const told = ['a', 'b', 'c'].map((by, i) => snapshot({ ms: i, by, operation: 'op', state: { total: i } }));
  let turns = 0;
  const hurried: Clock = { ...clock, monotonicMs: () => turns++ * 60_000 };
  const asked = engine({ clock: hurried, reader: readerOf([], told) }).consistency({
    tenant,
    operation_id: 'op',
  });
  await expect(asked).rejects.toMatchObject({ code: 'UNAVAILABLE', message: expect.stringContaining('10 s') });
});

describe('after a resolve', () => {
  const runs = (count: number, fromMs: number, failed = false, name = 'POST /orders') => {
    for (let i = 0; i < count; i++) {
      const trace = `t${fromMs + i}`;
      events.push(
        span({ ms: fromMs + i * 10, by: 'api', trace, id: `s${fromMs + i}`, name, kind: 'server', took: 5, failed }),
        ...(failed
          ? [
              errorLog({
                ms: fromMs + i * 10 + 1,
                by: 'api',
                trace,
                span: `s${fromMs + i}`,
                message: 'ledger is out of balance',
              }),
            ]
          : []),
      );
    }
  };
  const resolveAll = async () => {
    const resolved_at = formatNanos(at(nowMs));
    for (const { id } of await store.insights(tenant, { limit: 100 }))
      await store.changeInsight(tenant, id, (current) => current && { ...current, state: 'resolved', resolved_at });
  };
  const afterResolve = async () => {
    const [insight] = (await store.insights(tenant, { limit: 100 })).filter(({ fingerprint }) =>
      fingerprint.startsWith('repeated-error'),
    );
    return { state: insight!.state, after: insight!.evidence.numbers.after_resolve };
  };

  test('what does not run again is not exercised, what runs clean often enough is fixed, what fails again regressed', async () => {
    const { generate } = engine();
    runs(5, 0, true);
    await generate({ tenant });
    await resolveAll();
    nowMs = 700_000;
    runs(20, 650_000, false, 'GET /other');
    await generate({ tenant, start: at(600_000), end: at(700_000) });
    expect(await afterResolve()).toMatchObject({
      state: 'resolved',
      after: { verdict: 'not_exercised', clean_runs: 0 },
    });

    nowMs = 800_000;
    runs(2, 750_000);
    await generate({ tenant, start: at(600_000), end: at(800_000) });
    expect(await afterResolve()).toMatchObject({ after: { verdict: 'too_few_runs', clean_runs: 2, runs_needed: 3 } });
    // The same window again counts nothing twice.
    await generate({ tenant, start: at(600_000), end: at(800_000) });
    expect(await afterResolve()).toMatchObject({ after: { clean_runs: 2 } });

    heard = [];
    nowMs = 900_000;
    runs(2, 850_000);
    await generate({ tenant, start: at(600_000), end: at(900_000) });
    expect(await afterResolve()).toMatchObject({ state: 'resolved', after: { verdict: 'fixed', clean_runs: 4 } });
    expect(heard.map(({ change }) => change)).toContain('updated');

    runs(5, 950_000, true);
    nowMs = 1_000_000;
    await generate({ tenant });
    expect((await afterResolve()).state).toBe('regressed');
  });

  test('what is open and quiet is told apart too, without being resolved; what goes on is left alone', async () => {
    const { generate } = engine();
    const since = async () => {
      const all = await store.insights(tenant, { limit: 100 });
      const { state, evidence } = all.find(({ fingerprint }) => fingerprint.startsWith('repeated-error'))!;
      return { state, since: evidence.numbers.since_last_seen };
    };
    runs(5, 0, true);
    await generate({ tenant });
    nowMs = 600_000;
    runs(5, 550_000);
    await generate({ tenant, start: at(300_000), end: at(nowMs) });
    expect((await since()).since).toBeUndefined();

    nowMs = 1_000_000;
    runs(5, 950_000, false, 'GET /other');
    await generate({ tenant, start: at(700_000), end: at(nowMs) });
    expect(await since()).toMatchObject({ state: 'open', since: { verdict: 'not_exercised' } });

    heard = [];
    nowMs = 1_100_000;
    runs(4, 1_050_000);
    await generate({ tenant, start: at(1_000_000), end: at(nowMs) });
    expect(await since()).toMatchObject({ state: 'open', since: { verdict: 'fixed', clean_runs: 4 } });
    expect(heard.map(({ change }) => change)).toContain('updated');

    runs(5, 1_150_000, true);
    nowMs = 1_200_000;
    await generate({ tenant, start: at(1_100_000), end: at(nowMs) });
    expect(await since()).toEqual({ state: 'open', since: undefined });
  });

  test('looking at one component or correlation proves nothing', async () => {
    const { generate } = engine();
    runs(5, 0, true);
    await generate({ tenant });
    await resolveAll();
    nowMs = 800_000;
    runs(5, 750_000);
    await generate({ tenant, component_type: 'service', component_id: 'api' });
    expect((await afterResolve()).after).toBeUndefined();
  });
});
