/** What moved since an agent asked last: some tens of tokens when nothing did. */
import { coverageWords, type Draft, type NextCall } from '../budget.ts';
import type { Facts } from './facts.ts';
import { gravestFirst, insightItem, pressingFirst } from './say.ts';

export interface ChangesInput {
  since?: string | undefined;
}

export async function draftChanges(facts: Facts, tenant: string, { since }: ChangesInput): Promise<Draft> {
  const { data, meta } = await facts.changes(tenant, { since });
  const opened = data.opened.toSorted(pressingFirst(meta.as_of));
  const changed = data.changed.toSorted(gravestFirst);
  const kinds = [
    ...(opened.length > 0 ? [`${opened.length} ${since === undefined ? 'open' : 'opened'}`] : []),
    ...(changed.length > 0 ? [`${changed.length} changed`] : []),
    ...(data.resolved.length > 0 ? [`${data.resolved.length} resolved`] : []),
  ];
  const news = opened[0] ?? changed[0];
  const next: NextCall[] = news === undefined ? [] : [{ tool: 'explain', arguments: { id: news.id } }];
  const answer =
    kinds.length === 0
      ? since === undefined
        ? 'No insight is open.'
        : 'Nothing moved.'
      : `Insights: ${kinds.join(', ')}.`;
  return {
    answer,
    facts: { cursor: data.cursor },
    lists: [
      { name: 'opened', items: opened.map((each) => insightItem(each, meta.as_of)) },
      { name: 'changed', items: changed.map((each) => insightItem(each, meta.as_of)) },
      { name: 'resolved', items: data.resolved.map((each) => insightItem(each, meta.as_of)) },
    ],
    next,
    coverage: coverageWords(meta),
    as_of: meta.as_of,
    raw: null,
  };
}

export interface ResolveInput {
  id: string;
  /** What was done about it: the next one who meets the like is told. */
  notes?: string | undefined;
  /** `resolved` unless said. */
  as?: 'resolved' | 'ignored' | 'open' | undefined;
  actor?: string | undefined;
}

export async function draftResolve(facts: Facts, tenant: string, input: ResolveInput): Promise<Draft> {
  const { id, as = 'resolved', ...change } = input;
  const by = { resolved: facts.resolve, ignored: facts.ignore, open: facts.reopen }[as];
  const { data, meta } = await by(tenant, id, change);
  return {
    answer:
      `Insight ${id} is ${data.state}. ${as === 'resolved' ? 'If it is seen again it is regressed; ask changes.' : ''}`.trim(),
    facts: { id, state: data.state },
    lists: [{ name: 'insight', items: [insightItem(data, meta.as_of)] }],
    next: [{ tool: 'changes', arguments: {} }],
    coverage: coverageWords(meta),
    as_of: meta.as_of,
    raw: null,
  };
}
