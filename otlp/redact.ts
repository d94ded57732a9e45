/**
 * Makes secrets in an OTLP request unreadable before anything is written of it.
 *
 * In place, and each secret by as many bytes as it had: no length in front of it changes, nothing is copied, and the same request
 * always comes out the same, so that one that is sent again is still known. What a mask gives away is how long a secret was.
 */
import { createHmac } from 'node:crypto';
import { createPause } from '../base/pause.ts';
import type { Signal } from '../model/block.ts';
import {
  CARD_DIGITS_MIN,
  createSecretFinder,
  digitsFrom,
  endOfDigits,
  findCards,
  isMasked,
  type Mask,
  type RedactionRule,
  type SecretSettings,
  TEXT_BYTES_MIN,
} from './secrets.ts';
import { DEPTH_MAX, FIXED32, FIXED64, LENGTH, VARINT } from './wire.ts';

/**
 * @param body an export request as protobuf, changed in place; never throws: what is no protobuf the reader behind it refuses
 * @param redacted told of every secret
 */
export type Redact<Result> = (
  signal: Signal,
  body: Uint8Array,
  tenant: string,
  redacted: (rule: RedactionRule) => void,
) => Result;

export interface Redactor extends Redact<void> {
  /** The same for requests of any size, in steps of a few milliseconds, between which others have their turn. */
  inTurns: Redact<Promise<void>>;
}

export interface RedactorSettings extends SecretSettings {
  /** Further secrets in texts. Each text is decoded for them, which costs more than all the rest together. */
  patterns: readonly LinearPattern[];
  /** Not empty: a secret of 16 bytes and more becomes a hash under this key and its tenant, so that equal ones can be told. */
  hashKey: string;
}

/** A pattern whose matching takes time linear in the text, as those of RE2 do. */
export interface LinearPattern {
  /** Every match as [start, end) in UTF-16 units, in order, none empty. */
  matches(text: string): Iterable<readonly [number, number]>;
}

export function createRedactor(settings: RedactorSettings): Redactor {
  const { patterns, hashKey } = settings;
  const { isSecretKey, find, marks } = createSecretFinder(settings);
  // One request at a time, without a pause in it: state that is passed along by every call would cost a fifth more.
  let bytes: Buffer = NO_BYTES;
  let at = 0;
  let tenant = '';
  let told: (rule: RedactionRule) => void = () => {};

  const mask: Mask = (rule, start, end) => {
    const hash = hashKey !== '' && end - start >= HASH_BYTES + 2 ? hashOf(start, end) : '';
    bytes.fill(STAR, start, end);
    bytes.write(hash, start + 1, 'latin1');
    told(rule);
  };

  function hashOf(start: number, end: number): string {
    const salt = createHmac('sha256', hashKey).update(tenant).digest();
    return createHmac('sha256', salt).update(bytes.subarray(start, end)).digest('hex').slice(0, HASH_BYTES);
  }

  /** Any message but those of values, by what its fields hold. */
  function message(shape: Uint8Array, end: number): void {
    const all = bytes;
    while (at < end) {
      // As most of a request is: a tag and a length of a byte each, read without a call.
      const tag = all[at]!;
      const length = all[at + 1]!;
      if ((tag & 0x87) === LENGTH && length < 0x80 && at + 2 + length <= end) {
        const holds = shape[tag >>> 3]!;
        const after = at + 2 + length;
        if (holds !== NOTHING) {
          at += 2;
          content(holds, after);
        }
        at = after;
        continue;
      }
      const number = field(end);
      if (number < 0) continue;
      const after = valueEnd;
      const holds = number < FIELDS ? shape[number]! : NOTHING;
      if (holds !== NOTHING) content(holds, after);
      at = after;
    }
  }

  function content(holds: number, end: number): void {
    if (holds === ATTRIBUTE) attribute(end, false, 0);
    else if (holds === TEXT) text(at, end);
    else if (holds === VALUE) value(end, false, 0);
    else message(SHAPES[holds]!, end);
  }

  /** The message at `at`, and where the request stands still when `until` was passed within the outer messages, to go on from there. */
  function outerMessages(open: { shape: Uint8Array; end: number }[], until: number): void {
    while (open.length > 0 && at < until) {
      const { shape, end } = open.at(-1)!;
      if (at >= end) {
        at = end;
        open.pop();
        continue;
      }
      const number = field(end);
      if (number < 0) continue;
      const after = valueEnd;
      const holds = number < FIELDS ? shape[number]! : NOTHING;
      if (holds > VALUE && open.length < OUTER_MESSAGES) {
        open.push({ shape: SHAPES[holds]!, end: after });
        continue;
      }
      if (holds !== NOTHING) content(holds, after);
      at = after;
    }
  }

  /** A KeyValue. @param secret whether it stands within one that is a secret */
  function attribute(end: number, secret: boolean, depth: number): void {
    // As every exporter writes it, a short key and then a short text: read at once, as most of a request consists of them.
    const all = bytes;
    const start = at;
    const keyBytes = all[start + 1]!;
    const keyEnd = start + 2 + keyBytes;
    const first = keyEnd + 4;
    const usual =
      first <= end &&
      end - keyEnd < 0x80 &&
      keyBytes < 0x80 &&
      all[start] === TAG_1 &&
      all[keyEnd] === TAG_2 &&
      all[keyEnd + 1] === end - keyEnd - 2;
    const tag = all[keyEnd + 2]!;
    if (usual && tag === TAG_1 && all[keyEnd + 3] === end - first) {
      if (secret || isSecretKey(all, start + 2, keyEnd)) hide(first, end);
      else text(first, end);
      // A number, of which the longest has ten bytes.
    } else if (!(usual && (tag & 7) !== LENGTH && end - first < 10)) attributeInAnyOrder(end, secret, depth);
  }

  /** Fields may come in any order and more than once: what any key calls a secret, every value is. */
  function attributeInAnyOrder(end: number, within: boolean, depth: number): void {
    const values: number[] = [];
    let secret = within;
    while (at < end) {
      const number = field(end);
      if (number < 0) continue;
      if (number === 1) secret ||= isSecretKey(bytes, at, valueEnd);
      else if (number === 2) values.push(at, valueEnd);
      at = valueEnd;
    }
    for (let i = 0; i < values.length; i += 2) {
      at = values[i]!;
      value(values[i + 1]!, secret, depth);
    }
  }

  /** An AnyValue. Numbers stay: counts of tokens are no secrets, and a number cannot be made unreadable without being another. */
  function value(end: number, secret: boolean, depth: number): void {
    // Nobody ever reads what lies deeper.
    if (depth > DEPTH_MAX) return;
    while (at < end) {
      const number = field(end);
      if (number < 0) continue;
      const after = valueEnd;
      if (number === 1 && !secret) text(at, after);
      else if (number === 1 || (number === 7 && secret)) hide(at, after);
      else if (number === 5) elements(after, secret, depth + 1);
      else if (number === 6) members(after, secret, depth + 1);
      at = after;
    }
  }

  /** An ArrayValue. Among the arguments of a command `--password` makes a secret of the next one. */
  function elements(end: number, secret: boolean, depth: number): void {
    let announced = false;
    while (at < end) {
      const number = field(end);
      if (number < 0) continue;
      const [first, after] = [at, valueEnd];
      if (number === 1) value(after, secret || announced, depth);
      announced = bytes[first] === TAG_1 && bytes[first + 2] === DASH && isSecretKey(bytes, first + 2, after);
      at = after;
    }
  }

  /** A KeyValueList. */
  function members(end: number, secret: boolean, depth: number): void {
    while (at < end) {
      const number = field(end);
      if (number < 0) continue;
      const after = valueEnd;
      if (number === 1) attribute(after, secret, depth);
      at = after;
    }
  }

  function hide(start: number, end: number): void {
    if (end > start && !isMasked(bytes, start, end)) mask('key', start, end);
  }

  function text(start: number, end: number): void {
    if (nextMark < start) goToMarks(start);
    if (nextMark < end && end - start >= TEXT_BYTES_MIN) find(bytes, start, nextMark, end, mask);
    if (nextDigitsEnd <= start) goToDigits(start);
    if (nextDigits < end && end - start >= CARD_DIGITS_MIN) findCards(bytes, start, end, mask);
    if (patterns.length > 0) matchPatterns(start, end);
  }

  /** Where each mark comes next: found by memchr, fifteen times as fast as any loop of ours over all bytes. */
  const next = marks.map(() => 0);
  let nextMark = 0;

  function goToMarks(from: number): void {
    nextMark = bytes.length;
    for (let i = 0; i < marks.length; i++) {
      let found = next[i]!;
      if (found < from) {
        found = bytes.indexOf(marks[i]!, from);
        if (found < 0) found = bytes.length;
        next[i] = found;
      }
      if (found < nextMark) nextMark = found;
    }
  }

  /** The next run of digits, blanks and dashes that is as long as a card; most requests have a handful. */
  let nextDigits = 0;
  let nextDigitsEnd = 0;

  function goToDigits(from: number): void {
    nextDigits = digitsFrom(bytes, from, bytes.length);
    nextDigitsEnd = endOfDigits(bytes, nextDigits, bytes.length);
  }

  function matchPatterns(start: number, end: number): void {
    for (const pattern of patterns) {
      const decoded = Buffer.from(bytes.buffer, bytes.byteOffset + start, end - start).toString();
      for (const [from, to] of pattern.matches(decoded)) {
        const first = start + Buffer.byteLength(decoded.slice(0, from));
        const last = first + Buffer.byteLength(decoded.slice(from, to));
        // A text that is not UTF-8 is longer when decoded.
        if (last <= end) mask('pattern', first, last);
      }
    }
  }

  let valueEnd = 0;

  /** Goes to the next field. @returns its number, with its bytes from `at` to `valueEnd`; -1 for one that has no bytes */
  function field(end: number): number {
    const tag = varint();
    switch (tag & 7) {
      case LENGTH: {
        const length = varint();
        // A length past the end: what there is belongs to it all the same.
        valueEnd = Math.min(at + length, end);
        return tag >>> 3;
      }
      case VARINT:
        varint();
        return -1;
      case FIXED64:
        at += 8;
        return -1;
      case FIXED32:
        at += 4;
        return -1;
      default: // of a group: its fields follow, and are looked at as if they were ours
        return -1;
    }
  }

  function varint(): number {
    let byte = bytes[at++] ?? 0;
    let value = byte & 0x7f;
    for (let factor = 0x80; byte >= 0x80 && factor < 2 ** 49; factor *= 0x80) {
      byte = bytes[at++] ?? 0;
      value += (byte & 0x7f) * factor;
    }
    while (byte >= 0x80) byte = bytes[at++] ?? 0;
    return value;
  }

  /** Sets what all functions above share, until the next await. */
  function begin(body: Uint8Array, position: number, of: string, redacted: (rule: RedactionRule) => void): void {
    bytes = Buffer.from(body.buffer, body.byteOffset, body.length);
    at = position;
    nextMark = -1;
    next.fill(-1);
    nextDigitsEnd = -1;
    tenant = of;
    told = redacted;
  }

  function redact(...[signal, body, of, redacted]: Parameters<Redactor>): void {
    begin(body, 0, of, redacted);
    message(SHAPES[REQUEST[signal]]!, body.length);
    bytes = NO_BYTES;
  }

  async function inTurns(...[signal, body, of, redacted]: Parameters<Redactor>): Promise<void> {
    const open = [{ shape: SHAPES[REQUEST[signal]]!, end: body.length }];
    const pause = createPause(1);
    for (let position = 0; open.length > 0; position = at) {
      await pause();
      begin(body, position, of, redacted);
      outerMessages(open, position + STEP_BYTES);
      bytes = NO_BYTES;
    }
  }

  return Object.assign(redact, { inTurns });
}

// Half a millisecond of usual records.
const STEP_BYTES = 256 * 1024;
// Request, resource and scope: what is within them is small, or one record.
const OUTER_MESSAGES = 3;
const NO_BYTES = Buffer.alloc(0);
const HASH_BYTES = 14;
const STAR = 0x2a;
const DASH = 0x2d;
const TAG_1 = 0x0a;
const TAG_2 = 0x12;

/** What a field holds: nothing that we look at, a text, a KeyValue, an AnyValue, or a message, by its number in SHAPES. */
const [NOTHING, TEXT, ATTRIBUTE, VALUE] = [0, 1, 2, 3];
const FIELDS = 16;

const SHAPES: Uint8Array[] = [];
const shape = (fields: Record<number, number>): number => {
  const holds = new Uint8Array(FIELDS);
  for (const [field, what] of Object.entries(fields)) holds[Number(field)] = what;
  return SHAPES.push(holds) - 1;
};
// The first numbers are taken by what is no message.
for (const _ of [NOTHING, TEXT, ATTRIBUTE, VALUE]) shape({});

const RESOURCE = shape({ 1: ATTRIBUTE });
const SCOPE = shape({ 3: ATTRIBUTE });
const request = (record: number) => shape({ 1: shape({ 1: RESOURCE, 2: shape({ 1: SCOPE, 2: record }) }) });

const SPAN = shape({
  5: TEXT, // name
  9: ATTRIBUTE,
  11: shape({ 2: TEXT, 3: ATTRIBUTE }), // events
  13: shape({ 4: ATTRIBUTE }), // links
  15: shape({ 2: TEXT }), // status
});
const LOG_RECORD = shape({ 5: VALUE, 6: ATTRIBUTE });
const EXEMPLAR = shape({ 7: ATTRIBUTE });
const points = (fields: Record<number, number>) => shape({ 1: shape(fields) });
const NUMBERS = points({ 5: EXEMPLAR, 7: ATTRIBUTE });
const METRIC = shape({
  5: NUMBERS, // gauge
  7: NUMBERS, // sum
  9: points({ 8: EXEMPLAR, 9: ATTRIBUTE }), // histogram
  10: points({ 1: ATTRIBUTE, 11: EXEMPLAR }), // exponential histogram
  11: points({ 7: ATTRIBUTE }), // summary
  12: ATTRIBUTE, // metadata
});
const REQUEST: Record<Signal, number> = { span: request(SPAN), log: request(LOG_RECORD), metric: request(METRIC) };
