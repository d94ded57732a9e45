/**
 * An analyzer looks at one window (a time range, or one correlation or operation) and says what it finds. It is pure: the same window
 * gives the same findings, and nothing is read or written while it runs, so the same function runs in the engine, in tests
 * and in the evaluation on labelled data.
 */
import type { Finding } from './finding.ts';
import type { Window } from './window.ts';

export interface Analyzer {
  /** Names the file; stands first in the fingerprint of what it finds, so it never changes. */
  readonly name: string;
  /** What the engine must have read before; it is not run when one of them could not be read. */
  readonly needs: readonly Need[];
  /**
   * MUST be linear in the window, up to sorting, and SHOULD call `budget.check` once per correlation, series or component.
   * @throws BudgetSpent from `budget.check` when its time is over
   */
  analyze(window: Window, budget: Budget): Finding[];
}

/**
 * `events`: of the window; `snapshots`: of the window; `baseline`: spans before the window; `templates`: counts per minute; `minutes`:
 * counts per component and per template of the window and the time before; `metrics`: how full things are, and were in the week before;
 * `series`: all metrics of the last hour.
 */
export type Need = 'events' | 'snapshots' | 'baseline' | 'templates' | 'minutes' | 'metrics' | 'series';

/** An analyzer's time: JavaScript that does not return cannot be stopped from outside, so it asks. */
export interface Budget {
  /** @throws BudgetSpent */
  check(): void;
}

export class BudgetSpent extends Error {
  override name = 'BudgetSpent';
}
