/** One system and one client for all suites of the REST interface: the client sees which routes succeeded. */
import type { Insight } from '../../../model/insight.ts';
import { formatNanos } from '../../../model/time.ts';
import { type ApiClient, createApiClient } from '../../support/api-client.ts';
import { type QuerySystem, startQuerySystem } from '../../support/query-system.ts';
import { insight } from '../../support/telemetry.ts';

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
  const stored = await needs.rows.changeInsight('default', id, () => insight(id, now, more));
  needs.publish({ kind: 'insight', tenant: 'default', change: 'opened', insight: stored! });
  return id;
}
