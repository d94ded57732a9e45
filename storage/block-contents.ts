/** What the records of a block hold, found by the walk that found it at first: for filters that are no part of the block, or of more than one block. */
import type { AttributeFilterBuilder } from '../model/attribute-filter.ts';
import type { BlockIndex, Signal } from '../model/block.ts';
import type { RecordTable } from '../model/records.ts';
import type { TextFilterBuilder } from '../model/text-filter.ts';
import { indexRequest } from '../otlp/walk.ts';
import { requestsOf } from './archive/lines.ts';

export interface ContentFilters {
  attributes: readonly AttributeFilterBuilder[];
  texts: readonly TextFilterBuilder[];
}

/** Adds attributes and messages to all of these; what cannot be walked makes filters that say nothing. @param payload decompressed */
export function addContents(index: BlockIndex, payload: Uint8Array, { attributes, texts }: ContentFilters): void {
  for (const { signal, body } of requestsOf(index, payload, () => true)) {
    const records = walked(signal, body);
    if (records === null) {
      for (const filter of [...attributes, ...texts]) filter.giveUp();
      continue;
    }
    for (const filter of attributes) filter.addLists(records.pairs);
    for (const { messageStart, messageEnd } of texts.length === 0 ? [] : records) {
      for (const filter of texts) filter.add(body, messageStart, messageEnd);
    }
  }
}

function walked(signal: Signal, body: Uint8Array): RecordTable | null {
  try {
    return indexRequest(signal, body).records;
  } catch {
    return null; // an earlier version has let it pass: whatever it holds is worth more than a filter
  }
}
