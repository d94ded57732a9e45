/** What it would have cost to retrieve the events themselves: told on every receipt, so that nobody has to believe in savings. */
import type { DebugEvent } from '../../model/event.ts';
import type { RawCost } from '../budget.ts';
import type { EventFilter } from '../events.ts';
import type { TimeRangeInput } from '../params.ts';
import { estimateTokens } from '../tokens.ts';
import type { Facts } from './facts.ts';

/** @param events how many there are; each is taken to cost what the newest of them cost */
export async function rawCost(
  facts: Pick<Facts, 'events'>,
  tenant: string,
  filter: EventFilter & TimeRangeInput,
  events: number,
): Promise<RawCost | null> {
  if (events === 0) return null;
  const { data } = await facts.events(tenant, { ...filter, limit: SAMPLE });
  return rawCostOf(data, events);
}

/** @param sample some of them  @param events how many there are in all */
export function rawCostOf(sample: readonly DebugEvent[], events = sample.length): RawCost | null {
  if (sample.length === 0 || events === 0) return null;
  const some = sample.slice(0, SAMPLE);
  const tokens = some.reduce((sum, event) => sum + estimateTokens(JSON.stringify(event)), 0);
  return { events, tokens: Math.round((tokens / some.length) * events) };
}

// Right within some percent where events are alike, at a millisecond for each.
const SAMPLE = 20;
