/** What an answer says before it is cut to its budget, and what all answers have in common. */
import type { ComponentRef } from '../../model/block.ts';
import type { DebugEvent } from '../../model/event.ts';
import type { Suggestion } from '../../model/insight.ts';
import { formatNanos, NANOS_PER_MINUTE, parseNanos } from '../../model/time.ts';
import { clockTime, componentName, refName, suggestionItem } from '../agent/say.ts';
import { notKnown } from '../agent/unknown.ts';
import type { Answer, AnswerMeta } from '../answer.ts';
import {
  coverageWords,
  type Draft,
  type DraftItem,
  type DraftList,
  type NextCall,
  nameOf,
  type RawCost,
} from '../budget.ts';
import type { Claim } from '../needs.ts';
import type { TimeRangeInput } from '../params.ts';
import type { AskFacts } from './known.ts';
import type { Understood } from './understood.ts';

export interface Asking {
  facts: AskFacts;
  tenant: string;
  understood: Understood;
}

export type Answerer = (asking: Asking) => Promise<Reply>;

export interface Reply {
  /** The culprit first. Each stands for itself. */
  sentences: readonly Claim[];
  /** 0 to 1, from what it rests on; how well the question was understood comes on top. */
  confidence: number;
  suggestions?: readonly Suggestion[] | readonly string[];
  /** Beside evidence and suggestions, the most important first. */
  lists?: readonly DraftList[];
  next?: readonly NextCall[];
  metas: readonly AnswerMeta[];
  coverage?: readonly string[];
  raw?: RawCost | null;
  /** Components in the order in which they are told. */
  mentioned?: readonly ComponentRef[];
  /** What must be said for an answer, and what could be said. */
  clarification?: { what: string; choices: readonly string[] };
  /** False where what was asked about does not exist. */
  found?: false;
}

export const say = (text: string, ...evidence: readonly (string | null | undefined)[]): Claim => ({
  text,
  evidence: evidence.filter((id) => id != null),
});

/** A claim that rests on so many observations, as far as their number speaks: 0.7 for one, 0.95 for twenty. */
export function sureOf(observations: number): number {
  return observations === 0 ? 0 : 1 - 0.4 / (1 + observations / 3);
}

export function draftOf(reply: Reply, answer: string, facts: Draft['facts'], confidence: number): Draft {
  const evidence = [...new Set(reply.sentences.flatMap((sentence) => sentence.evidence))];
  const suggestions = (reply.suggestions ?? []).map(
    (each): DraftItem => (typeof each === 'string' ? { forms: [each] } : suggestionItem(each)),
  );
  const { clarification, metas } = reply;
  return {
    answer,
    confidence,
    facts: {
      ...(clarification !== undefined && { clarification_needed: clarification.what }),
      ...(reply.found === false && { found: false }),
      ...facts,
      // Also an empty list says something: there is none.
      ...(evidence.length === 0 && { evidence: [] }),
      ...(suggestions.length === 0 && { suggestions: [] }),
    },
    lists: [
      ...(clarification !== undefined && clarification.choices.length > 0
        ? [{ name: 'choices', items: clarification.choices.map((choice): DraftItem => ({ forms: [choice] })) }]
        : []),
      ...(evidence.length > 0
        ? [{ name: 'evidence', items: evidence.slice(0, EVIDENCE_MAX).map((id): DraftItem => ({ forms: [id] })) }]
        : []),
      ...(suggestions.length > 0 ? [{ name: 'suggestions', items: suggestions }] : []),
      ...(reply.lists ?? []).filter(({ items }) => items.length > 0),
    ],
    next: reply.next ?? [],
    coverage: [...new Set([...coverageWords(...metas), ...(reply.coverage ?? [])])],
    as_of: metas[0]!.as_of,
    raw: reply.raw ?? null,
  };
}

// Whoever wants more asks for the insight or the events behind it.
const EVIDENCE_MAX = 10;

export interface Held {
  range: TimeRangeInput;
  /** Said after what it limits: "in the last hour". */
  words: string;
  /** Set where nothing came in the time that is asked about: when the newest came, which without a time asked about is answered for. */
  note: string | null;
  /** Whether there is anything of it at all. */
  empty: Answer<DebugEvent[]> | null;
}

/** The time that is asked about; without one the last hour, or the last hour in which anything was heard. */
export async function heldTime({ facts, tenant, understood }: Asking, ref?: ComponentRef): Promise<Held> {
  const { range } = understood;
  const which = ref === undefined ? {} : { component_type: ref.type, component_id: ref.id };
  if (range.time_range != null || range.start != null) {
    const some = await facts.events(tenant, { ...which, ...range, limit: 1 });
    const words = rangeWords(range, some.meta.as_of);
    if (some.data.length > 0) return { range, words, note: null, empty: null };
    const newest = (await facts.events(tenant, { ...which, limit: 1 })).data[0];
    const note =
      newest === undefined ? null : `The newest that was heard is of ${clockTime(newest.timestamp, some.meta.as_of)}.`;
    return { range, words, note, empty: some };
  }
  const hour = { time_range: '1h' };
  const lately = await facts.events(tenant, { ...which, ...hour, limit: 1 });
  if (lately.data.length > 0) return { range: hour, words: 'in the last hour', note: null, empty: null };
  const ever = await facts.events(tenant, { ...which, limit: 1 });
  const newest = ever.data[0];
  if (newest === undefined) return { range: hour, words: 'in the last hour', note: null, empty: ever };
  const end = parseNanos(newest.timestamp)!;
  const start = end > HOUR_NANOS ? end - HOUR_NANOS : 0n;
  const until = clockTime(newest.timestamp, ever.meta.as_of);
  return {
    range: { start: formatNanos(start), end: formatNanos(end) },
    words: `in the hour up to ${until}`,
    note: `Nothing was heard of ${ref === undefined ? 'anything' : refName(ref)} in the last hour; the newest is of ${until}.`,
    empty: null,
  };
}

const HOUR_NANOS = 60n * NANOS_PER_MINUTE;

export function rangeWords({ time_range, start, end }: TimeRangeInput, asOf: string): string {
  if (time_range != null) return `in the last ${time_range.replace(/^last_/, '')}`;
  if (start == null) return 'so far';
  return end == null ? `since ${clockTime(start, asOf)}` : `from ${clockTime(start, asOf)} to ${clockTime(end, asOf)}`;
}

/** Nothing is claimed where nothing was heard: which kind of nothing it is stands in the coverage. */
export function nothingOf(what: string, held: Held): Reply {
  const { meta } = held.empty!;
  const gone = meta.coverage.empty === 'out_of_retention';
  const never = meta.coverage.empty === 'no_data';
  const text = gone
    ? `That time is no longer kept, so nothing is known of ${what}.`
    : never
      ? 'Nothing is known: no telemetry was ever received.'
      : `No data of ${what} ${held.words}, so its state is unknown.`;
  const sentences = [say(text), ...(gone || never || held.note === null ? [] : [say(held.note)])];
  return { sentences, confidence: 0, metas: [meta], next: [{ tool: 'health', arguments: {} }] };
}

/** What is said of names and ids that nothing goes by, with what comes nearest. */
export async function unknownNames({ facts, tenant, understood }: Asking): Promise<Reply> {
  const { unknown, known } = understood;
  const { as_of, coverage } = await notKnown(facts, tenant, '');
  const near = unknown.flatMap((each) => each.near).slice(0, 3);
  const said = unknown.map(
    ({ text, isId }) => `${isId ? 'Nothing is known by the id' : 'There is no component'} ${nameOf(text)}`,
  );
  const names = (near.length > 0 ? near : known).slice(0, 10).map(refName);
  const hint =
    names.length === 0
      ? ''
      : near.length > 0
        ? ` Did you mean ${names.join(' or ')}?`
        : ` Known are ${names.join(', ')}.`;
  return {
    sentences: [say(`${said.join('. ')}: unknown, nothing was ever heard of it.${hint}`)],
    confidence: 0.9,
    found: false,
    coverage,
    metas: [{ as_of, count: 0, truncated: false, coverage: { tiers: [], pending: 0 } }],
    ...(near.length > 0 && {
      clarification: { what: unknown[0]!.isId ? 'operation_id' : 'component_id', choices: near.map(refName) },
    }),
    next:
      near[0] === undefined
        ? [{ tool: 'health', arguments: {} }]
        : [{ tool: 'health', arguments: { component: componentName(near[0].type, near[0].id) } }],
  };
}

export const whichOf = ({ type, id }: ComponentRef) => ({ component_type: type, component_id: id });
/** As the tools take it. */
export const toolName = ({ type, id }: ComponentRef) => (type === 'service' ? id : `${type}/${id}`);

export function isOf(components: readonly ComponentRef[], { type, id }: ComponentRef): boolean {
  return components.some((each) => each.type === type && each.id === id);
}
