/** From a comparison of replicas to what is said about it: who misses what, which key differs with which values, since when. */
import type { ComponentRef } from '../model/block.ts';
import type { Suggestion } from '../model/insight.ts';
import type { Json, JsonObject } from '../model/json.ts';
import type { Snapshot } from '../model/snapshot.ts';
import { formatNanos } from '../model/time.ts';
import type { Budget } from './analyzer.ts';
import { confidenceOf, evidenceOf, type Finding, marginSignal, round, sampleSignal } from './finding.ts';
import { type Comparison, compareOperation } from './replicas/compare.ts';
import type { Difference } from './replicas/differences.ts';
import type { Lag, Missing } from './replicas/operations.ts';
import { LAG_SECONDS_MAX, type Replica, replicasOf } from './replicas/replica.ts';
import { componentKey, distinctComponents } from './window.ts';

export interface ConsistencyRequest {
  tenant: string;
  operation_id: string;
  /** Who should have reported; the nodes of it when it is only one. Absent: who did, and who usually does. */
  component_ids?: readonly string[];
  component_type?: string;
}

export const CONSISTENCY = 'state-consistency';

/**
 * Whether all replicas came to the same state in an operation.
 * @param snapshots of the components that took part, of the operation and, where known, from before and after it
 * @returns null when nobody reported the operation
 */
export function checkOperation(
  request: ConsistencyRequest,
  snapshots: readonly Snapshot[],
  budget: Budget,
): Finding | null {
  const { operation_id: operation } = request;
  const chosen = chooseReplicas(request, snapshots);
  const replicas = replicasOf(snapshots, chosen.nameOf);
  const comparison = compareOperation(replicas, operation, chosen.expected, budget);
  const { reported, missing, differences, lags } = comparison;
  if (reported.length === 0) return null;
  const refOf = (name: string): ComponentRef => {
    const known = replicas.find((replica) => replica.name === name)?.component;
    return known ?? { type: request.component_type ?? reported[0]!.component.type, id: name };
  };
  const expected = reported.length + missing.length;
  const facts = [
    ...(missing.length > 0
      ? [`${reported.length} of ${expected} reported it, missing: ${names(missing.map(({ name }) => name))}`]
      : []),
    ...differences.slice(0, 5).map(difference),
    ...lags.map((lag) => `${lag.name} was ${round(lag.seconds, 1)} s behind the first`),
  ];
  const isWrong = facts.length > 0;
  if (!isWrong)
    facts.push(
      reported.length === 1 ? `only ${reported[0]!.name} reported it` : `all ${reported.length} replicas hold the same`,
    );
  const blamed = [
    ...missing.map(({ name }) => name),
    ...differences.flatMap(({ deviating }) => deviating),
    ...lags.map(({ name }) => name),
  ];
  const components = distinctComponents([...blamed.map(refOf), ...reported.map(({ component }) => component)]);
  const moments = reported.map(
    (replica) => replica.moments.findLast(({ snapshot }) => snapshot.operation_id === operation)!.snapshot,
  );
  const times = moments.map(({ time }) => formatNanos(time)).sort();
  return {
    analyzer: CONSISTENCY,
    what: `operation ${operation} ${isWrong ? 'inconsistent' : 'consistent'}`,
    where: components[0]!,
    insight_type: 'consistency',
    severity: isWrong ? 'warning' : 'info',
    title: `Operation ${operation}: ${facts[0]}`,
    summary: `Operation ${operation}: ${facts.join('; ')}.`,
    description: `Of operation ${operation}: ${facts.join('; ')}.${firstDivergence(differences)}`,
    components,
    correlation_id: moments.find(({ correlation_id }) => correlation_id !== null)?.correlation_id ?? null,
    operation_id: operation,
    evidence: evidenceOf(
      [],
      {
        expected_components: [...reported.map(({ name }) => name), ...missing.map(({ name }) => name)].sort(),
        confirmed_components: reported.map(({ name }) => name),
        missing_components: missing.map(({ name }) => name),
        expected_replicas: expected,
        actual_replicas: reported.length,
        completion_rate: round(reported.length / expected, 4),
        ...numbersOf(comparison),
      },
      [...differences.map(({ since }) => since.id), ...moments.map(({ id }) => id)],
    ),
    confidence: !isWrong ? (reported.length > 1 ? 1 : 0.5) : confidenceOf([0.9, sampleSignal(reported.length - 1, 4)]),
    times: [times.at(-1)!],
    symptoms: facts,
    suggestions: suggest(comparison),
  };
}

/** What is wrong with the replicas of one component, or in one set of components; empty when nothing is. */
export function describeComparison(
  { differences, missing, lags }: Comparison,
  replicas: readonly Replica[],
  component: ComponentRef,
): Finding[] {
  const findings: Finding[] = [];
  const byDeviating = new Map<string, Difference[]>();
  for (const each of differences) {
    const key = each.deviating.join(', ');
    const group = byDeviating.get(key);
    if (group === undefined) byDeviating.set(key, [each]);
    else group.push(each);
  }
  for (const group of byDeviating.values()) findings.push(divergence(group, replicas, component));
  if (missing.length > 0) findings.push(absence(missing, replicas, component));
  if (lags.length > 0) findings.push(delay(lags, replicas, component));
  return findings;
}

function divergence(
  differences: readonly Difference[],
  replicas: readonly Replica[],
  component: ComponentRef,
): Finding {
  const first = differences.reduce((a, b) => (b.since.time < a.since.time ? b : a));
  const { deviating } = first;
  const name = componentKey(component);
  const others = replicas.length - deviating.length;
  const facts = differences.slice(0, 5).map(difference);
  const isTorn = others === 0;
  return {
    ...base('diverged', deviating, component),
    severity: 'warning',
    title: `${isTorn ? `The replicas of ${name} differ` : `${names(deviating)} of ${name} diverged`} on ${first.path}`,
    summary: `${name}: ${facts.join('; ')}.`,
    description: `${isTorn ? 'The replicas' : names(deviating)} of ${name} hold another state than the rest: ${facts.join('; ')}.${firstDivergence(differences)}`,
    correlation_id: first.since.correlation_id,
    operation_id: first.since.operation_id,
    evidence: evidenceOf([], { ...numbersOf({ differences }), nodes: deviating, replicas: replicas.length }, [
      ...differences.map(({ since }) => since.id),
      ...replicas.map(({ moments }) => moments.at(-1)!.snapshot.id),
    ]),
    confidence: confidenceOf([
      0.75,
      isTorn ? 0 : (others - 1) / replicas.length,
      sampleSignal(Math.max(...differences.map(({ confirmations }) => confirmations)), 3),
      sampleSignal(differences.length - 1, 3),
    ]),
    times: [...new Set(differences.map(({ since }) => formatNanos(since.time)))].sort(),
    symptoms: facts,
    suggestions: suggest({ differences }),
  };
}

function absence(missing: readonly Missing[], replicas: readonly Replica[], component: ComponentRef): Finding {
  const who = missing.map(({ name }) => name);
  const operations = missing.flatMap(({ operations: each }) => each).sort((a, b) => (a.time < b.time ? -1 : 1));
  const last = operations.at(-1)!;
  const count = new Set(operations.map(({ operation_id }) => operation_id)).size;
  const name = componentKey(component);
  const present = replicas.length - who.length;
  return {
    ...base('missing', who, component),
    severity: 'warning',
    title: `${present} of ${replicas.length} replicas of ${name} reported an operation; missing: ${names(who)}`,
    summary: `${names(who)} of ${name} did not report ${count} operation${count === 1 ? '' : 's'} that the other ${present === 1 ? 'one' : present} did, the last of them ${last.operation_id}.`,
    description: `All replicas of ${name} usually report every operation. ${names(who)} left out ${count}, the first at ${formatNanos(operations[0]!.time)} (operation ${operations[0]!.operation_id}).`,
    correlation_id: last.correlation_id,
    operation_id: count === 1 ? last.operation_id : null,
    evidence: evidenceOf(
      [],
      {
        nodes: who,
        missing_components: who,
        expected_replicas: replicas.length,
        actual_replicas: present,
        completion_rate: round(present / replicas.length, 4),
        operations: [...new Set(operations.map(({ operation_id }) => operation_id))].slice(-10),
      },
      operations.map(({ id }) => id),
    ),
    confidence: confidenceOf([0.75, sampleSignal(count, 3)]),
    times: [...new Set(operations.map(({ time }) => formatNanos(time)))],
    symptoms: ['replica missing'],
    suggestions: suggest({ missing }),
  };
}

function delay(lags: readonly Lag[], replicas: readonly Replica[], component: ComponentRef): Finding {
  const worst = lags.reduce((a, b) => (b.seconds > a.seconds ? b : a));
  const who = [...new Set(lags.map(({ name }) => name))].sort();
  const name = componentKey(component);
  const seconds = round(worst.seconds, 1);
  return {
    ...base('lag', [], component),
    severity: 'warning',
    title: `Replicas of ${name} are up to ${seconds} s apart`,
    summary: `${names(who)} of ${name} reported ${lags.length} operation${lags.length === 1 ? '' : 's'} over ${LAG_SECONDS_MAX} s after the first replica did, at most ${seconds} s.`,
    description: `Healthy lag between replicas is up to ${LAG_SECONDS_MAX} s. ${worst.name} was ${seconds} s behind with operation ${worst.snapshot.operation_id}.`,
    correlation_id: worst.snapshot.correlation_id,
    operation_id: lags.length === 1 ? worst.snapshot.operation_id : null,
    evidence: evidenceOf(
      [],
      { replication_lag_seconds: seconds, nodes: who, operations: lags.length, replicas: replicas.length },
      lags.map(({ snapshot }) => snapshot.id),
    ),
    confidence: confidenceOf([0.7, marginSignal(worst.seconds, LAG_SECONDS_MAX), sampleSignal(lags.length - 1, 3)]),
    times: [...new Set(lags.map(({ snapshot }) => formatNanos(snapshot.time)))].sort(),
    symptoms: ['replication lag'],
    suggestions: suggest({ lags }),
  };
}

function base(what: string, who: readonly string[], component: ComponentRef) {
  return {
    analyzer: CONSISTENCY,
    what: [what, ...who].join(' '),
    where: component,
    insight_type: 'consistency' as const,
    components: [component],
  };
}

/** Which snapshots are replicas of each other: nodes of one component, or components of one type. */
function chooseReplicas(
  { operation_id, component_ids, component_type }: ConsistencyRequest,
  snapshots: readonly Snapshot[],
): { nameOf: (snapshot: Snapshot) => string | null; expected: readonly string[] | null } {
  const fits = (snapshot: Snapshot) =>
    (component_type === undefined || snapshot.component_type === component_type) &&
    (component_ids === undefined || component_ids.includes(snapshot.component_id));
  const asked = component_ids === undefined ? undefined : [...new Set(component_ids)];
  const byId = (type: string | undefined) => ({
    nameOf: (snapshot: Snapshot) =>
      fits(snapshot) && (type === undefined || snapshot.component_type === type) ? snapshot.component_id : null,
    expected: asked ?? null,
  });
  if (asked !== undefined && asked.length > 1) return byId(component_type);
  const nodes = new Map<string, Set<string>>();
  const ids = new Map<string, Set<string>>();
  for (const snapshot of snapshots) {
    if (snapshot.operation_id !== operation_id || !fits(snapshot)) continue;
    const { component_type: type, component_id: id, node_id } = snapshot;
    if (node_id !== null) add(nodes, componentKey({ type, id }), node_id);
    add(ids, type, id);
  }
  const [widest, itsNodes] = largest(nodes);
  const [type, itsIds] = largest(ids);
  if (component_type !== undefined ? itsIds > 1 : itsNodes < 2) return byId(type);
  return {
    nameOf: (snapshot) =>
      componentKey({ type: snapshot.component_type, id: snapshot.component_id }) === widest ? snapshot.node_id : null,
    expected: null,
  };
}

function add(sets: Map<string, Set<string>>, key: string, value: string): void {
  const set = sets.get(key);
  if (set === undefined) sets.set(key, new Set([value]));
  else set.add(value);
}

function largest(sets: ReadonlyMap<string, ReadonlySet<string>>): [key: string | undefined, size: number] {
  let best: [string | undefined, number] = [undefined, 0];
  for (const [key, { size }] of sets) if (size > best[1]) best = [key, size];
  return best;
}

/** `stock.a is 4 on n3, 5 on the other 2`; all are named where nobody deviates from the rest. */
function difference({ path, values, absentOn, deviating }: Difference): string {
  const total = Object.keys(values).length + absentOn.length;
  const isTorn = deviating.length === total;
  const holders = new Map<string, string[]>();
  for (const [name, value] of Object.entries(values)) push(holders, brief(value), name);
  for (const name of absentOn) push(holders, 'absent', name);
  const parts = [...holders].map(([text, who]) => {
    const isRest = !isTorn && who.every((name) => !deviating.includes(name));
    return {
      text: `${text} on ${isRest ? (who.length === 1 ? names(who) : `the other ${who.length}`) : names(who)}`,
      isRest,
    };
  });
  parts.sort((a, b) => Number(a.isRest) - Number(b.isRest));
  return `${path} is ${parts.map(({ text }) => text).join(', ')}`;
}

function push(lists: Map<string, string[]>, key: string, value: string): void {
  const list = lists.get(key);
  if (list === undefined) lists.set(key, [value]);
  else list.push(value);
}

function firstDivergence(differences: readonly Difference[]): string {
  if (differences.length === 0) return '';
  const first = differences.reduce((a, b) => (b.since.time < a.since.time ? b : a));
  const { operation_id } = first.since;
  return ` They parted at ${formatNanos(first.since.time)} on ${first.path}${operation_id === null ? '' : `, with operation ${operation_id}`}.`;
}

interface Told {
  differences?: readonly Difference[];
  missing?: readonly Missing[];
  lags?: readonly Lag[];
}

function numbersOf({ differences = [], lags = [] }: Told): JsonObject {
  const first = differences.length === 0 ? null : differences.reduce((a, b) => (b.since.time < a.since.time ? b : a));
  return {
    ...(differences.length > 0 && {
      inconsistencies: differences
        .slice(0, 20)
        .map(({ path, values, absentOn, deviating }) => ({ key: path, values, absent_on: absentOn, deviating })),
      affected_keys: differences.length,
    }),
    ...(first !== null && {
      first_divergence: {
        time: formatNanos(first.since.time),
        snapshot_id: first.since.id,
        operation_id: first.since.operation_id,
        key: first.path,
      },
    }),
    ...(lags.length > 0 && { replication_lag_seconds: round(Math.max(...lags.map(({ seconds }) => seconds)), 3) }),
  };
}

function suggest({ differences = [], missing = [], lags = [] }: Told): Suggestion[] {
  const advice: Suggestion[] = [];
  const say = (action: string, why: string) => advice.push({ action, why, source: 'known_cause' });
  const [first] = differences;
  if (first !== undefined) {
    const { operation_id } = first.since;
    const what = operation_id === null ? 'what was written then' : `operation ${operation_id}`;
    say(`See whether ${what} reached ${names(first.deviating)}, and apply it again`, 'the replicas agreed until then');
  }
  if (missing.length > 0) {
    say(
      `Check whether ${names(missing.map(({ name }) => name))} runs and receives writes`,
      'the other replicas reported what it did not',
    );
  }
  if (lags.length > 0) say(`Look at the queue in front of ${lags[0]!.name}`, 'it comes to the same state, but late');
  return advice;
}

function brief(value: Json): string {
  const text = JSON.stringify(value);
  return text.length > 40 ? `${text.slice(0, 39)}…` : text;
}

function names(all: readonly string[]): string {
  const shown = all.slice(0, 5);
  if (all.length > shown.length) return `${shown.join(', ')} and ${all.length - shown.length} more`;
  return shown.length < 2 ? shown.join('') : `${shown.slice(0, -1).join(', ')} and ${shown.at(-1)}`;
}
