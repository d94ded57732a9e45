/** The REST table of CONTRACT section 4, as far as it is true: what is not listed answers 404. */
import * as analytics from './analytics.ts';
import * as events from './events.ts';
import * as insights from './insights.ts';
import * as lookups from './lookups.ts';
import type { Route } from './route.ts';
import * as sessions from './sessions.ts';
import * as state from './state.ts';

export const API_PREFIX = '/api/debug';

export const ROUTES: readonly Route[] = [
  events.postEvent,
  events.postBatch,
  events.listEvents,
  events.getEvent,
  state.postState,
  state.getState,
  lookups.getCorrelation,
  lookups.getTrace,
  lookups.getProgress,
  lookups.listTemplates,
  lookups.listMetrics,
  insights.listInsights,
  insights.generateInsights,
  insights.getInsight,
  insights.resolveInsight,
  insights.ignoreInsight,
  insights.reopenInsight,
  insights.explainError,
  sessions.createSession,
  sessions.listSessions,
  sessions.closeSession,
  analytics.componentHealth,
  analytics.performance,
  analytics.systemHealth,
  analytics.activeOperations,
  analytics.throughput,
  analytics.errorRate,
  analytics.errorPatterns,
  analytics.insightsSummary,
  analytics.consistency,
  analytics.compare,
];
