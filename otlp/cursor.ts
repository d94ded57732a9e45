/** The reader of the hot path: what nearly every field is (a tag, a length, a number of one byte) is read without a call. */
import { FIXED64, LENGTH, malformed, VARINT, WireReader } from './wire.ts';

/** A WireReader that is faster where a walk spends its time, and reads 64 bits as two words instead of making a bigint. */
export class Cursor extends WireReader {
  readonly view: DataView;
  /** Halves of what {@link Cursor.fixedPair} or {@link Cursor.varintPair} read, unsigned. */
  low = 0;
  high = 0;

  constructor(bytes: Uint8Array, view: DataView) {
    super(bytes, 0, 0);
    this.view = view;
  }

  override next(): boolean {
    if (this.position >= this.end) return false;
    const tag = this.bytes[this.position]!;
    if (tag >= 0x80 || tag < 8) return super.next();
    this.position++;
    this.field = tag >>> 3;
    this.wireType = tag & 7;
    return true;
  }

  override range(): number {
    const { position } = this;
    if (this.wireType !== LENGTH || position >= this.end) return super.range();
    const length = this.bytes[position]!;
    const start = position + 1;
    if (length >= 0x80 || length > this.end - start) return super.range();
    this.position = start + length;
    return start;
  }

  /** The number of a varint field: its low 32 bits. @throws DebugError MALFORMED for another wire type */
  number(): number {
    if (this.wireType !== VARINT) throw this.mistyped(VARINT);
    const { position } = this;
    if (position < this.end && this.bytes[position]! < 0x80) return this.bytes[this.position++]!;
    return this.varint();
  }

  /** Reads a fixed64 field into `low` and `high`. @throws DebugError MALFORMED for another wire type */
  fixedPair(): void {
    if (this.wireType !== FIXED64) throw this.mistyped(FIXED64);
    const { position } = this;
    if (this.end - position < 8) this.skip(); // throws
    this.low = this.view.getUint32(position, true);
    this.high = this.view.getUint32(position + 4, true);
    this.position = position + 8;
  }

  /** Reads a varint whole into `low` and `high`. */
  varintPair(): void {
    const start = this.position;
    this.low = this.varint();
    this.high = 0;
    // Bytes hold 7 bits each: the fifth brings bits 28 to 34.
    for (let i = start + 4, shift = -4; i < this.position; i++, shift += 7) {
      const bits = this.bytes[i]! & 0x7f;
      this.high |= shift < 0 ? bits >>> -shift : bits << shift;
    }
    this.high >>>= 0;
  }

  mistyped(expected: number): Error {
    return malformed(`field ${this.field} has wire type ${this.wireType}, not ${expected}`, this.position);
  }
}
