/** What is asked, with other parameters each time, and how long the answers take within the server. */

import { DebugError } from '../../base/errors.ts';
import { formatNanos } from '../../model/time.ts';
import type { Answer } from '../../query/answer.ts';
import { METRIC, PHRASE, SERVICES, STATEFUL } from './query-data.ts';
import type { Loaded } from './query-stores.ts';

export interface Latency {
  p50: number;
  p95: number;
  /** How many records, rows or series an answer lists, at the median; 0 where it is no list. */
  listed: number;
  /** Where it misses its goal: the statement that took longest, and how the store ran it. */
  plan?: string;
}

/** Milliseconds within which 95 of 100 answers are to come. */
export const GOALS = {
  event_by_id: 100,
  event_by_id_hot_first: 1,
  event_by_id_hot: 1,
  trace: 100,
  correlation_1000: 100,
  correlation_small: 100,
  component_events: 100,
  component_errors_24h: 100,
  text_search_24h: 100,
  text_value_24h: 100,
  text_regex_24h: 100,
  attribute_24h: 100,
  component_health: 50,
  system_health_24h: 50,
  error_patterns: 100,
  error_patterns_24h: 100,
  templates_24h: 100,
  topology: 100,
  topology_24h: 100,
  metric_series: 100,
  state_at: 50,
  insights: 100,
} as const;
export type QuestionName = keyof typeof GOALS;

type Question = (loaded: Loaded, i: number) => Promise<Answer<unknown>>;

const TENANT = 'default';
const HOUR = 3_600_000_000_000n;

const QUESTIONS: { readonly [Name in QuestionName]: Question } = {
  event_by_id: ({ service, samples }, i) => service.event(TENANT, some(samples.events, i)),
  event_by_id_hot_first: ({ service, samples }, i) => service.event(TENANT, samples.hotFirst[i]!),
  event_by_id_hot: ({ service, samples }, i) => service.event(TENANT, some(samples.hotEvents, i)),
  trace: ({ service, samples }, i) => service.trace(TENANT, some(samples.traces, i)),
  correlation_1000: ({ service, samples }, i) => service.correlation(TENANT, some(samples.jobs, i), { limit: 1000 }),
  correlation_small: ({ service, samples }, i) =>
    service.correlation(TENANT, some(samples.correlations, i), { limit: 100 }),
  component_events: (loaded, i) => events(loaded, i, 168n, { ...component(i) }),
  component_errors_24h: (loaded, i) => events(loaded, i, 24n, { ...component(i), min_level: 'ERROR' }),
  text_search_24h: (loaded, i) => events(loaded, i, 24n, { q: PHRASE }),
  text_value_24h: ({ service, samples, end }, i) => {
    const { text, time } = some(samples.values, i);
    const last = time + 12n * HOUR > end ? end : time + 12n * HOUR;
    return service.events(TENANT, { q: text, ...between(last - 24n * HOUR, last), limit: 100 });
  },
  text_regex_24h: (loaded, i) =>
    events(loaded, i, 24n, { regex: `upstream \\w+\\.example\\.net ends in ${i % 30} days` }),
  attribute_24h: (loaded, i) =>
    events(loaded, i, 24n, { attributes: { 'enduser.id': `user-${(i * 7919) % 200_000}` }, limit: 20 }),
  component_health: ({ service }, i) => service.componentHealth(TENANT, { ...component(i), time_range: '1h' }),
  system_health_24h: ({ service }) => service.systemHealth(TENANT, { time_range: '24h' }),
  error_patterns: ({ service }) => service.errorPatterns(TENANT, { time_range: '1h', limit: 100 }),
  error_patterns_24h: ({ service }) => service.errorPatterns(TENANT, { time_range: '24h', limit: 100 }),
  templates_24h: ({ service }) => service.templates(TENANT, { time_range: '24h', limit: 100 }),
  topology: ({ service }) => service.topology(TENANT, { time_range: '1h' }),
  topology_24h: ({ service }) => service.topology(TENANT, { time_range: '24h' }),
  metric_series: ({ service }, i) =>
    service.metrics(TENANT, { metric_name: METRIC, ...component(i), time_range: '1h', limit: 100 }),
  state_at: ({ service, start, end }, i) =>
    service.state(TENANT, {
      component_type: 'service',
      component_id: some(STATEFUL, i),
      at: formatNanos(momentOf(start + 24n * HOUR, end, i)),
    }),
  insights: ({ service }, i) => service.insights(TENANT, { ...(i % 2 === 0 && component(i)), limit: 100 }),
};

/** What can be asked for the first time only so often, from the first on: one event of each block of the last hour. */
const ONCE: { readonly [Name in QuestionName]?: (loaded: Loaded) => number } = {
  event_by_id_hot_first: ({ samples }) => samples.hotFirst.length,
};

/** Each question by itself, so that none profits from what another has read; its first few answers are not counted. */
export async function ask(
  loaded: Loaded,
  only = Object.keys(QUESTIONS) as QuestionName[],
): Promise<Map<QuestionName, Latency>> {
  const answers = new Map<QuestionName, Latency>();
  for (const name of only) {
    const question = QUESTIONS[name];
    const times: number[] = [];
    const listed: number[] = [];
    const once = ONCE[name]?.(loaded);
    const roundsMax = once ?? ROUNDS_MAX;
    let spentMs = 0;
    loaded.forgetStatements?.();
    for (let i = 0; times.length < roundsMax && (times.length < ROUNDS_MIN || spentMs < SPENT_MS_MAX); i++) {
      const begin = performance.now();
      const answer = await question(loaded, i).catch(takeNotFound);
      const ms = performance.now() - begin;
      if (once === undefined && i < WARM_UP) continue;
      times.push(ms);
      listed.push(listedIn(answer?.data));
      spentMs += ms;
    }
    times.sort((a, b) => a - b);
    listed.sort((a, b) => a - b);
    const at = (q: number) => times[Math.min(times.length - 1, Math.floor(q * times.length))]!;
    const plan = at(0.95) > GOALS[name] ? await loaded.planOfSlowest?.() : undefined;
    answers.set(name, {
      p50: at(0.5),
      p95: at(0.95),
      listed: listed[listed.length >> 1]!,
      ...(plan !== undefined && { plan }),
    });
    process.stderr.write(`  ${name} ${at(0.5).toFixed(2)} ${at(0.95).toFixed(2)} ms (${times.length})\n`);
  }
  return answers;
}

/** An answer too: of few rows there is not yet a state on every day. */
function takeNotFound(error: unknown): undefined {
  if (!(error instanceof DebugError) || error.code !== 'NOT_FOUND') throw error;
}

/** The list itself, or the one within: the events of a correlation, the spans of a trace. */
function listedIn(data: unknown): number {
  if (Array.isArray(data)) return data.length;
  const lists = Object.values(data ?? {}).filter(Array.isArray);
  return Math.max(0, ...lists.map(({ length }) => length));
}

const WARM_UP = 10;
const ROUNDS_MIN = 20;
// Of half a millisecond each: what is left of the five seconds is for those that take longer.
const ROUNDS_MAX = 2_000;
const SPENT_MS_MAX = 5_000;

type EventsRequest = Parameters<Loaded['service']['events']>[1];

/** A page of what a window of so many hours brings that ends somewhere in the week. */
function events(
  { service, start, end }: Loaded,
  i: number,
  hours: bigint,
  filter: Omit<EventsRequest, 'limit'> & { limit?: number },
): Promise<Answer<unknown>> {
  const last = momentOf(start + hours * HOUR > end ? end : start + hours * HOUR, end, i);
  return service.events(TENANT, { limit: 100, ...filter, ...between(last - hours * HOUR, last) });
}

function between(start: bigint, end: bigint): { start: string; end: string } {
  return { start: formatNanos(start), end: formatNanos(end) };
}

function momentOf(from: bigint, to: bigint, i: number): bigint {
  return from + ((to - from) * BigInt((i * 61) % 97)) / 97n;
}

function component(i: number): { component_type: string; component_id: string } {
  return { component_type: 'service', component_id: SERVICES[(i * 7) % SERVICES.length]! };
}

function some<T>(items: readonly T[], i: number): T {
  if (items.length === 0) throw new Error('the load brought nothing to ask for: load more rows');
  return items[(i * 31) % items.length]!;
}
