/**
 * The same error, by the template of its message, at least five times: how often, how fast, on which components. Told as `info` is one
 * that in nearly all cases only followed from a failure elsewhere (the loudest is seldom the culprit), and one that interrupted nothing
 * and is as frequent as ever or, where nobody knows how frequent that is, leaves the health of whoever says it as it should be.
 */
import type { ComponentRef } from '../../model/block.ts';
import { type DebugEvent, SEVERITY_ERROR } from '../../model/event.ts';
import type { Analyzer, Budget } from '../analyzer.ts';
import { codeOf } from '../code-pointer.ts';
import { isError, patternOf, wordsOf } from '../event-facts.ts';
import { failuresOf } from '../failures/find.ts';
import {
  commonOperation,
  confidenceOf,
  evidenceOf,
  type Finding,
  latestCorrelation,
  round,
  sampleSignal,
} from '../finding.ts';
import { failureGroups, handledExceptions, isUsual } from '../harm.ts';
import { patternId } from '../templates.ts';
import { componentKey, componentOf, timeOf, type Window } from '../window.ts';

export const repeatedError: Analyzer = {
  name: 'repeated-error',
  needs: ['events', 'templates'],
  analyze(window, budget) {
    const groups = new Map<string, DebugEvent[]>();
    for (const event of window.events) {
      if (!isError(event)) continue;
      const pattern = patternOf(event);
      const group = groups.get(pattern);
      if (group === undefined) groups.set(pattern, [event]);
      else group.push(event);
    }
    const blamed = blamedFor(window, budget);
    const harm = harmSeen(window, budget);
    const findings: Finding[] = [];
    for (const [pattern, events] of groups) {
      if (events.length >= OCCURRENCES_MIN) findings.push(repetition(pattern, events, blamed, harm, window));
    }
    return findings;
  },
};

const OCCURRENCES_MIN = 5;
/** From this share of its occurrences on, an error is the effect of another component's failure. */
const EFFECT_SHARE = 0.8;

function repetition(
  pattern: string,
  events: readonly DebugEvent[],
  blamed: ReadonlyMap<DebugEvent, ComponentRef>,
  harm: HarmSeen,
  window: Window,
): Finding {
  const count = countOf(events, window);
  const byComponent = new Map<string, { component: ComponentRef; count: number }>();
  for (const event of events) {
    const key = componentKey(event);
    const entry = byComponent.get(key);
    if (entry === undefined) byComponent.set(key, { component: componentOf(event), count: 1 });
    else entry.count++;
  }
  const components = [...byComponent.values()].sort((a, b) => b.count - a.count).map(({ component }) => component);
  const [first, last] = [events[0]!, events.at(-1)!];
  const minutes = Number(timeOf(last) - timeOf(first)) / 60e9;
  const code = codeOf(events.slice(0, 5));
  const perMinute = minutes > 0 ? round(count / minutes, 2) : null;
  const isCritical = events.some((event) => event.level === 'CRITICAL');
  const cause = commonCause(events, blamed, byComponent);
  const where = components.slice(0, 4).map(componentKey).join(', ');
  const rate = perMinute === null ? 'all at once' : `${perMinute} a minute`;
  const excuse = isCritical || cause !== null ? null : excuseFor(events, byComponent.keys(), harm, window);
  const because = cause !== null ? ` It follows from a failure in ${componentKey(cause)}.` : (excuse ?? '');
  return {
    analyzer: repeatedError.name,
    what: patternId(pattern),
    where: components[0]!,
    spreads: true,
    insight_type: 'error',
    severity: isCritical ? 'critical' : cause !== null || excuse !== null ? 'info' : 'warning',
    title: `${count} x ${wordsOf(last)}`,
    summary: `"${pattern}" ${count} times (${rate}) on ${where}.${because}`,
    description: `The error "${pattern}" occurred ${count} times between ${first.timestamp} and ${last.timestamp}, ${rate}, on ${components.length} component${components.length === 1 ? '' : 's'}: ${where}.${because}`,
    components: cause === null ? components : [...components, cause],
    correlation_id: latestCorrelation(events),
    operation_id: commonOperation(events),
    evidence: evidenceOf(events, {
      pattern,
      template_id: patternId(pattern),
      occurrence_count: count,
      frequency_per_min: perMinute,
      duration_seconds: round(minutes * 60, 3),
      affected_components: components.slice(0, 20).map(componentKey),
      ...(cause !== null && { follows_from: componentKey(cause) }),
      ...code.numbers,
    }),
    confidence: confidenceOf([0.8, sampleSignal(events.length, 10)]),
    times: events.map((event) => event.timestamp),
    symptoms: [wordsOf(last)],
    suggestions: code.suggestions,
  };
}

interface HarmSeen {
  /** Errors of operations that did not go on. */
  interrupting: ReadonlySet<DebugEvent>;
  /** Exceptions that a span recorded and got over. */
  handled: ReadonlySet<DebugEvent>;
  /** 0 to 100, by component. */
  health: ReadonlyMap<string, number>;
}

/** Why the repetition is nothing to get up for, as a sentence; null when it may be something. */
function excuseFor(
  events: readonly DebugEvent[],
  speakers: Iterable<string>,
  { interrupting, handled, health }: HarmSeen,
  window: Window,
): string | null {
  if (events.some((event) => interrupting.has(event))) return null;
  if (events.every((event) => handled.has(event))) return ' Each was recorded by a span that went on and did not fail.';
  const usual = isUsual(events, window);
  if (usual !== null) return usual ? ' It interrupted nothing and is as frequent as before.' : null;
  for (const speaker of speakers) if ((health.get(speaker) ?? 0) < HEALTHY_MIN) return null;
  return ' It interrupted nothing, and who says it stays healthy.';
}

function harmSeen(window: Window, budget: Budget): HarmSeen {
  const interrupted = failureGroups(window, budget).filter(({ endured }) => endured === null);
  const interrupting = new Set(
    interrupted.flatMap(({ failures }) => failures.flatMap(({ failure }) => failure.errors)),
  );
  const counts = new Map<string, { total: number; errors: number }>();
  const add = (key: string, total: number, errors: number) => {
    const known = counts.get(key) ?? { total: 0, errors: 0 };
    counts.set(key, { total: known.total + total, errors: known.errors + errors });
  };
  const { start } = window.scope;
  const minutes =
    window.coverage === 1 || start === undefined ? [] : window.componentMinutes.filter(({ minute }) => minute >= start);
  if (minutes.length > 0) {
    for (const { component_type, component_id, total, errors } of minutes)
      add(`${component_type}/${component_id}`, total, errors);
  } else {
    for (const event of window.events)
      add(componentKey(event), 1, event.level === 'ERROR' || event.level === 'CRITICAL' ? 1 : 0);
  }
  const health = new Map([...counts].map(([key, { total, errors }]) => [key, 100 * (1 - errors / total)]));
  return { interrupting, handled: handledExceptions(window), health };
}

/** From here on the health formula says `healthy`. */
const HEALTHY_MIN = 90;

/** Which component each error was found to come from. */
function blamedFor(window: Window, budget: Budget): Map<DebugEvent, ComponentRef> {
  const blamed = new Map<DebugEvent, ComponentRef>();
  for (const { failure } of failuresOf(window, budget)) {
    // The order of time alone is too little to excuse an error.
    if (failure.basis === 'time') continue;
    for (const event of failure.errors) blamed.set(event, failure.culprit);
  }
  return blamed;
}

/** The one component, not among those that say it, from which nearly all of the errors come. */
function commonCause(
  events: readonly DebugEvent[],
  blamed: ReadonlyMap<DebugEvent, ComponentRef>,
  speakers: ReadonlyMap<string, unknown>,
): ComponentRef | null {
  const causes = new Map<string, { component: ComponentRef; count: number }>();
  for (const event of events) {
    const component = blamed.get(event);
    if (component === undefined || speakers.has(componentKey(component))) continue;
    const entry = causes.get(componentKey(component));
    if (entry === undefined) causes.set(componentKey(component), { component, count: 1 });
    else entry.count++;
  }
  for (const { component, count } of causes.values()) if (count >= events.length * EFFECT_SHARE) return component;
  return null;
}

/** How often in all: what was read, or where not all was read, what the minutes counted. */
function countOf(events: readonly DebugEvent[], { scope, coverage, templateMinutes }: Window): number {
  if (coverage === 1 || scope.correlation_id !== undefined || scope.operation_id !== undefined) return events.length;
  const templates = new Set(events.map((event) => event.template_id));
  let count = 0;
  for (const row of templateMinutes) {
    if (templates.has(row.template_id) && row.severity_max >= SEVERITY_ERROR) count += row.count;
  }
  return Math.max(count, events.length);
}
