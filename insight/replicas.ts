/**
 * Replicas that should hold the same state, compared by what their snapshots say: deep, typed, key by key, over time.
 *
 * Two replicas that apply the same writes one after the other differ for a moment all the time, so a difference alone is nothing. It
 * counts when the one that lags has spoken since and has not caught up within the limit for lag, or when an operation changed a
 * key on the others and not on it. A key on which the replicas never agreed (a node's name, its own counters) is each one's own.
 */
import type { ComponentRef } from '../model/block.ts';
import { isJsonObject, type Json, type JsonObject } from '../model/json.ts';
import type { Snapshot } from '../model/snapshot.ts';
import { pathOf } from '../model/state-diff.ts';
import type { Budget } from './analyzer.ts';

export interface Replica {
  name: string;
  component: ComponentRef;
  /** By time, at least one. */
  moments: Moment[];
}

/** What a replica's state was from one snapshot on. */
export interface Moment {
  snapshot: Snapshot;
  leaves: ReadonlyMap<string, Json>;
}

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

export interface Missing {
  name: string;
  /** The operations that the others reported, by time. */
  operations: Snapshot[];
}

export interface Lag {
  name: string;
  seconds: number;
  snapshot: Snapshot;
}

export interface Comparison {
  differences: Difference[];
  missing: Missing[];
  lags: Lag[];
}

/** Replication lag up to this is healthy. */
export const LAG_SECONDS_MAX = 5;

/** @param snapshots any order  @param nameOf which replica a snapshot is of; null: none */
export function replicasOf(snapshots: readonly Snapshot[], nameOf: (snapshot: Snapshot) => string | null): Replica[] {
  const replicas = new Map<string, Replica>();
  let leavesLeft = LEAVES_MAX;
  for (const snapshot of [...snapshots].sort(byTime)) {
    const name = nameOf(snapshot);
    if (name === null) continue;
    let replica = replicas.get(name);
    if (replica === undefined) {
      replica = { name, component: { type: snapshot.component_type, id: snapshot.component_id }, moments: [] };
      replicas.set(name, replica);
    }
    const leaves = flatten(snapshot.state_data);
    leavesLeft -= leaves.size;
    if (leavesLeft < 0) break;
    const before = replica.moments.at(-1)?.leaves;
    const isWhole = snapshot.snapshot_type === 'full' || before === undefined;
    replica.moments.push({ snapshot, leaves: isWhole ? leaves : new Map([...before, ...leaves]) });
  }
  return [...replicas.values()].filter(({ moments }) => moments.length > 0).sort((a, b) => (a.name < b.name ? -1 : 1));
}

/** What the replicas have come to in the end, and what happened on the way. @param now nanoseconds */
export function compareReplicas(replicas: readonly Replica[], now: bigint, budget: Budget): Comparison {
  if (replicas.length < 2) return { differences: [], missing: [], lags: [] };
  const groups = operationGroups(replicas);
  const rounds = roundsOf(active(replicas, groups), groups);
  const finals = new Map(replicas.map((replica) => [replica, replica.moments.at(-1)!]));
  // Operations that overtake each other differ at each of them and agree when all are through. Where all are, the last one is enough.
  const isThrough = nothingIsOnItsWay(replicas, groups, now);
  const differences = parted(rounds, false, budget).filter(
    ({ path, since, confirmations }) =>
      (confirmations > 0 || isThrough) && now - since.time > LAG_NANOS_MAX && !agree(finals, path),
  );
  const known = new Set(differences.map(({ path }) => path));
  for (const lost of lostWrites(groups, rounds, now, budget)) {
    if (!known.has(lost.path)) differences.push(lost);
    known.add(lost.path);
  }
  return { differences, missing: missingIn(replicas, groups, now), lags: groups.flatMap((group) => lagOf(group)) };
}

/**
 * What the replicas said about one operation, as far as they did not come to agree right after it.
 * @param expected names that should have reported; null: those that report every other operation
 */
export function compareOperation(
  replicas: readonly Replica[],
  operation: string,
  expected: readonly string[] | null,
  budget: Budget,
): Comparison & { reported: Replica[] } {
  const groups = operationGroups(replicas);
  const states = latestAt(replicas, operation);
  const reported = [...states.keys()];
  const until = newestOf(states);
  const rounds = roundsOf(reported, groups);
  const earlier = rounds.filter(({ time, operation: of }) => time < until && of !== operation);
  const later = rounds.filter(({ time, operation: of }) => time > until && of !== operation);
  const differences = parted([...earlier, { time: until, operation, moments: states }], true, budget).filter(
    ({ path }) => !later.some(({ time, moments }) => time <= until + LAG_NANOS_MAX && agree(moments, path)),
  );
  const missing =
    expected === null
      ? missingIn(replicas, groups, null).filter(({ operations }) =>
          operations.some((at) => at.operation_id === operation),
        )
      : expected
          .filter((name) => !reported.some((each) => each.name === name))
          .map((name) => ({ name, operations: [] }));
  return { differences, missing, lags: lagOf({ first: reachedFirst(states) }), reported };
}

const LAG_NANOS_MAX = BigInt(LAG_SECONDS_MAX) * 1_000_000_000n;
// A million values take about half a second and 100 MB; states beyond that are not compared further back.
const LEAVES_MAX = 1_000_000;
const DIFFERENCES_MAX = 100;
const ACTIVE_ROUNDS = 5;

// ---- differences ------------------------------------------------------------------------------------------------------

/** What each of some replicas held when it had come to the same point. */
interface Round {
  time: bigint;
  /** The operation that they had all reported; null: what they held at one instant. */
  operation: string | null;
  moments: ReadonlyMap<Replica, Moment>;
}

/**
 * The points at which replicas can be compared, by time. Where they report the same operations, each operation is one: two that apply the
 * same writes a little apart are never equal at an instant when writes come fast, but always after the same write.
 */
function roundsOf(replicas: readonly Replica[], groups: readonly Group[]): Round[] {
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

function merge(replicas: readonly Replica[]): { replica: Replica; moment: Moment }[] {
  return replicas
    .flatMap((replica) => replica.moments.map((moment) => ({ replica, moment })))
    .sort((a, b) => byTime(a.moment.snapshot, b.moment.snapshot));
}

/** All replicas reported the same latest operations, longer ago than lag may last: what they hold now is what they have come to. */
function nothingIsOnItsWay(replicas: readonly Replica[], groups: readonly Group[], now: bigint): boolean {
  const latest = groups.slice(-ACTIVE_ROUNDS);
  return (
    latest.length > 1 && latest.every(({ first, end }) => first.size === replicas.length && now - end > LAG_NANOS_MAX)
  );
}

/** Those that still report: one that fell silent is missing, and must not hide what the others say. */
function active(replicas: readonly Replica[], groups: readonly Group[]): Replica[] {
  const recent = groups.filter(({ first }) => first.size > 1).slice(-ACTIVE_ROUNDS);
  if (recent.length === 0) return [...replicas];
  return replicas.filter((replica) => recent.some(({ first }) => first.has(replica)));
}

/** Keys whose values differ in the last round, and since when. @param isAsked somebody wants to know: less history is enough */
function parted(rounds: readonly Round[], isAsked: boolean, budget: Budget): Difference[] {
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

function agree(moments: ReadonlyMap<Replica, Moment>, path: string): boolean {
  let one: Moment | undefined;
  for (const moment of moments.values()) {
    if (one !== undefined && !sameLeaf(one.leaves.get(path), moment.leaves.get(path))) return false;
    one ??= moment;
  }
  return true;
}

function differingPaths(moments: readonly Moment[]): string[] {
  const paths = new Set<string>();
  const [first, ...others] = moments;
  for (const other of others) {
    for (const [path, value] of first!.leaves) if (!sameLeaf(value, other.leaves.get(path))) paths.add(path);
    for (const path of other.leaves.keys()) if (!first!.leaves.has(path)) paths.add(path);
  }
  return [...paths].sort();
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

/** An operation wrote a key on most replicas and not on one that also reported it, and that one did not come to agree later either. */
function lostWrites(groups: readonly Group[], rounds: readonly Round[], now: bigint, budget: Budget): Difference[] {
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

function say(values: ReadonlyMap<Replica, Json | undefined>): Pick<Difference, 'values' | 'absentOn'> {
  const present = [...values].filter(([, value]) => value !== undefined);
  return {
    values: Object.fromEntries(present.map(([replica, value]) => [replica.name, value!])),
    absentOn: [...values].filter(([, value]) => value === undefined).map(([replica]) => replica.name),
  };
}

// ---- who reported what ------------------------------------------------------------------------------------------------

/** One step of one operation, and with which of its moments each replica reported it first. */
interface Group {
  id: string;
  first: Map<Replica, number>;
  /** Times of the first and the last of these reports. */
  start: bigint;
  end: bigint;
}

/** By time of the first report. */
function operationGroups(replicas: readonly Replica[]): Group[] {
  const groups = new Map<string, Group>();
  for (const replica of replicas) {
    for (const [index, { snapshot }] of replica.moments.entries()) {
      if (snapshot.operation_id === null) continue;
      const key = `${snapshot.operation_id}\0${snapshot.checkpoint_name ?? ''}`;
      const group = groups.get(key);
      if (group === undefined) {
        groups.set(key, {
          id: snapshot.operation_id,
          first: new Map([[replica, index]]),
          start: snapshot.time,
          end: snapshot.time,
        });
      } else if (!group.first.has(replica)) {
        group.first.set(replica, index);
        if (snapshot.time < group.start) group.start = snapshot.time;
        if (snapshot.time > group.end) group.end = snapshot.time;
      }
    }
  }
  return [...groups.values()].sort((a, b) => compare(a.start, b.start));
}

/**
 * Replicas that did not report what the others did. Only where reporting together is the rule (workers that share the load report one
 * operation each), only who has taken part before, and only while all others take part: where each write goes to two of
 * three, nobody is missing. And only when it has passed an operation by: a replica reports in order, so that as long as nothing later has
 * come of it the report may be on its way; after a minute of silence it is missing all the same.
 * @param now operations younger than the limit for lag are left out; null: none are, and nothing is on its way
 */
function missingIn(replicas: readonly Replica[], groups: readonly Group[], now: bigint | null): Missing[] {
  const settled = now === null ? groups : groups.filter((group) => now - group.end > LAG_NANOS_MAX);
  const together = settled.filter(({ first }) => first.size > 1);
  if (together.length === 0 || together.length < settled.length * TOGETHER_MIN) return [];
  const rates = new Map(
    replicas.map((replica) => [replica, together.filter(({ first }) => first.has(replica)).length / together.length]),
  );
  const rare = replicas.filter((replica) => rates.get(replica)! < ALWAYS);
  const missing: Missing[] = [];
  for (const replica of replicas) {
    const lastHeard = replica.moments.at(-1)!.snapshot.time;
    const without = together.filter(
      ({ first, end }) => !first.has(replica) && (now === null || lastHeard > end || now - end > SILENCE_NANOS),
    );
    const isKnown = together.filter(({ first }) => first.has(replica)).length >= 2;
    if (without.length === 0 || !isKnown || rare.some((other) => other !== replica)) continue;
    const operations = without.map(({ first }) => {
      const [[other, index]] = [...first] as [[Replica, number]];
      return other.moments[index]!.snapshot;
    });
    missing.push({ name: replica.name, operations });
  }
  return missing;
}

const SILENCE_NANOS = 60_000_000_000n;
const TOGETHER_MIN = 0.8;
const ALWAYS = 0.95;

/** How much later than the first the last replica reported it. */
function lagOf({ first }: Pick<Group, 'first'>): Lag[] {
  if (first.size < 2) return [];
  const reports = [...first]
    .map(([replica, index]) => ({ replica, snapshot: replica.moments[index]!.snapshot }))
    .sort((a, b) => byTime(a.snapshot, b.snapshot));
  const last = reports.at(-1)!;
  const seconds = secondsBetween(reports[0]!.snapshot.time, last.snapshot.time);
  return seconds > LAG_SECONDS_MAX ? [{ name: last.replica.name, seconds, snapshot: last.snapshot }] : [];
}

/** The last moment of each replica that reported the operation, at the newest checkpoint that half of them reached. */
function latestAt(replicas: readonly Replica[], operation: string): Map<Replica, Moment> {
  const byCheckpoint = new Map<string, Map<Replica, Moment>>();
  for (const replica of replicas) {
    for (const moment of replica.moments) {
      if (moment.snapshot.operation_id !== operation) continue;
      const checkpoint = moment.snapshot.checkpoint_name ?? '';
      let states = byCheckpoint.get(checkpoint);
      if (states === undefined) {
        states = new Map();
        byCheckpoint.set(checkpoint, states);
      }
      states.set(replica, moment);
    }
  }
  const reporters = new Set([...byCheckpoint.values()].flatMap((states) => [...states.keys()])).size;
  const newest = [...byCheckpoint.values()]
    .filter((states) => states.size * 2 >= reporters)
    .sort((a, b) => compare(newestOf(b), newestOf(a)));
  return newest[0] ?? new Map();
}

function earliestOf(moments: ReadonlyMap<Replica, Moment>): Snapshot {
  return [...moments.values()].map(({ snapshot }) => snapshot).sort(byTime)[0]!;
}

function newestOf(states: ReadonlyMap<Replica, Moment>): bigint {
  return [...states.values()].reduce((max, { snapshot }) => (snapshot.time > max ? snapshot.time : max), 0n);
}

/** When each replica came to what it holds: saying the same again later is no lag. */
function reachedFirst(states: ReadonlyMap<Replica, Moment>): Map<Replica, number> {
  const first = new Map<Replica, number>();
  for (const [replica, moment] of states) {
    let index = replica.moments.indexOf(moment);
    const operation = moment.snapshot.operation_id;
    while (
      index > 0 &&
      replica.moments[index - 1]!.snapshot.operation_id === operation &&
      differingPaths([replica.moments[index - 1]!, moment]).length === 0
    ) {
      index--;
    }
    first.set(replica, index);
  }
  return first;
}

// -----------------------------------------------------------------------------------------------------------------------

function flatten(state: JsonObject): Map<string, Json> {
  const leaves = new Map<string, Json>();
  const walk = (value: Json, path: string) => {
    if (Array.isArray(value) && value.length > 0) for (const [i, item] of value.entries()) walk(item, `${path}[${i}]`);
    else if (isJsonObject(value) && Object.keys(value).length > 0)
      for (const key of Object.keys(value)) walk(value[key]!, pathOf(path, key));
    else leaves.set(path, value);
  };
  for (const key of Object.keys(state)) walk(state[key]!, pathOf('', key));
  return leaves;
}

/** Leaves are scalars or empty containers. */
function sameLeaf(a: Json | undefined, b: Json | undefined): boolean {
  if (a === b) return true;
  return (
    typeof a === 'object' && typeof b === 'object' && a !== null && b !== null && Array.isArray(a) === Array.isArray(b)
  );
}

function byTime(a: Snapshot, b: Snapshot): number {
  return compare(a.time, b.time) || compare(a.id, b.id);
}

function compare<T extends bigint | string>(a: T, b: T): number {
  return a < b ? -1 : a > b ? 1 : 0;
}

function secondsBetween(from: bigint, until: bigint): number {
  return Number(until - from) / 1e9;
}
