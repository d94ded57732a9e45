/**
 * How full a component's resources were, as series in percent: from metric points that tell of a share (`*.utilization`, or `usage` in
 * percent), and from events whose data says `cpu_usage` or the like. What is counted per core or per state is put together first:
 * an idle core is not a busy one, and one busy core of many is no busy machine.
 */
import type { ComponentRef } from '../model/block.ts';
import type { DebugEvent } from '../model/event.ts';
import { componentKey, componentOf, timeOf, type Window } from './window.ts';

export interface Fullness {
  component: ComponentRef;
  nodeId: string | null;
  /** The metric's name, or the key in the data. */
  resource: string;
  /** A rate of work (CPU, a link) is free again the moment the work ends; a store (memory, disk, a pool) fills up. */
  fills: boolean;
  /** By time, at least one. */
  readings: Reading[];
}

export interface Reading {
  time: bigint;
  /** 0 to 100, more where something is overcommitted. */
  percent: number;
  event: DebugEvent;
}

export function fullnessOf({ metrics, events }: Pick<Window, 'metrics' | 'events'>): Fullness[] {
  const series = new Map<string, Series>();
  for (const point of metrics) {
    const { metric } = point;
    if (metric === undefined || typeof metric.value !== 'number' || metric.value < 0) continue;
    const { metric_name: name, unit, dimensions } = metric;
    if (!/utili[sz]ation$/i.test(name) && unit !== '%' && unit !== 'percent') continue;
    const states = new Set<string>();
    let lane = '';
    const rest: string[] = [];
    for (const key of Object.keys(dimensions).sort()) {
      const value = String(dimensions[key]);
      if (STATE.test(key)) states.add(value.toLowerCase());
      else if (CORE.test(key)) lane += `${key}=${value};`;
      else rest.push(`${key}=${value}`);
    }
    const isFree = [...states].some((state) => FREE.test(state));
    add(point, name, rest.join(';'), { value: isFree ? 0 : metric.value, lane, isPercent: unit === '%' });
  }
  for (const event of [...events, ...metrics.filter(({ metric }) => metric === undefined)]) {
    for (const key of Object.keys(event.data)) {
      const value = event.data[key];
      if (typeof value === 'number' && value >= 0 && KEY_IN_DATA.test(key))
        add(event, key, '', { value, lane: '', isPercent: false });
    }
  }
  return [...series.values()].map(finished);

  function add(event: DebugEvent, resource: string, rest: string, told: Told): void {
    const key = `${componentKey(event)}\0${event.node_id}\0${resource}\0${rest}`;
    let known = series.get(key);
    if (known === undefined) {
      const name = rest === '' ? resource : `${resource} (${rest.replaceAll(';', ', ')})`;
      series.set(key, (known = { first: event, resource: name, byTime: new Map(), isPercent: false }));
    }
    // A share that is over one is told in percent: gauges of several cores stay a little above, not fifty times.
    known.isPercent ||= told.isPercent || told.value > SHARE_MAX;
    const at = known.byTime.get(event.timestamp);
    if (at === undefined) known.byTime.set(event.timestamp, { event, sum: told.value, lanes: new Set([told.lane]) });
    else {
      at.sum += told.value;
      at.lanes.add(told.lane);
    }
  }
}

/**
 * The same of amounts whose end is known from beside them: `usage` by state (used of used and free), or `used` and `limit` of one thing, its
 * pools put together. What tells a share of the same thing by itself is left to {@link fullnessOf}.
 */
export function fullnessOfAmounts(window: Pick<Window, 'metrics' | 'events' | 'metricPoints'>): Fullness[] {
  const told = new Set(fullnessOf(window).map(({ component, resource }) => thingOf(componentKey(component), resource)));
  const series = new Map<string, { first: DebugEvent; thing: string; byTime: Map<string, Amount> }>();
  for (const point of window.metricPoints) {
    const { metric } = point;
    if (metric === undefined || typeof metric.value !== 'number' || !(metric.value >= 0)) continue;
    const { metric_name: name, dimensions, value } = metric;
    const state = Object.keys(dimensions).find((key) => STATE.test(key));
    const isUsed = USED_NAME.test(name);
    const isLimit = LIMIT_NAME.test(name);
    if (!isUsed && !isLimit) continue;
    const thing = thingOf(componentKey(point), name);
    if (told.has(thing)) continue;
    const key = `${thing}\0${point.node_id}`;
    let known = series.get(key);
    if (known === undefined) series.set(key, (known = { first: point, thing: name, byTime: new Map() }));
    if (isUsed) known.thing = name;
    let at = known.byTime.get(point.timestamp);
    if (at === undefined) known.byTime.set(point.timestamp, (at = { event: point, pools: new Map() }));
    const poolName = JSON.stringify(
      Object.entries(dimensions)
        .filter(([dimension]) => dimension !== state)
        .sort(),
    );
    const pool = at.pools.get(poolName) ?? { used: 0, limit: 0 };
    if (isLimit) pool.limit += value;
    else {
      if (state !== undefined) pool.limit += value;
      if (state === undefined || !FREE.test(String(dimensions[state]).toLowerCase())) pool.used += value;
    }
    if (isUsed) at.event = point;
    at.pools.set(poolName, pool);
  }
  return [...series.values()].flatMap(({ first, thing, byTime }) => {
    const readings = [...byTime.values()].flatMap(readingOf).sort((a, b) => (a.time < b.time ? -1 : 1));
    const { node_id: nodeId } = first;
    const component = componentOf(first);
    return readings.length === 0 ? [] : [{ component, nodeId, resource: thing, fills: !WORK.test(thing), readings }];
  });
}

interface Amount {
  event: DebugEvent;
  pools: Map<string, { used: number; limit: number }>;
}

/** Pools that have no limit count on neither side. */
function readingOf({ event, pools }: Amount): Reading[] {
  let used = 0;
  let limit = 0;
  for (const pool of pools.values()) {
    if (!(pool.limit > 0)) continue;
    used += pool.used;
    limit += pool.limit;
  }
  return limit > 0 ? [{ time: timeOf(event), percent: (100 * used) / limit, event }] : [];
}

/** `system.memory.usage`, `system.memory.limit` and `system.memory.utilization` are of one thing. */
function thingOf(component: string, name: string): string {
  return `${component}\0${name.replace(/(?: \(.*)?$/, '').replace(/[._](?:used|usage|limit|max|utili[sz]ation)$/i, '')}`;
}

const USED_NAME = /(?:memory|heap|disk|filesystem|storage|swap|paging|volume|connections?)[\w.]*[._](?:used|usage)$/i;
const LIMIT_NAME = /(?:memory|heap|disk|filesystem|storage|swap|paging|volume|connections?)[\w.]*[._](?:limit|max)$/i;
const STATE = /(?:^|[._])(?:state|mode)$/;
const CORE = /(?:^|[._])(?:cpu|core|logical_number|cpu_id)$/;
// Caches are given back when something else needs the memory.
const FREE = /^(?:idle|iowait|wait|free|available|cached|buffered|buffers|inactive|slab_reclaimable)$/;
const KEY_IN_DATA = /^(?:cpu|memory|mem|disk|heap|swap)_(?:usage|utili[sz]ation|percent)$/i;
const WORK = /cpu|processor|network|bandwidth|\bio\b|gpu/i;
const SHARE_MAX = 2;

interface Told {
  value: number;
  lane: string;
  isPercent: boolean;
}

interface Series {
  first: DebugEvent;
  resource: string;
  byTime: Map<string, { event: DebugEvent; sum: number; lanes: Set<string> }>;
  isPercent: boolean;
}

function finished({ first, resource, byTime, isPercent }: Series): Fullness {
  const scale = isPercent ? 1 : 100;
  const readings = [...byTime.values()]
    .map(({ event, sum, lanes }) => ({ time: timeOf(event), percent: (sum / lanes.size) * scale, event }))
    .sort((a, b) => (a.time < b.time ? -1 : a.time > b.time ? 1 : 0));
  return { component: componentOf(first), nodeId: first.node_id, resource, fills: !WORK.test(resource), readings };
}
