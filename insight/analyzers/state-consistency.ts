/**
 * Replicas that should be equal and are not: one that diverged, one that is missing, one that lags. Replicas are the nodes of one
 * component. Components of one type are compared only when their operation is asked for and their states are built alike. What
 * counts as a difference, and what is healthy lag, stands in replicas/.
 */
import type { ComponentRef } from '../../model/block.ts';
import type { Snapshot } from '../../model/snapshot.ts';
import type { Analyzer, Budget } from '../analyzer.ts';
import { CONSISTENCY, checkOperation, describeComparison } from '../consistency.ts';
import type { Finding } from '../finding.ts';
import { compareReplicas } from '../replicas/compare.ts';
import { replicasOf } from '../replicas/replica.ts';
import { componentKey, type Window } from '../window.ts';

export const stateConsistency: Analyzer = {
  name: CONSISTENCY,
  needs: ['snapshots'],
  analyze(window, budget) {
    const byComponent = new Map<string, Snapshot[]>();
    for (const snapshot of window.snapshots) {
      if (snapshot.node_id === null) continue;
      const key = componentKey({ type: snapshot.component_type, id: snapshot.component_id });
      const group = byComponent.get(key);
      if (group === undefined) byComponent.set(key, [snapshot]);
      else group.push(snapshot);
    }
    const findings: Finding[] = [];
    for (const snapshots of byComponent.values()) {
      budget.check();
      const replicas = replicasOf(snapshots, ({ node_id }) => node_id);
      if (replicas.length < 2) continue;
      const { component } = replicas[0]!;
      const over = describeComparison(compareReplicas(replicas, window.asOf, budget), replicas, component);
      findings.push(...(over.length > 0 ? over : nodesInOperation(window, component, snapshots, budget)));
    }
    return [...findings, ...alikeInOperation(window, budget)];
  },
};

/** Of an operation that was asked for, the nodes are compared without a history too. */
function nodesInOperation(
  { scope }: Window,
  { type, id }: ComponentRef,
  snapshots: readonly Snapshot[],
  budget: Budget,
): Finding[] {
  const { tenant, operation_id } = scope;
  if (operation_id === undefined) return [];
  const request = { tenant, operation_id, component_type: type, component_ids: [id] };
  const finding = checkOperation(request, snapshots, budget);
  return finding === null || finding.severity === 'info' ? [] : [finding];
}

/** Share of the keys that two states must have in common to be taken for states of the same thing. */
const ALIKE_MIN = 0.5;

function alikeInOperation({ scope, snapshots }: Window, budget: Budget): Finding[] {
  const { tenant, operation_id } = scope;
  if (operation_id === undefined) return [];
  const byType = new Map<string, Snapshot[]>();
  for (const snapshot of snapshots) {
    if (snapshot.node_id !== null || snapshot.operation_id !== operation_id) continue;
    const group = byType.get(snapshot.component_type);
    if (group === undefined) byType.set(snapshot.component_type, [snapshot]);
    else group.push(snapshot);
  }
  const findings: Finding[] = [];
  for (const [component_type, group] of byType) {
    const ids = new Set(group.map(({ component_id }) => component_id));
    if (ids.size < 2 || !group.every((snapshot) => isAlike(snapshot, group[0]!))) continue;
    const finding = checkOperation(
      { tenant, operation_id, component_type, component_ids: [...ids] },
      snapshots,
      budget,
    );
    if (finding !== null && finding.severity !== 'info') findings.push(finding);
  }
  return findings;
}

function isAlike(one: Snapshot, other: Snapshot): boolean {
  const keys = Object.keys(one.state_data);
  const others = Object.keys(other.state_data);
  const common = keys.filter((key) => Object.hasOwn(other.state_data, key)).length;
  return common >= ALIKE_MIN * new Set([...keys, ...others]).size;
}
