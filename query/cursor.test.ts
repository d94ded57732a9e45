import { expect, test } from 'vitest';
import { decodeCursor, encodeCursor } from './cursor.ts';

const question = { level: 'ERROR', component_id: 'a' };

test('gives back range and position, whatever the order of filters and whatever the limit', () => {
  const cursor = encodeCursor({ ...question, limit: 10 }, { start: 5n }, ['x', 'y']);
  expect(decodeCursor({ component_id: 'a', level: 'ERROR', limit: 500, cursor }, cursor, 2)).toEqual({
    range: { start: 5n },
    position: ['x', 'y'],
  });
});

test('is refused with other filters', () => {
  const cursor = encodeCursor(question, {}, ['x']);
  expect(() => decodeCursor({ ...question, level: 'INFO' }, cursor, 1)).toThrow(/other filters/);
});

const encoded = (value: unknown) => Buffer.from(JSON.stringify(value)).toString('base64url');

test.each([
  '',
  'zzz',
  '!!!',
  encoded([]),
  encoded({ a: 1 }),
  encoded([1, 'x', '', '', 5]),
  encoded([1, 'x', '-1', '', 'a']),
])('%j is refused', (cursor) => {
  expect(() => decodeCursor(question, cursor, 1)).toThrow(expect.objectContaining({ code: 'MALFORMED' }));
});
