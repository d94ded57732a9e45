/**
 * Opaque cursors: where a page ended, the range as it was on the first page (`1h` must not move on between pages), and a hash of the
 * question. A cursor used with another question is refused, as it would silently skip what that one asks for.
 */
import { hashText } from '../model/hash.ts';
import { hex64 } from '../model/ids.ts';
import { malformed } from './answer.ts';
import type { Range } from './params.ts';

/** @param question the filters as they were asked  @param position of the last thing shown */
export function encodeCursor(question: object, range: Range, position: readonly string[]): string {
  const parts = [VERSION, fingerprint(question), String(range.start ?? ''), String(range.end ?? ''), ...position];
  return Buffer.from(JSON.stringify(parts)).toString('base64url');
}

/** @param length of the position  @throws DebugError MALFORMED for what is no cursor, or one of another question */
export function decodeCursor(question: object, cursor: string, length: number): { range: Range; position: string[] } {
  const [version, hash, start, end, ...position] = parse(cursor);
  const whole = position.length === length && position.every((part) => typeof part === 'string');
  if (version !== VERSION || !whole || !isTime(start) || !isTime(end)) {
    throw malformed('cursor', 'is not a cursor of this endpoint');
  }
  if (hash !== fingerprint(question)) throw malformed('cursor', 'belongs to a query with other filters');
  return {
    range: { ...(start !== '' && { start: BigInt(start) }), ...(end !== '' && { end: BigInt(end) }) },
    position: position as string[],
  };
}

const VERSION = 1;

function parse(cursor: string): unknown[] {
  try {
    const parsed: unknown = JSON.parse(Buffer.from(cursor, 'base64url').toString());
    return Array.isArray(parsed) ? parsed : [];
  } catch {
    return [];
  }
}

function isTime(text: unknown): text is string {
  return typeof text === 'string' && /^\d{0,20}$/.test(text);
}

function fingerprint(question: object): string {
  const asked = Object.entries(question).filter(([key, value]) => key !== 'cursor' && key !== 'limit' && value != null);
  asked.sort(([a], [b]) => (a < b ? -1 : 1));
  return hex64(hashText(JSON.stringify(asked)));
}
