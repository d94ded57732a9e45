/**
 * Operations that did not run through: interrupted by an error that nothing made good, or blocked, nothing happening for over 30 s
 * while something was still to come. What runs long but works, what was tried again and went well, and the idle time between
 * two finished traces of one correlation are neither.
 */
import type { ComponentRef } from '../../model/block.ts';
import type { DebugEvent } from '../../model/event.ts';
import type { Analyzer, Budget } from '../analyzer.ts';
import { codeOf } from '../code-pointer.ts';
import { durationMsOf, isSuccess, patternOf, wordsOf } from '../event-facts.ts';
import {
  commonOperation,
  confidenceOf,
  evidenceOf,
  type Finding,
  marginSignal,
  round,
  sampleSignal,
} from '../finding.ts';
import { describeEndured, type FailureGroup, failureGroups } from '../harm.ts';
import { patternId } from '../templates.ts';
import {
  type Correlation,
  componentKey,
  componentOf,
  distinctComponents,
  type SpanNode,
  timeOf,
  type Window,
} from '../window.ts';

export const flow: Analyzer = {
  name: 'flow',
  needs: ['events'],
  analyze: (window, budget) => [...interrupted(window, budget), ...blocked(window, budget)],
};

const GAP_SECONDS = 30;
const NANOS_PER_SECOND = 1e9;

/** One finding for each culprit and what it said, however many operations it interrupted. */
function interrupted(window: Window, budget: Budget): Finding[] {
  return failureGroups(window, budget).map(interruption);
}

function interruption({ failures: group, endured }: FailureGroup): Finding {
  const { correlation, failure } = group.at(-1)!;
  const { origin, culprit } = failure;
  const operations = new Set(group.map((failed) => failed.correlation.id)).size;
  const errors = group.flatMap((failed) => saying(failed.failure.errors));
  const components = distinctComponents(group.flatMap((failed) => failed.failure.components));
  const words = wordsOf(origin);
  const code = codeOf([origin, ...errors]);
  const place = components.length === 1 ? '' : `; it reached ${components.slice(1, 5).map(componentKey).join(', ')}`;
  return {
    analyzer: flow.name,
    what: `interrupted ${patternId(patternOf(origin))}`,
    where: culprit,
    insight_type: 'flow',
    // Where the callers of what complained went on as if nothing was, it may have cost only a part.
    severity: endured !== null ? 'info' : group.some((failed) => failed.failure.fatal) ? 'critical' : 'warning',
    title:
      endured === null
        ? `${operations === 1 ? 'Operation' : `${operations} operations`} interrupted in ${componentKey(culprit)}: ${words}`
        : `${componentKey(culprit)} logged an error, the flow went on: ${words}`,
    summary:
      endured === null
        ? `${operations === 1 ? `Operation ${correlation.id}` : `${operations} operations`} did not finish: ${componentKey(culprit)} ${failure.silent ? 'did not answer' : 'said'} "${words}"${place}.`
        : `${componentKey(culprit)} said "${words}". ${describeEndured(endured)}`,
    description: [
      `${componentKey(culprit)} ${endured === null ? 'failed' : 'complained'} first, at ${origin.timestamp}: ${words}.`,
      `${errors.length} error${errors.length === 1 ? '' : 's'} in ${operations === 1 ? 'the operation' : `${operations} operations`}${place}.`,
      ...(endured === null ? [] : [describeEndured(endured)]),
    ].join(' '),
    components,
    correlation_id: correlation.id,
    operation_id: commonOperation(errors),
    evidence: evidenceOf([origin, ...errors], {
      error_count: errors.length,
      error_messages: [...new Set(errors.map(wordsOf))].slice(0, 5),
      operations,
      correlation_ids: [...new Set(group.map((failed) => failed.correlation.id))].slice(-10),
      components_touched: components.length,
      ...(endured !== null && { runs: endured.runs, runs_with_error: endured.carrying }),
      ...code.numbers,
    }),
    confidence: confidenceOf([
      origin.span === undefined ? 0.85 : 0.7,
      // The operation as a whole failed, not only a part of it.
      failure.fatal ? 0.5 : 0,
      failure.basis === 'spans' ? 0.5 : 0,
      sampleSignal(operations - 1, 10),
    ]),
    times: group.map((failed) => failed.failure.origin.timestamp).sort(),
    symptoms: errors.slice(0, 20).map(wordsOf),
    suggestions: code.suggestions,
  };
}

/** What spoke; the failing spans themselves where nothing did. */
function saying(errors: readonly DebugEvent[]): readonly DebugEvent[] {
  const spoken = errors.filter((event) => event.span === undefined);
  return spoken.length > 0 ? spoken : errors;
}

/** One finding for each component that something waited for, with its longest silence. */
function blocked(window: Window, budget: Budget): Finding[] {
  const byComponent = new Map<string, Gap[]>();
  for (const correlation of window.correlations) {
    budget.check();
    const gap = longestGap(correlation);
    if (gap === null) continue;
    const gaps = byComponent.get(componentKey(gap.component));
    if (gaps === undefined) byComponent.set(componentKey(gap.component), [gap]);
    else gaps.push(gap);
  }
  return [...byComponent.values()].map(blockage);
}

function blockage(gaps: readonly Gap[]): Finding {
  const longest = gaps.reduce((a, b) => (b.seconds > a.seconds ? b : a));
  const { component, before, after, correlation } = longest;
  const seconds = round(longest.seconds, 1);
  const count = gaps.length === 1 ? 'An operation' : `${gaps.length} operations`;
  return {
    analyzer: flow.name,
    what: 'blocked',
    where: component,
    insight_type: 'flow',
    severity: 'warning',
    title: `${count} blocked on ${componentKey(component)} for ${seconds} s`,
    summary: `Nothing happened for ${seconds} s after "${wordsOf(before)}" in ${componentKey(component)} (correlation ${correlation.id}).`,
    description: `${count} stood still for over ${GAP_SECONDS} s. The longest silence, ${seconds} s, began at ${before.timestamp} on ${componentKey(component)} after "${wordsOf(before)}" and ended with "${wordsOf(after)}" on ${componentKey(after)}.`,
    components: distinctComponents([component, componentOf(after)]),
    correlation_id: correlation.id,
    operation_id: commonOperation([before, after]),
    evidence: evidenceOf([before, after], {
      blocking_component: componentKey(component),
      block_duration_seconds: seconds,
      operations: gaps.length,
      event_count: correlation.events.length,
    }),
    confidence: confidenceOf([0.7, marginSignal(longest.seconds, GAP_SECONDS), sampleSignal(gaps.length - 1, 5)]),
    times: gaps.map((gap) => gap.before.timestamp).sort(),
    symptoms: [wordsOf(before)],
    suggestions: [
      {
        action: `See what ${componentKey(component)} waited for after "${wordsOf(before)}": a lock, a queue, a call that is not traced`,
        why: `it was the last to be heard before ${seconds} s of silence`,
        source: 'known_cause',
      },
    ],
  };
}

interface Gap {
  correlation: Correlation;
  component: ComponentRef;
  seconds: number;
  before: DebugEvent;
  after: DebugEvent;
}

/** The longest time over the limit in which no step ran, nothing was said, and the operation was not over. */
function longestGap(correlation: Correlation): Gap | null {
  const marks = activityOf(correlation);
  let longest: Gap | null = null;
  let last: Mark | undefined;
  for (const mark of marks) {
    if (last !== undefined) {
      const seconds = Number(mark.start - last.end) / NANOS_PER_SECOND;
      if (seconds > GAP_SECONDS && seconds > (longest?.seconds ?? 0)) {
        const open = deepestOpen(correlation, last.end, mark.start);
        const isIdle =
          isSuccess(last.event) || (last.event.trace_id !== null && last.event.trace_id !== mark.event.trace_id);
        if (open !== null || !isIdle) {
          const component = componentOf(open?.span.event ?? last.event);
          longest = { correlation, component, seconds, before: last.event, after: mark.event };
        }
      }
    }
    if (last === undefined || mark.end > last.end) last = mark;
  }
  return longest;
}

interface Mark {
  event: DebugEvent;
  start: bigint;
  end: bigint;
}

/** When something was going on, by start. A span that calls others is busy only at its ends: what it does between is theirs. */
function activityOf({ events, traces }: Correlation): Mark[] {
  const marks: Mark[] = [];
  for (const event of events) {
    if (event.span !== undefined) continue;
    const time = timeOf(event);
    const took = BigInt(Math.round((durationMsOf(event) ?? 0) * 1e6));
    marks.push({ event, start: time - took, end: time });
  }
  for (const { tree } of traces) {
    for (const { span, children } of tree.nodes) {
      if (children.length === 0) marks.push({ event: span.event, start: span.start, end: span.end });
      else
        marks.push(
          { event: span.event, start: span.start, end: span.start },
          { event: span.event, start: span.end, end: span.end },
        );
    }
  }
  return marks.sort((a, b) => (a.start < b.start ? -1 : a.start > b.start ? 1 : 0));
}

/** The span farthest from the root that ran through all of a time: the one that did not get on. */
function deepestOpen({ traces }: Correlation, from: bigint, until: bigint): SpanNode | null {
  let deepest: SpanNode | null = null;
  for (const { tree } of traces) {
    for (const node of tree.nodes) {
      if (node.span.start <= from && node.span.end >= until && node.depth >= (deepest?.depth ?? 0)) deepest = node;
    }
  }
  return deepest;
}
