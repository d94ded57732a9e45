/** How many insights there are of each kind. */
import type { Insight, InsightType, Severity } from '../model/insight.ts';
import type { InsightQuery } from '../storage/contract.ts';
import { type Answer, beginReading } from './answer.ts';
import type { TimeWindow } from './health.ts';
import type { QueryNeeds } from './needs.ts';
import { parseWindow, type TimeRangeInput, windowView } from './params.ts';

export interface InsightsSummary {
  total_count: number;
  resolved_count: number;
  /** Open, come back, or ignored. */
  unresolved_count: number;
  by_type: Partial<Record<InsightType, Partial<Record<Severity, number>>>>;
  time_range: TimeWindow;
}

export interface InsightSummaryAnswers {
  /** Of the insights last seen in the window. */
  insightsSummary(tenant: string, input: TimeRangeInput): Promise<Answer<InsightsSummary>>;
}

export function createInsightSummaryAnswers(needs: QueryNeeds): InsightSummaryAnswers {
  return {
    async insightsSummary(tenant, input) {
      const reading = await beginReading(needs);
      const window = parseWindow(input, reading.now);
      const { insights, truncated } = await readInsights(tenant, { ...window, limit: PAGE_INSIGHTS });
      const by_type: InsightsSummary['by_type'] = {};
      for (const { insight_type, severity } of insights) {
        by_type[insight_type] ??= {};
        const counts = by_type[insight_type];
        counts[severity] = (counts[severity] ?? 0) + 1;
      }
      const resolved_count = insights.filter((insight) => insight.state === 'resolved').length;
      return reading.answer(
        {
          total_count: insights.length,
          resolved_count,
          unresolved_count: insights.length - resolved_count,
          by_type,
          time_range: windowView(window, reading.now),
        },
        { truncated },
      );
    },
  };

  async function readInsights(
    tenant: string,
    query: InsightQuery,
  ): Promise<{ insights: Insight[]; truncated: boolean }> {
    const insights: Insight[] = [];
    for (;;) {
      const page = await needs.rows.insights(tenant, query);
      insights.push(...page);
      const last = page.at(-1);
      if (last === undefined || page.length < PAGE_INSIGHTS) return { insights, truncated: false };
      if (insights.length >= INSIGHTS_MAX) return { insights, truncated: true };
      query = { ...query, after: { last_seen: last.last_seen, id: last.id } };
    }
  }
}

const PAGE_INSIGHTS = 1000;
const INSIGHTS_MAX = 10_000;
