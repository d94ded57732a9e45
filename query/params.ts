/** The one parser of times: every face and every endpoint spells a range the same way. */
import { formatNanos, NANOS_PER_DAY, NANOS_PER_MINUTE, parseNanos } from '../model/time.ts';
import { malformed } from './answer.ts';

/** As it is asked for. Absent altogether means all that is retained, or the last hour for analytics. */
export interface TimeRangeInput {
  /**
   * `15m`, `1h`, `last_1h`, `24h`, `7d`: a whole number of seconds, minutes, hours or days up to now; or two RFC 3339 times as an interval of
   * ISO 8601, `2026-11-22T12:00:00Z/2026-11-22T13:00:00Z`.
   */
  time_range?: string | null | undefined;
  /** RFC 3339, inclusive. */
  start?: string | null | undefined;
  end?: string | null | undefined;
}

/** Nanoseconds, inclusive. */
export interface Range {
  start?: bigint;
  end?: bigint;
}

export interface Window {
  start: bigint;
  end: bigint;
}

/**
 * A relative range ends an hour ahead: what senders with a fast clock said just now counts, an absurd time does not. It is the
 * same hour that `partitionDay` grants.
 *
 * @throws DebugError MALFORMED, naming the parameter, for a spelling it does not know, an end before the start, or both ways at once
 */
export function parseTimeRange(input: TimeRangeInput, now: bigint): Range {
  const relative = input.time_range ?? undefined;
  const start = input.start ?? undefined;
  const end = input.end ?? undefined;
  if (relative !== undefined) {
    if (start !== undefined || end !== undefined)
      throw malformed('time_range', 'give either time_range or start and end');
    const [from = '', to, ...more] = relative.split('/');
    if (to !== undefined && more.length === 0)
      return between(parseTime('time_range', from), parseTime('time_range', to));
    const match = RELATIVE.exec(relative);
    if (match === null)
      throw malformed('time_range', `unknown range '${relative}'; say 15m, 1h, last_1h, 24h, 7d, or start and end`);
    return since(now, BigInt(match[1]!) * UNIT_NANOS[match[2] as Unit]);
  }
  const range: Range = {};
  if (start !== undefined) range.start = parseTime('start', start);
  if (end !== undefined) range.end = parseTime('end', end);
  return range.start !== undefined && range.end !== undefined ? between(range.start, range.end) : range;
}

/** The same for analytics: always a window, the last hour by default. */
export function parseWindow(input: TimeRangeInput, now: bigint): Window {
  const { start, end } = parseTimeRange(input, now);
  const until = end ?? now + SKEW_AHEAD_NANOS;
  if (start !== undefined) return { start, end: until };
  if (end === undefined) return since(now, UNIT_NANOS.h);
  return { start: end > UNIT_NANOS.h ? end - UNIT_NANOS.h : 0n, end };
}

/** What was asked for; where nothing was, the time up to now as `24h` spells it. */
export function rangeOr({ time_range, start, end }: TimeRangeInput, relative: string): TimeRangeInput {
  return time_range == null && start == null && end == null ? { time_range: relative } : { time_range, start, end };
}

/** @throws DebugError MALFORMED */
export function parseTime(field: string, text: string): bigint {
  const nanos = parseNanos(text);
  if (nanos === null) throw malformed(field, `'${text}' is not an RFC 3339 time`);
  return nanos > TIME_MAX ? TIME_MAX : nanos;
}

/** How answers show their window: it ends now when it reaches ahead. */
export function windowView(window: Window, now: bigint): { start: string; end: string } {
  return { start: formatNanos(window.start), end: formatNanos(window.end > now ? now : window.end) };
}

/** The minutes that have passed of a window, for rates; never 0. */
export function minutesOf(window: Window, now: bigint): number {
  const end = window.end > now ? now : window.end;
  return Math.max(Number(end - window.start) / Number(NANOS_PER_MINUTE), 1 / 60);
}

function between(start: bigint, end: bigint): Window {
  if (start > end) throw malformed('start', 'lies after end');
  return { start, end };
}

function since(now: bigint, nanos: bigint): Window {
  return { start: nanos < now ? now - nanos : 0n, end: now + SKEW_AHEAD_NANOS };
}

/** OTLP's times are uint64: nothing lies behind the year 2554. */
export const TIME_MAX = 2n ** 64n - 1n;

type Unit = 's' | 'm' | 'h' | 'd';
const UNIT_NANOS = { s: 1_000_000_000n, m: NANOS_PER_MINUTE, h: 60n * NANOS_PER_MINUTE, d: NANOS_PER_DAY } as const;
const SKEW_AHEAD_NANOS = UNIT_NANOS.h;
const RELATIVE = /^(?:last_)?([1-9]\d{0,6})([smhd])$/;
