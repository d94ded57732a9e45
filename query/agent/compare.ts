/** What differs: between components, operations, or now and before. */
import { formatNanos, NANOS_PER_MINUTE, parseNanos } from '../../model/time.ts';
import { coverageWords, type Draft, type DraftItem, nameOf, quote } from '../budget.ts';
import type { CompareInput, Difference, Side } from '../compare.ts';
import { minutesOf, parseWindow, type TimeRangeInput } from '../params.ts';
import { type Baseline, baselineOf } from './baseline.ts';
import type { Facts } from './facts.ts';
import { findComponent } from './names.ts';
import { rawCost } from './raw.ts';
import { healthWords, millis, percent } from './say.ts';
import { notKnown } from './unknown.ts';
import { type Deployed, deployedIn, deployedWords, deploymentWords } from './versions.ts';

export interface CompareQuestion extends TimeRangeInput {
  /** Two to ten components that are held against each other. */
  components?: readonly string[] | undefined;
  operations?: readonly string[] | undefined;
  /** This time against the same length of time before it, of one component or of everything. */
  component?: string | undefined;
}

export async function draftCompare(facts: Facts, tenant: string, question: CompareQuestion): Promise<Draft> {
  const { components, operations, component, ...range } = question;
  const names = components ?? (component === undefined ? [] : [component]);
  const refs = [];
  for (const name of names) {
    const meant = await findComponent(facts, tenant, name, range);
    if ('unknown' in meant) return notKnown(facts, tenant, meant.unknown);
    refs.push(meant.ref);
  }
  if (components !== undefined) return draftOf(facts, tenant, { components: refs, ...range });
  if (operations !== undefined) return draftOf(facts, tenant, { operations, ...range });
  const { as_of } = (await facts.events(tenant, { limit: 1 })).meta;
  const one = refs[0];
  const which = one === undefined ? {} : { component_type: one.type, component_id: one.id };
  const { before, now, note } = await baselineOf(facts, tenant, nowAndBefore(range, parseNanos(as_of)!), which);
  const deployed = await deployedIn(facts, tenant, { start: before.start, end: now.end }, one);
  return withDeployed(await draftOf(facts, tenant, { windows: [before, now], ...which }, note), deployed);
}

/** What was deployed comes first: it is what most differences come from. */
function withDeployed(draft: Draft, { deployed, coverage }: Deployed): Draft {
  const words = deployedWords(deployed, draft.as_of);
  if (words === null) return { ...draft, coverage: [...draft.coverage, ...coverage] };
  const items = deployed.map((each): DraftItem => ({ forms: [deploymentWords(each, draft.as_of)] }));
  return { ...draft, answer: `${words} ${draft.answer}`, lists: [...draft.lists, { name: 'new_versions', items }] };
}

async function draftOf(facts: Facts, tenant: string, input: CompareInput, note: string | null = null): Promise<Draft> {
  const { data, meta } = await facts.compare(tenant, input);
  const labels = input.windows == null ? data.sides.map(({ label }) => nameOf(label)) : ['before', 'now'];
  const remarks = data.remarks.map((remark) =>
    data.sides.reduce((text, { label }, i) => text.replaceAll(label, labels[i]!), remark),
  );
  const total = data.sides.reduce((sum, side) => sum + side.total_events, 0);
  const first = data.differences[0];
  const answer =
    total === 0
      ? 'Nothing is known of any side: no events.'
      : remarks.length + data.differences.length === 0
        ? `No difference beyond chance between ${labels.join(' and ')}.`
        : `${remarks.join('. ')}${remarks.length > 0 ? '. ' : ''}${first === undefined ? '' : `Greatest difference: ${differenceWords(first, labels)}.`}`;
  const worst = data.sides.findIndex(({ health_score }) => health_score !== null && health_score < 90);
  return {
    answer: note === null ? answer : `${answer} ${note}`,
    lists: [
      {
        name: 'sides',
        items: data.sides.map((side, i): DraftItem => ({ forms: [`${labels[i]}: ${sideWords(side)}`] })),
      },
      {
        name: 'differences',
        items: data.differences.map((each): DraftItem => ({ forms: [differenceWords(each, labels)] })),
      },
    ],
    next:
      worst < 0
        ? []
        : [
            {
              tool: 'search',
              arguments: {
                min_level: 'ERROR',
                ...(input.components?.[worst] && { component: input.components[worst].id }),
              },
            },
          ],
    coverage: coverageWords(meta),
    as_of: meta.as_of,
    raw: await rawCost(facts, tenant, {}, total),
  };
}

function sideWords(side: Side): string {
  const latency =
    side.p50_ms === null || side.p95_ms === null ? '' : `, p50 ${millis(side.p50_ms)}, p95 ${millis(side.p95_ms)}`;
  return `${healthWords(side)}${latency}`;
}

export function differenceWords({ kind, name, value, per_side }: Difference, labels: readonly string[]): string {
  const figure = (each: number | null) =>
    each === null ? 'too few' : kind === 'span_latency' ? millis(each) : percent(each);
  const what =
    kind === 'template'
      ? `log ${quote(value ?? name, 120)}`
      : kind === 'span'
        ? `span ${quote(name, 80)} ${value === 'error' ? 'failed' : (value ?? '')}`
        : kind === 'span_latency'
          ? `median of span ${quote(name, 80)}${value === null ? '' : ` of ${nameOf(value)}`}`
          : kind === 'error'
            ? `error ${quote(value ?? name, 120)}`
            : kind === 'error_rate'
              ? `operations with ${nameOf(name)}=${quote(value ?? '', 80)} that failed`
              : `${kind === 'state' ? 'state ' : ''}${nameOf(name)}=${quote(value ?? '', 80)}`;
  return `${what}: ${per_side.map((each, i) => `${labels[i]} ${figure(each)}`).join(', ')}`;
}

/** @param now nanoseconds */
function nowAndBefore(range: TimeRangeInput, now: bigint): Pick<Baseline, 'before' | 'now'> {
  const window = parseWindow(range, now);
  const end = window.end > now ? now : window.end;
  const length = BigInt(Math.round(minutesOf(window, now) * 60)) * (NANOS_PER_MINUTE / 60n);
  const before = end - 2n * length;
  return {
    before: { start: formatNanos(before < 0n ? 0n : before), end: formatNanos(end - length - 1n) },
    now: { start: formatNanos(end - length), end: formatNanos(end) },
  };
}
