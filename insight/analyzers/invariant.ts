/**
 * Declared invariants that snapshots break (../invariants.ts), with the snapshot and the operation that broke each. Told as critical while one
 * is broken, as a warning when it was and holds again.
 */
import type { ComponentRef } from '../../model/block.ts';
import type { Json } from '../../model/json.ts';
import type { Snapshot } from '../../model/snapshot.ts';
import { formatNanos } from '../../model/time.ts';
import type { Analyzer } from '../analyzer.ts';
import { confidenceOf, evidenceOf, type Finding, round, sampleSignal } from '../finding.ts';
import { type Invariant, type Violation, violationsOf } from '../invariants.ts';
import { componentKey } from '../window.ts';

/** @param invariants what must hold; none: the analyzer finds nothing */
export function invariantAnalyzer(invariants: readonly Invariant[]): Analyzer {
  return {
    name: NAME,
    needs: ['snapshots'],
    analyze(window, budget) {
      const findings: Finding[] = [];
      for (const invariant of invariants) {
        budget.check();
        const violations = violationsOf(invariant, window.snapshots, window.asOf);
        if (violations.length > 0) findings.push(broken(invariant, violations));
      }
      return findings;
    },
  };
}

const NAME = 'invariant';

function broken({ name, text, op }: Invariant, violations: readonly Violation[]): Finding {
  const last = violations.at(-1)!;
  const { since, until, sides, left, right, confirmations } = last;
  const components = [
    ...new Map(
      violations.flatMap(({ since: at, sides: all }) => [at, ...all]).map((at) => [keyOf(at), refOf(at)]),
    ).values(),
  ];
  const isOpen = op !== 'monotonic' && until === null;
  const first = violations[0]!;
  const fact =
    op === 'monotonic'
      ? `it fell from ${brief(right)} to ${brief(left)}`
      : `${brief(left)} ${op} ${brief(right)} does not hold`;
  const node = since.node_id === null ? '' : ` (node ${since.node_id})`;
  const operation = since.operation_id === null ? '' : `, with operation ${since.operation_id}`;
  const often = violations.length === 1 ? '' : ` It was broken ${violations.length} times.`;
  return {
    analyzer: NAME,
    what: name,
    where: refOf(since),
    insight_type: 'consistency',
    severity: isOpen ? 'critical' : 'warning',
    title: `"${name}" is broken: ${fact}`,
    summary: `${text}: ${fact} since a snapshot of ${keyOf(since)}${node} at ${formatNanos(since.time)}${operation}${until === null ? '' : `, until ${formatNanos(until)}`}.`,
    description: `The invariant "${name}", declared as \`${text}\`, was broken by ${keyOf(since)}${node} at ${formatNanos(since.time)}${operation}: ${fact}.${often}`,
    components,
    correlation_id: since.correlation_id,
    operation_id: since.operation_id,
    evidence: evidenceOf(
      [],
      {
        invariant: name,
        rule: text,
        left,
        right,
        since: formatNanos(since.time),
        until: until === null ? null : formatNanos(until),
        operation_id: since.operation_id,
        node: since.node_id,
        violations: violations.length,
        first_violation: formatNanos(first.since.time),
      },
      violations.flatMap(({ since: at, sides: all }) => [at.id, ...all.map(({ id }) => id)]).reverse(),
    ),
    // A rule was declared and the states say otherwise: what is left to doubt is whether all of them were seen.
    confidence: confidenceOf([
      0.85,
      sampleSignal(confirmations + violations.length - 1, 2),
      sides.length > 1 ? 0 : 0.3,
    ]),
    times: [...new Set(violations.map(({ since: at }) => formatNanos(at.time)))].sort(),
    symptoms: [`invariant ${name}`],
    suggestions: [
      {
        action: `See what ${since.operation_id === null ? `${keyOf(since)} did just before ${formatNanos(since.time)}` : `operation ${since.operation_id} wrote`}, on each of ${components.map(componentKey).join(', ')}`,
        why: `the rule held until that snapshot${isOpen ? '' : `, for ${round(Number((until ?? since.time) - since.time) / 1e9, 1)} s`}`,
        source: 'known_cause',
      },
    ],
  };
}

function refOf({ component_type: type, component_id: id }: Snapshot): ComponentRef {
  return { type, id };
}

function keyOf(snapshot: Snapshot): string {
  return componentKey(refOf(snapshot));
}

function brief(value: Json): string {
  const text = JSON.stringify(value);
  return text.length > 60 ? `${text.slice(0, 59)}…` : text;
}
