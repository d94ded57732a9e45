/** What is to be written on its way to another thread: plain data, in which the sketches of a flush are their bytes. */
import { Sketch } from '../../model/sketch.ts';
import type { Flush } from '../contract.ts';

/** A flush, or an hour that is to be counted. */
export type WriteMessage = FlushMessage | { tenant: string; hour: bigint };

export interface FlushMessage {
  flush: Omit<Flush, 'componentMinutes' | 'edgeMinutes'>;
  componentMinutes: readonly WithBytes<Flush['componentMinutes'][number]>[];
  edgeMinutes: readonly WithBytes<Flush['edgeMinutes'][number]>[];
  /** Nanoseconds. */
  now: bigint;
}

type WithBytes<Row extends { latency: Sketch }> = Omit<Row, 'latency'> & { latency: Uint8Array };

export function messageOf({ componentMinutes, edgeMinutes, ...flush }: Flush, now: bigint): FlushMessage {
  return {
    flush,
    componentMinutes: componentMinutes.map((row) => ({ ...row, latency: row.latency.toBytes() })),
    edgeMinutes: edgeMinutes.map((row) => ({ ...row, latency: row.latency.toBytes() })),
    now,
  };
}

export function flushOf({ flush, componentMinutes, edgeMinutes }: FlushMessage): Flush {
  return {
    ...flush,
    componentMinutes: componentMinutes.map((row) => ({ ...row, latency: Sketch.fromBytes(row.latency) })),
    edgeMinutes: edgeMinutes.map((row) => ({ ...row, latency: Sketch.fromBytes(row.latency) })),
  };
}
