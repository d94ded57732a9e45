/** placeholder while the lead writes it */
import type { BlockRecord, Signal } from '../model/block.ts';

/** What one walk over a request's bytes found. `records` still lack what only the receiver knows (receivedAt, template). */
export interface RequestIndex {
  records: IndexedRecord[];
  /** Spans, log records or data points in the request. */
  accepted: number;
  rejected: number;
  /** English, for `partial_success.error_message`; empty when nothing was rejected. */
  rejectedReason: string;
}

export interface IndexedRecord extends Omit<BlockRecord, 'receivedAt' | 'template' | 'body'> {
  x?: never;
}

/** @throws DebugError MALFORMED */
export declare function indexRequest(signal: Signal, body: Uint8Array): RequestIndex;
