/** The cache from outside: whatever happens, answers are those that would be given without it. */
import { afterAll, beforeAll, describe, expect, inject, test, vi } from 'vitest';
import type { Insight } from '../../model/insight.ts';
import { formatNanos } from '../../model/time.ts';
import { createQueryService, type QueryService } from '../../query/service.ts';
import { createRandom } from '../faults/random.ts';
import { startCollector, type TestCollector } from '../support/collector.ts';
import { createDatabase } from '../support/postgres.ts';
import { type QuerySystem, startQuerySystem } from '../support/query-system.ts';

describe('in one process', () => {
  let system: QuerySystem;
  let without: QueryService;
  beforeAll(async () => {
    system = await startQuerySystem();
    const { cache: _, ...needs } = system.needs;
    without = createQueryService(needs);
  });
  afterAll(() => system?.stop());

  const ago = (ms: number) => formatNanos(system.needs.clock.nowNanos() - BigInt(Math.round(ms * 1e6)));

  test('34: a new error changes the health of its component at once, and no other', async () => {
    const health = async (component_id: string) => {
      const { data } = await system.service.componentHealth('default', { component_type: 'agent', component_id });
      return [data.status, data.total_events, data.error_events];
    };
    const tell = (component_id: string, level: 'INFO' | 'ERROR') =>
      system.service.postEvents('default', [
        { event_type: 'log', component_type: 'agent', component_id, correlation_id: 'c', level },
      ]);
    for (let i = 0; i < 4; i++) await tell('steady', 'INFO');
    for (let i = 0; i < 4; i++) await tell('shaky', 'INFO');
    expect([await health('steady'), await health('shaky')]).toEqual([
      ['healthy', 4, 0],
      ['healthy', 4, 0],
    ]);
    await tell('shaky', 'ERROR');
    const before = system.needs.cache!.stats();
    expect(await health('steady')).toEqual(['healthy', 4, 0]);
    const after = system.needs.cache!.stats();
    expect([after.hits - before.hits, after.misses - before.misses]).toEqual([2, 0]);
    expect(await health('shaky')).toEqual(['degraded', 5, 1]);
  });

  test('whatever arrives in whatever order, answers are as without it', async () => {
    const { next: random, one: pick } = createRandom(20261122);
    let settled = 0;
    const components = ['p-1', 'p-2', 'p-3'];
    const made: string[] = [];
    const windows = [
      { time_range: '1m' },
      { time_range: '90s' },
      { time_range: '1h' },
      { start: ago(95_000), end: ago(20_000) },
    ];
    const steps: (() => Promise<unknown>)[] = [
      () =>
        system.service.postEvents('default', [
          {
            event_type: 'log',
            component_type: 'agent',
            component_id: pick(components),
            correlation_id: 'c',
            level: pick(['INFO', 'ERROR', 'CRITICAL'] as const),
            timestamp: ago(random() * 130_000),
          },
        ]),
      () =>
        system.service.postState('default', {
          component_type: 'agent',
          component_id: pick(components),
          operation_id: 'op',
          state_data: { step: Math.floor(random() * 10) },
          timestamp: ago(random() * 1000),
        }),
      async () => {
        const id = (made.length + 1).toString(16).padStart(32, '0');
        made.push(id);
        await change(id, { affected_components: [{ type: 'agent', id: pick(components) }] });
      },
      async () => {
        if (made.length > 0)
          await change(pick(made), { affected_components: [{ type: 'agent', id: pick(components) }] });
      },
      async () => {
        if (made.length > 0) await system.service.resolve('default', pick(made), { notes: 'done' });
      },
      async () => {},
    ];
    const change = async (id: string, more: Partial<Insight>) => {
      const insight = await system.needs.rows.changeInsight('default', id, (known) => ({
        ...(known ?? blank(id)),
        ...more,
      }));
      system.needs.publish({ kind: 'insight', tenant: 'default', change: 'updated', insight: insight! });
    };

    for (let step = 0; step < STEPS; step++) {
      await pick(steps)();
      const component = { component_type: 'agent', component_id: pick(components) };
      const window = pick(windows);
      const id = made.length > 0 ? pick(made) : 'none';
      const ask = async (service: QueryService) => [
        step,
        await plain(service.componentHealth('default', { ...component, ...window })),
        await plain(service.systemHealth('default', window)),
        await plain(service.insights('default', { ...component, resolved: false, limit: 10 })),
        await plain(service.insights('default', { limit: 10 })),
        await plain(service.state('default', component)),
        await plain(service.insight('default', id)),
      ];
      // Twice: the second look is what the cache is for. Without it between them, as what leaves the window leaves it for all.
      const [first, plainly, second] = [await ask(system.service), await ask(without), await ask(system.service)];
      const moved = JSON.stringify(first) !== JSON.stringify(second);
      if (moved) continue;
      settled++;
      expect(first).toEqual(plainly);
    }
    expect(settled).toBeGreaterThan(STEPS / 2);
    expect(system.needs.cache!.stats().hit_rate).toBeGreaterThan(0.3);
  });
});

describe('across processes', () => {
  let database: Awaited<ReturnType<typeof createDatabase>>;
  let receiver: TestCollector;
  let query: TestCollector;
  beforeAll(async () => {
    database = await createDatabase(inject('pgUrl'));
    const shared = {
      'pg-url': database.url,
      'redis-url': inject('redisUrl'),
      'redis-key-prefix': `cache-${process.pid}`,
    };
    receiver = await startCollector({ ...shared, role: 'receiver' });
    query = await startCollector({ ...shared, role: 'query' });
  });
  afterAll(async () => {
    await query?.stop();
    await receiver?.stop();
    await database?.drop();
  });

  test('an error that another process took in changes what was cached', async () => {
    const tell = async (severityNumber: number) => {
      const record = {
        timeUnixNano: String(BigInt(Date.now()) * 1_000_000n),
        severityNumber,
        body: { stringValue: 'x' },
      };
      const resource = { attributes: [{ key: 'service.name', value: { stringValue: 'shop' } }] };
      const body = JSON.stringify({ resourceLogs: [{ resource, scopeLogs: [{ logRecords: [record] }] }] });
      const headers = { 'content-type': 'application/json' };
      expect((await fetch(`${receiver.otlpHttp}/v1/logs`, { method: 'POST', headers, body })).status).toBe(200);
    };
    const health = async () => {
      const response = await fetch(`${query.http}/api/debug/analytics/component-health`, {
        method: 'POST',
        headers: { 'content-type': 'application/json' },
        body: JSON.stringify({ component_type: 'service', component_id: 'shop' }),
      });
      const { data } = (await response.json()) as { data: { total_events: number; error_events: number } };
      return [data.total_events, data.error_events];
    };
    await tell(9);
    await vi.waitFor(async () => expect(await health()).toEqual([1, 0]), 5000);
    await health();
    await tell(17);
    await vi.waitFor(async () => expect(await health()).toEqual([2, 1]), 5000);
    const metrics = await (await fetch(`${query.http}/metrics`)).text();
    const value = (name: string) => Number(new RegExp(`^${name} (\\d+)`, 'm').exec(metrics)?.[1]);
    expect(value('ai_debug_cache_invalidations_total')).toBeGreaterThan(0);
    expect(metrics).toMatch(/ai_debug_cache_requests_total\{kind="counts",outcome="hit"\} [1-9]/);
  });
});

const STEPS = 120;

/** Without what tells when it was asked. */
async function plain(answer: Promise<{ data: object }>): Promise<unknown> {
  try {
    const { time_range: _, ...data } = (await answer).data as { time_range?: unknown };
    return data;
  } catch (error) {
    return (error as Error).message;
  }
}

function blank(id: string): Insight {
  const now = formatNanos(BigInt(Date.now()) * 1_000_000n);
  return {
    ...{ id, fingerprint: id, insight_type: 'error', severity: 'warning', scope: 'component', state: 'open' },
    ...{ title: 'title', summary: 'summary', description: 'description', suggestions: [], affected_components: [] },
    evidence: { event_ids: [], span_ids: [], trace_ids: [], snapshot_ids: [], numbers: {} },
    ...{ confidence_score: 0.9, occurrences: 1, correlation_id: null, operation_id: null },
    ...{ resolution_notes: null, resolved_by: null, resolved_at: null },
    ...{ first_seen: now, last_seen: now, generated_at: now, updated_at: now, expires_at: '2099-01-01T00:00:00Z' },
  } as Insight;
}
