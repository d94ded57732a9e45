/**
 * Looks whether a rule of alerting is broken. What it finds becomes an insight like any other: kept across restarts, the same again is the
 * same one, several components that break one rule are one, and to resolve it is to acknowledge it. When that is told as an alert,
 * `alertChange` decides. A p95 over five seconds has no rule here: the analyzer of slow operations finds it, with the step to blame.
 */
import type { DebugEvent } from '../../model/event.ts';
import type { Insight } from '../../model/insight.ts';
import { formatNanos, minuteOf, NANOS_PER_MINUTE } from '../../model/time.ts';
import { evidenceOf, type Finding, latestCorrelation } from '../finding.ts';
import type { Reader } from '../reader.ts';
import { byTime, componentKey } from '../window.ts';
import { errorRate } from './error-rate.ts';
import { errorSpike } from './error-spike.ts';
import type { AlertRule, Breach, HourCounts } from './rule.ts';

export const ALERT_RULES: readonly AlertRule[] = [errorRate, errorSpike];

export type WatchReader = Required<Pick<Reader, 'componentSums'>> & Pick<Reader, 'events'>;

/**
 * @param asOf nanoseconds: the hour until then, and the one before, are looked at
 * @param ignored insights of which nobody wants to hear: their rule leaves their components out, and no others
 */
export async function watchRules(
  reader: WatchReader,
  tenant: string,
  asOf: bigint,
  ignored: () => Promise<readonly Insight[]>,
): Promise<Finding[]> {
  const start = minuteOf(asOf) - (HOUR_MINUTES - 1n) * NANOS_PER_MINUTE;
  const hour = async (from: bigint, end: bigint): Promise<HourCounts[]> =>
    (await reader.componentSums(tenant, { start: from > 0n ? from : 0n, end })).map(
      ({ component_type: type, component_id: id, total, errors }) => ({ component: { type, id }, total, errors }),
    );
  const last = await hour(start, asOf);
  if (last.every(({ errors }) => errors === 0)) return [];
  const before = await hour(start - HOUR_MINUTES * NANOS_PER_MINUTE, start - 1n);
  const muted = mutedBy(await ignored());
  const findings: Finding[] = [];
  for (const rule of ALERT_RULES) {
    const heard = ({ component }: HourCounts) => !muted.has(`${analyzerOf(rule)} ${componentKey(component)}`);
    const breach = rule.check({ last: last.filter(heard), before: before.filter(heard) });
    if (breach !== null) findings.push(await finding(rule, breach));
  }
  return findings;

  async function finding(rule: AlertRule, breach: Breach): Promise<Finding> {
    const errors: DebugEvent[] = [];
    for (const { type, id } of breach.components.slice(0, SHOWN_COMPONENTS_MAX)) {
      const of = { tenant, component_type: type, component_id: id, min_level: 'ERROR', start, end: asOf } as const;
      errors.push(...(await reader.events({ ...of, limit: SHOWN_ERRORS_MAX })).events);
    }
    errors.sort(byTime);
    const { components, numbers, ...said } = breach;
    return {
      ...said,
      analyzer: analyzerOf(rule),
      what: 'over',
      where: components[0]!,
      // The worst changes from look to look; it is still the same alert.
      spreads: true,
      components,
      correlation_id: latestCorrelation(errors),
      operation_id: null,
      evidence: evidenceOf(errors, numbers),
      times: errors.length > 0 ? errors.map(({ timestamp }) => timestamp) : [formatNanos(asOf)],
      symptoms: errors.slice(-SHOWN_ERRORS_MAX).map(({ message }) => message),
    };
  }
}

/** By rule and component. */
function mutedBy(ignored: readonly Insight[]): ReadonlySet<string> {
  const keys = ignored.flatMap(({ fingerprint, affected_components }) =>
    affected_components.map((component) => `${fingerprint.split('|', 1)[0]} ${componentKey(component)}`),
  );
  return new Set(keys);
}

function analyzerOf({ name }: AlertRule): string {
  return `alert-${name}`;
}

const HOUR_MINUTES = 60n;
const SHOWN_COMPONENTS_MAX = 4;
const SHOWN_ERRORS_MAX = 5;
