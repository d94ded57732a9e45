/**
 * What it would have cost to retrieve the events themselves: told on every receipt, so that nobody has to believe in savings. The sample
 * that is weighed for it also shows what is missing from them.
 */
import type { DebugEvent } from '../../model/event.ts';
import type { AnswerMeta } from '../answer.ts';
import type { RawCost } from '../budget.ts';
import type { EventFilter } from '../events.ts';
import type { TimeRangeInput } from '../params.ts';
import { estimateTokens } from '../tokens.ts';
import type { Facts } from './facts.ts';
import { plural } from './say.ts';
import { seenOf } from './seen.ts';

/** @param events how many there are; each is taken to cost what the newest of them cost */
export async function rawCost(
  facts: Pick<Facts, 'events'>,
  tenant: string,
  filter: EventFilter & TimeRangeInput,
  events: number,
): Promise<RawCost | null> {
  if (events === 0) return null;
  const { data, meta } = await facts.events(tenant, { ...filter, limit: SEEN });
  const cost = rawCostOf(data, events);
  return cost === null ? null : { ...cost, seen: [...(cost.seen ?? []), ...rejectedWords(meta)] };
}

/** @param sample some of them  @param events how many there are in all */
export function rawCostOf(sample: readonly DebugEvent[], events = sample.length): RawCost | null {
  if (sample.length === 0 || events === 0) return null;
  const some = sample.slice(0, SAMPLE);
  const tokens = some.reduce((sum, event) => sum + estimateTokens(JSON.stringify(event)), 0);
  return { events, tokens: Math.round((tokens / some.length) * events), seen: seenOf(sample) };
}

function rejectedWords({ coverage }: AnswerMeta): string[] {
  const { rejected = 0 } = coverage;
  return rejected === 0 ? [] : [`refused: ${plural(rejected, 'record')} sent here could not be read and are missing`];
}

// Right within some percent where events are alike, at a millisecond for each.
const SAMPLE = 20;
// One in a hundred late or dropped is found two times of three.
const SEEN = 100;
