/** What became of an insight, and so whether somebody is to be told: when it is new, is back, is graver, or begins again after a pause. */
import { type Insight, QUIET_NANOS, SEVERITIES } from '../../model/insight.ts';
import { parseNanos } from '../../model/time.ts';

/** `updated` alone is no news: it goes on. */
export type InsightChangeKind = 'opened' | 'regressed' | 'worsened' | 'recurred' | 'updated';

/**
 * From the insight as it is stored before and after, so that a restart forgets nothing and two processes say the same.
 * @param before null for one that was not there
 */
export function alertChange(before: Insight | null, after: Insight): InsightChangeKind {
  if (before === null || before.expires_at <= after.generated_at) return 'opened';
  if (before.state === 'resolved' && after.state === 'regressed') return 'regressed';
  if (SEVERITIES.indexOf(after.severity) > SEVERITIES.indexOf(before.severity)) return 'worsened';
  // Whoever was told of it has it on the list of active alerts meanwhile.
  const quiet = (parseNanos(after.last_seen) ?? 0n) - (parseNanos(before.last_seen) ?? 0n);
  return quiet >= QUIET_NANOS ? 'recurred' : 'updated';
}
