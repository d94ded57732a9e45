import { isDeepStrictEqual } from 'node:util';
import type { AnyValue } from '@opentelemetry/api';

type Kvlist = Record<string, AnyValue>;

/**
 * The RFC 7396 merge patch that turns one state into the other. @returns undefined where there is none: a patch says null for
 * "gone", so a state that holds a null where it changes cannot be said by one, nor can a state that is no object
 */
export function mergePatch(from: AnyValue, to: AnyValue): Kvlist | undefined {
  if (!isKvlist(from) || !isKvlist(to)) return undefined;
  const patch: Kvlist = {};
  for (const key of Object.keys(from)) if (!(key in to)) patch[key] = null;
  for (const [key, value] of Object.entries(to)) {
    const before = from[key];
    if (isDeepStrictEqual(before, value)) continue;
    const change = isKvlist(before) && isKvlist(value) ? mergePatch(before, value) : value;
    if (change === undefined || holdsNull(change, isKvlist(before) && isKvlist(value))) return undefined;
    patch[key] = change;
  }
  return patch;
}

/** Nulls of a nested patch mean "gone" and are well; nulls of a value that is set would be taken for that. */
function holdsNull(value: AnyValue, isPatch: boolean): boolean {
  if (isPatch) return false;
  if (value === null) return true;
  return isKvlist(value) && Object.values(value).some((item) => holdsNull(item, false));
}

function isKvlist(value: AnyValue | undefined): value is Kvlist {
  return typeof value === 'object' && value !== null && !Array.isArray(value) && !(value instanceof Uint8Array);
}
