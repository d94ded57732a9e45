/** What there is, how much of it comes, and what can be asked. */
import { componentName, healthWords, listed, plural, refName } from '../../agent/say.ts';
import { type Answerer, heldTime, nothingOf, say, sureOf } from '../reply.ts';

export const inventory: Answerer = async (asking) => {
  const { facts, tenant, understood } = asking;
  const { known, words } = understood;
  const types = new Set(words.map((word) => TYPES[word]).filter((type) => type !== undefined));
  const asked = known.filter(({ type }) => types.size === 0 || types.has(type));
  const health = await facts.systemHealth(tenant, { time_range: '1h' });
  const held = await heldTime(asking);
  if (known.length === 0 && held.empty !== null) return nothingOf('anything', held);
  const lately = new Map(health.data.by_component.map((each) => [`${each.component_type}/${each.component_id}`, each]));
  const kind = types.size === 1 ? [...types][0]! : 'component';
  const silent = asked.filter(({ type, id }) => !lately.has(`${type}/${id}`));
  const silence = silent.length === 0 ? [] : [say(`Silent for an hour or more: ${listed(silent.map(refName), 10)}.`)];
  const isOfSilent = understood.wanted.has('heard');
  const states = asked.flatMap(({ type, id }) => {
    const each = lately.get(`${type}/${id}`);
    return each === undefined || each.status === 'healthy' ? [] : [`${refName({ type, id })} ${healthWords(each)}`];
  });
  return {
    sentences: [
      ...(!isOfSilent ? [] : silent.length > 0 ? silence : [say(`No ${kind} was silent for the last hour.`)]),
      say(
        asked.length === 0
          ? `No ${kind} is known, of ${plural(known.length, 'component')} in all.`
          : `${plural(asked.length, kind)} known: ${listed(asked.map(refName), 20)}; ${asked.filter(({ type, id }) => lately.has(`${type}/${id}`)).length} heard of in the last hour.`,
      ),
      ...(isOfSilent ? [] : silence),
      ...(states.length === 0 ? [] : [say(`Not healthy: ${listed(states, 5)}.`)]),
    ],
    confidence: 0.95,
    mentioned: asked,
    lists: [
      {
        name: 'components',
        items: asked.map(({ type, id }) => {
          const each = lately.get(`${type}/${id}`);
          return {
            forms: [`${refName({ type, id })}: ${each === undefined ? 'silent in the last hour' : healthWords(each)}`],
          };
        }),
      },
    ],
    next: [{ tool: 'health', arguments: {} }],
    metas: [health.meta],
  };
};

const TYPES: Readonly<Record<string, string>> = {
  ...{ service: 'service', services: 'service', microservices: 'service', microservice: 'service' },
  ...{
    agent: 'agent',
    agents: 'agent',
    workflow: 'workflow',
    workflows: 'workflow',
    browser: 'browser',
    browsers: 'browser',
  },
};

export const traffic: Answerer = async (asking) => {
  const { facts, tenant, understood } = asking;
  const { components } = understood;
  const held = await heldTime(asking, components[0]);
  if (held.empty !== null) return nothingOf(components[0] === undefined ? 'anything' : refName(components[0]), held);
  const [health, flow] = await Promise.all([
    facts.systemHealth(tenant, held.range),
    facts.throughput(tenant, held.range),
  ]);
  const minutes = flow.data.total_events / (flow.data.events_per_minute || 1);
  const rows = health.data.by_component
    .filter(
      ({ component_type: type, component_id: id }) =>
        components.length === 0 || components.some((ref) => ref.type === type && ref.id === id),
    )
    .sort((a, b) => b.total_events - a.total_events);
  const perMinute = (events: number) => `${Number((events / Math.max(minutes, 1 / 60)).toPrecision(3))} a minute`;
  const words = (each: (typeof rows)[number]) =>
    `${componentName(each.component_type, each.component_id)} ${plural(each.total_events, 'event')}, ${perMinute(each.total_events)}`;
  const total = rows.reduce((sum, { total_events }) => sum + total_events, 0);
  return {
    sentences: [
      say(`${plural(total, 'event')} ${held.words}, ${perMinute(total)}; busiest: ${listed(rows.map(words), 3)}.`),
      ...(held.note === null ? [] : [say(held.note)]),
    ],
    confidence: sureOf(total),
    lists: [{ name: 'components', items: rows.map((each) => ({ forms: [words(each)] })) }],
    next: [{ tool: 'compare', arguments: {} }],
    metas: [health.meta, flow.meta],
  };
};

export const help: Answerer = async ({ facts, tenant, understood }) => {
  const { meta } = await facts.events(tenant, { limit: 1 });
  const name = understood.known[0] === undefined ? 'orders' : refName(understood.known[0]);
  return {
    sentences: [
      say(
        'Ask about running systems in plain words: health, why something failed, what is slow, what changed, compare, progress, consistency, recurring errors, where an operation is, root cause of a window, errors, who calls whom, state at a time, what fails next.',
      ),
    ],
    confidence: 0.9,
    lists: [
      {
        name: 'examples',
        items: [
          `Is ${name} healthy?`,
          `Why is ${name} failing?`,
          'What is slow?',
          'What changed in the last 15 minutes?',
          'What caused the errors between 14:00 and 15:00?',
        ].map((each) => ({ forms: [each] })),
      },
    ],
    next: [{ tool: 'health', arguments: {} }],
    metas: [meta],
  };
};
