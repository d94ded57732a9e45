import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { dayOf, formatNanos, minuteOf, parseNanos } from './time.ts';

const UINT64_MAX = 2n ** 64n - 1n;
const nanos = fc.bigInt({ min: 0n, max: UINT64_MAX });

describe('times', () => {
  it('are written with nine decimals and read back exactly', () => {
    fc.assert(
      fc.property(nanos, (time) => {
        expect(parseNanos(formatNanos(time))).toBe(time);
      }),
    );
    expect(formatNanos(0n)).toBe('1970-01-01T00:00:00.000000000Z');
    expect(formatNanos(UINT64_MAX)).toBe('2554-07-21T23:34:33.709551615Z');
  });

  it('sort as texts as they do as numbers', () => {
    fc.assert(
      fc.property(nanos, nanos, (a, b) => {
        expect(formatNanos(a) < formatNanos(b)).toBe(a < b);
      }),
    );
  });

  it.each([
    ['2026-01-15T12:00:00Z', 1_768_478_400_000_000_000n],
    ['2026-01-15t12:00:00z', 1_768_478_400_000_000_000n],
    ['2026-01-15 12:00:00', 1_768_478_400_000_000_000n],
    ['2026-01-15T12:00:00.5Z', 1_768_478_400_500_000_000n],
    ['2026-01-15T12:00:00.123456789Z', 1_768_478_400_123_456_789n],
    ['2026-01-15T12:00:00.1234567899Z', 1_768_478_400_123_456_789n],
    ['2026-01-15T13:00:00+01:00', 1_768_478_400_000_000_000n],
    ['2026-01-15T06:30:00-0530', 1_768_478_400_000_000_000n],
    ['2024-02-29T00:00:00Z', 1_709_164_800_000_000_000n],
    ['1970-01-01T00:00:00Z', 0n],
  ])('reads %s', (text, time) => expect(parseNanos(text)).toBe(time));

  it.each([
    '',
    'now',
    '2026-01-15',
    '1768478400',
    '2026-1-15T12:00:00Z',
    '2026-02-29T00:00:00Z',
    '2026-04-31T00:00:00Z',
    '2026-13-01T00:00:00Z',
    '2026-01-15T24:00:00Z',
    '2026-01-15T12:60:00Z',
    '2026-01-15T12:00:00+25:00',
    '2026-01-15T12:00:00Zulu',
    '1969-12-31T23:59:59Z',
    '1970-01-01T00:30:00+01:00',
    ' 2026-01-15T12:00:00Z',
    '2026-01-15T12:00:00Z\n',
  ])('does not read %j', (text) => expect(parseNanos(text)).toBeNull());

  it('lie in the minute and the day that holds them', () => {
    fc.assert(
      fc.property(nanos, (time) => {
        const minute = minuteOf(time);
        expect(minute % 60_000_000_000n).toBe(0n);
        expect(time - minute).toBeLessThan(60_000_000_000n);
        expect(dayOf(time)).toBe(formatNanos(time).slice(0, 10));
      }),
    );
    // From one day to the next and back: the last one is remembered.
    const midnight = parseNanos('2026-01-16T00:00:00Z')!;
    expect([midnight - 1n, midnight, midnight - 1n].map(dayOf)).toEqual(['2026-01-15', '2026-01-16', '2026-01-15']);
  });
});
