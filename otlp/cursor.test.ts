import { BinaryWriter } from '@bufbuild/protobuf/wire';
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { Cursor } from './cursor.ts';
import { WireReader } from './wire.ts';

const cursorOf = (bytes: Uint8Array) =>
  new Cursor(bytes, new DataView(bytes.buffer, bytes.byteOffset, bytes.length)).over(0, bytes.length);

test('64 bits come as two words, from a varint as from a fixed64', () => {
  fc.assert(
    fc.property(fc.bigInt({ min: 0n, max: 2n ** 64n - 1n }), (value) => {
      const cursor = cursorOf(new BinaryWriter().tag(1, 0).uint64(value).tag(2, 1).fixed64(value).finish());
      const pair = () => (BigInt(cursor.high) << 32n) | BigInt(cursor.low);
      cursor.next();
      cursor.varintPair();
      expect(pair()).toBe(value);
      cursor.next();
      cursor.fixedPair();
      expect(pair()).toBe(value);
      expect(cursor.next()).toBe(false);
    }),
  );
});

test('reads whatever bytes as the WireReader does, and refuses what that refuses', () => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 40 }), (bytes) => {
      expect(fieldsOf(cursorOf(bytes))).toEqual(fieldsOf(new WireReader(bytes)));
    }),
    { numRuns: 2000 },
  );
});

function fieldsOf(reader: WireReader): unknown[] {
  const seen: unknown[] = [];
  try {
    while (reader.next()) {
      const range = reader.wireType === 2 ? reader.range() : reader.skip();
      seen.push([reader.field, reader.wireType, range, reader.position]);
    }
  } catch (error) {
    seen.push((error as Error).message);
  }
  return seen;
}
