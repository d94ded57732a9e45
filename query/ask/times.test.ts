import { describe, expect, test } from 'vitest';
import { formatNanos, parseNanos } from '../../model/time.ts';
import { findTimes } from './times.ts';
import { wordsOf } from './words.ts';

// A Sunday.
const NOW = parseNanos('2026-11-22T16:30:00Z')!;

function timesIn(question: string): string[] {
  const words = wordsOf(question);
  return findTimes(words, NOW).times.map(({ start, end, relative, isNow }) =>
    isNow ? 'now' : (relative ?? `${formatNanos(start).slice(0, 16)}/${formatNanos(end).slice(0, 16)}`),
  );
}

describe('times as people say them', () => {
  test.each([
    ['what failed in the last 15 minutes', '15m'],
    ['errors over the past two hours', '2h'],
    ['in the last hour', '1h'],
    ['last 7 days', '7d'],
    ['past week', '7d'],
    ['the past half hour', '30m'],
    ['during the last couple of hours', '2h'],
    ['in the past half an hour', '30m'],
    ['24h', '24h'],
    ['last_1h', '1h'],
    ['since 10:30', '2026-11-22T10:30/2026-11-22T16:30'],
    ['since 23:00', '2026-11-21T23:00/2026-11-22T16:30'],
    ['since an hour ago', '2026-11-22T15:30/2026-11-22T16:30'],
    ['since yesterday', '2026-11-21T00:00/2026-11-22T16:30'],
    ['an hour ago', '2026-11-22T15:00/2026-11-22T16:00'],
    ['20 minutes ago', '2026-11-22T16:05/2026-11-22T16:15'],
    ['yesterday', '2026-11-21T00:00/2026-11-21T23:59'],
    ['yesterday 14:00–15:00', '2026-11-21T14:00/2026-11-21T15:00'],
    ['yesterday between 2pm and 3pm', '2026-11-21T14:00/2026-11-21T15:00'],
    ['between 14:00 and 15:00 yesterday', '2026-11-21T14:00/2026-11-21T15:00'],
    ['from 9:00 to 10:15', '2026-11-22T09:00/2026-11-22T10:15'],
    ['between 23:30 and 0:30', '2026-11-21T23:30/2026-11-22T00:30'],
    ['at 12:05 UTC', '2026-11-22T12:00/2026-11-22T12:10'],
    ['around noon', '2026-11-22T11:55/2026-11-22T12:05'],
    ['this morning', '2026-11-22T05:00/2026-11-22T12:00'],
    ['on monday', '2026-11-16T00:00/2026-11-16T23:59'],
    ['on 2026-11-20', '2026-11-20T00:00/2026-11-20T23:59'],
    ['on Nov 3', '2026-11-03T00:00/2026-11-03T23:59'],
    ['2026-11-22T10:00:00Z/2026-11-22T11:00:00Z', '2026-11-22T10:00/2026-11-22T11:00'],
    ['from 2026-11-22T10:00:00Z to 2026-11-22T11:00:00Z', '2026-11-22T10:00/2026-11-22T11:00'],
    ['before 10:00', '2026-11-22T09:00/2026-11-22T10:00'],
  ])('%s', (question, time) => {
    expect(timesIn(question)).toEqual([time]);
  });

  test.each([
    ['compare now with an hour ago', ['now', '2026-11-22T15:00/2026-11-22T16:00']],
    ['last hour vs the hour before', ['1h', '1h']],
    ['how are 3 services', []],
    ['give me a second', []],
    ['is it over now', ['now']],
    ['from 10:00 until now', ['2026-11-22T10:00/2026-11-22T16:30']],
    ['why does order 12 fail', []],
  ])('%s', (question, times) => {
    expect(timesIn(question)).toEqual(times);
  });

  test.each(['before the deploy', 'since our last release', 'after the restart'])(
    '%s is for the asker to say',
    (question) => {
      expect(findTimes(wordsOf(question), NOW)).toMatchObject({ times: [], untold: expect.any(String) });
    },
  );
});
