import { describe, expect, it } from 'vitest';
import { bar, clipped, duration, plain, stretch, table } from './terminal.ts';

describe('text of telemetry', () => {
  it.each([
    ['\u001b[2J\u001b[1;31mgone', '[2J [1;31mgone'],
    ['title\u001b]0;owned\u0007', 'title ]0;owned'],
    ['one\r\ntwo\n\nthree', 'one two three'],
    ['back\u0008\u007fspace', 'back space'],
    ['right\u202eto left\u200b', 'right to left'],
    ['c1 \u009b31m', 'c1  31m'],
    ['grüße ☃ 😀', 'grüße ☃ 😀'],
  ])('%j moves no cursor', (text, shown) => expect(plain(text)).toBe(shown));

  it('is cut between characters', () => expect(clipped('😀😀😀', 2)).toBe('😀…'));
});

it('a table is as wide as its cells, colours not counted', () => {
  const red = (text: string) => `\u001b[31m${text}\u001b[39m`;
  const text = table(
    [{ title: 'name' }, { title: 'n', right: true }],
    [
      [red('a'), '1'],
      ['long name', '23'],
    ],
    (_, t) => t,
  );
  expect(text).toBe(`name        n\n${red('a')}           1\nlong name  23\n`);
});

it('bars and stretches keep their width', () => {
  expect([bar(0, 4), bar(0.5, 4), bar(1, 4), bar(7, 4)]).toEqual(['', '██', '████', '████']);
  expect([stretch(0, 1, 4), stretch(0.5, 0.5, 4), stretch(1, 1, 4)]).toEqual(['━━━━', '  ━', '   ━']);
});

it('durations have three figures', () => {
  expect([0.123456, 12.345, 1234, 90_000].map(duration)).toEqual(['0.123 ms', '12.3 ms', '1.23 s', '1.5 min']);
});
