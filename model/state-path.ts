/** A path into a state, spelled as the keys of a diff: `orders[2].state`, `stock["sku.42"]`. */
import { isJsonObject, type Json, type JsonObject } from './json.ts';

/** @returns its steps: keys of objects, positions of arrays; null when it is no path */
export function parsePath(path: string): (string | number)[] | null {
  const steps: (string | number)[] = [];
  STEP.lastIndex = 0;
  while (STEP.lastIndex < path.length) {
    const [match, name, position, quoted] = STEP.exec(path) ?? [];
    if (match === undefined || (name !== undefined && match.startsWith('.') !== steps.length > 0)) return null;
    if (name !== undefined) steps.push(name);
    else if (position !== undefined) steps.push(Number(position));
    else steps.push(JSON.parse(quoted!) as string);
  }
  return steps.length === 0 ? null : steps;
}

/** What stands there; undefined where nothing does. */
export function valueAt(state: JsonObject, steps: readonly (string | number)[]): Json | undefined {
  let value: Json | undefined = state;
  for (const step of steps) {
    if (Array.isArray(value) && typeof step === 'number') value = value[step];
    else if (isJsonObject(value ?? null) && Object.hasOwn(value as JsonObject, step))
      value = (value as JsonObject)[step];
    else return undefined;
  }
  return value;
}

const STEP = /\.?([\p{L}_$-][\p{L}\p{N}_$-]*)|\[(\d{1,9})\]|\[("(?:[^"\\]|\\["\\/bfnrt]|\\u[0-9a-fA-F]{4})*")\]/uy;
