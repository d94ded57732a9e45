/** Who calls whom in a window, how often, how well and how fast. */
import { type Answer, beginReading, readAll } from './answer.ts';
import type { QueryNeeds, Topology } from './needs.ts';
import { minutesOf, parseWindow, type TimeRangeInput, windowView } from './params.ts';

export interface TopologyView extends Topology {
  time_range: { start: string; end: string };
  /** How many spans it was drawn from; when `meta.truncated`, the newest. */
  spans: number;
}

export interface TopologyAnswers {
  topology(tenant: string, range: TimeRangeInput): Promise<Answer<TopologyView>>;
}

export function createTopologyAnswers(needs: QueryNeeds): TopologyAnswers {
  return {
    async topology(tenant, input) {
      const reading = await beginReading(needs);
      const window = parseWindow(input, reading.now);
      const read = await readAll(needs.events, { tenant, ...window, event_types: ['span'] }, SPANS_MAX);
      const data: TopologyView = {
        ...needs.topology(read.events, minutesOf(window, reading.now)),
        time_range: windowView(window, reading.now),
        spans: read.events.length,
      };
      return reading.answer(data, {
        count: data.edges.length,
        truncated: read.truncated,
        coverage: { tiers: read.tiers },
      });
    },
  };
}

// Drawn in well under a second; edges and their shares are stable long before.
const SPANS_MAX = 20_000;
