import { AttributeFilterBuilder } from '../model/attribute-filter.ts';
import { type Block, decodeIndex, decodePayload, keysOf } from '../model/block.ts';
import { addContents } from './block-contents.ts';
import type { FoundBlock } from './contract.ts';

/** A block found in one tier, read whole for another. */
export async function wholeBlock(found: FoundBlock): Promise<Block> {
  const index = decodeIndex(found.index);
  const { id, tenant, shard, day, timeMin, timeMax } = index.header;
  const payload = await found.payload();
  // No part of a block: it is made anew where the block comes from another tier.
  const attributes = new AttributeFilterBuilder();
  addContents(index, decodePayload(payload), { attributes: [attributes], texts: [] });
  return {
    ...{ id, tenant, shard, day, timeMin, timeMax, count: index.count, index: found.index, payload },
    keys: keysOf(index.header, index.columns),
    filters: { texts: index.texts, attributes: attributes.build() },
  };
}
