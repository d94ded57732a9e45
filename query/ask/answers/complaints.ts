/** Errors and other records by what they complain of: how they are found, grouped and shown, and what came after the newest. */
import type { ComponentRef } from '../../../model/block.ts';
import type { DebugEvent } from '../../../model/event.ts';
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

/** How many of the operations that a component, or anybody, took part in met an error there, of the newest 1,000 events. */
export async function failedOperations(
  { facts, tenant }: Asking,
  ref: ComponentRef | null,
  range: TimeRangeInput,
): Promise<{ failed: number; all: number; example: string } | null> {
  const { data } = await facts.events(tenant, { ...(ref !== null && whichOf(ref)), ...range, limit: EVENTS_MAX });
  const operations = Map.groupBy(data, ({ operation_id, correlation_id, id }) => operation_id ?? correlation_id ?? id);
  const isError = ({ level }: DebugEvent) => level === 'ERROR' || level === 'CRITICAL';
  const failed = [...operations.values()].filter((events) => events.some(isError));
  const example = failed[0]?.find(isError) ?? data[0];
  return example === undefined ? null : { failed: failed.length, all: operations.size, example: example.id };
}

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
