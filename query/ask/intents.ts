/** What a question asks for: the intent whose cues weigh most, and the forms in which the answer is wanted. */
import { compileCue, occurs, tokensOf } from './cue-matching.ts';
import { CUES, INTENTS, type Intent } from './cues.ts';
import { WANTED, type Wanted } from './wanted.ts';
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

/** Of all its sentences. */
export function wantedOf(words: readonly Word[]): ReadonlySet<Wanted> {
  const sentences = sentencesOf(words).map(tokensOf);
  return new Set(
    COMPILED_WANTED.filter(({ cue }) => sentences.some((tokens) => occurs(cue, tokens))).map(({ wanted }) => wanted),
  );
}

function sentencesOf(words: readonly Word[]): Word[][] {
  const sentences: Word[][] = [[]];
  for (const word of words) {
    sentences.at(-1)!.push(word);
    if (word.ends) sentences.push([]);
  }
  return sentences;
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
const FAINT_WORDS_MAX = 4;

function scoreOf(intent: Intent, tokens: readonly string[]): number {
  const weights = COMPILED.get(intent)!
    .filter(({ cue }) => occurs(cue, tokens))
    .map(({ weight }) => weight);
  const most = Math.max(0, ...weights);
  const further = weights.reduce((sum, weight) => sum + weight, 0) - most;
  return most + Math.min(FURTHER_MAX, FURTHER_CUES * further);
}

const COMPILED_WANTED = Object.entries(WANTED).flatMap(([wanted, cues]) =>
  cues.map((cue) => ({ wanted: wanted as Wanted, cue: compileCue(cue) })),
);

const COMPILED = new Map(
  INTENTS.map((intent) => [
    intent,
    Object.entries(CUES[intent]).flatMap(([weight, cues]) =>
      cues.map((cue) => ({ cue: compileCue(cue), weight: Number(weight) })),
    ),
  ]),
);
