/**
 * Cues as data, matched against a question. A cue is elements that stand in a question in this order: a word, `stem*`, `*ending`, a meaning
 * of vocabulary.ts in `<>`, what was found beside words (`@component`, `@id`, `@time`, `@text`), or several of these with `|` between;
 * `_` is up to four words of anything, `?` one word that has no meaning here, `^` the beginning.
 */
import { assert } from '../../base/assert.ts';
import { EMPTY_WORDS } from './lexicon.ts';
import { CONCEPTS, IDIOMS, isForm } from './vocabulary.ts';
import type { Word } from './words.ts';

/** Alternatives of which any fits; null: a gap. */
type Element = readonly string[] | null;
export type Cue = readonly Element[];

export function compileCue(cue: string): Cue {
  return cue
    .split(' ')
    .filter((word) => !EMPTY_WORDS.has(word))
    .map((word): Element => (word === '_' ? null : word.split('|').flatMap(wordsMeant)));
}

/** What cues are matched against: words without those that change nothing, what was found in the data by its role, idioms by their meaning. */
export function tokensOf(words: readonly Word[]): string[] {
  const tokens: string[] = [];
  for (const [i, { word, role }] of words.entries()) {
    const token = role === undefined ? word : role === 'name' ? '@component' : `@${role}`;
    if (role === undefined && (EMPTY_WORDS.has(word) || /^\d+$/.test(word))) continue;
    // "I see no errors": it is not what is asked about, where something else is.
    if (ABSENT.has(words[i - 1]?.word ?? '') && words.length > ABSENT_WORDS_MIN) continue;
    if (role !== undefined && tokens.at(-1) === token) continue;
    tokens.push(token);
  }
  return withoutIdioms(tokens);
}

export function occurs(cue: Cue, tokens: readonly string[]): boolean {
  if (cue[0]?.includes('^')) return continues(cue, 1, tokens, 0);
  return tokens.some((_, from) => continues(cue, 0, tokens, from));
}

function continues(elements: Cue, at: number, tokens: readonly string[], from: number): boolean {
  if (at === elements.length) return true;
  const element = elements[at]!;
  if (element !== null)
    return from < tokens.length && fits(element, tokens[from]!) && continues(elements, at + 1, tokens, from + 1);
  for (let skip = 0; skip <= GAP_WORDS_MAX && from + skip <= tokens.length; skip++)
    if (continues(elements, at + 1, tokens, from + skip)) return true;
  return false;
}

function withoutIdioms(tokens: readonly string[]): string[] {
  const joined: string[] = [];
  for (let at = 0; at < tokens.length; ) {
    const idiom = COMPILED_IDIOMS.find(({ elements }) =>
      elements.every((element, i) => at + i < tokens.length && fits(element!, tokens[at + i]!)),
    );
    joined.push(idiom?.means ?? tokens[at]!);
    at += idiom?.elements.length ?? 1;
  }
  return joined;
}

function fits(alternatives: readonly string[], token: string): boolean {
  return alternatives.some((each) => {
    if (each === '?') return !token.startsWith('@') && !hasMeaning(token);
    if (each.startsWith('*')) return token.endsWith(each.slice(1));
    return isForm(token, each);
  });
}

function hasMeaning(token: string): boolean {
  return MEANT.some((each) => isForm(token, each));
}

function wordsMeant(word: string): readonly string[] {
  if (!word.startsWith('<')) return [word];
  const meant = CONCEPTS[word.slice(1, -1)];
  assert(meant !== undefined, `cues speak of ${word}, which is no meaning`);
  return meant;
}

const MEANT = Object.values(CONCEPTS).flat();
const COMPILED_IDIOMS = IDIOMS.map(([said, means]) => ({ elements: compileCue(said), means }));
const ABSENT = new Set(['no', 'without']);
const ABSENT_WORDS_MIN = 5;
const GAP_WORDS_MAX = 4;
