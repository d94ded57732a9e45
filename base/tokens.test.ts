import { expect, test } from 'vitest';
import { createAuthenticate } from './tokens.ts';

const refused = expect.objectContaining({ code: 'UNAUTHENTICATED' });

test.each(['Bearer secret', 'bearer secret', 'BEARER  second '])('%s is let in', (header) => {
  expect(() => createAuthenticate(['secret', 'second'])(header)).not.toThrow();
});

test.each([
  undefined,
  '',
  'Bearer',
  'Bearer ',
  'secret',
  'Basic secret',
  'Bearer secre',
  'Bearer secretx',
  'Bearer secret second',
  'Bearer SECRET',
])('%s is not', (header) => expect(() => createAuthenticate(['secret', 'second'])(header)).toThrow(refused));

test('without tokens everybody is', () => expect(() => createAuthenticate([])(undefined)).not.toThrow());
