/** What a question leaves out: it comes from the conversation so far, or from what a program said beside it. */
import type { ComponentRef } from '../../model/block.ts';
import type { JsonObject } from '../../model/json.ts';
import { formatNanos } from '../../model/time.ts';
import { parseWindow, type TimeRangeInput } from '../params.ts';
import { INTENTS, type Intent } from './cues.ts';
import { WEAK } from './intents.ts';
import type { KnownId } from './known.ts';
import { POINTING_WORDS, TYPE_WORDS, WHOLE_WORDS } from './lexicon.ts';
import { findNames, nearestNames } from './names.ts';
import type { Understood } from './understood.ts';
import type { Word } from './words.ts';

export interface Asked {
  question: string;
  context: JsonObject | null;
}

/** @param context `parsed` of an earlier answer, or that answer, or the names that REST knows */
export function takeFromContext(
  understood: Understood,
  context: JsonObject,
  words: readonly Word[],
  weight: number,
): void {
  const earlier = isObject(context.parsed) ? { ...context, ...context.parsed } : context;
  const { intent, components, ids, unknown, known } = understood;
  const isBare = components.length + ids.length + unknown.length === 0;
  const plain = words.filter(({ role }) => role === undefined).map(({ word }) => word);
  const isElse = plain.some((word) => ELSE_WORDS.has(word));
  const names = textsOf(earlier, NAME_KEYS);
  const spoken = textsOf(earlier, ['mentioned']);
  const counted = isBare ? countedOf(plain, spoken) : null;
  const points = words.some(({ word, role }) => role === undefined && POINTING_WORDS.has(word));
  // "Any warnings?" goes on; "which components" begins anew.
  const whole = plain.some((word) => WHOLE_WORDS.has(word) && !(word === 'any' && plain.length <= ASIDE_WORDS));
  understood.before = names.flatMap((name) => refOf(name, known) ?? []);
  const take = (part: string) => understood.fromContext.push(part);

  // "Compare it with lobby": what was spoken of is one side of it.
  const isSide = intent === 'compare' && components.length + ids.length === 1 && points;
  if (isElse && isBare && names.length > 1 && plain.includes('one')) {
    components.push(...[refOf(names.at(-1)!, known) ?? []].flat());
    take('components');
  } else if (isElse && isBare) understood.except = names.flatMap((name) => refOf(name, known) ?? []);
  else if (counted !== null) {
    components.push(...[refOf(counted, known) ?? []].flat());
    take('components');
    if (understood.unclear?.what === 'component_id') understood.unclear = null;
  } else if (intent === 'compare' && isBare && plain.some((word) => BOTH_WORDS.has(word)) && spoken.length > 1) {
    understood.components = spoken.slice(0, 2).flatMap((name) => refOf(name, known) ?? []);
    take('components');
  } else if ((isBare && (points || !whole)) || isSide) {
    const type = typeof earlier.component_type === 'string' ? earlier.component_type : null;
    const [before, idsBefore] = isSide ? [components.splice(0), ids.splice(0)] : [[], []];
    for (const name of names) {
      const full = type !== null && !name.includes('/') ? `${type}/${name}` : name;
      const ref = refOf(full, known);
      if (ref !== null) components.push(ref);
      else unknown.push({ text: full, near: nearestNames(full, known), isId: false });
    }
    components.push(...before);
    if (names.length > 0) take('components');
    const said = textsOf(earlier, [
      'id',
      'ids',
      'operation_id',
      'correlation_id',
      'trace_id',
      'event_id',
      'insight_id',
    ]);
    for (const id of said) ids.push({ kind: idKindOf(earlier, id), id });
    ids.push(...idsBefore);
    if (said.length > 0) take('ids');
    if (names.length + said.length > 0 && understood.unclear?.what === 'component_id') understood.unclear = null;
  }
  if (understood.text === null && isBare && typeof earlier.text === 'string' && points) {
    understood.text = earlier.text;
    take('text');
  }
  if (understood.range.time_range == null && understood.range.start == null) {
    const range =
      isBefore(plain) && Object.keys(earlier).length > 0
        ? rangeBefore(rangeOf(earlier), understood.now)
        : rangeOf(earlier);
    if (range !== null) {
      understood.range = range;
      take('time_range');
    }
  }
  // "And the other workflows?", "what about backup-88?": who else or when else, of the same question.
  const isOnlyWho = plain.every((word) => GOING_ON.has(word) || ELSE_WORDS.has(word) || TYPE_WORDS[word] !== undefined);
  const begins = /^(?:ok |okay |so )?(?:and|what about|how about|same for|also|now|the other|others) /;
  const goesOn = isOnlyWho || (weight <= WEAK && begins.test(`${words.map(({ word }) => word).join(' ')} `));
  if ((intent === null || goesOn) && typeof earlier.intent === 'string' && INTENTS.includes(earlier.intent as Intent)) {
    const isComparedAlone = earlier.intent === 'compare' && components.length < 2 && ids.length < 2;
    understood.intent = isComparedAlone ? 'health' : (earlier.intent as Intent);
    understood.certainty = 0.9;
    take('intent');
  }
}

const NAME_KEYS = ['component', 'components', 'component_id', 'service', 'service_name', 'agent', 'workflow'];
const ASIDE_WORDS = 3;
const BOTH_WORDS = new Set(['both', 'two', 'them', 'these', 'those', 'they']);
const ELSE_WORDS = new Set(['else', 'other', 'others', 'another', 'rest', 'elsewhere']);
const GOING_ON = new Set(
  'ok okay so and what how about the one ones same for also now in on of at please then a an is with'.split(' '),
);

function refOf(name: string, known: readonly ComponentRef[]): ComponentRef | null {
  const exact = known.find((ref) => name === ref.id || name === `${ref.type}/${ref.id}`);
  if (exact !== undefined) return exact;
  return findNames([{ text: name, word: name.toLowerCase(), quoted: true }], known)[0]?.refs[0] ?? null;
}

/** "The second one", of those that the answer told of. */
function countedOf(words: readonly string[], mentioned: readonly string[]): string | null {
  for (const [i, word] of words.entries()) {
    const at = ORDINALS[word];
    const isCount = /^(?:ones?|component|service|agent|workflow)$/.test(words[i + 1] ?? '') || i === words.length - 1;
    if (at !== undefined && isCount) return mentioned.at(at) ?? null;
  }
  return null;
}

const ORDINALS: Readonly<Record<string, number>> = {
  ...{ first: 0, '1st': 0, second: 1, '2nd': 1, third: 2, '3rd': 2, fourth: 3, '4th': 3, fifth: 4, '5th': 4, last: -1 },
};

/** "And before that?" */
function isBefore(words: readonly string[]): boolean {
  const at = words.indexOf('before');
  const isLast = at === words.length - 1;
  return at >= 0 && (isLast ? at <= 1 : at === words.length - 2 && POINTED_AT.has(words[at + 1]!));
}

const POINTED_AT = new Set(['that', 'then', 'it', 'this']);

/** As long before as it was long. */
function rangeBefore(range: TimeRangeInput | null, now: bigint): TimeRangeInput {
  const { start, end } = parseWindow(range ?? { time_range: '1h' }, now);
  const until = end < now ? end : now;
  return { start: formatNanos(start - (until - start)), end: formatNanos(start - 1n) };
}

/** Programs put the question into an object of their own: its words are one member, the others are context. */
export function saidInJson({ question, context }: Asked): { question: string; context: JsonObject } {
  const given = context ?? {};
  if (!question.trimStart().startsWith('{')) return { question, context: given };
  let said: unknown;
  try {
    said = JSON.parse(question);
  } catch {
    return { question, context: given };
  }
  if (!isObject(said)) return { question, context: given };
  // A call of a tool holds what it is about one level further in.
  said = flattened(said);
  if (!isObject(said)) return { question, context: given };
  const key = QUESTION_KEYS.find((key) => typeof (said as JsonObject)[key] === 'string');
  const window = said.window ?? said.since ?? said.last;
  const more = { ...(window !== undefined && { time_range: window }), ...said, ...given };
  if (key !== undefined) return { question: said[key] as string, context: more };
  const words = Object.entries(said).map(
    ([key, value]) => `${key} ${typeof value === 'string' ? value : JSON.stringify(value)}`,
  );
  return { question: words.join(' '), context: given };
}

function flattened(said: JsonObject): JsonObject {
  return Object.fromEntries(
    Object.entries(said).flatMap(([key, value]) =>
      isObject(value) ? Object.entries(flattened(value)) : [[key, value]],
    ),
  );
}

const QUESTION_KEYS = ['question', 'query', 'q', 'ask', 'prompt', 'text', 'task', 'message'];

function textsOf(of: JsonObject, keys: readonly string[]): string[] {
  const all = keys.flatMap((key) => (Array.isArray(of[key]) ? of[key] : [of[key]]));
  const texts = all.map((each) =>
    isObject(each) && typeof each.id === 'string'
      ? typeof each.type === 'string'
        ? `${each.type}/${each.id}`
        : each.id
      : each,
  );
  return [...new Set(texts.filter((each): each is string => typeof each === 'string' && each !== ''))];
}

function idKindOf(context: JsonObject, id: string): KnownId['kind'] {
  for (const kind of ['operation', 'correlation', 'trace', 'event', 'insight'] as const)
    if (context[`${kind}_id`] === id) return kind;
  return 'operation';
}

function rangeOf({ time_range, start, end }: JsonObject): TimeRangeInput | null {
  if (typeof start === 'string') return { start, ...(typeof end === 'string' && { end }) };
  if (typeof time_range !== 'string' || time_range === '') return null;
  const [from, to] = time_range.split('/');
  return to === undefined ? { time_range } : { start: from, ...(to !== '' && { end: to }) };
}

function isObject(value: unknown): value is JsonObject {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
