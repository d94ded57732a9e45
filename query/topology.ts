/** Who calls whom in a window, how often, how well and how fast. */
import { minuteOf } from '../model/time.ts';
import { type Answer, beginReading, readAll } from './answer.ts';
import type { QueryNeeds, Topology } from './needs.ts';
import { minutesOf, parseWindow, type TimeRangeInput, windowView } from './params.ts';

export interface TopologyView extends Topology {
  /** Whole minutes. */
  time_range: { start: string; end: string };
  /** Calls whose caller's span has not been seen: they count for whom they reached, and are in no edge. */
  unmatched_calls: number;
  /** How many spans the critical shares were told from: the newest. Everything else is of all calls. */
  spans: number;
}

export interface TopologyAnswers {
  topology(tenant: string, range: TimeRangeInput): Promise<Answer<TopologyView>>;
}

export function createTopologyAnswers(needs: QueryNeeds): TopologyAnswers {
  return {
    async topology(tenant, input) {
      const reading = await beginReading(needs);
      const asked = parseWindow(input, reading.now);
      const window = { ...asked, start: minuteOf(asked.start) };
      const [edges, sample] = await Promise.all([
        needs.rows.edgeSums(tenant, window),
        readAll(needs.events, { tenant, ...window, event_types: ['span'] }, SPANS_SAMPLED),
      ]);
      const { events: spans, tiers } = sample;
      const data: TopologyView = {
        ...needs.topology({ edges, spans, minutes: minutesOf(window, reading.now) }),
        time_range: windowView(window, reading.now),
        unmatched_calls: edges.reduce((sum, { kind, calls }) => sum + (kind === 'unmatched' ? calls : 0), 0),
        spans: spans.length,
      };
      return reading.answer(data, { count: data.edges.length, coverage: { tiers } });
    },
  };
}

// Some sixty traces: read and joined in 40 ms, where all of an hour would take minutes.
const SPANS_SAMPLED = 1_000;
