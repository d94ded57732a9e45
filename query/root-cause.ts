/** Which component is behind what went wrong in a window. */
import { formatNanos } from '../model/time.ts';
import { type Answer, beginReading, malformed } from './answer.ts';
import type { FoundCauses, QueryNeeds, RankedCause } from './needs.ts';
import { parseTimeRange } from './params.ts';

export interface RootCauseInput {
  /** RFC 3339, inclusive. */
  window: { start: string; end: string };
  /** When all was well; absent: the time before the window. */
  baseline?: { start: string; end: string } | null | undefined;
  /** Of ranked components, 1 to 1000. */
  limit: number;
}

export interface RootCause {
  /** Best first; empty where nothing departs from the baseline. */
  ranked: RankedCause[];
  /** One sentence: who, where and how sure, or that nothing stands out. */
  summary: string;
  window: SideView;
  /** `assumed`: nobody said when all was well, so that it is the time before the window. */
  baseline: SideView & { assumed: boolean };
  /** Points of resource metrics that were looked at. */
  metric_points: number;
  /** What ranking took, reading not counted. */
  ranking_ms: number;
}

interface SideView {
  start: string;
  end: string;
  traces: number;
  /** Spans and log records. */
  events: number;
}

export interface RootCauseAnswers {
  /** @throws DebugError MALFORMED for a time range that is none */
  rootCause(tenant: string, input: RootCauseInput): Promise<Answer<RootCause>>;
}

export function createRootCauseAnswers(needs: QueryNeeds): RootCauseAnswers {
  return {
    async rootCause(tenant, input) {
      const reading = await beginReading(needs);
      const window = rangeOf('window', input.window, reading.now);
      const baseline = input.baseline == null ? null : rangeOf('baseline', input.baseline, reading.now);
      const found = await needs.rootCauses({ tenant, window, ...(baseline !== null && { baseline }) });
      const ranked = found.ranked.slice(0, input.limit);
      const data: RootCause = {
        ranked,
        summary: summaryOf(found),
        window: sideOf(found.window),
        baseline: { ...sideOf(found.baseline), assumed: found.baseline.assumed },
        metric_points: found.points,
        ranking_ms: Math.round(found.rankingMs * 10) / 10,
      };
      return reading.answer(data, {
        count: ranked.length,
        truncated: found.truncated || ranked.length < found.ranked.length,
      });
    },
  };
}

// Below it the first of the ranking is hardly more than the noise of a healthy minute.
const STANDS_OUT = 0.3;

function summaryOf({ ranked, window, baseline }: FoundCauses): string {
  const [first] = ranked;
  const against = baseline.assumed ? 'the time before it' : 'the baseline';
  if (window.events === 0) return 'nothing is known of the window: no spans or log records';
  if (baseline.events === 0)
    return `nothing is known of ${against}: without healthy spans and logs only resources can be told`;
  if (first === undefined) return `nothing stands out: the window looks like ${against}`;
  const who = `${first.component_type}/${first.component_id}`;
  if (first.confidence < STANDS_OUT)
    return `nothing stands out clearly against ${against}; most goes to ${who}: ${first.reasons[0]}`;
  return `${who} is the most likely cause, against ${against}: ${first.reasons[0]}`;
}

function rangeOf(name: string, input: { start: string; end: string }, now: bigint): { start: bigint; end: bigint } {
  const { start, end } = parseTimeRange(input, now);
  if (start === undefined || end === undefined) throw malformed(name, 'must have a start and an end');
  return { start, end };
}

function sideOf({ start, end, traces, events }: FoundCauses['window']): SideView {
  return { start: formatNanos(start), end: formatNanos(end), traces, events };
}
