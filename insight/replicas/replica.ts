/** What a replica held, snapshot by snapshot, as leaves by path: deep, typed, comparable. */
import type { ComponentRef } from '../../model/block.ts';
import { isJsonObject, type Json, type JsonObject } from '../../model/json.ts';
import type { Snapshot } from '../../model/snapshot.ts';
import { pathOf } from '../../model/state-diff.ts';

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

/** Replication lag up to this is healthy. */
export const LAG_SECONDS_MAX = 5;

export const LAG_NANOS_MAX = BigInt(LAG_SECONDS_MAX) * 1_000_000_000n;

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

// A million values take about half a second and 100 MB; states beyond that are not compared further back.
const LEAVES_MAX = 1_000_000;

export function agree(moments: ReadonlyMap<Replica, Moment>, path: string): boolean {
  let one: Moment | undefined;
  for (const moment of moments.values()) {
    if (one !== undefined && !sameLeaf(one.leaves.get(path), moment.leaves.get(path))) return false;
    one ??= moment;
  }
  return true;
}

export function differingPaths(moments: readonly Moment[]): string[] {
  const paths = new Set<string>();
  const [first, ...others] = moments;
  for (const other of others) {
    for (const [path, value] of first!.leaves) if (!sameLeaf(value, other.leaves.get(path))) paths.add(path);
    for (const path of other.leaves.keys()) if (!first!.leaves.has(path)) paths.add(path);
  }
  return [...paths].sort();
}

/** Leaves are scalars or empty containers. */
export function sameLeaf(a: Json | undefined, b: Json | undefined): boolean {
  if (a === b) return true;
  return (
    typeof a === 'object' && typeof b === 'object' && a !== null && b !== null && Array.isArray(a) === Array.isArray(b)
  );
}

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

export function byTime(a: Snapshot, b: Snapshot): number {
  return compare(a.time, b.time) || compare(a.id, b.id);
}

export function compare<T extends bigint | string>(a: T, b: T): number {
  return a < b ? -1 : a > b ? 1 : 0;
}
