/** What a sender is told whose request the journal cannot take just now. */
import { DebugError } from '../base/errors.ts';

export type Refusal = 'full' | 'disk' | 'stopping';

/** UNAVAILABLE, and when to come again. */
export function refusal(reason: Refusal, cause?: unknown): DebugError {
  const { message, retryAfterSeconds } = REFUSALS[reason];
  return new DebugError('UNAVAILABLE', message, { retryAfterSeconds, cause });
}

const REFUSALS: Record<Refusal, { message: string; retryAfterSeconds: number }> = {
  full: { message: 'the journal is full: the store does not keep up', retryAfterSeconds: 3 },
  disk: { message: 'the journal cannot write to its disk', retryAfterSeconds: 2 },
  stopping: { message: 'the receiver is stopping', retryAfterSeconds: 1 },
};
