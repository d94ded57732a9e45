/**
 * What a text costs a model, without a model's vocabulary: a deterministic estimate that errs upwards, so that an answer which keeps
 * to its budget by it keeps to it by a real tokenizer too. `npm run eval -- tokens` prints how far it is off for o200k_base and
 * cl100k_base; tokens.test.ts holds the bound.
 */

/** Linear in the length. @returns 0 for the empty text, else at least 1 */
export function estimateTokens(text: string): number {
  let tokens = 0;
  for (const { groups } of text.matchAll(PIECES)) tokens += costOf(groups!);
  return Math.ceil(tokens);
}

/**
 * Tokenizers join a space to the word behind it, and never letters, digits and signs to each other. A capital begins a word. What mixes
 * letters and digits is a key (an id, a hash, base64) and has no words in it.
 */
const PIECES =
  /(?<key>(?=[A-Za-z]{0,40}[0-9]{1,40}[A-Za-z])[A-Za-z0-9]{6,})|(?<word>[A-Z]?[a-z]+|[A-Z]+(?![a-z])|[A-Z])|(?<digits>[0-9]+)|(?<signs>[!-/:-@[-`{-~]+)|(?<gap>\n+|[^\S\n]{2,})|(?<other>[^\s!-~]+)/g;

function costOf({ key, word, digits, signs, other }: Record<string, string | undefined>): number {
  if (key !== undefined) return key.length * PER_KEY_CHAR;
  if (word !== undefined) return Math.ceil(word.length / LETTERS);
  if (digits !== undefined) return Math.ceil(digits.length / DIGITS);
  if (signs !== undefined) return Math.ceil(signs.length / SIGNS);
  return other === undefined ? 1 : other.length * PER_OTHER_UNIT;
}

// Digits stand in threes; words of the language are mostly one token, names that nobody has seen one for each two to four letters.
const LETTERS = 5;
const DIGITS = 3;
const SIGNS = 1.5;
const PER_KEY_CHAR = 0.75;
// Between 0.3 of a token (Arabic, o200k_base) and 1.3 (emoji, cl100k_base) for each UTF-16 unit.
const PER_OTHER_UNIT = 1.5;
