/** Reads what ranking needs, within bounds, and says what it could not see. */
import type { DebugEvent, EventType } from '../../model/event.ts';
import type { Template } from '../../model/rollup.ts';
import { currentTemplates } from '../../model/template.ts';
import { NANOS_PER_MINUTE, parseNanos } from '../../model/time.ts';
import type { EventSelection, Reader } from '../reader.ts';
import { type RankedCause, rankRootCauses, type Signal, type TimeRange } from './rank.ts';

export interface RootCauseReader extends Pick<Reader, 'events'> {
  /** Rows of `ids`; unknown ones are left out. */
  templates(tenant: string, ids: readonly string[]): Promise<readonly Template[]>;
}

export interface RootCauseRequest {
  tenant: string;
  window: TimeRange;
  /** When all was well; absent: the time before the window, as long as it but at least ten minutes. */
  baseline?: TimeRange;
  signals?: readonly Signal[];
}

export interface FoundCauses {
  /** Best first. */
  ranked: RankedCause[];
  window: Seen;
  baseline: Seen & { assumed: boolean };
  /** Metric points that were looked at. */
  points: number;
  /** Not all of a side was read: the newest part of it was. */
  truncated: boolean;
  /** Milliseconds that ranking took, reading not counted. */
  rankingMs: number;
}

export interface Seen extends TimeRange {
  traces: number;
  /** Spans and log records. */
  events: number;
}

/** @throws what the reader throws */
export async function findRootCauses(reader: RootCauseReader, request: RootCauseRequest): Promise<FoundCauses> {
  const { tenant, window } = request;
  const assumed = request.baseline === undefined;
  const baseline = request.baseline ?? timeBefore(window);
  const [now, before, points] = await Promise.all([
    readSide(reader, tenant, window),
    readSide(reader, tenant, baseline),
    readUtilization(reader, tenant, window),
  ]);
  await renameTemplates(reader, tenant, [...now.events, ...before.events]);
  const startedMs = performance.now();
  const { ranked, traces } = rankRootCauses({
    window: now.range,
    baseline: before.range,
    events: now.events,
    baselineEvents: before.events,
    points: points.events,
    ...(request.signals !== undefined && { signals: request.signals }),
  });
  return {
    ranked,
    window: { ...now.range, traces: traces.window, events: now.events.length },
    baseline: { ...before.range, traces: traces.baseline, events: before.events.length, assumed },
    points: points.events.length,
    truncated: now.truncated || before.truncated || points.truncated,
    rankingMs: performance.now() - startedMs,
  };
}

// Two minutes of a busy system; ranking them takes under a second.
const SIDE_EVENTS_MAX = 40_000;
const POINTS_MAX = 10_000;
const PAGE_EVENTS = 5000;
const BASELINE_NANOS_MIN = 10n * NANOS_PER_MINUTE;
// What is healthy for a resource is seen over longer than a baseline of a minute or two.
const METRICS_BEFORE_NANOS = 30n * NANOS_PER_MINUTE;
// A point that tells of the window's end comes one interval later; a minute is the longest that is usual.
const METRICS_AFTER_NANOS = NANOS_PER_MINUTE;
const EVENT_TYPES_READ: readonly EventType[] = ['log', 'span', 'error', 'system'];

function timeBefore({ start, end }: TimeRange): TimeRange {
  const length = end - start > BASELINE_NANOS_MIN ? end - start : BASELINE_NANOS_MIN;
  return { start: start > length ? start - length : 0n, end: start > 0n ? start - 1n : 0n };
}

interface Side {
  events: DebugEvent[];
  /** What of the time asked for was read. */
  range: TimeRange;
  truncated: boolean;
}

async function readSide(reader: RootCauseReader, tenant: string, range: TimeRange): Promise<Side> {
  const { events, truncated } = await readNewest(reader, {
    tenant,
    ...range,
    event_types: EVENT_TYPES_READ,
    limit: SIDE_EVENTS_MAX,
  });
  const oldest = truncated ? parseNanos(events.at(-1)!.timestamp) : null;
  return { events, range: oldest === null ? range : { start: oldest, end: range.end }, truncated };
}

/** When metric points tell of the window, and of what was usual before it. */
export function utilizationRange({ start, end }: TimeRange): TimeRange {
  return { start: start > METRICS_BEFORE_NANOS ? start - METRICS_BEFORE_NANOS : 0n, end: end + METRICS_AFTER_NANOS };
}

async function readUtilization(reader: RootCauseReader, tenant: string, window: TimeRange) {
  return readNewest(reader, {
    tenant,
    ...utilizationRange(window),
    event_types: ['metric'],
    q: 'utilization',
    limit: POINTS_MAX,
  });
}

async function readNewest(
  reader: RootCauseReader,
  selection: EventSelection,
): Promise<{ events: DebugEvent[]; truncated: boolean }> {
  const events: DebugEvent[] = [];
  let before: string | null = null;
  do {
    const limit = Math.min(PAGE_EVENTS, selection.limit - events.length);
    const page = await reader.events({ ...selection, limit, ...(before !== null && { before }) });
    for (const event of page.events) events.push(event);
    before = page.next;
  } while (before !== null && events.length < selection.limit);
  return { events, truncated: before !== null };
}

/** A template grows more general while its records are written: both sides must call it by one name. */
export async function renameTemplates(
  reader: Pick<RootCauseReader, 'templates'>,
  tenant: string,
  events: readonly DebugEvent[],
): Promise<void> {
  const ids = new Set<string>();
  for (const { template_id } of events) if (template_id !== null) ids.add(template_id);
  const current = await currentTemplates([...ids], (some) => reader.templates(tenant, some));
  for (const event of events) {
    const known = event.template_id === null ? undefined : current.get(event.template_id);
    if (known !== undefined) event.template_id = known.id;
  }
}
