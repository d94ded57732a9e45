/** The replicas of a component: which are new, and how errors fall on them. */
import type { ComponentRef } from '../../../model/block.ts';
import type { DebugEvent } from '../../../model/event.ts';
import { parseNanos } from '../../../model/time.ts';
import { clockTime, listed, plural } from '../../agent/say.ts';
import { nameOf } from '../../budget.ts';
import type { Claim } from '../../needs.ts';
import { parseWindow, type TimeRangeInput } from '../../params.ts';
import type { AskFacts } from '../known.ts';
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
  return [
    say(`Errors by node, of the newest ${plural(data.length, 'event')}: ${listed(words, 5)}.`, data[0]?.id),
    ...(ref === null ? [] : await newNodes(facts, tenant, ref, range)),
  ];
}

/** Those that spoke for the first time within the range, where others had spoken before. */
async function newNodes(facts: AskFacts, tenant: string, ref: ComponentRef, range: TimeRangeInput): Promise<Claim[]> {
  const { data, meta } = await facts.nodes(tenant, { ...whichOf(ref), ...range });
  const { start } = parseWindow(range, parseNanos(meta.as_of)!);
  const fresh = data.filter(({ first_seen }) => parseNanos(first_seen)! > start);
  if (meta.truncated || fresh.length === 0 || fresh.length === data.length) return [];
  const words = fresh.map(
    ({ node_id, version, first_seen }) =>
      `${nameOf(node_id)}${version === null ? '' : ` (version ${nameOf(version)})`} since ${clockTime(first_seen, meta.as_of)}`,
  );
  return [say(`New of ${plural(data.length, 'node')}: ${listed(words, 3)}.`)];
}
