/** Components of whose events at least half are errors. Of fewer than ten events a share says more about chance. */
import { confidenceOf, round } from '../finding.ts';
import { shareAbove } from '../statistics.ts';
import { componentKey } from '../window.ts';
import type { AlertRule, HourCounts } from './rule.ts';

export const errorRate: AlertRule = {
  name: 'error-rate',
  check({ last }) {
    const over = last
      .filter(({ total, errors }) => total >= EVENTS_MIN && errors >= total * RATE_MAX)
      .map((counts) => ({ ...counts, belief: shareAbove(counts.errors, counts.total, RATE_MAX) }))
      .sort((a, b) => b.belief - a.belief || b.errors - a.errors);
    const worst = over[0];
    if (worst === undefined) return null;
    const names = over.slice(0, NAMED_MAX).map((counts) => `${componentKey(counts.component)} (${inWords(counts)})`);
    const more = over.length > NAMED_MAX ? ` and ${over.length - NAMED_MAX} more` : '';
    const others = over.length === 1 ? '' : ` and of ${over.length - 1} more`;
    return {
      components: over.map(({ component }) => component),
      insight_type: 'error',
      severity: 'critical',
      title: `Most that ${componentKey(worst.component)} does fails: ${inWords(worst)} are errors${others && `, so${others}`}`,
      summary: `In the last hour at least ${RATE_MAX * 100}% of events are errors in ${names.join(', ')}${more}.`,
      description: `Rule ${errorRate.name}: at least ${RATE_MAX * 100}% errors of at least ${EVENTS_MIN} events within an hour. It holds for ${names.join(', ')}${more}.`,
      numbers: {
        threshold: RATE_MAX,
        components: over.slice(0, NAMED_MAX).map(({ component, total, errors }) => ({
          component: componentKey(component),
          total_events: total,
          error_events: errors,
          error_rate: round(errors / total, 4),
        })),
      },
      confidence: confidenceOf([worst.belief]),
    };
  },
};

const RATE_MAX = 0.5;
const EVENTS_MIN = 10;
const NAMED_MAX = 10;

function inWords({ total, errors }: HourCounts): string {
  return `${errors} of ${total} events`;
}
