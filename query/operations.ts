/** Operations: how far one has come, and which are under way now. */
import { SEVERITY_ERROR } from '../model/event.ts';
import { formatNanos, NANOS_PER_MINUTE } from '../model/time.ts';
import { type Answer, beginReading, coverageOf, notFound, readAll } from './answer.ts';
import { COUNTED_TYPES } from './counts.ts';
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

/**
 * Grouped by correlation: what had an event in the range, the last five minutes where none is given. Counted in columns, no record is
 * decoded: health asks for their number each time.
 */
export async function activeOperations(
  needs: Pick<QueryNeeds, 'events' | 'rows'>,
  tenant: string,
  now: bigint,
  range: TimeRangeInput = {},
): Promise<{ operations: ActiveOperation[]; truncated: boolean }> {
  const window = parseWindow(rangeOr(range, '5m'), now);
  const named = new Map<string, Activity>();
  const traced = new Map<string, Activity>();
  let events = 0;
  await needs.events.scan({ tenant, ...window, event_types: COUNTED_TYPES }, ({ header, columns }, i) => {
    if (++events > ACTIVE_EVENTS_MAX) return false;
    const [correlation, trace] = [columns.correlation[i]!, columns.trace[i]!];
    const event = { first: columns.time[i]!, last: columns.time[i]!, events: 1, errors: 0 };
    if (columns.severity[i]! >= SEVERITY_ERROR) event.errors = 1;
    if (correlation !== 0) add(named, header.correlations[correlation - 1]!, event);
    else if (trace !== 0) add(traced, header.traces[trace - 1]!, event);
    return true;
  });
  const known = traced.size === 0 ? [] : await needs.rows.traceCorrelations(tenant, { traces: [...traced.keys()] });
  const correlations = new Map(known.map(({ trace_id, correlation_id }) => [trace_id, correlation_id]));
  for (const [trace, activity] of traced) add(named, correlations.get(trace) ?? trace, activity);
  const latestFirst = [...named].sort(([, a], [, b]) => (a.last < b.last ? 1 : a.last > b.last ? -1 : 0));
  return {
    operations: latestFirst.map(([correlation_id, { first, last, events, errors }]) => ({
      correlation_id,
      status: errors > 0 ? 'errors' : now - last > STALLED_NANOS ? 'stalled' : 'active',
      started_at: formatNanos(first),
      last_activity: formatNanos(last),
      event_count: events,
      error_count: errors,
    })),
    truncated: events > ACTIVE_EVENTS_MAX,
  };
}

/** Times in nanoseconds. */
interface Activity {
  first: bigint;
  last: bigint;
  events: number;
  errors: number;
}

function add(to: Map<string, Activity>, correlation: string, more: Activity): void {
  const known = to.get(correlation);
  if (known === undefined) {
    to.set(correlation, more);
    return;
  }
  if (more.first < known.first) known.first = more.first;
  if (more.last > known.last) known.last = more.last;
  known.events += more.events;
  known.errors += more.errors;
}

const STALLED_NANOS = NANOS_PER_MINUTE;
// A busier system has more active operations than anybody would read, and the answer says it is cut.
const ACTIVE_EVENTS_MAX = 50_000;
const OPERATION_EVENTS_MAX = 10_000;
