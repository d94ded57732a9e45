/**
 * Events counted per component over any window: whole minutes from their rollups, the partial minutes at its edges from the columns
 * of the blocks there. So one new error counts at once, counts are exact, and a window costs the same whatever happened in it.
 */
import type { BlockIndex, ComponentRef } from '../model/block.ts';
import { type DebugEvent, EVENT_TYPES, SEVERITY_CRITICAL, SEVERITY_ERROR, severityOf } from '../model/event.ts';
import { Sketch } from '../model/sketch.ts';
import { minuteOf, NANOS_PER_MINUTE } from '../model/time.ts';
import type { ComponentSum, MinuteRange, TierName } from '../storage/contract.ts';
import { TOPICS } from './cache.ts';
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
  /** No whole minute of the window has spans: latency is of all minutes that it touches, and the same of any window within these. */
  latencyBeyond: boolean;
  tiers: TierName[];
}

/**
 * Counts are exact; latency is of the whole minutes within, see {@link WindowCounts.latencyBeyond}.
 * @param component absent: all of them; with a type alone: all of that type
 * @param latency false: none is counted, and a day of many components is read in a tenth of the time
 */
export async function countWindow(
  needs: Pick<QueryNeeds, 'events' | 'rows' | 'cache'>,
  tenant: string,
  window: Window,
  now: bigint,
  component: { component_type?: string | undefined; component_id?: string | undefined } = {},
  latency = true,
): Promise<WindowCounts> {
  const which = {
    ...(component.component_type !== undefined && { component_type: component.component_type }),
    ...(component.component_id !== undefined && { component_id: component.component_id }),
  };
  const parts = split(window, now);
  const minutes = { start: minuteOf(window.start), end: minuteOf(window.end) + NANOS_PER_MINUTE - 1n };
  const read = () => readMinutes(needs, tenant, which, minutes, parts, latency);
  const { cache } = needs;
  const topics = [which.component_id === undefined ? TOPICS.telemetry : TOPICS.component(which.component_id)];
  const question = [which.component_type ?? '', which.component_id ?? '', minutes.start, minutes.end, parts.first];
  const known = await (cache === undefined
    ? read()
    : cache.read(
        { kind: 'counts', tenant, question: [...question, parts.last, latency].join('\0'), topics },
        read,
        (counted) => ({
          topics,
          bytes: COMPONENT_BYTES * (1 + counted.whole.length) + RECORD_BYTES * (counted.edges?.length ?? 0),
        }),
      ));
  const sums = new Sums(known.whole);
  const tiers = new Set(known.tiers);
  for (const { time, type, id, severity } of known.edges ?? []) {
    if (time >= window.start && time <= window.end) sums.add(type, id, severity);
  }
  for (const edge of known.edges === null ? parts.edges : []) {
    const scan = { tenant, ...which, ...edge, event_types: COUNTED_TYPES };
    const add = ({ header, columns }: BlockIndex, i: number) => {
      const { type, id } = header.components[columns.component[i]!]!;
      sums.add(type, id, columns.severity[i]!);
    };
    for (const tier of await needs.events.scan(scan, add)) tiers.add(tier);
  }
  return {
    components: sums.all().filter(({ total }) => total > 0),
    latencyBeyond: known.latencyBeyond,
    tiers: [...tiers],
  };
}

/** What a window counts as long as its edges stay in their minutes: so it can be kept while the window moves with the clock. */
interface Counted {
  whole: readonly ComponentCounts[];
  latencyBeyond: boolean;
  /** Every record of the minutes at the edges; null: too many to keep. */
  edges: readonly EdgeRecord[] | null;
  tiers: readonly TierName[];
}

interface EdgeRecord extends ComponentRef {
  time: bigint;
  severity: number;
}

async function readMinutes(
  needs: Pick<QueryNeeds, 'events' | 'rows'>,
  tenant: string,
  which: Pick<MinuteRange, 'component_type' | 'component_id'>,
  minutes: Window,
  { first, last, edges }: Parts,
  latency: boolean,
): Promise<Counted> {
  const sums = new Sums([]);
  let latencyBeyond = false;
  const add = ({ component_type, component_id, total, errors, critical }: Omit<ComponentSum, 'untold'>) => {
    const counts = sums.of(component_type, component_id);
    counts.total += total;
    counts.errors += errors;
    counts.critical += critical;
  };
  if (latency) {
    const rows = await needs.rows.componentMinutes(tenant, { ...which, ...minutes });
    const within = rows.filter(({ minute }) => minute >= first && minute <= last);
    for (const row of within) add(row);
    latencyBeyond = within.every((row) => row.latency.count === 0);
    for (const row of latencyBeyond ? rows : within)
      sums.of(row.component_type, row.component_id).latency.merge(row.latency);
  } else if (first <= last) {
    for (const sum of await needs.rows.componentSums(tenant, { ...which, start: first, end: last })) add(sum);
  }
  const tiers = new Set<TierName>();
  let records: EdgeRecord[] | null = [];
  for (const edge of edges) {
    const whole = { start: minuteOf(edge.start), end: minuteOf(edge.end) + NANOS_PER_MINUTE - 1n };
    const keep = ({ header, columns }: BlockIndex, i: number) => {
      if (records !== null && records.length === EDGE_RECORDS_MAX) records = null;
      records?.push({
        time: columns.time[i]!,
        ...header.components[columns.component[i]!]!,
        severity: columns.severity[i]!,
      });
    };
    const scan = { tenant, ...which, ...whole, event_types: COUNTED_TYPES };
    for (const tier of await needs.events.scan(scan, keep)) tiers.add(tier);
    if (records === null) break;
  }
  return { whole: sums.all(), latencyBeyond, edges: records, tiers: [...tiers] };
}

// A minute of one component at 130 records a second; of busier ones the edges are read each time.
const EDGE_RECORDS_MAX = 8_000;
const RECORD_BYTES = 100;
// With the buckets of its sketch.
const COMPONENT_BYTES = 2_000;

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

interface Parts {
  first: bigint;
  last: bigint;
  edges: Window[];
}

/**
 * The first and last minute (by their start) that lie in the window whole, and what is left at either side. The minute that has not
 * ended is whole when the window reaches past now.
 */
function split({ start, end }: Window, now: bigint): Parts {
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

  /** @param known to begin with; their sketches are shared and stay as they are */
  constructor(known: readonly ComponentCounts[]) {
    for (const counts of known) this.#byComponent.set(`${counts.type}\0${counts.id}`, { ...counts });
  }

  of(type: string, id: string): ComponentCounts {
    const key = `${type}\0${id}`;
    let counts = this.#byComponent.get(key);
    if (counts === undefined) {
      counts = { type, id, ...noCounts() };
      this.#byComponent.set(key, counts);
    }
    return counts;
  }

  add(type: string, id: string, severity: number): void {
    const counts = this.of(type, id);
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
