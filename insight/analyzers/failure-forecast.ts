/**
 * An operation that will likely fail again: the Beta-Binomial forecast (prediction.ts) of its runs in the window, told from one in five on:
 * as a warning from an even chance on, or where the newer half got worse beyond chance. All that went well stays low.
 */
import type { ComponentRef } from '../../model/block.ts';
import type { DebugEvent } from '../../model/event.ts';
import type { Analyzer } from '../analyzer.ts';
import { stepOf, wordsOf } from '../event-facts.ts';
import { failuresOf } from '../failures/find.ts';
import { confidenceOf, evidenceOf, type Finding, latestCorrelation, round } from '../finding.ts';
import { type FailureForecast, forecastFailure } from '../prediction.ts';
import { patternId } from '../templates.ts';
import { wholeOperation } from '../timing.ts';
import { byTime, type Correlation, componentKey, componentOf } from '../window.ts';

export const failureForecast: Analyzer = {
  name: 'failure-forecast',
  needs: ['events'],
  analyze(window, budget) {
    const failures = new Map<Correlation, DebugEvent>();
    for (const { correlation, failure } of failuresOf(window, budget))
      if (failure.fatal && !failures.has(correlation)) failures.set(correlation, failure.origin);
    const operations = Map.groupBy(
      window.correlations.map((correlation) => ({ correlation, begins: beginningOf(correlation) })),
      ({ begins }) => `${componentKey(begins)}\0${stepOf(begins)}`,
    );
    const findings: Finding[] = [];
    for (const runs of operations.values()) {
      if (runs.length < RUNS_MIN) continue;
      budget.check();
      runs.sort((a, b) => byTime(a.begins, b.begins));
      const origins = runs.map(({ correlation }) => failures.get(correlation));
      const forecast = forecastFailure(origins.map((origin) => origin !== undefined));
      if (forecast.failed === 0 || forecast.probability < TOLD_PROBABILITY_MIN) continue;
      const { begins } = runs.at(-1)!;
      const failed = origins.filter((origin) => origin !== undefined);
      findings.push(forecastFinding(componentOf(begins), stepOf(begins), forecast, failed, window.coverage));
    }
    return findings;
  },
};

const RUNS_MIN = 10;
const PROBABILITY_MIN = 0.5;
const TOLD_PROBABILITY_MIN = 0.2;
const WORSENING_MIN = 0.95;

/** What the outside asked for: the root of the trace, else what was said first. */
function beginningOf({ traces, events }: Correlation): DebugEvent {
  for (const trace of traces) {
    const root = wholeOperation(trace);
    if (root !== null) return root.span.event;
  }
  return events[0]!;
}

function forecastFinding(
  component: ComponentRef,
  step: string,
  forecast: FailureForecast,
  origins: readonly DebugEvent[],
  coverage: number,
): Finding {
  const { probability, confidence, worsening, runs, failed } = forecast;
  const percent = Math.round(probability * 100);
  const isWorse = worsening > WORSENING_MIN;
  const name = componentKey(component);
  const trend = isWorse ? ', and more often in the newer half of them' : '';
  const last = origins.at(-1)!;
  return {
    analyzer: failureForecast.name,
    what: patternId(step),
    where: component,
    insight_type: 'prediction',
    severity: probability >= PROBABILITY_MIN || isWorse ? 'warning' : 'info',
    title: `"${step}" of ${name} will fail ${percent} times in 100`,
    summary: `${failed} of the last ${runs} runs of "${step}" failed${trend}: the next one fails with a probability of ${round(probability, 2)}.`,
    description: `Of ${runs} runs of "${step}" of ${name} ${failed} failed${trend}. From these the next one fails with a probability of ${round(probability, 2)}. The last failure began in ${componentKey(last)}: ${wordsOf(last)}.`,
    components: [...new Map([component, componentOf(last)].map((each) => [componentKey(each), each])).values()],
    correlation_id: latestCorrelation(origins),
    operation_id: null,
    evidence: evidenceOf([...origins].reverse(), {
      operation: step,
      failure_probability: round(probability, 4),
      failed_runs: failed,
      total_runs: runs,
      worsening: round(worsening, 3),
      factors: [
        { factor: 'failed_share', value: round(failed / runs, 4) },
        ...(isWorse ? [{ factor: 'trend', value: round(worsening, 3) }] : []),
      ],
    }),
    confidence: confidenceOf([confidence], coverage),
    times: origins.map(({ timestamp }) => timestamp).sort(),
    symptoms: [wordsOf(last)],
    suggestions: [
      {
        action: `Hold back what depends on "${step}", or make it repeatable, until ${componentKey(last)} is well`,
        why: `${failed} of ${runs} runs failed${trend}`,
        source: 'known_cause',
      },
    ],
  };
}
