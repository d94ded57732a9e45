/**
 * Replicas that should hold the same state, compared by what their snapshots say: deep, typed, key by key, over time.
 *
 * Two replicas that apply the same writes one after the other differ for a moment all the time, so a difference alone is nothing. It
 * counts when the one that lags has spoken since and has not caught up within the limit for lag, or when an operation changed a
 * key on the others and not on it. A key on which the replicas never agreed (a node's name, its own counters) is each one's own.
 */
import type { Budget } from '../analyzer.ts';
import { type Difference, parted, roundsOf } from './differences.ts';
import { lostWrites } from './lost-writes.ts';
import {
  active,
  type Lag,
  lagOf,
  latestAt,
  type Missing,
  missingIn,
  newestOf,
  nothingIsOnItsWay,
  operationGroups,
  reachedFirst,
} from './operations.ts';
import { agree, LAG_NANOS_MAX, type Replica } from './replica.ts';

export interface Comparison {
  differences: Difference[];
  missing: Missing[];
  lags: Lag[];
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
