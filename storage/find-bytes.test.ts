import fc from 'fast-check';
import { expect, test } from 'vitest';
import { decodeIndex, decodePayload } from '../model/block.ts';
import { readBlock } from '../otlp/read.ts';
import { type LogSpec, logBlock, NOON } from '../test/support/blocks.ts';
import { holds } from './contract.ts';
import { contentMatcher } from './match.ts';

const words = fc.array(
  fc.constantFrom('Kiel', '\u212aiel', '\u0130x', 'straße', 'ÉTÉ', 'a', 'B-17', 'tok_1a', ' ', '=', '日本'),
  {
    maxLength: 6,
  },
);
const text = words.map((parts) => parts.join(''));
const value = fc.oneof(text, fc.integer(), fc.constantFrom('true', '12', 'YWJj', 'null'));
const logs = fc.array(
  fc.record({
    message: text,
    template: fc.constantFrom('0123456789abcdef', undefined),
    attributes: fc.dictionary(fc.constantFrom('key', 'k.1'), value, { maxKeys: 2 }),
    resource: fc.dictionary(fc.constantFrom('key', 'r'), text, { maxKeys: 1 }),
  }),
  { minLength: 1, maxLength: 5 },
);

test('looking at the filters and the bytes first changes no answer', () => {
  const asked = fc.record(
    {
      q: text,
      regex: fc.constantFrom(
        '\\x42-\\d+',
        '\\pLiel',
        '\\Qtok_1\\E',
        'B-\\d+',
        'tok_1?a',
        'a+B',
        '(?i)kiel',
        'x|=',
        'a{1,2}B',
      ),
      attributes: fc.dictionary(fc.constantFrom('key', 'r'), value.map(String), { minKeys: 1, maxKeys: 1 }),
    },
    { requiredKeys: [] },
  );
  fc.assert(
    fc.property(logs, asked, (specs, { attributes, ...rest }) => {
      const query = { ...rest, ...(attributes !== undefined && { attributes: new Map(Object.entries(attributes)) }) };
      const matcher = contentMatcher(query);
      fc.pre(matcher !== null);
      const block = logBlock(specs.map((spec, i): LogSpec => ({ ...(spec as LogSpec), time: NOON + BigInt(i) })));
      const index = decodeIndex(block.index);
      const payload = decodePayload(block.payload);
      const records = readBlock(index, payload);
      const mayHold = matcher!.mayHold(index) && holds(matcher!.probe, block.filters);
      const canMatch = matcher!.canMatch(index, payload);
      for (let i = 0; i < records.count; i++) {
        if (!matcher!.matches(records.event(i, () => undefined))) continue;
        expect([mayHold, canMatch?.(i)]).toEqual([true, true]);
      }
    }),
    { numRuns: 400 },
  );
});

test('records that do not hold the text are not decoded', () => {
  const block = logBlock([
    { time: NOON, message: 'paid by card', template: '00' },
    { time: NOON + 1n, message: 'Refused by BANK', template: '00', attributes: { reason: 'limit' } },
  ]);
  const [index, payload] = [decodeIndex(block.index), decodePayload(block.payload)];
  const canMatch = (query: Parameters<typeof contentMatcher>[0]) => contentMatcher(query)!.canMatch(index, payload);
  expect([0, 1].map(canMatch({ q: 'refused' })!)).toEqual([false, true]);
  expect([0, 1].map(canMatch({ attributes: new Map([['reason', 'limit']]) })!)).toEqual([false, true]);
  expect([0, 1].map(canMatch({ q: 'nowhere' })!)).toEqual([false, false]);
  expect([0, 1].map(canMatch({ regex: 'by \\w+ cheque' })!)).toEqual([false, false]);
  expect(canMatch({ attributes: new Map([['nowhere', 'limit']]) })).toBe(null);
});

test.each([
  ['the Kelvin sign', '\u212aiel', 'kiel'],
  ['the dotted I', 'x \u0130stanbul', 'x i'],
])('%s is found by its lower case', (_, message, q) => {
  const block = logBlock([{ time: NOON, message, template: '00' }]);
  const index = decodeIndex(block.index);
  expect(contentMatcher({ q })!.canMatch(index, decodePayload(block.payload))?.(0)).toBe(true);
});
