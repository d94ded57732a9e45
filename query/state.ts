/** State snapshots: posted, and the latest one at any time, each with what it changed. */
import { randomUUID } from 'node:crypto';
import { eventId } from '../model/ids.ts';
import { type Json, type JsonObject, jsonEqual } from '../model/json.ts';
import type { Snapshot, SnapshotType } from '../model/snapshot.ts';
import {
  type AssembledSnapshot,
  assembled,
  assembledBefore,
  type EarlierQuery,
  stateKey,
} from '../model/state-assembly.ts';
import { diffStates, type StateDiff } from '../model/state-diff.ts';
import { parsePath, valueAt } from '../model/state-path.ts';
import { formatNanos } from '../model/time.ts';
import { indexRequest } from '../otlp/walk.ts';
import type { SnapshotQuery } from '../storage/contract.ts';
import { type Answer, beginReading, malformed, notFound } from './answer.ts';
import type { QueryNeeds } from './needs.ts';
import { parseTime, parseTimeRange, type TimeRangeInput } from './params.ts';
import { encodeState, type PostedState } from './records.ts';

export interface StateRequest {
  component_type: string;
  component_id: string;
  operation_id?: string | undefined;
  checkpoint_name?: string | undefined;
  /** RFC 3339: the latest at that time. Absent: the latest. */
  at?: string | undefined;
}

export interface HistoryRequest extends TimeRangeInput {
  component_type: string;
  component_id: string;
  /** A path as in diffs: `orders[2].state`. */
  key: string;
  operation_id?: string | undefined;
  /** 1 to 1000, of changes. */
  limit: number;
}

/** A key of a state from one snapshot on. */
export interface KeyChange {
  snapshot_id: string;
  timestamp: string;
  node_id: string | null;
  state_name: string | null;
  operation_id: string | null;
  /** Left out where the key is not there. */
  value?: Json;
  /** What it was before; left out where it was not there, or nothing before is known. */
  from?: Json;
  /** False where the state before it is not known whole: the key may have been the same. */
  complete: boolean;
}

export interface SnapshotView {
  /** Also the id of the event that carried it. */
  id: string;
  component_type: string;
  component_id: string;
  node_id: string | null;
  operation_id: string | null;
  correlation_id: string | null;
  checkpoint_name: string | null;
  state_name: string | null;
  /** As it was sent: an incremental or partial one says less than `state_data`, which is the whole state. */
  snapshot_type: SnapshotType;
  state_data: JsonObject;
  /** Ids of the snapshots that the state is made of, by time; its own is the last. */
  assembled_from: string[];
  /** False where the full snapshot that it builds on is not known: then `state_data` may lack what was never said since. */
  complete: boolean;
  /** Against the one before of the same component, node and name (without a name: operation); null when there is none. */
  diff_from_previous: StateDiff | null;
  timestamp: string;
}

export interface StateAnswers {
  postState(
    tenant: string,
    posted: PostedState,
    key?: string,
  ): Promise<Answer<{ snapshot_id: string; diff_from_previous: StateDiff | null }>>;
  /** @throws DebugError NOT_FOUND */
  state(tenant: string, request: StateRequest): Promise<Answer<SnapshotView>>;
  /** When one key of a component's states changed, newest first. @throws DebugError NOT_FOUND where it has none in that time */
  stateHistory(tenant: string, request: HistoryRequest): Promise<Answer<KeyChange[]>>;
}

export function createStateAnswers(needs: QueryNeeds): StateAnswers {
  const { rows, clock } = needs;
  return {
    async postState(tenant, posted, key = randomUUID()) {
      const time = posted.timestamp == null ? clock.nowNanos() : parseTime('timestamp', posted.timestamp);
      const body = encodeState({ posted, time, postId: key }, needs.keys);
      needs.redact(tenant, body);
      const [record] = indexRequest('log', body).records;
      const snapshot_id = eventId(record!.time, record!.hash);
      await needs.ingest(tenant, [body]);
      const reading = await beginReading(needs);
      const { component_type, component_id, operation_id } = posted;
      const of = { component_type, component_id, operation_id, start: time, end: time, limit: AT_ONE_INSTANT };
      const snapshot = (await rows.snapshots(tenant, of)).find((candidate) => candidate.id === snapshot_id);
      // Not there yet only while the store is away: the post is safe in the journal, and the answer says what is pending.
      const view = snapshot === undefined ? null : await describeSnapshot(rows, tenant, snapshot);
      return reading.answer({ snapshot_id, diff_from_previous: view?.diff_from_previous ?? null });
    },

    async state(tenant, { at, component_type, component_id, operation_id, checkpoint_name }) {
      const query: SnapshotQuery = {
        component_type,
        component_id,
        ...(operation_id !== undefined && { operation_id }),
        ...(at !== undefined && { end: parseTime('at', at) }),
        limit: 1,
      };
      const reading = await beginReading(needs);
      const [found] = await rows.snapshots(tenant, {
        ...query,
        ...(checkpoint_name !== undefined && { checkpoint_name }),
      });
      if (found === undefined)
        throw notFound('SNAPSHOT', `a snapshot of ${component_type}/${component_id} that matches`);
      return reading.answer(await describeSnapshot(rows, tenant, found));
    },

    async stateHistory(tenant, { component_type, component_id, key, operation_id, limit, ...range }) {
      const steps = parsePath(key);
      if (steps === null) throw malformed('key', 'is no path: say orders[2].state, or stock["sku.42"]');
      const reading = await beginReading(needs);
      const found = await rows.snapshots(tenant, {
        ...{ component_type, component_id, ...parseTimeRange(range, reading.now), limit: HISTORY_SNAPSHOTS_MAX },
        ...(operation_id !== undefined && { operation_id }),
      });
      if (found.length === 0)
        throw notFound('SNAPSHOT', `a snapshot of ${component_type}/${component_id} in that time`);
      const states = await assembled(found, (query) => rows.snapshots(tenant, query));
      const changes = keyChanges(states.reverse(), steps).reverse();
      return reading.answer(changes.slice(0, limit), {
        truncated: changes.length > limit || found.length === HISTORY_SNAPSHOTS_MAX,
      });
    },
  };
}

/** A snapshot as answers show it: whole, and compared with the one before it. */
export async function describeSnapshot(
  rows: Pick<QueryNeeds['rows'], 'snapshots'>,
  tenant: string,
  snapshot: Snapshot,
): Promise<SnapshotView> {
  const read = (query: EarlierQuery) => rows.snapshots(tenant, query);
  const [[whole], before] = await Promise.all([assembled([snapshot], read), assembledBefore(snapshot, read)]);
  const { time, state_name, ...plain } = whole!;
  const diff_from_previous = before === null ? null : diffStates(before.state_data, plain.state_data, whole!.complete);
  return { ...plain, state_name: state_name ?? null, diff_from_previous, timestamp: formatNanos(time) };
}

/**
 * The snapshots of a correlation, and those before them that their states are made of.
 * @returns newest first; of many the newest
 */
export async function neededSnapshots(
  rows: Pick<QueryNeeds['rows'], 'snapshots'>,
  tenant: string,
  correlation_id: string,
): Promise<{ own: Snapshot[]; earlier: Snapshot[] }> {
  const own = await rows.snapshots(tenant, { correlation_id, limit: HISTORY_SNAPSHOTS_MAX });
  const seen = new Map<string, Snapshot>();
  const read = async (query: EarlierQuery) => {
    const found = await rows.snapshots(tenant, query);
    for (const snapshot of found) seen.set(snapshot.id, snapshot);
    return found;
  };
  const used = new Set<string>();
  for (const snapshot of own) {
    const [whole] = await assembled([snapshot], read);
    const before = await assembledBefore(snapshot, read);
    for (const id of [...whole!.assembled_from, ...(before?.assembled_from ?? [])]) used.add(id);
  }
  for (const { id } of own) used.delete(id);
  return { own, earlier: [...used].flatMap((id) => seen.get(id) ?? []) };
}

// Snapshots that one component takes in one nanosecond.
const AT_ONE_INSTANT = 50;
const HISTORY_SNAPSHOTS_MAX = 1000;

/** @param states by time, of any nodes and names */
function keyChanges(states: readonly AssembledSnapshot[], steps: readonly (string | number)[]): KeyChange[] {
  const changes: KeyChange[] = [];
  const last = new Map<string, Json | undefined>();
  for (const state of states) {
    const chain = stateKey(state);
    const value = valueAt(state.state_data, steps);
    const from = last.get(chain);
    const isFirst = !last.has(chain);
    last.set(chain, value);
    if (isFirst ? value === undefined : jsonEqual(from, value)) continue;
    changes.push({
      ...{ snapshot_id: state.id, timestamp: formatNanos(state.time), node_id: state.node_id },
      ...{ state_name: state.state_name ?? null, operation_id: state.operation_id, complete: state.complete },
      ...(value !== undefined && { value }),
      ...(from !== undefined && { from }),
    });
  }
  return changes;
}
