import { describe, expect, it } from 'vitest';
import { bar, clipped, duration, plain, stretch, table, wrapped } from './terminal.ts';

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
  expect([119 * 60_000, 3 * 3_600_000, 47 * 3_600_000, 1e9].map(duration)).toEqual([
    '119.0 min',
    '3.0 h',
    '47.0 h',
    '11.6 d',
  ]);
});

describe('in a narrow terminal', () => {
  const narrow = Object.assign((_: string, text: string) => text, { width: 60 });
  const long = 'a title that is longer than there is room for in sixty characters';
  const columns = [
    { title: 'n', right: true },
    { title: 'insight', flexible: true },
    { title: 'id', below: true },
  ];
  const widest = (text: string) => Math.max(...text.split('\n').map((line) => line.length));

  it('one column gives way, and what would leave it too little stands below it', () => {
    expect(table(columns, [['1', long, 'f'.repeat(32)]], narrow)).toBe(
      `n  insight\n1  ${long.slice(0, 56)}…\n   ${'f'.repeat(32)}\n`,
    );
    expect(table(columns, [['1', long, 'ffff']], narrow)).toBe(
      `n  insight${' '.repeat(46)}  id\n1  ${long.slice(0, 50)}…  ffff\n`.replace(' '.repeat(46), ' '.repeat(44)),
    );
    expect(widest(table(columns, [['1', long, 'ffff']], narrow))).toBe(60);
  });

  it('what fits, or goes to no terminal, is left as it is', () => {
    expect(table(columns, [['1', 'short', 'ff']], narrow)).toBe('n  insight  id\n1  short    ff\n');
    expect(table(columns, [['1', long, 'f'.repeat(32)]], (_, text) => text)).toContain(`1  ${long}  ffff`);
  });

  it('prose is broken between words', () => {
    expect(wrapped(long, narrow, 4)).toBe('a title that is longer than there is room for in sixty\n    characters');
    expect(wrapped(long, (_, text) => text)).toBe(long);
    expect(wrapped('x'.repeat(100), narrow)).toBe('x'.repeat(100));
  });
});
