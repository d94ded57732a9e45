/** Keys as SQLite's signed integers hold them. */
import type { KeyKind } from '../../model/block.ts';
import { hashText } from '../../model/hash.ts';

export function signedKey(key: bigint): bigint {
  return BigInt.asIntN(64, key);
}

/** What the rows of a text are found under: the same 64-bit hash as in the keys of blocks. */
export function rowKey(kind: KeyKind | 'edge', ...values: string[]): bigint {
  return signedKey(hashText(kind, ...values));
}
