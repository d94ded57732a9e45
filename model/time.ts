/** Nanosecond times: bigint inside, RFC 3339 UTC outside. */

export const NANOS_PER_MS = 1_000_000n;
export const NANOS_PER_MINUTE = 60_000_000_000n;
export const NANOS_PER_HOUR = 3_600_000_000_000n;
export const NANOS_PER_DAY = 86_400_000_000_000n;

/** RFC 3339 with nine decimals. Any uint64 fits: its last year is 2554. */
export function formatNanos(nanos: bigint): string {
  const minute = nanos / NANOS_PER_MINUTE;
  // Records of one block, and spans of one operation, are mostly of the same minute: through Date each time it was an eighth of what
  // live readers cost and a sixth of reading a correlation.
  if (minute !== lastMinute.number)
    lastMinute = { number: minute, text: new Date(Number(minute) * 60_000).toISOString().slice(0, 17) };
  const rest = Number(nanos - minute * NANOS_PER_MINUTE);
  const second = Math.floor(rest / 1e9);
  return `${lastMinute.text}${second < 10 ? '0' : ''}${second}.${String(rest - second * 1e9).padStart(9, '0')}Z`;
}

let lastMinute = { number: -1n, text: '' };

const RFC3339 = /^(\d{4})-(\d\d)-(\d\d)[Tt ](\d\d):(\d\d):(\d\d)(?:\.(\d{1,9})\d*)?([Zz]|[+-]\d\d:?\d\d)?$/;

/** Nanoseconds of an RFC 3339 time, all decimals kept; without an offset it is UTC. Null when it is none or before 1970. */
export function parseNanos(text: string): bigint | null {
  const match = RFC3339.exec(text);
  if (match === null) return null;
  const [, year, month, day, hour, minute, second, fraction = '', zone = 'Z'] = match;
  const offset = zone.toUpperCase() === 'Z' ? 'Z' : `${zone.slice(0, 3)}:${zone.slice(-2)}`;
  const ms = Date.parse(`${year}-${month}-${day}T${hour}:${minute}:${second}Z`);
  const shifted = Date.parse(`${year}-${month}-${day}T${hour}:${minute}:${second}${offset}`);
  // Date.parse rolls nothing over but accepts 24:00; the day must read back as written.
  if (Number.isNaN(ms) || Number.isNaN(shifted) || new Date(ms).getUTCDate() !== Number(day) || shifted < 0)
    return null;
  return BigInt(shifted) * NANOS_PER_MS + BigInt(fraction.padEnd(9, '0'));
}

/** `YYYY-MM-DD`, the name of the day partition that holds a time. */
export function dayOf(nanos: bigint): string {
  const day = nanos / NANOS_PER_DAY;
  // Asked for each record that arrives, nearly always of the same day: formatting it was 4% of the ingest path.
  if (day !== lastDay.number) lastDay = { number: day, text: formatNanos(nanos).slice(0, 10) };
  return lastDay.text;
}

let lastDay = { number: -1n, text: '' };

/** The start of the hour, in nanoseconds. */
export function hourOf(nanos: bigint): bigint {
  return nanos - (nanos % NANOS_PER_HOUR);
}

/** The start of the minute, in nanoseconds. */
export function minuteOf(nanos: bigint): bigint {
  return nanos - (nanos % NANOS_PER_MINUTE);
}
