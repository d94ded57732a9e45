/** Why did it fail: from an event, an insight, a correlation, a trace, an operation or a component to the earliest failure known behind it. */
import { DebugError } from '../../base/errors.ts';
import type { DebugEvent } from '../../model/event.ts';
import { coverageWords, type Draft, type NextCall, nameOf, quote } from '../budget.ts';
import type { EventFilter } from '../events.ts';
import type { TimeRangeInput } from '../params.ts';
import type { Facts } from './facts.ts';
import { findComponent } from './names.ts';
import { rawCost } from './raw.ts';
import { componentName, linkItem, listed, refName, sinceWords, suggestionItem } from './say.ts';
import { notKnown } from './unknown.ts';
import { changedBefore } from './versions.ts';

export interface ExplainInput extends TimeRangeInput {
  /** Of an event, an insight, a correlation, a trace or an operation. */
  id?: string | undefined;
  /** Its newest error is explained. */
  component?: string | undefined;
}

export async function draftExplain(facts: Facts, tenant: string, input: ExplainInput): Promise<Draft> {
  const { id, component, ...range } = input;
  if (id !== undefined) return explainId(facts, tenant, id);
  if (component === undefined) return explainNewest(facts, tenant, range, 'anything');
  const meant = await findComponent(facts, tenant, component, range);
  if ('unknown' in meant) return notKnown(facts, tenant, meant.unknown);
  const { type: component_type, id: component_id } = meant.ref;
  return explainNewest(facts, tenant, { component_type, component_id, ...range }, refName(meant.ref));
}

async function explainId(facts: Facts, tenant: string, id: string): Promise<Draft> {
  if (/^[0-9a-f]{32}$/.test(id)) {
    try {
      return await draftOf(facts, tenant, id);
    } catch (error) {
      if (!(error instanceof DebugError && error.code === 'NOT_FOUND')) throw error;
    }
  }
  for (const filter of [{ correlation_id: id }, { operation_id: id }]) {
    const any = await facts.events(tenant, { ...filter, limit: 1 });
    if (any.data.length > 0) return explainNewest(facts, tenant, filter, nameOf(id));
  }
  return notKnown(
    facts,
    tenant,
    `Nothing is known by the id ${nameOf(id)}: no event, insight, correlation, trace or operation.`,
  );
}

/** The newest error says most of what is wrong now; the chain leads to what was wrong first. */
async function explainNewest(
  facts: Facts,
  tenant: string,
  filter: EventFilter & TimeRangeInput,
  what: string,
): Promise<Draft> {
  const errors = await facts.events(tenant, { ...filter, min_level: 'ERROR', limit: 1 });
  const newest = errors.data[0];
  if (newest !== undefined) return draftOf(facts, tenant, newest.id, newest);
  const any = await facts.events(tenant, { ...filter, limit: 1 });
  return {
    answer:
      any.data.length > 0
        ? `No error of ${what} is known: nothing to explain.`
        : `Nothing of ${what} is known in this time.`,
    confidence: any.data.length > 0 ? undefined : 0,
    lists: [],
    next: [{ tool: 'health', arguments: {} }],
    coverage: coverageWords(any.meta),
    as_of: any.meta.as_of,
    raw: null,
  };
}

async function draftOf(facts: Facts, tenant: string, id: string, event?: DebugEvent): Promise<Draft> {
  const { data, meta } = await facts.explain(tenant, id);
  const { root_cause, chain, affected_components, suggestions, confidence, evidence, insight_id, description } = data;
  const of = event ?? (data.event_id === null ? undefined : (await facts.event(tenant, data.event_id)).data);
  const correlation = of?.correlation_id ?? null;
  const where =
    root_cause === null
      ? ''
      : // What it says stands in most descriptions already, and is paid for once.
        ` Root cause: ${componentName(root_cause.component_type, root_cause.component_id)}${description.includes(root_cause.message) ? '' : ` ${quote(root_cause.message, 200)}`}.`;
  const first = root_cause ?? chain.at(-1);
  const changed = first === undefined ? '' : await changedBefore(facts, tenant, first, meta.as_of);
  const since = evidence === null ? '' : sinceWords(evidence, meta.as_of);
  const spread = affected_components.length > 1 ? ` Touched: ${listed(affected_components.map(refName), 5)}.` : '';
  const next: NextCall[] = [];
  if (correlation !== null) next.push({ tool: 'trace', arguments: { id: correlation } });
  if (root_cause !== null) next.push({ tool: 'health', arguments: { component: root_cause.component_id } });
  if (insight_id !== null) next.push({ tool: 'resolve', arguments: { id: insight_id, notes: '…' } });
  // The root cause is the last link and the first to be kept; shown by time it reads from cause to effect.
  const links = chain.toReversed();
  return {
    answer: `${quote(description, 600)}${where}${changed}${spread}${since}`,
    confidence,
    ...(insight_id !== null && { facts: { insight_id } }),
    lists: [
      { name: 'suggestions', items: suggestions.map(suggestionItem) },
      { name: 'chain', items: links.map((link) => linkItem(link, meta.as_of)) },
      {
        name: 'evidence',
        items: (evidence?.event_ids ?? chain.map((link) => link.event_id)).map((id) => ({ forms: [id] })),
      },
    ],
    next,
    coverage: coverageWords(meta),
    as_of: meta.as_of,
    raw: correlation === null ? null : await rawOfCorrelation(facts, tenant, correlation),
  };
}

async function rawOfCorrelation(facts: Facts, tenant: string, id: string) {
  const { data } = await facts.correlation(tenant, id, { limit: 1 });
  return rawCost(facts, tenant, { correlation_id: id }, data.event_count);
}
