/** What the records of a block hold, read off its bytes once more: for filters that are no part of the block, or of more than one block. */
import type { AttributeFilterBuilder } from '../model/attribute-filter.ts';
import type { BlockIndex } from '../model/block.ts';
import type { TextFilterBuilder } from '../model/text-filter.ts';
import { attributeMarks } from '../otlp/attribute-marks.ts';
import { indexRequest } from '../otlp/walk.ts';
import { requestsOf } from './archive/lines.ts';

/** @param payload decompressed */
export function addAttributes(
  { header, columns, count }: BlockIndex,
  payload: Uint8Array,
  filter: AttributeFilterBuilder,
): void {
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
}

/** The messages within, found by the walk that found them at first. @param payload decompressed */
export function addTexts(index: BlockIndex, payload: Uint8Array, filter: TextFilterBuilder): void {
  for (const { signal, body } of requestsOf(index, payload, () => true)) {
    for (const { messageStart, messageEnd } of indexRequest(signal, body).records) {
      filter.add(body, messageStart, messageEnd);
    }
  }
}
