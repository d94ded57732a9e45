/** Operations: how far one has come, and which are under way now. */
import { NANOS_PER_MINUTE, parseNanos } from '../model/time.ts';
import { type Answer, beginReading, coverageOf, notFound, readAll } from './answer.ts';
import { COUNTED_TYPES, isError } from './counts.ts';
import type { QueryNeeds } from './needs.ts';
import { parseWindow, rangeOr, type TimeRangeInput } from './params.ts';
import { type Progress, progressOf } from './progress.ts';

export interface OperationProgress extends Progress {
  operation_id: string;
}

export interface ActiveOperation {
  correlation_id: string;
  /** `errors` when one of its events is an error, else `stalled` after a minute without any. */
  status: 'active' | 'stalled' | 'errors';
  /** Of its events in the range. */
  started_at: string;
  last_activity: string;
  event_count: number;
  error_count: number;
}

export interface OperationAnswers {
  /** @param id of an operation; of a correlation where no operation has it  @throws DebugError NOT_FOUND */
  progress(tenant: string, id: string): Promise<Answer<OperationProgress>>;
  /** The latest active first; without a range, of the last five minutes. @param limit 1 to 1000 */
  activeOperations(tenant: string, request: TimeRangeInput & { limit: number }): Promise<Answer<ActiveOperation[]>>;
}

export function createOperationAnswers(needs: QueryNeeds): OperationAnswers {
  return {
    async progress(tenant, id) {
      const reading = await beginReading(needs);
      const read =
        (await someEvents({ tenant, operation_id: id })) ?? (await someEvents({ tenant, correlation_id: id }));
      if (read === null) throw notFound('OPERATION', `operation ${id}`);
      return reading.answer(
        { operation_id: id, ...progressOf(read.events) },
        { truncated: read.truncated, coverage: coverageOf(read) },
      );
    },

    async activeOperations(tenant, { limit, ...range }) {
      const reading = await beginReading(needs);
      const { operations, truncated } = await activeOperations(needs, tenant, reading.now, range);
      const shown = operations.slice(0, limit);
      return reading.answer(shown, { truncated: truncated || operations.length > limit });
    },
  };

  async function someEvents(query: { tenant: string; operation_id?: string; correlation_id?: string }) {
    const read = await readAll(needs.events, query, OPERATION_EVENTS_MAX);
    return read.events.length === 0 ? null : read;
  }
}

/** Grouped by correlation: what had an event in the range, the last five minutes where none is given. */
export async function activeOperations(
  needs: Pick<QueryNeeds, 'events'>,
  tenant: string,
  now: bigint,
  range: TimeRangeInput = {},
): Promise<{ operations: ActiveOperation[]; truncated: boolean }> {
  const window = parseWindow(rangeOr(range, '5m'), now);
  const { events, truncated } = await readAll(
    needs.events,
    { tenant, ...window, event_types: COUNTED_TYPES },
    ACTIVE_EVENTS_MAX,
  );
  const operations = new Map<string, ActiveOperation>();
  for (const event of events) {
    const { correlation_id, timestamp } = event;
    if (correlation_id === null) continue;
    let operation = operations.get(correlation_id);
    if (operation === undefined) {
      const status = now - parseNanos(timestamp)! > STALLED_NANOS ? 'stalled' : 'active';
      operation = {
        correlation_id,
        status,
        started_at: timestamp,
        last_activity: timestamp,
        event_count: 0,
        error_count: 0,
      };
      operations.set(correlation_id, operation);
    }
    operation.event_count++;
    operation.started_at = timestamp; // they come newest first
    if (isError(event)) {
      operation.error_count++;
      operation.status = 'errors';
    }
  }
  return { operations: [...operations.values()], truncated };
}

const STALLED_NANOS = NANOS_PER_MINUTE;
// Decoded in some 50 ms; a busier system has more active operations than anybody would read, and the answer says it is cut.
const ACTIVE_EVENTS_MAX = 5000;
const OPERATION_EVENTS_MAX = 10_000;
