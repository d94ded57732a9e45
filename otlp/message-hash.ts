/** A hash of a protobuf message that does not depend on how it was written, so that JSON and protobuf, and every SDK's encoder, agree. */
import { ContentHash } from '../model/hash.ts';
import { FIXED32, FIXED64, LENGTH, VARINT, WireReader } from './wire.ts';

export class MessageHasher {
  readonly #reader: WireReader;
  readonly #hash = new ContentHash();

  constructor(bytes: Uint8Array) {
    this.#reader = new WireReader(bytes);
  }

  /** Of the message at [start, end): fields in ascending order whatever their order on the wire, defaults left out whether sent or not. */
  hash(start: number, end: number): bigint {
    const reader = this.#reader.over(start, end);
    const hash = this.#hash.reset();
    let last = 0;
    while (reader.next()) {
      if (reader.field < last) return this.#sorted(start, end);
      last = reader.field;
      addField(hash, reader);
    }
    return hash.digest();
  }

  #sorted(start: number, end: number): bigint {
    const reader = this.#reader.over(start, end);
    const fields: { field: number; at: number }[] = [];
    for (let at = start; reader.next(); at = reader.position) {
      fields.push({ field: reader.field, at });
      reader.skip();
    }
    fields.sort((a, b) => a.field - b.field); // stable: repeated fields keep their order
    const hash = this.#hash.reset();
    for (const { at } of fields) {
      reader.over(at, end).next();
      addField(hash, reader);
    }
    return hash.digest();
  }
}

function addField(hash: ContentHash, reader: WireReader): void {
  const { field, wireType } = reader;
  if (wireType === LENGTH) {
    const start = reader.range();
    const length = reader.position - start;
    if (length > 0) hash.number(field).number(length).bytes(reader.bytes, start, reader.position);
  } else if (wireType === VARINT) {
    const value = reader.varint64();
    if (value !== 0n) hash.number(field).bigint(value);
  } else if (wireType === FIXED64) {
    const value = reader.fixed64();
    if (value !== 0n) hash.number(field).bigint(value);
  } else if (wireType === FIXED32) {
    const value = reader.fixed32();
    if (value !== 0) hash.number(field).number(value);
  } else reader.skip();
}
