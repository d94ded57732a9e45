/**
 * Log templates: the constant part of a message, with a typed placeholder for each value in it, so that
 * `user 17 logged in from 10.0.0.3` and `user 4 logged in from 10.9.1.1` are one pattern, `user <num> logged in from <ip>`.
 *
 * Typed masking in one pass, the first step of Drain (He, Zhu, Zheng, Lyu; ICWS 2017): a value is what looks like one. It needs
 * nothing but the message, so every process gives a message the same template at any time; what it cannot see is a value
 * that looks like a word.
 */
import { LRUCache } from 'lru-cache';
import { hashText } from '../model/hash.ts';
import { hex64 } from '../model/ids.ts';
import type { Template } from '../model/rollup.ts';

export interface TemplateMiner {
  /** The template of a message. Total: any text has one, also the empty one. */
  templateOf(message: string): Template;
}

/** @param options.cacheMax messages whose template is remembered; the longest unused is forgotten first */
export function createTemplateMiner(options: { cacheMax?: number } = {}): TemplateMiner {
  const byMessage = new LRUCache<string, Template>({ max: options.cacheMax ?? 8192 });
  // Distinct messages share a few hundred texts; hashing a text costs as much as finding it.
  const byText = new LRUCache<string, Template>({ max: 4096 });

  function templateOf(message: string): Template {
    const known = byMessage.get(message);
    if (known !== undefined) return known;
    const text = templateText(message);
    let template = byText.get(text);
    if (template === undefined) {
      template = { id: patternId(text), text };
      byText.set(text, template);
    }
    if (message.length <= CACHED_LENGTH_MAX) byMessage.set(message, template);
    return template;
  }

  return { templateOf };
}

/** The id of a template: 16 hex of the hash of its text. */
export function patternId(text: string): string {
  return hex64(hashText(text));
}

/** The text of a message's template. White space counts as one blank, what follows the first 2,000 characters not at all. */
export function templateText(message: string): string {
  const text = message.length > MESSAGE_LENGTH_MAX ? message.slice(0, MESSAGE_LENGTH_MAX) : message;
  let out = '';
  let literalFrom = 0;
  let proseClose = -1;
  let i = 0;
  const put = (placeholder: string, start: number, end: number) => {
    out += text.slice(literalFrom, start) + placeholder;
    literalFrom = end;
  };
  while (i < text.length) {
    const kind = kindOf(text.charCodeAt(i));
    if (kind === QUOTE) {
      const close = i === proseClose ? -1 : closingQuote(text, i);
      if (close > 0 && text[close + 1] === ':') {
        i = close + 1; // a key of JSON
      } else if (close > 0 && text[i - 1] === ':' && text.slice(i, close).includes(' ')) {
        proseClose = close; // prose in JSON: what it says is the pattern
        i++;
      } else if (close > 0) {
        put('<quoted>', i, close + 1);
        i = close + 1;
      } else {
        i++;
      }
      continue;
    }
    if (kind === BLANK || kind === DELIMITER) {
      i++;
      continue;
    }
    const start = i;
    let seen = kind;
    for (i++; i < text.length; i++) {
      const next = kindOf(text.charCodeAt(i));
      if (next >= DELIMITER && !isThousandsComma(text, i)) break;
      seen |= next;
    }
    // Most pieces are plain words, which are never values.
    if (seen < DIGIT) continue;
    if ((seen & SLASH) !== 0 && text.slice(start, i).includes('://')) {
      while (i < text.length && kindOf(text.charCodeAt(i)) < BLANK) i++;
      put('<url>', start, i);
      continue;
    }
    let end = i;
    while (end > start && TRAILING.includes(text[end - 1]!)) end--;
    const piece = text.slice(start, end);
    const masked = maskPiece(piece, seen);
    if (masked !== piece) put(masked, start, end);
  }
  out += text.slice(literalFrom);
  return out.replace(BLANKS, ' ').trim();
}

/** A piece is a run without blanks, quotes, brackets, commas and `=`. */
function maskPiece(piece: string, seen: number): string {
  for (const [needs, placeholder, pattern] of WHOLE)
    if ((seen & needs) !== 0 && pattern.test(piece)) return placeholder;
  return (seen & DIGIT) === 0 ? piece : piece.replace(PART, maskPart);
}

/** What a whole piece may be, the most specific first; the first column says which characters it cannot do without. */
const DIGIT = 2;
const SLASH = 4;
const AT = 8;
const WHOLE: readonly (readonly [needs: number, placeholder: string, pattern: RegExp])[] = [
  [AT, '<email>', /^[\w.+-]+@[\w-]+(?:\.[\w-]+)+$/],
  [DIGIT, '<ip>', /^\d{1,3}(?:\.\d{1,3}){3}(?::\d+|\/\d+)?$/],
  [DIGIT, '<num>', /^[-+]?\d+(?:[.,]\d+)*%?$/],
  [DIGIT, '<uuid>', /^[0-9a-fA-F]{8}-(?:[0-9a-fA-F]{4}-){3}[0-9a-fA-F]{12}$/],
  [DIGIT, '/<ip>', /^\/\d{1,3}(?:\.\d{1,3}){3}(?::\d+)?$/],
  [
    DIGIT,
    '<time>',
    /^\d{4}[-/.]\d\d[-/.]\d\d(?:[T_-]\d\d[:.]\d\d(?:[:.]\d\d(?:[.,]\d+)?)?(?:Z|[-+]\d\d:?\d\d)?)?$|^\d{1,2}:\d\d:\d\d(?:[.,]\d+)?Z?$/,
  ],
  [DIGIT, '<mac>', /^[0-9a-fA-F]{2}(?::[0-9a-fA-F]{2}){5}$/],
  [DIGIT, '<ip>', /^(?:[0-9a-fA-F]{0,4}:){2,7}[0-9a-fA-F]{0,4}$/],
  [
    DIGIT,
    '<duration>',
    /^[-+]?\d+(?:\.\d+)?(?:ns|[uµμ]s|m?s|msecs?|millis|secs?|seconds?|min|minutes?|h|hrs?|hours?|d|days?)$/,
  ],
  [DIGIT, '<size>', /^\d+(?:\.\d+)?(?:[kKMGTP]i?)?(?:[bB]|bytes)$/],
  [SLASH, '<path>', /^(?:~|\.{1,2}|[a-zA-Z]:)?[/\\][^/\\]/],
  [SLASH, '<path>', /^[^/\\]+[/\\][^/\\]+[/\\].*[._\d]/],
];

/** Inside a piece: a uuid, an address, or a run of letters and digits that holds a digit, with a sign that belongs to it. */
const PART =
  /[0-9a-fA-F]{8}-(?:[0-9a-fA-F]{4}-){3}[0-9a-fA-F]{12}|\d{1,3}(?:\.\d{1,3}){3}(?::\d+)?|(?:(?<![0-9A-Za-z])[-+])?[0-9A-Za-z]*\d[0-9A-Za-z]*/g;
const NUMBER = /^[-+]?\d+$/;
const HEX = /^[-+]?(?:0[xX][0-9a-fA-F]+|[0-9a-fA-F]{8,})$/;
const NAME_AND_NUMBER = /^([-+]?[A-Za-z]+)\d+$/;

function maskPart(part: string): string {
  if (NUMBER.test(part)) return '<num>';
  if (part.includes('-', 1)) return '<uuid>';
  if (part.includes('.')) return '<ip>';
  if (HEX.test(part)) return '<hex>';
  const name = NAME_AND_NUMBER.exec(part);
  if (name !== null) return `${name[1]}<num>`;
  // Letters and digits that alternate are made by machines, not people.
  return part.length >= ID_LENGTH_MIN ? '<id>' : part.replace(DIGITS, '<num>');
}

/** Where the quote that opens at `start` closes; -1 when it opens none: an apostrophe, or one without its other. */
function closingQuote(text: string, start: number): number {
  const quote = text[start]!;
  if (quote === "'" && start > 0 && isWord(text, start - 1)) return -1;
  let close = text.indexOf(quote, start + 1);
  while (close > 0 && text[close - 1] === '\\') close = text.indexOf(quote, close + 1);
  return quote === "'" && close > 0 && isWord(text, close + 1) ? -1 : close;
}

function isWord(text: string, i: number): boolean {
  return i < text.length && kindOf(text.charCodeAt(i)) <= DIGIT;
}

function isThousandsComma(text: string, i: number): boolean {
  return text[i] === ',' && THOUSAND.test(text.slice(i - 1, i + 5));
}

// A longer message is a dump: its beginning says what it is.
const MESSAGE_LENGTH_MAX = 2000;
// Bounds the cache to a few megabytes; longer messages rarely come twice.
const CACHED_LENGTH_MAX = 512;
const ID_LENGTH_MIN = 6;
const BLANKS = /\s+/g;
const DIGITS = /\d+/g;
const THOUSAND = /^\d,\d{3}(?:\D|$)/;
const TRAILING = '.:!?';

/** Kinds of characters; those below DELIMITER stand inside pieces and are bits. */
const WORD = 1;
const DELIMITER = 16;
const BLANK = 32;
const QUOTE = 48;
const KINDS = new Uint8Array(128).fill(WORD);
for (const digit of '0123456789') KINDS[digit.charCodeAt(0)] = DIGIT;
for (const slash of '/\\') KINDS[slash.charCodeAt(0)] = SLASH;
for (const delimiter of '()[]{}<>,;=|`') KINDS[delimiter.charCodeAt(0)] = DELIMITER;
for (const quote of '"\'') KINDS[quote.charCodeAt(0)] = QUOTE;
for (let control = 0; control <= 32; control++) KINDS[control] = BLANK;
KINDS['@'.charCodeAt(0)] = AT;

function kindOf(code: number): number {
  return code < 128 ? KINDS[code]! : WORD;
}
