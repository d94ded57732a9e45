/** Metric points as series: one for each component, metric and set of dimensions. */
import type { DebugEvent, MetricView } from '../model/event.ts';
import type { JsonObject } from '../model/json.ts';
import { type Answer, beginReading, readAll } from './answer.ts';
import type { QueryNeeds } from './needs.ts';
import { parseWindow, type TimeRangeInput } from './params.ts';

export interface MetricsRequest extends TimeRangeInput {
  metric_name?: string | undefined;
  component_type?: string | undefined;
  component_id?: string | undefined;
  /** Of series, 1 to 1000. */
  limit: number;
}

type PointValues = Omit<
  MetricView,
  'metric_name' | 'type' | 'unit' | 'description' | 'metadata' | 'dimensions' | 'temporality'
>;

export interface MetricSeries {
  metric_name: string;
  type: MetricView['type'];
  unit: string;
  temporality: MetricView['temporality'] | null;
  component_type: string;
  component_id: string;
  node_id: string | null;
  dimensions: JsonObject;
  /** By time. What a point holds depends on the type: `value`, or `count`, `sum` and buckets. */
  points: ({ timestamp: string } & PointValues)[];
}

export interface MetricAnswers {
  /** The series with the newest point first. */
  metrics(tenant: string, request: MetricsRequest): Promise<Answer<MetricSeries[]>>;
}

export function createMetricAnswers(needs: QueryNeeds): MetricAnswers {
  return {
    async metrics(tenant, request) {
      const reading = await beginReading(needs);
      const { component_type, component_id, metric_name } = request;
      const query = {
        tenant,
        ...parseWindow(request, reading.now),
        event_types: ['metric'] as const,
        ...(component_type !== undefined && { component_type }),
        ...(component_id !== undefined && { component_id }),
        // A point's message is its metric's name: this finds the blocks, the name itself is compared below.
        ...(metric_name !== undefined && { q: metric_name }),
      };
      const { events, truncated, tiers } = await readAll(needs.events, query, POINTS_MAX);
      const series = seriesOf(
        events.filter(({ metric }) => metric_name === undefined || metric?.metric_name === metric_name),
      );
      return reading.answer(series.slice(0, request.limit), {
        truncated: truncated || series.length > request.limit,
        coverage: { tiers },
      });
    },
  };
}

// Enough for an hour of a hundred series at one point a minute.
const POINTS_MAX = 6000;

/** @param events newest first */
function seriesOf(events: readonly DebugEvent[]): MetricSeries[] {
  const all = new Map<string, MetricSeries>();
  for (const { metric, component_type, component_id, node_id, timestamp } of events) {
    if (metric === undefined) continue;
    const { metric_name, type, unit, dimensions, temporality, description: _, metadata: __, ...values } = metric;
    const sorted = Object.entries(dimensions).sort(([a], [b]) => (a < b ? -1 : 1));
    const key = JSON.stringify([metric_name, type, unit, component_type, component_id, node_id, sorted]);
    let series = all.get(key);
    if (series === undefined) {
      const identity = { metric_name, type, unit, temporality: temporality ?? null };
      series = { ...identity, component_type, component_id, node_id, dimensions, points: [] };
      all.set(key, series);
    }
    series.points.push({ timestamp, ...values });
  }
  for (const series of all.values()) series.points.reverse();
  return [...all.values()];
}
