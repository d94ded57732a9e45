/** What a question asks for: the intent whose cues weigh most. */
import { assert } from '../../base/assert.ts';
import { CUES, INTENTS, type Intent } from './cues.ts';
import { EMPTY_WORDS } from './lexicon.ts';
import { CONCEPTS, IDIOMS } from './vocabulary.ts';
import type { Word } from './words.ts';

/** Up to it the words hardly say what is asked for. */
export const WEAK = 3;

export interface Scored {
  /** Null where no cue says anything. */
  intent: Intent | null;
  /** 0 to 1: how clear its strongest cue is, and how far it stands out from the next. */
  certainty: number;
  /** Of the strongest cue and what adds to it: below 3 the words hardly say what is asked for. */
  weight: number;
}

/** @param words whose roles are known, and whose slips are mended */
export function intentOf(words: readonly Word[]): Scored {
  // What is told before the question is no question: of several sentences the clearest is asked, of equals the last.
  const scored = sentencesOf(words).map((sentence) => scoredOf(tokensOf(sentence), words.length));
  return scored.reduce((best, each) => (each.weight >= best.weight ? each : best), NOTHING);
}

const NOTHING: Scored = { intent: null, certainty: 0, weight: 0 };

function scoredOf(tokens: readonly string[], words: number): Scored {
  const scores = INTENTS.map((intent) => ({ intent, score: scoreOf(intent, tokens) })).sort(
    (a, b) => b.score - a.score,
  );
  const [first, second] = scores;
  // A faint word among many is no evidence of what is asked.
  const least =
    tokens.some((token) => token.startsWith('@')) || words <= FAINT_WORDS_MAX
      ? 1
      : words <= 1.5 * FAINT_WORDS_MAX
        ? 2
        : 3;
  if (first === undefined || first.score < least) return NOTHING;
  const certainty = Math.min(1, 0.6 + 0.05 * first.score + 0.1 * (first.score - (second?.score ?? 0)));
  return { intent: first.intent, certainty, weight: first.score };
}

// The strongest cue decides; others of the same intent only tip the scales, as many words are no stronger than the right one.
const FURTHER_CUES = 0.3;
const FURTHER_MAX = 0.9;
const GAP_WORDS_MAX = 4;
const FAINT_WORDS_MAX = 4;

function scoreOf(intent: Intent, tokens: readonly string[]): number {
  const weights = COMPILED.filter((cue) => cue.intent === intent && occurs(cue.elements, tokens)).map(
    ({ weight }) => weight,
  );
  const most = Math.max(0, ...weights);
  const further = weights.reduce((sum, weight) => sum + weight, 0) - most;
  return most + Math.min(FURTHER_MAX, FURTHER_CUES * further);
}

function sentencesOf(words: readonly Word[]): Word[][] {
  const sentences: Word[][] = [[]];
  for (const word of words) {
    sentences.at(-1)!.push(word);
    if (word.ends) sentences.push([]);
  }
  return sentences;
}

function tokensOf(words: readonly Word[]): string[] {
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

function withoutIdioms(tokens: readonly string[]): string[] {
  const joined: string[] = [];
  for (let at = 0; at < tokens.length; ) {
    const idiom = COMPILED_IDIOMS.find(({ elements }) =>
      elements.every((element, i) => at + i < tokens.length && fits(element, tokens[at + i]!)),
    );
    joined.push(idiom?.means ?? tokens[at]!);
    at += idiom?.elements.length ?? 1;
  }
  return joined;
}

const ABSENT = new Set(['no', 'without']);
const ABSENT_WORDS_MIN = 5;

/** Words and stems of which any fits; null: a gap. */
type Element = readonly string[] | null;

const COMPILED = INTENTS.flatMap((intent) =>
  Object.entries(CUES[intent]).flatMap(([weight, cues]) =>
    cues.map((cue) => ({
      intent,
      weight: Number(weight),
      elements: cue
        .split(' ')
        .filter((word) => !EMPTY_WORDS.has(word))
        .map((word): Element => (word === '_' ? null : word.split('|').flatMap(wordsMeant))),
    })),
  ),
);

const COMPILED_IDIOMS = IDIOMS.map(([said, means]) => ({
  elements: said.split(' ').map((word) => word.split('|').flatMap(wordsMeant)),
  means,
}));

function wordsMeant(word: string): readonly string[] {
  if (!word.startsWith('<')) return [word];
  const meant = CONCEPTS[word.slice(1, -1)];
  assert(meant !== undefined, `cues speak of ${word}, which is no meaning`);
  return meant;
}

function occurs(elements: readonly Element[], tokens: readonly string[]): boolean {
  return tokens.some((_, from) => continues(elements, 0, tokens, from));
}

function continues(elements: readonly Element[], at: number, tokens: readonly string[], from: number): boolean {
  if (at === elements.length) return true;
  const element = elements[at]!;
  if (element !== null)
    return from < tokens.length && fits(element, tokens[from]!) && continues(elements, at + 1, tokens, from + 1);
  for (let skip = 0; skip <= GAP_WORDS_MAX && from + skip <= tokens.length; skip++)
    if (continues(elements, at + 1, tokens, from + skip)) return true;
  return false;
}

function fits(alternatives: readonly string[], token: string): boolean {
  return alternatives.some((each) => (each.endsWith('*') ? token.startsWith(each.slice(0, -1)) : token === each));
}
