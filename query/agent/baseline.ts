/** What "now" is held against where the time before it holds nothing: the oldest data that there is. */
import { formatNanos, parseNanos } from '../../model/time.ts';
import type { Facts } from './facts.ts';
import { clockTime } from './say.ts';

export interface Baseline {
  before: TimeSpan;
  now: TimeSpan;
  /** Which window had no data, and what stands in for it; null where `before` has data, or nothing can stand in for it. */
  note: string | null;
}

interface TimeSpan {
  start: string;
  end: string;
}

/** @param which narrows both windows to one component */
export async function baselineOf(
  facts: Facts,
  tenant: string,
  { before, now }: { before: TimeSpan; now: TimeSpan },
  which: { component_type?: string; component_id?: string },
): Promise<Baseline> {
  const newestOf = async (window: TimeSpan) =>
    (await facts.events(tenant, { ...which, ...window, limit: 1 })).data[0]?.timestamp;
  const hasAny = async (window: TimeSpan) => (await newestOf(window)) !== undefined;
  const newest = await newestOf(now);
  if (newest === undefined || (await hasAny(before))) return { before, now, note: null };
  const end = parseNanos(newest)!;
  let [empty, filled] = [parseNanos(now.start)!, end];
  // Pages come newest first: halving finds where the data begins without reading it.
  for (let step = 0; step < HALVINGS; step++) {
    const middle = (empty + filled) / 2n;
    if (await hasAny({ start: formatNanos(empty), end: formatNanos(middle) })) filled = middle;
    else empty = middle;
  }
  const middle = empty + (end - empty) / 2n;
  if (!(await hasAny({ start: formatNanos(empty), end: formatNanos(middle - 1n) }))) return { before, now, note: null };
  const older = { start: formatNanos(empty), end: formatNanos(middle - 1n) };
  const newer = { start: formatNanos(middle), end: newest };
  const clock = (at: string) => clockTime(at, now.end);
  return {
    before: older,
    now: newer,
    note: `From ${clock(before.start)} to ${clock(before.end)} there is no data to compare with, so the older half of what there is, ${clock(older.start)} to ${clock(older.end)}, stands for before.`,
  };
}

// An hour to 14 s.
const HALVINGS = 8;
