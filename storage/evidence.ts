/** What the open insights rest on, and which blocks hold it. */
import { decodeIndex } from '../model/block.ts';
import { parseEventId } from '../model/ids.ts';
import type { InsightState } from '../model/insight.ts';
import type { FoundBlock, WarmStore } from './contract.ts';

export interface Evidence {
  /** Ids of state snapshots. */
  snapshots: ReadonlySet<string>;
  isIn(tenant: string, block: FoundBlock): boolean;
}

const OPEN: readonly InsightState[] = ['open', 'regressed'];
const PAGE = 500;
// Each has some ten events: a few MB.
const INSIGHTS_MAX = 50_000;

/**
 * Of the newest insights, where there are very many.
 * @param archived tenants that have something in the archive, whether or not in the warm tier
 */
export async function evidenceOfOpenInsights(warm: WarmStore, archived: readonly string[]): Promise<Evidence> {
  const snapshots = new Set<string>();
  const events = new Map<string, { time: bigint; hash: bigint }[]>();
  for (const tenant of new Set([...(await warm.tenants()), ...archived])) {
    const own = new Map<string, { time: bigint; hash: bigint }>();
    let after: { last_seen: string; id: string } | undefined;
    for (let read = 0; read < INSIGHTS_MAX; ) {
      const page = await warm.insights(tenant, { states: OPEN, limit: PAGE, ...(after && { after }) });
      for (const { evidence } of page) {
        for (const id of evidence.snapshot_ids) snapshots.add(id);
        // A snapshot's id is that of the event that carried it.
        for (const id of [...evidence.event_ids, ...evidence.snapshot_ids]) {
          const parsed = parseEventId(id);
          if (parsed !== null) own.set(id, parsed);
        }
      }
      if (page.length < PAGE) break;
      after = page.at(-1)!;
      read += page.length;
    }
    events.set(
      tenant,
      [...own.values()].sort((a, b) => (a.time < b.time ? -1 : 1)),
    );
  }

  return {
    snapshots,
    isIn(tenant, block) {
      const own = events.get(tenant) ?? [];
      let from = firstFrom(own, block.timeMin);
      if (from >= own.length || own[from]!.time > block.timeMax) return false;
      const { columns } = decodeIndex(block.index);
      for (; from < own.length && own[from]!.time <= block.timeMax; from++) {
        const { time, hash } = own[from]!;
        for (let i = columns.hash.indexOf(hash); i !== -1; i = columns.hash.indexOf(hash, i + 1)) {
          if (columns.time[i] === time) return true;
        }
      }
      return false;
    },
  };
}

/** Position of the first at or after a time. */
function firstFrom(events: readonly { time: bigint }[], time: bigint): number {
  let [low, high] = [0, events.length];
  while (low < high) {
    const middle = (low + high) >> 1;
    if (events[middle]!.time < time) low = middle + 1;
    else high = middle;
  }
  return low;
}
