/**
 * Marks the attributes of records, resources and scopes in the filter of their block (model/attribute-filter.ts), read off the wire. What
 * answers find under a key is always marked; that more is (a key sent twice, events of a span that are no records) only makes the filter
 * fuller.
 */
import type { AttributeFilterBuilder } from '../model/attribute-filter.ts';
import { SIGNALS } from '../model/block.ts';
import type { AttributeMarker } from '../model/block-builder.ts';
import { TAG_1, TAG_2, TAG_2_VARINT, TAG_3_VARINT, VALUE_FIELD_MAX } from './attributes.ts';
import { Cursor } from './cursor.ts';
import { POINT_ATTRIBUTES } from './walk.ts';
import { LENGTH, VARINT } from './wire.ts';

export function attributeMarks(filter: AttributeFilterBuilder): AttributeMarker {
  return new Marks(filter);
}

const LOG = SIGNALS.indexOf('log');
const SPAN = SIGNALS.indexOf('span');
// 28 bits: status codes, ports and sizes. What is larger is read by a cursor, which takes longer than all the rest of an attribute.
const SHORT_VARINT_BYTES = 4;

class Marks implements AttributeMarker {
  readonly #filter: AttributeFilterBuilder;
  #bytes: Uint8Array = new Uint8Array();
  #view: DataView = new DataView(new ArrayBuffer(0));
  // Messages hold messages, those hold attributes, those hold values: no cursor is used twice at once.
  #message = new Cursor(this.#bytes, this.#view);
  #part = new Cursor(this.#bytes, this.#view);
  #point = new Cursor(this.#bytes, this.#view);
  #pair = new Cursor(this.#bytes, this.#view);
  #value = new Cursor(this.#bytes, this.#view);

  constructor(filter: AttributeFilterBuilder) {
    this.#filter = filter;
  }

  begin(body: Uint8Array): void {
    this.#bytes = body;
    this.#view = new DataView(body.buffer, body.byteOffset, body.byteLength);
    const cursor = () => new Cursor(body, this.#view);
    this.#message = cursor();
    this.#part = cursor();
    this.#point = cursor();
    this.#pair = cursor();
    this.#value = cursor();
  }

  resource(start: number, end: number): void {
    this.#holder(this.#message, start, end, 1);
  }

  scope(start: number, end: number): void {
    this.#holder(this.#message, start, end, 3);
  }

  record(signal: number, start: number, end: number): void {
    try {
      if (signal === LOG) this.#holder(this.#message, start, end, 6);
      else if (signal === SPAN) this.#span(start, end);
      else this.#metric(start, end);
    } catch {
      // The walk has let it pass; whatever it holds is worth more than a filter.
      this.#filter.giveUp();
    }
  }

  #holder(reader: Cursor, start: number, end: number, attributesField: number): void {
    reader.over(start, end);
    while (reader.next()) {
      if (reader.field === attributesField) this.#attribute(reader.range(), reader.position);
      else reader.skip();
    }
  }

  #span(start: number, end: number): void {
    const reader = this.#message.over(start, end);
    while (reader.next()) {
      if (reader.field === 9) this.#attribute(reader.range(), reader.position);
      else if (reader.field === 11) this.#holder(this.#part, reader.range(), reader.position, 3);
      else reader.skip();
    }
  }

  #metric(start: number, end: number): void {
    const reader = this.#message.over(start, end);
    while (reader.next()) {
      const attributesField = POINT_ATTRIBUTES[reader.field];
      if (attributesField === undefined) {
        reader.skip();
        continue;
      }
      const points = this.#part.over(reader.range(), reader.position);
      while (points.next()) {
        if (points.field === 1) this.#holder(this.#point, points.range(), points.position, attributesField);
        else points.skip();
      }
    }
  }

  /**
   * As every exporter writes it, a short key and then a short text, integer or boolean, it is read without a cursor. The test of that stands
   * in attributes.ts as well: one function for both made each dearer in `npm run bench -- --only decode`.
   */
  #attribute(start: number, end: number): void {
    const bytes = this.#bytes;
    const keyEnd = start + 2 + bytes[start + 1]!;
    const valueStart = keyEnd + 4;
    if (
      valueStart <= end &&
      end - keyEnd < 0x82 &&
      bytes[start] === TAG_1 &&
      bytes[start + 1]! < 0x80 &&
      bytes[keyEnd] === TAG_2 &&
      bytes[keyEnd + 1] === end - keyEnd - 2
    ) {
      const tag = bytes[keyEnd + 2]!;
      if (tag === TAG_1 && bytes[keyEnd + 3] === end - valueStart) {
        return this.#filter.text(this.#view, start + 2, keyEnd, valueStart, end);
      }
      if (tag === TAG_3_VARINT) {
        const value = shortVarint(bytes, keyEnd + 3, end);
        if (value >= 0) return this.#filter.integer(this.#view, start + 2, keyEnd, value, 0);
      }
      if (tag === TAG_2_VARINT && valueStart === end && bytes[keyEnd + 3]! < 0x80) {
        return this.#filter.other(this.#view, start + 2, keyEnd);
      }
    }
    this.#attributeInAnyOrder(start, end);
  }

  #attributeInAnyOrder(start: number, end: number): void {
    const pair = this.#pair.over(start, end);
    let keyStart = 0;
    let keyEnd = 0;
    let valueStart = 0;
    let valueEnd = -1;
    let values = 0;
    while (pair.next()) {
      if (pair.field === 1) {
        keyStart = pair.range();
        keyEnd = pair.position;
      } else if (pair.field === 2) {
        values++;
        valueStart = pair.range();
        valueEnd = pair.position;
      } else pair.skip();
    }
    // A value in two pieces is put together by who decodes it.
    if (values > 1) return this.#filter.giveUp();
    if (valueEnd < 0) return this.#filter.other(this.#view, keyStart, keyEnd);
    const value = this.#value.over(valueStart, valueEnd);
    let fields = 0;
    let text = -1;
    let textEnd = 0;
    let isInteger = false;
    while (value.next()) {
      if (value.field <= VALUE_FIELD_MAX) fields++;
      if (value.field === 1 && value.wireType === LENGTH) {
        text = value.range();
        textEnd = value.position;
      } else if (value.field === 3 && value.wireType === VARINT) {
        value.varintPair();
        isInteger = true;
      } else value.skip();
    }
    if (fields > 1) this.#filter.giveUp();
    else if (text >= 0) this.#filter.text(this.#view, keyStart, keyEnd, text, textEnd);
    else if (isInteger) this.#filter.integer(this.#view, keyStart, keyEnd, value.low, value.high);
    else this.#filter.other(this.#view, keyStart, keyEnd);
  }
}

/** The number that fills the range; -1 where it is longer than SHORT_VARINT_BYTES, or does not. */
function shortVarint(bytes: Uint8Array, start: number, end: number): number {
  if (end - start > SHORT_VARINT_BYTES) return -1;
  let value = 0;
  for (let i = start, shift = 0; i < end; i++, shift += 7) {
    value |= (bytes[i]! & 0x7f) << shift;
    if (bytes[i]! < 0x80) return i === end - 1 ? value : -1;
  }
  return -1;
}
