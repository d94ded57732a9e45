/** Decoding whole messages through the generated descriptors, set so that whatever has passed the walk can be read. */
import { type DescMessage, fromBinary, type MessageShape } from '@bufbuild/protobuf';
import { configureTextEncoding } from '@bufbuild/protobuf/wire';
import { DEPTH_MAX } from './wire.ts';

const encoder = new TextEncoder();
const decoder = new TextDecoder('utf-8', { fatal: false, ignoreBOM: true });

// The library rejects a whole message for one byte that is no UTF-8; a record is worth more than that byte.
configureTextEncoding({
  checkUtf8: (text) => text.isWellFormed(),
  encodeUtf8: (text) => encoder.encode(text),
  decodeUtf8: (bytes) => decoder.decode(bytes),
});

// Each level of a value is up to three messages, and a record has a few of its own around it.
const OPTIONS = { readUnknownFields: false, recursionLimit: 3 * DEPTH_MAX + 16 };

export function decodeMessage<Desc extends DescMessage>(schema: Desc, bytes: Uint8Array): MessageShape<Desc> {
  return fromBinary(schema, bytes, OPTIONS);
}
