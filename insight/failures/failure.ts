/** One failure: where it began, by which way it reached whom. */
import type { ComponentRef } from '../../model/block.ts';
import type { DebugEvent } from '../../model/event.ts';
import type { SpanNode } from '../window.ts';

export interface Failure {
  /** What failed first: the error that says so, else the failing span. */
  origin: DebugEvent;
  culprit: ComponentRef;
  /** The replica, when the culprit said which. */
  culpritNode: string | null;
  /** From the symptom (what the outside saw) to the origin; the origin alone when there is nothing between. */
  chain: DebugEvent[];
  /** Everything that failed with it, by time. */
  errors: DebugEvent[];
  /** Whom it reached: the culprit first, then by the way from the origin to the symptom. */
  components: ComponentRef[];
  /** What the order of the chain rests on. */
  basis: 'alone' | 'spans' | 'parent_links' | 'names' | 'time';
  /** Nothing above it is known to have gone well. */
  fatal: boolean;
  /** The culprit did not fail by itself but did not answer in time, or at all. */
  silent: boolean;
  /** The address that the last span of the chain called, where nothing behind it reports. */
  dependency: string | null;
}

export function failedByStatus(node: SpanNode): boolean {
  return node.span.event.status === 'error';
}

export function distinctEvents(events: readonly DebugEvent[]): DebugEvent[] {
  return [...new Set(events)];
}

export function push<K, V>(lists: Map<K, V[]>, key: K, value: V): void {
  const list = lists.get(key);
  if (list === undefined) lists.set(key, [value]);
  else list.push(value);
}
