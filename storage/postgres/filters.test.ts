import fc from 'fast-check';
import pg from 'pg';
import { afterAll, beforeAll, expect, inject, it } from 'vitest';
import { AttributeFilterBuilder, attributeProbe, keyHash, textPair } from '../../model/attribute-filter.ts';
import { TextFilterBuilder, textProbe } from '../../model/text-filter.ts';
import { holds } from '../contract.ts';
import { filterCondition } from './filters.ts';

let client: pg.Client;
beforeAll(async () => {
  client = new pg.Client(inject('pgUrl'));
  await client.connect();
});
afterAll(() => client?.end());

const NOTHING = new Uint8Array();
const KEY = 'key';
const WORDS = ['refused', 'card', 'by', 'timeout', 'order-17', '0042', 'été', '\u212aiel'];
const text = fc.array(fc.constantFrom(...WORDS), { maxLength: 4 }).map((words) => words.join(' '));
// Of few words and many, so that maps are folded less, and some are too full to say anything.
const held = [0, 100, 2_000, 20_000].flatMap((others) =>
  [[], ['refused by card'], ['order-17 0042', 'été \u212aiel'], WORDS].map((texts) => [...texts, ...lettersOf(others)]),
);
const broken = [null, NOTHING, Uint8Array.of(1), Uint8Array.of(2, 3, 3, 0), Uint8Array.of(1, 255, 255)];
const filters = fc.record({
  texts: fc.constantFrom(...held.map(textsOf), ...broken),
  attributes: fc.constantFrom(...held.map(attributesOf), ...broken.slice(0, 4)),
});

it('the server says of every filter what is said here', async () => {
  const asked = fc.record({ texts: fc.array(text, { maxLength: 2 }), values: fc.uniqueArray(text, { maxLength: 2 }) });
  let denied = 0;
  await fc.assert(
    fc.asyncProperty(fc.array(filters, { minLength: 1, maxLength: 20 }), asked, async (blocks, { texts, values }) => {
      const [ofTexts, ofValues] = [textProbe(texts), attributeProbe(values.map((value) => [KEY, value]))];
      const probe = {
        ...(ofTexts !== null && { texts: ofTexts }),
        ...(ofValues !== null && { attributes: ofValues }),
      };
      const asked = filterCondition(probe, 3);
      fc.pre(asked !== null);
      const { rows } = await client.query<{ n: string }>(
        `SELECT n FROM (
           SELECT n, ${asked!.columns} FROM unnest($1::bytea[], $2::bytea[]) WITH ORDINALITY AS block (texts, attributes, n)
           OFFSET 0) asked
         WHERE ${asked!.condition} ORDER BY n`,
        [blocks.map((one) => bytea(one.texts)), blocks.map((one) => bytea(one.attributes)), ...asked!.values],
      );
      const isHeld = blocks.map((one) =>
        holds(probe, { texts: one.texts ?? NOTHING, attributes: one.attributes ?? NOTHING }),
      );
      denied += isHeld.filter((one) => !one).length;
      expect(rows.map(({ n }) => Number(n))).toEqual(isHeld.flatMap((one, i) => (one ? [i + 1] : [])));
    }),
    { numRuns: 200 },
  );
  expect(denied).toBeGreaterThan(100);
});

function bytea(bytes: Uint8Array | null): Buffer | null {
  return bytes && Buffer.from(bytes);
}

function textsOf(texts: readonly string[]): Uint8Array {
  const builder = new TextFilterBuilder();
  for (const message of texts) {
    const bytes = Buffer.from(message);
    builder.add(bytes, 0, bytes.length);
  }
  return builder.build();
}

function attributesOf(values: readonly string[]): Uint8Array {
  const builder = new AttributeFilterBuilder();
  const key = viewOf(KEY);
  for (const value of values) {
    const view = viewOf(value);
    builder.add(textPair(keyHash(key, 0, key.byteLength), view, 0, view.byteLength));
  }
  return builder.build();
}

/** So many texts of letters alone. */
function lettersOf(many: number): string[] {
  return Array.from({ length: many }, (_, i) => (i * 2_654_435_761).toString(27).replace(/\d/g, 'z'));
}

function viewOf(value: string): DataView {
  const bytes = new TextEncoder().encode(value);
  return new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
}
