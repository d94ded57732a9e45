/** Who calls whom, how often and how well. */
import { listed, millis, percent, plural, refName } from '../../agent/say.ts';
import type { TopologyView } from '../../topology.ts';
import { type Answerer, heldTime, nothingOf, say, sureOf, toolName, whichOf } from '../reply.ts';
import { health } from './health.ts';

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
  // Without spans how those that were named fare is all that can be said.
  const fares = related.length === 0 && ref !== undefined ? await health(asking) : null;
  if (related.length === 0)
    return {
      sentences: [
        say(
          `No calls ${name === null ? 'between components' : `of ${name}`} are known ${held.words}: ${data.spans === 0 ? 'there are no spans' : 'no span leads to another component'}.`,
        ),
        ...(fares?.sentences ?? []),
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
  // "Who calls it" is answered first where it is asked; whether one calls another before either.
  if (name !== null && understood.wanted.has('callers')) sentences.reverse();
  const [, other] = understood.components;
  if (name !== null && other !== undefined) {
    const to = refName(other);
    const between = data.edges.filter(
      (edge) => [refName(edge.from), refName(edge.to)].sort().join() === [name, to].sort().join(),
    );
    sentences.unshift(
      say(
        between.length === 0
          ? `No: no call between ${name} and ${to} is known ${held.words}.`
          : `${between.some(({ from }) => refName(from) === name) ? 'Yes' : 'The other way'}: ${between.map((edge) => `${refName(edge.from)} calls ${refName(edge.to)} (${figures(edge)}, p95 ${millis(edge.p95_ms)})`).join(', ')}.`,
        id,
      ),
    );
  }
  // Whoever calls those that call it is hit as well.
  if (name !== null && understood.wanted.has('callers') && inward.length > 0) {
    const further = callersOf(
      inward.map(({ from }) => refName(from)),
      data.edges,
    ).filter((each) => each !== name);
    if (further.length > 0) sentences.splice(1, 0, say(`Through them also ${listed(further, 5)}.`, id));
  }
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

/** Of these, over any number of calls, without these. */
function callersOf(names: readonly string[], edges: TopologyView['edges']): string[] {
  const found = new Set(names);
  for (const name of found) for (const { from, to } of edges) if (refName(to) === name) found.add(refName(from));
  return [...found].slice(names.length);
}

function figures({ calls, error_rate }: TopologyView['edges'][number]): string {
  return `${plural(calls, 'call')}, ${percent(error_rate)} failed`;
}
