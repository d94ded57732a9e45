/**
 * What a sample of the events behind an answer shows about what is missing from them: traces that were sampled away, parts that senders
 * left out, records that came late, clocks that run ahead, components that send no spans or nothing at all. Measured, never assumed: what
 * the sample does not show is not said.
 */
import type { DebugEvent } from '../../model/event.ts';
import { parseNanos } from '../../model/time.ts';
import { nameOf } from '../budget.ts';
import { componentName, listed, millis, percent, plural } from './say.ts';

/** @param events some of those that an answer is about, in any order */
export function seenOf(events: readonly DebugEvent[]): string[] {
  return [sampled(events), dropped(events), late(events), ahead(events), withoutSpans(events)].filter(
    (words) => words !== null,
  );
}

function sampled(events: readonly DebugEvent[]): string | null {
  const kept = events.map(keptShare).filter((share) => share !== null && share < 1) as number[];
  if (kept.length === 0) return null;
  const least = Math.min(...kept);
  const one = Math.round(1 / least);
  return `sampled: senders keep about ${one > 1 ? `1 in ${one}` : percent(least)} traces; counts are of what they kept`;
}

/** 0 to 1: the probability with which a record was kept; null where nothing says so. */
export function keptShare({ span, data }: Pick<DebugEvent, 'span' | 'data'>): number | null {
  const threshold = /(?:^|,)\s*ot=(?:[^,]*;)?th:([0-9a-f]{1,14})(?:;|,|$)/.exec(span?.trace_state ?? '')?.[1];
  // Of 56 random bits those below the threshold are dropped; zeros at its end are left out (OpenTelemetry, tracestate: probability sampling).
  if (threshold !== undefined) return 1 - Number.parseInt(threshold.padEnd(14, '0'), 16) / 2 ** 56;
  for (const key of SHARE_KEYS) {
    const share = Number(data[key]);
    if (data[key] != null && share > 0 && share <= 1) return share;
  }
  for (const key of ONE_IN_KEYS) {
    const rate = Number(data[key]);
    if (data[key] != null && rate >= 1) return 1 / rate;
  }
  return null;
}

const SHARE_KEYS = ['sampling.probability', 'sampling.ratio', 'sampler.param'];
// "One in so many", as Honeycomb and others have it.
const ONE_IN_KEYS = ['sampling.rate', 'SampleRate', 'sample_rate'];

function dropped(events: readonly DebugEvent[]): string | null {
  const short = events.filter((event) => droppedOf(event) > 0);
  if (short.length === 0) return null;
  const parts = short.reduce((sum, event) => sum + droppedOf(event), 0);
  return `dropped: ${short.length} of ${plural(events.length, 'record')} looked at are short of ${plural(parts, 'part')} (attributes, events or links) beyond a limit`;
}

function droppedOf({ dropped_attributes_count = 0, span }: DebugEvent): number {
  return dropped_attributes_count + (span?.dropped_events_count ?? 0) + (span?.dropped_links_count ?? 0);
}

function late(events: readonly DebugEvent[]): string | null {
  const delays = events.map(delayMs).filter((delay) => delay > LATE_MS);
  if (delays.length === 0) return null;
  const most = Math.max(...delays);
  return `late: ${delays.length} of ${plural(events.length, 'record')} looked at came over a minute after their time, up to ${duration(most)}; more may be on the way`;
}

/** What cannot be: a record that came before its time. */
function ahead(events: readonly DebugEvent[]): string | null {
  const fast = events.filter((event) => delayMs(event) < -AHEAD_MS);
  if (fast.length === 0) return null;
  const whose = new Set(
    fast.map(({ node_id, component_type, component_id }) =>
      node_id === null ? componentName(component_type, component_id) : nameOf(node_id),
    ),
  );
  return `clock skew: ${listed([...whose])} up to ${duration(-Math.min(...fast.map(delayMs)))} ahead of the receiver`;
}

/** Until it was received, from its end where it is a span: they are sent when they are over. */
function delayMs({ timestamp, received_at, duration_ms = 0 }: DebugEvent): number {
  return Number(parseNanos(received_at)! - parseNanos(timestamp)!) / 1e6 - duration_ms;
}

/** Where others among them send spans, those that only log are not traced. */
function withoutSpans(events: readonly DebugEvent[]): string | null {
  const traced = new Set<string>();
  const silent = new Set<string>();
  for (const { span, component_type, component_id } of events)
    (span === undefined ? silent : traced).add(componentName(component_type, component_id));
  const only = [...silent].filter((name) => !traced.has(name));
  if (traced.size === 0 || only.length === 0) return null;
  return `no spans of ${listed(only)} among them: not instrumented for traces, or not sampled`;
}

function duration(ms: number): string {
  const hours = ms / 3_600_000;
  return ms < 120_000 ? millis(ms) : hours < 2 ? `${Math.round(ms / 60_000)} min` : `${Math.round(hours)} h`;
}

// Minutes are what health is counted in, and exporters send every few seconds.
const LATE_MS = 60_000;
// Clocks that are kept in step disagree by less.
const AHEAD_MS = 1_000;
