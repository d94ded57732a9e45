/**
 * Protobuf's wire, read in place: tags, varints, ranges. Nothing is copied; strings are decoded only where somebody asks.
 * Encoding: https://protobuf.dev/programming-guides/encoding/
 */
import { DebugError } from '../base/errors.ts';

export const VARINT = 0;
export const FIXED64 = 1;
export const LENGTH = 2;
export const FIXED32 = 5;

const GROUP_START = 3;
const GROUP_END = 4;

/** Deepest nesting of values, groups and JSON that is read; what lies deeper is an attack, not telemetry. */
export const DEPTH_MAX = 64;

/** A cursor over a range of bytes. After {@link WireReader.next}, `field` and `wireType` say what stands at `position`. */
export class WireReader {
  readonly bytes: Uint8Array;
  position: number;
  end: number;
  field = 0;
  wireType = 0;
  readonly #view: DataView;

  constructor(bytes: Uint8Array, start = 0, end = bytes.length) {
    this.bytes = bytes;
    this.position = start;
    this.end = end;
    this.#view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  }

  /** Goes over another range of the same bytes. */
  over(start: number, end: number): this {
    this.position = start;
    this.end = end;
    return this;
  }

  /** Reads the next tag; false at the end of the range. */
  next(): boolean {
    if (this.position >= this.end) return false;
    const tag = this.varint();
    this.field = tag >>> 3;
    this.wireType = tag & 7;
    if (this.field === 0) throw malformed('field number 0', this.position);
    return true;
  }

  /** A varint's low 32 bits, as unsigned; up to ten bytes are read. */
  varint(): number {
    const { bytes, end } = this;
    let position = this.position;
    let value = 0;
    for (let shift = 0; shift < 70; shift += 7) {
      if (position >= end) throw malformed('truncated varint', this.position);
      const byte = bytes[position++]!;
      if (shift < 32) value |= (byte & 0x7f) << shift;
      if (byte < 0x80) {
        this.position = position;
        return value >>> 0;
      }
    }
    throw malformed('varint over ten bytes', this.position);
  }

  /** A varint whole, as a signed 64-bit integer. */
  varint64(): bigint {
    const start = this.position;
    const low = this.varint();
    if (this.position - start <= 4) return BigInt(low);
    let value = 0n;
    for (let i = start, shift = 0n; i < this.position; i++, shift += 7n) {
      value |= BigInt(this.bytes[i]! & 0x7f) << shift;
    }
    return BigInt.asIntN(64, value);
  }

  fixed64(): bigint {
    const start = this.#advance(8);
    return this.#view.getBigUint64(start, true);
  }

  fixed32(): number {
    const start = this.#advance(4);
    return this.#view.getUint32(start, true);
  }

  /** Reads a length and steps over what it spans. @returns its start; its end is `position` */
  range(): number {
    if (this.wireType !== LENGTH)
      throw malformed(`field ${this.field} has wire type ${this.wireType}, not 2`, this.position);
    return this.#advance(this.varint());
  }

  /** Steps over the field that {@link WireReader.next} stands at. */
  skip(depth = 0): void {
    switch (this.wireType) {
      case VARINT:
        this.varint();
        return;
      case FIXED64:
        this.#advance(8);
        return;
      case LENGTH:
        this.#advance(this.varint());
        return;
      case FIXED32:
        this.#advance(4);
        return;
      case GROUP_START: {
        if (depth >= DEPTH_MAX) throw malformed(`groups nested over ${DEPTH_MAX}`, this.position);
        const group = this.field;
        while (this.next()) {
          const wireType: number = this.wireType;
          if (wireType === GROUP_END) {
            if (this.field !== group) throw malformed('group ends another group', this.position);
            return;
          }
          this.skip(depth + 1);
        }
        throw malformed('group without end', this.position);
      }
      default:
        throw malformed(`wire type ${this.wireType}`, this.position);
    }
  }

  #advance(length: number): number {
    const start = this.position;
    if (length > this.end - start)
      throw malformed(`a length of ${length} where ${this.end - start} bytes remain`, start);
    this.position = start + length;
    return start;
  }
}

export function malformed(what: string, position: number): DebugError {
  return new DebugError('MALFORMED', `not an OTLP protobuf message: ${what} at byte ${position}`);
}

const decoder = new TextDecoder('utf-8', { fatal: false, ignoreBOM: true });

/** Text of a range; what is no UTF-8 becomes U+FFFD, as a record is worth more than its broken byte. */
export function textOf(bytes: Uint8Array, start: number, end: number): string {
  // Short ASCII is most of telemetry: at 8 bytes the loop takes 0.10 µs and TextDecoder's call 0.15, at 24 it is the other way.
  if (end - start <= 16) {
    let text = '';
    for (let i = start; i < end; i++) {
      const byte = bytes[i]!;
      if (byte >= 0x80) return decoder.decode(bytes.subarray(start, end));
      text += String.fromCharCode(byte);
    }
    return text;
  }
  return decoder.decode(bytes.subarray(start, end));
}

const HEX = Array.from({ length: 256 }, (_, byte) => byte.toString(16).padStart(2, '0'));

export function hexOf(bytes: Uint8Array, start: number, end: number): string {
  let text = '';
  for (let i = start; i < end; i++) text += HEX[bytes[i]!];
  return text;
}
