/**
 * Reads what analyzers need of a scope, within bounds. Errors come before the rest, whatever failed is read whole, and when not all fits,
 * the share that was read is said. A need that cannot be read costs the analyzers that need it, not the others.
 */
import type { DebugEvent, EventType } from '../model/event.ts';
import type { Snapshot } from '../model/snapshot.ts';
import { currentTemplates } from '../model/template.ts';
import { formatNanos, NANOS_PER_MINUTE, parseNanos } from '../model/time.ts';
import type { Need } from './analyzer.ts';
import { isError } from './event-facts.ts';
import type { EventSelection, Reader, Scope } from './reader.ts';
import { componentKey, createWindow, timeOf, type Window } from './window.ts';

export interface ReadWindow {
  window: Window;
  /** What could not be read, and why. */
  failed: ReadonlyMap<Need, unknown>;
}

/** @param needs what to read; events are always read, everything else hangs on them */
export async function readWindow(
  reader: Reader,
  scope: Scope,
  needs: ReadonlySet<Need>,
  now: bigint,
): Promise<ReadWindow> {
  const failed = new Map<Need, unknown>();
  const attempt = async <T>(need: Need, read: () => Promise<T>, otherwise: T): Promise<T> => {
    if (!needs.has(need)) return otherwise;
    try {
      return await read();
    } catch (error) {
      failed.set(need, error);
      return otherwise;
    }
  };
  const { events, truncated } = await readEvents(reader, scope);
  const start = scope.start ?? earliest(events) ?? now;
  const isWindow = scope.correlation_id === undefined && scope.operation_id === undefined;
  const minutes = { start, end: scope.end ?? now };
  const recent = { ...minutes, start: scope.start ?? min(start, minutes.end - METRIC_HOUR_NANOS) };
  const [snapshots, baseline, templateMinutes, history, fullness, points, coverage] = await Promise.all([
    attempt('snapshots', () => readSnapshots(reader, scope), []),
    attempt('baseline', () => readBaseline(reader, scope.tenant, start), []),
    attempt('templates', async () => (truncated && isWindow ? reader.templateMinutes(scope.tenant, minutes) : []), []),
    attempt('minutes', async () => (isWindow ? readHistory(reader, scope, minutes) : {}), {}),
    attempt('metrics', async () => (isWindow ? readFullness(reader, scope, recent) : []), []),
    attempt('series', async () => (isWindow ? readMetricPoints(reader, scope, recent) : []), []),
    truncated && isWindow ? coverageOf(reader, scope.tenant, minutes, events.length) : truncated ? 0.5 : 1,
  ]);
  const since = formatNanos(recent.start);
  const metrics = [
    ...fullness,
    ...points.filter(({ metric, timestamp }) => metric === undefined && timestamp >= since),
  ];
  const input = { scope, now, events, coverage, snapshots, baseline, templateMinutes, metrics, ...history };
  return { window: createWindow({ ...input, metricPoints: points }), failed };
}

/** Everything of one correlation, up to a bound. */
export async function readCorrelation(reader: Reader, tenant: string, correlation_id: string): Promise<DebugEvent[]> {
  return (await page(reader, { tenant, correlation_id, event_types: EVENT_TYPES_READ, limit: CORRELATION_EVENTS_MAX }))
    .events;
}

// Ten thousand events are analyzed in under 200 ms; reading them costs about as much again.
const EVENTS_MAX = 10_000;
const ERRORS_MAX = 2000;
const PAGE_EVENTS = 5000;
const CORRELATION_EVENTS_MAX = 5000;
/** Failed operations of which everything is read, the newest first: enough of each kind of failure to see where it began. */
const WHOLE_CORRELATIONS_MAX = 20;
const SNAPSHOTS_MAX = 2000;
const SNAPSHOT_COMPONENTS_MAX = 20;
// An hour of counts is what the detector asks for; of templates there are more, and half as long tells what is usual.
const COMPONENT_HISTORY_NANOS = 90n * NANOS_PER_MINUTE;
const TEMPLATE_HISTORY_NANOS = 30n * NANOS_PER_MINUTE;
const WINDOW_MINUTES_MAX = 360n;
const LOOKBACK_NANOS = 60n * NANOS_PER_MINUTE;
/** The hour before, most of it from just before: spans until then minutes ago, and how many. */
const BASELINE_SLICES: readonly { untilMinutes: bigint; spans: number }[] = [
  { untilMinutes: 0n, spans: 2000 },
  { untilMinutes: 10n, spans: 1000 },
  { untilMinutes: 30n, spans: 1000 },
];
// Metric points are counted in millions and are no part of what these analyzers look at.
const EVENT_TYPES_READ: readonly EventType[] = ['log', 'span', 'state_snapshot', 'error', 'system'];

async function readEvents(reader: Reader, scope: Scope): Promise<{ events: DebugEvent[]; truncated: boolean }> {
  const { tenant, correlation_id, operation_id, component_type, component_id, start, end } = scope;
  const range = {
    tenant,
    ...(start !== undefined && { start }),
    ...(end !== undefined && { end }),
    event_types: EVENT_TYPES_READ,
  };
  const byId = new Map<string, DebugEvent>();
  const add = (events: readonly DebugEvent[]) => {
    for (const event of events) byId.set(event.id, event);
  };
  let truncated = false;
  const read = async (selection: EventSelection) => {
    const found = await page(reader, selection);
    add(found.events);
    truncated ||= found.truncated;
    return found.events;
  };

  if (correlation_id !== undefined) {
    await read({ ...range, correlation_id, limit: EVENTS_MAX });
    return { events: [...byId.values()], truncated };
  }
  const component = {
    ...(component_type !== undefined && { component_type }),
    ...(component_id !== undefined && { component_id }),
  };
  if (operation_id !== undefined) {
    await read({ ...range, operation_id, limit: EVENTS_MAX });
  } else {
    // A component alone does not tell whether it was slow or waited: what the others did belongs to it. Of its own, spans torn
    // from their traces would only mislead.
    await read({ ...range, limit: EVENTS_MAX });
    if (component_id !== undefined && truncated)
      await read({
        ...range,
        ...component,
        event_types: ['log', 'state_snapshot', 'error', 'system'],
        limit: ERRORS_MAX,
      });
    if (truncated) add((await page(reader, { ...range, ...component, min_level: 'ERROR', limit: ERRORS_MAX })).events);
  }
  if (truncated || operation_id !== undefined) {
    for (const id of failedCorrelations([...byId.values()], operation_id !== undefined))
      add(await readCorrelation(reader, tenant, id));
  }
  return { events: [...byId.values()], truncated };
}

async function page(reader: Reader, selection: EventSelection): Promise<{ events: DebugEvent[]; truncated: boolean }> {
  const events: DebugEvent[] = [];
  let before: string | undefined;
  for (;;) {
    const limit = Math.min(PAGE_EVENTS, selection.limit - events.length);
    const found = await reader.events({ ...selection, limit, ...(before !== undefined && { before }) });
    events.push(...found.events);
    if (found.next === null) return { events, truncated: false };
    if (events.length >= selection.limit) return { events, truncated: true };
    before = found.next;
  }
}

/** The newest that have an error, or all of an operation's. */
function failedCorrelations(events: readonly DebugEvent[], all: boolean): string[] {
  const ids = new Set<string>();
  for (const event of [...events].sort((a, b) => (a.timestamp < b.timestamp ? 1 : -1))) {
    if (event.correlation_id !== null && (all || isError(event))) ids.add(event.correlation_id);
    if (ids.size === WHOLE_CORRELATIONS_MAX) break;
  }
  return [...ids];
}

async function readSnapshots(reader: Reader, { tenant, ...scope }: Scope): Promise<Snapshot[]> {
  const { correlation_id, operation_id, component_type, component_id, start, end } = scope;
  const seen = await reader.snapshots(tenant, {
    ...(correlation_id !== undefined && { correlation_id }),
    ...(operation_id !== undefined && { operation_id }),
    ...(component_type !== undefined && { component_type }),
    ...(component_id !== undefined && { component_id }),
    ...(start !== undefined && { start }),
    ...(end !== undefined && { end }),
    limit: SNAPSHOTS_MAX,
  });
  return withHistory(reader, tenant, seen);
}

/** The snapshots, and what their components reported before: what was equal for long tells what should be. */
export async function withHistory(reader: Reader, tenant: string, seen: readonly Snapshot[]): Promise<Snapshot[]> {
  const byId = new Map(seen.map((snapshot) => [snapshot.id, snapshot]));
  const components = new Map<string, { component_type: string; component_id: string; start: bigint; end: bigint }>();
  for (const { component_type, component_id, time } of seen) {
    const key = `${component_type}/${component_id}`;
    const known = components.get(key);
    if (known === undefined) {
      if (components.size < SNAPSHOT_COMPONENTS_MAX)
        components.set(key, { component_type, component_id, start: time, end: time });
      continue;
    }
    if (time < known.start) known.start = time;
    if (time > known.end) known.end = time;
  }
  for (const { start, end, ...component } of components.values()) {
    const range = { start: start > LOOKBACK_NANOS ? start - LOOKBACK_NANOS : 0n, end: end + NANOS_PER_MINUTE };
    for (const snapshot of await reader.snapshots(tenant, { ...component, ...range, limit: SNAPSHOTS_MAX }))
      byId.set(snapshot.id, snapshot);
  }
  return [...byId.values()];
}

/** Whole traces from before a time. One that runs on past the end of its slice would look as if it had nothing below it. */
async function readBaseline(reader: Reader, tenant: string, start: bigint): Promise<DebugEvent[]> {
  const baseline: DebugEvent[] = [];
  for (const [i, { untilMinutes, spans }] of BASELINE_SLICES.entries()) {
    const end = start - untilMinutes * NANOS_PER_MINUTE - 1n;
    const from = start - (BASELINE_SLICES[i + 1]?.untilMinutes ?? 60n) * NANOS_PER_MINUTE;
    if (from <= 0n) break;
    const { events } = await reader.events({ tenant, start: from, end, event_types: ['span'], limit: spans });
    const cut = new Set<string | null>();
    for (const event of events) {
      if (timeOf(event) + BigInt(Math.round((event.duration_ms ?? 0) * 1e6)) > end) cut.add(event.trace_id);
    }
    for (const event of events) if (!cut.has(event.trace_id)) baseline.push(event);
    // Nothing in a slice: nothing much before it.
    if (events.length === 0) break;
  }
  return baseline;
}

/** Counts of the window and before it. Of a long window the last part, so that what is read has a bound. */
async function readHistory(reader: Reader, { tenant, component_type, component_id }: Scope, range: MinuteRange) {
  const component = {
    ...(component_type !== undefined && { component_type }),
    ...(component_id !== undefined && { component_id }),
  };
  const before = (nanos: bigint) => {
    const latest = range.end - WINDOW_MINUTES_MAX * NANOS_PER_MINUTE;
    const start = (range.start > latest ? range.start : latest) - nanos;
    return { ...component, start: start > 0n ? start : 0n, end: range.end };
  };
  const [componentMinutes, counted] = await Promise.all([
    reader.componentMinutes(tenant, before(COMPONENT_HISTORY_NANOS)),
    reader.templateMinutes(tenant, before(TEMPLATE_HISTORY_NANOS)),
  ]);
  const ids = [...new Set(counted.map((row) => row.template_id))];
  const now = await currentTemplates(ids, async (some) => (await reader.templates?.(tenant, some)) ?? []);
  return {
    componentMinutes,
    templateHistory: counted.map((row) => ({ ...row, template_id: now.get(row.template_id)?.id ?? row.template_id })),
    templateTexts: new Map([...now.values()].map(({ id, text }) => [id, text])),
  };
}

/**
 * How full things are: points of the window, and where there are any, samples of the week before at growing distances, so that a
 * leak of hours and one of days both show. Each sample is short in time: what it costs does not grow with what is retained.
 */
async function readFullness(
  reader: Reader,
  { tenant, component_type, component_id }: Scope,
  range: MinuteRange,
): Promise<DebugEvent[]> {
  const component = {
    ...(component_type !== undefined && { component_type }),
    ...(component_id !== undefined && { component_id }),
  };
  const points: DebugEvent[] = [];
  for (const q of FULLNESS_WORDS) {
    const sample = async (start: bigint, end: bigint, limit: number) =>
      (await reader.events({ tenant, ...component, event_types: ['metric'], q, start, end, limit })).events;
    const now = await sample(range.start, range.end, METRIC_POINTS_MAX);
    points.push(...now);
    if (now.length === 0) continue;
    for (const minutes of METRIC_SAMPLES_MINUTES) {
      const end = range.start - minutes * NANOS_PER_MINUTE;
      if (end <= METRIC_SAMPLE_NANOS) break;
      points.push(...(await sample(end - METRIC_SAMPLE_NANOS, end - 1n, METRIC_SAMPLE_MAX)));
    }
  }
  return points;
}

/**
 * Points of all metrics, of an hour or of the window if that is longer. Where that is more than fits, the whole series of some components,
 * others each minute: half a series has no history.
 */
async function readMetricPoints(
  reader: Reader,
  { tenant, component_type, component_id }: Scope,
  { start, end }: MinuteRange,
): Promise<DebugEvent[]> {
  const selection = {
    tenant,
    ...(component_type !== undefined && { component_type }),
    ...(component_id !== undefined && { component_id }),
    event_types: ['metric'] as const,
    start: min(start, end > METRIC_HOUR_NANOS ? end - METRIC_HOUR_NANOS : 0n),
    end,
  };
  const newest = await reader.events({ ...selection, limit: SERIES_POINTS_MAX });
  if (newest.next === null) return newest.events;
  const components = new Map(newest.events.map((event) => [componentKey(event), event]));
  const names = [...components.keys()].sort();
  const from = Number((end / NANOS_PER_MINUTE) * BigInt(SERIES_COMPONENTS_MAX)) % names.length;
  const points: DebugEvent[] = [];
  for (let i = 0; i < Math.min(SERIES_COMPONENTS_MAX, names.length); i++) {
    const { component_type, component_id } = components.get(names[(from + i) % names.length]!)!;
    const own = await reader.events({ ...selection, component_type, component_id, limit: SERIES_POINTS_MAX });
    points.push(...own.events);
  }
  return points;
}

// Decoding a point takes 30 µs: at most 0.4 s a look, a page at a time. Fifty series of a component, a point a minute each, are an hour.
const SERIES_POINTS_MAX = 3000;
const SERIES_COMPONENTS_MAX = 3;
const METRIC_HOUR_NANOS = 60n * NANOS_PER_MINUTE;

// The words with which the semantic conventions, and most exporters before them, name what has an end.
const FULLNESS_WORDS = ['utilization', 'usage'];
const METRIC_POINTS_MAX = 2000;
const METRIC_SAMPLE_NANOS = 10n * NANOS_PER_MINUTE;
const METRIC_SAMPLE_MAX = 300;
const METRIC_SAMPLES_MINUTES = [0n, 10n, 20n, 40n, 80n, 160n, 320n, 640n, 1280n, 2560n, 5120n, 9000n];

interface MinuteRange {
  start: bigint;
  end: bigint;
}

async function coverageOf(
  reader: Reader,
  tenant: string,
  range: { start: bigint; end: bigint },
  read: number,
): Promise<number> {
  try {
    const minutes = await reader.componentMinutes(tenant, range);
    const total = minutes.reduce((sum, minute) => sum + minute.total, 0);
    return Math.min(read / Math.max(total, read + 1), 1);
  } catch {
    return 0.5;
  }
}

function min(a: bigint, b: bigint): bigint {
  return a < b ? a : b;
}

function earliest(events: readonly DebugEvent[]): bigint | null {
  const first = events.reduce<DebugEvent | null>(
    (min, event) => (min === null || event.timestamp < min.timestamp ? event : min),
    null,
  );
  return first === null ? null : parseNanos(first.timestamp);
}
