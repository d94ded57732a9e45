/**
 * Finds the values that look like words. `session opened for user ann` is a template of its own until others were seen that
 * differ from it in one and the same position; then they all are `session opened for user <*>`, also those seen before.
 *
 * A member of Drain's family (He, Zhu, Zheng, Lyu; ICWS 2017): messages are compared with those of as many words. Where Drain
 * descends by the first words and then accepts any similarity of one half, this keeps, like Spell and Brain (Yu et al., IEEE TSC
 * 2023), how many different words were seen in each position when all others are equal, and decides by what varies there: a number
 * beside a word is proof, names are evidence, and verbs, states and protocol words (`opened` and `closed`, `GET` and
 * `POST`) are what a template is told by, however many there are.
 */
import { LRUCache } from 'lru-cache';
import { shapeOf, templateId } from '../model/template.ts';

export interface TemplateMerger {
  /** The template that a masked text belongs to by all that was seen so far: itself, or a more general one. */
  add(text: string): string;
  /**
   * Texts that have become part of a more general one since this was last asked. Beyond a bound the oldest are lost: what was stored
   * of them stays a template of its own.
   */
  takeMerged(): Merged[];
}

export interface Merged {
  text: string;
  into: string;
}

/** @param options.textsMax texts that are remembered; the longest unused is forgotten first, and learned again */
export function createTemplateMerger(options: { textsMax?: number } = {}): TemplateMerger {
  const textsMax = options.textsMax ?? 8192;
  /** By shape: what a text is part of, itself if of none. */
  const parents = new LRUCache<string, string>({ max: textsMax });
  const gaps = new LRUCache<string, Gap>({ max: textsMax * GAPS_PER_TEXT });
  const generalByLength = new LRUCache<number, Pieces[]>({ max: WORDS_MAX });
  let merged: Merged[] = [];

  function add(text: string): string {
    const shape = shapeOf(text);
    if (parents.get(shape) !== undefined) return rootOf(text, shape);
    const pieces = piecesOf(text);
    const general = generalByLength.get(pieces.words.length)?.find((each) => covers(each, pieces));
    parents.set(shape, general?.text ?? text);
    if (general === undefined && pieces.words.length <= WORDS_MAX) enter(pieces);
    return rootOf(text, shape);
  }

  /** Looks at a text with each of its words taken out in turn. */
  function enter(pieces: Pieces): void {
    for (let i = 0; i < pieces.words.length; i++) {
      const key = shapeOf(joined(pieces, i, GAP));
      let gap = gaps.get(key);
      if (gap === undefined) {
        gap = { words: new Set(), texts: [], general: null };
        gaps.set(key, gap);
      }
      if (gap.general !== null) {
        lead(rootOf(pieces.text, shapeOf(pieces.text)), gap.general);
        continue;
      }
      if (gap.words.size >= GAP_WORDS_MAX) continue;
      gap.words.add(shapeOf(pieces.words[i]!));
      gap.texts.push(pieces.text);
      if (isVariable(gap.words, pieces, i)) generalize(gap, piecesOf(joined(pieces, i, '<*>')));
    }
  }

  function generalize(gap: Gap, general: Pieces): void {
    const shape = shapeOf(general.text);
    const isNew = parents.get(shape) === undefined;
    if (isNew) {
      parents.set(shape, general.text);
      const sameLength = generalByLength.get(general.words.length) ?? [];
      // The most general last: what fits several belongs to the one found first, which then leads on.
      if (sameLength.length < GENERAL_MAX) sameLength.push(general);
      generalByLength.set(general.words.length, sameLength);
    }
    for (const text of gap.texts) lead(rootOf(text, shapeOf(text)), general);
    gap.general = general;
    gap.texts.length = 0;
    if (isNew) enter(general);
  }

  /** From the special to the general only: chains never close. */
  function lead(text: string, general: Pieces): void {
    const into = rootOf(general.text, shapeOf(general.text));
    if (shapeOf(text) === shapeOf(into) || !covers(piecesOf(into), piecesOf(text))) return;
    parents.set(shapeOf(text), into);
    merged.push({ text, into });
    if (merged.length > MERGED_MAX) merged = merged.slice(-MERGED_MAX / 2);
  }

  function rootOf(text: string, shape: string): string {
    let at = text;
    let next = parents.get(shape);
    while (next !== undefined && next !== at) {
      at = next;
      next = parents.get(shapeOf(at));
    }
    return at;
  }

  return {
    add,
    takeMerged() {
      const taken = merged;
      merged = [];
      return taken;
    },
  };
}

/** One position of otherwise equal texts: the words seen there, until it is known to be variable, and then what they are. */
interface Gap {
  words: Set<string>;
  texts: string[];
  general: Pieces | null;
}

/** Words, and what stands between them: `between[i]` follows `words[i]`. */
interface Pieces {
  text: string;
  words: string[];
  between: string[];
}

// A longer message is a dump: its words do not vary one by one.
const WORDS_MAX = 60;
const GAPS_PER_TEXT = 8;
const GAP_WORDS_MAX = 32;
const GENERAL_MAX = 500;
const MERGED_MAX = 10_000;
const GAP = '\0';

/** As many different words make a position variable. */
const NAMES_MIN = 3;
/** Behind a noun that is said before a name. */
const NAMES_AFTER_KIND_MIN = 2;
/** What a message begins with is nearly always constant. */
const NAMES_AT_START_MIN = 6;
/** A template keeps at least as many words of its own, or anything would be it. */
const CONSTANTS_MIN = 2;

function isVariable(words: ReadonlySet<string>, { words: all }: Pieces, at: number): boolean {
  if (words.size < 2) return false;
  let constants = 0;
  for (let i = 0; i < all.length; i++) if (i !== at && LETTERS.test(all[i]!)) constants++;
  if (constants < CONSTANTS_MIN) return false;
  if (words.has('<*>')) return true;
  let names = 0;
  for (const word of words) if (word.includes('<*>') || (NAME.test(word) && !isTelling(word))) names++;
  const isAfterKind = at > 0 && KIND.test(all[at - 1]!);
  return names >= (at === 0 ? NAMES_AT_START_MIN : isAfterKind ? NAMES_AFTER_KIND_MIN : NAMES_MIN);
}

/** Words that say what happened: constants of protocols, inflected verbs, and the usual opposites. */
function isTelling(word: string): boolean {
  return CAPITALS.test(word) || INFLECTED.test(word) || OPPOSITE.test(word);
}

// Words of any script; which of them are verbs is known of English only.
const LETTERS = /^\p{L}[\p{L}\p{M}-]+/u;
const NAME = /^\p{L}[\p{L}\p{M}\p{N}_.$@/-]*$/u;
const CAPITALS = /^\p{Lu}[\p{Lu}_]+$/u;
const INFLECTED = /^[A-Z]?[a-z]+(?:ed|ing)$/;
const OPPOSITE =
  /^(?:up|down|on|off|in|out|start|stop|open|close|enable|disable|add|remove|begin|end|read|write|get|set|before|after|first|last|ok|success|failure|yes|no|true|false)$/i;
const KIND =
  /^(?:user|username|group|role|host|hostname|node|pod|container|cluster|namespace|service|client|server|network|domain|device|interface|volume|process|thread|job|task|queue|topic|channel|database|schema|table|file|bucket|module|package|class|plugin|name|named)$/i;

function covers(general: Pieces, special: Pieces): boolean {
  if (general.words.length !== special.words.length) return false;
  for (let i = 0; i < special.words.length; i++) {
    if (general.between[i] !== special.between[i]) return false;
    const shape = shapeOf(general.words[i]!);
    if (shape !== '<*>' && shape !== shapeOf(special.words[i]!)) return false;
  }
  return true;
}

function piecesOf(text: string): Pieces {
  const parts = text.split(BETWEEN);
  return { text, words: parts.filter((_, i) => i % 2 === 0), between: parts.filter((_, i) => i % 2 === 1) };
}

const BETWEEN = /((?:[\s,;=()[\]{}"'|]|:(?=\s|$))+)/;

function joined({ words, between }: Pieces, at: number, word: string): string {
  let text = '';
  for (let i = 0; i < words.length; i++) text += (i === at ? word : words[i]!) + (between[i] ?? '');
  return text;
}

/** The row that tells a store that a template is now part of another. */
export function mergedTemplate({ text, into }: Merged): { id: string; text: string; merged: true } {
  return { id: templateId(text), text: into, merged: true };
}
