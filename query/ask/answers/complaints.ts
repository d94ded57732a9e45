/** Errors and other records by what they complain of: how they are found, grouped and shown, and what came after the newest. */
import type { ComponentRef } from '../../../model/block.ts';
import { type DebugEvent, EVENT_TYPES } from '../../../model/event.ts';
import { formatNanos, parseNanos } from '../../../model/time.ts';
import { clockTime, componentName, plural, refName } from '../../agent/say.ts';
import { type DraftItem, quote } from '../../budget.ts';
import type { EventFilter } from '../../events.ts';
import type { TimeRangeInput } from '../../params.ts';
import { type Asking, whichOf } from '../reply.ts';
import type { Saying } from '../sayings.ts';

/** The most frequent first; behind all that say something, spans of which only the name is known. */
export function byComplaint(events: readonly DebugEvent[]): [DebugEvent, ...DebugEvent[]][] {
  const groups = [...Map.groupBy(events, complaintOf).values()] as [DebugEvent, ...DebugEvent[]][];
  const isMute = ([{ span, name, message }]: readonly [DebugEvent, ...DebugEvent[]]) =>
    span !== undefined && message === name;
  return groups.sort((a, b) => Number(isMute(a)) - Number(isMute(b)) || b.length - a.length);
}

/** By operation: what one correlation holds, or each of its operations where it holds several. What belongs to none is left out. */
export function operationsIn(events: readonly DebugEvent[]): DebugEvent[][] {
  const correlations = Map.groupBy(events, ({ correlation_id }) => correlation_id);
  correlations.delete(null);
  return [...correlations.values()].flatMap((all) => {
    const operations = Map.groupBy(all, ({ operation_id }) => operation_id);
    operations.delete(null);
    return operations.size > 1 ? [...operations.values()] : [all];
  });
}

/** How many of the operations that a component, or anybody, took part in met an error there; null where there are none. */
export async function failedOperations(
  { facts, tenant }: Asking,
  ref: ComponentRef | null,
  range: TimeRangeInput,
): Promise<{ failed: number; all: number; words: string; example: string } | null> {
  const which = ref === null ? {} : whichOf(ref);
  const { data, meta } = await facts.events(tenant, { ...which, ...range, event_type: TOLD_TYPES, limit: EVENTS_MAX });
  const operations = operationsIn(data);
  const isError = ({ level }: DebugEvent) => level === 'ERROR' || level === 'CRITICAL';
  const failed = operations.filter((events) => events.some(isError));
  const example = failed[0]?.find(isError) ?? operations[0]?.[0];
  if (example === undefined) return null;
  const newest = meta.truncated ? 'the newest ' : '';
  const words = `${failed.length} of ${newest}${plural(operations.length, 'operation')}`;
  return { failed: failed.length, all: operations.length, words, example: example.id };
}

/** Metrics are of no operation. */
const TOLD_TYPES = EVENT_TYPES.filter((type) => type !== 'metric');
const EVENTS_MAX = 1000;

export function complaintOf({ component_type, component_id, template_id, message }: DebugEvent): string {
  return JSON.stringify([component_type, component_id, template_id ?? message]);
}

export function complaintItem(events: readonly DebugEvent[]): DraftItem {
  const [{ component_type, component_id, message, id }] = events as [DebugEvent];
  const head = `${events.length}x ${componentName(component_type, component_id)} ${quote(message, 160)}`;
  return { forms: [`${head} e.g. ${id}`, head] };
}

/** What was said is found by its template, and by its text where none was mined. */
export function saidFilter(said: Saying | null, text: string | null): EventFilter {
  if (said?.template_id != null) return { template_id: said.template_id };
  return text === null ? {} : { q: text };
}

export function refsOf(events: readonly DebugEvent[]): ComponentRef[] {
  const refs = events.map(({ component_type: type, component_id: id }) => ({ type, id }));
  return [...new Map(refs.map((ref) => [refName(ref), ref])).values()];
}

/** Whether it goes on: how much its component said since, and that in words. Null where that is nothing that could tell. */
export async function eventsAfter(
  { facts, tenant }: Asking,
  newest: DebugEvent,
): Promise<{ count: number; words: string } | null> {
  const ref = { type: newest.component_type, id: newest.component_id };
  const start = formatNanos(parseNanos(newest.timestamp)! + 1n);
  const { data, meta } = await facts.events(tenant, { ...whichOf(ref), start, limit: AFTER_MAX });
  if (data.length === 0) return null;
  const count = meta.truncated ? `over ${AFTER_MAX} other events` : plural(data.length, 'other event');
  const words = `Since then ${refName(ref)} had ${count}, the newest at ${clockTime(data[0]!.timestamp, meta.as_of)}.`;
  return { count: data.length, words };
}

const AFTER_MAX = 100;
