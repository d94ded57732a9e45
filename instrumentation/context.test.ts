import { createContextKey, ROOT_CONTEXT } from '@opentelemetry/api';
import fc from 'fast-check';
import { expect, it } from 'vitest';
import { EMPTY_CONTEXT } from './context.ts';

const keys = ['a', 'b', 'c'].map(createContextKey);

it('holds what the context of the API holds, whatever is set and deleted', () => {
  const step = fc.record({ key: fc.constantFrom(...keys), value: fc.option(fc.nat(9), { nil: undefined }) });
  fc.assert(
    fc.property(fc.array(step, { maxLength: 12 }), (steps) => {
      let ours = EMPTY_CONTEXT;
      let theirs = ROOT_CONTEXT;
      for (const { key, value } of steps) {
        const [before, held] = [ours, keys.map((key) => ours.getValue(key))];
        ours = value === undefined ? ours.deleteValue(key) : ours.setValue(key, value);
        theirs = value === undefined ? theirs.deleteValue(key) : theirs.setValue(key, value);
        expect(keys.map((key) => before.getValue(key))).toEqual(held);
        expect(keys.map((key) => ours.getValue(key))).toEqual(keys.map((key) => theirs.getValue(key)));
      }
    }),
  );
});
