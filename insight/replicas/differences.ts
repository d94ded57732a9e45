/**
 * Keys on which replicas differ in the end, and since when: the point where they last agreed tells who moved, and what is each one's own was
 * never equal for long.
 */
import type { Json } from '../../model/json.ts';
import type { Snapshot } from '../../model/snapshot.ts';
import type { Budget } from '../analyzer.ts';
import { type Group, newestOf, TOGETHER_MIN } from './operations.ts';
import {
  agree,
  byTime,
  compare,
  differingPaths,
  LAG_NANOS_MAX,
  type Moment,
  type Replica,
  sameLeaf,
} from './replica.ts';

/** A key on which replicas differ. */
export interface Difference {
  path: string;
  /** By name of the replica; what is absent there is left out. */
  values: Record<string, Json>;
  absentOn: string[];
  /** Who departs from the others; all of them where there is no telling. */
  deviating: string[];
  /** The snapshot with which they parted. */
  since: Snapshot;
  /** How often it was seen again since; 0: not yet certain that it is more than lag. */
  confirmations: number;
}

/** What each of some replicas held when it had come to the same point. */
export interface Round {
  time: bigint;
  /** The operation that they had all reported; null: what they held at one instant. */
  operation: string | null;
  moments: ReadonlyMap<Replica, Moment>;
}

/**
 * The points at which replicas can be compared, by time. Where they report the same operations, each operation is one: two that apply the
 * same writes a little apart are never equal at an instant when writes come fast, but always after the same write.
 */
export function roundsOf(replicas: readonly Replica[], groups: readonly Group[]): Round[] {
  const rounds: Round[] = [];
  for (const group of groups) {
    const moments = new Map<Replica, Moment>();
    for (const replica of replicas) {
      const index = group.first.get(replica);
      if (index !== undefined) moments.set(replica, replica.moments[index]!);
    }
    if (moments.size === replicas.length) rounds.push({ time: newestOf(moments), operation: group.id, moments });
  }
  if (rounds.length > 0) return rounds.sort((a, b) => compare(a.time, b.time));
  const current = new Map<Replica, Moment>();
  for (const { replica, moment } of merge(replicas)) {
    current.set(replica, moment);
    if (current.size === replicas.length)
      rounds.push({ time: moment.snapshot.time, operation: null, moments: new Map(current) });
  }
  return rounds;
}

/** Keys whose values differ in the last round, and since when. @param isAsked somebody wants to know: less history is enough */
export function parted(rounds: readonly Round[], isAsked: boolean, budget: Budget): Difference[] {
  const last = rounds.at(-1);
  if (last === undefined) return [];
  const differences: Difference[] = [];
  for (const path of differingPaths([...last.moments.values()])) {
    if (differences.length === DIFFERENCES_MAX) break;
    budget.check();
    let agreed = rounds.length - 1;
    while (agreed >= 0 && !agree(rounds[agreed]!.moments, path)) agreed--;
    // Never the same on all of them: each one's own. Without a history there is no telling, and they do differ.
    if (agreed < 0 && rounds.length > 1) continue;
    const first = rounds[agreed + 1]!;
    const before = rounds[agreed]?.moments;
    const moved = (replica: Replica) =>
      before !== undefined &&
      !sameLeaf(before.get(replica)!.leaves.get(path), last.moments.get(replica)!.leaves.get(path));
    const values = new Map([...last.moments].map(([replica, { leaves }]) => [replica, leaves.get(path)]));
    const deviating = whoDeviates(values, moved);
    if (!isAsked && !isShared(rounds, agreed, path, deviating)) continue;
    differences.push({
      path,
      ...say(values),
      deviating,
      since: earliestOf(first.moments),
      confirmations: last.operation === null ? heardSince(rounds.slice(agreed + 1), path) : rounds.length - agreed - 2,
    });
  }
  return differences;
}

export const DIFFERENCES_MAX = 100;

/**
 * Whether a path is meant to be the same everywhere. Counters of each replica's own are equal at the start and by chance, and some
 * count on one replica only; what is replicated was equal most of the time, and has changed in step: on those that do
 * not deviate, or where there are no two of them, on all before they parted.
 */
function isShared(rounds: readonly Round[], agreed: number, path: string, deviating: readonly string[]): boolean {
  const before = rounds.slice(0, agreed + 1);
  const inStep = before.filter(({ moments }) => agree(moments, path));
  if (inStep.length * 2 < before.length) return false;
  const after = rounds
    .slice(agreed + 1)
    .map(({ moments }) => new Map([...moments].filter(([{ name }]) => !deviating.includes(name))));
  const hasOthers = after.at(-1)!.size > 1;
  const together = hasOthers ? after.filter((moments) => agree(moments, path)) : [];
  if (hasOthers && together.length < after.length * TOGETHER_MIN) return false;
  const values = new Set<string>();
  for (const moments of [...inStep.map((round) => round.moments), ...together]) {
    const [one] = moments.values();
    values.add(JSON.stringify(one!.leaves.get(path) ?? null));
  }
  return values.size > 1 && (hasOthers || inStep.length > 2);
}

/**
 * How many replicas have spoken since the last of all changes to a path, by more than the limit for lag. Without operations to compare by,
 * what a replica said before does not tell whether it has missed the change or had yet to get it.
 */
function heardSince(rounds: readonly Round[], path: string): number {
  const last = rounds.at(-1)!.moments;
  let changed = rounds[0]!.time;
  for (let i = 1; i < rounds.length; i++) {
    for (const [replica, { leaves }] of rounds[i]!.moments) {
      if (!sameLeaf(leaves.get(path), rounds[i - 1]!.moments.get(replica)!.leaves.get(path))) changed = rounds[i]!.time;
    }
  }
  const heard = [...last.values()].filter(({ snapshot }) => snapshot.time > changed + LAG_NANOS_MAX).length;
  return heard === last.size ? heard : 0;
}

/** Those that are not with the majority; without one, those that stood still while others moved on; else all. */
function whoDeviates(values: ReadonlyMap<Replica, Json | undefined>, moved: (replica: Replica) => boolean): string[] {
  const camps: { value: Json | undefined; members: Replica[] }[] = [];
  for (const [replica, value] of values) {
    const camp = camps.find((each) => sameLeaf(each.value, value));
    if (camp === undefined) camps.push({ value, members: [replica] });
    else camp.members.push(replica);
  }
  camps.sort((a, b) => b.members.length - a.members.length);
  const names = (members: readonly Replica[]) => members.map(({ name }) => name).sort();
  if (camps[0]!.members.length > (camps[1]?.members.length ?? 0))
    return names(camps.slice(1).flatMap(({ members }) => members));
  const still = [...values.keys()].filter((replica) => !moved(replica));
  return names(still.length > 0 && still.length < values.size ? still : [...values.keys()]);
}

export function say(values: ReadonlyMap<Replica, Json | undefined>): Pick<Difference, 'values' | 'absentOn'> {
  const present = [...values].filter(([, value]) => value !== undefined);
  return {
    values: Object.fromEntries(present.map(([replica, value]) => [replica.name, value!])),
    absentOn: [...values].filter(([, value]) => value === undefined).map(([replica]) => replica.name),
  };
}

export function merge(replicas: readonly Replica[]): { replica: Replica; moment: Moment }[] {
  return replicas
    .flatMap((replica) => replica.moments.map((moment) => ({ replica, moment })))
    .sort((a, b) => byTime(a.moment.snapshot, b.moment.snapshot));
}

function earliestOf(moments: ReadonlyMap<Replica, Moment>): Snapshot {
  return [...moments.values()].map(({ snapshot }) => snapshot).sort(byTime)[0]!;
}
