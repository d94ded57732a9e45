/** State snapshots: posted, and the latest one at any time, each with what it changed. */
import { randomUUID } from 'node:crypto';
import { eventId } from '../model/ids.ts';
import type { JsonObject } from '../model/json.ts';
import type { Snapshot, SnapshotType } from '../model/snapshot.ts';
import { diffStates, type StateDiff } from '../model/state-diff.ts';
import { formatNanos } from '../model/time.ts';
import { indexRequest } from '../otlp/walk.ts';
import type { SnapshotQuery } from '../storage/contract.ts';
import { type Answer, beginReading, notFound } from './answer.ts';
import type { QueryNeeds } from './needs.ts';
import { parseTime } from './params.ts';
import { encodeState, type PostedState } from './records.ts';

export interface StateRequest {
  component_type: string;
  component_id: string;
  operation_id?: string | undefined;
  checkpoint_name?: string | undefined;
  /** RFC 3339: the latest at that time. Absent: the latest. */
  at?: string | undefined;
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
  snapshot_type: SnapshotType;
  state_data: JsonObject;
  /** Against the one before of the same component, node and operation; null when there is none. */
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
}

export function createStateAnswers(needs: QueryNeeds): StateAnswers {
  const { rows, clock } = needs;
  return {
    async postState(tenant, posted, key = randomUUID()) {
      const time = posted.timestamp == null ? clock.nowNanos() : parseTime('timestamp', posted.timestamp);
      const body = encodeState({ posted, time, postId: key }, needs.keys);
      const [record] = indexRequest('log', body).records;
      const snapshot_id = eventId(record!.time, record!.hash);
      await needs.ingest(tenant, [body]);
      const reading = await beginReading(needs);
      const { component_type, component_id, operation_id } = posted;
      const stored = await rows.snapshots(tenant, {
        component_type,
        component_id,
        operation_id,
        end: time,
        limit: LOOK_BACK,
      });
      const snapshot = stored.find((candidate) => candidate.id === snapshot_id);
      // Not there yet only while the store is away: the post is safe in the journal, and the answer says what is pending.
      const diff_from_previous = snapshot === undefined ? null : diffOf(snapshot, stored);
      return reading.answer({ snapshot_id, diff_from_previous });
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
  };
}

/** A snapshot as answers show it, compared with the one before it. */
export async function describeSnapshot(
  rows: Pick<QueryNeeds['rows'], 'snapshots'>,
  tenant: string,
  snapshot: Snapshot,
): Promise<SnapshotView> {
  const { time, state_data, ...plain } = snapshot;
  const earlier = await rows.snapshots(tenant, {
    component_type: snapshot.component_type,
    component_id: snapshot.component_id,
    ...(snapshot.operation_id !== null && { operation_id: snapshot.operation_id }),
    ...(snapshot.node_id !== null && { node_id: snapshot.node_id }),
    end: time,
    limit: LOOK_BACK,
  });
  return { ...plain, state_data, diff_from_previous: diffOf(snapshot, earlier), timestamp: formatNanos(time) };
}

// The one before is among the next few: what else matches are snapshots of the same instant, or of other nodes or operations
// where this one names none.
const LOOK_BACK = 50;

function diffOf(snapshot: Snapshot, newestFirst: readonly Snapshot[]): StateDiff | null {
  const previous = newestFirst.find(
    (candidate) =>
      candidate.node_id === snapshot.node_id &&
      candidate.operation_id === snapshot.operation_id &&
      (candidate.time < snapshot.time || (candidate.time === snapshot.time && candidate.id < snapshot.id)),
  );
  const isWhole = snapshot.snapshot_type === 'full';
  return previous === undefined ? null : diffStates(previous.state_data, snapshot.state_data, isWhole);
}
