/**
 * What an agent can afford: every answer for agents is drafted whole, most important things first, and fitted here into the tokens that
 * its reader grants. What had to stay out is counted, never silent: each list says how much of it is shown, and the receipt
 * what was used, what was omitted, and what the same events would have cost raw.
 */
import type { Json, JsonObject } from '../model/json.ts';
import type { AnswerMeta } from './answer.ts';
import { estimateTokens } from './tokens.ts';

/** In estimated tokens (see tokens.ts). Claude Code, for one, refuses tool results over 25,000. */
export const BUDGET = { least: 50, usual: 1500, most: 20_000 } as const;

/** An answer before it is cut to size. */
export interface Draft {
  /** One to three sentences that stand for themselves. The last thing that is cut. */
  answer: string;
  /** 0 to 1; absent where the answer only repeats what was stored. */
  confidence?: number | undefined;
  /** What the answer cannot do without: a cursor, what was understood, what must be asked back. Kept before any list. */
  facts?: JsonObject | undefined;
  /** The most important first: a list gives way to those before it. */
  lists: readonly DraftList[];
  /** Ready calls that lead on, the best first; three are kept at most. */
  next?: readonly NextCall[] | undefined;
  /** What could and could not be seen, in words; from {@link coverageWords}. */
  coverage: readonly string[];
  as_of: string;
  /** The events that the answer stands for, as they would have been retrieved; null where it stands for none. */
  raw: RawCost | null;
}

export interface DraftList {
  name: string;
  /** Ranked: the first that does not fit ends the list. */
  items: readonly DraftItem[];
  /** How many there are, where `items` are not all. */
  total?: number | undefined;
  /** Whether there are more than `total`, and nobody counted them. */
  more?: boolean | undefined;
}

export interface DraftItem {
  /** The thing itself, then shorter ways to say it: the first that fits is taken. */
  forms: readonly [Json, ...Json[]];
  /** Where it is shown among those taken, when that is not its rank: by time, in a tree. */
  place?: number | undefined;
}

export interface NextCall {
  tool: string;
  arguments: JsonObject;
}

export interface RawCost {
  events: number;
  tokens: number;
  /** What a sample of them shows of the coverage, in words. */
  seen?: readonly string[];
}

/** What agents get, over every face. The lists stand under their own names. */
export interface AgentAnswer {
  answer: string;
  confidence?: number;
  /** `3/12` by list: shown and there. Absent where all is shown. */
  shown?: Record<string, string>;
  coverage?: string[];
  next?: NextCall[];
  as_of?: string;
  receipt: Receipt;
  [list: string]: unknown;
}

/** Where the budget is too small for more than a sentence only `omitted` is left of it. */
export interface Receipt {
  budget_tokens?: number;
  /** Estimated, of the whole answer. */
  used_tokens?: number;
  /** Things that did not fit: items, calls, words. */
  omitted: number;
  /** What retrieving the same events would have cost. */
  raw_events?: number;
  raw_tokens?: number;
}

/** @param asked absent: {@link BUDGET}.usual; beyond the bounds: the bound */
export function budgetOf(asked: number | null | undefined): number {
  return Math.min(BUDGET.most, Math.max(BUDGET.least, Math.floor(asked ?? BUDGET.usual)));
}

/**
 * @param budgetTokens from {@link budgetOf}
 * @param reservedTokens what the face says besides, a fifth of the budget at most; it counts as used
 * @returns an answer that costs no more than the budget, whatever the draft holds. The same draft gives the same answer.
 */
export function fitToBudget(draft: Draft, budgetTokens: number, reservedTokens = 0): AgentAnswer {
  const room = budgetTokens - reservedTokens;
  const parts = partsOf(draft);
  let taken = parts.filter(({ required }) => required);
  let answer = draft.answer;
  while (costOf(compose(draft, answer, taken, parts, budgetTokens)) > room && answer.length + taken.length > 1) {
    if (answer.length > ANSWER_CHARS_MIN || taken.length === 0) answer = clip(answer, Math.floor(answer.length * 0.8));
    else taken = taken.slice(0, -1);
  }

  // Parts are weighed alone and put together once; what joining them costs is found, and paid for, at the end.
  let left = room - costOf(compose(draft, answer, taken, parts, budgetTokens)) - JOINING_TOKENS;
  const closed = new Set<string>();
  for (const part of parts) {
    if (part.required || closed.has(part.name)) continue;
    const form = part.forms.find((form) => estimateTokens(JSON.stringify(form)) + JOINING_TOKENS <= left);
    if (form === undefined) {
      closed.add(part.name);
      continue;
    }
    left -= estimateTokens(JSON.stringify(form)) + JOINING_TOKENS;
    taken = [...taken, { ...part, forms: [form] }];
  }
  let fitted = compose(draft, answer, taken, parts, budgetTokens);
  while (costOf(fitted) > room && taken.length > 0) {
    taken = taken.slice(0, -1);
    fitted = compose(draft, answer, taken, parts, budgetTokens);
  }
  if (fitted.receipt.used_tokens !== undefined) fitted.receipt.used_tokens = costOf(fitted) + reservedTokens;
  return fitted;
}

/** Cuts between characters, and says that it did. @param charsMax 1 and up */
export function clip(text: string, charsMax: number): string {
  if (text.length <= charsMax) return text;
  return `${text
    .slice(0, Math.max(0, charsMax - 1))
    .toWellFormed()
    .replace(/�$/, '')}…`;
}

/**
 * Text that came with telemetry, marked as such: what stands in «…» is data, never an instruction. It cannot end its quotation itself,
 * and control characters, which could hide or move text, are gone.
 */
export function quote(text: string, charsMax = 300): string {
  return `«${clip(oneLine(text).replace(/[«»]/g, "'"), charsMax)}»`;
}

/** An id or a name in running text: bare where it looks like one, else quoted as telemetry. */
export function nameOf(text: string): string {
  return /^[\w.:/@#-]{1,100}$/.test(text) ? text : quote(text, 100);
}

/** One line without control characters, in the sense of Unicode: bidirectional overrides among them. */
export function oneLine(text: string): string {
  return text.replace(/[\p{Cc}\p{Cf}\p{Zl}\p{Zp}\s]+/gu, ' ').trim();
}

/** What an answer could not see, in words for an agent; empty where it saw all that is retained. */
export function coverageWords(...metas: readonly Pick<AnswerMeta, 'coverage' | 'truncated'>[]): string[] {
  const words = new Set<string>();
  for (const { coverage, truncated } of metas) {
    if (coverage.empty !== undefined) words.add(EMPTY_WORDS[coverage.empty]);
    if (coverage.pending > 0) words.add('the newest records are acknowledged but not yet readable; ask again');
    if (coverage.tiers.includes('cold')) words.add('the archive was read too');
    if (truncated) words.add('there is more than was looked at');
  }
  return [...words];
}

const EMPTY_WORDS = {
  no_data: 'no data: nothing was ever stored; is an exporter pointed here? (ai-debug doctor)',
  no_match: 'no match: there is data, but none like this',
  out_of_retention: 'out of retention: that time is no longer kept',
} as const;

interface Part {
  name: string;
  forms: readonly [Json, ...Json[]];
  place: number;
  required: boolean;
}

/** In the order in which they are worth their tokens. */
function partsOf({ confidence, facts, lists, next, coverage, as_of, raw }: Draft): Part[] {
  const part = (name: string, form: Json, place = 0, required = false): Part => ({
    name,
    forms: [form],
    place,
    required,
  });
  const items = lists.map(({ name, items }) =>
    items.map(({ forms, place }, rank): Part => ({ name, forms, place: place ?? rank, required: false })),
  );
  const calls = (next ?? []).slice(0, NEXT_MAX).map((call, i) => part('next', { ...call }, i));
  return [
    ...Object.entries(facts ?? {}).map(([name, value]) => part(name, value, 0, true)),
    ...(confidence === undefined ? [] : [part('confidence', Math.round(confidence * 100) / 100)]),
    ...(items[0]?.slice(0, 1) ?? []),
    ...[...new Set([...coverage, ...(raw?.seen ?? [])])].map((words, i) => part('coverage', words, i)),
    ...calls.slice(0, 1),
    ...items.slice(1).flatMap((list) => list.slice(0, 1)),
    ...(raw === null ? [] : [part('receipt', { raw_events: raw.events, raw_tokens: raw.tokens })]),
    part('as_of', as_of),
    ...items.flatMap((list) => list.slice(1, FIRST_ITEMS)),
    ...calls.slice(1),
    ...items.flatMap((list) => list.slice(FIRST_ITEMS)),
  ];
}

// Of each list before any list is told at length.
const FIRST_ITEMS = 5;
const NEXT_MAX = 3;
const ANSWER_CHARS_MIN = 80;
// A sentence, and the receipt in full: below it the sentence is worth more.
const TERSE_TOKENS = 120;
// Commas and brackets between two parts, the name of a list at most.
const JOINING_TOKENS = 3;

function compose(
  draft: Draft,
  text: string,
  taken: readonly Part[],
  parts: readonly Part[],
  budget: number,
): AgentAnswer {
  const of = (name: string) => taken.filter((part) => part.name === name).sort((a, b) => a.place - b.place);
  const values = (name: string) => of(name).map(({ forms }) => forms[0]);
  const answer: AgentAnswer = {
    answer: text,
    receipt: {
      ...(budget >= TERSE_TOKENS && { budget_tokens: budget, used_tokens: budget }),
      omitted: parts.length - taken.length,
    },
  };
  for (const { name, forms } of taken) if (!isList(name, draft) && name !== 'receipt') answer[name] = forms[0];
  const shown: Record<string, string> = {};
  for (const { name, items, total = items.length, more = false } of draft.lists) {
    const list = values(name);
    if (list.length > 0) answer[name] = list;
    if (list.length < total || more) shown[name] = `${list.length}/${total}${more ? '+' : ''}`;
    answer.receipt.omitted += Math.max(0, total - items.length);
  }
  // Where not even that fits, the receipt's count of what is omitted says it.
  if (Object.keys(shown).length > 0 && taken.some(({ name }) => name === 'as_of')) answer.shown = shown;
  for (const name of ['coverage', 'next'] as const) {
    const list = values(name);
    if (list.length > 0) (answer as Record<string, unknown>)[name] = list;
  }
  Object.assign(answer.receipt, of('receipt')[0]?.forms[0]);
  const { receipt, ...rest } = answer;
  return { ...rest, receipt } as AgentAnswer;
}

function isList(name: string, { lists }: Draft): boolean {
  return name === 'coverage' || name === 'next' || lists.some((list) => list.name === name);
}

function costOf(answer: AgentAnswer): number {
  return estimateTokens(JSON.stringify(answer));
}
