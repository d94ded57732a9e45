/** How drafts say things: few tokens, nothing lost that a next call needs, text of telemetry quoted. */
import type { ComponentRef } from '../../model/block.ts';
import { type Evidence, goesOn, type Insight, type Suggestion, sinceOf } from '../../model/insight.ts';
import type { JsonObject } from '../../model/json.ts';
import { parseNanos } from '../../model/time.ts';
import { type DraftItem, nameOf, quote } from '../budget.ts';
import type { Health, HealthStatus } from '../health.ts';
import type { ChainLink, InsightBrief } from '../insights.ts';

/** The time of day, to the millisecond, and the day where it is not that of `asOf`. Both RFC 3339. */
export function clockTime(time: string, asOf: string): string {
  const [day, rest] = [time.slice(0, 10), time.slice(11, 23)];
  return day === asOf.slice(0, 10) ? `${rest}Z` : `${day}T${rest}Z`;
}

/** `orders`, or `agent/planner` for what is no service. */
export function componentName(type: string, id: string): string {
  return type === 'service' ? nameOf(id) : `${nameOf(type)}/${nameOf(id)}`;
}

export const refName = ({ type, id }: ComponentRef): string => componentName(type, id);

export function percent(share: number): string {
  return `${Number((share * 100).toPrecision(3))}%`;
}

/** Three figures are as exact as anything here is known. */
export function millis(ms: number): string {
  return ms >= 1000 ? `${Number((ms / 1000).toPrecision(3))}s` : `${Number(ms.toPrecision(3))}ms`;
}

export function plural(count: number, thing: string): string {
  return `${count} ${thing}${count === 1 ? '' : 's'}`;
}

/** A few of many, in words. */
export function listed(names: readonly string[], max = 3): string {
  const more = names.length - max;
  return more > 0 ? `${names.slice(0, max).join(', ')} and ${more} more` : names.join(', ');
}

export function healthWords({ status, health_score, error_events, total_events, error_rate }: Health): string {
  if (health_score === null) return 'unknown: no events in this window';
  if (error_events === 0) return `${status}, no error in ${plural(total_events, 'event')}`;
  return `${status} (${health_score}/100), ${percent(error_rate!)} of ${plural(total_events, 'event')} are errors`;
}

export function insightItem(insight: InsightBrief, asOf: string): DraftItem {
  const { id, severity, insight_type, title, summary, state, confidence_score, last_seen } = insight;
  const core = { id, severity, type: insight_type, ...(state !== 'open' && { state }) };
  const last = clockTime(last_seen, asOf);
  const quiet = goesOn(insight, asOf) ? {} : { not_seen_for: ago(last_seen, asOf) };
  return {
    forms: [
      { ...core, summary: quote(summary, 500), confidence: round(confidence_score), last, ...quiet },
      { ...core, ...quiet, summary: quote(title, 100) },
    ],
  };
}

export function suggestionItem({ action, why, source }: Suggestion): DraftItem {
  const learned = source === 'past_resolution' ? 'resolved so before: ' : '';
  return { forms: [`${learned}${quote(action)} because ${quote(why)}`, `${learned}${quote(action, 120)}`] };
}

export function linkItem(
  { event_id, component_type, component_id, level, message, timestamp }: ChainLink,
  asOf: string,
): DraftItem {
  const head = `${clockTime(timestamp, asOf)} ${level ?? ''} ${componentName(component_type, component_id)}`;
  return { forms: [`${head} ${quote(message)} id=${event_id}`, `${head} ${quote(message, 100)}`] };
}

/** Attributes that explain most in least room: plain values, short ones, the first few. */
export function attributesOf(data: JsonObject, max = 8): JsonObject | undefined {
  const plain = Object.entries(data).filter(([, value]) => typeof value !== 'object' && String(value).length <= 200);
  const shown = plain
    .slice(0, max)
    .map(([key, value]) => [nameOf(key), typeof value === 'string' ? quote(value, 100) : value]);
  return shown.length === 0 ? undefined : Object.fromEntries(shown);
}

/** What goes on now before what has not been seen for a while, and of each the gravest first. @param asOf RFC 3339 */
export function pressingFirst(asOf: string): typeof gravestFirst {
  return (a, b) => Number(goesOn(b, asOf)) - Number(goesOn(a, asOf)) || gravestFirst(a, b);
}

/** Health goes by errors alone: what answers without any may still be slow, stuck or apart from its replicas. Empty where nothing says so. */
export function caveatOf(status: HealthStatus, insights: readonly InsightBrief[], asOf: string): string {
  const isPressed = insights.some((insight) => insight.severity !== 'info' && goesOn(insight, asOf));
  return status === 'healthy' && isPressed ? ', but that goes by errors alone' : '';
}

/** How many of some insights are open, and which of them have not been seen for a while. */
export function openCount(insights: readonly Pick<Insight, 'last_seen'>[], asOf: string): string {
  const quiet = insights.filter((insight) => !goesOn(insight, asOf)).length;
  return `${plural(insights.length, 'open insight')}${quiet === 0 ? '' : `, ${quiet === insights.length ? 'none' : `${insights.length - quiet}`} of them seen in the last 15 minutes`}`;
}

/** Whether it is gone or has only not been tried, where that is known; empty where it goes on. */
export function sinceWords(evidence: Evidence, asOf: string): string {
  const resolved = sinceOf({ state: 'resolved', evidence });
  const since = resolved ?? sinceOf({ state: 'open', evidence });
  if (since === null) return '';
  const { verdict, clean_runs, runs_needed, checked_until } = since;
  const from = resolved === null ? 'it was last seen' : 'it was resolved';
  const until = clockTime(checked_until, asOf);
  if (verdict === 'not_exercised')
    return ` Since ${from} nothing of what failed has run again, up to ${until}: that it is not seen proves nothing.`;
  const ran = ` Since ${from} the same steps ran ${plural(clean_runs, 'time')} without it, up to ${until}`;
  return verdict === 'fixed' ? `${ran}: it looks fixed.` : `${ran}; ${runs_needed} would tell.`;
}

function ago(time: string, asOf: string): string {
  const minutes = Number(((parseNanos(asOf) ?? 0n) - (parseNanos(time) ?? 0n)) / 60_000_000_000n);
  return minutes < 120
    ? `${minutes}m`
    : minutes < 2880
      ? `${Math.floor(minutes / 60)}h`
      : `${Math.floor(minutes / 1440)}d`;
}

/** The gravest first, among equals the surest as far as confidence is shown, then the newest. */
export function gravestFirst(a: Pick<Insight, 'severity' | 'confidence_score' | 'last_seen'>, b: typeof a): number {
  const gravity = GRAVITY[b.severity] - GRAVITY[a.severity];
  const certainty = round(b.confidence_score) - round(a.confidence_score);
  return gravity || certainty || (a.last_seen < b.last_seen ? 1 : -1);
}

export function round(value: number): number {
  return Math.round(value * 100) / 100;
}

const GRAVITY = { critical: 2, warning: 1, info: 0 } as const;
