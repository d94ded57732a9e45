/**
 * The one service behind every face: REST, WebSocket, and whatever comes, ask here and only translate. What an answer says, how
 * much of it, and how sure it is of it, is decided in here.
 *
 * Every question names the tenant whose data is asked for; every answer says when it holds, whether it is cut, and what it could
 * see. Failures are DebugErrors: NOT_FOUND with a reason, MALFORMED for what cannot be read as a question.
 */

import { type CompareAnswers, createCompareAnswers } from './compare.ts';
import { type CorrelationAnswers, createCorrelationAnswers } from './correlations.ts';
import { createEventAnswers, type EventAnswers } from './events.ts';
import { createHealthAnswers, type HealthAnswers } from './health.ts';
import { createInsightSummaryAnswers, type InsightSummaryAnswers } from './insight-summary.ts';
import { createInsightAnswers, type InsightAnswers } from './insights.ts';
import { createMetricAnswers, type MetricAnswers } from './metrics.ts';
import type { QueryNeeds } from './needs.ts';
import { createOperationAnswers, type OperationAnswers } from './operations.ts';
import { createPatternAnswers, type PatternAnswers } from './patterns.ts';
import { createSessionAnswers, type SessionAnswers } from './sessions.ts';
import { createStateAnswers, type StateAnswers } from './state.ts';
import { createTraceAnswers, type TraceAnswers } from './traces.ts';

export type { QueryNeeds } from './needs.ts';

export interface QueryService
  extends EventAnswers,
    StateAnswers,
    CorrelationAnswers,
    TraceAnswers,
    OperationAnswers,
    HealthAnswers,
    PatternAnswers,
    MetricAnswers,
    InsightAnswers,
    InsightSummaryAnswers,
    CompareAnswers,
    SessionAnswers {}

export function createQueryService(needs: QueryNeeds): QueryService {
  return {
    ...createEventAnswers(needs),
    ...createStateAnswers(needs),
    ...createCorrelationAnswers(needs),
    ...createTraceAnswers(needs),
    ...createOperationAnswers(needs),
    ...createHealthAnswers(needs),
    ...createPatternAnswers(needs),
    ...createMetricAnswers(needs),
    ...createInsightAnswers(needs),
    ...createInsightSummaryAnswers(needs),
    ...createCompareAnswers(needs),
    ...createSessionAnswers(needs),
  };
}
