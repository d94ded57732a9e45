/** Texts by which records are told whose they are: in every index, key and minute, so that their length is bounded. */
import { ContentHash } from '../model/hash.ts';
import { hex64 } from '../model/ids.ts';
import { textOf } from './wire.ts';

/** Bytes of a component's, correlation's, operation's or node's name in an index; the record itself keeps all of it. */
export const IDENTITY_BYTES_MAX = 512;

/** The text of a range; of one that is too long its beginning, `…`, and a hash by which it is told from others that begin alike. */
export function identityOf(bytes: Uint8Array, start: number, end: number): string {
  if (end - start <= IDENTITY_BYTES_MAX) return textOf(bytes, start, end);
  let cut = start + KEPT_BYTES;
  while (cut > start && (bytes[cut]! & 0xc0) === 0x80) cut--; // not within a character
  const hash = new ContentHash().reset().bytes(bytes, start, end).digest();
  return `${textOf(bytes, start, cut)}…${hex64(hash)}`;
}

// A character may be three times as long when it is none: U+FFFD.
const KEPT_BYTES = 128;
