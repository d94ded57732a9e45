/** From one error to what is behind it. */
import type { ComponentRef } from '../model/block.ts';
import type { DebugEvent } from '../model/event.ts';
import type { Insight } from '../model/insight.ts';
import type { Budget } from './analyzer.ts';
import type { Failure } from './failures/failure.ts';
import { failuresOf } from './failures/find.ts';
import type { Finding } from './finding.ts';
import { componentKey, componentOf, type Window } from './window.ts';

export interface ErrorExplanation {
  /** The finding that says most about it, as an insight that is not stored; null when there is none. */
  insight: Insight | null;
  /** From the error (first) to the earliest failure behind it (last). */
  chain: readonly DebugEvent[];
  affected_components: readonly ComponentRef[];
}

/** @param window the error's correlation  @param findings what the analyzers found in it, in their order */
export async function explainError(
  event: DebugEvent,
  window: Window,
  findings: readonly Finding[],
  toInsight: (finding: Finding) => Promise<Insight>,
): Promise<ErrorExplanation> {
  const failure = failuresOf(window, UNBOUNDED)
    .map((each) => each.failure)
    .find((each) => involves(each, event));
  if (failure === undefined) return { insight: null, chain: [event], affected_components: [componentOf(event)] };
  const culprit = componentKey(failure.culprit);
  const about = findings.filter(
    (finding) =>
      finding.insight_type !== 'performance' &&
      (finding.evidence.event_ids.includes(event.id) ||
        (componentKey(finding.where) === culprit && finding.evidence.event_ids.includes(failure.origin.id))),
  );
  // Analyzers run in the order in which they name a culprit.
  const [first] = about;
  return {
    insight: first === undefined ? null : await toInsight(first),
    chain: chainFrom(event, failure),
    affected_components: failure.components,
  };
}

// The correlation was read within bounds, and its failures have mostly been found by an analyzer already.
const UNBOUNDED: Budget = { check() {} };

function involves({ errors, chain }: Failure, event: DebugEvent): boolean {
  return errors.some(({ id }) => id === event.id) || chain.some(({ id }) => id === event.id);
}

/** The part of the failure's chain behind the event; it joins where its component does. */
function chainFrom(event: DebugEvent, { chain, origin }: Failure): DebugEvent[] {
  if (event.id === origin.id) return [event];
  const own = chain.findIndex(({ id }) => id === event.id);
  if (own >= 0) return chain.slice(own);
  const component = componentKey(event);
  const joined = chain.findLastIndex((link) => componentKey(link) === component);
  const rest = joined < 0 ? [origin] : chain.slice(joined).filter((link) => componentKey(link) !== component);
  return [event, ...(rest.length > 0 ? rest : [origin])];
}
