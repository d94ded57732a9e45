/**
 * A question becomes what it asks for, about whom and over which time. The words are read without the data; what they name is looked up in it,
 * and what the question leaves out comes from the conversation so far.
 */
import type { ComponentRef } from '../../model/block.ts';
import type { Json, JsonObject } from '../../model/json.ts';
import { formatNanos } from '../../model/time.ts';
import { refName } from '../agent/say.ts';
import type { TimeRangeInput } from '../params.ts';
import { INTENTS, type Intent } from './cues.ts';
import { intentOf } from './intents.ts';
import { type AskFacts, type KnownId, knownComponents, orNone, templatesWith, whatIs } from './known.ts';
import { POINTING_WORDS, TYPE_WORDS, WHOLE_WORDS } from './lexicon.ts';
import { findNames, isIdWord, looksLikeId, nearestNames } from './names.ts';
import { findTimes, type SaidTime } from './times.ts';
import { isKnownWord, mend, type Word, wordsOf } from './words.ts';

export interface Understood {
  /** Null: the question is about something else, or about nothing. */
  intent: Intent | null;
  components: ComponentRef[];
  ids: KnownId[];
  /** A text to look for in messages. */
  text: string | null;
  /** Empty: the time that the answer takes by itself. */
  range: TimeRangeInput;
  /** The time that `range` is held against. */
  against: { start: string; end: string } | null;
  /** Names and ids that nothing goes by. */
  unknown: { text: string; near: ComponentRef[]; isId: boolean }[];
  /** What must be asked back. */
  unclear: Unclear | null;
  /** 0 to 1: how sure it is that this is what was meant. */
  certainty: number;
  /** Which parts the question left to its context. */
  fromContext: string[];
  known: readonly ComponentRef[];
  /** Nanoseconds; what "now" meant. */
  now: bigint;
  words: readonly string[];
}

export interface Unclear {
  what: 'question' | 'component_id' | 'operation_id' | 'time_range';
  question: string;
  choices: string[];
}

/** What an answer says that it understood; also what a follow-up takes as its context. */
export interface Parsed {
  intent: Intent | null;
  components: string[];
  ids: string[];
  time_range: string | null;
  /** Held against it. */
  against?: string;
  text?: string;
  unknown?: string[];
  from_context?: string[];
  [more: string]: Json | undefined;
}

export interface Asked {
  question: string;
  context: JsonObject | null;
}

export async function understand(facts: AskFacts, tenant: string, asked: Asked, now: bigint): Promise<Understood> {
  const words = wordsOf(asked.question);
  const known = await knownComponents(facts, tenant);
  const said = findTimes(words, now);
  const wasMarked = await findMarkedIds(facts, tenant, words);
  const matches = findNames(words, known);
  const bareIds = await findBareIds(facts, tenant, words);
  for (const each of words)
    if (each.role === undefined && !each.quoted && !isKnownWord(each.word)) each.word = mend(each.word) ?? each.word;
  const nodes = await findNodes(facts, tenant, words, known);
  const { text, unknown } = await findRest(facts, tenant, words, known, matches.length + nodes.length > 0);
  const scored = intentOf(words);
  const isAboutWords = scored.intent === 'errors' || scored.intent === 'explain' || scored.intent === 'patterns';
  const phrase =
    text === null && isAboutWords && wasMarked.length + bareIds.length === 0
      ? await findPhrase(facts, tenant, words)
      : null;

  const understood: Understood = {
    intent: scored.intent,
    components: [...matches.filter(({ refs }) => refs.length === 1).map(({ refs }) => refs[0]!), ...nodes],
    ids: [...wasMarked, ...bareIds],
    text: text ?? phrase,
    ...timesOf(said.times),
    unknown,
    unclear: null,
    certainty: scored.certainty * Math.min(1, ...matches.map(({ likeness }) => likeness)),
    fromContext: [],
    known,
    now,
    words: words.filter(({ role }) => role === undefined).map(({ word }) => word),
  };
  understood.components = distinct(understood.components);
  const ambiguous = matches.find(({ refs }) => refs.length > 1);
  if (ambiguous !== undefined)
    understood.unclear = {
      what: 'component_id',
      question: `Which ${ambiguous.text} is meant?`,
      choices: ambiguous.refs.map(refName),
    };
  else if (said.untold !== null)
    understood.unclear = { what: 'time_range', question: `When was the ${said.untold}?`, choices: [] };
  takeTypeForName(understood, words);
  if (scored.weight <= WEAK && (await namesStateKey(facts, tenant, understood, words))) understood.intent = 'state';
  takeFromContext(understood, asked.context ?? {}, words, scored.weight);
  settle(understood, words, said.times);
  return understood;
}

export function parsedOf(understood: Understood): Parsed {
  const { intent, components, ids, range, against, text, unknown, fromContext } = understood;
  return {
    intent,
    components: components.map(({ type, id }) => (type === 'service' ? id : `${type}/${id}`)),
    ids: ids.map(({ id }) => id),
    time_range: range.time_range ?? (range.start == null ? null : `${range.start}/${range.end ?? ''}`),
    ...(against !== null && { against: `${against.start}/${against.end}` }),
    ...(text !== null && { text }),
    ...(unknown.length > 0 && { unknown: unknown.map((each) => each.text) }),
    ...(fromContext.length > 0 && { from_context: fromContext }),
  };
}

/** "operation 17", "trace 4bf9…": the word before says that it is an id, so that even a number is one. */
async function findMarkedIds(facts: AskFacts, tenant: string, words: readonly Word[]): Promise<KnownId[]> {
  const found: KnownId[] = [];
  for (const [i, { word, role }] of words.entries()) {
    const next = words[i + 1];
    if (role !== undefined || !isIdWord(word) || next === undefined || next.role !== undefined) continue;
    if (isKnownWord(next.word) && !/\d/.test(next.word)) continue;
    const forms = [next.text, ...['-', '_', '', ':', '/', '#'].map((joint) => `${word}${joint}${next.text}`)];
    for (const form of forms) {
      const id = await whatIs(facts, tenant, form);
      if (id === null) continue;
      next.role = 'id';
      words[i]!.role = 'id';
      found.push(id);
      break;
    }
  }
  return found;
}

async function findBareIds(facts: AskFacts, tenant: string, words: readonly Word[]): Promise<KnownId[]> {
  const found: KnownId[] = [];
  for (const each of words) {
    if (each.role !== undefined || isKnownWord(each.word)) continue;
    if (!looksLikeId(each) && !/[\p{L}\p{N}][-_:/][\p{L}\p{N}]/u.test(each.text)) continue;
    const id = await whatIs(facts, tenant, each.text);
    if (id === null) continue;
    each.role = 'id';
    found.push(id);
  }
  return found;
}

/** A replica stands for its component: "ledger-2" for the ledger of which it is one. */
async function findNodes(
  facts: AskFacts,
  tenant: string,
  words: readonly Word[],
  known: readonly ComponentRef[],
): Promise<ComponentRef[]> {
  const found: ComponentRef[] = [];
  for (const each of words) {
    if (each.role !== undefined || !/[-_.:]\w+$/.test(each.text)) continue;
    const ref = known.find(({ id }) => each.text.startsWith(id) && each.text.length > id.length);
    if (ref === undefined) continue;
    const which = { component_type: ref.type, component_id: ref.id };
    const { data } = await facts.events(tenant, { ...which, limit: NODE_EVENTS });
    if (!data.some(({ node_id }) => node_id === each.text)) continue;
    each.role = 'name';
    found.push(ref);
  }
  return found;
}

// Replicas take turns: each is among the newest some hundred.
const NODE_EVENTS = 500;

/** What is left is a text that somebody logged, or a name that nothing goes by. */
async function findRest(
  facts: AskFacts,
  tenant: string,
  words: readonly Word[],
  known: readonly ComponentRef[],
  named: boolean,
): Promise<Pick<Understood, 'text' | 'unknown'>> {
  const unknown: Understood['unknown'] = [];
  let text: string | null = null;
  const asUnknown = (each: Word, said: string, isId: boolean) => {
    each.role = isId ? 'id' : 'name';
    unknown.push({ text: said, near: nearestNames(said, known), isId });
  };
  for (const [i, each] of words.entries()) {
    if (each.role !== undefined) continue;
    if (each.quoted) {
      text ??= each.text;
      each.role = 'text';
      continue;
    }
    const typeBefore = TYPE_WORDS[words[i - 1]?.word ?? ''];
    const isStrange = !isKnownWord(each.word);
    if (typeBefore !== undefined && /^#?\d+$/.test(each.text)) {
      asUnknown(each, `${words[i - 1]!.word}-${each.text.replace('#', '')}`, false);
      continue;
    }
    const status = /^[45]\d\d(?:s)?$/.test(each.word);
    if ((!isStrange && !status) || /^\d{1,2}$/.test(each.word)) continue;
    const wanted = each.text.replace(/(?<=\d)s$/, '');
    const form = await saidForm(facts, tenant, wanted);
    if (form !== null) {
      text ??= form;
      each.role = 'text';
    } else if (looksLikeId(each)) {
      const type = TYPE_WORDS[/^[a-z]+/i.exec(each.text)?.[0].toLowerCase() ?? ''];
      if (/[-_:]/.test(each.text) || each.text.length >= 8)
        asUnknown(each, each.text, type === undefined && nearestNames(each.text, known).length === 0);
    } else if (asksForText(words, i) && !INSIDE.has(words[i - 1]?.word ?? '')) text ??= wanted;
    else if (isJoined(words, i) || (!named && isInPlaceOfName(words, i))) asUnknown(each, each.text, false);
  }
  return { text, unknown };
}

/** "Redelivered messages": what is looked for where things that were said are asked for. */
function asksForText(words: readonly Word[], at: number): boolean {
  return [at - 1, at + 1].some((i) => words[i] !== undefined && SAID_THINGS.has(words[i].word));
}

const SAID_THINGS = new Set([
  'errors',
  'messages',
  'logs',
  'events',
  'exceptions',
  'warnings',
  'containing',
  'grep',
  'mention',
  'mentioning',
]);
const INSIDE = new Set([
  'of',
  'in',
  'for',
  'from',
  'on',
  'by',
  'does',
  'is',
  'are',
  'did',
  'has',
  'the',
  'with',
  'why',
]);

/** As it stands in the logs, in the plural or not; null where nobody said so. */
async function saidForm(facts: AskFacts, tenant: string, word: string): Promise<string | null> {
  for (const form of [word, word.replace(/s$/, '')])
    if (form.length >= 3 && (await templatesWith(facts, tenant, form)).length > 0) return form;
  return null;
}

/** The longest run of words that somebody logged so: "rate limit". */
async function findPhrase(facts: AskFacts, tenant: string, words: readonly Word[]): Promise<string | null> {
  for (let length = PHRASE_WORDS_MAX; length >= 2; length--)
    for (let from = 0; from + length <= words.length; from++) {
      const run = words.slice(from, from + length);
      if (run.some(({ role, word }) => role !== undefined || word.length < 3 || PHRASE_STOPS.has(word))) continue;
      const isTimeout = length === 2 && /^tim(?:e|ed|es|ing)$/.test(run[0]!.word) && run[1]!.word === 'out';
      const phrase = isTimeout ? 'timeout' : run.map(({ text }) => text).join(' ');
      if ((await templatesWith(facts, tenant, phrase)).length === 0) continue;
      for (const each of run) each.role = 'text';
      return phrase;
    }
  return null;
}

const PHRASE_WORDS_MAX = 4;
const PHRASE_STOPS = new Set(
  'the and for with from what why how when where which who are was were has have had did does this that any all not'.split(
    ' ',
  ),
);

/** Whether a word stands in a row with a name: "orders and foo". */
function isJoined(words: readonly Word[], at: number): boolean {
  const joint = (word: Word | undefined) => word !== undefined && JOINTS.has(word.word);
  const typed =
    TYPE_WORDS[words[at - 1]?.word ?? ''] !== undefined || TYPE_WORDS[words[at + 1]?.word ?? ''] !== undefined;
  return (
    typed ||
    (joint(words[at - 1]) && words[at - 2]?.role === 'name') ||
    (joint(words[at + 1]) && words[at + 2]?.role === 'name')
  );
}

/** "Is X up", "of X": elsewhere a strange word is only strange. */
function isInPlaceOfName(words: readonly Word[], at: number): boolean {
  const before = words[at - 1];
  return before === undefined || BEFORE_NAMES.has(before.word);
}

const BEFORE_NAMES = new Set(
  'is are was were of in for on with about does do did has have why how the our my at from to by and or check service services'.split(
    ' ',
  ),
);
const JOINTS = new Set(['and', 'or', 'vs', 'versus', 'with', 'against', 'to', 'than', 'from']);

/** "the workflow": the one of its type, or a question back. */
function takeTypeForName(understood: Understood, words: readonly Word[]): void {
  if (understood.components.length + understood.ids.length + understood.unknown.length > 0) return;
  if (understood.unclear !== null) return;
  for (const [i, { word, role }] of words.entries()) {
    const type = TYPE_WORDS[word];
    if (type === undefined || role !== undefined || word.endsWith('s') || word === 'system') continue;
    if (!DEFINITE.has(words[i - 1]?.word ?? '') || DRAWINGS.has(words[i + 1]?.word ?? '')) continue;
    const of = understood.known.filter((ref) => type === null || ref.type === type);
    if (of.length === 1) understood.components = [of[0]!];
    else
      understood.unclear = {
        what: 'component_id',
        question: of.length === 0 ? `No ${word} is known.` : `Which ${word} is meant?`,
        choices: (of.length === 0 ? understood.known : of).slice(0, CHOICES_MAX).map(refName),
      };
    return;
  }
}

/** "The balance of ledger": a key of what it reported last. */
async function namesStateKey(
  facts: AskFacts,
  tenant: string,
  { components }: Understood,
  words: readonly Word[],
): Promise<boolean> {
  const [ref] = components;
  if (ref === undefined || components.length > 1) return false;
  const found = await orNone(facts.state(tenant, { component_type: ref.type, component_id: ref.id }));
  const keys = Object.keys(found?.data.state_data ?? {}).map((key) => key.toLowerCase());
  return words.some(({ role, text }) => role === undefined && keys.includes(text.toLowerCase()));
}

// Below it the words hardly say what is asked for.
const WEAK = 3;

/** "The service map" is of all of them. */
const DRAWINGS = new Set(['map', 'graph', 'mesh', 'topology', 'list', 'overview', 'landscape']);
const DEFINITE = new Set(['the', 'this', 'that', 'my', 'our', 'a', 'an']);
export const CHOICES_MAX = 10;

/** @param context `parsed` of an earlier answer, or that answer, or the names that REST knows */
function takeFromContext(understood: Understood, context: JsonObject, words: readonly Word[], weight: number): void {
  const earlier = isObject(context.parsed) ? { ...context, ...context.parsed } : context;
  const { intent, components, ids, unknown, known } = understood;
  const isBare = components.length + ids.length + unknown.length === 0;
  const points = words.some(({ word, role }) => role === undefined && POINTING_WORDS.has(word));
  const whole = words.some(({ word, role }) => role === undefined && WHOLE_WORDS.has(word));
  const take = (part: string) => understood.fromContext.push(part);

  if (isBare && (points || !whole)) {
    const names = textsOf(earlier, ['component', 'components', 'component_id']);
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

/** What structure says beyond words: two names want comparing, an id alone wants telling. */
function settle(understood: Understood, words: readonly Word[], times: readonly SaidTime[]): void {
  const { components, ids, unknown, range, text } = understood;
  const named = components.length + ids.length + unknown.length;
  const isExact = range.start != null;
  if (
    (components.length > 1 || ids.length > 1) &&
    words.some(({ word, role }) => word === 'than' && role === undefined)
  )
    understood.intent = 'compare';
  switch (understood.intent) {
    case null:
      // A name or an id alone asks how it is.
      if (ids.length > 0) understood.intent = 'where';
      else if (components.length > 0) understood.intent = 'health';
      // A strange word alone is a name; in a sentence that asks for nothing known it is only strange.
      else if (unknown.length > 0 && (words.length <= BARE_WORDS || unknown.some(({ text }) => /\d/.test(text))))
        understood.intent = 'health';
      else if (text !== null) understood.intent = 'errors';
      understood.certainty = 0.7;
      break;
    case 'root_cause':
      if (named > 0) understood.intent = 'explain';
      break;
    case 'explain':
      if (named === 0 && text === null && isExact && times.length > 0) understood.intent = 'root_cause';
      break;
    case 'health':
      if (ids.length > 0 && components.length === 0) understood.intent = 'progress';
      break;
    case 'slow':
      if ((components.length > 1 || ids.length > 1) && words.some(({ word }) => word === 'or' || word === 'than'))
        understood.intent = 'compare';
      break;
    case 'compare':
      if (components.length < 2 && ids.length < 2 && understood.against === null && unknown.length === 0)
        understood.intent = 'changes';
      break;
    case 'where':
      if (ids.length === 0 && unknown.length === 0) understood.intent = 'explain';
      break;
    default:
  }
}

const BARE_WORDS = 2;

/** One time is the window; of two, the later one is held against the earlier. */
function timesOf(times: readonly SaidTime[]): Pick<Understood, 'range' | 'against'> {
  const real = times.filter(({ isNow }) => isNow !== true);
  const now = times.find(({ isNow }) => isNow === true);
  const [first, second] = real;
  if (first === undefined) return { range: {}, against: null };
  if (second === undefined) {
    if (now === undefined || first.relative !== undefined) return { range: inputOf(first), against: null };
    // "now against an hour ago": as much before each moment as lies well between them.
    const length = first.agoNanos === undefined ? first.end - first.start : first.agoNanos / 2n;
    const [from, to] =
      first.agoNanos === undefined
        ? [first.start, first.end]
        : [now.end - first.agoNanos - length, now.end - first.agoNanos];
    return {
      range: { start: formatNanos(now.end - length), end: formatNanos(now.end) },
      against: { start: formatNanos(from < 0n ? 0n : from), end: formatNanos(to) },
    };
  }
  if (second.previous && second.relative !== undefined) {
    const length = first.end - first.start;
    const end = first.start - 1n;
    return { range: inputOf(first), against: { start: formatNanos(end - length), end: formatNanos(end) } };
  }
  const [earlier, later] = first.start <= second.start ? [first, second] : [second, first];
  return {
    range: { start: formatNanos(later.start), end: formatNanos(later.end) },
    against: { start: formatNanos(earlier.start), end: formatNanos(earlier.end) },
  };
}

function inputOf({ relative, start, end, isOpen }: SaidTime): TimeRangeInput {
  if (isOpen) return { start: formatNanos(start) };
  return relative === undefined ? { start: formatNanos(start), end: formatNanos(end) } : { time_range: relative };
}

function distinct(refs: readonly ComponentRef[]): ComponentRef[] {
  return [...new Map(refs.map((ref) => [refName(ref), ref])).values()];
}

function isObject(value: unknown): value is JsonObject {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
