import { expect, test } from 'vitest';
import { snapshot, unbounded, windowOf } from '../../test/support/telemetry.ts';
import { parseInvariants } from '../invariants.ts';
import { invariantAnalyzer } from './invariant.ts';

const analyzer = invariantAnalyzer(parseInvariants('stock is not negative: service/stock#qty >= 0'));
const find = (...quantities: number[]) =>
  analyzer.analyze(
    windowOf([], {
      snapshots: quantities.map((qty, i) =>
        snapshot({ ms: i * 1000, by: 'stock@n1', operation: `op-${i}`, state: { qty } }),
      ),
    }),
    unbounded,
  );

test('a broken rule is critical, with the operation that broke it; one that holds again a warning', () => {
  const [finding] = find(2, 1, -1);
  expect(finding).toMatchObject({
    insight_type: 'consistency',
    severity: 'critical',
    what: 'stock is not negative',
    operation_id: 'op-2',
    evidence: { numbers: { left: -1, right: 0, node: 'n1', operation_id: 'op-2' } },
  });
  expect(finding!.confidence).toBeGreaterThan(0.7);
  expect(finding!.evidence.snapshot_ids).toHaveLength(1);
  expect(find(2, -1, 1)).toMatchObject([{ severity: 'warning' }]);
});

test('quiet: a rule that holds', () => {
  expect(find(2, 1, 0)).toEqual([]);
});
