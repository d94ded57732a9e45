/** What somebody should look at now: open insights that are grave, of the last day, the same thing on several components as one. */
import type { ComponentRef } from '../model/block.ts';
import { familyOfFingerprint, type Insight, type InsightType, type Severity } from '../model/insight.ts';
import { type Answer, beginReading } from './answer.ts';
import { briefOf, type InsightBrief } from './insights.ts';
import type { QueryNeeds } from './needs.ts';
import { parseTimeRange, rangeOr, type TimeRangeInput } from './params.ts';

export interface AlertsRequest extends TimeRangeInput {
  severity?: Exclude<Severity, 'info'> | undefined;
  /** 1 to 1000. */
  limit: number;
}

export interface Alert {
  insight_type: InsightType;
  severity: Severity;
  /** Of the insight that was seen last. */
  title: string;
  summary: string;
  affected_components: ComponentRef[];
  first_seen: string;
  last_seen: string;
  /** Those that it stands for, last seen first: to resolve or to ignore all of them is to acknowledge it. */
  insights: InsightBrief[];
}

export interface AlertAnswers {
  /** Last seen first; without a range, of the last 24 hours. */
  alerts(tenant: string, request: AlertsRequest): Promise<Answer<Alert[]>>;
}

export function createAlertAnswers(needs: QueryNeeds): AlertAnswers {
  return {
    async alerts(tenant, { severity, limit, ...range }) {
      const reading = await beginReading(needs);
      const query = {
        ...parseTimeRange(rangeOr(range, '24h'), reading.now),
        states: ['open', 'regressed'],
        limit: INSIGHTS_MAX,
        ...(severity !== undefined && { severity }),
      } as const;
      const found = await needs.rows.insights(tenant, query);
      const grave = found.filter((insight) => insight.severity !== 'info');
      const groups = Map.groupBy(
        grave,
        ({ fingerprint, severity }) => `${severity} ${familyOfFingerprint(fingerprint)}`,
      );
      const alerts = [...groups.values()].map(alertOf);
      return reading.answer(alerts.slice(0, limit), {
        truncated: found.length === INSIGHTS_MAX || alerts.length > limit,
      });
    },
  };
}

/** @param same the last seen first */
function alertOf(same: readonly Insight[]): Alert {
  const { insight_type, severity, title, summary, last_seen } = same[0]!;
  const components = same.flatMap(({ affected_components }) => affected_components);
  return {
    insight_type,
    severity,
    title,
    summary,
    affected_components: [...new Map(components.map((each) => [`${each.type}/${each.id}`, each])).values()],
    first_seen: same.map(({ first_seen }) => first_seen).sort()[0]!,
    last_seen,
    insights: same.map(briefOf),
  };
}

// A system with more that is open and grave has other troubles than the length of this list.
const INSIGHTS_MAX = 1000;
