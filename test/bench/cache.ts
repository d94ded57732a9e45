/**
 * `node test/bench/cache.ts [--questions N --per-event N --json FILE]`: an agent's loop against a running system with and without the query
 * cache. It looks at the health, the state and the insights of twenty components, over and over, while they go on saying something: an
 * event for every so many questions, as 50 questions a second and a word from each component every ten seconds come to. Embedded
 * stores, asked in this process, as the faces ask; and over HTTP from the same process.
 */
import { writeFile } from 'node:fs/promises';
import { parseArgs } from 'node:util';
import { createQueryService, type QueryService } from '../../query/service.ts';
import { type QuerySystem, startQuerySystem } from '../support/query-system.ts';
import { printTable } from './table.ts';

const { values: options } = parseArgs({
  options: {
    questions: { type: 'string', default: '6000' },
    'per-event': { type: 'string', default: '25' },
    json: { type: 'string' },
  },
});
const QUESTIONS = Number(options.questions);
const TENANT = 'default';
const COMPONENTS = Array.from({ length: 20 }, (_, i) => ({ component_type: 'agent', component_id: `agent-${i}` }));
const GOAL_MS = 1;
const EVENTS_EACH = 2_000;
const QUESTIONS_PER_EVENT = Number(options['per-event']);

type Kind = 'component health' | 'component state' | 'insights of a component' | 'an insight';
const KINDS: Kind[] = ['component health', 'component state', 'insights of a component', 'an insight'];

const system = await startQuerySystem();
try {
  const insights = await fill(system);
  const { cache: _, ...needs } = system.needs;
  const bare = createQueryService(needs);
  const asked = (service: QueryService) => (kind: Kind, i: number) => {
    const component = COMPONENTS[i % COMPONENTS.length]!;
    if (kind === 'component health') return service.componentHealth(TENANT, { ...component, time_range: '1h' });
    if (kind === 'component state') return service.state(TENANT, component);
    if (kind === 'insights of a component')
      return service.insights(TENANT, { ...component, resolved: false, limit: 20 });
    return service.insight(TENANT, insights[i % insights.length]!);
  };
  const overHttp = async (kind: Kind, i: number) => {
    const component = COMPONENTS[i % COMPONENTS.length]!;
    const { component_type, component_id } = component;
    const path = {
      'component health': '/analytics/component-health',
      'component state': `/state/${component_type}/${component_id}`,
      'insights of a component': `/insights?component_type=${component_type}&component_id=${component_id}&resolved=false&limit=20`,
      'an insight': `/insights/${insights[i % insights.length]}`,
    }[kind];
    const post = kind === 'component health' && {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify({ ...component, time_range: '1h' }),
    };
    const response = await fetch(`${system.url}/api/debug${path}`, { ...post });
    await response.arrayBuffer();
    if (!response.ok) throw new Error(`${path}: ${response.status}`);
  };
  const without = await loop(asked(bare));
  const before = system.needs.cache!.stats();
  const cached = await loop(asked(system.service));
  const after = system.needs.cache!.stats();
  const http = await loop(overHttp);
  const reads = after.hits + after.misses - before.hits - before.misses;
  const hitRate = (after.hits - before.hits) / reads;
  printTable(
    `An agent's loop, ${QUESTIONS} questions, ${COMPONENTS.length} components an event every ${QUESTIONS_PER_EVENT} questions: milliseconds an answer`,
    [
      'question',
      'without p50',
      'cached p50',
      'cached p95',
      'cached p99',
      'without / cached',
      'HTTP p50',
      'goal (p95)',
      'holds',
    ],
    KINDS.map((kind) => {
      const [bare, kept, faced] = [without.get(kind)!, cached.get(kind)!, http.get(kind)!];
      const holds = kept.p95 < GOAL_MS ? 'yes' : 'no';
      return [kind, bare.p50, kept.p50, kept.p95, kept.p99, bare.p50 / kept.p50, faced.p50, GOAL_MS, holds];
    }),
  );
  printTable(
    'The cache in that loop',
    ['reads', 'hit rate', 'goal', 'holds', 'taken out by what arrived'],
    [[reads, hitRate, 0.9, hitRate > 0.9 ? 'yes' : 'no', after.invalidations - before.invalidations]],
  );
  const p95 = Math.max(...KINDS.map((kind) => cached.get(kind)!.p95));
  if (options.json !== undefined) {
    const figures = {
      cache: { hit_rate: hitRate, p95_ms: p95, answers: Object.fromEntries(cached), http: Object.fromEntries(http) },
    };
    await writeFile(options.json, `${JSON.stringify(figures, null, 2)}\n`);
  }
} finally {
  await system.stop();
}

/** @returns ids of insights */
async function fill({ service }: QuerySystem): Promise<string[]> {
  const now = Date.now();
  for (const [i, component] of COMPONENTS.entries()) {
    const events = Array.from({ length: EVENTS_EACH }, (_, n) => ({
      event_type: 'log' as const,
      ...component,
      correlation_id: `run-${i}-${n % 50}`,
      level: n % 40 === 0 ? ('ERROR' as const) : ('INFO' as const),
      message: n % 40 === 0 ? `tool call ${n} failed: upstream timed out` : `tool call ${n} done`,
      timestamp: new Date(now - 3_500_000 + Math.floor((n * 3_500_000) / EVENTS_EACH)).toISOString(),
    }));
    await service.postEvents(TENANT, events);
    for (const step of [1, 2])
      await service.postState(TENANT, {
        ...component,
        operation_id: 'op',
        state_data: { step, plan: ['look', 'act'] },
      });
    await service.generate(TENANT, component);
  }
  const { data } = await service.insights(TENANT, { limit: 100 });
  if (data.length === 0) throw new Error('no insights to look at');
  return data.map(({ id }) => id);
}

type Latency = { p50: number; p95: number; p99: number };

async function loop(ask: (kind: Kind, i: number) => Promise<unknown>): Promise<Map<Kind, Latency>> {
  const took = new Map<Kind, number[]>(KINDS.map((kind) => [kind, []]));
  for (let i = 0; i < 200; i++) await ask(KINDS[i % KINDS.length]!, i); // compiles
  for (let i = 0; i < QUESTIONS; i++) {
    const kind = KINDS[i % KINDS.length]!;
    const startMs = performance.now();
    await ask(kind, Math.floor(i / KINDS.length));
    took.get(kind)!.push(performance.now() - startMs);
    if (i % QUESTIONS_PER_EVENT === 0) await say(i / QUESTIONS_PER_EVENT);
  }
  const latency = (times: number[]) => {
    times.sort((a, b) => a - b);
    const at = (q: number) => times[Math.floor(q * (times.length - 1))]!;
    return { p50: at(0.5), p95: at(0.95), p99: at(0.99) };
  };
  return new Map([...took].map(([kind, times]) => [kind, latency(times)]));
}

async function say(turn: number): Promise<void> {
  const component = COMPONENTS[turn % COMPONENTS.length]!;
  const level = turn % 10 === 0 ? 'ERROR' : 'INFO';
  await system.service.postEvents(TENANT, [{ event_type: 'log', ...component, correlation_id: 'now', level }]);
}
