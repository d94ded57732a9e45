/** The time that an answer is about, and the one that it is held against, out of the times that were said. */
import { formatNanos } from '../../model/time.ts';
import type { TimeRangeInput } from '../params.ts';
import type { SaidTime } from './times.ts';
import type { Understood } from './understood.ts';

/** One time is the window; of two, the later one is held against the earlier. */
export function timesOf(times: readonly SaidTime[]): Pick<Understood, 'range' | 'against'> {
  const real = times.filter(({ isNow }) => isNow !== true);
  const now = times.find(({ isNow }) => isNow === true);
  const [first, second] = real;
  if (first === undefined) return { range: {}, against: null };
  if (second === undefined) {
    if (now === undefined || first.relative !== undefined) return { range: inputOf(first), against: null };
    // "now against an hour ago": as much before each moment as lies well between them.
    const length = first.agoNanos === undefined ? first.end - first.start : first.agoNanos / 2n;
    const [from, to] =
      first.agoNanos === undefined
        ? [first.start, first.end]
        : [now.end - first.agoNanos - length, now.end - first.agoNanos];
    return {
      range: { start: formatNanos(now.end - length), end: formatNanos(now.end) },
      against: { start: formatNanos(from < 0n ? 0n : from), end: formatNanos(to) },
    };
  }
  if (second.previous && second.relative !== undefined) {
    const length = first.end - first.start;
    const end = first.start - 1n;
    return { range: inputOf(first), against: { start: formatNanos(end - length), end: formatNanos(end) } };
  }
  const [earlier, later] = first.start <= second.start ? [first, second] : [second, first];
  return {
    range: { start: formatNanos(later.start), end: formatNanos(later.end) },
    against: { start: formatNanos(earlier.start), end: formatNanos(earlier.end) },
  };
}

function inputOf({ relative, start, end, isOpen }: SaidTime): TimeRangeInput {
  if (isOpen) return { start: formatNanos(start) };
  return relative === undefined ? { start: formatNanos(start), end: formatNanos(end) } : { time_range: relative };
}
