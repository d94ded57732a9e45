/**
 * A workflow of which over 30% of more than ten runs fail. A run is an operation, else a correlation; one whose failed step was tried
 * again and went well has not failed (failures/). Where all records of a workflow name the same run, there is no telling its
 * runs apart, and each record that is not a span counts as one.
 */
import type { DebugEvent } from '../../model/event.ts';
import type { Analyzer } from '../analyzer.ts';
import { isError, wordsOf } from '../event-facts.ts';
import { failuresOf } from '../failures/find.ts';
import { confidenceOf, evidenceOf, type Finding, latestCorrelation, round } from '../finding.ts';
import { shareAbove } from '../statistics.ts';
import { componentKey, componentOf, type Window } from '../window.ts';

export const workflowFailure: Analyzer = {
  name: 'workflow-failure',
  needs: ['events'],
  analyze(window, budget) {
    const byWorkflow = Map.groupBy(
      window.events.filter((event) => event.component_type === 'workflow'),
      componentKey,
    );
    if (byWorkflow.size === 0) return [];
    const lost = new Set<DebugEvent>();
    const lostOperations = new Set<string>();
    for (const { correlation, failure } of failuresOf(window, budget)) {
      for (const error of failure.errors) lost.add(error);
      if (failure.fatal) lostOperations.add(correlation.id);
    }
    const findings: Finding[] = [];
    for (const events of byWorkflow.values()) {
      budget.check();
      const runs = runsOf(events);
      const isLost = ({ correlation_id: id, operation_id }: DebugEvent) =>
        operation_id === null && id !== null && lostOperations.has(id);
      // What failed behind a run fails the run, where its correlation is one run's.
      const isOneEach = new Set(events.map(({ correlation_id: id }) => id)).size > 1;
      const failed = runs.filter(
        (run) => run.some((event) => lost.has(event)) || (isOneEach && run.every((event) => isLost(event))),
      );
      if (runs.length <= RUNS_MIN || failed.length / runs.length <= SHARE_MAX) continue;
      findings.push(failing(runs.length, failed, window));
    }
    return findings;
  },
};

const RUNS_MIN = 10;
const SHARE_MAX = 0.3;

function runsOf(events: readonly DebugEvent[]): DebugEvent[][] {
  const runs = Map.groupBy(events, ({ operation_id, correlation_id, id }) => operation_id ?? correlation_id ?? id);
  if (runs.size > 1) return [...runs.values()];
  return events.filter((event) => event.span === undefined).map((event) => [event]);
}

function failing(total: number, failed: readonly DebugEvent[][], window: Window): Finding {
  const errors = failed.map((run) => run.find(isError) ?? run.at(-1)!);
  const last = errors.at(-1)!;
  const name = componentKey(last);
  const share = failed.length / total;
  const percent = round(share * 100, 1);
  const words = [...Map.groupBy(errors, wordsOf)].sort((a, b) => b[1].length - a[1].length).map(([text]) => text);
  return {
    analyzer: workflowFailure.name,
    what: 'failing',
    where: componentOf(last),
    insight_type: 'flow',
    severity: 'critical',
    title: `${percent}% of the runs of ${name} fail`,
    summary: `${failed.length} of ${total} runs of ${name} failed (${percent}%), most often with "${words[0]}".`,
    description: `${failed.length} of ${total} runs of ${name} failed, over the ${SHARE_MAX * 100}% from which on a workflow counts as failing. What they said: ${words.slice(0, 5).join('; ')}.`,
    components: [componentOf(last)],
    correlation_id: latestCorrelation(errors),
    operation_id: null,
    evidence: evidenceOf([...errors].reverse(), {
      workflow_id: last.component_id,
      total_executions: total,
      failed_executions: failed.length,
      error_rate: round(share, 4),
      error_messages: words.slice(0, 5),
    }),
    confidence: confidenceOf([shareAbove(failed.length, total, SHARE_MAX)], window.coverage),
    times: errors.map(({ timestamp }) => timestamp).sort(),
    symptoms: words.slice(0, 5),
    suggestions: [
      {
        action: `Compare a failed run of ${name} with one that went well`,
        why: `${total - failed.length} of ${total} runs still go well: what separates them is the way to the cause`,
        source: 'known_cause',
      },
    ],
  };
}
