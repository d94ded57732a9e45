/** From a block back to events: records are decoded when somebody reads them, by the one code that knows OTLP. */
import type { BlockIndex } from '../model/block.ts';
import type { DebugEvent } from '../model/event.ts';

/** Reads records of one block; keeps what records share (resources, scopes, the metric around its points) decoded. */
export interface BlockRecords {
  readonly count: number;
  /**
   * The event at a position, 0 to count - 1.
   * @param traceCorrelation what is known of the correlation of a trace; used where the record names none
   */
  event(position: number, traceCorrelation: (traceId: string) => string | undefined): DebugEvent;
}

export declare function readBlock(index: BlockIndex, payload: Uint8Array): BlockRecords;
