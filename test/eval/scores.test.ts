/** Our scores against those of the independent scorer, which printed the numbers below for the same small cases. */
import { expect, test } from 'vitest';
import { parseCsv } from './data.ts';
import { nabScore, type ScoredSeries } from './nab.ts';
import { scoreGroups } from './templates.ts';

const timestamps = Array.from({ length: 100 }, (_, i) =>
  new Date(Date.UTC(2026, 0, 1) + i * 60_000).toISOString().slice(0, 19).replace('T', ' '),
);
const span = (from: number, to: number) => [timestamps[from]!, timestamps[to]!] as const;

function series(seed: number, windows: ScoredSeries['windows']): ScoredSeries {
  return { timestamps, scores: timestamps.map((_, i) => ((i * 37 + seed * 11) % 101) / 100), windows };
}

test('anomalies: earliest detection counts, false alarms cost, what lies in probation is not scored', () => {
  const cases = [series(0, [span(30, 39), span(70, 79)]), series(1, [span(5, 12), span(50, 54)])];
  expect(nabScore(cases, 'best')).toBeCloseTo(42.5, 2);
  expect(nabScore(cases, 0.9)).toBeCloseTo(42.5, 2);
  expect(nabScore(cases, 0.5)).toBeCloseTo(-27.39, 2);
  expect(nabScore(cases, 2)).toBe(0);
});

test('templates: a group is right when it has exactly the lines of a true one', () => {
  const groups = (letters: string) => new Map([...letters].map((letter, i) => [String(i), letter]));
  expect(scoreGroups(groups('aaabbcccde'), groups('111234444'))).toEqual({
    ga: 0.4,
    fga: 0.4,
    groups: 5,
    trueGroups: 5,
  });
});

test('CSV: quoted fields hold commas, quotes and line breaks', () => {
  expect(parseCsv('A,B\n1,"x, ""y""\nz"\r\n2,\n')).toEqual([
    ['A', 'B'],
    ['1', 'x, "y"\nz'],
    ['2', ''],
  ]);
});
