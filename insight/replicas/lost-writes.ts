/** Writes that one replica lost: an operation wrote a key on most of them, and one that also reported it did not come to agree. */
import type { Json } from '../../model/json.ts';
import type { Budget } from '../analyzer.ts';
import { DIFFERENCES_MAX, type Difference, merge, type Round, say } from './differences.ts';
import { type Group, TOGETHER_MIN } from './operations.ts';
import { differingPaths, LAG_NANOS_MAX, type Replica, sameLeaf } from './replica.ts';

/** An operation wrote a key on most replicas and not on one that also reported it, and that one did not come to agree later either. */
export function lostWrites(
  groups: readonly Group[],
  rounds: readonly Round[],
  now: bigint,
  budget: Budget,
): Difference[] {
  const lost: Difference[] = [];
  const shared = new Map<string, boolean>();
  const isReplicated = (path: string) => {
    let known = shared.get(path);
    if (known === undefined) {
      known = isUsuallyEqual(rounds, path);
      shared.set(path, known);
    }
    return known;
  };
  for (const [at, group] of groups.entries()) {
    if (lost.length === DIFFERENCES_MAX) break;
    if (group.first.size < 2 || now - group.end <= LAG_NANOS_MAX) continue;
    budget.check();
    const reports = [...group.first].map(([replica, index]) => ({
      replica,
      moment: replica.moments[index]!,
      wrote: written(replica, index),
    }));
    // What the operation changed is only known where something came before it.
    if (reports.some(({ wrote }) => wrote === null)) continue;
    const writers = new Map<string, number>();
    for (const { wrote } of reports) for (const path of wrote!) writers.set(path, (writers.get(path) ?? 0) + 1);
    for (const [path, count] of writers) {
      if (count === reports.length || count * 2 < reports.length || !isReplicated(path)) continue;
      const writer = reports.find(({ wrote }) => wrote!.has(path))!;
      const value = writer.moment.leaves.get(path);
      const deviating = reports.filter(
        ({ replica, moment, wrote }) =>
          !wrote!.has(path) &&
          !sameLeaf(moment.leaves.get(path), value) &&
          !agreeSoon(writer.replica, replica, path, groups, at),
      );
      if (deviating.length === 0) continue;
      lost.push({
        path,
        ...say(new Map(reports.map(({ replica, moment }) => [replica, moment.leaves.get(path)]))),
        deviating: deviating.map(({ replica }) => replica.name).sort(),
        since: writer.moment.snapshot,
        confirmations: deviating.length,
      });
    }
  }
  return lost;
}

/** Most replicas hold the same on the path most of the time, and it has changed on most of them. */
function isUsuallyEqual(rounds: readonly Round[], path: string): boolean {
  const values = new Set<string>();
  let equal = 0;
  for (const { moments } of rounds) {
    const held = [...moments.values()].map(({ leaves }) => JSON.stringify(leaves.get(path) ?? null)).sort();
    // Sorted, a majority always reaches the middle.
    const middle = held[held.length >> 1]!;
    if (held.filter((value) => value === middle).length * 2 <= held.length) continue;
    equal++;
    values.add(middle);
  }
  return equal >= rounds.length * TOGETHER_MIN && values.size > 1;
}

/** The paths that a replica's moment changed; null when nothing is known of before. */
function written(replica: Replica, index: number): Set<string> | null {
  return index === 0 ? null : new Set(differingPaths([replica.moments[index - 1]!, replica.moments[index]!]));
}

/**
 * Whether two replicas come to hold the same on a path within the limit for lag after a group: after a later operation that both
 * report, or where there is none, at an instant.
 */
function agreeSoon(one: Replica, other: Replica, path: string, groups: readonly Group[], at: number): boolean {
  const after = groups[at]!.end;
  const deadline = after + LAG_NANOS_MAX;
  let metAgain = false;
  for (let i = at + 1; i < groups.length && groups[i]!.start <= deadline; i++) {
    const [index, otherIndex] = [groups[i]!.first.get(one), groups[i]!.first.get(other)];
    if (index === undefined || otherIndex === undefined) continue;
    if (sameLeaf(one.moments[index]!.leaves.get(path), other.moments[otherIndex]!.leaves.get(path))) return true;
    metAgain = true;
  }
  const ends = [one.moments.at(-1)!, other.moments.at(-1)!] as const;
  if (
    ends.every(({ snapshot }) => snapshot.time <= deadline) &&
    sameLeaf(ends[0].leaves.get(path), ends[1].leaves.get(path))
  )
    return true;
  if (metAgain) return false;
  const held = new Map<Replica, Json | undefined>();
  for (const { replica, moment } of merge([one, other])) {
    if (moment.snapshot.time > deadline) break;
    held.set(replica, moment.leaves.get(path));
    if (moment.snapshot.time > after && sameLeaf(held.get(one), held.get(other))) return true;
  }
  return false;
}
