/**
 * Whole states from snapshots that say only a part. A `full` snapshot is the state; an `incremental` one is a merge patch (RFC 7396) onto
 * the state before it, in which null takes a key away; a `partial` one says some keys of the top level whole and leaves the others as they
 * were. Before it is what the same component said on the same node under the same name (`debug.state.name`); where a state has no name, in the
 * same operation.
 */
import { emptyObject, isJsonObject, type Json, type JsonObject } from './json.ts';
import type { Snapshot } from './snapshot.ts';

export interface AssembledSnapshot extends Snapshot {
  /** Ids of the snapshots that the state is made of, by time; its own is the last. */
  assembled_from: string[];
  /** False where no full snapshot that it could build on is kept: then what is not said is not known. */
  complete: boolean;
}

/** What earlier snapshots are asked by: newest first, of `end` and before. */
export interface EarlierQuery {
  component_type: string;
  component_id: string;
  node_id?: string;
  operation_id?: string;
  end: bigint;
  limit: number;
}

/**
 * The same snapshots, in their order, with their whole states.
 * @param read earlier ones, where the given ones do not reach back to a full one
 */
export async function assembled(
  snapshots: readonly Snapshot[],
  read: (query: EarlierQuery) => Promise<readonly Snapshot[]>,
): Promise<AssembledSnapshot[]> {
  const whole = new Map<string, AssembledSnapshot>();
  for (const group of Map.groupBy(snapshots, stateKey).values()) {
    const ascending = group.toSorted(byTime);
    const earlier = ascending[0]!.snapshot_type === 'full' ? [] : await readEarlier(ascending[0]!, read);
    let before: AssembledSnapshot | null = null;
    for (const snapshot of [...earlier, ...ascending]) {
      before = onto(before, snapshot);
      whole.set(snapshot.id, before);
    }
  }
  return snapshots.map(({ id }) => whole.get(id)!);
}

/** The snapshot that is before this one of the same state, if there is one, with its whole state. */
export async function assembledBefore(
  snapshot: Snapshot,
  read: (query: EarlierQuery) => Promise<readonly Snapshot[]>,
): Promise<AssembledSnapshot | null> {
  const [previous] = (await earlierOf(snapshot, read, 1)).slice(-1);
  return previous === undefined ? null : (await assembled([previous], read))[0]!;
}

/**
 * A reader of snapshots whose states are whole, for those who compare them: what could be completed comes as `full`. One that nothing is
 * known below stays what it is.
 */
export function wholeSnapshots<Query>(
  read: (tenant: string, query: Query | EarlierQuery) => Promise<Snapshot[]>,
): (tenant: string, query: Query) => Promise<Snapshot[]> {
  return async (tenant, query) => {
    const found = await assembled(await read(tenant, query), (earlier) => read(tenant, earlier));
    return found.map(({ assembled_from: _, complete, ...snapshot }) =>
      complete ? { ...snapshot, snapshot_type: 'full' } : snapshot,
    );
  };
}

/** Of one state, as told above, the snapshots have one key. */
export function stateKey({ component_type, component_id, node_id, state_name, operation_id }: Snapshot): string {
  const named = state_name === undefined ? ['operation', operation_id] : ['name', state_name];
  return JSON.stringify([component_type, component_id, node_id, ...named]);
}

const PAGE = 50;
// A component that never says its whole state is not followed back for ever.
const EARLIER_MAX = 1000;

/** Ascending, from the full snapshot below; all that there are where there is none. */
async function readEarlier(
  snapshot: Snapshot,
  read: (query: EarlierQuery) => Promise<readonly Snapshot[]>,
): Promise<Snapshot[]> {
  const earlier = await earlierOf(snapshot, read);
  const base = earlier.findLastIndex(({ snapshot_type }) => snapshot_type === 'full');
  return base === -1 ? earlier : earlier.slice(base);
}

/** Those of the same state, ascending: so many or more, or to the next full one. */
async function earlierOf(
  snapshot: Snapshot,
  read: (query: EarlierQuery) => Promise<readonly Snapshot[]>,
  enough = Number.POSITIVE_INFINITY,
): Promise<Snapshot[]> {
  const { component_type, component_id, node_id, operation_id, state_name } = snapshot;
  const key = stateKey(snapshot);
  const found = new Map<string, Snapshot>();
  let end = snapshot.time;
  for (let seen = 0, limit = PAGE; seen < EARLIER_MAX; limit *= 4) {
    const page = await read({
      ...{ component_type, component_id, end, limit },
      ...(node_id !== null && { node_id }),
      ...(state_name === undefined && operation_id !== null && { operation_id }),
    });
    for (const one of page) if (stateKey(one) === key && byTime(one, snapshot) < 0) found.set(one.id, one);
    const all = [...found.values()];
    if (all.length >= enough || all.some((one) => one.snapshot_type === 'full') || page.length < limit) break;
    seen += page.length;
    const last = page.at(-1)!.time;
    // More of one instant than a page holds: a larger page goes past them.
    end = last < end ? last : end;
  }
  return [...found.values()].sort(byTime);
}

function onto(before: AssembledSnapshot | null, snapshot: Snapshot): AssembledSnapshot {
  const { id, snapshot_type: type, state_data } = snapshot;
  if (type === 'full') return { ...snapshot, assembled_from: [id], complete: true };
  const known = before?.state_data ?? emptyObject();
  const state = type === 'partial' ? withKeys(known, state_data) : (mergePatch(known, state_data) as JsonObject);
  const assembled_from = [...(before?.assembled_from ?? []), id];
  return { ...snapshot, state_data: state, assembled_from, complete: before?.complete ?? false };
}

function withKeys(state: JsonObject, said: JsonObject): JsonObject {
  return Object.assign(emptyObject(), state, said);
}

/** RFC 7396. */
function mergePatch(target: Json | undefined, patch: Json): Json {
  if (!isJsonObject(patch)) return patch;
  const merged = Object.assign(emptyObject(), isJsonObject(target ?? null) ? target : undefined);
  for (const [key, value] of Object.entries(patch)) {
    if (value === null) delete merged[key];
    else merged[key] = mergePatch(Object.hasOwn(merged, key) ? merged[key] : undefined, value);
  }
  return merged;
}

function byTime(a: Snapshot, b: Snapshot): number {
  if (a.time !== b.time) return a.time < b.time ? -1 : 1;
  return a.id < b.id ? -1 : a.id > b.id ? 1 : 0;
}
