/** What exists that a question may name: looked up, never guessed. */
import { DebugError } from '../../base/errors.ts';
import type { ComponentRef } from '../../model/block.ts';
import { formatNanos } from '../../model/time.ts';
import type { Facts } from '../agent/facts.ts';
import type { NodeAnswers } from '../nodes.ts';
import type { TemplateView } from '../patterns.ts';
import type { RootCauseAnswers } from '../root-cause.ts';
import type { StateAnswers } from '../state.ts';
import type { TopologyAnswers } from '../topology.ts';

/** The facts that questions in words are answered from. */
export interface AskFacts extends Facts, StateAnswers, RootCauseAnswers, TopologyAnswers, NodeAnswers {}

export type IdKind = 'event' | 'insight' | 'trace' | 'correlation' | 'operation';

export interface KnownId {
  kind: IdKind;
  id: string;
}

/** Every component of which something is kept, those of the last hour first, 200 at most. */
export async function knownComponents(facts: AskFacts, tenant: string): Promise<ComponentRef[]> {
  const [lately, ever] = await Promise.all([
    facts.systemHealth(tenant, { time_range: '1h' }),
    facts.systemHealth(tenant, EVER),
  ]);
  const refs = new Map<string, ComponentRef>();
  for (const { component_type: type, component_id: id } of [...lately.data.by_component, ...ever.data.by_component])
    refs.set(`${type}/${id}`, { type, id });
  return [...refs.values()];
}

/** @returns null where nothing goes by that id */
export async function whatIs(facts: AskFacts, tenant: string, id: string): Promise<KnownId | null> {
  if (/^[0-9a-f]{32}$/i.test(id)) {
    const hex = id.toLowerCase();
    if (await exists(facts.event(tenant, hex))) return { kind: 'event', id: hex };
    if (await exists(facts.insight(tenant, hex))) return { kind: 'insight', id: hex };
    if ((await facts.events(tenant, { trace_id: hex, limit: 1 })).data.length > 0) return { kind: 'trace', id: hex };
  }
  // UUIDs are the same in either case, and most are kept in lower case.
  const forms = /^[0-9A-F-]{8,}$/i.test(id) ? new Set([id, id.toLowerCase(), id.toUpperCase()]) : [id];
  for (const form of forms)
    for (const kind of ['operation', 'correlation'] as const) {
      const { data } = await facts.events(tenant, { [`${kind}_id`]: form, limit: 1 });
      if (data.length > 0) return { kind, id: form };
    }
  return null;
}

/** The log patterns of all that is retained, the most frequent first, 1,000 at most. */
export async function allTemplates(facts: AskFacts, tenant: string): Promise<TemplateView[]> {
  return (await facts.templates(tenant, { ...EVER, limit: TEMPLATES_MAX })).data;
}

/** Those in which a text occurs. */
export async function templatesWith(facts: AskFacts, tenant: string, text: string): Promise<TemplateView[]> {
  const wanted = text.toLowerCase();
  return (await allTemplates(facts, tenant)).filter(({ template }) => template?.toLowerCase().includes(wanted));
}

export async function orNone<T>(answer: Promise<T>): Promise<T | null> {
  try {
    return await answer;
  } catch (error) {
    if (error instanceof DebugError && error.code === 'NOT_FOUND') return null;
    throw error;
  }
}

async function exists(answer: Promise<unknown>): Promise<boolean> {
  return (await orNone(answer)) !== null;
}

/** All that is retained, also a capture of long ago that was read in lately. */
const EVER = { start: formatNanos(0n) };
const TEMPLATES_MAX = 1000;
