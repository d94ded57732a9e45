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
const OVERFLOW: Attributes = { 'otel.metric.overflow': true };

interface Series {
  attributes: Attributes;
  counts: number[];
  count: number;
  sum: number;
  min: number;
  max: number;
}

/** The value of one attribute of a series; undefined where it has none. */
type Part = string | number | undefined;

/** Series by the value of their first attribute, then of their second, and so on. */
type Tree = Map<Part, Tree | Series>;

/**
 * The duration histograms of HTTP, each with a fixed list of attributes. The SDK's own instruments sort, check and print the
 * attributes of each measurement to find its series, which cost more than the rest of it together. Here a measurement goes down a tree:
 * the texts are mostly the ones of before, whose hashes V8 has, where one key made of them all would have to be hashed each time.
 */
export class Durations implements MetricProducer {
  readonly #scope: InstrumentationScope;
  readonly #isDelta: boolean;
  readonly #histograms: Histogram[] = [];
  #startTime: HrTime = hrTime();

  constructor(scope: InstrumentationScope, isDelta: boolean) {
    this.#scope = scope;
    this.#isDelta = isDelta;
  }

  /** @param names of the attributes, in the order in which the histogram is told of their values */
  histogram(name: string, description: string, names: readonly string[]): Histogram {
    const histogram = new Histogram(name, description, names);
    this.#histograms.push(histogram);
    return histogram;
  }

  async collect(): Promise<CollectionResult> {
    const endTime = hrTime();
    const startTime = this.#startTime;
    const metrics: MetricData[] = [];
    for (const histogram of this.#histograms) {
      const { name, description, series } = histogram;
      if (series.length === 0) continue;
      metrics.push({
        descriptor: { name, description, unit: 's', valueType: ValueType.DOUBLE },
        aggregationTemporality: this.#isDelta ? AggregationTemporality.DELTA : AggregationTemporality.CUMULATIVE,
        dataPointType: DataPointType.HISTOGRAM,
        dataPoints: series.map(({ attributes, counts, count, sum, min, max }) => ({
          startTime,
          endTime,
          attributes,
          value: { buckets: { boundaries: BOUNDARIES, counts: [...counts] }, count, sum, min, max },
        })),
      } as MetricData);
      if (this.#isDelta) histogram.clear();
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

export class Histogram {
  readonly name: string;
  readonly description: string;
  readonly series: Series[] = [];
  readonly #names: readonly string[];
  readonly #tree: Tree = new Map();
  #overflow: Series | undefined;

  constructor(name: string, description: string, names: readonly string[]) {
    this.name = name;
    this.description = description;
    this.#names = names;
  }

  /** @param parts a value for each of the names */
  record(seconds: number, parts: readonly Part[]): void {
    const one = this.#seriesOf(parts);
    let bucket = 0;
    while (bucket < BOUNDARIES.length && seconds > BOUNDARIES[bucket]!) bucket++;
    one.counts[bucket]!++;
    one.count++;
    one.sum += seconds;
    if (seconds < one.min) one.min = seconds;
    if (seconds > one.max) one.max = seconds;
  }

  clear(): void {
    this.series.length = 0;
    this.#tree.clear();
    this.#overflow = undefined;
  }

  #seriesOf(parts: readonly Part[]): Series {
    let at: Tree | Series | undefined = this.#tree;
    for (let i = 0; i < parts.length && at !== undefined; i++) at = (at as Tree).get(parts[i]);
    return (at as Series | undefined) ?? this.#newSeries(parts);
  }

  #newSeries(parts: readonly Part[]): Series {
    if (this.series.length >= SERIES_MAX) {
      this.#overflow ??= this.#added(OVERFLOW);
      return this.#overflow;
    }
    const attributes: Attributes = {};
    for (const [i, name] of this.#names.entries()) if (parts[i] !== undefined) attributes[name] = parts[i];
    const added = this.#added(attributes);
    let at = this.#tree;
    for (const part of parts.slice(0, -1)) {
      let next = at.get(part) as Tree | undefined;
      if (next === undefined) {
        next = new Map();
        at.set(part, next);
      }
      at = next;
    }
    at.set(parts.at(-1), added);
    return added;
  }

  #added(attributes: Attributes): Series {
    const added: Series = {
      attributes,
      counts: new Array<number>(BOUNDARIES.length + 1).fill(0),
      count: 0,
      sum: 0,
      min: Number.POSITIVE_INFINITY,
      max: Number.NEGATIVE_INFINITY,
    };
    this.series.push(added);
    return added;
  }
}
