import { AttributeFilterBuilder } from '../model/attribute-filter.ts';
import { type Block, type BlockIndex, decodeIndex, decodePayload, keysOf } from '../model/block.ts';
import { attributeMarks } from '../otlp/attribute-marks.ts';
import type { FoundBlock } from './contract.ts';

/** A block found in one tier, read whole for another. */
export async function wholeBlock(found: FoundBlock): Promise<Block> {
  const index = decodeIndex(found.index);
  const { id, tenant, shard, day, timeMin, timeMax } = index.header;
  const payload = await found.payload();
  return {
    ...{ id, tenant, shard, day, timeMin, timeMax, count: index.count, index: found.index, payload },
    keys: keysOf(index.header, index.columns),
    filters: { texts: index.texts, attributes: attributesOf(index, decodePayload(payload)) },
  };
}

/** The filter of attributes is no part of a block: it is made anew where the block comes from another tier. */
function attributesOf({ header, columns, count }: BlockIndex, payload: Uint8Array): Uint8Array {
  const filter = new AttributeFilterBuilder();
  const marker = attributeMarks(filter);
  marker.begin(payload);
  for (const { resourceStart, resourceLength, scopeStart, scopeLength } of header.envelopes) {
    marker.resource(resourceStart, resourceStart + resourceLength);
    marker.scope(scopeStart, scopeStart + scopeLength);
  }
  let last = -1;
  for (let i = 0; i < count; i++) {
    const start = columns.start[i]!;
    if (start !== last) marker.record(columns.signal[i]!, start, start + columns.length[i]!);
    last = start;
  }
  return filter.build();
}
