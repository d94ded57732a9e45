/**
 * Times as they are said: "the last 15 minutes", "since 10:30", "yesterday between 2pm and 3pm", "2026-11-22", "an hour ago". All of it is
 * UTC; a time of day without a day is the latest one that has passed. What only the asker knows ("before the deploy") is said to be unclear.
 */
import { NANOS_PER_DAY, NANOS_PER_MINUTE, parseNanos } from '../../model/time.ts';
import { UNTOLD_MOMENTS } from './lexicon.ts';
import type { Word } from './words.ts';

/** Nanoseconds, inclusive. */
export interface SaidTime {
  start: bigint;
  end: bigint;
  /** `15m`, `2h`: up to now, as endpoints spell it. */
  relative?: string;
  /** Said as a distance back from now: "an hour ago". */
  agoNanos?: bigint;
  /** Said as the one before: "the previous hour". */
  previous?: boolean;
  /** Up to now: "since 10:30". */
  isOpen?: boolean;
  /** "now", "currently". */
  isNow?: boolean;
}

export interface SaidTimes {
  /** In the order said. */
  times: SaidTime[];
  /** A moment that nobody has told us: "deploy". */
  untold: string | null;
}

/** Marks what it understood as `time`. @param now nanoseconds */
export function findTimes(words: readonly Word[], now: bigint): SaidTimes {
  const times: SaidTime[] = [];
  let untold: string | null = null;
  const take = (from: number, length: number) => {
    for (const word of words.slice(from, from + length)) word.role = 'time';
  };
  for (let i = 0; i < words.length; ) {
    if (words[i]!.quoted || words[i]!.role !== undefined) {
      i++;
      continue;
    }
    const moment = untoldAt(words, i, now);
    if (moment !== null) {
      untold ??= moment.value;
      take(i, moment.length);
      i += moment.length;
      continue;
    }
    const found = rangeAt(words, i, now);
    if (found === null) i++;
    else {
      take(i, found.length);
      times.push(found.value);
      i += found.length;
    }
  }
  return { times, untold };
}

interface Found<T> {
  value: T;
  /** In words. */
  length: number;
}

/** A moment and how exactly it is said: all of a day, or a minute of it. */
interface Moment {
  at: bigint;
  until: bigint;
  /** A time of day without a day. */
  dayless?: boolean;
  agoNanos?: bigint;
}

function rangeAt(words: readonly Word[], from: number, now: bigint): Found<SaidTime> | null {
  const lead = countOf(words, from, LEADS);
  const start = from + lead;
  const said = words[start]?.word ?? '';
  const length = (upTo: number) => upTo - from;

  const whole = wholeRange(said);
  if (whole !== null) return { value: whole, length: length(start + 1) };
  if (BETWEEN.has(words[from]?.word ?? '') || BETWEEN.has(said)) {
    const open = BETWEEN.has(words[from]?.word ?? '') ? from + 1 : start + 1;
    const first = momentAt(words, open, now);
    const joint = first === null ? open : open + first.length;
    if (first !== null && JOINTS.has(words[joint]?.word ?? '')) {
      const second = momentAt(words, joint + 1, now);
      if (second !== null)
        return { value: spanOf(first.value, second.value), length: length(joint + 1 + second.length) };
    }
  }
  const recent = recentAt(words, start, now, lead > 0);
  if (recent !== null) return { value: recent.value, length: length(start + recent.length) };

  const anchor = words[from]?.word ?? '';
  const mode = SINCE.has(anchor) ? 'since' : BEFORE.has(anchor) ? 'before' : 'at';
  let at = mode === 'at' ? start : from + 1 + countOf(words, from + 1, ARTICLES);
  // "Since the deploy at 14:05" is since 14:05.
  if (mode !== 'at' && VERSION.test(words[at]?.word ?? '')) at++;
  if (mode !== 'at' && UNTOLD_MOMENTS.has(words[at]?.word ?? '')) at += 1 + countOf(words, at + 1, LEADS);
  // "Since ten minutes", as it is said in many languages.
  const amount = anchor === 'since' ? amountAt(words, at) : null;
  if (amount !== null && !AGO.has(words[at + amount[2]]?.word ?? '')) {
    const ago = amount[0] * UNIT_NANOS[amount[1]];
    return {
      value: { start: floor(now - ago), end: now, isOpen: true, agoNanos: ago },
      length: length(at + amount[2]),
    };
  }
  if (said === 'right' ? words[start + 1]?.word === 'now' : NOW.has(said) && mode === 'at')
    // "Is it over now": what stands before it is no part of it.
    return lead > 0 ? null : { value: { start: now, end: now, isNow: true }, length: said === 'right' ? 2 : 1 };
  // "This" and "last" lead most times; some begin with them.
  const part = mode === 'at' && lead > 0 && PARTS_OF_DAY[`${words[start - 1]!.word} ${said}`] !== undefined ? 1 : 0;
  const first = momentAt(words, at - part, now);
  if (first === null) return null;
  const behind = at - part + first.length;
  const isDay = first.value.until - first.value.at === NANOS_PER_DAY - 1n;
  if (mode === 'at' && isDay && BETWEEN.has(words[behind]?.word ?? '')) {
    const within = rangeAt(words, behind, now);
    if (within !== null && within.value.relative === undefined) {
      const shift = first.value.at - dayStart(within.value.start);
      const value = { start: within.value.start + shift, end: within.value.end + shift };
      return { value, length: length(behind + within.length) };
    }
  }
  if (mode === 'at') {
    const joint = JOINTS.has(words[behind]?.word ?? '') ? behind + 1 : behind;
    const second = words[joint]?.word === 'and' ? null : momentAt(words, joint, now);
    if (second !== null && first.value.agoNanos === undefined && second.value.agoNanos === undefined)
      return { value: spanOf(first.value, second.value), length: length(joint + second.length) };
  }
  return { value: around(first.value, mode, now), length: length(behind) };
}

function around(moment: Moment, mode: 'since' | 'before' | 'at', now: bigint): SaidTime {
  const ago = moment.agoNanos === undefined ? {} : { agoNanos: moment.agoNanos };
  if (mode === 'since') return { start: moment.at, end: now, isOpen: true, ...ago };
  if (mode === 'before') return { start: floor(moment.at - HOUR), end: moment.at, ...ago };
  if (moment.until > moment.at) return { start: moment.at, end: moment.until, ...ago };
  const reach = moment.agoNanos === undefined ? 5n * NANOS_PER_MINUTE : reachOf(moment.agoNanos);
  return { start: floor(moment.at - reach), end: moment.at + reach, ...ago };
}

/** How far around "N ago" is looked: the further back, the less exactly it is meant. */
function reachOf(agoNanos: bigint): bigint {
  return agoNanos < HOUR ? 5n * NANOS_PER_MINUTE : agoNanos < NANOS_PER_DAY ? 30n * NANOS_PER_MINUTE : 12n * HOUR;
}

function spanOf(first: Moment, second: Moment): SaidTime {
  let [start, end] = [first.at, second.until > second.at ? second.until : second.at];
  if (second.dayless && !first.dayless) end = second.at + (dayStart(first.at) - dayStart(second.at));
  else if (first.dayless && !second.dayless) start = first.at + (dayStart(second.at) - dayStart(first.at));
  // 23:00 to 01:00 passes midnight.
  if (end < start) start -= NANOS_PER_DAY;
  return { start: floor(start), end };
}

/** `15m`, `last_1h`, or both ends in RFC 3339 with a slash between, or two times of day with a dash. */
function wholeRange(text: string): SaidTime | null {
  const [a, b] = text.toUpperCase().split('/');
  if (b === undefined) return null;
  const [start, end] = [parseNanos(a!), parseNanos(b)];
  return start === null || end === null || end < start ? null : { start, end };
}

/** "last 15 minutes", "past hour", "previous day", "15m", "for two hours", "hour before". */
function recentAt(words: readonly Word[], from: number, now: bigint, led: boolean): Found<SaidTime> | null {
  let at = from;
  const recent = RECENT.has(words[at]?.word ?? '') ? words[at]!.word : null;
  if (recent !== null) at++;
  const amount = amountAt(words, at);
  const isThis = words[from - 1]?.word === 'this';
  const bare = UNITS[words[at]?.word ?? ''];
  const alone = recent !== null || isThis || words[at + 1]?.word === 'before';
  const [count, unit, length] = amount ?? [1n, bare !== undefined && alone ? bare : null, 1];
  const isCompact = /^(?:last_)?\d/.test(words[at]?.word ?? '') && length === 1;
  if (unit === null || count === 0n) return null;
  // "500s from front" are answers of a server, "the last 500s" is a time.
  if (recent === null && STATUSES.test(words[at]?.word ?? '')) return null;
  const behind = words[at + length]?.word ?? '';
  if (behind === 'ago' || behind === 'back' || behind === 'earlier') return null;
  const nanos = count * UNIT_NANOS[unit];
  const before = behind === 'before';
  if (recent === null && !isCompact && !led && !before) return null;
  const previous = before || recent === 'previous' || recent === 'preceding' || recent === 'prior';
  const relative = unit === 'w' ? `${count * 7n}d` : `${count}${unit}`;
  return {
    value: { start: floor(now - nanos), end: now, relative, ...(previous && { previous }) },
    length: at + length - from + (before ? 1 : 0),
  };
}

function momentAt(words: readonly Word[], from: number, now: bigint): Found<Moment> | null {
  const said = words[from]?.word ?? '';
  if (words[from]?.quoted) return null;
  if (said === 'now') return { value: { at: now, until: now }, length: 1 };
  const exact = said.includes('t') ? parseNanos(said.toUpperCase()) : null;
  if (exact !== null) return { value: { at: exact, until: exact }, length: 1 };

  const ago = agoAt(words, from);
  if (ago !== null)
    return { value: { at: floor(now - ago.value), until: 0n, agoNanos: ago.value }, length: ago.length };

  const part = PARTS_OF_DAY[`${said} ${words[from + 1]?.word ?? ''}`];
  if (part !== undefined) {
    const day = dayStart(now) - BigInt(part.daysBack) * NANOS_PER_DAY;
    return { value: { at: day + part.from * HOUR, until: day + part.to * HOUR }, length: 2 };
  }
  const day = dayAt(words, from, now);
  if (day !== null) {
    const gap = words[from + day.length]?.word === 'at' ? 1 : 0;
    const clock = clockAt(words, from + day.length + gap);
    if (clock === null) return { value: { at: day.value, until: day.value + NANOS_PER_DAY - 1n }, length: day.length };
    const at = day.value + clock.value.start;
    const until = clock.value.end === null ? at : day.value + clock.value.end;
    return { value: { at, until }, length: day.length + gap + clock.length };
  }
  const clock = clockAt(words, from);
  if (clock === null) return null;
  const later = words[from + clock.length]?.word === 'on' ? 1 : 0;
  const dated = dayAt(words, from + clock.length + later, now);
  const base = dated?.value ?? dayStart(now);
  const passed = dated !== null || base + clock.value.start <= now ? base : base - NANOS_PER_DAY;
  const at = passed + clock.value.start;
  const until = clock.value.end === null ? at : passed + clock.value.end;
  return {
    value: { at, until, ...(dated === null && { dayless: true }) },
    length: clock.length + (dated === null ? 0 : later + dated.length),
  };
}

function agoAt(words: readonly Word[], from: number): Found<bigint> | null {
  const amount = amountAt(words, from);
  if (amount === null) return null;
  const [count, unit, length] = amount;
  if (!AGO.has(words[from + length]?.word ?? '')) return null;
  return { value: count * UNIT_NANOS[unit], length: length + 1 };
}

/** "15m", "last_1h", "two hours", "half an hour", "a couple of days": how many of what, in how many words. */
function amountAt(words: readonly Word[], from: number): [count: bigint, unit: Unit, length: number] | null {
  const compact = /^(?:last_)?(\d{1,6})([a-z]+)$/.exec(words[from]?.word ?? '');
  const joined = compact === null ? undefined : UNITS[compact[2]!];
  if (compact !== null && joined !== undefined) return [BigInt(compact[1]!), joined, 1];
  const article = words[from]?.word === 'a' || words[from]?.word === 'an' ? 1 : 0;
  if (words[from + article]?.word === 'half') {
    const at = from + article + 1;
    const behind = words[at]?.word === 'a' || words[at]?.word === 'an' ? 1 : 0;
    const unit = UNITS[words[at + behind]?.word ?? ''];
    const half = unit === undefined ? undefined : HALVES[unit];
    return half === undefined ? null : [half[0], half[1], at + behind + 1 - from];
  }
  if (words[from + article]?.word === 'quarter') {
    const at = from + article + 1;
    const behind = ['of', 'an', 'a'].includes(words[at]?.word ?? '') ? (words[at]!.word === 'of' ? 2 : 1) : 0;
    return words[at + behind]?.word === 'hour' ? [15n, 'm', at + behind + 1 - from] : null;
  }
  const number = numberAt(words, from);
  const unit = number === null ? undefined : UNITS[words[from + number.length]?.word ?? ''];
  return number === null || unit === undefined ? null : [number.value, unit, number.length + 1];
}

/** Nanoseconds of the start of a day. */
function dayAt(words: readonly Word[], from: number, now: bigint): Found<bigint> | null {
  const said = words[from]?.word ?? '';
  if (said === 'today') return { value: dayStart(now), length: 1 };
  if (said === 'yesterday') return { value: dayStart(now) - NANOS_PER_DAY, length: 1 };
  const last = said === 'last' ? 1 : 0;
  const weekday = WEEKDAYS.indexOf((words[from + last]?.word ?? '').slice(0, 3) as (typeof WEEKDAYS)[number]);
  if (weekday >= 0 && WEEKDAY.test(words[from + last]!.word)) {
    const today = new Date(Number(now / 1_000_000n)).getUTCDay();
    const back = (today - weekday + 7) % 7 || (last === 1 ? 7 : 0);
    return { value: dayStart(now) - BigInt(back) * NANOS_PER_DAY, length: 1 + last };
  }
  const iso = /^\d{4}-\d{2}-\d{2}$/.test(said) ? parseNanos(`${said}T00:00:00Z`) : null;
  if (iso !== null) return { value: iso, length: 1 };
  const next = words[from + 1]?.word ?? '';
  for (const [month, number] of [
    [said, next],
    [next, said],
  ] as const) {
    const index = MONTHS.indexOf(month.slice(0, 3) as (typeof MONTHS)[number]);
    const day = /^(\d{1,2})(?:st|nd|rd|th)?$/.exec(number)?.[1];
    if (index < 0 || day === undefined || !MONTH.test(month)) continue;
    const year = new Date(Number(now / 1_000_000n)).getUTCFullYear();
    const of = (year: number) => BigInt(Date.UTC(year, index, Number(day))) * 1_000_000n;
    return { value: of(year) <= now ? of(year) : of(year - 1), length: 2 };
  }
  return null;
}

/** Nanoseconds of the day; `end` where the words hold a span: `14:00-15:00`. */
function clockAt(words: readonly Word[], from: number): Found<{ start: bigint; end: bigint | null }> | null {
  const said = words[from]?.word ?? '';
  const named = NAMED_HOURS[said];
  if (named !== undefined) return { value: { start: named * HOUR, end: null }, length: 1 };
  const [first, second, more] = said.split('-');
  if (more !== undefined) return null;
  const next = words[from + 1]?.word ?? '';
  const half = /^([ap])\.?m\.?$/.exec(next)?.[1];
  const start = clockNanos(first!, half);
  if (start === null) return null;
  let length = half === undefined || /[ap]m$/.test(first!) ? 1 : 2;
  if (ZONES.has(words[from + length]?.word ?? '')) length++;
  const end = second === undefined ? null : clockNanos(second, half);
  if (second !== undefined && end === null) return null;
  return { value: { start, end }, length };
}

function clockNanos(text: string, half: string | undefined): bigint | null {
  const match = /^(\d{1,2})(?:[:.h](\d{2}))?(?::(\d{2}))?(am|pm|z|utc|h)?$/.exec(text);
  if (match === null) return null;
  const [, hours, minutes, seconds, suffix] = match;
  const noon = suffix === 'am' || suffix === 'pm' ? suffix[0] : half;
  // A bare number is a time of day only where something says so.
  if (minutes === undefined && noon === undefined) return null;
  let hour = Number(hours);
  if (noon !== undefined) hour = (hour % 12) + (noon === 'p' ? 12 : 0);
  if (hour > 24 || Number(minutes ?? 0) > 59) return null;
  return BigInt(hour * 3600 + Number(minutes ?? 0) * 60 + Number(seconds ?? 0)) * SECOND;
}

/** "Since the deploy", but not "since the deploy at 14:05", which tells when it was. */
function untoldAt(words: readonly Word[], from: number, now: bigint): Found<string> | null {
  const lead = words[from]?.word ?? '';
  if (!BEFORE.has(lead) && !SINCE.has(lead) && lead !== 'during') return null;
  let at = from + 1;
  while (at < words.length && at < from + 5 && (TOUCHING.has(words[at]!.word) || VERSION.test(words[at]!.word))) at++;
  const said = words[at]?.word ?? '';
  if (!UNTOLD_MOMENTS.has(said) || (BEFORE.has(lead) && YET_TO_COME.has(said))) return null;
  const told = at + 1 + countOf(words, at + 1, LEADS);
  return momentAt(words, told, now) === null ? { value: said, length: at + 1 - from } : null;
}

function numberAt(words: readonly Word[], from: number): Found<bigint> | null {
  const said = words[from]?.word ?? '';
  const next = words[from + 1]?.word ?? '';
  if (/^\d{1,6}$/.test(said)) return { value: BigInt(said), length: 1 };
  if ((said === 'a' || said === 'the') && (next === 'couple' || next === 'few')) {
    const of = words[from + 2]?.word === 'of' ? 1 : 0;
    return { value: NUMBERS[next]!, length: 2 + of };
  }
  if (said === 'couple' && next === 'of') return { value: 2n, length: 2 };
  const number = NUMBERS[said];
  return number === undefined ? null : { value: number, length: 1 };
}

function countOf(words: readonly Word[], from: number, of: ReadonlySet<string>): number {
  let length = 0;
  while (of.has(words[from + length]?.word ?? '')) length++;
  return length;
}

const dayStart = (at: bigint) => at - (at % NANOS_PER_DAY);
const floor = (at: bigint) => (at < 0n ? 0n : at);

const SECOND = 1_000_000_000n;
const HOUR = 60n * NANOS_PER_MINUTE;
type Unit = 's' | 'm' | 'h' | 'd' | 'w';
const UNIT_NANOS = { s: SECOND, m: NANOS_PER_MINUTE, h: HOUR, d: NANOS_PER_DAY, w: 7n * NANOS_PER_DAY } as const;
const UNITS: Readonly<Record<string, Unit>> = {
  ...{ s: 's', sec: 's', secs: 's', second: 's', seconds: 's' },
  ...{ m: 'm', min: 'm', mins: 'm', minute: 'm', minutes: 'm' },
  ...{ h: 'h', hr: 'h', hrs: 'h', hour: 'h', hours: 'h' },
  ...{ d: 'd', day: 'd', days: 'd' },
  ...{ w: 'w', wk: 'w', week: 'w', weeks: 'w' },
};
const STATUSES = /^[45]\d\ds$/;
const HALVES: Partial<Record<Unit, [bigint, Unit]>> = { m: [30n, 's'], h: [30n, 'm'], d: [12n, 'h'] };
const NUMBERS: Readonly<Record<string, bigint>> = {
  ...{
    a: 1n,
    an: 1n,
    one: 1n,
    two: 2n,
    couple: 2n,
    three: 3n,
    few: 3n,
    four: 4n,
    five: 5n,
    six: 6n,
    seven: 7n,
    eight: 8n,
  },
  ...{
    nine: 9n,
    ten: 10n,
    eleven: 11n,
    twelve: 12n,
    fifteen: 15n,
    twenty: 20n,
    thirty: 30n,
    forty: 40n,
    sixty: 60n,
    ninety: 90n,
  },
};
const LEADS = new Set([
  'in',
  'over',
  'within',
  'during',
  'for',
  'the',
  'at',
  'on',
  'around',
  'about',
  'of',
  'from',
  'this',
]);
const ARTICLES = new Set(['the', 'this', 'about', 'around']);
const RECENT = new Set(['last', 'past', 'previous', 'preceding', 'prior', 'recent']);
const BETWEEN = new Set(['between', 'from']);
const JOINTS = new Set(['and', 'to', 'until', 'till', 'through', '-']);
const SINCE = new Set(['since', 'after', 'starting', 'from']);
const BEFORE = new Set(['before', 'until', 'till', 'by', 'prior']);
const NOW = new Set(['now', 'currently', 'right', 'presently']);
const AGO = new Set(['ago', 'back', 'earlier']);
const ZONES = new Set(['utc', 'gmt', 'z']);
const TOUCHING = new Set([
  'the',
  'our',
  'my',
  'a',
  'last',
  'latest',
  'this',
  'that',
  'new',
  'and',
  'after',
  'before',
  "o'clock",
]);
/** A release as it is said: "1.3", "v2.4.0". */
export const VERSION = /^v?\d+(?:\.\d+)+$/;
/** "Before lunch" is no time to look at: it is when the answer is wanted. */
const YET_TO_COME = new Set(['lunch', 'standup', 'meeting', 'demo', 'launch']);
const NAMED_HOURS: Readonly<Record<string, bigint>> = { noon: 12n, midday: 12n, midnight: 0n };
const WEEKDAYS = ['sun', 'mon', 'tue', 'wed', 'thu', 'fri', 'sat'] as const;
const WEEKDAY = /^(?:sun|mon|tues?|wednes|thurs?|fri|satur)day$/;
const MONTHS = ['jan', 'feb', 'mar', 'apr', 'may', 'jun', 'jul', 'aug', 'sep', 'oct', 'nov', 'dec'] as const;
const MONTH =
  /^(?:jan(?:uary)?|feb(?:ruary)?|mar(?:ch)?|apr(?:il)?|may|june?|july?|aug(?:ust)?|sept?(?:ember)?|oct(?:ober)?|nov(?:ember)?|dec(?:ember)?)$/;
/** Hours of the day, UTC. */
const PARTS_OF_DAY: Readonly<Record<string, { daysBack: number; from: bigint; to: bigint }>> = {
  'this morning': { daysBack: 0, from: 5n, to: 12n },
  'this afternoon': { daysBack: 0, from: 12n, to: 18n },
  'this evening': { daysBack: 0, from: 18n, to: 24n },
  'last night': { daysBack: 1, from: 18n, to: 30n },
  'yesterday morning': { daysBack: 1, from: 5n, to: 12n },
  'yesterday afternoon': { daysBack: 1, from: 12n, to: 18n },
  'yesterday evening': { daysBack: 1, from: 18n, to: 24n },
};
