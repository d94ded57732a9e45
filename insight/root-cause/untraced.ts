/** Errors of records that belong to no trace or correlation: what is new is blamed on whoever said it, on the first the most. */
import type { DebugEvent } from '../../model/event.ts';
import { isError } from '../event-facts.ts';
import { componentKey, componentOf } from '../window.ts';
import type { Background } from './background.ts';
import type { Calls, Component } from './calls.ts';

export interface UntracedErrors {
  component: Component;
  count: number;
  /** 0 to 1; over all components at most 1. */
  blamed: number;
  evidence: DebugEvent[];
}

/** @returns the one that erred first first */
export function untracedErrors(window: Calls, background: Background): UntracedErrors[] {
  const byComponent = new Map<string, UntracedErrors>();
  for (const event of window.loose) {
    if (!isError(event) || background.noveltyOf(event) <= 0) continue;
    const key = componentKey(event);
    let known = byComponent.get(key);
    if (known === undefined) {
      byComponent.set(key, (known = { component: { ...componentOf(event), key }, count: 0, blamed: 0, evidence: [] }));
    }
    known.count++;
    if (known.evidence.length < EVIDENCE_MAX) known.evidence.push(event);
  }
  let left = 1;
  for (const errors of byComponent.values()) {
    // An error that came once may be chance; one that keeps coming is not.
    errors.blamed = left * (1 - 0.5 ** errors.count) * FIRST;
    left -= errors.blamed;
  }
  return [...byComponent.values()];
}

// Who errs first is more often the cause than not; more than order there is nothing to go by.
const FIRST = 0.5;
const EVIDENCE_MAX = 5;
