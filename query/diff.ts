/** What changed between two states of a component. */
import { isJsonObject, type Json, type JsonObject, jsonEqual } from '../model/json.ts';
import type { SnapshotType } from '../model/snapshot.ts';

/** By path of keys joined with dots: the value before and after; what did not exist has no side. Arrays are compared whole. */
export type StateDiff = { [path: string]: { from?: Json; to?: Json } };

/** @param type of the later snapshot: one that is not `full` does not say that what it leaves out is gone */
export function stateDiff(before: JsonObject, after: JsonObject, type: SnapshotType): StateDiff {
  const diff: StateDiff = Object.create(null);
  compare('', before, after);
  return diff;

  function compare(prefix: string, from: JsonObject, to: JsonObject): void {
    for (const key of new Set([...Object.keys(from), ...Object.keys(to)])) {
      const [was, is] = [own(from, key), own(to, key)];
      if (is === undefined && type !== 'full') continue;
      // A key with a dot in it must not look like two keys.
      const path = prefix === '' ? key : `${prefix}.${key.includes('.') ? JSON.stringify(key) : key}`;
      if (isJsonObject(was) && isJsonObject(is)) compare(path, was, is);
      else if (!jsonEqual(was, is)) {
        diff[path] = { ...(was !== undefined && { from: was }), ...(is !== undefined && { to: is }) };
      }
    }
  }
}

function own(object: JsonObject, key: string): Json | undefined {
  return Object.hasOwn(object, key) ? object[key] : undefined;
}
