import { expect, test } from 'vitest';
import type { Insight } from '../../model/insight.ts';
import { at, errorLog } from '../../test/support/telemetry.ts';
import { type WatchReader, watchRules } from './watch.ts';

const HOUR_MS = 3_600_000;

/** Two services of which all fails in the last hour, as the store would count them. */
function reader(asked: { start: bigint; end: bigint }[] = []): WatchReader {
  return {
    async componentSums(_tenant, range) {
      asked.push(range);
      return asked.length > 1
        ? []
        : ['a', 'b'].map((component_id) => ({ component_type: 'service', component_id, total: 20, errors: 20 }));
    },
    events: async ({ component_id, limit }) => ({
      next: null,
      events: Array.from({ length: limit }, (_, i) =>
        errorLog({ ms: 3 * HOUR_MS - i, by: component_id!, correlation: 'c', message: `m${i}` }),
      ),
    }),
  };
}

test('the last hour is compared with the one before, whole minutes, and neither is counted twice', async () => {
  const asked: { start: bigint; end: bigint }[] = [];
  await watchRules(reader(asked), 't', at(3 * HOUR_MS), async () => []);
  const [last, before] = asked;
  expect(before!.end).toBe(last!.start - 1n);
  expect(last!.start - before!.start).toBe(BigInt(HOUR_MS) * 1_000_000n);
});

test('what breaks one rule is one finding, with errors of its components as evidence', async () => {
  const [finding, ...others] = await watchRules(reader(), 't', at(3 * HOUR_MS), async () => []);
  expect(others).toEqual([]);
  expect(finding!.components.map(({ id }) => id)).toEqual(['a', 'b']);
  expect(finding!.evidence.event_ids).toHaveLength(10);
  expect(finding!.times).toEqual(finding!.times.toSorted());
});

test('what somebody ignores is left out by its rule, and the others are still told', async () => {
  const ignored = {
    fingerprint: 'alert-error-rate|over|service/a',
    affected_components: [{ type: 'service', id: 'a' }],
  };
  const [finding] = await watchRules(reader(), 't', at(3 * HOUR_MS), async () => [ignored as Insight]);
  expect(finding!.components.map(({ id }) => id)).toEqual(['b']);
});
