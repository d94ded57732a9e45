/**
 * Events counted per component over any window: whole minutes from their rollups, the partial minutes at its edges from the columns
 * of the blocks there. So one new error counts at once, counts are exact, and a window costs the same whatever happened in it.
 */
import type { BlockIndex, ComponentRef } from '../model/block.ts';
import { type DebugEvent, EVENT_TYPES, SEVERITY_CRITICAL, SEVERITY_ERROR, severityOf } from '../model/event.ts';
import { Sketch } from '../model/sketch.ts';
import { minuteOf, NANOS_PER_MINUTE } from '../model/time.ts';
import type { MinuteRange, TierName } from '../storage/contract.ts';
import type { QueryNeeds } from './needs.ts';
import type { Window } from './params.ts';

/** Metric points are not counted: they cannot fail. */
export interface Counts {
  total: number;
  /** At level ERROR and above; `critical` are those of them at CRITICAL. */
  errors: number;
  critical: number;
  /** Durations of spans, milliseconds. */
  latency: Sketch;
}

export interface ComponentCounts extends Counts, ComponentRef {}

export interface WindowCounts {
  /** In no order; only components with events. */
  components: ComponentCounts[];
  tiers: TierName[];
}

/**
 * Counts are exact; latency is of whole minutes, those at the edges included.
 * @param component absent: all of them; with a type alone: all of that type
 */
export async function countWindow(
  needs: Pick<QueryNeeds, 'events' | 'rows'>,
  tenant: string,
  window: Window,
  now: bigint,
  component: { component_type?: string | undefined; component_id?: string | undefined } = {},
): Promise<WindowCounts> {
  const which = {
    ...(component.component_type !== undefined && { component_type: component.component_type }),
    ...(component.component_id !== undefined && { component_id: component.component_id }),
  };
  const { first, last, edges } = split(window, now);
  const sums = new Sums();
  const tiers = new Set<TierName>();
  const touched: MinuteRange = { ...which, start: minuteOf(window.start), end: window.end };
  for (const row of await needs.rows.componentMinutes(tenant, touched)) {
    const counts = sums.of(row.component_type, row.component_id);
    counts.latency.merge(row.latency);
    if (row.minute < first || row.minute > last) continue;
    counts.total += row.total;
    counts.errors += row.errors;
    counts.critical += row.critical;
  }
  for (const edge of edges) {
    const query = { tenant, ...which, ...edge, event_types: COUNTED_TYPES };
    for (const tier of await needs.events.scan(query, (index, i) => sums.record(index, i))) tiers.add(tier);
  }
  return { components: sums.all().filter(({ total }) => total > 0), tiers: [...tiers] };
}

/** All of the counts together. */
export function totalOf(components: readonly Counts[]): Counts {
  const all = noCounts();
  for (const { total, errors, critical, latency } of components) {
    all.total += total;
    all.errors += errors;
    all.critical += critical;
    all.latency.merge(latency);
  }
  return all;
}

export function countsOf(events: readonly DebugEvent[]): Counts {
  const counts = noCounts();
  for (const event of events) {
    counts.total++;
    if (isError(event)) counts.errors++;
    if (event.level === 'CRITICAL') counts.critical++;
    if (event.duration_ms !== undefined) counts.latency.add(event.duration_ms);
  }
  return counts;
}

export function isError({ level }: Pick<DebugEvent, 'level'>): boolean {
  return level !== null && severityOf(level) >= SEVERITY_ERROR;
}

export const COUNTED_TYPES = EVENT_TYPES.filter((type) => type !== 'metric');

/**
 * The first and last minute (by their start) that lie in the window whole, and what is left at either side. The minute that has not
 * ended is whole when the window reaches past now.
 */
function split({ start, end }: Window, now: bigint): { first: bigint; last: bigint; edges: Window[] } {
  const first = minuteOf(start + NANOS_PER_MINUTE - 1n);
  const last = end >= now ? minuteOf(end) : minuteOf(end + 1n) - NANOS_PER_MINUTE;
  if (first > last) return { first, last, edges: [{ start, end }] };
  const edges: Window[] = [];
  if (start < first) edges.push({ start, end: first - 1n });
  const behind = last + NANOS_PER_MINUTE;
  if (behind <= end) edges.push({ start: behind, end });
  return { first, last, edges };
}

class Sums {
  readonly #byComponent = new Map<string, ComponentCounts>();

  of(type: string, id: string): ComponentCounts {
    const key = `${type}\0${id}`;
    let counts = this.#byComponent.get(key);
    if (counts === undefined) {
      counts = { type, id, ...noCounts() };
      this.#byComponent.set(key, counts);
    }
    return counts;
  }

  record({ header, columns }: BlockIndex, position: number): void {
    const { type, id } = header.components[columns.component[position]!]!;
    const counts = this.of(type, id);
    const severity = columns.severity[position]!;
    counts.total++;
    if (severity >= SEVERITY_ERROR) counts.errors++;
    if (severity >= SEVERITY_CRITICAL) counts.critical++;
  }

  all(): ComponentCounts[] {
    return [...this.#byComponent.values()];
  }
}

function noCounts(): Counts {
  return { total: 0, errors: 0, critical: 0, latency: new Sketch() };
}
