/** The row store of SQLite: each family of rows has a file of its own. */
import type { Flush, RowStore } from '../contract.ts';
import { readComponentMinutes, readComponentSums, writeComponentMinute } from './component-minutes.ts';
import type { Database } from './database.ts';
import { readEdgeMinutes, readEdgeSums, writeEdgeMinute } from './edge-minutes.ts';
import { uncountHours } from './hours.ts';
import { readInsight, readInsights, writeInsight } from './insights.ts';
import { readResources, writeResource } from './resources.ts';
import { readSession, readSessions, writeSession } from './sessions.ts';
import { readSnapshots, writeSnapshot } from './snapshots.ts';
import {
  readTemplateMinutes,
  readTemplateSums,
  readTemplates,
  readTemplatesSeen,
  writeTemplate,
  writeTemplateMinute,
} from './template-minutes.ts';
import { readTraceCorrelations, writeTraceCorrelation } from './trace-correlations.ts';

/** Writes what a flush brings beside its blocks, within the caller's transaction. */
export function writeRows(database: Database, flush: Flush): void {
  const { tenant } = flush;
  for (const minute of flush.componentMinutes) writeComponentMinute(database, tenant, minute);
  for (const minute of flush.templateMinutes) writeTemplateMinute(database, tenant, minute);
  for (const minute of flush.edgeMinutes) writeEdgeMinute(database, tenant, minute);
  for (const template of flush.templates) writeTemplate(database, tenant, template);
  for (const said of flush.traceCorrelations) writeTraceCorrelation(database, tenant, said);
  for (const snapshot of flush.snapshots) writeSnapshot(database, tenant, snapshot);
  for (const resource of flush.resources) writeResource(database, tenant, resource);
  uncountHours(database, flush);
}

/** @param database gives the open database, or throws */
export function createRowStore(database: () => Database): RowStore {
  return {
    async componentMinutes(tenant, range) {
      return readComponentMinutes(database(), tenant, range);
    },
    async componentSums(tenant, range) {
      return readComponentSums(database(), tenant, range);
    },
    async templateMinutes(tenant, range) {
      return readTemplateMinutes(database(), tenant, range);
    },
    async templateSums(tenant, window) {
      return readTemplateSums(database(), tenant, window);
    },
    async templatesSeen(tenant, ids, range) {
      return readTemplatesSeen(database(), tenant, ids, range);
    },
    async edgeSums(tenant, range) {
      return readEdgeSums(database(), tenant, range);
    },
    async edgeMinutes(tenant, range) {
      return readEdgeMinutes(database(), tenant, range);
    },
    async templates(tenant, ids) {
      return readTemplates(database(), tenant, ids);
    },
    async traceCorrelations(tenant, about) {
      return readTraceCorrelations(database(), tenant, about);
    },
    async snapshots(tenant, query) {
      return readSnapshots(database(), tenant, query);
    },
    async resources(tenant, query) {
      return readResources(database(), tenant, query);
    },
    async insight(tenant, id) {
      return readInsight(database(), tenant, id);
    },
    async insights(tenant, query) {
      return readInsights(database(), tenant, query);
    },
    async changeInsight(tenant, id, change) {
      const open = database();
      return open.transaction(() => {
        const changed = change(readInsight(open, tenant, id));
        if (changed !== null) writeInsight(open, tenant, changed);
        return changed;
      });
    },
    async session(tenant, id) {
      return readSession(database(), tenant, id);
    },
    async sessions(tenant, query) {
      return readSessions(database(), tenant, query);
    },
    async putSession(tenant, session) {
      const open = database();
      return open.transaction(() => writeSession(open, tenant, session));
    },
  };
}
