/** Which operations replicas reported: together or not, how far apart, and who is missing. */
import type { Snapshot } from '../../model/snapshot.ts';
import {
  byTime,
  compare,
  differingPaths,
  LAG_NANOS_MAX,
  LAG_SECONDS_MAX,
  type Moment,
  type Replica,
} from './replica.ts';

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

/** One step of one operation, and with which of its moments each replica reported it first. */
export interface Group {
  id: string;
  first: Map<Replica, number>;
  /** Times of the first and the last of these reports. */
  start: bigint;
  end: bigint;
}

/** By time of the first report. */
export function operationGroups(replicas: readonly Replica[]): Group[] {
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

/** All replicas reported the same latest operations, longer ago than lag may last: what they hold now is what they have come to. */
export function nothingIsOnItsWay(replicas: readonly Replica[], groups: readonly Group[], now: bigint): boolean {
  const latest = groups.slice(-ACTIVE_ROUNDS);
  return (
    latest.length > 1 && latest.every(({ first, end }) => first.size === replicas.length && now - end > LAG_NANOS_MAX)
  );
}

/** Those that still report: one that fell silent is missing, and must not hide what the others say. */
export function active(replicas: readonly Replica[], groups: readonly Group[]): Replica[] {
  const recent = groups.filter(({ first }) => first.size > 1).slice(-ACTIVE_ROUNDS);
  if (recent.length === 0) return [...replicas];
  return replicas.filter((replica) => recent.some(({ first }) => first.has(replica)));
}

const ACTIVE_ROUNDS = 5;

/**
 * Replicas that did not report what the others did. Only where reporting together is the rule (workers that share the load report one
 * operation each), only who has taken part before, and only while all others take part: where each write goes to two of
 * three, nobody is missing. And only when it has passed an operation by: a replica reports in order, so that as long as nothing later has
 * come of it the report may be on its way; after a minute of silence it is missing all the same. What it said before may still come after
 * what it said later, where the request that carries it had no answer and is sent again: that long is waited too.
 * @param now operations younger than the limit for lag are left out; null: none are, and nothing is on its way
 */
export function missingIn(replicas: readonly Replica[], groups: readonly Group[], now: bigint | null): Missing[] {
  const settled = now === null ? groups : groups.filter((group) => now - group.end > LAG_NANOS_MAX);
  // What only one reported after the last that several did is no change of the rule: all but one may have fallen silent.
  const lastTogether = settled.findLastIndex(({ first }) => first.size > 1);
  const together = settled.slice(0, lastTogether + 1).filter(({ first }) => first.size > 1);
  if (together.length === 0 || together.length < (lastTogether + 1) * TOGETHER_MIN) return [];
  const isRule = together.length >= settled.length * TOGETHER_MIN;
  // As long as it is the smaller part: where one goes on alone for longer, a leader may have been elected.
  const after = settled.slice(lastTogether + 1);
  const alone = after.length <= together.length ? after : [];
  const rates = new Map(
    replicas.map((replica) => [replica, together.filter(({ first }) => first.has(replica)).length / together.length]),
  );
  const rare = replicas.filter((replica) => rates.get(replica)! < ALWAYS);
  const missing: Missing[] = [];
  for (const replica of replicas) {
    const [firstHeard, lastHeard] = [replica.moments[0]!.snapshot.time, replica.moments.at(-1)!.snapshot.time];
    // What was read begins between the reports of one operation: that of the quickest is outside.
    const isWithin = ({ start }: Group): boolean => now === null || firstHeard < start;
    const hasPassedBy = ({ end }: Group): boolean =>
      now === null || now - end > (lastHeard > end ? RESENT_NANOS : SILENCE_NANOS);
    const without = [
      ...(isRule ? together : []).filter((group) => !group.first.has(replica) && isWithin(group) && hasPassedBy(group)),
      // What reports reach one after the other is passed by in another order: only silence tells there.
      ...alone.filter(
        ({ first, end }) => !first.has(replica) && (now === null || (lastHeard <= end && now - end > SILENCE_NANOS)),
      ),
    ];
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

/** Exporters wait 10 s for an answer unless told otherwise, and try again: two such attempts, what is between them, and the way here. */
const RESENT_NANOS = 30_000_000_000n;

const ALWAYS = 0.95;

/** Share of the times from which on doing something together is the rule. */
export const TOGETHER_MIN = 0.8;

/** How much later than the first the last replica reported it. */
export function lagOf({ first }: Pick<Group, 'first'>): Lag[] {
  if (first.size < 2) return [];
  const reports = [...first]
    .map(([replica, index]) => ({ replica, snapshot: replica.moments[index]!.snapshot }))
    .sort((a, b) => byTime(a.snapshot, b.snapshot));
  const last = reports.at(-1)!;
  const seconds = secondsBetween(reports[0]!.snapshot.time, last.snapshot.time);
  return seconds > LAG_SECONDS_MAX ? [{ name: last.replica.name, seconds, snapshot: last.snapshot }] : [];
}

/** The last moment of each replica that reported the operation, at the newest checkpoint that half of them reached. */
export function latestAt(replicas: readonly Replica[], operation: string): Map<Replica, Moment> {
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

export function newestOf(states: ReadonlyMap<Replica, Moment>): bigint {
  return [...states.values()].reduce((max, { snapshot }) => (snapshot.time > max ? snapshot.time : max), 0n);
}

/** When each replica came to what it holds: saying the same again later is no lag. */
export function reachedFirst(states: ReadonlyMap<Replica, Moment>): Map<Replica, number> {
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

function secondsBetween(from: bigint, until: bigint): number {
  return Number(until - from) / 1e9;
}
