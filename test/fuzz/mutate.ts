/** What goes wrong on the way to a receiver, or is made to: requests changed in their structure or byte by byte. */
import type { Random } from './random.ts';

/** One to four changes of a protobuf request. */
export function mutateProtobuf(bytes: Uint8Array, random: Random): Uint8Array {
  let mutated = bytes;
  for (let n = 1 + random.below(4); n > 0; n--) {
    mutated = random.once(3) ? changeBytes(mutated, random) : changeField(mutated, random);
  }
  return mutated;
}

/** One to four changes of a JSON request. */
export function mutateJson(text: string, random: Random): Uint8Array {
  let mutated = text;
  for (let n = 1 + random.below(4); n > 0; n--) mutated = changeToken(mutated, random);
  const bytes = new TextEncoder().encode(mutated);
  return random.once(4) ? changeBytes(bytes, random) : bytes;
}

const NASTY_BYTES = [0x00, 0x7f, 0x80, 0xff, 0x0a, 0x0b, 0x0c, 0x07, 0xc0, 0xed];

function changeBytes(bytes: Uint8Array, random: Random): Uint8Array {
  if (bytes.length === 0) return random.bytes(1 + random.below(8));
  const at = random.below(bytes.length);
  switch (random.below(6)) {
    case 0:
      return bytes.slice(0, at);
    case 1:
      return splice(bytes, at, at + 1 + random.below(8), NOTHING);
    case 2:
      return splice(bytes, at, at, random.bytes(1 + random.below(8)));
    case 3:
      return splice(bytes, at, at + 1, Uint8Array.of(random.of(NASTY_BYTES)));
    case 4: {
      const from = random.below(bytes.length);
      return splice(bytes, at, at, bytes.subarray(from, from + random.below(64)));
    }
    default:
      return splice(bytes, at, at + 1, Uint8Array.of(bytes[at]! ^ (1 << random.below(8))));
  }
}

/** A field where it stands on the wire, and the lengths around it that a change of its size must follow. */
interface Field {
  start: number;
  valueStart: number;
  end: number;
  number: number;
  wireType: number;
  around: { lengthStart: number; valueStart: number; end: number }[];
}

/** Finds one field somewhere in the tree, changes it, and mends the lengths around it, so that the change is what the reader meets. */
function changeField(bytes: Uint8Array, random: Random): Uint8Array {
  const field = pickField(bytes, random);
  if (field === null) return changeBytes(bytes, random);
  const value = bytes.subarray(field.valueStart, field.end);
  const whole = bytes.subarray(field.start, field.end);
  switch (random.below(14)) {
    case 0: // another number
      return mend(bytes, field, concat(tag(random.of([0, 1, 2, 3, 15, 16, 99, 2 ** 28]), field.wireType), value));
    case 1: // another wire type over the same bytes
      return mend(bytes, field, concat(tag(field.number, random.below(8)), value));
    case 2: // gone
      return mend(bytes, field, NOTHING);
    case 3: // twice
      return mend(bytes, field, concat(whole, whole));
    case 4: // within itself
      return mend(bytes, field, concat(tag(field.number, 2), varint(whole.length), whole));
    case 5: // with an unknown field in front
      return mend(bytes, field, concat(unknownField(random), whole));
    case 6: // in a group
      return mend(bytes, field, concat(tag(field.number, 3), whole, tag(random.once(4) ? 7 : field.number, 4)));
    case 7: // empty
      return mend(bytes, field, concat(tag(field.number, 2), varint(0)));
    case 8: // text that is none
      return mend(bytes, field, concat(tag(field.number, 2), varint(4), Uint8Array.of(0xed, 0xa0, 0x80, 0xff)));
    case 9: // a varint that is longer than it has to be, or than it may be
      return mend(
        bytes,
        field,
        concat(
          tag(field.number, 0),
          new Uint8Array(random.of([1, 5, 9, 10])).fill(0x80),
          Uint8Array.of(random.below(2)),
        ),
      );
    case 10: {
      // a length that lies
      const length = random.of([value.length + 1, 0x7fffffff, 0xffffffff, Math.max(0, value.length - 1)]);
      return mend(bytes, field, concat(tag(field.number, 2), varint(length), value));
    }
    case 11: {
      // nested far deeper than anybody reads
      let nested: Uint8Array = NOTHING;
      for (let depth = random.of([10, 63, 64, 65, 200, 1000]); depth > 0; depth--) {
        const list = concat(tag(1, 2), varint(nested.length), nested);
        nested = concat(tag(random.of([5, 6]), 2), varint(list.length), list);
      }
      return mend(bytes, field, concat(tag(field.number, 2), varint(nested.length), nested));
    }
    case 12: {
      // another field of the same request in its place
      const other = pickField(bytes, random);
      return mend(bytes, field, other === null ? NOTHING : bytes.slice(other.start, other.end));
    }
    default: // a number at its edge
      return mend(bytes, field, concat(tag(field.number, 1), new Uint8Array(8).fill(random.of([0, 0x7f, 0x80, 0xff]))));
  }
}

function pickField(bytes: Uint8Array, random: Random): Field | null {
  let around: Field['around'] = [];
  let fields = fieldsOf(bytes, 0, bytes.length, around);
  let picked: Field | null = null;
  while (fields !== null && fields.length > 0) {
    picked = random.of(fields);
    if (picked.wireType !== 2 || random.once(4)) break;
    const lengthStart = picked.valueStart - varintLength(bytes, picked);
    around = [...around, { lengthStart, valueStart: picked.valueStart, end: picked.end }];
    fields = fieldsOf(bytes, picked.valueStart, picked.end, around);
  }
  return picked === null ? null : { ...picked, start: picked.start };
}

function varintLength(bytes: Uint8Array, field: Field): number {
  const tagLength = readVarint(bytes, field.start, field.end)!.end - field.start;
  return field.valueStart - field.start - tagLength;
}

/** The fields of what may be a message; null where it is none. Values of other wire types begin behind their tag. */
function fieldsOf(bytes: Uint8Array, start: number, end: number, around: Field['around']): Field[] | null {
  const fields: Field[] = [];
  for (let at = start; at < end; ) {
    const read = readVarint(bytes, at, end);
    if (read === null) return null;
    const field = {
      start: at,
      valueStart: read.end,
      number: read.value >>> 3,
      wireType: read.value & 7,
      around,
      end: read.end,
    };
    if (field.number === 0) return null;
    if (field.wireType === 0) field.end = readVarint(bytes, read.end, end)?.end ?? Infinity;
    else if (field.wireType === 1) field.end = read.end + 8;
    else if (field.wireType === 5) field.end = read.end + 4;
    else if (field.wireType === 2) {
      const length = readVarint(bytes, read.end, end);
      if (length === null) return null;
      field.valueStart = length.end;
      field.end = length.end + length.value;
    } else return null;
    if (field.end > end) return null;
    fields.push(field);
    at = field.end;
  }
  return fields;
}

/** Puts `replacement` in the field's place, then rewrites each length around it from the inside out. */
function mend(bytes: Uint8Array, field: Field, replacement: Uint8Array): Uint8Array {
  let mended = splice(bytes, field.start, field.end, replacement);
  let grown = replacement.length - (field.end - field.start);
  for (const { lengthStart, valueStart, end } of field.around.toReversed()) {
    const length = varint(end - valueStart + grown);
    mended = splice(mended, lengthStart, valueStart, length);
    grown += length.length - (valueStart - lengthStart);
  }
  return mended;
}

function unknownField(random: Random): Uint8Array {
  const number = random.of([99, 1000, 2 ** 29 - 1]);
  switch (random.below(5)) {
    case 0:
      return concat(tag(number, 0), varint(random.below(1e6)));
    case 1:
      return concat(tag(number, 1), random.bytes(8));
    case 2:
      return concat(tag(number, 2), varint(3), random.bytes(3));
    case 3:
      return concat(tag(number, 3), tag(1, 0), varint(7), tag(number, 4));
    default:
      return concat(tag(number, 5), random.bytes(4));
  }
}

const NASTY_JSON = [
  'null',
  'true',
  '0',
  '-0',
  '-1',
  '1e400',
  '1E+2',
  '0.5',
  '01',
  '+1',
  '.5',
  '9223372036854775808',
  '18446744073709551616',
  '123456789012345678901234567890',
  '"NaN"',
  '"Infinity"',
  'NaN',
  '""',
  '"0x10"',
  '" 7 "',
  '"\\ud800"',
  '"\\u0000"',
  '"\\x"',
  '"\n"',
  '"SEVERITY_NUMBER_WARN"',
  '"zz"',
  '"AQI"',
  '"-_=="',
  '[]',
  '{}',
  '[[[]]]',
  '{"values":[]}',
  '{"stringValue":"a","intValue":1}',
  '\u00a0',
  '/**/',
  '',
];

const TOKEN = /"(?:[^"\\]|\\.)*"|[{}[\],:]|[^\s{}[\],:"]+/g;

function changeToken(text: string, random: Random): string {
  const token = pickToken(text, random);
  if (token === null) return random.of(NASTY_JSON);
  const [start, end] = [token.index, token.index + token[0].length];
  const put = (replacement: string) => text.slice(0, start) + replacement + text.slice(end);
  switch (random.below(8)) {
    case 0:
      return put('');
    case 1:
      return put(token[0] + token[0]);
    case 2:
      return put((pickToken(text, random) ?? token)[0]);
    case 3:
      return text.slice(0, start);
    case 4: {
      const depth = random.of([2, 64, 300, 5000]);
      return put('{"arrayValue":{"values":['.repeat(depth) + ']}}'.repeat(depth));
    }
    case 5: {
      // the same key again with something else
      if (!/^\s*:/.test(text.slice(end))) return put(random.of(NASTY_JSON));
      return put(`${token[0]}:${random.of(NASTY_JSON)},${token[0]}`);
    }
    case 6:
      return put(`${random.of(NASTY_JSON)},${token[0]}`);
    default:
      return put(random.of(NASTY_JSON));
  }
}

/** The first token behind some place; where that is within a string, what is a token from there on. */
function pickToken(text: string, random: Random): RegExpExecArray | null {
  TOKEN.lastIndex = random.below(text.length + 1);
  return TOKEN.exec(text);
}

const NOTHING = new Uint8Array(0);

function splice(bytes: Uint8Array, start: number, end: number, insert: Uint8Array): Uint8Array {
  return concat(bytes.subarray(0, start), insert, bytes.subarray(end));
}

function concat(...parts: Uint8Array[]): Uint8Array {
  const whole = new Uint8Array(parts.reduce((sum, part) => sum + part.length, 0));
  let at = 0;
  for (const part of parts) {
    whole.set(part, at);
    at += part.length;
  }
  return whole;
}

function tag(number: number, wireType: number): Uint8Array {
  return varint(number * 8 + wireType);
}

function varint(value: number): Uint8Array {
  const bytes: number[] = [];
  let rest = value;
  do {
    bytes.push((rest % 128) | (rest >= 128 ? 0x80 : 0));
    rest = Math.floor(rest / 128);
  } while (rest > 0);
  return Uint8Array.from(bytes);
}

function readVarint(bytes: Uint8Array, start: number, end: number): { value: number; end: number } | null {
  let value = 0;
  for (let at = start, scale = 1; at < end && at < start + 5; at++, scale *= 128) {
    value += (bytes[at]! & 0x7f) * scale;
    if (bytes[at]! < 0x80) return { value, end: at + 1 };
  }
  return null;
}
