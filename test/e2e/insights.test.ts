/** What the engine finds, asked as anybody would: posted over REST, found over REST. Numbers are those of the behaviours it is held to. */
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { Insight, InsightType } from '../../model/insight.ts';
import { formatNanos } from '../../model/time.ts';
import { type ApiClient, createApiClient } from '../support/api-client.ts';
import { startCollector } from '../support/collector.ts';
import { type QuerySystem, startQuerySystem } from '../support/query-system.ts';

let system: QuerySystem;
let api: ApiClient;
beforeAll(async () => {
  system = await startQuerySystem();
  api = await createApiClient(system.url);
});
afterAll(() => system?.stop());

let made = 0;

/** One test's own operation: its correlation, its components, its clock. */
function story() {
  const name = `story-${++made}`;
  const beginning = system.needs.clock.nowNanos() - 600_000_000_000n;
  const time = (seconds: number) => formatNanos(beginning + BigInt(Math.round(seconds * 1e9)));
  const correlation_id = name;
  return {
    name,
    correlation_id,
    async post(seconds: number, more: Record<string, unknown> = {}): Promise<string> {
      const event = {
        event_type: 'log',
        component_type: 'service',
        component_id: `${name}-api`,
        level: 'INFO',
        correlation_id,
        timestamp: time(seconds),
        ...more,
      };
      const answer = await api.post('/events', event);
      expect(answer.status).toBe(201);
      return answer.body.data.event_id;
    },
    async error(seconds: number, message: string | null, more: Record<string, unknown> = {}): Promise<string> {
      return this.post(seconds, { event_type: 'error', level: 'ERROR', message, ...more });
    },
    async state(seconds: number, component: string, state_data: Record<string, unknown>): Promise<string> {
      const answer = await api.post('/state', {
        component_type: 'agent',
        component_id: `${name}-${component}`,
        operation_id: name,
        state_data,
        timestamp: time(seconds),
      });
      expect(answer.status).toBe(201);
      return answer.body.data.snapshot_id;
    },
    async generate(type?: InsightType): Promise<Insight[]> {
      const answer = await api.post('/insights/generate', { correlation_id });
      expect(answer.status).toBe(200);
      return answer.body.data.filter((insight: Insight) => type === undefined || insight.insight_type === type);
    },
    async consistency(...components: string[]): Promise<Insight> {
      const component_ids = components.map((component) => `${name}-${component}`);
      const answer = await api.post('/analytics/consistency', {
        operation_id: name,
        component_type: 'agent',
        ...(components.length > 0 && { component_ids }),
      });
      expect(answer.status).toBe(200);
      return answer.body.data;
    },
  };
}

describe('errors', () => {
  test('15: five equal errors on two components are one insight; once more changes nothing; it can be read by its id', async () => {
    const told = story();
    expect(await told.generate()).toEqual([]);
    for (let i = 0; i < 5; i++)
      await told.error(i * 60, 'connection refused', { component_id: `${told.name}-${i % 2}` });
    const first = await told.generate('error');
    expect(first).toMatchObject([{ severity: 'warning', occurrences: 5, state: 'open' }]);
    expect(first[0]!.affected_components).toHaveLength(2);
    expect(first[0]!.first_seen < first[0]!.last_seen).toBe(true);
    expect(first[0]!.evidence.numbers).toMatchObject({ occurrence_count: 5, frequency_per_min: 1.25 });
    expect(await told.generate('error')).toEqual(first);
    const listed = await api.get(`/insights?correlation_id=${told.correlation_id}&insight_type=error`);
    expect(listed.body.data).toEqual(first);
    expect((await api.get(`/insights/${first[0]!.id}`)).body.data).toEqual(first[0]);
    for (const id of first[0]!.evidence.event_ids) expect((await api.get(`/events/${id}`)).status).toBe(200);
  });

  test('15: a CRITICAL among them makes it critical; one error is none; without messages it works as well', async () => {
    const critical = story();
    for (let i = 0; i < 5; i++) await critical.error(i, 'disk full', { level: i === 2 ? 'CRITICAL' : 'ERROR' });
    expect(await critical.generate('error')).toMatchObject([{ severity: 'critical' }]);
    const single = story();
    await single.error(0, 'once');
    expect(await single.generate('error')).toEqual([]);
    const silent = story();
    for (let i = 0; i < 5; i++) await silent.error(i, null);
    expect(await silent.generate('error')).toMatchObject([{ occurrences: 5 }]);
  });

  test('30: the root of a chain is the earliest failing ancestor', async () => {
    const told = story();
    const start = await told.post(0, { message: 'request received' });
    const root = await told.error(1, 'pool exhausted', { component_id: `${told.name}-db`, parent_event_id: start });
    const leaf = await told.error(2, 'query failed', { parent_event_id: root });
    const [chain] = await told.generate('error');
    expect(chain).toMatchObject({
      severity: 'critical',
      evidence: { numbers: { chain_length: 2, root_cause: { event_id: root } } },
    });
    expect(chain!.affected_components[0]!.id).toBe(`${told.name}-db`);
    const explained = await api.get(`/errors/${leaf}/explain`);
    expect(explained.body.data).toMatchObject({ root_cause: { event_id: root }, insight_id: expect.any(String) });
  });

  test('32: half of six errors critical is critical, one of nine is not', async () => {
    const share = async (critical: number, all: number) => {
      const told = story();
      for (let i = 0; i < all; i++)
        await told.error(i, `kind ${String.fromCharCode(97 + i).repeat(3)}`, {
          level: i < critical ? 'CRITICAL' : 'ERROR',
        });
      return (await told.generate('error')).filter(({ evidence }) => 'critical_rate' in evidence.numbers);
    };
    expect(await share(3, 6)).toMatchObject([{ severity: 'critical', evidence: { numbers: { critical_rate: 0.5 } } }]);
    expect(await share(1, 9)).toEqual([]);
  });
});

describe('flow and time', () => {
  test('17, 23: an error interrupts, a gap blocks, both are told', async () => {
    const told = story();
    await told.post(0, { component_id: `${told.name}-lock`, message: 'waiting' });
    await told.error(60, 'gave up');
    const found = await told.generate('flow');
    expect(found.map(({ severity }) => severity)).toEqual(['critical', 'warning']);
    expect(found[0]!.evidence.numbers).toMatchObject({ error_count: 1, error_messages: ['gave up'] });
    expect(found[1]).toMatchObject({ evidence: { numbers: { block_duration_seconds: 60 } } });
    expect(found[1]!.affected_components[0]!.id).toBe(`${told.name}-lock`);
  });

  test('23: ten seconds do not block; a retried step that recovered interrupts nothing', async () => {
    const told = story();
    await told.post(0);
    await told.error(10, 'attempt 1', { data: { step: 'pay', status: 'failed' } });
    await told.post(11, { data: { step: 'pay', status: 'completed' } });
    expect(await told.generate('flow')).toEqual([]);
  });

  test('16, 26, 27, 28: slow, its percentile, its bottleneck, its change', async () => {
    const timed = async (durations: number[], same = true) => {
      const told = story();
      for (const [i, duration_ms] of durations.entries()) {
        await told.post(i * 20, {
          message: 'step done',
          data: { duration_ms },
          ...(!same && { component_id: `${told.name}-${i}` }),
        });
      }
      return told.generate('performance');
    };
    expect(await timed([6000])).toMatchObject([{ severity: 'warning', evidence: { numbers: { max_ms: 6000 } } }]);
    expect(await timed([1000])).toEqual([]);
    const percentile = await timed([...Array(9).fill(10), 20_000]);
    expect(percentile.map(({ evidence }) => evidence.numbers.p95_ms)).toContain(20_000);
    const bottleneck = await timed([9000, 100], false);
    expect(bottleneck.map(({ evidence }) => evidence.numbers.slowest_percentage)).toContain(98.9);
    expect(await timed([50, 50, 50], false)).toEqual([]);
    expect(await timed([...Array(10).fill(100), ...Array(10).fill(500)])).toMatchObject([
      { evidence: { numbers: { degradation_percent: 400 } } },
    ]);
    expect(await timed(Array(20).fill(100))).toEqual([]);
  });
});

describe('20, 21, 22: consistency', () => {
  test('two of three nodes: the third is named', async () => {
    const told = story();
    await told.state(0, 'a', { x: 1 });
    await told.state(0.5, 'b', { x: 1 });
    const insight = await told.consistency('a', 'b', 'c');
    expect(insight).toMatchObject({ insight_type: 'consistency', severity: 'warning' });
    expect(insight.summary).toContain(`${told.name}-c`);
    expect((await api.get(`/insights/${insight.id}`)).body.data.id).toBe(insight.id);
  });

  test('a value that differs is named with both values; equal states are certain', async () => {
    const told = story();
    await told.state(0, 'a', { deep: { qty: 5 } });
    await told.state(0.5, 'b', { deep: { qty: 4 } });
    expect((await told.consistency('b', 'a')).summary).toMatch(/deep\.qty is .*5 on .*4 on|deep\.qty is .*4 on .*5 on/);
    const generated = await api.post('/insights/generate', { operation_id: told.name });
    expect(generated.body.data).toMatchObject([{ insight_type: 'consistency', severity: 'warning' }]);
    const equal = story();
    await equal.state(0, 'a', { x: 1, y: [true] });
    await equal.state(0.5, 'b', { y: [true], x: 1 });
    expect(await equal.consistency('a', 'b')).toMatchObject({ severity: 'info', confidence_score: 1 });
  });

  test('ten seconds apart lag', async () => {
    const told = story();
    await told.state(0, 'a', { x: 1 });
    await told.state(10, 'b', { x: 1 });
    expect(await told.consistency('a', 'b')).toMatchObject({
      severity: 'warning',
      evidence: { numbers: { replication_lag_seconds: 10 } },
    });
  });
});

describe('what is found besides', () => {
  test('24, 25, 29: a failing workflow, a deadlock, a busy CPU, each with its healthy twin', async () => {
    const workflow = async (failed: number) => {
      const told = story();
      for (let i = 0; i < 11; i++)
        await told.post(i, {
          component_type: 'workflow',
          level: i < failed ? 'ERROR' : 'INFO',
          message: i < failed ? 'export failed' : 'export done',
          operation_id: `${told.name}-run-${i}`,
        });
      return (await told.generate('flow')).filter(({ evidence }) => 'failed_executions' in evidence.numbers);
    };
    expect(await workflow(4)).toMatchObject([{ severity: 'critical', evidence: { numbers: { error_rate: 0.3636 } } }]);
    expect(await workflow(1)).toEqual([]);

    const waits = async (second: string) => {
      const told = story();
      for (const [i, [operation, waiting_for]] of [
        ['one', 'two'],
        ['two', second],
      ].entries())
        await told.post(i, {
          operation_id: `${told.name}-${operation}`,
          data: { waiting_for: `${told.name}-${waiting_for}` },
        });
      return (await told.generate('flow')).filter(({ title }) => title.startsWith('Deadlock'));
    };
    expect(await waits('one')).toMatchObject([{ severity: 'critical' }]);
    expect(await waits('three')).toEqual([]);

    const cpu = async (...readings: number[]) => {
      const told = story();
      for (const [i, cpu_usage] of readings.entries()) await told.post(i, { data: { cpu_usage } });
      return told.generate('performance');
    };
    expect(await cpu(90, 85)).toMatchObject([
      { evidence: { numbers: { resource: 'cpu_usage', average_percent: 87.5 } } },
    ]);
    expect(await cpu(30, 30)).toEqual([]);
  });

  test('an error points into the code, in the finding and where it is explained', async () => {
    const told = story();
    const stack = 'Error: no stock\n    at reserve (/app/src/stock.ts:41:17)\n    at node:internal/main:1:1';
    const error = await told.error(1, 'no stock', { data: { 'exception.stacktrace': stack } });
    const code = [{ file: '/app/src/stock.ts', line: 41, function: 'reserve' }];
    const [insight] = await told.generate('flow');
    expect(insight!.evidence.numbers.code).toEqual(code);
    const explained = await api.get(`/errors/${error}/explain`);
    expect(explained.body.data.evidence.numbers.code).toEqual(code);
    expect(explained.body.data.suggestions[0].action).toBe('Open /app/src/stock.ts:41, reserve');
  });
});

describe('declared invariants', () => {
  const declared = async (rules: string, work: (collector: { http: string }) => Promise<void>) => {
    const directory = await mkdtemp(join(tmpdir(), 'ai-debug-rules-'));
    try {
      const file = join(directory, 'invariants.txt');
      await writeFile(file, rules);
      const collector = await startCollector({ 'invariants-file': file });
      try {
        await work(collector);
      } finally {
        await collector.stop();
      }
    } finally {
      await rm(directory, { recursive: true });
    }
  };

  test('are checked on what components report, and name the operation that broke them', () =>
    declared('books balance: sum(service/ledger#accounts.*) == service/ledger#total\n', async ({ http }) => {
      const client = await createApiClient(http);
      const report = (operation_id: string, accounts: Record<string, number>) =>
        client.post('/state', {
          component_type: 'service',
          component_id: 'ledger',
          operation_id,
          state_data: { accounts, total: 7 },
        });
      await report('op-1', { a: 3, b: 4 });
      expect((await client.post('/insights/generate', {})).body.data).toEqual([]);
      await report('op-2', { a: 3, b: 5 });
      expect((await client.post('/insights/generate', {})).body.data).toMatchObject([
        {
          insight_type: 'consistency',
          severity: 'critical',
          operation_id: 'op-2',
          evidence: { numbers: { left: 8, right: 7 } },
        },
      ]);
    }));

  test('one that cannot be read is an error at start that names the setting and the rule', async () => {
    await expect(declared('books: sum(3) == 4', async () => {})).rejects.toThrow(
      /DEBUG_INVARIANTS_FILE: .*rule "books"/,
    );
    await expect(startCollector({ 'invariants-file': '/nowhere/rules' })).rejects.toThrow('DEBUG_INVARIANTS_FILE');
  });
});

describe('19, 33: the life of an insight', () => {
  test('resolved stays resolved on the same evidence, regresses on new, and its notes are the first advice next time', async () => {
    const told = story();
    const fail = async (from: number) => {
      for (let i = 0; i < 5; i++) await told.error(from + i, `ledger ${i} is out of balance`);
    };
    await fail(0);
    const [insight] = await told.generate('error');
    const resolved = await api.put(`/insights/${insight!.id}/resolve`, {
      resolution_notes: 'rebuilt the ledger index',
      actor: 'ann',
    });
    expect(resolved.body.data).toMatchObject({ state: 'resolved' });
    expect(await told.generate('error')).toMatchObject([{ id: insight!.id, state: 'resolved' }]);
    expect((await api.get(`/insights?resolved=true&correlation_id=${told.correlation_id}`)).body.data).toMatchObject([
      { id: insight!.id },
    ]);

    const similar = story();
    for (let i = 0; i < 5; i++) await similar.error(i, `ledger ${i} is out of balance`);
    const [next] = await similar.generate('error');
    expect(next!.id).not.toBe(insight!.id);
    expect(next!.suggestions[0]).toMatchObject({ action: 'rebuilt the ledger index', source: 'past_resolution' });

    const now = formatNanos(system.needs.clock.nowNanos());
    await told.error(0, 'ledger 9 is out of balance', { timestamp: now });
    const [again] = await told.generate('error');
    expect(again).toMatchObject({
      id: insight!.id,
      state: 'regressed',
      occurrences: 6,
      resolution_notes: 'rebuilt the ledger index',
    });
  });

  test('every insight keeps to its bounds', async () => {
    const { body } = await api.get('/insights?limit=1000');
    expect(body.data.length).toBeGreaterThan(10);
    for (const insight of body.data as Insight[]) {
      expect(insight.confidence_score).toBeGreaterThanOrEqual(0.7);
      expect(insight.confidence_score).toBeLessThanOrEqual(1);
      expect(insight.title.length).toBeLessThanOrEqual(200);
      expect(insight.summary.length).toBeLessThanOrEqual(500);
      expect(insight.expires_at > insight.generated_at).toBe(true);
    }
  });
});
