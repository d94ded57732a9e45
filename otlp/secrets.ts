/**
 * What a secret looks like in a text, and by which names it goes. Everything works on bytes where they lie and is linear in their
 * number: one pass over the text that stops only at the few bytes with which something could begin.
 */

/** Why something was taken for a secret: a label in metrics. */
export const REDACTION_RULES = [
  'key',
  'assignment',
  'url_credentials',
  'bearer',
  'jwt',
  'aws_key',
  'private_key',
  'card',
  'email',
  'pattern',
] as const;
export type RedactionRule = (typeof REDACTION_RULES)[number];

/** Told of what is to be made unreadable: bytes from `start` to before `end`. */
export type Mask = (rule: RedactionRule, start: number, end: number) => void;

export interface SecretFinder {
  /** Whether what stands under this key is a secret. The key is the bytes from `start` to before `end`. */
  isSecretKey(bytes: Uint8Array, start: number, end: number): boolean;
  /** At or behind the first of these is whatever {@link find} finds in a text; rare in telemetry. */
  readonly marks: readonly (number | Buffer)[];
  /**
   * Finds secrets in a text, cards aside. What was masked is not looked at again.
   * @param from where the first of the marks is, `start` or behind it
   */
  find(bytes: Uint8Array, start: number, from: number, end: number, mask: Mask): void;
}

export interface SecretSettings {
  /** Last words of keys besides ours, in any case. */
  keys: readonly string[];
  /** Keys, whole and as they are written, that are no secrets whatever they end in. */
  allowKeys: readonly string[];
  emails: boolean;
}

/** Shorter values hold none of what we look for but numbers that are under a key of theirs. */
export const TEXT_BYTES_MIN = 8;

export function createSecretFinder({ keys, allowKeys, emails }: SecretSettings): SecretFinder {
  const strong = [...SECRET_WORDS, ...keys.map((word) => word.toLowerCase())];
  const words = new Words(strong);
  const weak = new Words(WEAK_WORDS);
  const all = new Words([...strong, ...WEAK_WORDS]);
  const allowed = new Set(allowKeys);
  const stops = stopTable(emails);

  function isSecretKey(bytes: Uint8Array, start: number, end: number): boolean {
    if (!all.end(bytes, start, end)) return false;
    return allowed.size === 0 || !allowed.has(textOf(bytes, start, end));
  }

  function find(bytes: Uint8Array, start: number, from: number, end: number, mask: Mask): void {
    for (let i = from; i < end; i++) {
      const stop = stops[bytes[i]!]!;
      if (stop === 0) continue;
      const after = STOPS[stop - 1]!(bytes, start, i, end, mask);
      if (after > i) i = after - 1;
    }
  }

  /** `password=…`, `"password": "…"`, `Authorization: …`, and the password in `scheme://user:password@host`. */
  function assignment(bytes: Uint8Array, start: number, at: number, end: number, mask: Mask): number {
    const colon = bytes[at] === COLON;
    if (colon && bytes[at + 1] === SLASH && bytes[at + 2] === SLASH) return credentials(bytes, at + 3, end, mask);
    let key = at;
    while (key > start && key > at - 3 && QUOTES_AND_BLANKS[bytes[key - 1]!]!) key--;
    if (key - start < SHORTEST_WORD) return at;
    const strong = words.end(bytes, start, key);
    // A sentence says `unexpected token: }`; only a quoted key or an equals sign says that a token follows.
    if (!strong && !(weak.end(bytes, start, key) && (!colon || isQuote(bytes[key]!)))) return at;
    let value = at + 1;
    while (value < end && value < at + 4 && QUOTES_AND_BLANKS[bytes[value]!]!) value++;
    const quoted = isQuote(bytes[value - 1]!);
    let last = endOfValue(bytes, value, end, quoted);
    // `Authorization: Bearer …`: the scheme is no secret, what follows it is.
    if (!quoted && last < end && bytes[last] === SPACE && isScheme(bytes, value, last)) {
      value = last + 1;
      last = endOfValue(bytes, value, end, false);
    }
    if (last <= value || isMasked(bytes, value, last)) return at;
    if (allowed.size > 0 && allowed.has(wordBefore(bytes, start, key))) return at;
    mask('assignment', value, last);
    return last;
  }

  function email(bytes: Uint8Array, start: number, at: number, end: number, mask: Mask): number {
    let first = at;
    while (first > start && EMAIL_LOCAL[bytes[first - 1]!]!) first--;
    let last = at + 1;
    while (last < end && EMAIL_DOMAIN[bytes[last]!]!) last++;
    if (first === at || bytes.subarray(at, last).indexOf(DOT) < 0) return at;
    mask('email', first, last);
    return last;
  }

  const STOPS = [assignment, jwt, awsKey, bearerOrPem, email];
  return { isSecretKey, find, marks: emails ? [...MARKS, AT] : MARKS };
}

/**
 * The last words of keys that name secrets; `db.password`, `DB_PASSWORD` and `dbPassword` end in the same. `key` alone is none: most keys
 * are of caches and maps.
 */
const SECRET_WORDS = [
  'password',
  'passwd',
  'passphrase',
  'pwd',
  'secret',
  'authorization',
  'cookie',
  'cookies',
  'api_key',
  'api-key',
  'apikey',
  'access_key',
  'access-key',
  'accesskey',
  'secret_key',
  'secret-key',
  'secretkey',
  'private_key',
  'private-key',
  'privatekey',
  'access_token',
  'accesstoken',
  'refresh_token',
  'refreshtoken',
  'id_token',
  'auth_token',
  'authtoken',
  'security-token',
  'connection_string',
  'connectionstring',
  'card_number',
  'cardnumber',
  'cvv',
];
/** Words that also stand in sentences. */
const WEAK_WORDS = ['token', 'jwt', 'credential', 'credentials', 'signature', 'sig'];
const SHORTEST_WORD = 3;

/** Words by their last two letters: a bit for each pair says of nearly every key that it ends in none of them. */
class Words {
  readonly #byPair = new Map<number, Uint8Array[]>();
  readonly #pairs = new Uint8Array(1 << 16);

  constructor(words: readonly string[]) {
    for (const word of words) {
      const bytes = Buffer.from(word);
      if (bytes.length < 2) continue;
      const [last, lastButOne] = [bytes[bytes.length - 1]!, bytes[bytes.length - 2]!];
      const pair = pairOf(lastButOne, last);
      for (const a of [lastButOne, upper(lastButOne)])
        for (const b of [last, upper(last)]) this.#pairs[(a << 8) | b] = 1;
      this.#byPair.set(pair, [...(this.#byPair.get(pair) ?? []), bytes]);
    }
  }

  /** Whether the bytes end in one of the words. */
  end(bytes: Uint8Array, start: number, end: number): boolean {
    if (end - start < SHORTEST_WORD) return false;
    const a = bytes[end - 2]!;
    const b = bytes[end - 1]!;
    return this.#pairs[(a << 8) | b] === 1 && this.#endAt(pairOf(a, b), bytes, start, end);
  }

  #endAt(pair: number, bytes: Uint8Array, start: number, end: number): boolean {
    return this.#byPair.get(pair)!.some((word) => {
      const first = end - word.length;
      if (first < start) return false;
      for (let i = 0; i < word.length; i++) if (lower(bytes[first + i]!) !== word[i]) return false;
      return true;
    });
  }
}

function pairOf(a: number, b: number): number {
  return (lower(a) << 8) | lower(b);
}

function upper(byte: number): number {
  return byte >= 0x61 && byte <= 0x7a ? byte & ~0x20 : byte;
}

function lower(byte: number): number {
  return byte >= 0x41 && byte <= 0x5a ? byte | 0x20 : byte;
}

/** A JSON Web Token: two JSON objects in base64url, with a dot between, `eyJ` being how `{"` begins. */
function jwt(bytes: Uint8Array, start: number, at: number, end: number, mask: Mask): number {
  const first = at - 2;
  if (first < start || bytes[first] !== 0x65 || bytes[at - 1] !== 0x79) return at; // ey
  let last = at + 1;
  let dots = 0;
  for (; last < end && (BASE64URL[bytes[last]!]! || bytes[last] === DOT); last++) if (bytes[last] === DOT) dots++;
  if (dots < 1 || last - first < JWT_BYTES_MIN) return at;
  mask('jwt', first, last);
  return last;
}

const JWT_BYTES_MIN = 20;

/** `AKIA` and `ASIA` with 16 letters and digits. */
function awsKey(bytes: Uint8Array, start: number, at: number, end: number, mask: Mask): number {
  const first = at - 2;
  const kind = bytes[at - 1];
  if (first < start || bytes[first] !== 0x41 || (kind !== 0x4b && kind !== 0x53) || bytes[at + 1] !== 0x41) return at;
  if (first > start && ALPHANUMERIC[bytes[first - 1]!]!) return at;
  const last = first + 20;
  if (last > end || (last < end && ALPHANUMERIC[bytes[last]!]!)) return at;
  for (let i = at; i < last; i++) if (!UPPER_OR_DIGIT[bytes[i]!]!) return at;
  mask('aws_key', first, last);
  return last;
}

/** `Bearer …` in any case, and `-----BEGIN … PRIVATE KEY-----` to its end. */
function bearerOrPem(bytes: Uint8Array, start: number, at: number, end: number, mask: Mask): number {
  if (startsWith(bytes, at, end, BEARER) && (at === start || !ALPHANUMERIC[bytes[at - 1]!]!)) {
    const value = at + BEARER.length;
    const last = endOfValue(bytes, value, end, false);
    // A word that follows in a sentence is shorter than any token.
    if (last - value < BEARER_BYTES_MIN || isMasked(bytes, value, last)) return at;
    mask('bearer', value, last);
    return last;
  }
  if (at - start < 5 || bytes[at - 1] !== DASH || !startsWith(bytes, at, end, PEM_BEGIN)) return at;
  const view = Buffer.from(bytes.buffer, bytes.byteOffset + at, end - at);
  const head = view.indexOf(PEM_KEY);
  if (head < 0 || head > PEM_HEAD_BYTES_MAX) return at;
  const tail = view.indexOf(PEM_END, head);
  // A key that was cut off is one still.
  const last = tail < 0 ? end : at + tail;
  mask('private_key', at + head + PEM_KEY.length, last);
  return last;
}

const BEARER = Buffer.from('bearer ');
const BEARER_BYTES_MIN = 8;
const PEM_BEGIN = Buffer.from('begin ');
const PEM_KEY = 'PRIVATE KEY-----';
const PEM_END = '-----END';
// `BEGIN ENCRYPTED `, `BEGIN OPENSSH `
const PEM_HEAD_BYTES_MAX = 40;

/** The authority of a URL: `user:password@`, and a user that is a token. */
function credentials(bytes: Uint8Array, start: number, end: number, mask: Mask): number {
  let colon = -1;
  for (let i = start; i < end; i++) {
    const byte = bytes[i]!;
    if (byte === AT) {
      const first = colon >= 0 ? colon + 1 : i - start >= USER_TOKEN_BYTES_MIN ? start : i;
      if (i > first && !isMasked(bytes, first, i)) mask('url_credentials', first, i);
      return i;
    }
    if (byte === COLON && colon < 0) colon = i;
    else if (ENDS_AUTHORITY[byte]!) break;
  }
  return start;
}

// `git@` is nobody's secret.
const USER_TOKEN_BYTES_MIN = 16;

/**
 * Payment cards by their brands' beginnings and lengths and Luhn's checksum (ISO/IEC 7812-1), digits in groups or not. A number in
 * longer ones, in words or in hex is none.
 */
export function findCards(bytes: Uint8Array, start: number, end: number, mask: Mask): void {
  for (let i = digitsFrom(bytes, start, end); i < end; i++) {
    if (!isDigit(bytes[i]!)) continue;
    let last = i;
    let count = 0;
    for (let j = i; j < end; j++) {
      const byte = bytes[j]!;
      if (isDigit(byte)) {
        count++;
        last = j + 1;
      } else if ((byte !== SPACE && byte !== DASH) || j !== last) break;
    }
    if (count >= CARD_DIGITS_MIN && count <= CARD_DIGITS_MAX && isBounded(bytes, start, i, last, end)) {
      const digits = textOf(bytes, i, last).replace(/[ -]/g, '');
      if (CARD.test(digits) && luhn(digits)) mask('card', i, last);
    }
    i = last;
  }
}

/**
 * Where the next digits, blanks and dashes are that may be a card; `end` if there are none. Thirteen of them are also at one of
 * every thirteen bytes, which is all that is looked at of most texts.
 */
export function digitsFrom(bytes: Uint8Array, start: number, end: number): number {
  for (let i = start + CARD_DIGITS_MIN - 1; i < end; i += CARD_DIGITS_MIN) {
    if (DIGIT_OR_SEPARATOR[bytes[i]!] === 0) continue;
    // Of thirteen that are around here, half are on one side.
    if (DIGIT_OR_SEPARATOR[bytes[i - HALF_CARD]!] !== 1 && DIGIT_OR_SEPARATOR[bytes[i + HALF_CARD]!] !== 1) continue;
    let first = i;
    while (first > start && DIGIT_OR_SEPARATOR[bytes[first - 1]!] === 1) first--;
    if (first + CARD_DIGITS_MIN <= end && endOfDigits(bytes, i, first + CARD_DIGITS_MIN) - first >= CARD_DIGITS_MIN) {
      return first;
    }
  }
  return end;
}

export function endOfDigits(bytes: Uint8Array, start: number, end: number): number {
  let last = start;
  while (last < end && DIGIT_OR_SEPARATOR[bytes[last]!] === 1) last++;
  return last;
}

export const CARD_DIGITS_MIN = 13;
const HALF_CARD = (CARD_DIGITS_MIN - 1) / 2;
const CARD_DIGITS_MAX = 19;

function isBounded(bytes: Uint8Array, start: number, first: number, last: number, end: number): boolean {
  return !(first > start && inNumber(bytes[first - 1]!)) && !(last < end && inNumber(bytes[last]!));
}

/** Visa, Mastercard, American Express, Discover, Diners Club, JCB. */
const CARD =
  /^(?:4(?:\d{12}|\d{15}|\d{18})|(?:5[1-5]\d\d|222[1-9]|22[3-9]\d|2[3-6]\d\d|27[01]\d|2720)\d{12}|3[47]\d{13}|6(?:011|5\d\d|4[4-9]\d)\d{12}|3(?:0[0-5]|[68]\d)\d{11}|35\d{14})$/;

function luhn(digits: string): boolean {
  let sum = 0;
  for (let i = 0; i < digits.length; i++) {
    const digit = Number(digits[digits.length - 1 - i]);
    sum += i % 2 === 0 ? digit : digit > 4 ? digit * 2 - 9 : digit * 2;
  }
  return sum % 10 === 0;
}

function endOfValue(bytes: Uint8Array, start: number, end: number, quoted: boolean): number {
  const ends = quoted ? ENDS_QUOTED : ENDS_BARE;
  let i = start;
  while (i < end && !ends[bytes[i]!]!) i++;
  return i;
}

/** What was masked before, here or by whoever sent it: a hash stands between stars too. */
export function isMasked(bytes: Uint8Array, start: number, end: number): boolean {
  return bytes[start] === STAR && bytes[end - 1] === STAR;
}

function isScheme(bytes: Uint8Array, start: number, end: number): boolean {
  return SCHEMES.some((scheme) => end - start === scheme.length && startsWith(bytes, start, end, scheme));
}

const SCHEMES = ['bearer', 'basic', 'digest', 'token', 'apikey', 'negotiate'].map((scheme) => Buffer.from(scheme));

function startsWith(bytes: Uint8Array, at: number, end: number, lowerCase: Uint8Array): boolean {
  if (at + lowerCase.length > end) return false;
  for (let i = 0; i < lowerCase.length; i++) if (lower(bytes[at + i]!) !== lowerCase[i]) return false;
  return true;
}

function wordBefore(bytes: Uint8Array, start: number, end: number): string {
  let first = end;
  while (first > start && (BASE64URL[bytes[first - 1]!]! || bytes[first - 1] === DOT)) first--;
  return textOf(bytes, first, end);
}

function textOf(bytes: Uint8Array, start: number, end: number): string {
  return Buffer.from(bytes.buffer, bytes.byteOffset + start, end - start).toString();
}

const [SPACE, STAR, DASH, DOT, SLASH, COLON, EQUALS, AT] = [0x20, 0x2a, 0x2d, 0x2e, 0x2f, 0x3a, 0x3d, 0x40] as const;

const isDigit = (byte: number) => byte >= 0x30 && byte <= 0x39;
const isQuote = (byte: number) => byte === 0x22 || byte === 0x27 || byte === 0x60;
/** Part of a longer number or word. */
const inNumber = (byte: number) => ALPHANUMERIC[byte] === 1 || byte === DOT || byte === DASH || byte === 0x5f;

const DIGITS = '0123456789';
const UPPER = 'ABCDEFGHIJKLMNOPQRSTUVWXYZ';
const LETTERS = UPPER + UPPER.toLowerCase();
const DIGIT_OR_SEPARATOR = tableOf(`${DIGITS} -`);
const UPPER_OR_DIGIT = tableOf(UPPER + DIGITS);
const ALPHANUMERIC = tableOf(LETTERS + DIGITS);
const BASE64URL = tableOf(`${LETTERS + DIGITS}_-`);
const EMAIL_DOMAIN = tableOf(`${LETTERS + DIGITS}.-`);
const EMAIL_LOCAL = tableOf(`${LETTERS + DIGITS}.!#$%&*+/=?^_{|}~-`);
const QUOTES_AND_BLANKS = tableOf(` "'\`\\`);
const ENDS_QUOTED = tableOf(`"'\`\\\r\n`);
const ENDS_BARE = tableOf(` \t\r\n"'\`\\&;,<>)}]`);
const ENDS_AUTHORITY = tableOf(` \t\r\n"'\`\\/?#<>`);

function tableOf(characters: string): Uint8Array {
  const table = new Uint8Array(256);
  for (const character of characters) table[character.charCodeAt(0)] = 1;
  return table;
}

// `J` alone is the tag of every attribute of a span, and `I` begins INFO.
const MARKS = [EQUALS, COLON, Buffer.from('yJ'), Buffer.from('IA'), 0x42, BEARER];

/** Where the pass stops, and for which of the rules, counted from 1. */
function stopTable(emails: boolean): Uint8Array {
  const table = new Uint8Array(256);
  const stops = ['=:', 'J', 'I', 'Bb', emails ? '@' : ''];
  for (const [i, characters] of stops.entries()) for (const c of characters) table[c.charCodeAt(0)] = i + 1;
  return table;
}
