/**
 * More than three times as many errors as in the hour before, in the whole system. Without errors before there is nothing to compare with:
 * what is new is found by what it says. Where the traffic grew by more than the errors did, it is no spike.
 */
import { confidenceOf, round } from '../finding.ts';
import { shareAbove } from '../statistics.ts';
import { componentKey } from '../window.ts';
import type { AlertRule, HourCounts } from './rule.ts';

export const errorSpike: AlertRule = {
  name: 'error-spike',
  check({ last, before }) {
    const [now, then] = [sumOf(last), sumOf(before)];
    if (now.errors < ERRORS_MIN || then.errors === 0 || now.errors <= then.errors * FACTOR_MAX) return null;
    const share = now.errors / now.total;
    if (share < then.errors / then.total) return null;
    const earlier = new Map(before.map(({ component, errors }) => [componentKey(component), errors]));
    const risen = last
      .map(({ component, errors }) => ({ component, rise: errors - (earlier.get(componentKey(component)) ?? 0) }))
      .filter(({ rise }) => rise > 0)
      .sort((a, b) => b.rise - a.rise)
      .slice(0, NAMED_MAX);
    const factor = round(now.errors / then.errors, 1);
    const names = risen.map(({ component, rise }) => `${componentKey(component)} (${rise} more)`).join(', ');
    return {
      components: risen.map(({ component }) => component),
      insight_type: 'anomaly',
      severity: share >= GRAVE_SHARE ? 'critical' : 'warning',
      title: `${factor} times as many errors as in the hour before: ${now.errors}, not ${then.errors}`,
      summary: `${now.errors} errors in the last hour, ${then.errors} in the one before. Most of the rise is in ${names}.`,
      description: `Rule ${errorSpike.name}: at least ${ERRORS_MIN} errors within an hour and over ${FACTOR_MAX} times as many as in the hour before. The rise is in ${names}.`,
      numbers: {
        current_errors: now.errors,
        previous_errors: then.errors,
        spike_factor: factor,
        threshold: FACTOR_MAX,
        error_rate: round(share, 4),
      },
      // That there are more at all, given both hours: the same chance of either for each error would be no rise.
      confidence: confidenceOf([shareAbove(now.errors, now.errors + then.errors, 0.5)]),
    };
  },
};

const FACTOR_MAX = 3;
const ERRORS_MIN = 10;
const GRAVE_SHARE = 0.1;
const NAMED_MAX = 10;

function sumOf(counts: readonly HourCounts[]): { total: number; errors: number } {
  return counts.reduce((sum, { total, errors }) => ({ total: sum.total + total, errors: sum.errors + errors }), {
    total: 0,
    errors: 0,
  });
}
