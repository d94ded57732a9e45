/**
 * What "now" is held against where the time before it holds nothing: the oldest data that there is, up to when what is wrong now was
 * first seen, else its older half.
 */
import { formatNanos, parseNanos } from '../../model/time.ts';
import { quote } from '../budget.ts';
import type { Facts } from './facts.ts';
import { clockTime, pressingFirst } from './say.ts';

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
  const onset = await onsetOf(facts, tenant, { after: empty, until: end, asOf: now.end }, which);
  const turn = onset?.at ?? empty + (end - empty) / 2n;
  const older = { start: formatNanos(empty), end: formatNanos(turn - 1n) };
  if (!(await hasAny(older))) return { before, now, note: null };
  const clock = (at: string) => clockTime(at, now.end);
  const standIn =
    onset === null
      ? `the older half of what there is, ${clock(older.start)} to ${clock(older.end)}, stands for before`
      : `what there is until ${quote(onset.title, 120)} was first seen, ${clock(older.start)} to ${clock(older.end)}, stands for before`;
  return {
    before: older,
    now: { start: formatNanos(turn), end: newest },
    note: `From ${clock(before.start)} to ${clock(before.end)} there is no data to compare with, so ${standIn}.`,
  };
}

/** When what is most pressing now was first seen; null where nothing is, or it was there from the beginning. */
async function onsetOf(
  facts: Facts,
  tenant: string,
  { after, until, asOf }: { after: bigint; until: bigint; asOf: string },
  which: { component_type?: string; component_id?: string },
): Promise<{ at: bigint; title: string } | null> {
  const { data } = await facts.insights(tenant, { ...which, resolved: false, limit: INSIGHTS_MAX });
  const first = data
    .filter(({ severity, state, first_seen }) => {
      const at = parseNanos(first_seen) ?? 0n;
      return severity !== 'info' && state !== 'ignored' && at > after && at <= until;
    })
    .sort(pressingFirst(asOf))[0];
  return first === undefined ? null : { at: parseNanos(first.first_seen)!, title: first.title };
}

// An hour to 14 s.
const HALVINGS = 8;
const INSIGHTS_MAX = 100;
