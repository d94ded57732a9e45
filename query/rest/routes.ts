/** The REST table of CONTRACT section 4, as far as it is true: what is not listed answers 404. */
import * as ai from './ai.ts';
import * as alerts from './alerts.ts';
import * as analytics from './analytics.ts';
import * as bundle from './bundle.ts';
import * as events from './events.ts';
import * as flush from './flush.ts';
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
  flush.flush,
  state.postState,
  state.getState,
  state.getHistory,
  lookups.getCorrelation,
  lookups.getTrace,
  lookups.getProgress,
  lookups.listTemplates,
  lookups.listMetrics,
  lookups.topology,
  lookups.listVersions,
  lookups.listNodes,
  insights.listInsights,
  insights.generateInsights,
  insights.getInsight,
  insights.resolveInsight,
  insights.ignoreInsight,
  insights.reopenInsight,
  insights.explainError,
  insights.changes,
  alerts.listAlerts,
  ai.ask,
  bundle.exportBundle,
  bundle.importBundle,
  sessions.createSession,
  sessions.listSessions,
  sessions.getSession,
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
  analytics.rootCause,
];
