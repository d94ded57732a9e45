/** What a question leaves out: it comes from the conversation so far, or from what a program said beside it. */
import type { JsonObject } from '../../model/json.ts';
import type { TimeRangeInput } from '../params.ts';
import { INTENTS, type Intent } from './cues.ts';
import { WEAK } from './intents.ts';
import type { KnownId } from './known.ts';
import { POINTING_WORDS, WHOLE_WORDS } from './lexicon.ts';
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
  const points = words.some(({ word, role }) => role === undefined && POINTING_WORDS.has(word));
  const whole = words.some(({ word, role }) => role === undefined && WHOLE_WORDS.has(word));
  const take = (part: string) => understood.fromContext.push(part);

  if (isBare && (points || !whole)) {
    const names = textsOf(earlier, [
      'component',
      'components',
      'component_id',
      'service',
      'service_name',
      'agent',
      'workflow',
    ]);
    const type = typeof earlier.component_type === 'string' ? earlier.component_type : null;
    for (const name of names) {
      const full = type !== null && !name.includes('/') ? `${type}/${name}` : name;
      const exact = known.find((ref) => full === ref.id || full === `${ref.type}/${ref.id}`);
      const [match] =
        exact === undefined ? findNames([{ text: full, word: full.toLowerCase(), quoted: true }], known) : [];
      const ref = exact ?? match?.refs[0];
      if (ref !== undefined) components.push(ref);
      else unknown.push({ text: full, near: nearestNames(full, known), isId: false });
    }
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
    if (said.length > 0) take('ids');
    if (names.length + said.length > 0 && understood.unclear?.what === 'component_id') understood.unclear = null;
  }
  if (understood.text === null && isBare && typeof earlier.text === 'string' && points) {
    understood.text = earlier.text;
    take('text');
  }
  if (understood.range.time_range == null && understood.range.start == null) {
    const range = rangeOf(earlier);
    if (range !== null) {
      understood.range = range;
      take('time_range');
    }
  }
  const goesOn =
    weight <= WEAK &&
    /^(?:ok |okay |so )?(?:and|what about|how about|same for|also|now) /.test(
      `${words.map(({ word }) => word).join(' ')} `,
    );
  if ((intent === null || goesOn) && typeof earlier.intent === 'string' && INTENTS.includes(earlier.intent as Intent)) {
    understood.intent = earlier.intent as Intent;
    understood.certainty = 0.9;
    take('intent');
  }
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
  const key = QUESTION_KEYS.find((key) => typeof said[key] === 'string');
  const window = said.window ?? said.since ?? said.last;
  const more = { ...(window !== undefined && { time_range: window }), ...said, ...given };
  if (key !== undefined) return { question: said[key] as string, context: more };
  const words = Object.entries(said).map(
    ([key, value]) => `${key} ${typeof value === 'string' ? value : JSON.stringify(value)}`,
  );
  return { question: words.join(' '), context: given };
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
