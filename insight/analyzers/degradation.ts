/**
 * Operations that got slower than they were, and whose time made them so. For each operation, every step's own time is a series from
 * before the window to its end; a change point test (statistics.ts) says whether and when it changed level. A step is
 * blamed when the change is no chance, at least 20%, matters to the operation, explains most of what it lost, and stands out from the
 * steps of others: a machine that slows everything alike blames nobody, and where the others got slower too, though less, or where a
 * run lost less than one would notice, it is told as information.
 */
import type { ComponentRef } from '../../model/block.ts';
import type { DebugEvent } from '../../model/event.ts';
import type { Analyzer, Budget } from '../analyzer.ts';
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
import { ascending, type Change, changePoint, quantile } from '../statistics.ts';
import { durationMs, ownerOf, wholeOperation } from '../timing.ts';
import { componentKey, componentOf, type Trace, timeOf, type Window } from '../window.ts';

export const degradation: Analyzer = {
  name: 'degradation',
  needs: ['events', 'baseline'],
  analyze(window, budget) {
    const findings = new Map<string, Finding>();
    for (const operation of operationsOf(window).values()) {
      budget.check();
      const finding = slowerStep(operation, window, budget);
      if (finding === null) continue;
      const key = componentKey(finding.where);
      // Of several operations that a component slowed, the one with the most evidence speaks.
      if ((findings.get(key)?.times.length ?? 0) < finding.times.length) findings.set(key, finding);
    }
    return [...findings.values()];
  },
};

const SAMPLES_MIN = 10;
const CHANCE_MAX = 0.005;
const WORSE_MIN = 1.2;
/** Vargha and Delaney's border of a large effect; below it the levels overlap too much to call it one. */
const SUPERIORITY_MIN = 0.71;
/** A change of the tail alone (one replica of several, one call in three): the 90th percentile at least doubled. */
const TAIL_SUPERIORITY_MIN = 0.6;
const TAIL_WORSE_MIN = 2;
const EXPLAINED_MIN = 0.5;
/** From here on everything got slower: the one that is worst may only be where the queue stands. */
const OTHERS_WORSE_MIN = 1.5;

/** A time slice of common schedulers. Less nobody waits for, and a busy machine alone does as much: told as information. */
const NOTICEABLE_MS = 10;

/** All runs of one operation: what the root span of their traces is called, or one kind of posted event. */
interface Operation {
  name: string;
  component: ComponentRef;
  totals: Sample[];
  steps: Map<string, Step>;
}

interface Step {
  component: ComponentRef;
  nodeId: string | null;
  step: string;
  samples: Sample[];
}

interface Sample {
  time: bigint;
  ms: number;
  event: DebugEvent;
}

interface Changed {
  step: Step;
  change: Change;
  since: bigint;
  before: number[];
  after: number[];
}

function operationsOf(window: Window): Map<string, Operation> {
  const operations = new Map<string, Operation>();
  const addTrace = (trace: Trace) => {
    const root = wholeOperation(trace);
    if (root === null) return;
    const { event } = root.span;
    const operation = operationFor(componentOf(event), stepOf(event));
    operation.totals.push({ time: root.span.start, ms: durationMs(root), event });
    for (const node of trace.tree.nodes) {
      const { component, nodeId, step } = ownerOf(node);
      addStep(operation, component, nodeId, step, {
        time: root.span.start,
        ms: Number(node.selfNanos) / 1e6,
        event: node.span.event,
      });
    }
  };
  const operationFor = (component: ComponentRef, name: string) => {
    const key = `${componentKey(component)}\0${name}`;
    let operation = operations.get(key);
    if (operation === undefined) {
      operation = { name, component, totals: [], steps: new Map() };
      operations.set(key, operation);
    }
    return operation;
  };
  for (const trace of window.baseline) addTrace(trace);
  for (const { traces } of window.correlations) for (const trace of traces) addTrace(trace);
  for (const event of window.events) {
    const ms = event.span === undefined ? durationMsOf(event) : null;
    if (ms === null) continue;
    const operation = operationFor(componentOf(event), stepOf(event));
    const sample = { time: timeOf(event), ms, event };
    operation.totals.push(sample);
    addStep(operation, componentOf(event), event.node_id, stepOf(event), sample);
  }
  return operations;
}

function addStep(
  operation: Operation,
  component: ComponentRef,
  nodeId: string | null,
  step: string,
  sample: Sample,
): void {
  const key = `${componentKey(component)}\0${nodeId}\0${step}`;
  const known = operation.steps.get(key);
  if (known === undefined) operation.steps.set(key, { component, nodeId, step, samples: [sample] });
  else known.samples.push(sample);
}

function slowerStep(operation: Operation, window: Window, budget: Budget): Finding | null {
  if (operation.totals.length < SAMPLES_MIN * 2) return null;
  const steps = [...operation.steps.values()].filter(({ samples }) => samples.length >= SAMPLES_MIN * 2);
  for (const { samples } of steps) samples.sort(byTime);
  budget.check();
  const changed = steps.map(changeOf).filter((each) => each !== null);
  const [first] = changed.sort((a, b) => lost(b) - lost(a));
  if (first === undefined || first.since > window.asOf) return null;

  // What every component lost since then, to see whether this one explains it and stands out.
  const { component } = first.step;
  const own = componentKey(component);
  const losses = new Map<string, { lost: number; ratios: number[] }>();
  for (const step of steps) {
    const split = splitAt(step, first.since);
    if (split === null) continue;
    const loss = losses.get(componentKey(step.component)) ?? { lost: 0, ratios: [] };
    loss.lost += Math.max(lost(split), 0);
    loss.ratios.push(medianRatio(split));
    losses.set(componentKey(step.component), loss);
  }
  const totalLost = [...losses.values()].reduce((sum, loss) => sum + loss.lost, 0);
  const explained = (losses.get(own)?.lost ?? 0) / totalLost;
  const othersRatio = Math.max(
    median([...losses].filter(([key]) => key !== own).flatMap(([, { ratios }]) => ratios)) ?? 1,
    1,
  );
  const totalsBefore = operation.totals.filter(({ time }) => time < first.since).map(({ ms }) => ms);
  const runsAfter = operation.totals.length - totalsBefore.length;
  const usual = median(totalsBefore);
  if (usual === null || runsAfter === 0 || explained <= EXPLAINED_MIN) return null;
  const lostPerRun = (losses.get(own)?.lost ?? 0) / runsAfter;
  if (lostPerRun < usual * (WORSE_MIN - 1) || Math.max(medianRatio(first), tailRatio(first)) < othersRatio * WORSE_MIN)
    return null;
  return degradationFinding(operation, first, changed, { explained, usual, lostPerRun, othersRatio }, window);
}

/** The level change of a step for the worse, when it is no chance and large. */
function changeOf(step: Step): Changed | null {
  const series = step.samples.map(({ ms }) => ms);
  const change = changePoint(series, SAMPLES_MIN);
  if (change === null || change.p > CHANCE_MAX) return null;
  const changed = {
    step,
    change,
    since: step.samples[change.index]!.time,
    before: series.slice(0, change.index),
    after: series.slice(change.index),
  };
  const isShift = change.superiority >= SUPERIORITY_MIN && medianRatio(changed) >= WORSE_MIN;
  const isTail = change.superiority >= TAIL_SUPERIORITY_MIN && tailRatio(changed) >= TAIL_WORSE_MIN;
  return (isShift || isTail) && leavesItsBand(changed) ? changed : null;
}

/** The level after, and the latest samples still, are above every level that the step had before, in quarters of the time before. */
function leavesItsBand({ before, after }: Changed): boolean {
  const size = Math.max(Math.floor(before.length / 4), SAMPLES_MIN / 2);
  const levels = [ascending(after), ascending(after.slice(-SAMPLES_MIN))];
  for (let i = 0; i + size <= before.length; i += size) {
    const quarter = ascending(before.slice(i, i + size));
    for (const level of levels) {
      const isHigher = quantile(level, 0.5) >= quantile(quarter, 0.5) * WORSE_MIN;
      if (!isHigher && quantile(level, 0.9) < quantile(quarter, 0.9) * TAIL_WORSE_MIN) return false;
    }
  }
  return true;
}

function splitAt(step: Step, since: bigint): Pick<Changed, 'before' | 'after'> | null {
  const index = step.samples.findIndex(({ time }) => time >= since);
  if (index < SAMPLES_MIN / 2 || step.samples.length - index < SAMPLES_MIN / 2) return null;
  const series = step.samples.map(({ ms }) => ms);
  return { before: series.slice(0, index), after: series.slice(index) };
}

/** Milliseconds that all runs after the change took longer together. */
function lost({ before, after }: Pick<Changed, 'before' | 'after'>): number {
  return (mean(after) - mean(before)) * after.length;
}

function medianRatio({ before, after }: Pick<Changed, 'before' | 'after'>): number {
  return median(after)! / Math.max(median(before)!, MEASURABLE_MS);
}

function tailRatio({ before, after }: Pick<Changed, 'before' | 'after'>): number {
  return quantile(ascending(after), 0.9) / Math.max(quantile(ascending(before), 0.9), MEASURABLE_MS);
}

// Clocks of common runtimes step in hundredths of milliseconds; ratios below that mean nothing.
const MEASURABLE_MS = 0.05;

function mean(values: readonly number[]): number {
  return values.reduce((sum, value) => sum + value, 0) / values.length;
}

function median(values: readonly number[]): number | null {
  return values.length === 0 ? null : quantile(ascending(values), 0.5);
}

function byTime(a: Sample, b: Sample): number {
  return a.time < b.time ? -1 : a.time > b.time ? 1 : 0;
}

function degradationFinding(
  operation: Operation,
  worst: Changed,
  changed: readonly Changed[],
  {
    explained,
    usual,
    lostPerRun,
    othersRatio,
  }: { explained: number; usual: number; lostPerRun: number; othersRatio: number },
  window: Window,
): Finding {
  const { step, change, before, after } = worst;
  const name = componentKey(step.component);
  const nodes = [
    ...new Set(changed.filter((each) => componentKey(each.step.component) === name).map((each) => each.step.nodeId)),
  ];
  const onNodes = nodes.filter((node) => node !== null);
  const events = step.samples.slice(change.index).map(({ event }) => event);
  const [was, is] = [round(median(before)!, 1), round(median(after)!, 1)];
  const percent = Math.round(((is - was) / Math.max(was, MEASURABLE_MS)) * 100);
  const since = events[0]!.timestamp;
  const isAlone = othersRatio < OTHERS_WORSE_MIN;
  const nodeText = onNodes.length === 0 ? '' : ` (node ${onNodes.slice(0, 4).join(', ')})`;
  return {
    analyzer: degradation.name,
    what: 'slower',
    where: step.component,
    insight_type: 'performance',
    severity: isAlone && lostPerRun >= NOTICEABLE_MS ? 'warning' : 'info',
    title: `${name} got slower: ${step.step} from ${was} to ${is} ms`,
    summary: `Since ${since} "${step.step}" of ${name}${nodeText} takes ${is} ms instead of ${was}; it explains ${Math.round(explained * 100)}% of what "${operation.name}" lost.`,
    description: `"${operation.name}" of ${componentKey(operation.component)} usually took ${round(usual, 1)} ms and takes ${round(lostPerRun, 1)} ms more because of ${name}${nodeText}: "${step.step}" went from ${was} to ${is} ms (median of its own time, ${before.length} and ${after.length} runs) at ${since}. The chance that this is noise is ${change.p.toExponential(1)}.${isAlone ? '' : ` The others got slower as well, ${round(othersRatio, 1)} times: the machines may be short of something.`}`,
    components: componentKey(operation.component) === name ? [step.component] : [step.component, operation.component],
    correlation_id: latestCorrelation(events),
    operation_id: commonOperation(events),
    evidence: evidenceOf(events, {
      operation: operation.name,
      step: step.step,
      nodes: onNodes.slice(0, 10),
      before_median_ms: was,
      after_median_ms: is,
      before_p90_ms: round(quantile(ascending(before), 0.9), 3),
      after_p90_ms: round(quantile(ascending(after), 0.9), 3),
      degradation_percent: percent,
      samples_before: before.length,
      samples_after: after.length,
      since,
      p_value: Number(change.p.toPrecision(3)),
      superiority: round(change.superiority, 3),
      explained_share: round(explained, 3),
      others_ratio: round(othersRatio, 2),
    }),
    confidence: confidenceOf(
      [(1 - change.p) * marginSignal(change.superiority, 0.4), sampleSignal(after.length, 20), explained / 2],
      window.coverage,
    ),
    times: events.map((event) => event.timestamp).sort(),
    symptoms: ['slow', step.step],
  };
}
