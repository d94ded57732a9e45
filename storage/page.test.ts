import fc from 'fast-check';
import { expect, it } from 'vitest';
import { eventId } from '../model/ids.ts';
import { NewestPage } from './page.ts';

const record = fc.record({ time: fc.bigInt({ min: 0n, max: 4n }), hash: fc.bigInt({ min: 0n, max: 4n }) });

it('a page holds the newest distinct ids of all that it was given', () => {
  fc.assert(
    fc.property(fc.array(record, { maxLength: 60 }), fc.integer({ min: 1, max: 10 }), (records, size) => {
      const page = new NewestPage<string>(size);
      for (const [i, { time, hash }] of records.entries()) {
        if (page.takes(time)) page.add(time, hash, 'block', i);
      }
      const distinct = [...new Set(records.map(({ time, hash }) => eventId(time, hash)))].sort().reverse();
      expect(page.isFull).toBe(distinct.length >= size);
      expect(page.oldest).toBe(distinct[Math.min(size, distinct.length) - 1]);
      expect(page.newestFirst().map(({ id }) => id)).toEqual(distinct.slice(0, size));
    }),
  );
});
