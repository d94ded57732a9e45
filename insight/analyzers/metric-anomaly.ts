/**
 * A metric that leaves what it was by its own series: gauges, rates of counters, means of histograms. A value is odd when it lies outside all
 * that the series was before by far more than the series ever varied, for several points or so far that one is enough, and the
 * {@link AnomalyDetector} has been surprised. The span of what was is the unit, as it assumes no distribution: single values of a heavy
 * tail go far, seldom five spans, and three in a row do not leave it by chance.
 *
 * What is odd is told as information: a metric alone does not say whether anybody suffers. It is a warning where its name says that more
 * of it is harm (durations, failures, queues), it stays so, at twice the highest before, and the others that have it do not show the same.
 */
import type { Analyzer } from '../analyzer.ts';
import { AnomalyDetector } from '../anomaly/detector.ts';
import { confidenceOf, evidenceOf, type Finding, round, sampleSignal } from '../finding.ts';
import { type MetricSeries, type MetricValue, metricSeriesOf } from '../metric-series.ts';
import { ascending, quantile } from '../statistics.ts';
import { componentKey, type Window } from '../window.ts';

export const metricAnomaly: Analyzer = {
  name: 'metric-anomaly',
  needs: ['series'],
  analyze(window, budget) {
    const found: OddSeries[] = [];
    const having = new Map<string, Set<string>>();
    for (const series of metricSeriesOf(window.metricPoints)) {
      budget.check();
      const owners = having.get(series.metric);
      if (owners === undefined) having.set(series.metric, new Set([componentKey(series.component)]));
      else owners.add(componentKey(series.component));
      const odd = oddRun(series, window);
      if (odd !== null) found.push({ series, ...odd });
    }
    const shared = (metric: string) =>
      new Set(
        found.filter(({ series }) => series.metric === metric).map(({ series }) => componentKey(series.component)),
      ).size *
        2 >
        having.get(metric)!.size && having.get(metric)!.size > 1;
    const worst = new Map<string, OddSeries>();
    for (const odd of found) {
      const key = `${componentKey(odd.series.component)}\0${odd.series.metric}`;
      // Of one metric's series the oddest speaks for all.
      if ((worst.get(key)?.spans ?? 0) < odd.spans) worst.set(key, odd);
    }
    return [...Map.groupBy(worst.values(), ({ series }) => componentKey(series.component)).values()].flatMap((own) =>
      own
        .sort((a, b) => b.spans - a.spans)
        .slice(0, FINDINGS_MAX)
        .map((odd) => metricFinding(odd, shared(odd.series.metric))),
    );
  },
};

/** So many values must be known; from as many as the detector needs on it must agree, before that the span counts double. */
const KNOWN_MIN = 12;
const LEARNED_MIN = 30;
/** Its score is one half: one point in two thousand of an ordinary series is as surprising. */
const SURPRISE_MIN = 5;
/** How many spans outside of it a single value must lie, and each of a run. */
const SINGLE_SPANS = 4;
const RUN_SPANS = 1;
const RUN_MIN = 3;
/** A smaller change matters to nobody, however steady the series was. */
const CHANGE_MIN = 0.2;
const WORSE_MIN = 2;
/** What is remembered of a series: six hours of minutes, an hour of every ten seconds. */
const VALUES_MAX = 360;
const FINDINGS_MAX = 5;
/** By the words of the semantic conventions, more of it is harm. */
const HARMFUL =
  /duration|latency|delay|lag|wait|error|fail|fault|exception|drop|reject|refus|timeout|retr|pending|queue|throttl/i;

interface OddRun {
  odd: MetricValue[];
  before: { low: number; high: number; median: number; count: number };
  /** How far the oddest lies outside of what was, in spans of that; 1,000 at most. */
  spans: number;
  surprise: number;
}

interface OddSeries extends OddRun {
  series: MetricSeries;
}

/** The last odd values of a series that lie in the window; odd ones are no part of what later ones are compared with. */
function oddRun({ values }: MetricSeries, { scope, asOf }: Window): OddRun | null {
  const known = values.slice(-VALUES_MAX);
  if (known.length <= KNOWN_MIN) return null;
  const detector = new AnomalyDetector({ capacity: known.length });
  const before: number[] = [];
  let [low, high] = [Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY];
  let run: (MetricValue & { spans: number; surprise: number })[] = [];
  let found: OddRun | null = null;
  for (const each of known) {
    if (each.time > asOf) break;
    const { surprise } = detector.score(each.value, each.time);
    const spans = before.length < KNOWN_MIN ? 0 : spansBeyond(each.value, low, high);
    const needed = before.length < LEARNED_MIN ? 2 : 1;
    const side = each.value > high;
    if (spans < RUN_SPANS * needed || (run.length > 0 && run[0]!.value > high !== side)) {
      for (const { value } of run) learn(value);
      run = [];
      if (spans < RUN_SPANS * needed) {
        learn(each.value);
        continue;
      }
    }
    run.push({ ...each, spans, surprise });
    const peak = run.reduce((a, b) => (b.spans > a.spans ? b : a));
    const surprised = Math.max(...run.map((one) => one.surprise));
    const isOdd =
      (run.length >= RUN_MIN || (peak.spans >= SINGLE_SPANS * needed && high > low)) &&
      (before.length < LEARNED_MIN || surprised >= SURPRISE_MIN);
    if (!isOdd || (scope.start !== undefined && each.time < scope.start)) continue;
    const median = quantile(ascending(before), 0.5);
    if (Math.abs(peak.value - median) < CHANGE_MIN * Math.abs(median)) continue;
    found = {
      odd: [...run],
      before: { low, high, median, count: before.length },
      spans: peak.spans,
      surprise: surprised,
    };
  }
  return found;

  function learn(value: number): void {
    before.push(value);
    low = Math.min(low, value);
    high = Math.max(high, value);
  }
}

/** A series that never moved has no span: any other value is as far as can be. */
function spansBeyond(value: number, low: number, high: number): number {
  const beyond = Math.max(value - high, low - value, 0);
  return beyond === 0 ? 0 : Math.min(beyond / (high - low), SPANS_MAX);
}

const SPANS_MAX = 1000;

function metricFinding({ series, odd, before, spans, surprise }: OddSeries, isShared: boolean): Finding {
  const { component, metric, measure, unit, nodeId, dimensions } = series;
  const name = componentKey(component);
  const worst = odd.reduce((a, b) => (Math.abs(b.value - before.median) > Math.abs(a.value - before.median) ? b : a));
  const isUp = worst.value > before.high;
  const isHarm = isUp && HARMFUL.test(metric) && worst.value >= before.high * WORSE_MIN;
  const isWarning = isHarm && odd.length >= RUN_MIN && before.count >= LEARNED_MIN && !isShared;
  const what = measure === 'value' ? metric : `${measure === 'rate' ? 'the rate' : 'the mean'} of ${metric}`;
  const told = (value: number) =>
    `${Number(value.toPrecision(4))}${/^\w/.test(unit) && unit !== '1' ? ` ${unit}` : ''}`;
  const since = odd[0]!.event.timestamp;
  const on = nodeId === null ? name : `${name} (node ${nodeId})`;
  const score = surprise / (surprise + SURPRISE_MIN);
  return {
    analyzer: metricAnomaly.name,
    what: `metric ${metric}`,
    where: component,
    insight_type: 'anomaly',
    severity: isWarning ? 'warning' : 'info',
    title: `${metric} of ${name} is ${isUp ? 'higher' : 'lower'} than it ever was: ${told(worst.value)}`,
    summary: `${what} of ${on} is ${told(worst.value)} since ${since}; in the ${before.count} points before it was ${told(before.low)} to ${told(before.high)}.`,
    description: `Since ${since} ${what} of ${on} is ${told(worst.value)}, for ${odd.length} point${odd.length === 1 ? '' : 's'}. In the ${before.count} points before it was ${told(before.low)} to ${told(before.high)}, ${told(before.median)} in the middle.${isShared ? ' Most of the others that report it show the same.' : ''}`,
    components: [component],
    correlation_id: null,
    operation_id: null,
    evidence: evidenceOf(
      odd.map(({ event }) => event),
      {
        metric_name: metric,
        measure,
        unit,
        node: nodeId,
        dimensions,
        value: worst.value,
        usual: before.median,
        usual_low: before.low,
        usual_high: before.high,
        points_known: before.count,
        odd_points: odd.length,
        detector_score: round(before.count < LEARNED_MIN ? 0 : score, 3),
      },
    ),
    // Twice as far as asked for is half of a proof; the detector's say, once it has learned; how much is known.
    confidence: confidenceOf([
      1 - 1 / (1 + spans / RUN_SPANS),
      before.count < LEARNED_MIN ? 0 : score / 2,
      sampleSignal(odd.length - 1, 2),
      sampleSignal(before.count, 30) / 2,
    ]),
    times: odd.map(({ event }) => event.timestamp),
    symptoms: [metric],
  };
}
