/**
 * Operations that wait for each other, so that none of them can go on. Who waits for whom, and when that is a deadlock, stands in
 * ../deadlock.ts; being long, or being many, is none.
 */
import type { ComponentRef } from '../../model/block.ts';
import type { Analyzer } from '../analyzer.ts';
import { deadlocksOf, type Wait } from '../deadlock.ts';
import { wordsOf } from '../event-facts.ts';
import { confidenceOf, evidenceOf, type Finding, round, sampleSignal } from '../finding.ts';
import { patternId, templateText } from '../templates.ts';
import { byTime, componentKey, componentOf, timeOf, type Window } from '../window.ts';

export const deadlock: Analyzer = {
  name: 'deadlock',
  needs: ['events'],
  analyze: (window, budget) => deadlocksOf(window, budget).map((circle) => deadlockFinding(circle, window)),
};

function deadlockFinding(circle: readonly Wait[], { asOf }: Window): Finding {
  const events = circle.map(({ event }) => event).sort(byTime);
  const closed = events.at(-1)!;
  const broken = circle.reduce<bigint>((first, { until }) => (until !== null && until < first ? until : first), asOf);
  const seconds = round(Number(broken - timeOf(closed)) / 1e9, 1);
  const components = [...new Map(events.map((event) => [componentKey(event), componentOf(event)])).values()];
  const operations = circle.map(({ waiter }) => waiter);
  const told = circle.map(
    ({ waiter, holder, resource }) =>
      `${waiter} waits for ${resource === null ? '' : `${resource}, held by `}${holder}`,
  );
  return {
    analyzer: deadlock.name,
    what: `deadlock ${patternId(operations.map(templateText).sort().join(' '))}`,
    where: firstOf(components),
    insight_type: 'flow',
    severity: 'critical',
    title: `Deadlock: ${operations.join(' and ')} wait for each other`,
    summary: `${told.join('; ')}. None of them went on for ${seconds} s.`,
    description: `${operations.length} operations wait for each other in a circle: ${told.join('; ')}. It closed at ${closed.timestamp} with "${wordsOf(closed)}" in ${componentKey(closed)}, and for ${seconds} s none of them went on${broken < asOf ? ', until one gave up' : ''}.`,
    components,
    correlation_id: closed.correlation_id,
    operation_id: closed.operation_id,
    evidence: evidenceOf(events, {
      operations,
      waits: circle.map(({ waiter, holder, resource }) => ({ waiter, holder, resource })),
      duration_seconds: seconds,
    }),
    confidence: confidenceOf([0.8, sampleSignal(seconds, 10) * 0.8]),
    times: [closed.timestamp],
    symptoms: ['deadlock', ...events.map(wordsOf)],
    suggestions: [
      {
        action: `End one of ${operations.join(', ')}, then have all of them take what they need in the same order`,
        why: 'a circle of waits cannot resolve by itself, and one order for all makes circles impossible',
        source: 'known_cause',
      },
    ],
  };
}

/** The same one whoever closed the circle. */
function firstOf(components: readonly ComponentRef[]): ComponentRef {
  return [...components].sort((a, b) => (componentKey(a) < componentKey(b) ? -1 : 1))[0]!;
}
