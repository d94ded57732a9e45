/** State snapshots: what a component said its state was. */
import type { JsonObject } from './json.ts';

export const SNAPSHOT_TYPES = ['full', 'incremental', 'partial'] as const;
export type SnapshotType = (typeof SNAPSHOT_TYPES)[number];

/** One snapshot as stored; its id is the id of the event that carried it. */
export interface Snapshot {
  id: string;
  component_type: string;
  component_id: string;
  node_id: string | null;
  operation_id: string | null;
  correlation_id: string | null;
  checkpoint_name: string | null;
  /** `debug.state.name`: which of the component's states this is, where it has several. */
  state_name?: string;
  snapshot_type: SnapshotType;
  state_data: JsonObject;
  /** Nanoseconds. */
  time: bigint;
}

export interface Session {
  id: string;
  session_name: string;
  description: string | null;
  filters: JsonObject;
  /** The caller's own. */
  scope: JsonObject | string;
  active: boolean;
  created_at: string;
  closed_at: string | null;
}
