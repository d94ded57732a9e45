/**
 * The values in a message, each replaced by a placeholder that says what kind of value it is:
 * `user 17 logged in from 10.0.0.3` becomes `user <num> logged in from <ip>`.
 *
 * A value is what looks like one. It needs nothing but the message, so every process masks a message the same way at any time; a
 * value that looks like a word is left to `template-merging.ts`.
 */

/** The text of a message's template. White space counts as one blank, what follows the first 2,000 characters not at all. */
export function templateText(message: string): string {
  return simplify(maskValues(message));
}

/**
 * One pass over the characters of a message, the hot half of {@link templateText}: it runs once a record, at a few million
 * characters in 0.1 s. Messages of one template may still differ in what {@link simplify} makes equal.
 */
export function maskValues(message: string): string {
  const text = message.length > MESSAGE_LENGTH_MAX ? message.slice(0, MESSAGE_LENGTH_MAX) : message;
  let out = '';
  let literalFrom = 0;
  let proseClose = -1;
  // Where the value of `key=value` would begin.
  let valueAt = -1;
  let i = 0;
  const put = (placeholder: string, start: number, end: number) => {
    out += text.slice(literalFrom, start) + placeholder;
    literalFrom = end;
  };
  while (i < text.length) {
    const code = text.charCodeAt(i);
    const kind = kindOf(code);
    if (kind === QUOTE) {
      const close = i === proseClose ? -1 : closingQuote(text, i);
      if (close > 0 && text[close + 1] === ':') {
        i = close + 2; // a key of JSON, and its colon
      } else if (close > 0 && (isProse(text, i, close) || isRequestLine(text, i + 1))) {
        proseClose = close; // what it says is the pattern
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
      if (code === EQUALS) valueAt = valueAfter(text, i);
      continue;
    }
    const start = i;
    let seen = kind;
    for (i++; i < text.length; i++) {
      const next = kindOf(text.charCodeAt(i));
      if (next >= DELIMITER && !isThousandsComma(text, i)) break;
      seen |= next;
    }
    const isValue = start === valueAt && text.charCodeAt(i) !== EQUALS;
    // Most pieces are plain words, which are never values unless a key says so.
    if (seen < DIGIT && !isValue) continue;
    if ((seen & SLASH) !== 0 && text.slice(start, i).includes('://')) {
      while (i < text.length && kindOf(text.charCodeAt(i)) < BLANK) i++;
      put('<url>', start, i);
      continue;
    }
    if ((seen & SLASH) !== 0 && text.charCodeAt(i) === EQUALS && text.slice(start, i).includes('?'))
      while (i < text.length && kindOf(text.charCodeAt(i)) < BLANK) i++;
    let end = i;
    while (end > start && TRAILING.includes(text[end - 1]!)) end--;
    const piece = text.slice(start, end);
    const masked = maskPiece(piece, seen);
    if (isValue && end > start && !WHOLE_PLACEHOLDER.test(masked)) put('<value>', start, end);
    else if (masked !== piece) put(masked, start, end);
  }
  out += text.slice(literalFrom);
  return out.replace(BLANKS, ' ').trim();
}

/** What several values together mean: dates, amounts with their unit, lists of any length. */
export function simplify(masked: string): string {
  let text = masked.includes('() ') ? masked.replace(EMPTY_VALUE, '(<value>)') : masked;
  if (text.includes(':') || text.includes(' is ')) text = text.replace(TRUTH, '<bool>');
  if (text.includes('from ')) text = text.replace(TRANSITION, 'from <value> to <value>');
  if (text.includes('.')) text = text.replace(QUALIFIED, '<id>');
  if (!text.includes('<')) return text;
  text = text
    .replace(CONSTRUCTED, '<value>')
    .replace(DATE, '<time>')
    .replace(SIZE, '<size>')
    .replace(DURATION, '<duration>');
  return text.replace(SIZE_TWICE, '<size>').replace(LIST, '$1').replace(VALUES, '<values>');
}

const DATE =
  /(?:\b(?:Mon|Tue|Wed|Thu|Fri|Sat|Sun)[a-z]*,? )?\b(?:Jan|Feb|Mar|Apr|May|Jun|Jul|Aug|Sep|Oct|Nov|Dec)[a-z]* <num>(?: (?:<time>|<num>|[A-Z]{3,4}(?= <num>)))*/g;
const TRUTH = /(?<=:\s?)(?:true|false|null)\b|(?<=\bis )(?:true|false)\b/gi;
/** A change names two states, which constants are called by. */
const TRANSITION = /\bfrom [A-Z][A-Z\d_]+ to [A-Z][A-Z\d_]+\b/g;
/** The name of a class or package of three parts and more, where it is said to be one. */
const QUALIFIED = /(?<=\b(?:class|package|plugin|bundle)(?: |: ?))[\w$<>-]+(?:\.[\w$<>-]+){2,}/gi;
// `Source{10}` as the value of a key.
const CONSTRUCTED = /<value>(?:\{[^{}]*\}|\([^()]*\)|\[[^[\]]*\])/g;
const SIZE = /<num> (?:bytes?|[KMGTP]i?B|B)\b/g;
const DURATION = /(?:<)?<num> (?:[nuµm]?s|m?secs?|(?:milli|micro|nano)?seconds?|min|minutes?|hrs?|hours?|days?)\b/g;
// An amount in other units beside it: `1190 bytes (1.16 KB)`.
const SIZE_TWICE = /<size> \(<size>\)/g;
/** Equal pieces that hold a value. */
const LIST = /((?:(?<=[\s,;([{])|^)[^\s,;()[\]{}]*<\w+>[^\s,;()[\]{}]*)(?:[,;]? ?\1(?![^\s,;()[\]{}]))+/g;
const VALUES = /(?<=[\s,;([{]|^)<\w+>(?: <\w+>)+(?=[\s,;)\]}]|$)/g;
const EMPTY_VALUE = /(?<= )\(\)(?= )/g;

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
const DOT = 16;
const WHOLE: readonly (readonly [needs: number, placeholder: string, pattern: RegExp])[] = [
  [AT, '<email>', /^[\w.+-]+@[\w-]+(?:\.[\w-]+)+$/],
  [DIGIT, '<ip>', /^\d{1,3}(?:\.\d{1,3}){3}(?::\d+|\/\d+)?$/],
  [DIGIT, '<num>', /^[-+]?\d+(?:[.,]\d+)*%?$/],
  [DIGIT, '<uuid>', /^[0-9a-fA-F]{8}-(?:[0-9a-fA-F]{4}-){3}[0-9a-fA-F]{12}$/],
  [DIGIT, '/<ip>', /^\/\d{1,3}(?:\.\d{1,3}){3}(?::\d+)?$/],
  [
    DIGIT,
    '<time>',
    /^\d{4}[-/.]\d\d[-/.]\d\d(?:[T_-]\d\d[:.]\d\d(?:[:.]\d\d(?:[.,]\d+)?)?(?:Z|[-+]\d\d:?\d\d)?)?$|^\d{1,2}:\d\d(?::\d\d(?:[.,]\d+)?)?Z?$/,
  ],
  [DIGIT, '<mac>', /^[0-9a-fA-F]{2}(?::[0-9a-fA-F]{2}){5,}$/],
  [DIGIT, '<ip>', /^(?:[0-9a-fA-F]{0,4}:){2,7}[0-9a-fA-F]{0,4}$/],
  [
    DIGIT,
    '<duration>',
    /^[-+]?\d+(?:\.\d+)?(?:ns|[uµμ]s|m?s|msecs?|millis|secs?|seconds?|min|minutes?|h|hrs?|hours?|d|days?)$/,
  ],
  [DIGIT, '<size>', /^\d+(?:\.\d+)?(?:[kKMGTP]i?)?(?:[bB]|bytes)$/],
  [SLASH, '<path>', /^(?:~|\.{1,2}|[a-zA-Z]:)?[/\\][^/\\]/],
  [SLASH, '<path>', /^[^/\\]+[/\\][^/\\]+[/\\].*[._\d]/],
  // A component of a package: `com.example.app/.ui.Main`.
  [SLASH, '<path>', /^[\w$-]+(?:\.[\w$-]+)+\/[\w.$-]*\.[\w.$-]+$/],
  // A name with a port is a host; without one its end must be a public or usual private one.
  [DOT, '<host>', /^(?:[\w-]+\.)+(?!(?:c|h|cc|cs|go|js|kt|py|rb|rs|ts|cpp|hpp|php|java|scala):)[a-z][a-z\d-]*:\d+$/],
  [
    DOT,
    '<host>',
    /^(?:[\w-]+\.){2,}(?:com|net|org|edu|gov|mil|info|biz|dev|app|cloud|local|internal|lan|localdomain|cluster|arpa|a[rtu]|b[er]|c[ahlnoz]|d[ek]|e[su]|fi|fr|gr|hk|hu|i[elot]|jp|kr|m[xy]|n[loz]|p[hlt]|r[ou]|s[eg]|t[hrvw]|u[aks]|vn|za)$/,
  ],
];
const WHOLE_PLACEHOLDER = /^\/?<\w+>$/;

/** Inside a piece: a uuid, an address, or a run of letters and digits that holds a digit, with a sign that belongs to it. */
const PART =
  /[0-9a-fA-F]{8}-(?:[0-9a-fA-F]{4}-){3}[0-9a-fA-F]{12}|\d{1,3}(?:\.\d{1,3}){3}(?::\d+)?|(?:(?<![0-9A-Za-z])[-+])?[0-9A-Za-z]*\d[0-9A-Za-z]*/g;
const NUMBER = /^[-+]?\d+$/;
const HEX = /^[-+]?(?:0[xX][0-9a-fA-F]+|[0-9a-f]{6,}|[0-9A-F]{6,}|[0-9a-fA-F]{8,})$/;
const ALTERNATING = /^\d+[A-Za-z]+\d/;
const NAME_AND_NUMBER = /^([-+]?[A-Za-z]+)\d+$/;

function maskPart(part: string): string {
  if (NUMBER.test(part)) return '<num>';
  if (part.includes('-', 1)) return '<uuid>';
  if (part.includes('.')) return '<ip>';
  if (HEX.test(part)) return '<hex>';
  const name = NAME_AND_NUMBER.exec(part);
  if (name !== null) return `${name[1]}<num>`;
  // Letters and digits that alternate are made by machines, not people.
  return part.length >= ID_LENGTH_MIN || ALTERNATING.test(part) ? '<id>' : part.replace(DIGITS, '<num>');
}

/** Where the quote that opens at `start` closes; -1 when it opens none: an apostrophe, or one without its other. */
function closingQuote(text: string, start: number): number {
  const quote = text[start]!;
  if (quote === "'" && start > 0 && isWord(text, start - 1)) return -1;
  let close = text.indexOf(quote, start + 1);
  while (close > 0 && text[close - 1] === '\\') close = text.indexOf(quote, close + 1);
  return quote === "'" && close > 0 && isWord(text, close + 1) ? -1 : close;
}

/** Prose in JSON. */
function isProse(text: string, open: number, close: number): boolean {
  return text[open - 1] === ':' && text.slice(open, close).includes(' ');
}

/** `GET /items HTTP/1.1`, as access logs quote it: the method is the pattern. */
function isRequestLine(text: string, at: number): boolean {
  REQUEST_LINE.lastIndex = at;
  return REQUEST_LINE.test(text);
}

const REQUEST_LINE = /[A-Z]{3,8} (?:\/|\w+:)\S* ?(?:HTTP\/\d|["'])/y;

/** Where a value may begin after the `=` before `at`: behind `=`, or `= ` where the line goes on; -1 where it compares or points. */
function valueAfter(text: string, at: number): number {
  const before = text.charCodeAt(at - 2);
  const next = text.charCodeAt(at);
  if (next === EQUALS || next === GREATER || COMPARES.includes(before)) return -1;
  let start = at;
  while (start < at + 3 && start < text.length && kindOf(text.charCodeAt(start)) === BLANK) start++;
  return start;
}

function isWord(text: string, i: number): boolean {
  return i < text.length && kindOf(text.charCodeAt(i)) <= DIGIT;
}

function isThousandsComma(text: string, i: number): boolean {
  return text[i] === ',' && THOUSAND.test(text.slice(Math.max(i - 4, 0), i + 5));
}

// A longer message is a dump: its beginning says what it is.
const MESSAGE_LENGTH_MAX = 2000;
const ID_LENGTH_MIN = 6;
const BLANKS = /\s+/g;
const DIGITS = /\d+/g;
const THOUSAND = /(?:^|\D)\d{1,3},\d{3}(?:\D|$)/;
const TRAILING = '.:!?';
const EQUALS = 61;
const GREATER = 62;
const COMPARES = [33, 60, 61, 62]; // ! < = >

/** Kinds of characters; those below DELIMITER stand inside pieces and are bits. */
const WORD = 1;
const DELIMITER = 32;
const BLANK = 64;
const QUOTE = 96;
const KINDS = new Uint8Array(128).fill(WORD);
for (const digit of '0123456789') KINDS[digit.charCodeAt(0)] = DIGIT;
for (const slash of '/\\') KINDS[slash.charCodeAt(0)] = SLASH;
for (const delimiter of '()[]{}<>,;=|`') KINDS[delimiter.charCodeAt(0)] = DELIMITER;
for (const quote of '"\'') KINDS[quote.charCodeAt(0)] = QUOTE;
for (let control = 0; control <= 32; control++) KINDS[control] = BLANK;
KINDS['@'.charCodeAt(0)] = AT;
KINDS['.'.charCodeAt(0)] = DOT;

function kindOf(code: number): number {
  return code < 128 ? KINDS[code]! : WORD;
}
