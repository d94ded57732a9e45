import type { AnyValue } from '@opentelemetry/api';

/** Bounds of one converted value; what is beyond says so in its place. */
const DEPTH_MAX = 16;
const NODES_MAX = 10_000;
const STRING_LENGTH_MAX = 64 * 1024;

/**
 * Any JavaScript value as OTLP carries it: objects and Maps as kvlists, arrays and Sets as arrays, Dates as RFC 3339,
 * bigints as decimal strings, Errors with name, message and stack, bytes as bytes. Never throws, never loops: a cycle
 * is `[circular]`, a getter that throws is `[unreadable]`. Functions, symbols and undefined are left out of objects.
 */
export function anyValue(value: unknown): AnyValue {
  return typeof value === 'object' ? convert(value, { path: [], nodes: 0 }) : convert(value, NO_WALK);
}

interface Walk {
  path: object[];
  nodes: number;
}

const NO_WALK: Walk = { path: [], nodes: 0 };

function convert(value: unknown, walk: Walk): AnyValue {
  switch (typeof value) {
    case 'string':
      return value.length > STRING_LENGTH_MAX ? `${value.slice(0, STRING_LENGTH_MAX)}[cut]` : value;
    case 'number':
    case 'boolean':
      return value;
    case 'bigint':
      return value.toString();
    case 'object':
      return value === null ? null : convertObject(value, walk);
    default:
      return undefined;
  }
}

function convertObject(value: object, walk: Walk): AnyValue {
  walk.nodes += 1;
  if (walk.nodes > NODES_MAX) return '[too large]';
  if (walk.path.includes(value)) return '[circular]';
  if (walk.path.length >= DEPTH_MAX) return '[too deep]';
  walk.path.push(value);
  try {
    return convertKind(value, walk);
  } catch {
    return '[unreadable]';
  } finally {
    walk.path.pop();
  }
}

function convertKind(value: object, walk: Walk): AnyValue {
  if (Array.isArray(value) || value instanceof Set) return Array.from(value, (item) => convert(item, walk) ?? null);
  if (value instanceof Uint8Array) return value;
  if (value instanceof Date) return Number.isNaN(value.getTime()) ? 'Invalid Date' : value.toISOString();
  if (value instanceof Map)
    return kvlist(
      [...value].map(([key, item]) => [String(key), item]),
      walk,
    );
  if (value instanceof Error) {
    const { name, message, stack } = value;
    return kvlist([...Object.entries(value), ['name', name], ['message', message], ['stack', stack]], walk);
  }
  const { toJSON } = value as { toJSON?: unknown };
  if (typeof toJSON === 'function') return convert(toJSON.call(value), walk);
  return kvlist(Object.entries(value), walk);
}

function kvlist(entries: [string, unknown][], walk: Walk): AnyValue {
  const list: Record<string, AnyValue> = {};
  for (const [key, item] of entries) {
    const converted = convert(item, walk);
    if (converted !== undefined) list[key] = converted;
  }
  return list;
}
