/** How errors fall on the replicas of a component. */
import type { ComponentRef } from '../../../model/block.ts';
import type { DebugEvent } from '../../../model/event.ts';
import { listed, plural } from '../../agent/say.ts';
import { nameOf } from '../../budget.ts';
import type { Claim } from '../../needs.ts';
import type { TimeRangeInput } from '../../params.ts';
import { type Asking, say, whichOf } from '../reply.ts';
import { means } from '../vocabulary.ts';

/** "Which nodes are bad": how the errors fall on the replicas of one or of all, told where they are asked after. */
export async function nodesOf(
  { facts, tenant, understood }: Asking,
  ref: ComponentRef | null,
  range: TimeRangeInput,
): Promise<Claim[]> {
  if (understood.nodes.length === 0 && !understood.words.some((word) => means(word, 'copies'))) return [];
  const { data } = await facts.events(tenant, { ...(ref !== null && whichOf(ref)), ...range, limit: 1000 });
  const nodes = Map.groupBy(data, ({ node_id }) => node_id ?? 'no node');
  const failed = (events: readonly DebugEvent[]) =>
    events.filter(({ level }) => level === 'ERROR' || level === 'CRITICAL').length;
  const ranked = [...nodes].sort(([, a], [, b]) => failed(b) / b.length - failed(a) / a.length);
  const words = ranked.map(([node, events]) => `${nameOf(node)} ${failed(events)} of ${events.length}`);
  return [say(`Errors by node, of the newest ${plural(data.length, 'event')}: ${listed(words, 5)}.`, data[0]?.id)];
}
