import { describe, expect, test } from 'vitest';
import { parseNanos } from '../model/time.ts';
import { minutesOf, parseTimeRange, parseWindow, windowView } from './params.ts';

const NOW = parseNanos('2026-11-22T12:00:00Z')!;
const HOUR = 3_600_000_000_000n;

describe('parseTimeRange', () => {
  test.each([
    ['90s', 90_000_000_000n],
    ['15m', 15n * 60_000_000_000n],
    ['1h', HOUR],
    ['last_1h', HOUR],
    ['24h', 24n * HOUR],
    ['last_24h', 24n * HOUR],
    ['7d', 7n * 24n * HOUR],
  ])('%s reaches that far back, and an hour ahead for fast clocks', (time_range, back) => {
    expect(parseTimeRange({ time_range }, NOW)).toEqual({ start: NOW - back, end: NOW + HOUR });
  });

  test.each([
    '',
    '1',
    'h',
    '1H',
    '0h',
    '-1h',
    '1.5h',
    '1h ',
    'last1h',
    'last_',
    'last_hour',
    '1w',
    'yesterday',
    '99999999h',
    '1h1m',
  ])('%j is refused by name', (time_range) => {
    expect(() => parseTimeRange({ time_range }, NOW)).toThrow(
      expect.objectContaining({ code: 'MALFORMED', fields: [expect.objectContaining({ field: 'time_range' })] }),
    );
  });

  test('further back than time began is the beginning', () => {
    expect(parseTimeRange({ time_range: '9999999d' }, NOW).start).toBe(0n);
  });

  test('start and end are taken to the nanosecond, in any zone, each alone too', () => {
    expect(parseTimeRange({ start: '2026-11-22T01:00:00.123456789+01:00', end: '2026-11-22T02:00:00Z' }, NOW)).toEqual({
      start: parseNanos('2026-11-22T00:00:00.123456789Z'),
      end: parseNanos('2026-11-22T02:00:00Z'),
    });
    expect(parseTimeRange({ start: '2026-11-22T00:00:00Z' }, NOW)).toEqual({
      start: parseNanos('2026-11-22T00:00:00Z'),
    });
    expect(parseTimeRange({ end: '2026-11-22T00:00:00Z' }, NOW)).toEqual({ end: parseNanos('2026-11-22T00:00:00Z') });
  });

  test.each([
    [{ start: 'noon' }, 'start'],
    [{ end: '2026-02-30T00:00:00Z' }, 'end'],
    [{ start: '2026-11-22T02:00:00Z', end: '2026-11-22T01:00:00Z' }, 'start'],
    [{ time_range: '1h', start: '2026-11-22T02:00:00Z' }, 'time_range'],
  ])('%j names %s', (input, field) => {
    expect(() => parseTimeRange(input, NOW)).toThrow(
      expect.objectContaining({ code: 'MALFORMED', fields: [expect.objectContaining({ field })] }),
    );
  });

  test('nothing asked is nothing bounded', () => {
    expect(parseTimeRange({ time_range: null }, NOW)).toEqual({});
  });
});

describe('parseWindow', () => {
  test('is the last hour unless said otherwise', () => {
    expect(parseWindow({}, NOW)).toEqual({ start: NOW - HOUR, end: NOW + HOUR });
    expect(parseWindow({ end: '2026-11-22T06:00:00Z' }, NOW)).toEqual({ start: NOW - 7n * HOUR, end: NOW - 6n * HOUR });
    expect(parseWindow({ start: '2026-11-22T06:00:00Z' }, NOW)).toEqual({ start: NOW - 6n * HOUR, end: NOW + HOUR });
  });

  test('is shown, and counted for rates, up to now', () => {
    expect(windowView(parseWindow({}, NOW), NOW)).toEqual({
      start: '2026-11-22T11:00:00.000000000Z',
      end: '2026-11-22T12:00:00.000000000Z',
    });
    expect(minutesOf(parseWindow({}, NOW), NOW)).toBe(60);
  });
});
