/** Health, rates and latency of components and of the whole, from counts per minute. */
import type { Insight } from '../model/insight.ts';
import { Sketch } from '../model/sketch.ts';
import { type Answer, beginReading, readAll } from './answer.ts';
import { type ComponentCounts, type Counts, countWindow, totalOf } from './counts.ts';
import { briefOf, type InsightBrief } from './insights.ts';
import type { QueryNeeds } from './needs.ts';
import { activeOperations } from './operations.ts';
import { minutesOf, parseWindow, type TimeRangeInput, type Window, windowView } from './params.ts';
import { shareAtLeast } from './significance.ts';

export interface ComponentInput extends TimeRangeInput {
  component_type: string;
  component_id: string;
}

export type HealthStatus = 'healthy' | 'degraded' | 'unhealthy' | 'unknown';

export interface Health {
  status: HealthStatus;
  /** 0 to 100, two decimals; null without events. */
  health_score: number | null;
  total_events: number;
  error_events: number;
  /** 0 to 1; null without events. */
  error_rate: number | null;
}

export interface TimeWindow {
  start: string;
  end: string;
}

export interface ComponentHealth extends Health {
  component_type: string;
  component_id: string;
  /** The component's own that are open or came back, newest first, 10 at most. */
  insights: InsightBrief[];
  time_range: TimeWindow;
}

export interface SystemHealth extends Omit<Health, 'health_score'> {
  overall_health_score: number | null;
  active_operations: number;
  /** By component type. */
  components: Record<string, Health>;
  /** Each component, the least healthy first, 100 at most. */
  by_component: ({ component_type: string; component_id: string } & Health)[];
  time_range: TimeWindow;
}

export interface ErrorRates {
  /** Components with more than 10 events, highest rate first, 20 at most. */
  error_rates: {
    component_type: string;
    component_id: string;
    total_events: number;
    error_events: number;
    error_rate: number;
  }[];
  time_range: TimeWindow;
}

export interface Throughput {
  total_events: number;
  events_per_minute: number;
  throughput_by_component: Record<string, { total_events: number; events_per_minute: number }>;
  time_range: TimeWindow;
}

export interface Latency {
  /** Spans in the window; of a component without any, records that say `duration_ms`, of its newest 1,000. */
  sample_count: number;
  /** Right within 1%; null without any. */
  p50_ms: number | null;
  p95_ms: number | null;
  p99_ms: number | null;
}

export interface Performance extends Latency {
  component_type: string;
  component_id: string;
  /** The component's open performance insights. */
  insights: InsightBrief[];
  time_range: TimeWindow;
}

export interface HealthAnswers {
  componentHealth(tenant: string, input: ComponentInput): Promise<Answer<ComponentHealth>>;
  systemHealth(tenant: string, input: TimeRangeInput): Promise<Answer<SystemHealth>>;
  errorRates(tenant: string, input: TimeRangeInput): Promise<Answer<ErrorRates>>;
  throughput(tenant: string, input: TimeRangeInput): Promise<Answer<Throughput>>;
  performance(tenant: string, input: ComponentInput): Promise<Answer<Performance>>;
}

export function createHealthAnswers(needs: QueryNeeds): HealthAnswers {
  return {
    async componentHealth(tenant, input) {
      const { window, counts, coverage, reading } = await count(tenant, input, input, false);
      const { component_type, component_id } = input;
      const insights = await openInsights(tenant, component_type, component_id);
      const time_range = windowView(window, reading.now);
      return reading.answer(
        { component_type, component_id, ...healthOf(totalOf(counts)), insights, time_range },
        { coverage },
      );
    },

    async systemHealth(tenant, input) {
      const { window, counts, coverage, reading } = await count(tenant, input, {}, false);
      const { health_score, ...overall } = healthOf(totalOf(counts));
      const worstFirst = counts
        .map((each) => ({ component_type: each.type, component_id: each.id, ...healthOf(each) }))
        .sort((a, b) => a.health_score! - b.health_score! || compareText(a.component_id, b.component_id));
      const active = await activeOperations(needs, tenant, reading.now);
      return reading.answer(
        {
          overall_health_score: health_score,
          ...overall,
          active_operations: active.operations.length,
          components: byType(counts, healthOf),
          by_component: worstFirst.slice(0, COMPONENTS_SHOWN_MAX),
          time_range: windowView(window, reading.now),
        },
        { coverage, truncated: active.truncated || worstFirst.length > COMPONENTS_SHOWN_MAX },
      );
    },

    async errorRates(tenant, input) {
      const { window, counts, coverage, reading } = await count(tenant, input, {}, false);
      const rated = counts
        .map((each) => ({ each, surely: shareAtLeast(each.errors, each.total) }))
        .sort((a, b) => b.surely - a.surely || compareText(a.each.id, b.each.id));
      const error_rates = rated.slice(0, RATES_SHOWN_MAX).map(({ each: { type, id, total, errors } }) => ({
        component_type: type,
        component_id: id,
        total_events: total,
        error_events: errors,
        error_rate: errors / total,
      }));
      return reading.answer(
        { error_rates, time_range: windowView(window, reading.now) },
        { coverage, count: error_rates.length, truncated: rated.length > RATES_SHOWN_MAX },
      );
    },

    async throughput(tenant, input) {
      const { window, counts, coverage, reading } = await count(tenant, input, {}, false);
      const minutes = minutesOf(window, reading.now);
      const flow = ({ total }: Counts) => ({ total_events: total, events_per_minute: total / minutes });
      const time_range = windowView(window, reading.now);
      return reading.answer(
        { ...flow(totalOf(counts)), throughput_by_component: byType(counts, flow), time_range },
        { coverage },
      );
    },

    async performance(tenant, input) {
      const { window, counts, coverage, reading } = await count(tenant, input, input);
      const { component_type, component_id } = input;
      const insights = await openInsights(tenant, component_type, component_id, 'performance');
      const time_range = windowView(window, reading.now);
      const counted = totalOf(counts);
      const said = counted.latency.count > 0 ? null : await durationsSaid(tenant, input, window);
      return reading.answer(
        { component_type, component_id, ...latencyOf(said ?? counted), insights, time_range },
        { coverage, truncated: said?.truncated ?? false },
      );
    },
  };

  /** Of a component without spans: what its newest records say in `data.duration_ms`. */
  async function durationsSaid(tenant: string, { component_type, component_id }: ComponentInput, window: Window) {
    const query = { tenant, ...window, component_type, component_id, event_types: SPEAKING_TYPES };
    const { events, truncated } = await readAll(needs.events, query, DURATIONS_MAX);
    const latency = new Sketch();
    for (const { data } of events) {
      const { duration_ms } = data;
      if (typeof duration_ms === 'number' && duration_ms >= 0) latency.add(duration_ms);
    }
    return { latency, truncated };
  }

  async function count(tenant: string, input: TimeRangeInput, component: Partial<ComponentInput> = {}, latency = true) {
    const reading = await beginReading(needs);
    const window = parseWindow(input, reading.now);
    const { components, tiers } = await countWindow(needs, tenant, window, reading.now, component, latency);
    return { window, counts: components, coverage: { tiers }, reading };
  }

  async function openInsights(
    tenant: string,
    component_type: string,
    component_id: string,
    insight_type?: Insight['insight_type'],
  ): Promise<InsightBrief[]> {
    const found = await needs.rows.insights(tenant, {
      component_type,
      component_id,
      states: ['open', 'regressed'],
      limit: INSIGHTS_SHOWN_MAX,
      ...(insight_type !== undefined && { insight_type }),
    });
    return found.map(briefOf);
  }
}

/** CONTRACT section 7: 100 x (1 - errors/total), `healthy` from 90, `degraded` from 70; without events nothing is claimed. */
export function healthOf({ total, errors }: Pick<Counts, 'total' | 'errors'>): Health {
  if (total === 0) return { status: 'unknown', health_score: null, total_events: 0, error_events: 0, error_rate: null };
  // Rounded down, so that what is shown as 90 is healthy.
  const health_score = Math.floor((10_000 * (total - errors)) / total) / 100;
  const status = health_score >= 90 ? 'healthy' : health_score >= 70 ? 'degraded' : 'unhealthy';
  return { status, health_score, total_events: total, error_events: errors, error_rate: errors / total };
}

export function latencyOf({ latency }: Pick<Counts, 'latency'>): Latency {
  return {
    sample_count: latency.count,
    p50_ms: latency.quantile(0.5),
    p95_ms: latency.quantile(0.95),
    p99_ms: latency.quantile(0.99),
  };
}

const SPEAKING_TYPES = ['log', 'error', 'system'] as const;
const DURATIONS_MAX = 1000;
const COMPONENTS_SHOWN_MAX = 100;
const INSIGHTS_SHOWN_MAX = 10;
const RATES_SHOWN_MAX = 20;

function byType<T>(components: readonly ComponentCounts[], view: (counts: Counts) => T): Record<string, T> {
  const types = Map.groupBy(components, ({ type }) => type);
  return Object.fromEntries([...types].map(([type, counts]) => [type, view(totalOf(counts))]));
}

function compareText(a: string, b: string): number {
  return a < b ? -1 : a > b ? 1 : 0;
}
