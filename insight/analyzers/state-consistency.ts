/**
 * Replicas that should be equal and are not: one that diverged, one that is missing, one that lags. Replicas are the nodes of one component;
 * components of one type are compared only when somebody asks (consistency.ts). What counts as a difference, and
 * what is healthy lag, stands in replicas.ts.
 */
import type { Snapshot } from '../../model/snapshot.ts';
import type { Analyzer } from '../analyzer.ts';
import { CONSISTENCY, describeComparison } from '../consistency.ts';
import type { Finding } from '../finding.ts';
import { compareReplicas, replicasOf } from '../replicas.ts';
import { componentKey } from '../window.ts';

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
      findings.push(
        ...describeComparison(compareReplicas(replicas, window.asOf, budget), replicas, replicas[0]!.component),
      );
    }
    return findings;
  },
};
