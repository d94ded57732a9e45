/** How far a failure spread: which components it reached, how soon after it began, and which operations of the outside failed with it. */
import type { JsonObject } from '../model/json.ts';
import { isError, stepOf } from './event-facts.ts';
import type { FailedOperation } from './failures/find.ts';
import { wholeOperation } from './timing.ts';
import { type Correlation, componentKey, timeOf, type Window } from './window.ts';

/**
 * @param failed operations with the same origin
 * @returns `components` in the order in which it reached them, the origin first: in how many operations, and after how many milliseconds at the
 * earliest; `operations` of the outside by how many of their runs in the window failed; both at most ten
 */
export function blastRadiusOf(failed: readonly FailedOperation[], window: Window): JsonObject {
  const reached = new Map<string, { operations: number; afterMs: number }>();
  for (const { failure } of failed) {
    const began = timeOf(failure.origin);
    for (const component of failure.components) {
      const key = componentKey(component);
      const own = failure.errors.find((event) => componentKey(event) === key);
      // Clocks of nodes differ: nothing is reached before it began.
      const afterMs = own === undefined ? 0 : Math.max(Number(timeOf(own) - began) / 1e6, 0);
      const known = reached.get(key);
      if (known === undefined) reached.set(key, { operations: 1, afterMs });
      else {
        known.operations++;
        known.afterMs = Math.min(known.afterMs, afterMs);
      }
    }
  }
  const hit = new Set(failed.filter(({ failure }) => failure.fatal).map(({ correlation }) => correlation));
  const entries = new Map([...hit].map((correlation) => [entryOf(correlation), { failed: 0, runs: 0 }]));
  for (const correlation of window.correlations) {
    const entry = entries.get(entryOf(correlation));
    if (entry === undefined) continue;
    entry.runs++;
    if (hit.has(correlation)) entry.failed++;
  }
  return {
    components: [...reached].slice(0, SHOWN_MAX).map(([component, { operations, afterMs }]) => ({
      component,
      operations,
      after_ms: Math.round(afterMs * 1000) / 1000,
    })),
    component_count: reached.size,
    operations: [...entries]
      .sort((a, b) => b[1].failed - a[1].failed)
      .slice(0, SHOWN_MAX)
      .map(([operation, counts]) => ({ operation, ...counts })),
  };
}

const SHOWN_MAX = 10;

function entryOf(correlation: Correlation): string {
  let entry = entries.get(correlation);
  if (entry === undefined) entries.set(correlation, (entry = nameOf(correlation)));
  return entry;
}

// Each finding of a window asks for all of them.
const entries = new WeakMap<Correlation, string>();

function nameOf({ traces, events }: Correlation): string {
  for (const trace of traces) {
    const root = wholeOperation(trace);
    if (root !== null) return `${componentKey(root.span.event)} ${stepOf(root.span.event)}`;
  }
  const first = events.find((event) => !isError(event)) ?? events[0]!;
  return `${componentKey(first)} ${stepOf(first)}`;
}
