/** What a question is about: ids, replicas, texts that were logged, names that nothing goes by; each is looked up, and marked on its words. */
import type { ComponentRef } from '../../model/block.ts';
import { type AskFacts, type KnownId, orNone, templatesWith, whatIs } from './known.ts';
import { TYPE_WORDS } from './lexicon.ts';
import { isIdWord, looksLikeId, nearestNames } from './names.ts';
import { VERSION } from './times.ts';
import type { Understood } from './understood.ts';
import { isException, isKnownWord, type Word } from './words.ts';

/** "operation 17", "trace 4bf9…": the word before says that it is an id, so that even a number is one. */
export async function findMarkedIds(facts: AskFacts, tenant: string, words: readonly Word[]): Promise<KnownId[]> {
  const found: KnownId[] = [];
  for (const [i, { word, role }] of words.entries()) {
    const next = words[i + 1];
    if (role !== undefined || next === undefined || next.role !== undefined) continue;
    // "Batch A17": what has a letter and a digit may be the rest of an id.
    const isMarked = isIdWord(word) || (/^[a-z]{3,}$/.test(word) && /^(?:[a-z]+\d+|\d+[a-z]+)$/i.test(next.word));
    if (!isMarked || (isKnownWord(next.word) && !/\d/.test(next.word))) continue;
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

export async function findBareIds(facts: AskFacts, tenant: string, words: readonly Word[]): Promise<KnownId[]> {
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
export async function findNodes(
  facts: AskFacts,
  tenant: string,
  words: readonly Word[],
  known: readonly ComponentRef[],
): Promise<{ ref: ComponentRef; node: string }[]> {
  const found: { ref: ComponentRef; node: string }[] = [];
  for (const each of words) {
    if (each.role !== undefined || !/[-_.:]\w+$/.test(each.text)) continue;
    const ref = known.find(({ id }) => each.text.startsWith(id) && each.text.length > id.length);
    if (ref === undefined || known.some(({ id }) => id === each.text)) continue;
    const which = { component_type: ref.type, component_id: ref.id };
    const { data } = await facts.events(tenant, { ...which, limit: NODE_EVENTS });
    if (!data.some(({ node_id }) => node_id === each.text)) continue;
    each.role = 'name';
    found.push({ ref, node: each.text });
  }
  return found;
}

// Replicas take turns: each is among the newest some hundred.
const NODE_EVENTS = 500;

/** What is left is a text that somebody logged, or a name that nothing goes by. */
export async function findRest(
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
    if (isException(each)) {
      text ??= each.text.split(/[.:/\\]/).at(-1)!;
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
    const isVersion = VERSION.test(each.word);
    if (VERSION.test(words[i + 1]?.word ?? '')) continue;
    if ((!isStrange && !status) || isVersion || (!status && /^\d{1,3}$/.test(each.word))) continue;
    const wanted = each.text.replace(/(?<=\d)s$/, '');
    const form = await saidForm(facts, tenant, wanted);
    if (form !== null) {
      text ??= form;
      each.role = 'text';
    } else if (looksLikeId(each)) {
      const type = TYPE_WORDS[/^[a-z]+/i.exec(each.text)?.[0].toLowerCase() ?? ''];
      if (/[-_:]/.test(each.text) || each.text.length >= 8)
        asUnknown(each, each.text, type === undefined && nearestNames(each.text, known).length === 0);
    } else if (isSaidOf(words, i)) continue;
    else if (asksForText(words, i) && !INSIDE.has(words[i - 1]?.word ?? '')) text ??= wanted;
    else if (isJoined(words, i) || (!named && isInPlaceOfName(words, i))) asUnknown(each, each.text, false);
  }
  return { text, unknown };
}

/** "Redelivered messages": what is looked for where things that were said are asked for. */
function asksForText(words: readonly Word[], at: number): boolean {
  return [at - 1, at + 1].some((i) => words[i] !== undefined && SAID_THINGS.has(words[i].word));
}

/** "Messages emitted by orders": what was done with them, not what they say. */
function isSaidOf(words: readonly Word[], at: number): boolean {
  return /ed$/.test(words[at]!.word) && words[at + 1]?.word === 'by';
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
  // Templates leave numbers out: "x509" and "503" are only found in what was said, of which the last hour is looked through.
  if (!/^(?:[a-z]{1,8}\d{2,6}|[45]\d\d)$/i.test(word)) return null;
  return (await facts.events(tenant, { q: word, time_range: '1h', limit: 1 })).data.length > 0 ? word : null;
}

/** The longest run of words that somebody logged so: "rate limit". */
export async function findPhrase(facts: AskFacts, tenant: string, words: readonly Word[]): Promise<string | null> {
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
  // The first word of a sentence may be any verb; of a few words it is what they are about.
  const next = words[at + 1];
  if (before === undefined) return words.length <= FEW_WORDS || BEHIND_NAMES.has(next?.word ?? '');
  if (BEFORE_NAMES.has(before.word)) return true;
  // "In billing", "of the billing", but not "in plain words": nothing that it could belong to follows.
  const ends = next === undefined || words[at]!.ends === true || next.role === 'time' || BEHIND_NAMES.has(next.word);
  return ends && BEFORE_LAST_NAMES.has(before.word);
}

const FEW_WORDS = 3;
const BEHIND_NAMES = new Set(
  'is are was were has have had does did keeps fails failed crashed status health errors'.split(' '),
);
const BEFORE_NAMES = new Set(
  'called named is are was were of for about does did has have why how check service services'.split(' '),
);
const BEFORE_LAST_NAMES = new Set('in on with do the our my at from to by and or'.split(' '));
const JOINTS = new Set(['and', 'or', 'vs', 'versus', 'with', 'against', 'to', 'than', 'from']);

/** "The balance of ledger": a key of what it reported last. */
export async function namesStateKey(
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

/** The attribute that a question asks the values of, "which zone", "only the south zone", or of which it names one: "are premium users ok". */
export async function findAttribute(
  facts: AskFacts,
  tenant: string,
  words: readonly Word[],
  unknown: Understood['unknown'],
): Promise<{ key: string; isAsked: boolean; said: string } | null> {
  const asked = words.filter(
    ({ role, word }, i) =>
      (role !== 'name' || ASKS_VALUES.has(words[i - 1]?.word ?? '')) &&
      role !== 'id' &&
      role !== 'time' &&
      word.length > 2 &&
      words.slice(Math.max(0, i - 3), i).some(({ word }) => ASKS_VALUES.has(word)),
  );
  const strange = words.filter(
    ({ role, text, word }) =>
      (role === undefined || role === 'text' || unknown.some((each) => each.text === text)) &&
      !isKnownWord(text.toLowerCase()) &&
      !VERSION.test(word),
  );
  if (asked.length + strange.length === 0) return null;
  const { data } = await facts.events(tenant, { limit: ATTRIBUTE_EVENTS });
  const keys = new Set(data.flatMap((event) => Object.keys(event.data)));
  for (const { text } of asked)
    for (const key of keys) {
      const word = text.toLowerCase();
      const last = key.toLowerCase().split(/[._-]/).at(-1)!;
      if ([last, `${last}s`, key.toLowerCase()].includes(word)) return { key, isAsked: true, said: text };
    }
  for (const each of strange)
    for (const event of data)
      for (const [key, value] of Object.entries(event.data))
        if (typeof value === 'string' && formsOf(each.text).includes(value.toLowerCase()))
          return { key, isAsked: asked.includes(each), said: each.text };
  return null;
}

/** "Suites" are those of the suite. */
const formsOf = (text: string) => [text.toLowerCase(), text.toLowerCase().replace(/s$/, '')];
const ASKS_VALUES = new Set(['which', 'what', 'whose', 'only', 'just', 'by', 'per', 'every', 'each']);
const ATTRIBUTE_EVENTS = 200;
