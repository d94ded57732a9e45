/**
 * Which records of a block can hold what is searched for, told by their bytes: strings lie in the payload as they were sent. Decoding a
 * record to look takes 30 µs, looking at its bytes 0.3. Never says no where a record that can be decoded would say yes.
 */
import { type BlockIndex, SIGNALS } from '../model/block.ts';
import { type FoldedSearch, foldedSearch } from './folded-search.ts';

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
  const folded = foldedSearch(foldedNeedle(text));
  const exact = [...(attributes ?? [])].flatMap(([key, value]) =>
    [...(isOnlyText(value) ? [value] : []), key].filter(isExact).map((part) => Buffer.from(part)),
  );
  return (index, bytes) => {
    const payload = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length);
    const tests: CanMatch[] = [];
    for (const needle of exact) {
      const first = payload.indexOf(needle);
      if (first === -1) return null;
      tests.push(exactTest(index, payload, needle, first));
    }
    if (folded !== null) tests.push(foldedTest(index, payload, folded));
    return (i) => tests.every((test) => test(i));
  };
}

/** The longest part in ASCII: there a byte is a character, and its lower case the same in both. */
function foldedNeedle(text: string): string {
  const parts = text.toLowerCase().match(/[\0-\x7f]+/g) ?? [];
  return parts.reduce((longest, part) => (part.length > longest.length ? part : longest), '');
}

const LOG = SIGNALS.indexOf('log');

function foldedTest({ columns }: BlockIndex, payload: Uint8Array, search: FoldedSearch): CanMatch {
  const { start, length, part, template, signal } = columns;
  // The points of a metric share its bytes, which are looked through once and not for each of a thousand.
  const shared = new Map<number, boolean>();
  return (i) => {
    // A log record without a template has no text of its own: its message is made of its body's structure.
    if (template[i] === 0 && signal[i] === LOG) return true;
    const at = start[i]!;
    if (part[i] === 0) return search(payload, at, at + length[i]!);
    let found = shared.get(at);
    if (found === undefined) shared.set(at, (found = search(payload, at, at + length[i]!)));
    return found;
  };
}

/** What it needs is found with the first record that is asked about: values are asked before keys, which are in every other record. */
function exactTest({ columns, header }: BlockIndex, payload: Buffer, needle: Buffer, first: number): CanMatch {
  let found: number[] | undefined;
  let shared: boolean[] | undefined;
  return (i) => {
    found ??= offsetsOf(payload, needle, first);
    shared ??= header.envelopes.map(
      ({ resourceStart, resourceLength, scopeStart, scopeLength }) =>
        holds(found!, resourceStart, resourceLength) || holds(found!, scopeStart, scopeLength),
    );
    return shared[columns.envelope[i]!]! || holds(found, columns.start[i]!, columns.length[i]!);
  };
}

function offsetsOf(payload: Buffer, needle: Buffer, first: number): number[] {
  const found: number[] = [];
  for (let at = first; at !== -1; at = payload.indexOf(needle, at + 1)) found.push(at);
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
