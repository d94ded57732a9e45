/**
 * One step that takes over half of an operation, by its own time on the critical path. In an operation over 5 s that is a warning; of a
 * faster one it is said only when that one operation is asked about, as information: some step is always the longest.
 */
import type { DebugEvent } from '../../model/event.ts';
import type { Analyzer } from '../analyzer.ts';
import { durationMsOf, stepOf } from '../event-facts.ts';
import {
  commonOperation,
  confidenceOf,
  evidenceOf,
  type Finding,
  marginSignal,
  round,
  sampleSignal,
} from '../finding.ts';
import { patternId } from '../templates.ts';
import { divide, durationMs, type OwnTime, wordsOf } from '../timing.ts';
import { type Correlation, componentKey, componentOf } from '../window.ts';

export const bottleneck: Analyzer = {
  name: 'bottleneck',
  needs: ['events'],
  analyze(window, budget) {
    const isAsked = window.scope.correlation_id !== undefined;
    const groups = new Map<string, Divided[]>();
    for (const correlation of window.correlations) {
      budget.check();
      const divided = slowestTrace(correlation) ?? slowestSteps(correlation);
      const [first] = divided?.steps ?? [];
      if (divided === null || first === undefined || divided.steps.length < 2 || first.share <= SHARE_MIN) continue;
      if (divided.totalMs <= SLOW_MS && !isAsked) continue;
      const key = `${componentKey(first.component)}\0${first.step}`;
      const group = groups.get(key);
      if (group === undefined) groups.set(key, [divided]);
      else group.push(divided);
    }
    return [...groups.values()].map(bottleneckFinding);
  },
};

const SHARE_MIN = 0.5;
const SLOW_MS = 5000;
// A part below this is not worth a line.
const STEPS_SHOWN = 5;

interface Step extends OwnTime {
  ms: number;
  share: number;
  event: DebugEvent;
}

interface Divided {
  correlation: Correlation;
  totalMs: number;
  /** Largest first. */
  steps: Step[];
}

function bottleneckFinding(group: readonly Divided[]): Finding {
  const worst = group.reduce((a, b) => (b.totalMs > a.totalMs ? b : a));
  const step = worst.steps[0]!;
  const percent = round(step.share * 100, 1);
  const events = group.map(({ steps }) => steps[0]!.event);
  const others = worst.steps.slice(1, STEPS_SHOWN).map((other) => `${other.step} ${round(other.share * 100, 1)}%`);
  return {
    analyzer: bottleneck.name,
    what: patternId(step.step),
    where: step.component,
    insight_type: 'performance',
    severity: worst.totalMs > SLOW_MS ? 'warning' : 'info',
    title: `${wordsOf(step)} takes ${percent}% of an operation of ${round(worst.totalMs / 1000, 2)} s`,
    summary: `${round(step.ms, 1)} of ${round(worst.totalMs, 1)} ms go to ${wordsOf(step)}.`,
    description: `Of the ${round(worst.totalMs, 1)} ms of the operation, ${wordsOf(step)} takes ${round(step.ms, 1)} ms by itself, ${percent}%. The rest: ${others.join(', ')}.`,
    components: [step.component],
    correlation_id: worst.correlation.id,
    operation_id: commonOperation(events),
    evidence: evidenceOf(events, {
      slowest_step: step.step,
      slowest_percentage: percent,
      total_duration_ms: round(worst.totalMs, 3),
      operations: group.length,
      all_steps: worst.steps.slice(0, STEPS_SHOWN).map((each) => ({
        step: each.step,
        component: componentKey(each.component),
        duration_ms: round(each.ms, 3),
        percentage: round(each.share * 100, 1),
      })),
    }),
    confidence: confidenceOf([0.7, marginSignal(step.share, SHARE_MIN), sampleSignal(group.length - 1, 5)]),
    times: events.map((event) => event.timestamp).sort(),
    symptoms: ['slow', step.step],
  };
}

function slowestTrace(correlation: Correlation): Divided | null {
  let slowest: Divided | null = null;
  for (const { tree } of correlation.traces) {
    for (const root of tree.roots) {
      const totalMs = durationMs(root);
      if (totalMs <= (slowest?.totalMs ?? 0)) continue;
      const steps = divide(root).map((part) => ({ ...part, event: part.node.span.event }));
      slowest = { correlation, totalMs, steps };
    }
  }
  return slowest;
}

/** Posted events that say how long their step took, one after the other. */
function slowestSteps(correlation: Correlation): Divided | null {
  const steps: Step[] = [];
  let totalMs = 0;
  for (const event of correlation.events) {
    const ms = durationMsOf(event);
    if (ms === null) continue;
    totalMs += ms;
    steps.push({ component: componentOf(event), nodeId: event.node_id, step: stepOf(event), ms, share: 0, event });
  }
  if (totalMs === 0) return null;
  for (const step of steps) step.share = step.ms / totalMs;
  return { correlation, totalMs, steps: steps.sort((a, b) => b.ms - a.ms) };
}
