/**
 * Metric points as series of numbers that can be compared over time: a gauge by its value, a counter by its rate a second, a histogram by the
 * mean of what came between two points. A counter that starts anew says nothing of the time across its restart.
 */
import type { ComponentRef } from '../model/block.ts';
import type { DebugEvent, MetricView } from '../model/event.ts';
import type { JsonObject } from '../model/json.ts';
import { componentKey, componentOf, timeOf } from './window.ts';

export interface MetricSeries {
  component: ComponentRef;
  nodeId: string | null;
  metric: string;
  /** What the numbers are: the metric's own unit, `unit/s` of a rate. */
  unit: string;
  measure: 'value' | 'rate' | 'mean';
  dimensions: JsonObject;
  /** By time, at least one. */
  values: MetricValue[];
}

export interface MetricValue {
  /** Nanoseconds. */
  time: bigint;
  value: number;
  event: DebugEvent;
}

/** @param points in any order, of OTLP or posted as events of type `metric`, whose numbers in `data` are gauges */
export function metricSeriesOf(points: readonly DebugEvent[]): MetricSeries[] {
  const groups = new Map<string, Point[]>();
  for (const event of points) {
    for (const metric of event.metric === undefined ? postedMetrics(event) : [event.metric]) {
      const sorted = Object.entries(metric.dimensions).sort(([a], [b]) => (a < b ? -1 : 1));
      const key = JSON.stringify([componentKey(event), event.node_id, metric.metric_name, sorted]);
      const group = groups.get(key);
      if (group === undefined) groups.set(key, [{ event, metric }]);
      else group.push({ event, metric });
    }
  }
  const series: MetricSeries[] = [];
  for (const group of groups.values()) {
    group.sort((a, b) => (a.event.timestamp < b.event.timestamp ? -1 : 1));
    const { event, metric } = group[0]!;
    const measure = measureOf(metric);
    const values = valuesOf(group, measure);
    if (values.length === 0) continue;
    series.push({
      component: componentOf(event),
      nodeId: event.node_id,
      metric: metric.metric_name,
      unit: measure === 'rate' ? `${metric.unit}/s` : metric.unit,
      measure,
      dimensions: metric.dimensions,
      values,
    });
  }
  return series;
}

interface Point {
  event: DebugEvent;
  metric: MetricView;
}

/** `{"value": 3, "metric_name": "queue.depth"}` or `{"queue_depth": 3}`. */
function postedMetrics({ data, message }: DebugEvent): MetricView[] {
  const named = data.metric_name ?? data.metric ?? data.name;
  const metrics: MetricView[] = [];
  for (const [key, value] of Object.entries(data).slice(0, POSTED_MAX)) {
    if (typeof value !== 'number') continue;
    const metric_name = key !== 'value' ? key : typeof named === 'string' ? named : message || key;
    const unit = typeof data.unit === 'string' ? data.unit : '';
    metrics.push({ metric_name, type: 'gauge', unit, dimensions: {}, value });
  }
  return metrics;
}

const POSTED_MAX = 50;

function measureOf({ type, is_monotonic }: MetricView): MetricSeries['measure'] {
  if (type === 'gauge' || (type === 'sum' && is_monotonic !== true)) return 'value';
  return type === 'sum' ? 'rate' : 'mean';
}

function valuesOf(points: readonly Point[], measure: MetricSeries['measure']): MetricValue[] {
  const values: MetricValue[] = [];
  let last: { metric: MetricView; time: bigint } | null = null;
  for (const { event, metric } of points) {
    const time = timeOf(event);
    // The same moment twice is one reading, sent again.
    if (last !== null && time <= last.time) continue;
    const value: number | null =
      measure === 'value'
        ? numberOf(metric.value)
        : last === null
          ? null
          : measure === 'rate'
            ? rateBetween(last.metric, metric, Number(time - last.time) / 1e9)
            : meanBetween(last.metric, metric);
    last = { metric, time };
    if (value !== null) values.push({ time, value, event });
  }
  return values;
}

function rateBetween(before: MetricView, now: MetricView, seconds: number): number | null {
  const [from, to] = [numberOf(before.value), numberOf(now.value)];
  if (to === null) return null;
  if (now.temporality === 'delta') return to / seconds;
  return from === null || isRestart(before, now) || to < from ? null : (to - from) / seconds;
}

function meanBetween(before: MetricView, now: MetricView): number | null {
  const [sum, count] = [numberOf(now.sum), numberOf(now.count)];
  if (sum === null || count === null) return null;
  if (now.temporality === 'delta') return count > 0 ? sum / count : null;
  const [sumBefore, countBefore] = [numberOf(before.sum), numberOf(before.count)];
  if (sumBefore === null || countBefore === null || isRestart(before, now) || count <= countBefore) return null;
  return (sum - sumBefore) / (count - countBefore);
}

function isRestart(before: MetricView, now: MetricView): boolean {
  return before.start_timestamp !== now.start_timestamp;
}

function numberOf(value: number | string | null | undefined): number | null {
  const number = typeof value === 'string' && value !== '' ? Number(value) : value;
  return typeof number === 'number' && Number.isFinite(number) ? number : null;
}
