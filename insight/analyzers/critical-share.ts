/**
 * Errors that are CRITICAL more often than errors should be: over 30% of them. How sure that is, small counts decide: it is the
 * belief that the true share is above 30%, so 3 of 6 are reported and 2 of 6 are not yet.
 */
import type { ComponentRef } from '../../model/block.ts';
import type { DebugEvent } from '../../model/event.ts';
import type { Analyzer } from '../analyzer.ts';
import { isError, wordsOf } from '../event-facts.ts';
import { commonOperation, confidenceOf, evidenceOf, latestCorrelation, round } from '../finding.ts';
import { shareAbove } from '../statistics.ts';
import { componentKey, componentOf } from '../window.ts';

export const criticalShare: Analyzer = {
  name: 'critical-share',
  needs: ['events'],
  analyze(window) {
    const errors = window.events.filter(isError);
    const critical = errors.filter((event) => event.level === 'CRITICAL');
    const share = critical.length / errors.length;
    if (errors.length < ERRORS_MIN || share <= SHARE_MAX) return [];
    const components = byCount(critical);
    const percent = round(share * 100, 1);
    const names = components.slice(0, 4).map(componentKey).join(', ');
    return [
      {
        analyzer: criticalShare.name,
        what: 'share',
        where: components[0]!,
        spreads: true,
        insight_type: 'error',
        severity: 'critical',
        title: `${percent}% of errors are CRITICAL`,
        summary: `${critical.length} of ${errors.length} errors (${percent}%) are CRITICAL, from ${names}.`,
        description: `${critical.length} of ${errors.length} errors are CRITICAL, over the ${SHARE_MAX * 100}% at which errors stop being routine. They come from ${names}.`,
        components,
        correlation_id: latestCorrelation(critical),
        operation_id: commonOperation(critical),
        evidence: evidenceOf(critical, {
          total_errors: errors.length,
          critical_errors: critical.length,
          critical_rate: round(share, 4),
        }),
        confidence: confidenceOf([shareAbove(critical.length, errors.length, SHARE_MAX)], window.coverage),
        times: critical.map((event) => event.timestamp),
        symptoms: critical.slice(-5).map(wordsOf),
      },
    ];
  },
};

const SHARE_MAX = 0.3;
// Below this the share says less than the errors themselves do.
const ERRORS_MIN = 5;

function byCount(events: readonly DebugEvent[]): ComponentRef[] {
  const counts = new Map<string, { component: ComponentRef; count: number }>();
  for (const event of events) {
    const entry = counts.get(componentKey(event));
    if (entry === undefined) counts.set(componentKey(event), { component: componentOf(event), count: 1 });
    else entry.count++;
  }
  return [...counts.values()].sort((a, b) => b.count - a.count).map(({ component }) => component);
}
