/**
 * One look: reads a window, runs the analyzers over it and says what they found. It changes nothing, and what goes in and comes out is plain
 * data, so that it may run in another thread than what keeps the findings.
 */
import type { Clock } from '../base/clock.ts';
import { createPause } from '../base/pause.ts';
import type { ComponentRef } from '../model/block.ts';
import type { Insight, Since } from '../model/insight.ts';
import { formatNanos } from '../model/time.ts';
import { type Analyzer, type Budget, BudgetSpent, type Need } from './analyzer.ts';
import type { Finding } from './finding.ts';
import { readWindow } from './read-window.ts';
import type { Reader, Scope } from './reader.ts';
import { contextOf, whatRanSince } from './resolutions.ts';
import { traceTreesOf, type Window } from './window.ts';

export interface LookRequest {
  scope: Scope;
  now: bigint;
  /** What may be fixed: resolved, or not seen for a while. */
  known: readonly Insight[];
}

export interface Looked {
  /** Those that touch the scope, each with what was being done when it was found. */
  findings: Finding[];
  /** By the id of a known insight: what ran since it was resolved or last seen. Only where that is news. */
  since: Map<string, Since>;
  /** Inputs that could not be read, and why; analyzers that need them were left out. */
  unread: Map<Need, unknown>;
  runs: AnalyzerRun[];
}

export interface AnalyzerRun {
  analyzer: string;
  outcome: 'done' | 'left_out' | 'out_of_time' | 'failed';
  /** Why it was out of time or failed. */
  error?: unknown;
}

/** @throws what the reader throws when the events themselves cannot be read */
export type Look = (request: LookRequest) => Promise<Looked>;

export function createLook(options: { reader: Reader; analyzers: readonly Analyzer[]; clock: Clock }): Look {
  const { reader, analyzers, clock } = options;
  const needs = new Set<Need>(analyzers.flatMap((analyzer) => analyzer.needs));
  return async ({ scope, now, known }) => {
    const { window, failed } = await readWindow(reader, scope, needs, now);
    const isReady = (analyzer: Analyzer) => analyzer.needs.every((need) => !failed.has(need));
    const { findings, runs } = await analyze(window, analyzers, clock, isReady);
    const about = findings.filter((finding) => touches(finding, scope));
    return {
      findings: about.map((finding) => withContext(finding, window)),
      since: ranSince(known, window),
      unread: new Map(failed),
      runs,
    };
  };
}

/** One analyzer after the other, with pauses between. One that fails or takes too long costs its own findings. */
export async function analyze(
  window: Window,
  analyzers: readonly Analyzer[],
  clock: Clock,
  isReady: (analyzer: Analyzer) => boolean,
): Promise<{ findings: Finding[]; runs: AnalyzerRun[] }> {
  const pause = createPause();
  const findings: Finding[] = [];
  const runs: AnalyzerRun[] = [];
  for (const _ of traceTreesOf(window)) await pause();
  for (const analyzer of analyzers) {
    const { name } = analyzer;
    if (!isReady(analyzer)) {
      runs.push({ analyzer: name, outcome: 'left_out' });
      continue;
    }
    await pause();
    try {
      findings.push(...analyzer.analyze(window, budgetUntil(clock, clock.monotonicMs() + ANALYZER_MS)));
      runs.push({ analyzer: name, outcome: 'done' });
    } catch (error) {
      runs.push({ analyzer: name, outcome: error instanceof BudgetSpent ? 'out_of_time' : 'failed', error });
    }
  }
  return { findings, runs };
}

// Ten times what the largest window has taken; a whole run stays under two seconds when all but one behave.
const ANALYZER_MS = 1000;

/** @param deadlineMs of the clock's monotonic time */
export function budgetUntil(clock: Clock, deadlineMs: number): Budget {
  return {
    check() {
      if (clock.monotonicMs() > deadlineMs) throw new BudgetSpent('an analyzer took too long');
    },
  };
}

function ranSince(known: readonly Insight[], window: Window): Map<string, Since> {
  const until = formatNanos(window.asOf);
  const since = new Map<string, Since>();
  for (const insight of known) {
    const ran = whatRanSince(insight, window, until);
    if (ran !== null) since.set(insight.id, ran);
  }
  return since;
}

function withContext(finding: Finding, window: Window): Finding {
  const context = contextOf(finding, window);
  if (context === null) return finding;
  const { evidence } = finding;
  return { ...finding, evidence: { ...evidence, numbers: { ...evidence.numbers, context } } };
}

/** Of a window that was asked for by component, only what has to do with it. */
function touches({ components }: Finding, { component_type, component_id }: Scope): boolean {
  const fits = ({ type, id }: ComponentRef) => (component_type ?? type) === type && (component_id ?? id) === id;
  return components.some(fits);
}
