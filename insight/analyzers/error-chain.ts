/**
 * Where a failure began: the chain from what the outside saw to the earliest failing ancestor, through spans, parent links and, where
 * neither is there, time; and whom it reached. How the origin is found stands in failures/. A single error that led to
 * nothing is no chain.
 */
import type { DebugEvent } from '../../model/event.ts';
import type { Suggestion } from '../../model/insight.ts';
import type { Analyzer } from '../analyzer.ts';
import { blastRadiusOf } from '../blast-radius.ts';
import { codeOf } from '../code-pointer.ts';
import { patternOf, wordsOf } from '../event-facts.ts';
import type { Failure } from '../failures/failure.ts';
import type { FailedOperation } from '../failures/find.ts';
import { commonOperation, confidenceOf, evidenceOf, type Finding, sampleSignal } from '../finding.ts';
import { describeEndured, type Endured, failureGroups } from '../harm.ts';
import { patternId } from '../templates.ts';
import { componentKey, type Window } from '../window.ts';

export const errorChain: Analyzer = {
  name: 'error-chain',
  needs: ['events', 'baseline'],
  analyze(window, budget) {
    return failureGroups(window, budget).flatMap(({ failures, endured }) => {
      const chains = failures.filter(({ failure }) => failure.chain.length > 1);
      return chains.length === 0 ? [] : [chainFinding(chains, endured, window)];
    });
  },
};

/** How far the order of a chain can be trusted: a call tree says who waited for whom, time alone is often chance. */
const BASIS_SIGNAL: Readonly<Record<Failure['basis'], number>> = {
  spans: 0.85,
  parent_links: 0.8,
  names: 0.75,
  time: 0.7,
  alone: 0.5,
};

function chainFinding(group: readonly FailedOperation[], endured: Endured | null, window: Window): Finding {
  // The longest chain tells most.
  const { correlation, failure } = group.reduce((a, b) => (b.failure.chain.length > a.failure.chain.length ? b : a));
  const { origin, culprit, culpritNode, chain, components } = failure;
  const symptom = chain[0]!;
  const latest = group.at(-1)!;
  const events = group.flatMap((failed) => failed.failure.errors);
  const where = culpritNode === null ? componentKey(culprit) : `${componentKey(culprit)} (node ${culpritNode})`;
  const times = group.length === 1 ? '' : ` in ${group.length} operations`;
  const words = wordsOf(origin);
  // An exception recorded beside the words that came first has the stack.
  const code = codeOf([origin, ...[...chain].reverse(), ...events]);
  return {
    analyzer: errorChain.name,
    what: patternId(patternOf(origin)),
    where: culprit,
    insight_type: 'error',
    severity: endured !== null ? 'info' : group.some((failed) => failed.failure.fatal) ? 'critical' : 'warning',
    title: `${componentKey(culprit)} ${failure.silent ? 'did not answer' : 'failed first'}: ${words}`,
    summary: `The failure began in ${where}${times}: "${words}". It reached ${components.slice(1, 5).map(componentKey).join(', ') || 'no other component'}.`,
    description: `${describe(failure, where)} The chain, from what was seen to where it began: ${chain.map(link).join(' ← ')}.${endured === null ? '' : ` ${describeEndured(endured)}`}`,
    components,
    correlation_id: latest.correlation.id,
    operation_id: commonOperation(events),
    evidence: evidenceOf([...chain].reverse().concat(events), {
      root_cause: { event_id: origin.id, component: componentKey(culprit), node_id: culpritNode, message: words },
      propagation_chain: chain
        .slice(0, 20)
        .map((event) => ({ event_id: event.id, component: componentKey(event), message: wordsOf(event) })),
      chain_length: chain.length,
      operations: group.length,
      basis: failure.basis,
      correlation_ids: [
        ...new Set([correlation, ...group.map((failed) => failed.correlation)].map(({ id }) => id)),
      ].slice(-10),
      ...(failure.dependency !== null && { dependency: failure.dependency }),
      blast_radius: blastRadiusOf(group, window),
      ...code.numbers,
    }),
    confidence: confidenceOf([
      BASIS_SIGNAL[failure.basis],
      origin.span === undefined ? 0.3 : 0,
      sampleSignal(group.length - 1, 3),
    ]),
    times: group.map((failed) => failed.failure.origin.timestamp).sort(),
    symptoms: [words, wordsOf(symptom)],
    suggestions: [...code.suggestions, ...lookAtCallee(failure)],
  };
}

function describe({ origin, silent, dependency }: Failure, where: string): string {
  if (silent && dependency !== null)
    return `Calls to ${dependency}, where ${where} answers otherwise, failed, and nothing was heard from behind it.`;
  if (silent)
    return `${where} did not report an error of its own, but its caller gave up on it or got a server error from it, at ${origin.timestamp}.`;
  return `${where} failed first, at ${origin.timestamp}: ${wordsOf(origin)}.`;
}

function link(event: DebugEvent): string {
  return `${componentKey(event)} "${wordsOf(event)}"`;
}

function lookAtCallee({ dependency, silent }: Failure): Suggestion[] {
  if (dependency === null) return [];
  const why = silent
    ? 'nothing answered there, and something used to'
    : 'the last call of the chain went there, and nothing behind it reports';
  return [{ action: `Check whether ${dependency} is up and reachable`, why, source: 'known_cause' }];
}
