/** How is it going: everything at once, the worst first, or one component with what is wrong with it. */
import { coverageWords, type Draft, type DraftItem, type NextCall, quote } from '../budget.ts';
import type { TimeRangeInput } from '../params.ts';
import type { ErrorPattern } from '../patterns.ts';
import type { Facts } from './facts.ts';
import { findComponent } from './names.ts';
import { rawCost } from './raw.ts';
import {
  caveatOf,
  clockTime,
  componentName,
  healthWords,
  insightItem,
  listed,
  millis,
  openCount,
  plural,
  pressingFirst,
} from './say.ts';
import { notKnown } from './unknown.ts';

export interface HealthInput extends TimeRangeInput {
  /** Absent: of everything. */
  component?: string | undefined;
}

export async function draftHealth(facts: Facts, tenant: string, input: HealthInput): Promise<Draft> {
  const { component, ...range } = input;
  return component === undefined ? ofSystem(facts, tenant, range) : ofComponent(facts, tenant, component, range);
}

async function ofSystem(facts: Facts, tenant: string, range: TimeRangeInput): Promise<Draft> {
  const [health, insights] = await Promise.all([
    facts.systemHealth(tenant, range),
    facts.insights(tenant, { state: undefined, resolved: false, limit: INSIGHTS_MAX }),
  ]);
  const { by_component, total_events, time_range } = health.data;
  const { as_of } = health.meta;
  const open = insights.data.filter(({ state }) => state !== 'ignored').sort(pressingFirst(as_of));
  const ill = by_component.filter(({ status }) => status !== 'healthy');
  const name = (each: (typeof by_component)[number]) => componentName(each.component_type, each.component_id);
  const worst = ill.map((each) => `${name(each)} is ${healthWords(each)}`);
  const alarming = openCount(
    open.filter(({ severity }) => severity !== 'info'),
    as_of,
  );
  const first = open[0] === undefined || open[0].severity === 'info' ? '' : `, first ${quote(open[0].title, 200)}`;
  const since = `since ${clockTime(time_range.start, as_of)}`;
  const answer =
    total_events === 0
      ? `Nothing is known: no events ${since}.`
      : ill.length === 0
        ? `All ${plural(by_component.length, 'component')} are healthy ${since}${caveatOf('healthy', open, as_of)}; ${alarming}${first}.`
        : `${ill.length} of ${plural(by_component.length, 'component')} not healthy ${since}: ${listed(worst, 2)}. ${alarming}${first}.`;
  const next: NextCall[] = [];
  if (open[0] !== undefined) next.push({ tool: 'explain', arguments: { id: open[0].id } });
  if (ill[0] !== undefined) next.push({ tool: 'health', arguments: { component: ill[0].component_id } });
  if (ill[0] !== undefined)
    next.push({ tool: 'search', arguments: { component: ill[0].component_id, min_level: 'ERROR' } });
  return {
    answer,
    lists: [
      { name: 'insights', items: open.map((insight) => insightItem(insight, as_of)), more: insights.meta.truncated },
      {
        name: 'components',
        items: by_component.map((each): DraftItem => ({ forms: [`${name(each)}: ${healthWords(each)}`] })),
        more: health.meta.truncated,
      },
    ],
    next,
    coverage: coverageWords(health.meta),
    as_of,
    raw: await rawCost(facts, tenant, range.time_range || range.start ? range : { time_range: '1h' }, total_events),
  };
}

async function ofComponent(facts: Facts, tenant: string, text: string, range: TimeRangeInput): Promise<Draft> {
  const meant = await findComponent(facts, tenant, text, range);
  if ('unknown' in meant) return notKnown(facts, tenant, meant.unknown);
  const { type: component_type, id: component_id } = meant.ref;
  const which = { component_type, component_id };
  const [health, performance, patterns] = await Promise.all([
    facts.componentHealth(tenant, { ...which, ...range }),
    facts.performance(tenant, { ...which, ...range }),
    facts.errorPatterns(tenant, { ...range, limit: PATTERNS_MAX }),
  ]);
  const { data, meta } = health;
  const { p50_ms, p95_ms, sample_count } = performance.data;
  const insights = data.insights.toSorted(pressingFirst(meta.as_of));
  const own = patterns.data.filter(({ components }) =>
    components.some(({ type, id }) => type === component_type && id === component_id),
  );
  const parts = [
    `${componentName(component_type, component_id)} is ${healthWords(data)} since ${clockTime(data.time_range.start, meta.as_of)}${caveatOf(data.status, insights, meta.as_of)}.`,
    ...(p50_ms !== null && p95_ms !== null
      ? [`Half of ${plural(sample_count, 'span')} took ${millis(p50_ms)}, 5% over ${millis(p95_ms)}.`]
      : []),
    ...(insights[0] === undefined
      ? []
      : [`${openCount(insights, meta.as_of)}, first ${quote(insights[0].title, 200)}.`]),
  ];
  const next: NextCall[] = [];
  if (insights[0] !== undefined) next.push({ tool: 'explain', arguments: { id: insights[0].id } });
  else if (own[0] !== undefined) next.push({ tool: 'explain', arguments: { id: own[0].example_event_id } });
  next.push({ tool: 'compare', arguments: { component: component_id } });
  return {
    answer: parts.join(' '),
    lists: [
      { name: 'insights', items: insights.map((insight) => insightItem(insight, meta.as_of)) },
      { name: 'errors', items: own.map((pattern) => patternItem(pattern, meta.as_of)) },
    ],
    next,
    coverage: coverageWords(meta, patterns.meta),
    as_of: meta.as_of,
    raw: await rawCost(facts, tenant, { ...which, start: data.time_range.start }, data.total_events),
  };
}

export function patternItem(pattern: ErrorPattern, asOf: string): DraftItem {
  const { count, template, last_seen, trend, example_event_id } = pattern;
  const said = template === null ? 'without a word' : quote(template, 200);
  const notes = [pattern.new ? 'new' : '', trend === 'steady' ? '' : trend].filter((note) => note !== '').join(', ');
  const head = `${count}x ${said}${notes && ` (${notes})`}`;
  return { forms: [`${head} last ${clockTime(last_seen, asOf)} e.g. ${example_event_id}`, head] };
}

const INSIGHTS_MAX = 100;
const PATTERNS_MAX = 100;
