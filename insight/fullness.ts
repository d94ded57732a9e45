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
