/**
 * Reads a JSON body: bounded while it is read, nested at most as deep as what we can store. Not a body-parsing library's, as those
 * refuse keys such as `__proto__` (which are only keys here) and round integers past 2^53 (which come as bigint here).
 */
import type { IncomingMessage } from 'node:http';
import { DebugError } from '../../base/errors.ts';
import { malformed } from '../answer.ts';

export const BODY_BYTES_MAX = 10 * 1024 * 1024;
/** A bundle is larger: what an export holds at most, as JSON. */
const LINES_BYTES_MAX = 128 * 1024 * 1024;
export const NDJSON = 'application/x-ndjson';
const JSON_TYPE = 'application/json';

/**
 * No body at all is an empty object, whose missing fields the route then names.
 * @returns the value, and the text it was read from  @throws DebugError UNSUPPORTED, TOO_LARGE or MALFORMED
 */
export async function readJson(request: IncomingMessage): Promise<{ value: unknown; text: string }> {
  const text = hasBody(request) ? await readText(request, [JSON_TYPE], BODY_BYTES_MAX) : '';
  if (text === '') return { value: {}, text };
  let value: unknown;
  try {
    // The reviver costs as much as the parse; few bodies hold a number that needs it.
    value = LONG_INTEGER.test(text) ? JSON.parse(text, exactInteger) : JSON.parse(text);
  } catch (error) {
    throw malformed('body', `is not JSON: ${(error as Error).message}`);
  }
  if (!fitsDepth(value)) throw malformed('body', `is nested deeper than ${DEPTH_MAX}`);
  return { value, text };
}

/** The same of NDJSON, whose lines are for the reader to parse; by the name of JSON too, which many clients give to all that they send. */
export async function readLines(request: IncomingMessage): Promise<{ value: string; text: string }> {
  const text = await readText(request, [NDJSON, JSON_TYPE], LINES_BYTES_MAX);
  return { value: text, text };
}

/** RFC 9112, section 6.3: a request without either header has none. */
function hasBody({ headers }: IncomingMessage): boolean {
  return headers['transfer-encoding'] !== undefined || Number(headers['content-length'] ?? 0) > 0;
}

async function readText(request: IncomingMessage, expected: readonly string[], bytesMax: number): Promise<string> {
  const [type = ''] = (request.headers['content-type'] ?? '').split(';');
  if (!expected.includes(type.trim().toLowerCase())) {
    throw new DebugError('UNSUPPORTED', `the body must be ${expected[0]}, not '${type}'`);
  }
  if ((request.headers['content-encoding'] ?? 'identity') !== 'identity') {
    throw new DebugError('UNSUPPORTED', 'the body must not be compressed');
  }
  const bytes = await readBytes(request, bytesMax);
  try {
    return new TextDecoder('utf-8', { fatal: true }).decode(bytes);
  } catch {
    throw malformed('body', 'is not UTF-8');
  }
}

async function readBytes(request: IncomingMessage, bytesMax: number): Promise<Uint8Array> {
  if (Number(request.headers['content-length'] ?? 0) > bytesMax) throw tooLarge(bytesMax);
  const chunks: Uint8Array[] = [];
  let size = 0;
  for await (const chunk of request as AsyncIterable<Uint8Array>) {
    size += chunk.length;
    if (size > bytesMax) throw tooLarge(bytesMax);
    chunks.push(chunk);
  }
  return Buffer.concat(chunks, size);
}

function tooLarge(bytesMax: number): DebugError {
  return new DebugError('TOO_LARGE', `the body is larger than ${bytesMax} bytes`);
}

const LONG_INTEGER = /\d{16}/;

function exactInteger(_key: string, value: unknown, context?: { source?: string }): unknown {
  const source = context?.source;
  const exact =
    typeof value !== 'number' || Number.isSafeInteger(value) || source === undefined || !/^-?\d+$/.test(source);
  return exact ? value : BigInt(source);
}

// The walk takes 64 levels of a value; the envelope around data takes four of them.
const DEPTH_MAX = 60;

/** With a stack of its own: JSON.parse takes a million levels, a recursion does not. */
function fitsDepth(body: unknown): boolean {
  const open: [value: unknown, depth: number][] = [[body, 0]];
  for (let top = open.pop(); top !== undefined; top = open.pop()) {
    const [value, depth] = top;
    if (typeof value !== 'object' || value === null) continue;
    if (depth >= DEPTH_MAX) return false;
    for (const child of Object.values(value)) open.push([child, depth + 1]);
  }
  return true;
}
