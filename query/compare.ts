/** Two or more components, operations or windows side by side: their health, and what of their telemetry separates them. */
import type { ComponentRef } from '../model/block.ts';
import type { DebugEvent } from '../model/event.ts';
import { Sketch } from '../model/sketch.ts';
import type { TierName } from '../storage/contract.ts';
import { type Answer, beginReading, notFound, readAll } from './answer.ts';
import { COUNTED_TYPES, type Counts, countsOf, countWindow, totalOf } from './counts.ts';
import { type Health, healthOf, type Latency, latencyOf } from './health.ts';
import type { QueryNeeds } from './needs.ts';
import { parseTimeRange, parseWindow, type TimeRangeInput } from './params.ts';

/** Exactly one of `components`, `operations` and `windows`, with two to ten entries. */
export interface CompareInput extends TimeRangeInput {
  components?: readonly ComponentRef[] | null | undefined;
  operations?: readonly string[] | null | undefined;
  windows?: readonly { start: string; end: string }[] | null | undefined;
  /** Narrows `windows` to one component. */
  component_type?: string | null | undefined;
  component_id?: string | null | undefined;
}

export interface Side extends Health, Latency {
  label: string;
  /** How many of its events were looked into for differences: the newest. */
  sampled_events: number;
}

export interface Difference {
  /** What separates: an attribute's value, a log template, a span's name, or how long such spans take. */
  kind: 'attribute' | 'template' | 'span' | 'span_latency';
  name: string;
  value: string | null;
  /** In the order of the sides. For a kind of share: the part of the sampled events that have it; else the median in milliseconds. */
  per_side: (number | null)[];
  /** 0 to 1: the gap between the highest and the lowest share, or the part by which the slowest is slower. */
  score: number;
}

export interface Comparison {
  sides: Side[];
  /** Gaps of 20 points of health or 0.1 of error rate, in words. */
  remarks: string[];
  /** Beyond chance, the greatest first, 20 at most. */
  differences: Difference[];
}

export interface CompareAnswers {
  /** @throws DebugError NOT_FOUND for an operation that does not exist */
  compare(tenant: string, input: CompareInput): Promise<Answer<Comparison>>;
}

export function createCompareAnswers(needs: QueryNeeds): CompareAnswers {
  return {
    async compare(tenant, input) {
      const reading = await beginReading(needs);
      const samples = await takeSamples(tenant, input, reading.now);
      const sides = samples.map(({ label, counts, events }): Side => {
        return { label, ...healthOf(counts), ...latencyOf(counts), sampled_events: events.length };
      });
      const differences = await withTexts(tenant, rank(samples));
      return reading.answer(
        { sides, remarks: remarksOn(sides), differences },
        {
          count: sides.length,
          truncated: samples.some((sample) => sample.truncated),
          coverage: { tiers: [...new Set(samples.flatMap((sample) => sample.tiers))] },
        },
      );
    },
  };

  async function takeSamples(tenant: string, input: CompareInput, now: bigint): Promise<Sample[]> {
    const samples: Sample[] = [];
    for (const { type, id } of input.components ?? []) {
      const component = { component_type: type, component_id: id };
      samples.push(await sampleWindow(`${type}/${id}`, tenant, parseWindow(input, now), now, component));
    }
    for (const window of input.windows ?? []) {
      const component = {
        ...(input.component_type != null && { component_type: input.component_type }),
        ...(input.component_id != null && { component_id: input.component_id }),
      };
      samples.push(
        await sampleWindow(`${window.start}/${window.end}`, tenant, parseWindow(window, now), now, component),
      );
    }
    for (const operation_id of input.operations ?? []) {
      const query = { tenant, operation_id, ...parseTimeRange(input, now), event_types: COUNTED_TYPES };
      const read = await readAll(needs.events, query, SAMPLE_MAX);
      if (read.events.length === 0) throw notFound('OPERATION', `operation ${operation_id}`);
      samples.push({ label: operation_id, ...read, counts: countsOf(read.events) });
    }
    return samples;
  }

  async function sampleWindow(
    label: string,
    tenant: string,
    window: { start: bigint; end: bigint },
    now: bigint,
    component: { component_type?: string; component_id?: string },
  ): Promise<Sample> {
    const { components } = await countWindow(needs, tenant, window, now, component);
    const read = await readAll(
      needs.events,
      { tenant, ...window, ...component, event_types: COUNTED_TYPES },
      SAMPLE_MAX,
    );
    return { label, ...read, counts: totalOf(components) };
  }

  async function withTexts(tenant: string, differences: Difference[]): Promise<Difference[]> {
    const ids = differences.filter(({ kind }) => kind === 'template').map(({ name }) => name);
    const texts = new Map((await needs.rows.templates(tenant, ids)).map(({ id, text }) => [id, text]));
    return differences.map((each) =>
      each.kind === 'template' ? { ...each, value: texts.get(each.name) ?? null } : each,
    );
  }
}

interface Sample {
  label: string;
  events: DebugEvent[];
  truncated: boolean;
  tiers: TierName[];
  counts: Counts;
}

// Shares of a thousand are right within 3 points, which is less than a difference must have to be told.
const SAMPLE_MAX = 1000;
const DIFFERENCES_MAX = 20;
const SHARE_GAP_MIN = 0.05;
const SEEN_MIN = 3;
const SIGMAS_MIN = 3;
const LATENCY_SAMPLES_MIN = 10;
const LATENCY_GAP_MIN = 0.2;
// Longer values are texts and payloads, each its own.
const VALUE_CHARS_MAX = 100;
const HEALTH_GAP = 20;
const ERROR_RATE_GAP = 0.1;
/** They name the side itself. */
const IDENTITY = /^resource\.(service\.name|service\.instance\.id|process\.|telemetry\.)/;

function remarksOn(sides: readonly Side[]): string[] {
  const known = sides.filter((side) => side.health_score !== null).sort((a, b) => b.health_score! - a.health_score!);
  const [best, worst] = [known[0], known.at(-1)];
  const remarks = sides
    .filter((side) => side.health_score === null)
    .map((side) => `${side.label} has no events: nothing is known of its health`);
  if (best === undefined || worst === undefined) return remarks;
  const gap = best.health_score! - worst.health_score!;
  if (gap >= HEALTH_GAP) {
    remarks.push(
      `${worst.label} is ${shorten(gap)} points less healthy (${worst.health_score}) than ${best.label} (${best.health_score})`,
    );
  }
  const rateGap = worst.error_rate! - best.error_rate!;
  if (rateGap >= ERROR_RATE_GAP) {
    remarks.push(
      `${worst.label} has an error rate of ${shorten(worst.error_rate!)}, ${best.label} of ${shorten(best.error_rate!)}`,
    );
  }
  return remarks;
}

function rank(samples: readonly Sample[]): Difference[] {
  return [...shareDifferences(samples), ...latencyDifferences(samples)]
    .sort((a, b) => b.score - a.score || (a.name < b.name ? -1 : 1))
    .slice(0, DIFFERENCES_MAX);
}

/** Two-proportion z-test (pooled) between the sides where a thing is most and least common. */
function shareDifferences(samples: readonly Sample[]): Difference[] {
  const seen = new Map<string, { kind: Difference['kind']; name: string; value: string | null; counts: number[] }>();
  for (const [side, { events }] of samples.entries()) {
    for (const event of events) {
      for (const [kind, name, value] of featuresOf(event)) {
        const key = `${kind}\0${name}\0${value}`;
        let feature = seen.get(key);
        if (feature === undefined) seen.set(key, (feature = { kind, name, value, counts: samples.map(() => 0) }));
        feature.counts[side]!++;
      }
    }
  }
  const differences: Difference[] = [];
  for (const { kind, name, value, counts } of seen.values()) {
    if (Math.max(...counts) < SEEN_MIN) continue;
    const shares = counts
      .map((count, side) => ({ count, of: samples[side]!.events.length }))
      .filter(({ of }) => of > 0);
    const ordered = shares.toSorted((a, b) => a.count / a.of - b.count / b.of);
    const [low, high] = [ordered[0]!, ordered.at(-1)!];
    const gap = high.count / high.of - low.count / low.of;
    const pooled = (high.count + low.count) / (high.of + low.of);
    const sigma = Math.sqrt(pooled * (1 - pooled) * (1 / high.of + 1 / low.of));
    if (gap < SHARE_GAP_MIN || (sigma > 0 && gap / sigma < SIGMAS_MIN)) continue;
    const per_side = counts.map((count, side) =>
      samples[side]!.events.length === 0 ? null : count / samples[side]!.events.length,
    );
    differences.push({ kind, name, value, per_side, score: gap });
  }
  return differences;
}

function* featuresOf(event: DebugEvent): Generator<[Difference['kind'], string, string | null]> {
  if (event.template_id !== null) yield ['template', event.template_id, null];
  if (event.span !== undefined) yield ['span', event.name ?? '', event.status ?? null];
  for (const [key, value] of Object.entries(event.data)) if (isPlain(value)) yield ['attribute', key, String(value)];
  for (const [key, value] of Object.entries(event.resource.attributes)) {
    const name = `resource.${key}`;
    if (isPlain(value) && !IDENTITY.test(name)) yield ['attribute', name, String(value)];
  }
}

function isPlain(value: unknown): value is string | number | boolean {
  return typeof value === 'string'
    ? value.length <= VALUE_CHARS_MAX
    : typeof value === 'number' || typeof value === 'boolean';
}

function latencyDifferences(samples: readonly Sample[]): Difference[] {
  const bySpan = new Map<string, Sketch[]>();
  for (const [side, { events }] of samples.entries()) {
    for (const { span, name = '', duration_ms = 0 } of events) {
      if (span === undefined) continue;
      let sketches = bySpan.get(name);
      if (sketches === undefined) bySpan.set(name, (sketches = samples.map(() => new Sketch())));
      sketches[side]!.add(duration_ms);
    }
  }
  const differences: Difference[] = [];
  for (const [name, sketches] of bySpan) {
    const per_side = sketches.map((sketch) => (sketch.count < LATENCY_SAMPLES_MIN ? null : sketch.quantile(0.5)));
    const medians = per_side.filter((median) => median !== null);
    const slowest = Math.max(...medians);
    if (medians.length < 2 || slowest <= 0) continue;
    const score = 1 - Math.min(...medians) / slowest;
    if (score >= LATENCY_GAP_MIN) differences.push({ kind: 'span_latency', name, value: null, per_side, score });
  }
  return differences;
}

function shorten(value: number): number {
  return Math.round(value * 1000) / 1000;
}
