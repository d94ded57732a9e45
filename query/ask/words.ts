/** A question as words: as they were typed, and as they are compared. */
import { editDistance, slipsAllowed } from './edits.ts';
import { COMMON_WORDS, CONTRACTIONS, CUE_WORDS, MISSPELLINGS } from './lexicon.ts';

export interface Word {
  /** As typed, without the punctuation around it. */
  text: string;
  /** Lower case, contractions written out, slips of words that are known mended. */
  word: string;
  /** Stood between quotation marks: a text to look for, never a cue. */
  quoted: boolean;
  /** The last of its sentence. */
  ends?: boolean;
  /** The last of its line, where the question has several. */
  breaks?: boolean;
  /** What this word was taken for; nothing else may use it then. */
  role?: 'time' | 'name' | 'id' | 'text';
}

export function wordsOf(question: string): Word[] {
  const words: Word[] = [];
  const plain = question.normalize('NFKC').replace(/[‘’ʼ]/g, "'").replace(/[–—−]/g, '-');
  for (const { groups, index, 0: all } of plain.matchAll(PIECES)) {
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
    const behind = plain.slice(index + all.length);
    if (/^[^\n\p{L}\p{N}]*\n/u.test(behind)) words.at(-1)!.breaks = true;
    if (words.at(-1)!.breaks || /[.!?;:]$/.test(bare!) || /^\s*[.!?;]/.test(behind)) words.at(-1)!.ends = true;
  }
  return words;
}

/** Whether a word belongs to the language of questions: then it is no slip of a name. */
export function isKnownWord(word: string): boolean {
  return CUE_WORDS.has(word) || COMMON_WORDS.has(word);
}

/** What languages call what is thrown: "java.lang.NullPointerException", "TypeError". It is looked for whether anybody said it or not. */
export function isException({ text }: Word): boolean {
  return /^(?:[\w$]+[.:/\\]+)*[A-Z][A-Za-z0-9]+(?:Exception|Error|Failure|Fault|Interrupt)$/.test(text);
}

/** Mends slips of the words that nothing else was found in. */
export function mendWords(words: readonly Word[]): void {
  for (const each of words)
    if (each.role === undefined && !each.quoted && !isKnownWord(each.word)) each.word = mend(each.word) ?? each.word;
}

/** Names of functions say what they do: `get_health` is "get health". In place. */
export function splitIdentifiers(words: Word[]): void {
  for (let i = words.length - 1; i >= 0; i--) {
    const { text, role, quoted } = words[i]!;
    if (role !== undefined || quoted || isException(words[i]!)) continue;
    const parts = text
      .replace(/([a-z])([A-Z])/g, '$1_$2')
      .toLowerCase()
      .split(/[_./:-]+/);
    if (parts.length < 2 || !parts.every(isKnownWord)) continue;
    // "inventory-db" is a name that nothing goes by; `get_service` is something to do.
    if (THINGS.has(parts.at(-1)!) && !DEEDS.has(parts[0]!)) continue;
    words.splice(i, 1, ...parts.map((word) => ({ text: word, word, quoted: false })));
  }
}

const THINGS = new Set(
  'db database service api server worker job queue cache app agent workflow gateway backend frontend cluster store'.split(
    ' ',
  ),
);
const DEEDS = new Set(
  'get list show check explain compare ask find trace describe diagnose search query which what the'.split(' '),
);

/** Whether most of it is in no language that is known here. @param words whose names, ids and times are known, slips not yet mended */
export function isForeign(words: readonly Word[]): boolean {
  const bare = words.filter(({ role, quoted }) => role === undefined && !quoted);
  if (bare.some(({ word }) => /\p{L}/u.test(word) && !/\p{Script=Latin}/u.test(word))) return true;
  const isStrange = ({ word }: Word) => !isKnownWord(word) && MISSPELLINGS[word] === undefined;
  // "¿Qué falla?": letters that English lacks, and no word of it.
  if (bare.length > 0 && bare.every(isStrange) && bare.some(({ word }) => /[^\p{ASCII}]/u.test(word))) return true;
  const strange = bare.filter((each) => /^\p{L}[\p{L}'-]*$/u.test(each.word) && isStrange(each));
  return strange.length >= FOREIGN_WORDS_MIN && strange.length > FOREIGN_SHARE * bare.length;
}

const FOREIGN_WORDS_MIN = 3;
const FOREIGN_SHARE = 0.6;

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
    if (edits < least && isSlip(word, known)) [best, least] = [known, edits];
  }
  return best;
}

/** Keys that lie beside each other, vowels and like sounds are mistaken for each other; "calmed" is no slip of "called" (noisy channel, Kernighan, Church and Gale, 1990). */
function isSlip(typed: string, meant: string): boolean {
  if (typed.length !== meant.length)
    return typed.length >= LONG_WORD || (typed.length > SHORT_WORD && editDistance(typed, meant, 1) === 1);
  for (let i = 0; i < typed.length; i++) {
    const [a, b] = [typed[i]!, meant[i]!];
    if (a === b) continue;
    if (a === meant[i + 1] && typed[i + 1] === b) i++;
    else if (!ALIKE.some((letters) => letters.includes(a) && letters.includes(b)) && !areNeighbours(a, b)) return false;
  }
  return true;
}

// A letter more or less makes another word of a short one, two of a longer one: "ward" is not "warn", "invoices" not "invokes".
const SHORT_WORD = 4;
const LONG_WORD = 9;
const ALIKE = ['aeiouy', 'ckqs', 'szx', 'dt', 'bp', 'fv', 'mn', 'gj'];
const KEYS = ['qwertyuiop', 'asdfghjkl', 'zxcvbnm'];

function areNeighbours(a: string, b: string): boolean {
  const at = (letter: string) => {
    const row = KEYS.findIndex((keys) => keys.includes(letter));
    return { row, column: (KEYS[row]?.indexOf(letter) ?? -9) + row / 2 };
  };
  const [one, other] = [at(a), at(b)];
  return Math.abs(one.row - other.row) <= 1 && Math.abs(one.column - other.column) <= 1;
}

function isContraction(bare: string): boolean {
  return CONTRACTIONS[bare.toLowerCase().replace(/[.,:;!?]+$/, '')] !== undefined;
}

const PIECES =
  /(?<quote>"[^"]+"|“[^”]+”|«[^»]+»|`[^`]+`|(?<=^|[\s=:(,])'[^']+'(?=$|[\s?.!,)\]}]))|(?<bare>[\p{L}\p{N}_/%#][\p{L}\p{N}_.:/@#%+'{}-]*)/gu;
