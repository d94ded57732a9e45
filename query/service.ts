/**
 * The one service behind every face: REST, WebSocket, and whatever comes, ask here and only translate. What an answer says, how
 * much of it, and how sure it is of it, is decided in here.
 *
 * Every question names the tenant whose data is asked for; every answer says when it holds, whether it is cut, and what it could
 * see. Failures are DebugErrors: NOT_FOUND with a reason, MALFORMED for what cannot be read as a question.
 */

import { type AlertAnswers, createAlertAnswers } from './alerts.ts';
import { type AskAnswers, createAskAnswers } from './ask/ask.ts';
import { type BundleAnswers, createBundleAnswers } from './bundle.ts';
import { cachedRows } from './cached-rows.ts';
import { type ChangesAnswers, createChangesAnswers } from './changes.ts';
import { type CompareAnswers, createCompareAnswers } from './compare.ts';
import { type CorrelationAnswers, createCorrelationAnswers } from './correlations.ts';
import { createEventAnswers, type EventAnswers } from './events.ts';
import { createFlushAnswers, type FlushAnswers } from './flush.ts';
import { createHealthAnswers, type HealthAnswers } from './health.ts';
import { createInsightSummaryAnswers, type InsightSummaryAnswers } from './insight-summary.ts';
import { createInsightAnswers, type InsightAnswers } from './insights.ts';
import { createMetricAnswers, type MetricAnswers } from './metrics.ts';
import type { QueryNeeds } from './needs.ts';
import { createNodeAnswers, type NodeAnswers } from './nodes.ts';
import { createOperationAnswers, type OperationAnswers } from './operations.ts';
import { createPatternAnswers, type PatternAnswers } from './patterns.ts';
import { createRootCauseAnswers, type RootCauseAnswers } from './root-cause.ts';
import { createSessionAnswers, type SessionAnswers } from './sessions.ts';
import { createStateAnswers, type StateAnswers } from './state.ts';
import { createTopologyAnswers, type TopologyAnswers } from './topology.ts';
import { createTraceAnswers, type TraceAnswers } from './traces.ts';
import { createVersionAnswers, type VersionAnswers } from './versions.ts';

export type { QueryNeeds } from './needs.ts';

export interface QueryService
  extends EventAnswers,
    StateAnswers,
    BundleAnswers,
    CorrelationAnswers,
    TraceAnswers,
    OperationAnswers,
    HealthAnswers,
    PatternAnswers,
    MetricAnswers,
    InsightAnswers,
    InsightSummaryAnswers,
    CompareAnswers,
    ChangesAnswers,
    AlertAnswers,
    RootCauseAnswers,
    TopologyAnswers,
    VersionAnswers,
    NodeAnswers,
    SessionAnswers,
    FlushAnswers,
    AskAnswers {}

export function createQueryService(given: QueryNeeds): QueryService {
  const { cache, rows } = given;
  const needs = cache === undefined ? given : { ...given, rows: cachedRows(rows, cache) };
  const facts = {
    ...createEventAnswers(needs),
    ...createStateAnswers(needs),
    ...createBundleAnswers(needs),
    ...createCorrelationAnswers(needs),
    ...createTraceAnswers(needs),
    ...createOperationAnswers(needs),
    ...createHealthAnswers(needs),
    ...createPatternAnswers(needs),
    ...createMetricAnswers(needs),
    ...createInsightAnswers(needs),
    ...createInsightSummaryAnswers(needs),
    ...createCompareAnswers(needs),
    ...createChangesAnswers(needs),
    ...createAlertAnswers(needs),
    ...createRootCauseAnswers(needs),
    ...createTopologyAnswers(needs),
    ...createVersionAnswers(needs),
    ...createNodeAnswers(needs),
    ...createSessionAnswers(needs),
    ...createFlushAnswers(needs),
  };
  return { ...facts, ...createAskAnswers(facts, { enabled: needs.aiQueryEnabled ?? true, wording: needs.wording }) };
}
