/** A hash of a protobuf message that does not depend on how it was written, so that JSON and protobuf, and every SDK's encoder, agree. */
import { ContentHash } from '../model/hash.ts';
import { Cursor } from './cursor.ts';
import { FIXED32, FIXED64, LENGTH, VARINT } from './wire.ts';

/**
 * Hashes the message at a range: fields in ascending order whatever their order on the wire, defaults left out whether sent or
 * not. Nested messages count as the bytes they are.
 */
export class MessageHasher {
  /** The digest's halves, after {@link MessageHasher.hash}. */
  high = 0;
  low = 0;
  readonly #reader: Cursor;
  readonly #hash = new ContentHash();

  constructor(bytes: Uint8Array, view: DataView) {
    this.#reader = new Cursor(bytes, view);
  }

  hash(start: number, end: number): void {
    const reader = this.#reader.over(start, end);
    const hash = this.#hash.reset();
    let last = 0;
    while (reader.next()) {
      if (reader.field < last) return this.#sorted(start, end);
      last = reader.field;
      addField(hash, reader);
    }
    this.#end();
  }

  #sorted(start: number, end: number): void {
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
    this.#end();
  }

  #end(): void {
    const { high, low } = this.#hash.end();
    this.high = high;
    this.low = low;
  }
}

/** Steps over the field that the cursor stands at, and feeds it. */
export function addField(hash: ContentHash, reader: Cursor): void {
  const { field, wireType } = reader;
  if (wireType === LENGTH) {
    const start = reader.range();
    const length = reader.position - start;
    if (length > 0) hash.field(field, reader.view, start, reader.position);
  } else if (wireType === VARINT) {
    reader.varintPair();
    if ((reader.low | reader.high) !== 0) hash.number(field).pair(reader.high, reader.low);
  } else if (wireType === FIXED64) {
    reader.fixedPair();
    if ((reader.low | reader.high) !== 0) hash.number(field).pair(reader.high, reader.low);
  } else if (wireType === FIXED32) {
    const value = reader.fixed32();
    if (value !== 0) hash.number(field).number(value);
  } else reader.skip();
}
