/** What a question asks for: the intent whose cues weigh most. */
import { CUES, INTENTS, type Intent } from './cues.ts';
import { EMPTY_WORDS } from './lexicon.ts';
import type { Word } from './words.ts';

export interface Scored {
  /** Null where no cue says anything. */
  intent: Intent | null;
  /** 0 to 1: how far it stands out from the next. */
  certainty: number;
  /** Of the strongest cue and what adds to it: below 3 the words hardly say what is asked for. */
  weight: number;
}

/** @param words whose roles are known, and whose slips are mended */
export function intentOf(words: readonly Word[]): Scored {
  const tokens = tokensOf(words);
  const scores = INTENTS.map((intent) => ({ intent, score: scoreOf(intent, tokens) })).sort(
    (a, b) => b.score - a.score,
  );
  const [first, second] = scores;
  if (first === undefined || first.score === 0) return { intent: null, certainty: 0, weight: 0 };
  const certainty = Math.min(1, 0.7 + 0.1 * (first.score - (second?.score ?? 0)));
  return { intent: first.intent, certainty, weight: first.score };
}

// The strongest cue decides; others of the same intent only tip the scales, as many words are no stronger than the right one.
const FURTHER_CUES = 0.3;
const GAP_WORDS_MAX = 4;

function scoreOf(intent: Intent, tokens: readonly string[]): number {
  const weights = COMPILED.filter((cue) => cue.intent === intent && occurs(cue.elements, tokens)).map(
    ({ weight }) => weight,
  );
  const most = Math.max(0, ...weights);
  return most + FURTHER_CUES * (weights.reduce((sum, weight) => sum + weight, 0) - most);
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
  return tokens;
}

const ABSENT = new Set(['no', 'without']);
const ABSENT_WORDS_MIN = 5;

type Element = readonly string[] | null;

const COMPILED = INTENTS.flatMap((intent) =>
  Object.entries(CUES[intent]).flatMap(([weight, cues]) =>
    cues.map((cue) => ({
      intent,
      weight: Number(weight),
      elements: cue
        .split(' ')
        .filter((word) => !EMPTY_WORDS.has(word))
        .map((word): Element => (word === '_' ? null : word.split('|'))),
    })),
  ),
);

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
