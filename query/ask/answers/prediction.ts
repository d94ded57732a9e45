/** What will fail next: what the engine predicts, and which errors are rising. */
import { clockTime, insightItem, listed, percent, plural, pressingFirst, refName } from '../../agent/say.ts';
import { quote } from '../../budget.ts';
import { type Answerer, heldTime, isOf, nothingOf, say, whichOf } from '../reply.ts';
import { failedOperations } from './complaints.ts';

export const prediction: Answerer = async (asking) => {
  const { facts, tenant, understood } = asking;
  const [ref] = understood.components;
  const held = await heldTime(asking, ref);
  const what = ref === undefined ? 'anything' : refName(ref);
  if (held.empty !== null) return nothingOf(what, held);
  const [predicted, patterns] = await Promise.all([
    facts.insights(tenant, {
      insight_type: 'prediction',
      resolved: false,
      limit: 50,
      ...(ref !== undefined && whichOf(ref)),
    }),
    facts.errorPatterns(tenant, { ...held.range, limit: 100 }),
  ]);
  const { as_of } = predicted.meta;
  const open = predicted.data.filter(({ state }) => state !== 'ignored').sort(pressingFirst(as_of));
  const rising = patterns.data.filter(
    ({ trend, components }) => trend === 'rising' && (ref === undefined || isOf(components, ref)),
  );
  const [first] = open;
  const sentences = [
    ...(first === undefined ? [] : [say(`${quote(first.title, 200)}.`, first.id)]),
    ...(rising[0] === undefined
      ? []
      : [
          say(
            `Rising ${held.words}: ${rising[0].count}x ${quote(rising[0].template ?? 'without a word', 160)} of ${listed(rising[0].components.map(refName))}, last at ${clockTime(rising[0].last_seen, as_of)}.`,
            rising[0].example_event_id,
          ),
        ]),
  ];
  const past = first === undefined && ref !== undefined ? await failedOperations(asking, ref, held.range) : null;
  if (past !== null && past.failed > 0)
    sentences.unshift(
      say(
        `${past.words} of ${what} failed ${held.words} (${percent(past.failed / past.all)}): as far as that goes on, so many will.`,
        past.example,
      ),
    );
  if (sentences.length === 0)
    sentences.push(
      say(
        `Nothing about ${what} is predicted: no resource runs out and no error rises ${held.words}, as far as the data goes.`,
      ),
    );
  return {
    sentences,
    confidence: first?.confidence_score ?? (rising[0] === undefined ? 0.5 : 0.6),
    suggestions: first?.suggestions ?? [],
    lists: [{ name: 'predictions', items: open.map((insight) => insightItem(insight, as_of)) }],
    next:
      first === undefined ? [{ tool: 'health', arguments: {} }] : [{ tool: 'explain', arguments: { id: first.id } }],
    coverage: open.length === 0 ? [`${plural(open.length, 'prediction')} stored: they need metrics or a history`] : [],
    metas: [predicted.meta, patterns.meta],
  };
};
