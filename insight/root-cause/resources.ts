/**
 * Which component's resources ran out. Utilization is what tells by itself (Gregg's USE method, ACM Queue 2012): a resource is suspect
 * by the part of its healthy head-room that is gone. What is healthy is the median and spread of the time before, which an
 * earlier incident does not move. What a component uses of a thing that has no known end is no evidence by itself.
 */
import type { ComponentRef } from '../../model/block.ts';
import type { DebugEvent } from '../../model/event.ts';
import { ascending, quantile } from '../statistics.ts';
import { componentKey, componentOf, timeOf } from '../window.ts';

export interface ResourceShift {
  component: ComponentRef & { key: string };
  metric: string;
  unit: string;
  /** As the metric says them. */
  before: number;
  now: number;
  /** The part of the healthy head-room that is gone, 0 to 1. */
  gone: number;
  evidence: DebugEvent[];
}

/**
 * @param points metric points of the window and of the time before it, in any order
 * @returns the greatest first
 */
export function resourceShifts(points: readonly DebugEvent[], window: { start: bigint; end: bigint }): ResourceShift[] {
  const series = new Map<string, Series>();
  for (const point of points) {
    const { metric } = point;
    if (metric === undefined || typeof metric.value !== 'number' || !isUtilization(metric.metric_name)) continue;
    const key = `${componentKey(point)}\0${point.node_id}\0${metric.metric_name}\0${JSON.stringify(metric.dimensions)}`;
    let known = series.get(key);
    if (known === undefined) series.set(key, (known = { first: point, points: [] }));
    known.points.push({ at: timeOf(point), value: metric.value, event: point });
  }
  const shifts: ResourceShift[] = [];
  for (const { first, points } of series.values()) {
    points.sort((a, b) => (a.at < b.at ? -1 : 1));
    // A point tells of the time since the one before it, so that of the window's last part comes after the window.
    const interval = points.length < 2 ? 0n : usualInterval(points);
    const before = points.filter(({ at }) => at <= window.start);
    const now = points.filter(({ at }) => at > window.start && at - interval < window.end);
    if (before.length < POINTS_BEFORE_MIN || now.length === 0) continue;
    const { metric_name, unit } = first.metric!;
    const full = unit === '%' || points.some(({ value }) => value > 1) ? 100 : 1;
    const values = ascending(before.map(({ value }) => value));
    const median = quantile(values, 0.5);
    const healthy = Math.min(median + SPREADS * spreadOf(values, median), full);
    const mean = now.reduce((sum, { value }) => sum + value, 0) / now.length;
    const gone = Math.min((mean - healthy) / (full - healthy), 1);
    if (!(gone > 0)) continue;
    const component = { ...componentOf(first), key: componentKey(first) };
    const evidence = now.slice(-EVIDENCE_MAX).map(({ event }) => event);
    shifts.push({ component, metric: metric_name, unit, before: median, now: mean, gone, evidence });
  }
  return shifts.sort((a, b) => b.gone - a.gone || (a.component.key < b.component.key ? -1 : 1));
}

interface Series {
  first: DebugEvent;
  points: { at: bigint; value: number; event: DebugEvent }[];
}

function usualInterval(points: Series['points']): bigint {
  const gaps = points.slice(1).map(({ at }, i) => at - points[i]!.at);
  return gaps.sort((a, b) => (a < b ? -1 : 1))[gaps.length >> 1]!;
}

const POINTS_BEFORE_MIN = 2;
const EVIDENCE_MAX = 5;
const SPREADS = 3;

/** What is shared by everything on a machine cannot tell one component from the other. */
function isUtilization(name: string): boolean {
  return /utilization$/.test(name) && !/^k8s\.(?:node|cluster|namespace)\./.test(name);
}

/** The median distance from the median, as a standard deviation if the values were normal (Rousseeuw and Croux, JASA 1993). */
function spreadOf(values: readonly number[], median: number): number {
  return 1.4826 * quantile(ascending(values.map((value) => Math.abs(value - median))), 0.5);
}
