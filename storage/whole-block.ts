import { type Block, decodeIndex, keysOf } from '../model/block.ts';
import type { FoundBlock } from './contract.ts';

/** A block found in one tier, read whole for another. */
export async function wholeBlock(found: FoundBlock): Promise<Block> {
  const { header, count } = decodeIndex(found.index);
  const { id, tenant, shard, day, timeMin, timeMax } = header;
  const payload = await found.payload();
  return { id, tenant, shard, day, timeMin, timeMax, count, index: found.index, payload, keys: keysOf(header) };
}
