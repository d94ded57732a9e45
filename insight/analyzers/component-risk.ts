/**
 * Components of whose work too much is at risk: by errors, critical ones, and very slow spans of the window put together to a score of 0 to
 * 100 (prediction.ts). From 40 on it is told, from 70 on as a warning; a component without errors is never at high risk.
 */
import type { DebugEvent } from '../../model/event.ts';
import type { Analyzer } from '../analyzer.ts';
import { durationMsOf, isError, wordsOf } from '../event-facts.ts';
import { confidenceOf, evidenceOf, type Finding, latestCorrelation, round, sampleSignal } from '../finding.ts';
import { riskOf } from '../prediction.ts';
import { componentKey, componentOf, type Window } from '../window.ts';

export const componentRisk: Analyzer = {
  name: 'component-risk',
  needs: ['events'],
  analyze(window, budget) {
    const findings: Finding[] = [];
    for (const events of Map.groupBy(window.events, componentKey).values()) {
      budget.check();
      const finding = events.length < EVENTS_MIN ? null : atRisk(events, window);
      if (finding !== null) findings.push(finding);
    }
    return findings;
  },
};

const EVENTS_MIN = 10;
const SLOW_MS = 5000;

function atRisk(events: readonly DebugEvent[], window: Window): Finding | null {
  const failed = events.filter((event) => isError(event) || event.status === 'error');
  const critical = failed.filter(({ level }) => level === 'CRITICAL');
  const slow = events.filter((event) => (durationMsOf(event) ?? 0) > SLOW_MS);
  const counts = { total: events.length, errors: failed.length, critical: critical.length, slow: slow.length };
  const { score, level, urgency } = riskOf(counts);
  if (level === 'low') return null;
  const shown = [...critical, ...failed, ...slow];
  const component = componentOf(events[0]!);
  const name = componentKey(component);
  const facts = [
    `${failed.length} of ${events.length} records are errors`,
    ...(critical.length > 0 ? [`${critical.length} of them critical`] : []),
    ...(slow.length > 0 ? [`${slow.length} took over ${SLOW_MS / 1000} s`] : []),
  ].join(', ');
  return {
    analyzer: componentRisk.name,
    what: 'risk',
    where: component,
    insight_type: 'prediction',
    severity: level === 'high' ? 'warning' : 'info',
    title: `${name} is at ${level} risk (${score} of 100)`,
    summary: `${name}: ${facts}.`,
    description: `The risk of ${name} is ${score} of 100: ${facts}.`,
    components: [component],
    correlation_id: latestCorrelation(shown),
    operation_id: null,
    evidence: evidenceOf(shown, {
      risk_score: score,
      risk_level: level,
      urgency,
      error_rate: round(failed.length / events.length, 4),
      critical_rate: round(critical.length / events.length, 4),
      slow_rate: round(slow.length / events.length, 4),
      sample_count: events.length,
    }),
    confidence: confidenceOf([0.4, sampleSignal(events.length, 15)], window.coverage),
    times: shown.map(({ timestamp }) => timestamp).sort(),
    symptoms: shown.slice(0, 10).map(wordsOf),
    suggestions: [
      {
        action:
          urgency === 'immediate'
            ? `Look at ${name} now; take load from it or roll back what changed last`
            : `Look at ${name} before its next change`,
        why: facts,
        source: 'known_cause',
      },
    ],
  };
}
