/**
 * OTLP/JSON to protobuf in one pass over the bytes, by the descriptors of proto/gen. Fields come out in ascending order whatever their
 * order in JSON, as ids are hashes of what a record's messages look like on the wire.
 */
import { type DescMessage, ScalarType } from '@bufbuild/protobuf';
import { DebugError } from '../base/errors.ts';
import { JsonScanner } from './json-scanner.ts';
import { type FieldPlan, findKey, type Key, type MessagePlan, planOf } from './message-plan.ts';
import { DEPTH_MAX, LENGTH } from './wire.ts';

/**
 * @param bytesMax largest protobuf that may come of it: packed doubles are four times their digits
 * @throws DebugError MALFORMED that names the path of what cannot be read, TOO_LARGE
 */
export function transcode(schema: DescMessage, json: Uint8Array, bytesMax: number): Uint8Array {
  const transcoder = new Transcoder(json, bytesMax, scratch);
  const steps = transcoder.steps(planOf(schema));
  named(() => {
    while (!steps.next().done);
  });
  return transcoder.result().slice();
}

/** The same in steps of some milliseconds, for requests of any size; the generator returns the protobuf. */
export function* transcoding(schema: DescMessage, json: Uint8Array, bytesMax: number): Generator<void, Uint8Array> {
  // Not the scratch: others transcode between the steps. Usual requests shrink to half; to grow would copy tens of megabytes at once.
  const transcoder = new Transcoder(json, bytesMax, new Uint8Array(json.length));
  const steps = transcoder.steps(planOf(schema));
  while (!named(() => steps.next()).done) yield;
  return transcoder.result();
}

function named<T>(read: () => T): T {
  try {
    return read();
  } catch (error) {
    if (!(error instanceof ValueError)) throw error;
    throw new DebugError('MALFORMED', `not an OTLP JSON request: ${pathText(error.path)}: ${error.message}`, {
      cause: error,
    });
  }
}

/** JSON that is no OTLP; the path grows from the inside out while it is thrown. */
class ValueError extends Error {
  readonly path: (string | number)[] = [];
}

// Values nested too deep end here; the walk sees that they were and refuses their record alone.
// Each level of a value is two messages, and a request has some six of its own around it.
const MESSAGES_NESTED_MAX = 3 * DEPTH_MAX + 8;
// Of most requests, so that none of them waits for memory; a larger one gets its own.
const SCRATCH_BYTES = 1 << 20;
const scratch = new Uint8Array(SCRATCH_BYTES);
// Requests, resources, scopes and records are read in steps, what is within a record as one.
const STEPPED_DEPTH = 3;

class Transcoder {
  readonly #json: JsonScanner;
  readonly #bytesMax: number;
  #out: Uint8Array;
  #view: DataView;
  #size = 0;
  // The members of the messages that are open, the innermost last: where each begins, and by which key.
  readonly #starts: number[] = [];
  readonly #keys: Key[] = [];

  /** @param buffer to begin with; nobody else may use it meanwhile */
  constructor(json: Uint8Array, bytesMax: number, buffer: Uint8Array) {
    this.#json = new JsonScanner(json);
    this.#bytesMax = bytesMax;
    this.#out = buffer;
    this.#view = new DataView(buffer.buffer);
  }

  /** Reads all of it. */
  *steps(plan: MessagePlan): Generator<void> {
    yield* this.#messageSteps(plan, 0);
    this.#json.finish();
  }

  /** What was written, in the buffer itself. */
  result(): Uint8Array {
    if (this.#size > this.#bytesMax) throw this.#tooLarge();
    return this.#out.subarray(0, this.#size);
  }

  /** A message that is read as one. */
  #message(plan: MessagePlan, depth: number): void {
    const json = this.#json;
    this.#expect('object', 'an object');
    if (depth > MESSAGES_NESTED_MAX) return json.skip();
    const base = this.#starts.length;
    const start = this.#size;
    for (let more = json.openObject(); more; more = json.nextMember()) {
      const field = this.#member(plan);
      if (field === null) json.skip();
      else {
        try {
          if (field.repeated) this.#list(field, depth);
          else this.#value(field, field.explicit, depth);
        } catch (error) {
          throw within(error, field.name);
        }
      }
    }
    this.#end(base, start);
  }

  /** The same, down to STEPPED_DEPTH in steps. */
  *#messageSteps(plan: MessagePlan, depth: number): Generator<void> {
    const json = this.#json;
    this.#expect('object', 'an object');
    const base = this.#starts.length;
    const start = this.#size;
    for (let more = json.openObject(); more; more = json.nextMember()) {
      const field = this.#member(plan);
      if (field === null) yield* json.skipping();
      else {
        try {
          if (field.repeated) yield* this.#listSteps(field, depth);
          else this.#value(field, field.explicit, depth);
        } catch (error) {
          throw within(error, field.name);
        }
      }
    }
    this.#end(base, start);
  }

  /** Reads a key. @returns its field, null where the value is to be stepped over: unknown, or null, which is absent */
  #member(plan: MessagePlan): FieldPlan | null {
    const json = this.#json;
    json.key();
    const key = findKey(plan, json.bytes, json.start, json.end);
    if (key === undefined) return null;
    this.#starts.push(this.#size);
    this.#keys.push(key);
    if (json.peek() !== 'null') return key.field;
    this.#keys[this.#keys.length - 1] = { ...key, isNull: true };
    return null;
  }

  #list(field: FieldPlan, depth: number): void {
    for (const _ of this.#listSteps(field, depth));
  }

  *#listSteps(field: FieldPlan, depth: number): Generator<void> {
    const json = this.#json;
    this.#expect('array', 'an array');
    if (!json.openArray()) return;
    const start = field.packed ? this.#open(field.number) : 0;
    let i = 0;
    try {
      do {
        if (json.stepDone()) yield;
        const kind = json.peek();
        if (field.packed) this.#scalar(field, kind);
        else if (field.message !== null && depth < STEPPED_DEPTH) {
          const item = this.#open(field.number);
          yield* this.#messageSteps(field.message, depth + 1);
          this.#close(item);
        } else this.#value(field, true, depth);
        i++;
      } while (json.nextItem());
    } catch (error) {
      throw within(error, i);
    }
    if (field.packed) this.#close(start);
  }

  /** One value with its tag in front. Where it is a default that is not sent, nothing is written. */
  #value(field: FieldPlan, explicit: boolean, depth: number): void {
    if (field.message !== null) {
      const start = this.#open(field.number);
      this.#message(field.message, depth + 1);
      this.#close(start);
      return;
    }
    const kind = this.#json.peek();
    const start = this.#size;
    this.#tag(field.number, field.wireType);
    if (!this.#scalar(field, kind) && !explicit) this.#size = start;
  }

  /** @returns false where it is the default */
  #scalar(field: FieldPlan, kind: string): boolean {
    const json = this.#json;
    if (field.enumNumbers !== null) {
      if (kind === 'string') {
        json.string();
        const named = field.enumNumbers.get(json.text());
        if (named !== undefined) return this.#int32(named);
        return this.#int32(Number(this.#integerOf('string', INT32_MIN, INT32_MAX)));
      }
      return this.#int32(Number(this.#integer(kind, INT32_MIN, INT32_MAX)));
    }
    switch (field.scalar) {
      case ScalarType.STRING:
        this.#string(kind);
        return this.#lengthDelimited(json.bytes, json.start, json.end);
      case ScalarType.BYTES: {
        this.#string(kind);
        if (field.hex) return this.#hex();
        const bytes = base64Bytes(json.text());
        return this.#lengthDelimited(bytes, 0, bytes.length);
      }
      case ScalarType.BOOL: {
        if (kind !== 'boolean') throw this.#other(kind, 'true or false');
        const value = json.boolean();
        this.#varint(value ? 1 : 0);
        return value;
      }
      case ScalarType.DOUBLE: {
        const value = this.#double(kind);
        this.#reserve(8);
        this.#view.setFloat64(this.#size, value, true);
        this.#size += 8;
        return !Object.is(value, 0);
      }
      case ScalarType.FIXED64:
        return this.#fixed64(this.#integer(kind, 0n, UINT64_MAX));
      case ScalarType.SFIXED64:
        return this.#fixed64(this.#integer(kind, INT64_MIN, INT64_MAX));
      case ScalarType.UINT64:
        return this.#varint64(this.#integer(kind, 0n, UINT64_MAX));
      case ScalarType.INT64:
        return this.#varint64(this.#integer(kind, INT64_MIN, INT64_MAX));
      case ScalarType.INT32:
        return this.#int32(Number(this.#integer(kind, INT32_MIN, INT32_MAX)));
      case ScalarType.SINT32: {
        const value = Number(this.#integer(kind, INT32_MIN, INT32_MAX));
        this.#varint(((value << 1) ^ (value >> 31)) >>> 0);
        return value !== 0;
      }
      case ScalarType.UINT32: {
        const value = Number(this.#integer(kind, 0n, UINT32_MAX));
        this.#varint(value);
        return value !== 0;
      }
      default: {
        const value = Number(this.#integer(kind, 0n, UINT32_MAX));
        this.#reserve(4);
        this.#view.setUint32(this.#size, value, true);
        this.#size += 4;
        return value !== 0;
      }
    }
  }

  /** Ends a message: its fields stand in ascending order, each once. */
  #end(base: number, start: number): void {
    const keys = this.#keys;
    for (let i = base + 1; i < keys.length; i++) {
      if (keys[i]!.field.number > keys[i - 1]!.field.number) continue;
      this.#sort(base, start);
      break;
    }
    keys.length = base;
    this.#starts.length = base;
  }

  /** Of equal keys the last counts, and a field's own name outranks its snake_case, null never. */
  #sort(base: number, start: number): void {
    const starts = this.#starts;
    const winners = new Map<FieldPlan, { own: number; snake: number }>();
    for (let i = base; i < starts.length; i++) {
      const { field, isSnake, isNull } = this.#keys[i]!;
      let found = winners.get(field);
      if (found === undefined) {
        found = { own: -1, snake: -1 };
        winners.set(field, found);
      }
      found[isSnake ? 'snake' : 'own'] = isNull ? -1 : i;
    }
    const written = this.#out.slice(start, this.#size);
    this.#size = start;
    for (const [, { own, snake }] of [...winners].sort(([a], [b]) => a.number - b.number)) {
      const i = own >= 0 ? own : snake;
      if (i < 0) continue;
      const end = i + 1 < starts.length ? starts[i + 1]! : start + written.length;
      this.#out.set(written.subarray(starts[i]! - start, end - start), this.#size);
      this.#size += end - starts[i]!;
    }
  }

  /** Begins what has a length in front, for which one byte is kept. */
  #open(number: number): number {
    this.#tag(number, LENGTH);
    this.#reserve(1);
    return ++this.#size;
  }

  /** Writes the length that {@link Transcoder.#open} kept a byte for; longer ones move what they stand before. */
  #close(start: number): void {
    const length = this.#size - start;
    let more = 0;
    for (let rest = length >>> 7; rest > 0; rest >>>= 7) more++;
    if (more > 0) {
      this.#reserve(more);
      this.#out.copyWithin(start + more, start, this.#size);
    }
    this.#size = start - 1;
    this.#varint(length);
    this.#size += length;
  }

  #tag(number: number, wireType: number): void {
    this.#varint(((number << 3) | wireType) >>> 0);
  }

  #lengthDelimited(bytes: Uint8Array, start: number, end: number): boolean {
    const length = end - start;
    this.#varint(length);
    this.#reserve(length);
    if (length < 32) for (let i = 0; i < length; i++) this.#out[this.#size + i] = bytes[start + i]!;
    else this.#out.set(bytes.subarray(start, end), this.#size);
    this.#size += length;
    return length > 0;
  }

  /** An id that is not hex is left out, so that only its record is refused (a span) or uncorrelated (a log record). */
  #hex(): boolean {
    const { bytes, start, end } = this.#json;
    const length = (end - start) >> 1;
    this.#varint(length);
    this.#reserve(length);
    let seen = 0;
    for (let i = start; i < end; i += 2) {
      const byte = (HEX_VALUES[bytes[i]!]! << 4) | HEX_VALUES[bytes[i + 1]!]!;
      seen |= byte;
      this.#out[this.#size++] = byte;
    }
    return length > 0 && seen >= 0 && (end - start) % 2 === 0;
  }

  /** @param value 0 to 2^32 - 1 */
  #varint(value: number): void {
    this.#reserve(5);
    let rest = value;
    while (rest > 0x7f) {
      this.#out[this.#size++] = (rest & 0x7f) | 0x80;
      rest >>>= 7;
    }
    this.#out[this.#size++] = rest;
  }

  #int32(value: number): boolean {
    if (value < 0) return this.#varint64(BigInt(value)); // sign-extended to ten bytes
    this.#varint(value);
    return value !== 0;
  }

  #varint64(value: bigint): boolean {
    this.#reserve(10);
    let rest = BigInt.asUintN(64, value);
    while (rest > 0x7fn) {
      this.#out[this.#size++] = Number(rest & 0x7fn) | 0x80;
      rest >>= 7n;
    }
    this.#out[this.#size++] = Number(rest);
    return value !== 0n;
  }

  #fixed64(value: bigint): boolean {
    this.#reserve(8);
    this.#view.setBigUint64(this.#size, BigInt.asUintN(64, value), true);
    this.#size += 8;
    return value !== 0n;
  }

  #reserve(bytes: number): void {
    const needed = this.#size + bytes;
    if (needed <= this.#out.length) return;
    if (needed > this.#bytesMax + SCRATCH_BYTES) throw this.#tooLarge(); // some room for what equal keys overrule
    const grown = new Uint8Array(Math.max(needed, this.#out.length * 2));
    grown.set(this.#out.subarray(0, this.#size));
    this.#out = grown;
    this.#view = new DataView(grown.buffer);
  }

  #tooLarge(): DebugError {
    return new DebugError('TOO_LARGE', `the request exceeds ${this.#bytesMax} bytes as protobuf`);
  }

  #string(kind: string): void {
    if (kind !== 'string') throw this.#other(kind, 'a string');
    this.#json.string();
  }

  #double(kind: string): number {
    const json = this.#json;
    if (kind === 'number') {
      json.number();
      return Number(json.text());
    }
    if (kind !== 'string') throw this.#other(kind, 'a number');
    json.string();
    const text = json.text();
    const value = Number(text);
    if (text === 'NaN' || (text.trim() !== '' && !Number.isNaN(value))) return value;
    throw new ValueError(`string ${shorten(text)} where a number belongs`);
  }

  #integer(kind: string, min: bigint, max: bigint): bigint {
    if (kind === 'number') this.#json.number();
    else if (kind === 'string') this.#json.string();
    else throw this.#other(kind, 'an integer');
    return this.#integerOf(kind, min, max);
  }

  /** The token as an integer: digits, or a number that happens to be whole, as 1.0 or 1e3. */
  #integerOf(kind: string, min: bigint, max: bigint): bigint {
    const { bytes, start, end } = this.#json;
    let value = digitsOf(bytes, start, end);
    if (value === null && kind === 'number') {
      const number = Number(this.#json.text());
      if (Number.isSafeInteger(number)) value = BigInt(number);
    }
    if (value === null) throw new ValueError(`${kind} ${shorten(this.#json.text())} where an integer belongs`);
    if (value < min || value > max) throw new ValueError(`${value} is out of range`);
    return value;
  }

  #expect(kind: string, article: string): void {
    const found = this.#json.peek();
    if (found !== kind) throw this.#other(found, article);
  }

  #other(kind: string, belongs: string): ValueError {
    return new ValueError(`${this.#describe(kind)} where ${belongs} belongs`);
  }

  #describe(kind: string): string {
    const json = this.#json;
    switch (kind) {
      case 'null':
        return 'null';
      case 'array':
        return 'an array';
      case 'object':
        return 'an object';
      case 'boolean':
        return `boolean ${json.boolean()}`;
      case 'number':
        json.number();
        break;
      default:
        json.string();
    }
    return `${kind} ${shorten(json.text())}`;
  }
}

/** The error with one step of its path more; what is no value's fault stays as it is. */
function within(error: unknown, part: string | number): unknown {
  if (error instanceof ValueError) error.path.unshift(part);
  return error;
}

const INT64_MIN = -(2n ** 63n);
const INT64_MAX = 2n ** 63n - 1n;
const UINT64_MAX = 2n ** 64n - 1n;
const INT32_MIN = -(2n ** 31n);
const INT32_MAX = 2n ** 31n - 1n;
const UINT32_MAX = 2n ** 32n - 1n;

// A double holds fifteen digits exactly; more are put together of two halves.
const DIGITS_EXACT = 15;
const DIGITS_MAX = 20;

/** The integer that ASCII digits write, a minus in front or not; null where they are none, or more than 64 bits have. */
function digitsOf(bytes: Uint8Array, start: number, end: number): bigint | null {
  const negative = bytes[start] === 0x2d;
  const from = negative ? start + 1 : start;
  const length = end - from;
  if (length < 1 || length > DIGITS_MAX) return null;
  const split = Math.max(from, end - DIGITS_EXACT);
  let high = 0;
  let low = 0;
  for (let i = from; i < end; i++) {
    const digit = bytes[i]! - 0x30;
    if (digit < 0 || digit > 9) return null;
    if (i < split) high = high * 10 + digit;
    else low = low * 10 + digit;
  }
  const value = high === 0 ? BigInt(low) : BigInt(high) * 1_000_000_000_000_000n + BigInt(low);
  return negative ? -value : value;
}

/** By ASCII code; negative for what is no hex digit, and stays so when it is shifted. */
const HEX_VALUES = new Int16Array(256).fill(-1);
for (const [i, digit] of [...'0123456789abcdef'].entries()) {
  HEX_VALUES[digit.charCodeAt(0)] = i;
  HEX_VALUES[digit.toUpperCase().charCodeAt(0)] = i;
}

function base64Bytes(value: string): Uint8Array {
  try {
    return Uint8Array.fromBase64(value.replaceAll('-', '+').replaceAll('_', '/'));
  } catch {
    throw new ValueError('text that is not base64');
  }
}

function shorten(text: string): string {
  return text.length > 40 ? `${text.slice(0, 40).toWellFormed()}…` : text;
}

function pathText(path: readonly (string | number)[]): string {
  if (path.length === 0) return 'the body';
  return path
    .map((part) => (typeof part === 'number' ? `[${part}]` : `.${part}`))
    .join('')
    .slice(1);
}
