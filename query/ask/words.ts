/** A question as words: as they were typed, and as they are compared. */
import { editDistance, slipsAllowed } from './edits.ts';
import { COMMON_WORDS, CONTRACTIONS, CUE_STEMS, CUE_WORDS, MISSPELLINGS } from './lexicon.ts';

export interface Word {
  /** As typed, without the punctuation around it. */
  text: string;
  /** Lower case, contractions written out, slips of words that are known mended. */
  word: string;
  /** Stood between quotation marks: a text to look for, never a cue. */
  quoted: boolean;
  /** What this word was taken for; nothing else may use it then. */
  role?: 'time' | 'name' | 'id' | 'text';
}

export function wordsOf(question: string): Word[] {
  const words: Word[] = [];
  const plain = question.normalize('NFKC').replace(/[‘’ʼ]/g, "'").replace(/[–—−]/g, '-');
  for (const { groups } of plain.matchAll(PIECES)) {
    const { quote, bare } = groups!;
    if (quote !== undefined) {
      const text = quote.slice(1, -1).trim();
      if (text !== '') words.push({ text, word: text.toLowerCase(), quoted: true });
      continue;
    }
    const text = bare!.replace(/[.,:;!?/'-]+$/, '').replace(/'s$/i, (s) => (isContraction(bare!) ? s : ''));
    if (text === '') continue;
    const written = CONTRACTIONS[text.toLowerCase()];
    if (written === undefined) words.push({ text, word: text.toLowerCase(), quoted: false });
    else for (const word of written.split(' ')) words.push({ text: word, word, quoted: false });
  }
  return words;
}

/** Whether a word belongs to the language of questions: then it is no slip of a name. */
export function isKnownWord(word: string): boolean {
  return (
    CUE_WORDS.has(word) ||
    COMMON_WORDS.has(word) ||
    (/^[a-z]+$/.test(word) && CUE_STEMS.some((stem) => stem.length > 4 && word.startsWith(stem)))
  );
}

/** What was probably meant by a word that is not known; null where nothing is near. */
export function mend(word: string): string | null {
  if (MISSPELLINGS[word] !== undefined) return MISSPELLINGS[word];
  if (!/^[a-z]{4,}$/.test(word)) return null;
  let best: string | null = null;
  let least = slipsAllowed(word) + 1;
  for (const known of CUE_WORDS) {
    // People mistype the middle of words: the first letter is right, or swapped with the second.
    if (known.length < 4 || (known[0] !== word[0] && known[0] !== word[1])) continue;
    const edits = editDistance(word, known, least - 1);
    if (edits < least) [best, least] = [known, edits];
  }
  return best;
}

function isContraction(bare: string): boolean {
  return CONTRACTIONS[bare.toLowerCase().replace(/[.,:;!?]+$/, '')] !== undefined;
}

const PIECES =
  /(?<quote>"[^"]+"|“[^”]+”|«[^»]+»|`[^`]+`|(?<=^|\s)'[^']+'(?=$|[\s?.!,]))|(?<bare>[\p{L}\p{N}_/%#][\p{L}\p{N}_.:/@#%+'{}-]*)/gu;
