import fc from 'fast-check';
import { expect, test } from 'vitest';
import { createTextFinder } from './live-texts.ts';

const few = fc.string({ unit: fc.constantFrom('a', 'b', 'é', '🙂'), maxLength: 6 });

test('finds what stands in a text, as looking for each would', () => {
  fc.assert(
    fc.property(fc.array(few.filter((text) => text !== '')), few, few, (texts, a, b) => {
      const text = a + b;
      const wanted = new Set(texts.filter((each) => text.includes(each)));
      expect(createTextFinder(texts).find(text)).toEqual(wanted);
    }),
  );
});

test('finds texts within texts, and across each other', () => {
  const finder = createTextFinder(['he', 'she', 'hers', 'his']);
  expect([...finder.find('ushers')].sort()).toEqual(['he', 'hers', 'she']);
  expect(finder.find('hi')).toEqual(new Set());
});
