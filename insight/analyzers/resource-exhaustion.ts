/**
 * A resource that will be full within a week if it goes on as it did: a robust trend (prediction.ts) over at least a hundred readings and half
 * an hour, rising from third to third, whose slower bound still gets there. A trend is believed six times as far ahead as it was
 * seen back, so a warm-up of minutes is no leak; what swings with the day does not rise through all thirds of a week.
 */
import type { Analyzer } from '../analyzer.ts';
import { confidenceOf, evidenceOf, type Finding, round, sampleSignal } from '../finding.ts';
import { type Fullness, fullnessOf } from '../fullness.ts';
import { type Trend, trendOf } from '../prediction.ts';
import { ascending, quantile } from '../statistics.ts';
import { componentKey } from '../window.ts';

export const resourceExhaustion: Analyzer = {
  name: 'resource-exhaustion',
  needs: ['events', 'metrics'],
  analyze(window, budget) {
    const findings = new Map<string, { hours: number; finding: Finding }>();
    for (const series of fullnessOf(window)) {
      budget.check();
      if (!series.fills || series.readings.length < READINGS_MIN) continue;
      const outlook = outlookOf(series);
      if (outlook === null) continue;
      const key = `${series.resource}\0${componentKey(series.component)}`;
      // Of several nodes the first to be full speaks.
      const known = findings.get(key);
      if (known !== undefined && known.hours <= outlook.hours) continue;
      findings.set(key, { hours: outlook.hours, finding: exhaustion(series, outlook) });
    }
    return [...findings.values()].map(({ finding }) => finding);
  },
};

const READINGS_MIN = 100;
const SPAN_HOURS_MIN = 0.5;
const HORIZON_HOURS = 168;
const AHEAD_MAX = 6;
const RISE_PERCENT_MIN = 5;
const SOON_HOURS = 24;

interface Outlook {
  hours: number;
  hoursLatest: number;
  spanHours: number;
  trend: Trend;
}

function outlookOf({ readings }: Fullness): Outlook | null {
  const first = readings[0]!.time;
  const points = readings.map(({ time, percent }) => ({ hours: Number(time - first) / 3.6e12, value: percent }));
  const spanHours = points.at(-1)!.hours;
  if (spanHours < SPAN_HOURS_MIN) return null;
  const trend = trendOf(points);
  if (trend === null || trend.slopeLow <= 0) return null;
  const third = (from: number) => {
    const part = points.filter(({ hours }) => hours >= (spanHours * from) / 3 && hours <= (spanHours * (from + 1)) / 3);
    return part.length === 0 ? null : quantile(ascending(part.map(({ value }) => value)), 0.5);
  };
  const levels = [third(0), third(1), third(2)].filter((level) => level !== null);
  if (levels.length < 2 || levels.some((level, i) => i > 0 && level <= levels[i - 1]!)) return null;
  if (levels.at(-1)! - levels[0]! < RISE_PERCENT_MIN) return null;
  // What stood still lately has found its level.
  const recent = points.slice(-Math.floor(points.length / 4));
  if ((trendOf(recent)?.slope ?? 0) <= 0) return null;
  const left = Math.max(100 - trend.level, 0);
  const hours = left / trend.slope;
  if (hours > Math.min(HORIZON_HOURS, spanHours * AHEAD_MAX)) return null;
  return { hours, hoursLatest: left / trend.slopeLow, spanHours, trend };
}

function exhaustion({ component, nodeId, resource, readings }: Fullness, outlook: Outlook): Finding {
  const { hours, hoursLatest, spanHours, trend } = outlook;
  const name = componentKey(component);
  const on = nodeId === null ? name : `${name} (node ${nodeId})`;
  const events = readings.map(({ event }) => event);
  const isLate = trend.level >= 100 || hours < 0.05;
  const inTime = isLate ? 'now' : `in about ${round(hours, hours < 10 ? 1 : 0)} h`;
  return {
    analyzer: resourceExhaustion.name,
    what: `full ${resource}`,
    where: component,
    insight_type: 'prediction',
    severity: hours < SOON_HOURS ? 'critical' : 'warning',
    title: `${resource} of ${name} will be full ${inTime}`,
    summary: `${resource} of ${on} rises by ${round(trend.slope, 2)} points an hour and is at ${round(trend.level, 1)}%: full ${inTime}.`,
    description: `Over ${round(spanHours, 1)} h and ${readings.length} readings ${resource} of ${on} rose by ${round(trend.slope, 2)} points an hour (${round(trend.slopeLow, 2)} to ${round(trend.slopeHigh, 2)}), and stands at ${round(trend.level, 1)}%. If it goes on it is full ${inTime}, at the slower bound in ${round(hoursLatest, 1)} h.`,
    components: [component],
    correlation_id: null,
    operation_id: null,
    evidence: evidenceOf([events.at(-1)!, events[0]!, ...events.slice(-10)], {
      resource,
      node: nodeId,
      current_percent: round(trend.level, 2),
      slope_percent_per_hour: round(trend.slope, 4),
      slope_interval: [round(trend.slopeLow, 4), round(trend.slopeHigh, 4)],
      hours_until_exhaustion: round(hours, 2),
      hours_until_exhaustion_latest: round(hoursLatest, 2),
      observed_hours: round(spanHours, 2),
      sample_count: readings.length,
    }),
    // How far ahead of what was seen, how sharp the slope, how many readings.
    confidence: confidenceOf([
      0.6 * (1 - hours / (spanHours * AHEAD_MAX)),
      Math.max(trend.slopeLow / trend.slope, 0) * 0.7,
      sampleSignal(readings.length, READINGS_MIN),
    ]),
    times: [events.at(-1)!.timestamp],
    symptoms: [
      /mem|heap/i.test(resource) ? 'out of memory' : /disk|filesystem/i.test(resource) ? 'disk full' : resource,
    ],
    suggestions: [
      {
        action: `Find what in ${name} grows and is not given back since ${events[0]!.timestamp}`,
        why: `it rose all through ${round(spanHours, 1)} h, which load that comes and goes does not`,
        source: 'known_cause',
      },
    ],
  };
}
