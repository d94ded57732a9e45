/** One system and one client for all suites of the REST interface: the client sees which routes succeeded. */
import type { Insight } from '../../../model/insight.ts';
import { formatNanos } from '../../../model/time.ts';
import { type ApiClient, createApiClient } from '../../support/api-client.ts';
import { type QuerySystem, startQuerySystem } from '../../support/query-system.ts';

export let system: QuerySystem;
export let api: ApiClient;

export async function startShared(): Promise<void> {
  system = await startQuerySystem();
  api = await createApiClient(system.url);
}

let made = 0;
/** A name that no other test uses. */
export const fresh = (kind: string) => `${kind}-${++made}`;
export const event = (more: Record<string, unknown> = {}): Record<string, unknown> => ({
  event_type: 'log',
  component_type: 'agent',
  correlation_id: 'c',
  ...more,
});
export const ago = (seconds: number) => formatNanos(system.needs.clock.nowNanos() - BigInt(Math.round(seconds * 1e9)));
export const post = async (more: Record<string, unknown>): Promise<string> =>
  (await api.post('/events', event(more))).body.data.event_id;
export const ids = (answer: { body: { data: { id: string }[] } }) => answer.body.data.map(({ id }) => id);

export async function putInsight(more: Partial<Insight>, { needs } = system): Promise<string> {
  const id = fresh('').slice(1).padStart(32, 'a');
  const now = formatNanos(needs.clock.nowNanos());
  const insight = await needs.rows.changeInsight('default', id, () => ({
    id,
    fingerprint: id,
    insight_type: 'error',
    severity: 'warning',
    title: 'title',
    summary: 'summary',
    description: 'description',
    evidence: { event_ids: [], span_ids: [], trace_ids: [], snapshot_ids: [], numbers: {} },
    confidence_score: 0.9,
    suggestions: [],
    scope: 'component',
    affected_components: [],
    correlation_id: null,
    operation_id: null,
    first_seen: now,
    last_seen: now,
    occurrences: 1,
    state: 'open',
    resolution_notes: null,
    resolved_by: null,
    resolved_at: null,
    generated_at: now,
    updated_at: now,
    expires_at: '2027-01-01T00:00:00.000000000Z',
    ...more,
  }));
  needs.publish({ kind: 'insight', tenant: 'default', change: 'opened', insight: insight! });
  return id;
}
