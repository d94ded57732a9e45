/** Keys as SQLite's signed integers hold them. */
import { blockKey, type KeyKind } from '../../model/block.ts';

export function signedKey(key: bigint): bigint {
  return BigInt.asIntN(64, key);
}

/** What the rows of a text are found under: the same 64-bit hash as in the keys of blocks. */
export function rowKey(kind: KeyKind, ...values: string[]): bigint {
  return signedKey(blockKey(kind, ...values));
}
