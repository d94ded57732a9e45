/**
 * Whether bytes hold a text in any case, looked for where they lie. To make a string of half a megabyte, and the lower case
 * of that, takes longer than to search it, most of it for the garbage.
 *
 * Horspool's search (1980) with a byte's two cases as one. Two characters beyond ASCII have a lower case within: the Kelvin sign is a k, and a dotted
 * capital I is an i before a dot of its own, which ends what is ASCII. So the search is for the longest part of the text that neither can
 * stand in; what is around it is compared with both in mind.
 */

/** Says of bytes from `start` to before `end` whether the text is there. */
export type FoldedSearch = (bytes: Uint8Array, start: number, end: number) => boolean;

const CASE = 0x20;
const FOLDED = Uint8Array.from({ length: 256 }, (_, byte) => (byte >= 0x41 && byte <= 0x5a ? byte | CASE : byte));
const SMALL_I = 0x69;
const SMALL_K = 0x6b;
const KELVIN = [0xe2, 0x84, 0xaa];
const DOTTED_I = [0xc4, 0xb0];
/** No step is longer. */
const STEP_MAX = 0xff;

/**
 * @param text in lower case, in ASCII
 * @returns says yes exactly where the lower case of the bytes, read as UTF-8, holds the text; null where no part of it is left to search for
 */
export function foldedSearch(text: string): FoldedSearch | null {
  const needle = Buffer.from(text, 'latin1');
  const [first, past] = longestPlain(text);
  const length = past - first;
  if (length === 0) return null;
  const steps = new Uint8Array(256).fill(Math.min(length, STEP_MAX));
  for (let i = first; i < past - 1; i++) {
    const byte = needle[i]!;
    steps[byte] = Math.min(past - 1 - i, STEP_MAX);
    if (byte >= 0x61 && byte <= 0x7a) steps[byte - CASE] = steps[byte]!;
  }
  const last = needle[past - 1]!;

  return (bytes, start, end) => {
    for (let i = start + length - 1; i < end; ) {
      const byte = bytes[i]!;
      if (FOLDED[byte] === last) {
        let at = i - 1;
        let wanted = past - 2;
        while (wanted >= first && FOLDED[bytes[at]!] === needle[wanted]) {
          at--;
          wanted--;
        }
        if (
          wanted < first &&
          endsWith(bytes, start, at + 1, needle, first) &&
          beginsWith(bytes, i + 1, end, needle, past)
        ) {
          return true;
        }
      }
      i += steps[byte]!;
    }
    return false;
  };
}

/** Of the text the longest range in which no character can stand for more than one byte. */
function longestPlain(text: string): [first: number, past: number] {
  let longest: [number, number] = [0, 0];
  // An i at the end is left out like a k.
  for (const { 0: part, index } of text.replace(/i$/, 'k').matchAll(/[^k]+/g)) {
    if (part.length > longest[1] - longest[0]) longest = [index, index + part.length];
  }
  return longest;
}

/** Whether what ends before `end` is the needle's part before `past`. */
function endsWith(bytes: Uint8Array, start: number, end: number, needle: Uint8Array, past: number): boolean {
  let at = end;
  for (let i = past - 1; i >= 0; i--) {
    if (at > start && FOLDED[bytes[at - 1]!] === needle[i]) at -= 1;
    else if (needle[i] === SMALL_K && at - start >= KELVIN.length && isThere(bytes, at - KELVIN.length, KELVIN))
      at -= KELVIN.length;
    else return false;
  }
  return true;
}

/** Whether what begins at `start` is the needle's part from `from` on. */
function beginsWith(bytes: Uint8Array, start: number, end: number, needle: Uint8Array, from: number): boolean {
  let at = start;
  for (let i = from; i < needle.length; i++) {
    if (at < end && FOLDED[bytes[at]!] === needle[i]) at += 1;
    else if (needle[i] === SMALL_K && at + KELVIN.length <= end && isThere(bytes, at, KELVIN)) at += KELVIN.length;
    // Only where nothing in ASCII is to follow.
    else if (needle[i] === SMALL_I && i === needle.length - 1)
      return at + DOTTED_I.length <= end && isThere(bytes, at, DOTTED_I);
    else return false;
  }
  return true;
}

function isThere(bytes: Uint8Array, at: number, wanted: readonly number[]): boolean {
  return wanted.every((byte, i) => bytes[at + i] === byte);
}
