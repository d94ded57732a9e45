/**
 * What a log record says under names: its attributes, and where its body is a JSON object, as loggers write it to a file or a pipe, the
 * fields of that. Loggers call the same thing by many names; the common ones are told here, once.
 */
import type { DebugEvent } from '../model/event.ts';
import { isJsonObject, type Json, type JsonObject } from '../model/json.ts';

/** The sentence in a body of fields, null where the body is none or has no sentence. */
export function sentenceOf(event: DebugEvent): string | null {
  const body = bodyOf(event);
  return body === null ? null : firstText([body], SENTENCE_KEYS);
}

/** The stack that came with a record, by whatever name, or in the text itself; empty where none did. */
export function stackOf(event: DebugEvent): string {
  const body = bodyOf(event);
  const said = firstText(body === null ? [event.data] : [event.data, body], STACK_KEYS);
  return said ?? (body === null && event.message.includes('\n') ? event.message : '');
}

const SENTENCE_KEYS = [
  'message',
  'msg',
  '@m',
  '@mt',
  'error.message',
  'err.message',
  'error',
  'err',
  'event',
  'reason',
];
const STACK_KEYS = [
  'exception.stacktrace',
  'code.stacktrace',
  'error.stack_trace',
  'error.stack',
  'err.stack',
  'exception.stack',
  'stack_trace',
  'stacktrace',
  'stackTrace',
  'stack',
  'traceback',
  'exc_info',
  'exc_text',
  'exception',
  '@x',
  'err',
  'error',
];
// A body beyond this is a document, not a sentence.
const BODY_CHARS_MAX = 65_536;

function bodyOf(event: DebugEvent): JsonObject | null {
  const { message } = event;
  if (event.span !== undefined || !message.startsWith('{') || message.length > BODY_CHARS_MAX) return null;
  let body = bodies.get(event);
  if (body === undefined) {
    body = parse(message);
    bodies.set(event, body);
  }
  return body;
}

const bodies = new WeakMap<DebugEvent, JsonObject | null>();

function parse(text: string): JsonObject | null {
  try {
    const value = JSON.parse(text) as Json;
    return isJsonObject(value) ? value : null;
  } catch {
    return null;
  }
}

/** Dots lead into objects where the whole name is not a key. */
function firstText(among: readonly JsonObject[], keys: readonly string[]): string | null {
  for (const fields of among) {
    for (const key of keys) {
      const value = valueAt(fields, key);
      if (typeof value === 'string' && value.trim() !== '') return value;
    }
  }
  return null;
}

function valueAt(fields: JsonObject, key: string): Json | undefined {
  if (Object.hasOwn(fields, key)) return fields[key];
  const dot = key.indexOf('.');
  const inner = dot < 0 ? undefined : own(fields, key.slice(0, dot));
  return isJsonObject(inner) ? own(inner, key.slice(dot + 1)) : undefined;
}

function own(fields: JsonObject, key: string): Json | undefined {
  return Object.hasOwn(fields, key) ? fields[key] : undefined;
}
