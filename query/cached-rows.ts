/** Rows by way of the cache: insights, and the latest snapshots of a component. Whatever goes by the clock is read anew. */
import type { Insight } from '../model/insight.ts';
import type { RowStore } from '../storage/contract.ts';
import { type Cache, ENTRY_BYTES_MAX, TOPICS } from './cache.ts';

export function cachedRows(rows: RowStore, cache: Cache): RowStore {
  return {
    ...tellingRows(rows, cache),

    async insight(tenant, id) {
      const topics = [TOPICS.insight(id)];
      const { insight } = await cache.read(
        { kind: 'insight', tenant, question: id, topics },
        async () => ({ insight: await rows.insight(tenant, id) }),
        // Who asks for what does not exist could fill the cache with it.
        ({ insight }) => (insight === null ? null : { topics, bytes: bytesOf(insight) }),
      );
      return insight;
    },

    async insights(tenant, query) {
      if (query.start !== undefined || query.end !== undefined || query.changed_since !== undefined)
        return rows.insights(tenant, query);
      const { component_id } = query;
      const found = await cache.read(
        { kind: 'insights', tenant, question: JSON.stringify(query), topics: [TOPICS.insights] },
        () => rows.insights(tenant, query),
        (insights) => ({
          // Also by what it holds: an insight may cease to be about a component.
          topics:
            component_id === undefined
              ? [TOPICS.insights]
              : [TOPICS.insightsOf(component_id), ...insights.map(({ id }) => TOPICS.insight(id))],
          bytes: bytesOf(insights satisfies Insight[]),
        }),
      );
      return [...found];
    },

    async snapshots(tenant, query) {
      const { component_id } = query;
      if (component_id === undefined) return rows.snapshots(tenant, query);
      const topics = [TOPICS.state(component_id)];
      const found = await cache.read(
        { kind: 'snapshots', tenant, question: JSON.stringify(query, digits), topics },
        () => rows.snapshots(tenant, query),
        (snapshots) => ({ topics, bytes: bytesOf(snapshots) }),
      );
      return [...found];
    },
  };
}

/** Rows that tell the cache of every insight that is stored through them, also of what is no news to anybody else. */
export function tellingRows<Rows extends Pick<RowStore, 'changeInsight'>>(rows: Rows, cache: Cache): Rows {
  return {
    ...rows,
    async changeInsight(tenant, id, change) {
      const insight = await rows.changeInsight(tenant, id, change);
      if (insight !== null) cache.observe({ kind: 'insight', tenant, change: 'updated', insight });
      return insight;
    },
  } satisfies Rows;
}

function digits(_: string, value: unknown): unknown {
  return typeof value === 'bigint' ? String(value) : value;
}

/** About what a value takes, by what it holds; looks no further than what is too much for an entry anyway. */
function bytesOf(value: unknown): number {
  let bytes = 0;
  const left: unknown[] = [value];
  while (left.length > 0 && bytes <= ENTRY_BYTES_MAX) {
    const next = left.pop();
    bytes += 16;
    if (typeof next === 'string') bytes += 2 * next.length;
    else if (typeof next === 'object' && next !== null) for (const each of Object.values(next)) left.push(each);
  }
  return bytes;
}
