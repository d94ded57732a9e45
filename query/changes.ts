/** What is new since a cursor: the insights that were opened, changed or resolved. For whoever asks again and again, so almost free when nothing moved. */
import { hashText } from '../model/hash.ts';
import type { Insight, InsightState } from '../model/insight.ts';
import { formatNanos } from '../model/time.ts';
import { type Answer, beginReading, malformed } from './answer.ts';
import { briefOf, type InsightBrief } from './insights.ts';
import type { QueryNeeds } from './needs.ts';

export interface ChangesRequest {
  /** `cursor` of an earlier answer; absent: what is open now. */
  since?: string | null | undefined;
}

export interface Changes {
  /** Found for the first time; without a cursor, all that is open. */
  opened: InsightBrief[];
  /** Seen again, graver, regressed or reopened: their `state` and `last_seen` say what. */
  changed: InsightBrief[];
  /** Resolved or ignored. */
  resolved: InsightBrief[];
  /** Asks for what comes after this answer. */
  cursor: string;
}

export interface ChangesAnswers {
  /** Last seen first. @throws DebugError MALFORMED for what is no cursor */
  changes(tenant: string, request: ChangesRequest): Promise<Answer<Changes>>;
}

export function createChangesAnswers(needs: QueryNeeds): ChangesAnswers {
  return {
    async changes(tenant, { since }) {
      const reading = await beginReading(needs);
      const from = since == null ? null : parseCursor(since);
      const query = from === null ? { states: OPEN } : { changed_since: formatNanos(from.time) };
      const found = await needs.rows.insights(tenant, { ...query, limit: CHANGES_MAX + 1 });
      const shown = found.slice(0, CHANGES_MAX);
      const fresh = from === null ? shown : shown.filter((insight) => !from.told.has(keyOf(insight)));
      const time = reading.now > OVERLAP_NANOS ? reading.now - OVERLAP_NANOS : 0n;
      const told = shown.filter(({ updated_at }) => updated_at > formatNanos(time)).map(keyOf);
      const isDone = ({ state }: Insight) => state === 'resolved' || state === 'ignored';
      const isNew = ({ generated_at }: Insight) => from === null || generated_at > formatNanos(from.time);
      const briefs = (test: (insight: Insight) => boolean) => fresh.filter(test).map(briefOf);
      return reading.answer(
        {
          opened: briefs((insight) => !isDone(insight) && isNew(insight)),
          changed: briefs((insight) => !isDone(insight) && !isNew(insight)),
          resolved: briefs(isDone),
          cursor: [time.toString(36), ...told.slice(0, TOLD_MAX)].join('.'),
        },
        { count: fresh.length, truncated: found.length > CHANGES_MAX },
      );
    },
  };
}

const OPEN: readonly InsightState[] = ['open', 'regressed'];
// More than anybody reads; an agent that was away for so many asks for health instead.
const CHANGES_MAX = 1000;
// Two processes write, each by its own clock, and a write takes its time: the last seconds are looked at again, and what was
// told of them is left out by what the cursor remembers. Beyond TOLD_MAX some may be told twice.
const OVERLAP_NANOS = 5_000_000_000n;
const TOLD_MAX = 50;

/** Few characters, as agents pay for them: this version of this insight, among those of some seconds. */
function keyOf({ id, updated_at }: Insight): string {
  return (hashText(id, updated_at) & 0xffff_ffffn).toString(36);
}

function parseCursor(cursor: string): { time: bigint; told: ReadonlySet<string> } {
  const [time = '', ...told] = cursor.split('.');
  // Twelve digits from 1974 on: a word or a count that somebody tries is not taken for the year 1970, and all for new.
  if (!/^[0-9a-z]{12,13}$/.test(time) || told.length > TOLD_MAX)
    throw malformed('since', 'is not a cursor of /changes');
  let nanos = 0n;
  for (const digit of time) nanos = nanos * 36n + BigInt(Number.parseInt(digit, 36));
  return { time: nanos, told: new Set(told) };
}
