/**
 * Rows in the binary format of COPY, ready encoded: 1 µs a row where parameters cost 13 and text has to be parsed again
 * by the server (PERF.md). https://www.postgresql.org/docs/current/sql-copy.html, "Binary Format".
 */
export class CopyBinary {
  #buffer = Buffer.allocUnsafe(64 * 1024);
  #size = 0;

  constructor() {
    this.#size = SIGNATURE.copy(this.#buffer);
  }

  /** Begins a row; its fields follow in the order of the statement's columns. */
  row(fields: number): this {
    this.#reserve(2);
    this.#size = this.#buffer.writeInt16BE(fields, this.#size);
    return this;
  }

  int2(value: number): this {
    this.#field(2);
    this.#size = this.#buffer.writeInt16BE(value, this.#size);
    return this;
  }

  int4(value: number): this {
    this.#field(4);
    this.#size = this.#buffer.writeInt32BE(value, this.#size);
    return this;
  }

  /** @param value any 64 bits; those past 2^63 - 1 become negative */
  int8(value: bigint): this {
    this.#field(8);
    this.#size = this.#buffer.writeBigInt64BE(BigInt.asIntN(64, value), this.#size);
    return this;
  }

  /** @param hex 32 hex digits */
  uuid(hex: string): this {
    this.#field(16);
    this.#size += this.#buffer.write(hex, this.#size, 'hex');
    return this;
  }

  /** @param day `YYYY-MM-DD` */
  date(day: string): this {
    return this.int4((Date.parse(`${day}T00:00:00Z`) - EPOCH_MS) / DAY_MS);
  }

  /** @param text without NUL: see text.ts */
  text(text: string): this {
    const length = Buffer.byteLength(text);
    this.#field(length);
    this.#size += this.#buffer.write(text, this.#size);
    return this;
  }

  bytea(bytes: Uint8Array): this {
    this.#field(bytes.length);
    this.#buffer.set(bytes, this.#size);
    this.#size += bytes.length;
    return this;
  }

  /** Ends the rows. The writer is spent: the bytes are its own buffer. */
  end(): Uint8Array {
    this.#reserve(2);
    this.#size = this.#buffer.writeInt16BE(-1, this.#size);
    return this.#buffer.subarray(0, this.#size);
  }

  #field(length: number): void {
    this.#reserve(4 + length);
    this.#size = this.#buffer.writeInt32BE(length, this.#size);
  }

  #reserve(bytes: number): void {
    if (this.#size + bytes <= this.#buffer.length) return;
    const grown = Buffer.allocUnsafe(Math.max(this.#size + bytes, this.#buffer.length * 2));
    this.#buffer.copy(grown, 0, 0, this.#size);
    this.#buffer = grown;
  }
}

// The signature, no flags, no header extension.
const SIGNATURE = Buffer.from('PGCOPY\n\xff\r\n\0\0\0\0\0\0\0\0\0', 'latin1');
const DAY_MS = 86_400_000;
/** PostgreSQL counts days from 2000-01-01. */
const EPOCH_MS = Date.UTC(2000, 0, 1);
