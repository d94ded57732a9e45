import { type Attributes, type HrTime, ValueType } from '@opentelemetry/api';
import { hrTime, type InstrumentationScope } from '@opentelemetry/core';
import { emptyResource } from '@opentelemetry/resources';
import {
  AggregationTemporality,
  type CollectionResult,
  DataPointType,
  type MetricData,
  type MetricProducer,
} from '@opentelemetry/sdk-metrics';

/** Of the OpenTelemetry semantic conventions for HTTP durations, seconds. */
const BOUNDARIES = [0.005, 0.01, 0.025, 0.05, 0.075, 0.1, 0.25, 0.5, 0.75, 1, 2.5, 5, 7.5, 10];

/** The specification's bound; what is beyond is counted under its attribute. */
const SERIES_MAX = 2000;
const OVERFLOW = { key: 'otel.metric.overflow', attributes: { 'otel.metric.overflow': true } };

interface Series {
  attributes: Attributes;
  counts: number[];
  count: number;
  sum: number;
  min: number;
  max: number;
}

/**
 * The duration histograms of HTTP, kept by a text key that the caller has at hand. The SDK's own instruments sort, check and print the
 * attributes of each measurement to find its series, which cost more than the rest of it together.
 */
export class Durations implements MetricProducer {
  readonly #scope: InstrumentationScope;
  readonly #isDelta: boolean;
  readonly #histograms = new Map<string, { description: string; series: Map<string, Series> }>();
  #startTime: HrTime = hrTime();

  constructor(scope: InstrumentationScope, isDelta: boolean) {
    this.#scope = scope;
    this.#isDelta = isDelta;
  }

  /**
   * @returns records a duration in seconds; `key` tells the series of one histogram apart, `attributes` is asked when it is new
   */
  histogram(name: string, description: string): (seconds: number, key: string, attributes: () => Attributes) => void {
    const series = new Map<string, Series>();
    this.#histograms.set(name, { description, series });
    return (seconds, key, attributes) => {
      let one = series.get(key);
      if (one === undefined) {
        const isOver = series.size >= SERIES_MAX;
        if (isOver) one = series.get(OVERFLOW.key);
        if (one === undefined) {
          one = emptySeries(isOver ? OVERFLOW.attributes : attributes());
          series.set(isOver ? OVERFLOW.key : key, one);
        }
      }
      let bucket = 0;
      while (bucket < BOUNDARIES.length && seconds > BOUNDARIES[bucket]!) bucket++;
      one.counts[bucket]!++;
      one.count++;
      one.sum += seconds;
      if (seconds < one.min) one.min = seconds;
      if (seconds > one.max) one.max = seconds;
    };
  }

  async collect(): Promise<CollectionResult> {
    const endTime = hrTime();
    const startTime = this.#startTime;
    const metrics: MetricData[] = [];
    for (const [name, { description, series }] of this.#histograms) {
      if (series.size === 0) continue;
      metrics.push({
        descriptor: { name, description, unit: 's', valueType: ValueType.DOUBLE },
        aggregationTemporality: this.#isDelta ? AggregationTemporality.DELTA : AggregationTemporality.CUMULATIVE,
        dataPointType: DataPointType.HISTOGRAM,
        dataPoints: [...series.values()].map(({ attributes, counts, count, sum, min, max }) => ({
          startTime,
          endTime,
          attributes,
          value: { buckets: { boundaries: BOUNDARIES, counts: [...counts] }, count, sum, min, max },
        })),
      } as MetricData);
      if (this.#isDelta) series.clear();
    }
    if (this.#isDelta) this.#startTime = endTime;
    return {
      resourceMetrics: {
        resource: emptyResource(),
        scopeMetrics: metrics.length === 0 ? [] : [{ scope: this.#scope, metrics }],
      },
      errors: [],
    };
  }
}

function emptySeries(attributes: Attributes): Series {
  return {
    attributes,
    counts: new Array<number>(BOUNDARIES.length + 1).fill(0),
    count: 0,
    sum: 0,
    min: Number.POSITIVE_INFINITY,
    max: Number.NEGATIVE_INFINITY,
  };
}
