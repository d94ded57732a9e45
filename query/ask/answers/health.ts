/** How is it going: of each component that was named, or of everything with the worst first. */
import type { ComponentRef } from '../../../model/block.ts';
import type { DebugEvent } from '../../../model/event.ts';
import { goesOn } from '../../../model/insight.ts';
import { patternItem } from '../../agent/health.ts';
import { rawCost } from '../../agent/raw.ts';
import {
  caveatOf,
  clockTime,
  componentName,
  healthWords,
  insightItem,
  listed,
  openCount,
  percent,
  plural,
  pressingFirst,
  refName,
} from '../../agent/say.ts';
import { quote } from '../../budget.ts';
import type { InsightBrief } from '../../insights.ts';
import type { Claim } from '../../needs.ts';
import {
  type Answerer,
  type Asking,
  type Held,
  heldTime,
  isOf,
  nothingOf,
  type Reply,
  say,
  sureOf,
  toolName,
  whichOf,
} from '../reply.ts';
import { eventsAfter, failedOperations } from './complaints.ts';
import { nodesOf } from './nodes.ts';

export const health: Answerer = async (asking) => {
  const { components } = asking.understood;
  if (components.length === 0) return ofEverything(asking);
  const replies = await Promise.all(components.slice(0, COMPONENTS_MAX).map((ref) => ofComponent(asking, ref)));
  // The most doubtful decides how sure the whole is; what is known to be ill is told first.
  return {
    sentences: replies.flatMap(({ sentences }) => sentences),
    confidence: Math.min(...replies.map(({ confidence }) => confidence)),
    suggestions: replies.flatMap(({ suggestions = [] }) => suggestions as never[]),
    lists: replies.length === 1 ? (replies[0]!.lists ?? []) : [],
    next: replies.flatMap(({ next = [] }) => next),
    metas: replies.flatMap(({ metas }) => metas),
    raw: replies.length === 1 ? (replies[0]!.raw ?? null) : null,
  };
};

async function ofComponent(asking: Asking, ref: ComponentRef): Promise<Reply> {
  const { facts, tenant } = asking;
  const held = await heldTime(asking, ref);
  if (held.empty !== null) return nothingOf(refName(ref), held);
  const [health, patterns, errors] = await Promise.all([
    facts.componentHealth(tenant, { ...whichOf(ref), ...held.range }),
    facts.errorPatterns(tenant, { ...held.range, limit: 100 }),
    facts.events(tenant, { ...whichOf(ref), ...held.range, min_level: 'ERROR', limit: 1 }),
  ]);
  const { data, meta } = health;
  const own = patterns.data.filter(({ components }) => isOf(components, ref));
  const [most] = own;
  const insights = data.insights.toSorted(pressingFirst(meta.as_of));
  const newest = errors.data[0]?.id;
  const last = errors.data[0]?.timestamp;
  const after = errors.data[0] === undefined ? null : await eventsAfter(asking, errors.data[0]);
  const sentences = [
    ...(await shareWords(asking, ref, held)),
    ...overWords(asking, errors.data[0], after, data.error_rate ?? 0, meta.as_of),
    // What was heard of long ago says nothing of now.
    ...(held.note === null
      ? [
          say(
            `${refName(ref)} is ${healthWords(data)} ${held.words}${caveatOf(data.status, insights, meta.as_of)}.`,
            newest,
          ),
        ]
      : [
          say(`${held.note} So whether ${refName(ref)} is well now is unknown.`),
          say(`It was ${healthWords(data)} ${held.words}.`, newest),
        ]),
    ...(most === undefined
      ? []
      : [say(`Most of them, ${most.count}: ${quote(most.template ?? 'without a word', 200)}.`, most.example_event_id)]),
    ...(await nodesOf(asking, ref, held.range)),
    ...(last === undefined || asking.understood.wanted.has('over')
      ? []
      : [
          say(
            `The last error was at ${clockTime(last, meta.as_of)}.${after === null ? ' Nothing came since.' : ` ${after.words}`}`,
            newest,
          ),
        ]),
    ...(insights[0] === undefined ? [] : [say(openWords(insights, meta.as_of), insights[0].id)]),
  ];
  return {
    sentences,
    confidence: sureOf(data.total_events),
    suggestions: insights[0] === undefined ? [] : await suggestionsOf(asking, insights[0].id),
    lists: [
      { name: 'errors', items: own.map((pattern) => patternItem(pattern, meta.as_of)) },
      { name: 'insights', items: insights.map((insight) => insightItem(insight, meta.as_of)) },
    ],
    next: [
      ...(newest === undefined ? [] : [{ tool: 'explain', arguments: { id: insights[0]?.id ?? newest } }]),
      { tool: 'compare', arguments: { component: toolName(ref) } },
    ],
    metas: [meta, patterns.meta],
    raw: await rawCost(facts, tenant, { ...whichOf(ref), ...held.range }, data.total_events),
  };
}

async function ofEverything(asking: Asking): Promise<Reply> {
  const { facts, tenant } = asking;
  const held = await heldTime(asking);
  if (held.empty !== null) return nothingOf('anything', held);
  const [health, insights, errors] = await Promise.all([
    facts.systemHealth(tenant, held.range),
    facts.insights(tenant, { resolved: false, limit: 100 }),
    facts.events(tenant, { ...held.range, min_level: 'ERROR', limit: 1 }),
  ]);
  const { type, except } = asking.understood;
  const { by_component, total_events } = health.data;
  const all = by_component.filter(
    ({ component_type, component_id: id }) =>
      (type === null || component_type === type) && !isOf(except, { type: component_type, id }),
  );
  const kind = `${except.length > 0 ? 'other ' : ''}${type ?? 'component'}`;
  if (all.length === 0)
    return { ...nothingOf(`any ${kind}`, { ...held, empty: { data: [], meta: health.meta } }), metas: [health.meta] };
  const { as_of } = health.meta;
  const ill = all.filter(({ status }) => status !== 'healthy');
  const open = insights.data
    .filter(({ state, severity }) => state !== 'ignored' && severity !== 'info')
    .filter(({ affected_components: affected }) => !(affected.length > 0 && affected.every((ref) => isOf(except, ref))))
    .sort(pressingFirst(as_of));
  // What was heard of long ago says nothing of now.
  const [is, are] = held.note === null ? ['is', 'are'] : ['was', 'were'];
  const words = (each: (typeof all)[number]) =>
    `${componentName(each.component_type, each.component_id)} ${is} ${healthWords(each)}`;
  const rateOf = (event: DebugEvent | undefined) =>
    all.find(
      ({ component_type, component_id }) =>
        component_type === event?.component_type && component_id === event.component_id,
    )?.error_rate ?? 0;
  const well = all.filter(({ status }) => status === 'healthy');
  const isOfWell = asking.understood.wanted.has('well');
  const newestError = errors.data[0];
  const after = newestError === undefined ? null : await eventsAfter(asking, newestError);
  const sentences = [
    ...(await shareWords(asking, null, held)),
    ...overWords(asking, newestError, after, rateOf(newestError), as_of),
    ...(held.note === null ? [] : [say(`${held.note} So whether it is well now is unknown.`)]),
    ...(isOfWell && ill.length > 0 ? [say(wellWords(well.map(nameOfHealth), kind))] : []),
    say(
      ill.length === 0
        ? `${all.length === 1 ? `The only ${kind} heard of ${is}` : `All ${plural(all.length, kind)} heard of ${are}`} healthy ${held.words}${held.note === null ? caveatOf('healthy', open, as_of) : ''}.`
        : `${listed(ill.map(words), 3)}; ${ill.length} of ${plural(all.length, kind)} not healthy ${held.words}.`,
      errors.data[0]?.id,
    ),
    ...(isOfWell || ill.length === 0 || well.length === 0 ? [] : [say(wellWords(well.map(nameOfHealth), kind))]),
    ...(await nodesOf(asking, null, held.range)),
    ...(open[0] === undefined ? [] : [say(openWords(open, as_of), open[0].id)]),
  ];
  return {
    sentences,
    confidence: sureOf(total_events),
    mentioned: all.map(({ component_type, component_id: id }) => ({ type: component_type, id })),
    suggestions: open[0]?.suggestions ?? [],
    lists: [
      { name: 'components', items: all.map((each) => ({ forms: [words(each)] })), more: health.meta.truncated },
      { name: 'insights', items: open.map((insight) => insightItem(insight, as_of)), more: insights.meta.truncated },
    ],
    next: [
      ...(open[0] === undefined ? [] : [{ tool: 'explain', arguments: { id: open[0].id } }]),
      ...(ill[0] === undefined
        ? []
        : [
            {
              tool: 'health',
              arguments: { component: toolName({ type: ill[0].component_type, id: ill[0].component_id }) },
            },
          ]),
      { tool: 'compare', arguments: {} },
    ],
    metas: [health.meta],
    raw: await rawCost(facts, tenant, held.range, total_events),
  };
}

const nameOfHealth = (each: { component_type: string; component_id: string }) =>
  componentName(each.component_type, each.component_id);

function wellWords(names: readonly string[], kind: string): string {
  return names.length === 0 ? `No ${kind} is healthy.` : `Healthy: ${listed(names, 5)}.`;
}

/** "What share of them fails": by operations, as each failure is told by several records. */
async function shareWords(asking: Asking, ref: ComponentRef | null, { range, words }: Held): Promise<Claim[]> {
  if (!asking.understood.wanted.has('share')) return [];
  const found = await failedOperations(asking, ref, range);
  if (found === null) return [];
  const { failed, all, example } = found;
  const of = ref === null ? '' : ` of ${refName(ref)}`;
  return [
    say(
      `${percent(failed / all)} failed, ${found.words}${of} ${words}, and ${percent(1 - failed / all)} did not.`,
      example,
    ),
  ];
}

/** "Is it over": when it was there for the last time, and what came since. */
function overWords(
  { understood }: Asking,
  newest: DebugEvent | undefined,
  after: { count: number; words: string } | null,
  rate: number,
  asOf: string,
) {
  if (!understood.wanted.has('over') || newest === undefined) return [];
  // That it only seems so: at the rate of before, how likely is it that none of those since would have failed.
  const chance = after === null ? 1 : (1 - rate) ** after.count;
  const verdict = chance < BY_CHANCE ? 'It seems to be over' : 'It is not said to be over';
  const last = `${verdict}: the last error was at ${clockTime(newest.timestamp, asOf)}, of ${componentName(newest.component_type, newest.component_id)}: ${quote(newest.message, 120)}.`;
  return [say(`${last}${after === null ? ' Nothing came since.' : ` ${after.words}`}`, newest.id)];
}

function openWords(insights: readonly InsightBrief[], asOf: string): string {
  const { title, last_seen } = insights[0]!;
  if (insights.length > 1) return `${openCount(insights, asOf)}; first to look at: ${quote(title, 200)}.`;
  const last = goesOn(insights[0]!, asOf) ? '' : `, not seen since ${clockTime(last_seen, asOf)}`;
  return `Open insight${last}: ${quote(title, 200)}.`;
}

async function suggestionsOf({ facts, tenant }: Asking, insight: string) {
  return (await facts.insight(tenant, insight)).data.suggestions;
}

const BY_CHANCE = 0.01;
const COMPONENTS_MAX = 5;
