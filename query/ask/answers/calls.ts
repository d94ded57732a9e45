/** Who calls whom, how often and how well. */
import { listed, millis, percent, plural, refName } from '../../agent/say.ts';
import type { TopologyView } from '../../topology.ts';
import { type Answerer, heldTime, nothingOf, say, sureOf, toolName, whichOf } from '../reply.ts';

export const calls: Answerer = async (asking) => {
  const { facts, tenant, understood } = asking;
  const [ref] = understood.components;
  const held = await heldTime(asking, ref);
  if (held.empty !== null) return nothingOf(ref === undefined ? 'anything' : refName(ref), held);
  const { data, meta } = await facts.topology(tenant, held.range);
  const name = ref === undefined ? null : refName(ref);
  const outward = data.edges.filter(({ from }) => refName(from) === name);
  const inward = data.edges.filter(({ to }) => refName(to) === name);
  const related = name === null ? data.edges : [...outward, ...inward];
  if (related.length === 0)
    return {
      sentences: [
        say(
          `No calls ${name === null ? 'between components' : `of ${name}`} are known ${held.words}: ${data.spans === 0 ? 'there are no spans' : 'no span leads to another component'}.`,
        ),
      ],
      confidence: data.spans === 0 ? 0 : 0.6,
      coverage: ['calls are told from spans'],
      next: [{ tool: 'health', arguments: ref === undefined ? {} : { component: toolName(ref) } }],
      metas: [meta],
    };
  const example = await facts.events(tenant, {
    ...held.range,
    ...(ref !== undefined && whichOf(ref)),
    event_type: ['span'],
    limit: 1,
  });
  const id = example.data[0]?.id;
  const sentences =
    name === null
      ? [
          say(
            `${plural(data.edges.length, 'call path')} ${held.words}: ${listed(
              data.edges.map((edge) => `${refName(edge.from)} calls ${refName(edge.to)} (${figures(edge)})`),
              5,
            )}.`,
            id,
          ),
        ]
      : [
          say(
            outward.length === 0
              ? `${name} calls nobody that is known.`
              : `${name} calls ${listed(
                  outward.map((edge) => `${refName(edge.to)} (${figures(edge)})`),
                  5,
                )}.`,
            id,
          ),
          say(
            inward.length === 0
              ? `Nobody that is known calls ${name}.`
              : `${name} is called by ${listed(
                  inward.map((edge) => `${refName(edge.from)} (${figures(edge)})`),
                  5,
                )}.`,
            id,
          ),
        ];
  const worst = related.toSorted((a, b) => b.error_rate - a.error_rate)[0]!;
  return {
    sentences: held.note === null ? sentences : [...sentences, say(held.note)],
    confidence: sureOf(related.reduce((sum, { calls }) => sum + calls, 0)),
    lists: [
      {
        name: 'calls',
        items: related.map((edge) => ({
          forms: [`${refName(edge.from)} > ${refName(edge.to)}: ${figures(edge)}, p95 ${millis(edge.p95_ms)}`],
        })),
      },
    ],
    next: [{ tool: 'health', arguments: { component: toolName(worst.errors > 0 ? worst.to : (ref ?? worst.to)) } }],
    metas: [meta],
  };
};

function figures({ calls, error_rate }: TopologyView['edges'][number]): string {
  return `${plural(calls, 'call')}, ${percent(error_rate)} failed`;
}
