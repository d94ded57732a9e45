/** What every answer of the service says about itself, whichever face gives it. */
import type { FieldError } from '../base/errors.ts';
import { DebugError } from '../base/errors.ts';
import type { DebugEvent } from '../model/event.ts';
import { formatNanos } from '../model/time.ts';
import type { FileTally, TierName } from '../storage/contract.ts';
import type { EventQuery, EventReader } from '../storage/query.ts';
import type { QueryNeeds } from './needs.ts';

export interface Answer<T> {
  data: T;
  meta: AnswerMeta;
}

export interface AnswerMeta {
  /** The time at which the answer holds, RFC 3339. */
  as_of: string;
  /** How many things `data` holds: the length of a list, else 1. */
  count: number;
  /** Asks for the next page; absent at the end. */
  next_cursor?: string;
  /** Whether there is more than was looked at or shown. */
  truncated: boolean;
  coverage: Coverage;
  /** The tier that held the one event asked for. */
  tier?: TierName;
}

/** What the answer could and could not see. */
export interface Coverage {
  /** The tiers that were read for events; empty where minutes and rows sufficed. */
  tiers: TierName[];
  /** Files of the archive: how many there are of the time asked for, and of how many anything was read; absent where none was asked. */
  archive_files?: FileTally;
  /** Bytes of requests acknowledged but not yet readable: 0 unless the store is slow or away. */
  pending: number;
  /** Records of the tenant that this process could not read since it started: only where it receives. Absent: none. */
  rejected?: number;
  /** Why a list is empty: nothing was ever stored, nothing matches, or the time asked for is no longer kept. */
  empty?: 'no_data' | 'no_match' | 'out_of_retention';
}

export type MetaChange = Omit<Partial<AnswerMeta>, 'coverage'> & { coverage?: Partial<Coverage> };

/** One request's view of the data: everything acknowledged before it, seen at one time. */
export interface Reading {
  /** Nanoseconds. */
  now: bigint;
  answer<T>(data: T, more?: MetaChange): Answer<T>;
}

export async function beginReading(needs: Pick<QueryNeeds, 'settled' | 'clock'>): Promise<Reading> {
  const { pending } = await needs.settled();
  const now = needs.clock.nowNanos();
  return {
    now,
    answer: (data, { coverage, ...more } = {}) => ({
      data,
      meta: {
        as_of: formatNanos(now),
        count: Array.isArray(data) ? data.length : 1,
        truncated: false,
        ...more,
        coverage: { tiers: [], pending, ...coverage },
      },
    }),
  };
}

/** @param kind as in `EVENT_NOT_FOUND` */
export function notFound(kind: string, what: string): DebugError {
  return new DebugError('NOT_FOUND', `${what} does not exist, or is no longer kept`, { reason: `${kind}_NOT_FOUND` });
}

/** A question that cannot be read: names the parameter, or several. */
export function malformed(field: string, message: string): DebugError;
export function malformed(fields: readonly FieldError[]): DebugError;
export function malformed(what: string | readonly FieldError[], message = ''): DebugError {
  const fields = typeof what === 'string' ? [{ field: what, message }] : what;
  return new DebugError('MALFORMED', inWords(fields), { fields });
}

/** A body that can be read but does not validate. */
export function invalid(fields: readonly FieldError[]): DebugError {
  return new DebugError('INVALID', inWords(fields), { fields });
}

function inWords(fields: readonly FieldError[]): string {
  return fields.map(({ field, message }) => `${field}: ${message}`).join('; ');
}

/** Newest first, over as many pages as it takes; `truncated` when there are more than `max`. */
export async function readAll(
  reader: EventReader,
  query: Omit<EventQuery, 'limit' | 'before'>,
  max: number,
): Promise<ReadEvents> {
  const events: DebugEvent[] = [];
  const tiers = new Set<TierName>();
  let files: FileTally | undefined;
  let before: string | null = null;
  do {
    const limit = Math.min(PAGE_EVENTS, max - events.length);
    const page = await reader.events({ ...query, limit, ...(before !== null && { before }) });
    for (const tier of page.tiers) tiers.add(tier);
    if (page.files !== undefined) files = { ...page.files, opened: page.files.opened + (files?.opened ?? 0) };
    events.push(...page.events);
    before = page.next;
  } while (before !== null && events.length < max);
  return { events, truncated: before !== null, tiers: [...tiers], ...(files !== undefined && { files }) };
}

export interface ReadEvents {
  events: DebugEvent[];
  truncated: boolean;
  tiers: TierName[];
  files?: FileTally;
}

/** Where events were read. */
export function coverageOf({ tiers, files }: Pick<ReadEvents, 'tiers' | 'files'>): Partial<Coverage> {
  return { tiers, ...(files !== undefined && { archive_files: files }) };
}

const PAGE_EVENTS = 1000;
