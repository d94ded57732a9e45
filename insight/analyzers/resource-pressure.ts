/**
 * A component whose CPU, memory or other resource with an end was over 80% on average in the window. A short peak is what resources are
 * for, so the mean counts; one reading is told when it came with data of an event, as nothing else is known then.
 */
import type { Analyzer } from '../analyzer.ts';
import { confidenceOf, evidenceOf, type Finding, latestCorrelation, round, sampleSignal } from '../finding.ts';
import { type Fullness, fullnessOf, fullnessOfAmounts, type Reading } from '../fullness.ts';
import { componentKey, type Window } from '../window.ts';

export const resourcePressure: Analyzer = {
  name: 'resource-pressure',
  needs: ['events', 'metrics', 'series'],
  analyze(window, budget) {
    const findings = new Map<string, Finding>();
    for (const series of [...fullnessOf(window), ...fullnessOfAmounts(window)]) {
      budget.check();
      const readings = series.readings.filter(({ time }) => isWithin(window, time));
      const mean = meanOf(readings);
      if (readings.length < READINGS_MIN || mean <= FULL_PERCENT) continue;
      const finding = pressure(series, readings, mean);
      // Of several nodes or devices of one component the fullest speaks.
      const key = `${finding.what}\0${componentKey(series.component)}`;
      const known = findings.get(key);
      if (known === undefined || Number(known.evidence.numbers.average_percent) < mean) findings.set(key, finding);
    }
    return [...findings.values()];
  },
};

const FULL_PERCENT = 80;
const CRITICAL_PERCENT = 95;
const READINGS_MIN = 2;

function pressure({ component, nodeId, resource, fills }: Fullness, readings: Reading[], mean: number): Finding {
  const name = componentKey(component);
  const events = readings.map(({ event }) => event);
  const most = readings.reduce((a, b) => (b.percent > a.percent ? b : a));
  const percent = round(mean, 1);
  const on = nodeId === null ? name : `${name} (node ${nodeId})`;
  const above = readings.filter((reading) => reading.percent > FULL_PERCENT).length / readings.length;
  return {
    analyzer: resourcePressure.name,
    what: `high ${resource}`,
    where: component,
    insight_type: 'performance',
    severity: 'warning',
    title: `${resource} of ${name} is at ${percent}%`,
    summary: `${resource} of ${on} was at ${percent}% on average over ${readings.length} readings, at most ${round(most.percent, 1)}%.`,
    description: `${resource} of ${on} was at ${percent}% on average over ${readings.length} readings from ${events[0]!.timestamp} to ${events.at(-1)!.timestamp}, over the ${FULL_PERCENT}% from which on there is little left for a peak. The highest was ${round(most.percent, 1)}% at ${most.event.timestamp}.`,
    components: [component],
    correlation_id: latestCorrelation(events),
    operation_id: null,
    evidence: evidenceOf([most.event, ...[...events].reverse()], {
      resource,
      node: nodeId,
      average_percent: percent,
      max_percent: round(most.percent, 1),
      sample_count: readings.length,
      threshold_percent: FULL_PERCENT,
    }),
    confidence: confidenceOf([
      0.65,
      sampleSignal(readings.length, 4) / 2,
      (mean - FULL_PERCENT) / (100 - FULL_PERCENT),
      above / 3,
    ]),
    times: [events.at(-1)!.timestamp],
    symptoms: [`high ${resource}`],
    suggestions: [
      {
        action: fills
          ? `See what fills ${resource} of ${name}, and how much of it grows with each request`
          : `See what keeps ${name} busy: the operations with the most own time first`,
        why: `${percent}% on average leaves ${round(Math.max(100 - mean, 0), 1)}% for a peak`,
        source: 'known_cause',
      },
      ...(mean > CRITICAL_PERCENT
        ? [
            {
              action: `Add capacity to ${name} or take load from it until the cause is known`,
              why: 'what is full makes everything in front of it wait',
              source: 'known_cause' as const,
            },
          ]
        : []),
    ],
  };
}

function isWithin({ scope }: Window, time: bigint): boolean {
  return (scope.start === undefined || time >= scope.start) && (scope.end === undefined || time <= scope.end);
}

function meanOf(readings: readonly Reading[]): number {
  return readings.reduce((sum, { percent }) => sum + percent, 0) / readings.length;
}
