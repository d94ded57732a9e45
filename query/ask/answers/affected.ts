/** Whom or what failures hit: what operations that fail have in common and the others have not, or how they fall on the values of one attribute. */
import type { DebugEvent } from '../../../model/event.ts';
import { listed, percent, plural, refName } from '../../agent/say.ts';
import { type DraftItem, nameOf, quote } from '../../budget.ts';
import { isPlain } from '../../differences.ts';
import { believed, shareChance } from '../../significance.ts';
import { type Answerer, heldTime, nothingOf, say, sureOf, whichOf } from '../reply.ts';
import { refsOf } from './complaints.ts';
import { errors } from './errors.ts';
import { subjectOf } from './operations.ts';

export const affected: Answerer = async (asking) => {
  const { facts, tenant, understood } = asking;
  const [ref] = understood.components;
  const held = await heldTime(asking, ref);
  if (held.empty !== null) return nothingOf(subjectOf(asking), held);
  const which = ref === undefined ? {} : whichOf(ref);
  const [bad, all] = await Promise.all([
    facts.events(tenant, { ...which, ...held.range, min_level: 'ERROR', limit: EVENTS_MAX }),
    facts.events(tenant, { ...which, ...held.range, limit: EVENTS_MAX }),
  ]);
  if (bad.data.length === 0) return errors(asking);
  const operations = Map.groupBy([...bad.data, ...all.data], ({ correlation_id, id }) => correlation_id ?? id);
  const failing = [...operations.values()].filter((events) => events.some(isError));
  const fine = [...operations.values()].filter((events) => !events.some(isError));
  const inFailing = countsOf(failing);
  const inFine = countsOf(fine);
  const asked = understood.attribute;
  const shares = [...inFailing]
    .filter(([, { key }]) => asked === null || key === asked)
    .map(([value, { key, text, operations }]) => {
      const others = inFine.get(value)?.operations ?? 0;
      const chance = shareChance(operations, failing.length, others, fine.length);
      return {
        key,
        text,
        operations,
        others,
        chance,
        score: operations / failing.length - others / (fine.length || 1),
      };
    });
  const told =
    asked === null
      ? believed(shares, FALSE_SHARE)
          .filter(({ score, operations }) => score >= SCORE_MIN && operations > 1)
          .sort((a, b) => b.score - a.score)
      : shares.sort((a, b) => b.operations - a.operations);
  const words = ({ key, text, operations, others }: (typeof told)[number]) =>
    `${nameOf(key)}=${quote(text, 60)} ${operations} of ${failing.length} that fail and ${others} of ${fine.length} others`;
  const newest = bad.data[0]!;
  const of = ref === undefined ? '' : ` of ${refName(ref)}`;
  const many = bad.meta.truncated || all.meta.truncated ? ', of the newest events' : '';
  return {
    sentences: [
      say(
        `${plural(failing.length, 'operation')}${of} failed ${held.words}, ${percent(failing.length / (failing.length + fine.length))} of those looked at${many}; the newest error: ${quote(newest.message, 160)}.`,
        newest.id,
      ),
      ...(ref === undefined ? [say(`Errors are of ${listed(refsOf(bad.data).map(refName), 5)}.`, newest.id)] : []),
      told.length === 0
        ? say('No attribute tells those that fail from the others beyond chance.', newest.id)
        : say(
            `${asked === null ? 'What they have and others have less' : 'They fall on'}: ${listed(told.map(words), 4)}.`,
            newest.id,
          ),
    ],
    confidence: sureOf(failing.length),
    lists: [{ name: 'attributes', items: told.map((each): DraftItem => ({ forms: [words(each)] })) }],
    next: [
      { tool: 'explain', arguments: { id: newest.id } },
      { tool: 'compare', arguments: ref === undefined ? {} : { component: nameOf(ref.id) } },
    ],
    metas: [bad.meta],
  };
};

const isError = ({ level }: DebugEvent) => level === 'ERROR' || level === 'CRITICAL';

/** In how many operations each value of each attribute stands. */
function countsOf(operations: readonly (readonly DebugEvent[])[]) {
  const counts = new Map<string, { key: string; text: string; operations: number }>();
  for (const events of operations) {
    const seen = new Set<string>();
    for (const { data, correlation_id, operation_id } of events)
      for (const [key, value] of Object.entries(data)) {
        if (!isPlain(value) || value === correlation_id || value === operation_id) continue;
        const text = String(value);
        const entry = `${key}\0${text}`;
        if (seen.has(entry)) continue;
        seen.add(entry);
        const count = counts.get(entry) ?? { key, text, operations: 0 };
        count.operations++;
        counts.set(entry, count);
      }
  }
  return counts;
}

// A page of the store.
const EVENTS_MAX = 1000;
const FALSE_SHARE = 0.01;
/** Less is no answer to "who is hit". */
const SCORE_MIN = 0.2;
