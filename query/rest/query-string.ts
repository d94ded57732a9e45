import { malformed } from '../answer.ts';

/** Parameters that may be repeated; their values are joined with commas. */
const REPEATABLE = new Set(['event_type']);
const ATTRIBUTE = 'attr.';

/**
 * A query string as an object for a route's schema: `attr.<key>` are collected under `attributes`.
 * @throws DebugError MALFORMED for a parameter that is given twice, as nobody can know which one is meant
 */
export function readQuery(querystring: string): Record<string, unknown> {
  const query: Record<string, string> = Object.create(null);
  const attributes: Record<string, string> = Object.create(null);
  for (const [name, value] of new URLSearchParams(querystring)) {
    const [object, key] = name.startsWith(ATTRIBUTE) ? [attributes, name.slice(ATTRIBUTE.length)] : [query, name];
    if (object[key] === undefined) object[key] = value;
    else if (object === query && REPEATABLE.has(key)) object[key] += `,${value}`;
    else throw malformed(name, 'is given more than once');
  }
  return Object.keys(attributes).length === 0 ? query : { ...query, attributes };
}
