/** Debug sessions: a name for a look at part of the system from some time on, with what has come in since. */
import { randomUUID } from 'node:crypto';
import type { JsonObject } from '../model/json.ts';
import type { Session } from '../model/snapshot.ts';
import { formatNanos, parseNanos } from '../model/time.ts';
import type { InsightQuery } from '../storage/contract.ts';
import { type Answer, beginReading, notFound, type Reading, readAll } from './answer.ts';
import { COUNTED_TYPES, countWindow, totalOf } from './counts.ts';
import { type EventFilter, eventQuery } from './events.ts';
import type { QueryNeeds } from './needs.ts';
import type { Window } from './params.ts';

export interface SessionInput {
  session_name: string;
  description?: string | null | undefined;
  /** Which events belong to it; absent: all. */
  filters?: EventFilter | null | undefined;
  /** The caller's own; kept as it is. */
  scope?: JsonObject | string | null | undefined;
}

export interface SessionsRequest {
  active?: boolean | undefined;
  /** 1 to 1000. */
  limit: number;
}

export interface SessionView extends Session {
  /** Events, without metric points, since it was created and until it was closed. */
  event_count: number;
  insight_count: number;
  /** True where a count stopped at 1000 because more was not looked at. */
  counts_capped: boolean;
}

export interface SessionAnswers {
  createSession(tenant: string, input: SessionInput): Promise<Answer<SessionView>>;
  /** Newest first. */
  sessions(tenant: string, request: SessionsRequest): Promise<Answer<SessionView[]>>;
  /** @throws DebugError NOT_FOUND */
  session(tenant: string, id: string): Promise<Answer<SessionView>>;
  /** Closing a closed session changes nothing. @throws DebugError NOT_FOUND */
  closeSession(tenant: string, id: string): Promise<Answer<SessionView>>;
}

export function createSessionAnswers(needs: QueryNeeds): SessionAnswers {
  const { rows, clock } = needs;
  return {
    async createSession(tenant, { session_name, description, filters, scope }) {
      const session: Session = {
        id: randomUUID().replaceAll('-', ''),
        session_name,
        description: description ?? null,
        filters: plainJson(filters ?? {}),
        scope: typeof scope === 'string' ? scope : plainJson(scope ?? {}),
        active: true,
        created_at: formatNanos(clock.nowNanos()),
        closed_at: null,
      };
      await rows.putSession(tenant, session);
      const reading = await beginReading(needs);
      return reading.answer(await withCounts(reading, tenant, session));
    },

    async sessions(tenant, { active, limit }) {
      const reading = await beginReading(needs);
      const found = await rows.sessions(tenant, { limit: limit + 1, ...(active !== undefined && { active }) });
      const views: SessionView[] = [];
      // One after the other: counting may read blocks, and a list must not take the store for itself.
      for (const session of found.slice(0, limit)) views.push(await withCounts(reading, tenant, session));
      return reading.answer(views, { truncated: found.length > limit });
    },

    async session(tenant, id) {
      const session = await found(tenant, id);
      const reading = await beginReading(needs);
      return reading.answer(await withCounts(reading, tenant, session));
    },

    async closeSession(tenant, id) {
      const session = await found(tenant, id);
      const closed = { ...session, active: false, closed_at: session.closed_at ?? formatNanos(clock.nowNanos()) };
      if (session.active) await rows.putSession(tenant, closed);
      const reading = await beginReading(needs);
      return reading.answer(await withCounts(reading, tenant, closed));
    },
  };

  async function found(tenant: string, id: string): Promise<Session> {
    const session = await rows.session(tenant, id);
    if (session === null) throw notFound('SESSION', `session ${id}`);
    return session;
  }

  async function withCounts(reading: Reading, tenant: string, session: Session): Promise<SessionView> {
    const filters = session.filters as EventFilter;
    const window = {
      start: parseNanos(session.created_at)!,
      end: session.closed_at === null ? reading.now : parseNanos(session.closed_at)!,
    };
    const events = await countEvents(tenant, filters, window, reading.now);
    const query: InsightQuery = { ...window, limit: COUNT_MAX };
    for (const key of INSIGHT_FILTERS) if (filters[key] !== undefined) query[key] = filters[key];
    const insights = await rows.insights(tenant, query);
    const counts_capped = events.capped || insights.length === COUNT_MAX;
    return { ...session, event_count: events.count, insight_count: insights.length, counts_capped };
  }

  async function countEvents(tenant: string, filters: EventFilter, window: Window, now: bigint) {
    const { component_type, component_id, ...finer } = filters;
    if (Object.keys(finer).length === 0) {
      const { components } = await countWindow(needs, tenant, window, now, { component_type, component_id });
      return { count: totalOf(components).total, capped: false };
    }
    const query = { event_types: COUNTED_TYPES, ...eventQuery(tenant, filters, window) };
    const { events, truncated } = await readAll(needs.events, query, COUNT_MAX);
    return { count: events.length, capped: truncated };
  }
}

/** What rows can hold: without what is undefined, integers past 2^53 as their digits. */
function plainJson(object: object): JsonObject {
  return JSON.parse(JSON.stringify(object, (_, value) => (typeof value === 'bigint' ? String(value) : value)));
}

const INSIGHT_FILTERS = ['component_type', 'component_id', 'correlation_id', 'operation_id'] as const;
// A list of a hundred sessions must stay a matter of a second.
const COUNT_MAX = 1000;
