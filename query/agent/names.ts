/** Which component somebody means. What does not exist is said not to, with what comes nearest: a guess would be answered as if it were known. */
import type { ComponentRef } from '../../model/block.ts';
import type { Answer } from '../answer.ts';
import { nameOf } from '../budget.ts';
import type { SystemHealth } from '../health.ts';
import type { TimeRangeInput } from '../params.ts';
import type { Facts } from './facts.ts';
import { componentName, listed } from './say.ts';

export type Meant = { ref: ComponentRef } | { unknown: string };

/** @param text `orders`, `service/orders`, in any case  @param range where it is looked for first; then in the last week */
export async function findComponent(
  facts: Pick<Facts, 'systemHealth'>,
  tenant: string,
  text: string,
  range: TimeRangeInput,
): Promise<Meant> {
  const inRange = await facts.systemHealth(tenant, range);
  const meant = match(text, inRange);
  if (meant !== null) return { ref: meant };
  const lately = await facts.systemHealth(tenant, { time_range: '7d' });
  const earlier = match(text, lately);
  if (earlier !== null) return { ref: earlier };
  const names = lately.data.by_component.map(({ component_type, component_id }) =>
    componentName(component_type, component_id),
  );
  const near = names.filter((name) => likeness(name, text) > 0.5).sort((a, b) => likeness(b, text) - likeness(a, text));
  const hint =
    near.length > 0 ? `did you mean ${listed(near)}?` : names.length > 0 ? `known: ${listed(names.sort(), 10)}` : '';
  return { unknown: `No component ${nameOf(text)} was heard of in the last 7 days. ${hint}`.trim() };
}

function match(text: string, { data }: Answer<SystemHealth>): ComponentRef | null {
  const wanted = text.toLowerCase();
  const refs = data.by_component.map(({ component_type, component_id }) => ({
    type: component_type,
    id: component_id,
  }));
  return (
    refs.find(({ type, id }) => id === text || `${type}/${id}` === text) ??
    refs.find(({ type, id }) => id.toLowerCase() === wanted || `${type}/${id}`.toLowerCase() === wanted) ??
    null
  );
}

/** Dice's coefficient over pairs of letters (Dice, 1945): 0 to 1, whatever the order of words. */
function likeness(a: string, b: string): number {
  const [of, other] = [pairs(a), pairs(b)];
  if (of.size + other.size === 0) return 0;
  return (2 * of.intersection(other).size) / (of.size + other.size);
}

function pairs(text: string): Set<string> {
  const letters = text.toLowerCase();
  return new Set(Array.from({ length: Math.max(0, letters.length - 1) }, (_, i) => letters.slice(i, i + 2)));
}
