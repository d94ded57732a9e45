/** Two or more components, operations or windows side by side: their health, and what of their telemetry separates them. */
import type { ComponentRef } from '../model/block.ts';
import type { DebugEvent } from '../model/event.ts';
import type { Snapshot } from '../model/snapshot.ts';
import type { TierName } from '../storage/contract.ts';
import { type Answer, beginReading, notFound, readAll } from './answer.ts';
import { COUNTED_TYPES, type Counts, countsOf, countWindow, totalOf } from './counts.ts';
import { type Difference, differencesOf } from './differences.ts';
import { type Health, healthOf, type Latency, latencyOf } from './health.ts';
import type { QueryNeeds } from './needs.ts';
import { parseTimeRange, parseWindow, type TimeRangeInput } from './params.ts';

/** Exactly one of `components`, `operations`, `windows` and `values`, with two to ten entries. */
export interface CompareInput extends TimeRangeInput {
  components?: readonly ComponentRef[] | null | undefined;
  operations?: readonly string[] | null | undefined;
  windows?: readonly { start: string; end: string }[] | null | undefined;
  /** What carries each value of one attribute: two versions that run side by side share their time. */
  values?: { attribute: string; of: readonly string[] } | null | undefined;
  /** Narrows `windows` and `values` to one component. */
  component_type?: string | null | undefined;
  component_id?: string | null | undefined;
}

export interface Side extends Health, Latency {
  label: string;
  /** How many of its events were looked into for differences. */
  sampled_events: number;
}

export type { Difference } from './differences.ts';

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
      const differences = await withTexts(tenant, differencesOf(samples, input.components != null));
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
    const component = {
      ...(input.component_type != null && { component_type: input.component_type }),
      ...(input.component_id != null && { component_id: input.component_id }),
    };
    for (const value of input.values?.of ?? []) {
      const scope = {
        ...component,
        ...parseWindow(input, now),
        attributes: new Map([[input.values!.attribute, value]]),
      };
      const read = await readAll(needs.events, { tenant, ...scope, event_types: COUNTED_TYPES }, SAMPLE_MAX);
      samples.push({ label: value, ...read, snapshots: [], counts: countsOf(read.events) });
    }
    for (const window of input.windows ?? []) {
      samples.push(
        await sampleWindow(`${window.start}/${window.end}`, tenant, parseWindow(window, now), now, component),
      );
    }
    for (const operation_id of input.operations ?? []) {
      const range = parseTimeRange(input, now);
      // What a run is called by its own system is often the correlation.
      for (const scope of [{ operation_id }, { correlation_id: operation_id }]) {
        const read = await readAll(
          needs.events,
          { tenant, ...scope, ...range, event_types: COUNTED_TYPES },
          SAMPLE_MAX,
        );
        if (read.events.length === 0) continue;
        const snapshots = await needs.rows.snapshots(tenant, { ...scope, ...range, limit: SNAPSHOTS_MAX });
        samples.push({ label: operation_id, ...read, snapshots, counts: countsOf(read.events) });
        break;
      }
      if (samples.at(-1)?.label !== operation_id) throw notFound('OPERATION', `operation ${operation_id}`);
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
    const { components, latencyBeyond } = await countWindow(needs, tenant, window, now, component);
    const events: DebugEvent[] = [];
    const tiers = new Set<TierName>();
    let truncated = false;
    const end = window.end < now ? window.end : now;
    const length = end > window.start ? (end - window.start) / PARTS + 1n : 1n;
    for (let start = window.start; start <= end; start += length) {
      const part = { start, end: start + length - 1n < end ? start + length - 1n : end };
      const query = { tenant, ...part, ...component, event_types: COUNTED_TYPES };
      const read = await readAll(needs.events, query, SAMPLE_MAX / Number(PARTS));
      events.push(...read.events);
      truncated ||= read.truncated;
      for (const tier of read.tiers) tiers.add(tier);
    }
    const snapshots = await needs.rows.snapshots(tenant, { ...window, ...component, limit: SNAPSHOTS_MAX });
    const counts = totalOf(components);
    if (latencyBeyond) counts.latency = countsOf(events).latency;
    return { label, events, snapshots, truncated, tiers: [...tiers], counts };
  }

  async function withTexts(tenant: string, differences: Difference[]): Promise<Difference[]> {
    const ids = differences.filter(({ kind }) => kind === 'template').map(({ name }) => name);
    const texts = new Map((await needs.rows.templates(tenant, ids)).map(({ id, text }) => [id, text]));
    return differences.map((each) =>
      texts.has(each.name) && each.kind === 'template' ? { ...each, value: texts.get(each.name)! } : each,
    );
  }
}

interface Sample {
  label: string;
  events: DebugEvent[];
  snapshots: Snapshot[];
  truncated: boolean;
  tiers: TierName[];
  counts: Counts;
}

// Shares of a thousand are right within 3 points, which is less than a difference must have to be told.
const SAMPLE_MAX = 1000;
/** A window is sampled in as many parts: the newest of it alone may be another time of day, or after the end of the trouble. */
const PARTS = 4n;
const SNAPSHOTS_MAX = 200;
const HEALTH_GAP = 20;
const ERROR_RATE_GAP = 0.1;
function remarksOn(sides: readonly Side[]): string[] {
  const known = sides.filter((side) => side.health_score !== null).sort((a, b) => b.health_score! - a.health_score!);
  const [best, worst] = [known[0], known.at(-1)];
  const remarks = sides
    .filter((side) => side.health_score === null)
    .map((side) => `${side.label} has no events then: there is nothing to compare with`);
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

function shorten(value: number): number {
  return Math.round(value * 1000) / 1000;
}
