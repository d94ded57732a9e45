/**
 * Steps over 5 s, told of the component whose own time explains them: who only waited for another is not slow. With ten samples
 * and up the 95th percentile counts; below that, each slow step does.
 */
import type { ComponentRef } from '../../model/block.ts';
import type { DebugEvent } from '../../model/event.ts';
import type { Analyzer } from '../analyzer.ts';
import { durationMsOf, stepOf } from '../event-facts.ts';
import {
  commonOperation,
  confidenceOf,
  evidenceOf,
  type Finding,
  latestCorrelation,
  marginSignal,
  round,
  sampleSignal,
} from '../finding.ts';
import { ascending, quantile } from '../statistics.ts';
import { divide, durationMs } from '../timing.ts';
import { byTime, componentKey, componentOf, distinctComponents, type SpanNode, type Window } from '../window.ts';

export const slowOperation: Analyzer = {
  name: 'slow-operation',
  needs: ['events'],
  analyze(window, budget) {
    const slow = new Map<string, Slow[]>();
    const durations = new Map<string, number[]>();
    for (const event of window.events) {
      const ms = event.span === undefined ? durationMsOf(event) : null;
      if (ms === null) continue;
      push(durations, componentKey(event), ms);
      if (ms > SLOW_MS)
        push(slow, componentKey(event), { component: componentOf(event), event, ms, step: stepOf(event), stepMs: ms });
    }
    for (const { traces } of window.correlations) {
      budget.check();
      for (const { tree } of traces) {
        for (const node of tree.nodes) {
          if (isLocalRoot(node)) push(durations, componentKey(node.span.event), durationMs(node));
          if (durationMs(node) <= SLOW_MS || hasSlowCaller(node)) continue;
          const found = explain(node);
          push(slow, componentKey(found.component), found);
        }
      }
    }
    return [...slow.values()].map((found) =>
      slowness(found, durations.get(componentKey(found[0]!.component)) ?? [], window),
    );
  },
};

const SLOW_MS = 5000;
const SAMPLES_MIN = 10;
// One slow step in a hundred is the tail that every service has.
const TAIL_SHARE = 0.01;
const TAIL_SAMPLES_MIN = 100;

interface Slow {
  /** Who used the time. */
  component: ComponentRef;
  /** What was slow for the caller. */
  event: DebugEvent;
  ms: number;
  /** What the component was doing for most of it. */
  step: string;
  stepMs: number;
}

function explain(node: SpanNode): Slow {
  const ms = durationMs(node);
  const { event } = node.span;
  const [largest] = divide(node);
  // No part stands out: the one who was asked answers for it.
  if (largest === undefined || largest.share <= 0.5)
    return { component: componentOf(event), event, ms, step: stepOf(event), stepMs: ms };
  return { component: largest.component, event, ms, step: largest.step, stepMs: largest.ms };
}

/** A caller of it is slow as well: then it is looked into from there. */
function hasSlowCaller({ parent }: SpanNode): boolean {
  return parent !== null && durationMs(parent) > SLOW_MS;
}

/** Where a component's part of an operation begins. */
function isLocalRoot({ parent, span }: SpanNode): boolean {
  return parent === null || componentKey(parent.span.event) !== componentKey(span.event);
}

function slowness(slow: readonly Slow[], durations: readonly number[], window: Window): Finding {
  const worst = slow.reduce((a, b) => (b.stepMs > a.stepMs ? b : a));
  const events = slow.map(({ event }) => event).sort(byTime);
  const { component, step } = worst;
  const samples = ascending(durations);
  const p95 = samples.length >= SAMPLES_MIN ? quantile(samples, 0.95) : null;
  const isTail = samples.length >= TAIL_SAMPLES_MIN && slow.length < samples.length * TAIL_SHARE;
  const callers = events.map(componentOf);
  const seconds = (ms: number) => `${round(ms / 1000, 1)} s`;
  const often = slow.length === 1 ? 'once' : `${slow.length} times`;
  const fact =
    p95 !== null && p95 > SLOW_MS
      ? `95 of 100 take up to ${seconds(p95)}`
      : `over ${seconds(SLOW_MS)} ${often}, at most ${seconds(worst.ms)}`;
  const share = round((100 * worst.stepMs) / worst.ms, 1);
  return {
    analyzer: slowOperation.name,
    what: 'slow',
    where: component,
    insight_type: 'performance',
    severity: isTail ? 'info' : 'warning',
    title: `${componentKey(component)} is slow: ${step} took ${seconds(worst.stepMs)}`,
    summary: `${componentKey(component)}: ${fact}. "${step}" takes ${share}% of the slowest operation, "${stepOf(worst.event)}".`,
    description: `${slow.length} operation${slow.length === 1 ? '' : 's'} over ${seconds(SLOW_MS)} spent most of the time in ${componentKey(component)}. The slowest, "${stepOf(worst.event)}" of ${componentKey(worst.event)}, took ${seconds(worst.ms)}, of which ${seconds(worst.stepMs)} in "${step}".`,
    components: distinctComponents([component, ...callers]),
    correlation_id: latestCorrelation(events),
    operation_id: commonOperation(events),
    evidence: evidenceOf(events, {
      threshold_ms: SLOW_MS,
      slow_count: slow.length,
      max_ms: round(worst.ms, 3),
      slowest_step: step,
      slowest_step_ms: round(worst.stepMs, 3),
      sample_count: samples.length,
      ...(p95 !== null && {
        p50_ms: round(quantile(samples, 0.5), 3),
        p95_ms: round(p95, 3),
        p99_ms: round(quantile(samples, 0.99), 3),
      }),
    }),
    confidence: confidenceOf(
      [0.75, marginSignal(worst.ms, SLOW_MS) / 2, sampleSignal(slow.length - 1, 5)],
      window.coverage,
    ),
    times: events.map((event) => event.timestamp),
    symptoms: ['slow', step],
  };
}

function push<V>(lists: Map<string, V[]>, key: string, value: V): void {
  const list = lists.get(key);
  if (list === undefined) lists.set(key, [value]);
  else list.push(value);
}
