/**
 * Which records of a block can hold what is searched for, told by their bytes: strings lie in the payload as they were sent. Decoding a
 * record to look takes 30 µs, looking at its bytes 0.3. Never says no where a record that can be decoded would say yes.
 */
import { type BlockIndex, SIGNALS } from '../model/block.ts';

/** Whether the record at a position can match. */
export type CanMatch = (position: number) => boolean;

/** What is looked for in the bytes; all of it together. */
export interface Needles {
  /** Text that the message holds, in any case. */
  text?: string;
  /** Attribute keys, and the text of their values. */
  attributes?: ReadonlyMap<string, string>;
}

/** @returns for a block its test of a position, null where none can match */
export function byteFinder({
  text = '',
  attributes,
}: Needles): (index: BlockIndex, payload: Uint8Array) => CanMatch | null {
  const folded = foldedNeedle(text);
  const exact = [...(attributes ?? [])].flatMap(([key, value]) =>
    [key, ...(isOnlyText(value) ? [value] : [])].filter(isExact).map((part) => Buffer.from(part)),
  );
  return (index, bytes) => {
    const payload = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length);
    const tests: CanMatch[] = [];
    if (folded !== '') {
      const test = foldedTest(index, payload, folded);
      if (test === null) return null;
      tests.push(test);
    }
    for (const needle of exact) {
      const found = offsetsOf(payload, needle);
      if (found.length === 0) return null;
      const { columns, header } = index;
      const shared = header.envelopes.map(
        ({ resourceStart, resourceLength, scopeStart, scopeLength }) =>
          holds(found, resourceStart, resourceLength) || holds(found, scopeStart, scopeLength),
      );
      tests.push((i) => shared[columns.envelope[i]!]! || holds(found, columns.start[i]!, columns.length[i]!));
    }
    return (i) => tests.every((test) => test(i));
  };
}

/** The longest part in ASCII: there a byte is a character, and its lower case the same in both. */
function foldedNeedle(text: string): string {
  const parts = text.toLowerCase().match(/[\0-\x7f]+/g) ?? [];
  return parts.reduce((longest, part) => (part.length > longest.length ? part : longest), '');
}

const LOG = SIGNALS.indexOf('log');
// Two characters beyond ASCII have a lower case within: the Kelvin sign and the dotted I.
const FOLDED_TO_ASCII = ['\u212a', '\u0130'].map((character) => Buffer.from(character));

function foldedTest({ columns, count }: BlockIndex, payload: Buffer, needle: string): CanMatch | null {
  // A log record without a template has no text of its own: its message is made of its body's structure.
  const isMade = (i: number) => columns.template[i] === 0 && columns.signal[i] === LOG;
  // One byte a character, so that offsets stay. That bytes above ASCII are folded too only makes more of them equal.
  const folded = payload.toString('latin1').toLowerCase();
  // Of the records alone that have them: ids are random bytes, and in every other block somewhere spell a dotted I.
  const folding = FOLDED_TO_ASCII.flatMap((character) => offsetsOf(payload, character)).sort((a, b) => a - b);
  const found: number[] = [];
  for (let at = folded.indexOf(needle); at !== -1; at = folded.indexOf(needle, at + 1)) found.push(at);
  if (found.length > 0 || folding.length > 0) {
    const spells = (offsets: readonly number[], i: number) => holds(offsets, columns.start[i]!, columns.length[i]!);
    return (i) => isMade(i) || spells(found, i) || spells(folding, i);
  }
  for (let i = 0; i < count; i++) if (isMade(i)) return isMade;
  return null;
}

function offsetsOf(payload: Buffer, needle: Buffer): number[] {
  const found: number[] = [];
  for (let at = payload.indexOf(needle); at !== -1; at = payload.indexOf(needle, at + 1)) found.push(at);
  return found;
}

/** Whether one of the offsets, ascending, lies in a range. */
function holds(offsets: readonly number[], start: number, length: number): boolean {
  let low = 0;
  let high = offsets.length;
  while (low < high) {
    const middle = (low + high) >> 1;
    if (offsets[middle]! < start) low = middle + 1;
    else high = middle;
  }
  return low < offsets.length && offsets[low]! < start + length;
}

/** Of an attribute's value as text: whether only a string can have it, not a number, a boolean, a list, or bytes in base64. */
function isOnlyText(value: string): boolean {
  if (/^[-+\d.[{"]/.test(value) || /^(true|false|null|NaN|Infinity)$/.test(value)) return false;
  return value.length % 4 !== 0 || /[^A-Za-z0-9+/=]/.test(value);
}

/** A string of which the bytes are known: what was no UTF-8 reads as U+FFFD and was something else. */
function isExact(text: string): boolean {
  return text !== '' && text.isWellFormed() && !text.includes('\uFFFD');
}
