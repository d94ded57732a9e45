/**
 * Which components a question names: the full name, the name beside its type in either order ("agent 123", "the orders service"), plurals,
 * a part that only one name has, words in any order, and slips. What fits several names alike is ambiguous, and nothing is guessed across
 * digits: agent-123 is never agent-124.
 */
import type { ComponentRef } from '../../model/block.ts';
import { editDistance, slipsAllowed } from './edits.ts';
import { ID_WORDS, TYPE_WORDS } from './lexicon.ts';
import { CONCEPTS } from './vocabulary.ts';
import { isKnownWord, type Word } from './words.ts';

export interface NameMatch {
  /** Position of the first word. */
  from: number;
  /** One, or those between which the words do not decide. */
  refs: readonly ComponentRef[];
  /** 1: the full name; less the more was forgiven. */
  likeness: number;
  text: string;
  /** Said of several: "the robots". */
  isPlural: boolean;
}

/** Marks the words of what it finds as `name`. @param known bounded by the caller */
export function findNames(words: readonly Word[], known: readonly ComponentRef[]): NameMatch[] {
  const forms = formsOf(known);
  const matches: NameMatch[] = [];
  // Whole names first, so that no part of one is taken for another; then slips.
  for (const match of [exactly(forms), partly(known, samePart), nearly(forms), partly(known, slippedPart)]) {
    for (let length = Math.min(SPAN_MAX, words.length); length >= 1; length--) {
      for (let from = 0; from + length <= words.length; from++) {
        const span = words.slice(from, from + length);
        if (span.some(({ role }) => role !== undefined) || isLogLine(words, from)) continue;
        const found = match(span);
        if (found === null) continue;
        for (const word of span) word.role = 'name';
        const isPlural = /[^s]s$/.test(span.at(-1)!.word) && !found.refs.some(({ id }) => /s$/i.test(id));
        matches.push({ from, ...found, text: span.map(({ text }) => text).join(' '), isPlural });
      }
    }
  }
  for (const match of matches) if (match.refs.length === 1) extend(match, words);
  // "The gateway of payments": what one word leaves open another may have decided. "They cannot pay": no name where no name can stand.
  const decided = matches.filter(({ refs }) => refs.length === 1).map(({ refs }) => refs[0]!);
  return matches
    .filter(({ refs, from }) => {
      const isMeant =
        refs.length === 1 ||
        (!refs.some((ref) => decided.includes(ref)) &&
          !FOLLOWED_BY_VERBS.has(words[from - 1]?.word ?? '') &&
          !isOfPeople(words, from));
      if (!isMeant) delete words[from]!.role;
      return isMeant;
    })
    .sort((a, b) => a.from - b.from);
}

/** "The last log line" is of no production line. */
function isLogLine(words: readonly Word[], at: number): boolean {
  return /^lines?$/.test(words[at]!.word) && /^logs?$/.test(words[at - 1]?.word ?? '');
}

/** "Hl7 brigde": the words beside a part of a name that are its other parts, or slips of them. */
function extend(match: NameMatch, words: readonly Word[]): void {
  const parts = partsOf(match.refs[0]!.id);
  const isSlip = ({ word, role, quoted }: Word) =>
    role === undefined &&
    !quoted &&
    parts.some(
      (part) =>
        part.length >= 4 &&
        (word === part || (!isKnownWord(word) && editDistance(word, part, slipsAllowed(part)) <= slipsAllowed(part))),
    );
  for (const step of [1, -1])
    for (let at = match.from; ; at += step) {
      const word = words[at];
      if (word === undefined || (word.role !== 'name' && !isSlip(word))) break;
      word.role = 'name';
    }
}

/** The known names that come nearest to a text, the nearest first. */
export function nearestNames(text: string, known: readonly ComponentRef[], max = 3): ComponentRef[] {
  const wanted = squash(text);
  return known
    .map((ref) => {
      const forms = [squash(ref.id), squash(ref.type + ref.id)];
      const edits = Math.min(...forms.map((form) => editDistance(wanted, form, wanted.length)));
      return { ref, away: edits / Math.max(wanted.length, 1) };
    })
    .filter(({ away }) => away <= 0.34)
    .sort((a, b) => a.away - b.away || (a.ref.id < b.ref.id ? -1 : 1))
    .slice(0, max)
    .map(({ ref }) => ref);
}

/** "Customers cannot book tickets": what people deal with, where it could be a part of several names. */
function isOfPeople(words: readonly Word[], at: number): boolean {
  return words.slice(Math.max(0, at - PEOPLE_BEFORE), at).some(({ word }) => CONCEPTS.people!.includes(word));
}

const PEOPLE_BEFORE = 5;
const FOLLOWED_BY_VERBS = new Set(
  'can could will would should may might must not to cannot they we i you customers users people who'.split(' '),
);
const SPAN_MAX = 5;
/** What many names end in, and few people say. */
const GENERIC_ENDING = /(?:service|svc|server|api|app|agent|worker|workflow)$/;

type Found = Pick<NameMatch, 'refs' | 'likeness'>;
type Matcher = (span: readonly Word[]) => Found | null;
type Forms = ReadonlyMap<string, readonly { ref: ComponentRef; likeness: number }[]>;

function formsOf(known: readonly ComponentRef[]): Forms {
  const forms = new Map<string, { ref: ComponentRef; likeness: number }[]>();
  for (const ref of known) {
    const id = squash(ref.id);
    const type = squash(ref.type);
    const own = new Map<string, number>();
    const add = (form: string, likeness: number) => {
      if (form.length >= 2 && !own.has(form)) own.set(form, likeness);
    };
    // Digits alone name nothing without a type beside them.
    if (!/^\d+$/.test(id)) add(id, 1);
    for (const kind of [type, ...GENERIC_TYPES]) {
      add(kind + id, 1);
      add(id + kind, 1);
    }
    const bare = id.startsWith(type) && id.length > type.length ? id.slice(type.length) : null;
    if (bare !== null) add(type + type + bare, 1);
    const stem = id.replace(GENERIC_ENDING, '');
    if (stem !== id && stem.length >= 3) {
      add(stem, 0.95);
      for (const kind of [type, ...GENERIC_TYPES]) add(stem + kind, 0.95);
      add(`${stem}s`, 0.93);
    }
    if (!/\d$/.test(id)) for (const form of [id, stem]) add(form.endsWith('s') ? form.slice(0, -1) : `${form}s`, 0.95);
    if (!/\d$/.test(id)) add((id.endsWith('s') ? id.slice(0, -1) : `${id}s`) + type, 0.95);
    const tail = /[./:]([^./:]{3,})$/.exec(ref.id)?.[1];
    if (tail !== undefined) add(squash(tail), 0.9);
    for (const [form, likeness] of own) forms.set(form, [...(forms.get(form) ?? []), { ref, likeness }]);
  }
  return forms;
}

const GENERIC_TYPES = ['component', 'service', 'app'];

function exactly(forms: Forms): Matcher {
  return (span) => {
    if (!isNameLike(span)) return null;
    const candidates = forms.get(squash(span.map(({ word }) => word).join(''))) ?? [];
    // An everyday word is a name only where it is the whole one.
    const everyday = span.every(({ word, quoted }) => !quoted && isKnownWord(word));
    const isTyped = span.length > 1 && span.some(({ word }) => TYPE_WORDS[word] !== undefined);
    // "Search" is one; "cache nodes" says enough of cache-node.
    const least = everyday && !isTyped ? (span.length > 1 ? 0.95 : 1) : 0;
    const fitting = candidates.filter(({ likeness }) => likeness >= least);
    return bestOf(fitting, span);
  };
}

/** A word or more of a name, in any order: those that no other name has decide. */
function partly(known: readonly ComponentRef[], same: (own: string, said: string) => boolean): Matcher {
  const split = known.map((ref) => ({ ref, parts: partsOf(ref.id) })).filter(({ parts }) => parts.length > 1);
  return (span) => {
    if (span.length > 3 || !isNameLike(span)) return null;
    const said = span.filter(({ word }) => TYPE_WORDS[word] === undefined).flatMap(({ word }) => partsOf(word));
    const tells = (part: string) => part.length >= 3 && !isKnownWord(part) && !/^\d+$/.test(part);
    // Short and everyday parts say nothing alone, but "eu-west" says which of two.
    if (said.length === 0 || !said.some(tells) || said.some((part) => JOINING.has(part))) return null;
    if (span.length > 1 && !said.every(tells) && said.some((part) => part.length >= 3 && !tells(part))) return null;
    const fitting = split.filter(({ parts }) => said.every((part) => parts.some((own) => same(own, part))));
    return bestOf(
      fitting.map(({ ref, parts }) => ({ ref, likeness: 0.7 + 0.25 * Math.min(1, said.length / parts.length) })),
      span,
    );
  };
}

function nearly(forms: Forms): Matcher {
  return (span) => {
    if (span.length > 2 || !isNameLike(span) || span.every(({ word }) => isKnownWord(word))) return null;
    if (span.some(({ word }) => isKnownWord(word) && TYPE_WORDS[word] === undefined)) return null;
    const said = squash(span.map(({ word }) => word).join(''));
    const allowed = slipsAllowed(said);
    if (allowed === 0) return null;
    const near: { ref: ComponentRef; likeness: number }[] = [];
    let least = allowed;
    for (const [form, candidates] of forms) {
      if (digitsOf(form) !== digitsOf(said)) continue;
      const edits = editDistance(said, form, least);
      if (edits > least) continue;
      if (edits < least) near.length = 0;
      least = edits;
      near.push(...candidates.map(({ ref }) => ({ ref, likeness: 0.9 - (0.5 * edits) / said.length })));
    }
    return bestOf(near, span);
  };
}

function bestOf(candidates: readonly { ref: ComponentRef; likeness: number }[], span: readonly Word[]): Found | null {
  if (candidates.length === 0) return null;
  const types = new Set(span.map(({ word }) => TYPE_WORDS[word]).filter((type) => typeof type === 'string'));
  const typed = candidates.filter(({ ref }) => types.has(ref.type));
  const of = typed.length > 0 ? typed : candidates;
  const likeness = Math.max(...of.map((each) => each.likeness));
  const best = of.filter((each) => each.likeness === likeness).map(({ ref }) => ref);
  return { refs: [...new Map(best.map((ref) => [`${ref.type}/${ref.id}`, ref])).values()], likeness };
}

/** Not a type alone, nor ending in the article of something else. */
function isNameLike(span: readonly Word[]): boolean {
  if (span.every(({ word }) => TYPE_WORDS[word] !== undefined && !/\d/.test(word))) return span.length === 1;
  if (span.length === 1) return true;
  // Words that only join others cannot stand within a name, unless they are typed as one.
  return span.every(({ word }) => !JOINING.has(word));
}

const JOINING = new Set(
  'the a an is are was were and or of in on to for with does do did why how what who where when it its not versus vs has have be any all at by from'.split(
    ' ',
  ),
);

function partsOf(name: string): string[] {
  return name
    .replace(/([a-z])([A-Z])/g, '$1 $2')
    .toLowerCase()
    .split(/[^\p{L}\p{N}]+/u)
    .filter((part) => part !== '');
}

function samePart(own: string, said: string): boolean {
  return own === said || own === `${said}s` || said === `${own}s`;
}

/** "Optimiser" for the one of route-optimizer. */
function slippedPart(own: string, said: string): boolean {
  return (
    own.length > 5 &&
    said.length > 5 &&
    editDistance(said, own, slipsAllowed(own)) <= Math.min(slipsAllowed(own), slipsAllowed(said))
  );
}

export function squash(text: string): string {
  return text.toLowerCase().replace(/[^\p{L}\p{N}]+/gu, '');
}

function digitsOf(text: string): string {
  return text.replace(/\D+/g, '');
}

/** Whether a word could be an id of something: it mixes letters and digits, or its parts are joined by signs. */
export function looksLikeId({ text, quoted }: Word): boolean {
  return !quoted && ((/\d/.test(text) && /[\p{L}_:#-]/u.test(text) && text.length > 3) || /^[0-9a-f]{8,}$/i.test(text));
}

export function isIdWord(word: string): boolean {
  return ID_WORDS.has(word);
}
