/** What is answered about names that nobody has sent. */
import { coverageWords, type Draft } from '../budget.ts';
import type { Facts } from './facts.ts';

/** @param answer which says what is not known */
export async function notKnown(facts: Pick<Facts, 'events'>, tenant: string, answer: string): Promise<Draft> {
  const any = await facts.events(tenant, { limit: 1 });
  return {
    answer,
    confidence: 0,
    facts: { found: false },
    lists: [],
    next: [{ tool: 'health', arguments: {} }],
    coverage: coverageWords(any.meta),
    as_of: any.meta.as_of,
    raw: null,
  };
}
