/**
 * What failed in a correlation, and where it began.
 *
 * In a call tree failure travels from callee to caller, so the origin lies at the end of the unbroken line of failing spans below
 * the failing operation; where several children failed, the one that failed first began it. Events linked by their parent
 * event fail from parent to child, so there the origin is the topmost failing ancestor. Errors with neither
 * follow whom they name, else time. What is not a failure: an exception that its span handled, a failing call that its caller survived
 * without a word, and a step that was tried again and then went well.
 */
import type { DebugEvent } from '../../model/event.ts';
import type { Budget } from '../analyzer.ts';
import { isError, isRecordedException, isSuccess, namedStepOf } from '../event-facts.ts';
import {
  byTime,
  type Correlation,
  componentKey,
  distinctComponents,
  type SpanNode,
  type Trace,
  type Window,
} from '../window.ts';
import { distinctEvents, type Failure, failedByStatus, push } from './failure.ts';
import { joinLinked } from './links.ts';
import { looseFailures } from './loose-failures.ts';
import { learnPeers, type Peers } from './peers.ts';
import { spanFailures } from './span-failures.ts';

/** Of all correlations of a window, by correlation and time; found once and kept for the analyzers that come after. */
export function failuresOf(window: Window, budget: Budget): readonly FailedOperation[] {
  let found = foundIn.get(window);
  if (found === undefined) {
    const peers = learnPeers(tracesOf(window));
    found = [];
    for (const correlation of window.correlations) {
      budget.check();
      for (const failure of findFailures(correlation, peers)) found.push({ correlation, failure });
    }
    foundIn.set(window, found);
  }
  return found;
}

export interface FailedOperation {
  correlation: Correlation;
  failure: Failure;
}

const foundIn = new WeakMap<Window, FailedOperation[]>();

function* tracesOf(window: Window): Iterable<Trace> {
  yield* window.baseline;
  for (const { traces } of window.correlations) yield* traces;
}

/** @returns failures by the time of their origin */
export function findFailures(correlation: Correlation, peers: Peers): Failure[] {
  const errors = correlation.events.filter(isError).filter(notRecoveredLater(correlation.events));
  const traces = new Map(correlation.traces.map((trace) => [trace.id, trace]));
  const ofNode = new Map<SpanNode, DebugEvent[]>();
  const loose: DebugEvent[] = [];
  for (const error of errors) {
    const node =
      error.trace_id !== null && error.span_id !== null && traces.get(error.trace_id)?.byId.get(error.span_id);
    if (!node) loose.push(error);
    else if (!isRecordedException(error) || failedByStatus(node)) push(ofNode, node, error);
  }
  const failures = joinLinked(spanFailures(correlation.traces, ofNode, peers), traces, becauseOf);
  const unattached = loose.filter((error) => !attach(error, failures));
  return [...failures, ...looseFailures(unattached, correlation.events)].sort((a, b) => byTime(a.origin, b.origin));
}

/** A failure that another one led to, through a message or a job, is part of it. */
function becauseOf(cause: Failure, effect: Failure): Failure {
  return {
    ...cause,
    chain: [...effect.chain, ...cause.chain.slice(-1)],
    errors: distinctEvents([...cause.errors, ...effect.errors]).sort(byTime),
    components: distinctComponents([...cause.components, ...effect.components]),
    basis: 'spans',
    fatal: cause.fatal || effect.fatal,
  };
}

/** An error without a span joins a failure that reached its component. */
function attach(error: DebugEvent, failures: readonly Failure[]): boolean {
  const key = componentKey(error);
  const failure = failures.find(({ components }) => components.some((component) => componentKey(component) === key));
  failure?.errors.push(error);
  return failure !== undefined;
}

/** Tells errors after which the same step, or the whole of the component's operation, was said to have gone well. */
function notRecoveredLater(events: readonly DebugEvent[]): (error: DebugEvent) => boolean {
  const lastSuccess = new Map<string, string>();
  const keyOf = (event: DebugEvent, step: string | undefined) =>
    `${componentKey(event)}\0${event.operation_id}\0${step ?? ''}`;
  for (const event of events) {
    if (event.span !== undefined || !isSuccess(event)) continue;
    lastSuccess.set(keyOf(event, namedStepOf(event)), event.timestamp);
  }
  return (error) => {
    const success = lastSuccess.get(keyOf(error, namedStepOf(error)));
    return success === undefined || success < error.timestamp;
  };
}
