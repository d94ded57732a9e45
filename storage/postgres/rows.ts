/** What all ordinary rows share: keys, shards, and many rows as one parameter. */
import type { KeyKind } from '../../model/block.ts';
import { hashText } from '../../model/hash.ts';

/** A text's 64-bit key as a signed column holds it: narrow in every index, whatever its length, and the same as in blocks. */
export function rowKey(kind: KeyKind | 'edge', ...values: string[]): bigint {
  return BigInt.asIntN(64, hashText(kind, ...values));
}

/** 0 to 1023, from the key by which rows that are read together are found. */
export function shardOf(key: bigint | string): number {
  return Number((typeof key === 'string' ? hashText(key) : key) & 1023n);
}

/** Flat rows as one parameter for `json_to_recordset`. Texts in it MUST have passed rowText: it decodes every escape. */
export function recordset(rows: readonly object[]): string {
  return JSON.stringify(rows.map(withoutBigints));
}

/** A replacer, which V8 asks about every value, took 1.03 µs a row of seven where this takes 0.39. */
function withoutBigints(row: object): Record<string, unknown> {
  const plain: Record<string, unknown> = { ...row };
  for (const name in plain) if (typeof plain[name] === 'bigint') plain[name] = String(plain[name]);
  return plain;
}

/** Rows of the same identity made one by `add`, ordered by it: every transaction locks them in the same order. */
export function combine<Row>(
  rows: readonly Row[],
  identity: (row: Row) => string,
  add: (into: Row, row: Row) => void,
): Row[] {
  const combined = new Map<string, Row>();
  for (const row of rows) {
    const known = combined.get(identity(row));
    if (known === undefined) combined.set(identity(row), row);
    else add(known, row);
  }
  return [...combined].sort(([a], [b]) => (a < b ? -1 : 1)).map(([, row]) => row);
}
