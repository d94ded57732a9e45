/**
 * JSON read in place (RFC 8259), token by token: nothing is built that nobody asked for, so that a body of 64 MB that JSON.parse makes
 * 1.2 GB of objects of costs no more than itself.
 */
import { isUtf8 } from 'node:buffer';
import { DebugError } from '../base/errors.ts';

/** Deepest nesting that is stepped over: a byte a level, where JSON.parse keeps a frame. */
const NESTING_MAX = 100_000;
/** How much is read before others have their turn: some 2 ms. */
const STEP_BYTES = 64 * 1024;

const TAB = 0x09;
const LINE_FEED = 0x0a;
const CARRIAGE_RETURN = 0x0d;
const BLANK = 0x20;
const QUOTE = 0x22;
const COMMA = 0x2c;
const MINUS = 0x2d;
const POINT = 0x2e;
const ZERO = 0x30;
const NINE = 0x39;
const COLON = 0x3a;
const BACKSLASH = 0x5c;
const OPEN_ARRAY = 0x5b;
const CLOSE_ARRAY = 0x5d;
const OPEN_OBJECT = 0x7b;
const CLOSE_OBJECT = 0x7d;

export type JsonKind = 'object' | 'array' | 'string' | 'number' | 'boolean' | 'null';

const decoder = new TextDecoder('utf-8', { ignoreBOM: true });
const encoder = new TextEncoder();

/**
 * A cursor over a JSON text in UTF-8. After {@link JsonScanner.string} and {@link JsonScanner.number}, `bytes` from `start` to `end` hold
 * what was read: a string without its quotes and escapes, a number as it was written.
 *
 * Every method throws DebugError MALFORMED for what is no JSON.
 */
export class JsonScanner {
  readonly #text: Uint8Array;
  #at = 0;
  #stepEnd = STEP_BYTES;
  /** Holds the token: the text itself, or a copy where it had to be changed. */
  bytes: Uint8Array;
  start = 0;
  end = 0;

  constructor(text: Uint8Array) {
    this.#text = text;
    this.bytes = text;
    if (text[0] === 0xef && text[1] === 0xbb && text[2] === 0xbf) this.#at = 3;
  }

  /** What comes next; the cursor stays before it. */
  peek(): JsonKind {
    const byte = this.#blank();
    switch (byte) {
      case OPEN_OBJECT:
        return 'object';
      case OPEN_ARRAY:
        return 'array';
      case QUOTE:
        return 'string';
      case 0x74: // t
      case 0x66: // f
        return 'boolean';
      case 0x6e: // n
        return 'null';
    }
    if (byte === MINUS || (byte >= ZERO && byte <= NINE)) return 'number';
    throw this.#unexpected();
  }

  /** Steps into an object. @returns false when it has no members */
  openObject(): boolean {
    this.#take(OPEN_OBJECT);
    if (this.#blank() !== CLOSE_OBJECT) return true;
    this.#at++;
    return false;
  }

  /** Reads a member's key, as {@link JsonScanner.string} does, and the colon. */
  key(): void {
    this.#blank();
    this.string();
    this.#take(COLON);
  }

  /** Steps over the comma after a member, or out of the object. @returns whether another key follows */
  nextMember(): boolean {
    const byte = this.#blank();
    if (byte !== COMMA && byte !== CLOSE_OBJECT) throw this.#unexpected();
    this.#at++;
    return byte === COMMA;
  }

  /** Steps into an array. @returns false when it is empty */
  openArray(): boolean {
    this.#take(OPEN_ARRAY);
    if (this.#blank() !== CLOSE_ARRAY) return true;
    this.#at++;
    return false;
  }

  /** Steps over the comma after an item, or out of the array. @returns whether another item follows */
  nextItem(): boolean {
    const byte = this.#blank();
    if (byte !== COMMA && byte !== CLOSE_ARRAY) throw this.#unexpected();
    this.#at++;
    return byte === COMMA;
  }

  /** Reads a string. What is no UTF-8, and half a surrogate pair, become U+FFFD. */
  string(): void {
    const text = this.#text;
    if (text[this.#at] !== QUOTE) throw this.#unexpected();
    const start = this.#at + 1;
    let at = start;
    let seen = 0;
    let byte = text[at];
    while (byte !== QUOTE && byte !== BACKSLASH && byte !== undefined) {
      if (byte < BLANK) throw this.#unexpected(at);
      seen |= byte;
      byte = text[++at];
    }
    if (byte === QUOTE && seen < 0x80) {
      this.bytes = text;
      this.start = start;
      this.end = at;
      this.#at = at + 1;
      return;
    }
    this.#changed(start, at);
  }

  /** Reads a number. */
  number(): void {
    const text = this.#text;
    let at = this.#at;
    this.bytes = text;
    this.start = at;
    if (text[at] === MINUS) at++;
    if (text[at] === ZERO) at++;
    else at = this.#digits(at);
    if (text[at] === POINT) at = this.#digits(at + 1);
    if (text[at] === 0x65 || text[at] === 0x45) {
      at++;
      if (text[at] === 0x2b || text[at] === MINUS) at++;
      at = this.#digits(at);
    }
    this.end = at;
    this.#at = at;
  }

  boolean(): boolean {
    const value = this.#text[this.#at] === 0x74;
    this.#word(value ? 'true' : 'false');
    return value;
  }

  null(): void {
    this.#word('null');
  }

  /** The token as text. */
  text(): string {
    return decoder.decode(this.bytes.subarray(this.start, this.end));
  }

  /** Steps over one value, whatever it is. */
  skip(): void {
    for (const _ of this.skipping());
  }

  /** The same in steps. No recursion: nobody knows how deep it nests. */
  *skipping(): Generator<void> {
    // One byte a level: whether it is an object.
    let nest = new Uint8Array(64);
    let depth = 0;
    do {
      if (this.stepDone()) yield;
      const kind = this.peek();
      if (kind === 'object' || kind === 'array') {
        if (kind === 'object' ? this.openObject() : this.openArray()) {
          if (depth === NESTING_MAX) throw malformed(`nested over ${NESTING_MAX} deep`, this.#at);
          if (depth === nest.length) nest = doubled(nest);
          nest[depth++] = kind === 'object' ? 1 : 0;
          if (kind === 'object') this.key();
          continue;
        }
      } else if (kind === 'string') this.string();
      else if (kind === 'number') this.number();
      else if (kind === 'boolean') this.boolean();
      else this.null();
      while (depth > 0) {
        const inObject = nest[depth - 1] === 1;
        if (inObject ? this.nextMember() : this.nextItem()) {
          if (inObject) this.key();
          break;
        }
        depth--;
      }
    } while (depth > 0);
  }

  /** Whether so much was read since it last said so that others should have their turn. */
  stepDone(): boolean {
    if (this.#at < this.#stepEnd) return false;
    this.#stepEnd = this.#at + STEP_BYTES;
    return true;
  }

  /** Nothing but white space may follow. */
  finish(): void {
    if (this.#blank() !== -1) throw this.#unexpected();
  }

  /** A string that cannot be taken as it stands: with escapes, or beyond ASCII. `at` is where the first pass ended. */
  #changed(start: number, at: number): void {
    const text = this.#text;
    let escaped = false;
    for (let byte = text[at]; byte !== QUOTE; byte = text[++at]) {
      if (byte === undefined || byte < BLANK) throw this.#unexpected(at);
      if (byte === BACKSLASH) {
        escaped = true;
        at++;
      }
    }
    const raw = text.subarray(start, at);
    if (escaped) this.bytes = this.#unescaped(start, at);
    else this.bytes = isUtf8(raw) ? raw : encoder.encode(decoder.decode(raw));
    this.start = 0;
    this.end = this.bytes.length;
    this.#at = at + 1;
  }

  #unescaped(start: number, end: number): Uint8Array {
    try {
      return encoder.encode(JSON.parse(decoder.decode(this.#text.subarray(start - 1, end + 1))) as string);
    } catch {
      throw malformed('a bad escape', start);
    }
  }

  #digits(from: number): number {
    const text = this.#text;
    let at = from;
    while (text[at]! >= ZERO && text[at]! <= NINE) at++;
    if (at === from) throw this.#unexpected(at);
    return at;
  }

  #word(word: string): void {
    for (let i = 0; i < word.length; i++) {
      if (this.#text[this.#at + i] !== word.charCodeAt(i)) throw this.#unexpected(this.#at + i);
    }
    this.#at += word.length;
  }

  #take(byte: number): void {
    if (this.#blank() !== byte) throw this.#unexpected();
    this.#at++;
  }

  /** Steps over white space. @returns the byte that follows, -1 at the end */
  #blank(): number {
    const text = this.#text;
    let byte = text[this.#at];
    while (byte === BLANK || byte === LINE_FEED || byte === CARRIAGE_RETURN || byte === TAB) byte = text[++this.#at];
    return byte ?? -1;
  }

  #unexpected(at = this.#at): DebugError {
    const byte = this.#text[at];
    if (byte === undefined) return malformed('it ends too early', at);
    const shown = byte > BLANK && byte < 0x7f ? String.fromCharCode(byte) : `0x${byte.toString(16).padStart(2, '0')}`;
    return malformed(`unexpected ${shown}`, at);
  }
}

function doubled(bytes: Uint8Array): Uint8Array<ArrayBuffer> {
  const grown = new Uint8Array(bytes.length * 2);
  grown.set(bytes);
  return grown;
}

function malformed(what: string, at: number): DebugError {
  return new DebugError('MALFORMED', `not JSON: ${what} at byte ${at}`);
}
