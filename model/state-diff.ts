/** What changed between two states, or what differs between two replicas: deep, typed, and as small as what changed. */
import { emptyObject, isJsonObject, type Json, type JsonObject } from './json.ts';

/**
 * By path, as `orders[2].state.qty`; a key that is no plain name is quoted: `stock["sku.42"]`. `from` is left out where there was
 * nothing, `to` where there is nothing any more, so that an absent key and a null are told apart.
 */
export type StateDiff = { [path: string]: StateChange };
export type StateChange = { from?: Json; to?: Json };

/**
 * Empty when the states are equal: in value and type, whatever the order of keys. What was added or removed whole is one
 * change with the whole value. Array elements are compared by position.
 * @param isWhole false: what `after` leaves out is not gone, only not said (an incremental or partial snapshot)
 */
export function diffStates(before: JsonObject, after: JsonObject, isWhole = true): StateDiff {
  const diff = emptyObject() as StateDiff;
  diffObjects(before, after, '', isWhole, diff);
  return diff;
}

/** The path of a key below another path (`''` for the top). */
export function pathOf(parent: string, key: string): string {
  if (!PLAIN_NAME.test(key)) return `${parent}[${JSON.stringify(key)}]`;
  return parent === '' ? key : `${parent}.${key}`;
}

const PLAIN_NAME = /^[\p{L}_$-][\p{L}\p{N}_$-]*$/u;

function diffObjects(before: JsonObject, after: JsonObject, path: string, isWhole: boolean, diff: StateDiff): void {
  for (const key of Object.keys(before)) {
    const from = before[key]!;
    if (Object.hasOwn(after, key)) diffValues(from, after[key]!, pathOf(path, key), isWhole, diff);
    else if (isWhole) diff[pathOf(path, key)] = { from };
  }
  for (const key of Object.keys(after)) {
    if (!Object.hasOwn(before, key)) diff[pathOf(path, key)] = { to: after[key]! };
  }
}

function diffValues(from: Json, to: Json, path: string, isWhole: boolean, diff: StateDiff): void {
  if (from === to) return;
  if (isJsonObject(from) && isJsonObject(to)) {
    diffObjects(from, to, path, isWhole, diff);
  } else if (Array.isArray(from) && Array.isArray(to)) {
    for (let i = 0; i < Math.max(from.length, to.length); i++) {
      const at = `${path}[${i}]`;
      if (i >= to.length) diff[at] = { from: from[i]! };
      else if (i >= from.length) diff[at] = { to: to[i]! };
      else diffValues(from[i]!, to[i]!, at, isWhole, diff);
    }
  } else {
    diff[path] = { from, to };
  }
}
