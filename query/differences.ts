/**
 * What separates sides that are compared, in one ranked list: versions, errors, log templates, spans and how long they take, attributes, with
 * which of them it fails, and state. Each is tested against chance, all of them together are kept to a share of false ones
 * (significance.ts), and what remains is ranked by the size of the difference: how sure one is says little about how much it matters.
 */
import type { DebugEvent } from '../model/event.ts';
import { SEVERITY_ERROR } from '../model/event.ts';
import { isJsonObject, type Json } from '../model/json.ts';
import type { Snapshot } from '../model/snapshot.ts';
import { pathOf } from '../model/state-diff.ts';
import { believed, rankChance, shareChance } from './significance.ts';
import { isVersion } from './versions.ts';

export const DIFFERENCE_KINDS = [
  'version',
  'error',
  'template',
  'span',
  'span_latency',
  'error_rate',
  'attribute',
  'state',
] as const;

export interface Difference {
  /**
   * What separates: a component's version, an error, a log template, a span's name and status, how long such spans take, the operations with an
   * attribute that fail, an attribute's value, a value in the state.
   */
  kind: (typeof DIFFERENCE_KINDS)[number];
  name: string;
  /** Of `span_latency` whose spans they are, as `service/orders`; null where the sides are components. */
  value: string | null;
  /**
   * In the order of the sides; null where a side has too little. For `span_latency` the median in milliseconds. Else a share: of the
   * events that have it; of `version`, of the component's events; of `error_rate`, of the operations with the attribute that
   * failed; of `state`, of the newest snapshots that hold the value.
   */
  per_side: (number | null)[];
  /** 0 to 1: the gap between the highest and the lowest share, or the part by which the slowest is slower. */
  score: number;
}

export interface SampledSide {
  events: readonly DebugEvent[];
  /** Newest first. */
  snapshots: readonly Snapshot[];
}

/**
 * @param areComponents whether each side is a component: spans of one name are then compared across them, else each component's own
 * @returns beyond chance, the greatest first, 20 at most
 */
export function differencesOf(sides: readonly SampledSide[], areComponents = false): Difference[] {
  const tested = [...shares(sides), ...errorRates(sides), ...latencies(sides, areComponents)];
  return [...believed(tested, FALSE_SHARE).map(({ chance: _, ...difference }) => difference), ...states(sides)]
    .sort((a, b) => b.score - a.score || order(a) - order(b) || (a.name < b.name ? -1 : 1))
    .slice(0, DIFFERENCES_MAX);
}

type Tested = Difference & { chance: number };

const DIFFERENCES_MAX = 20;
const FALSE_SHARE = 0.01;
const SHARE_GAP_MIN = 0.05;
const SEEN_MIN = 3;
const LATENCY_SAMPLES_MIN = 10;
const LATENCY_GAP_MIN = 0.2;
// Longer values are texts and payloads, each its own.
const VALUE_CHARS_MAX = 100;
// Values of an attribute that has more of them are ids.
const FEATURES_MAX = 50_000;
const STATES_MAX = 5;
/** A state that differs is certain, but states differ all the time: between two shares of a half and none. */
const STATE_SCORE = 0.5;
/** They name the side itself. */
const IDENTITY = /^resource\.(service\.name|service\.instance\.id|process\.|telemetry\.|host\.(?:id|name)|k8s\.pod\.)/;

// ---- shares -----------------------------------------------------------------------------------------------------------

interface Feature {
  kind: Difference['kind'];
  name: string;
  value: string | null;
  /** Of what the shares are: absent, of all events of the side. */
  of?: string;
  /** What is shown for the value, of the first that was seen; no part of what it is. */
  shown?: string;
}

function shares(sides: readonly SampledSide[]): Tested[] {
  const seen = new Map<string, { feature: Feature; counts: number[] }>();
  const bases = new Map<string, number[]>();
  const zeros = () => sides.map(() => 0);
  for (const [side, { events }] of sides.entries()) {
    for (const event of events) {
      const counted = new Set<string>();
      for (const feature of featuresOf(event)) {
        const { kind, name, value, of } = feature;
        const key = `${kind}\0${name}\0${value}`;
        let known = seen.get(key);
        if (known === undefined) {
          if (seen.size === FEATURES_MAX) continue;
          seen.set(key, (known = { feature, counts: zeros() }));
        }
        known.counts[side]!++;
        if (of === undefined || counted.has(of)) continue;
        counted.add(of);
        let base = bases.get(of);
        if (base === undefined) bases.set(of, (base = zeros()));
        base[side]!++;
      }
    }
  }
  const totals = sides.map(({ events }) => events.length);
  const tested: Tested[] = [];
  for (const { feature, counts } of seen.values()) {
    const { of, shown, ...named } = feature;
    if (Math.max(...counts) < SEEN_MIN) continue;
    const compared = compareShares(counts, of === undefined ? totals : bases.get(of)!);
    if (compared !== null) tested.push({ ...named, value: shown ?? named.value, ...compared });
  }
  return tested;
}

function* featuresOf(event: DebugEvent): Generator<Feature> {
  const component = `${event.component_type}/${event.component_id}`;
  const isError = event.span === undefined && event.severity_number >= SEVERITY_ERROR;
  if (isError || (event.event_type === 'error' && event.span === undefined)) {
    const type = event.data['exception.type'];
    const name =
      event.template_id ?? (typeof type === 'string' ? type : null) ?? event.message.slice(0, VALUE_CHARS_MAX);
    yield { kind: 'error', name, value: null, shown: `${component}: ${event.message.slice(0, VALUE_CHARS_MAX)}` };
  } else if (event.template_id !== null) yield { kind: 'template', name: event.template_id, value: null };
  if (event.span !== undefined) yield { kind: 'span', name: event.name ?? '', value: event.status ?? null };
  for (const [name, value] of attributesOf(event)) yield { kind: 'attribute', name, value };
  for (const [key, value] of Object.entries(event.resource.attributes)) {
    if (!isVersion(key) || !isPlain(value)) continue;
    const name = `${key} of ${component}`;
    yield { kind: 'version', name, value: String(value), of: name };
  }
}

function* attributesOf(event: DebugEvent): Generator<[name: string, value: string]> {
  const own = new Set<unknown>([event.correlation_id, event.operation_id, event.trace_id]);
  // An id that one operation has tells it from others, and nothing of what they are.
  for (const [key, value] of Object.entries(event.data))
    if (isPlain(value) && !own.has(value)) yield [key, String(value)];
  for (const [key, value] of Object.entries(event.resource.attributes)) {
    const name = `resource.${key}`;
    if (isPlain(value) && !IDENTITY.test(name) && !isVersion(key)) yield [name, String(value)];
  }
}

/** What is compared as a value: short enough to be one. */
export function isPlain(value: unknown): value is string | number | boolean {
  return typeof value === 'string'
    ? value.length <= VALUE_CHARS_MAX
    : typeof value === 'number' || typeof value === 'boolean';
}

/** The sides where a thing is most and least common. Of several sides any two could have been those: their chance counts as often. */
function compareShares(
  counts: readonly number[],
  of: readonly number[],
): Pick<Tested, 'per_side' | 'score' | 'chance'> | null {
  const per_side = counts.map((count, side) => (of[side] === 0 ? null : count / of[side]!));
  const known = [...counts.keys()].filter((side) => of[side]! > 0);
  if (known.length < 2) return null;
  known.sort((a, b) => per_side[a]! - per_side[b]!);
  const [low, high] = [known[0]!, known.at(-1)!];
  const score = per_side[high]! - per_side[low]!;
  if (score < SHARE_GAP_MIN) return null;
  const pairs = (known.length * (known.length - 1)) / 2;
  const chance = Math.min(shareChance(counts[high]!, of[high]!, counts[low]!, of[low]!) * pairs, 1);
  return { per_side, score, chance };
}

// ---- with what it fails -----------------------------------------------------------------------------------------------

/**
 * Attributes whose operations fail more often on one side, by more than all operations do: they are where the new failures are. An
 * operation is a correlation with all attributes of its events, as the one who fails is seldom the one who knows the region.
 */
function errorRates(sides: readonly SampledSide[]): Tested[] {
  const rates = new Map<string, { name: string; value: string; failed: number[]; all: number[] }>();
  const failedOfAll: number[] = [];
  const operationsOf: number[] = [];
  for (const [side, { events }] of sides.entries()) {
    const operations = Map.groupBy(events, ({ correlation_id, trace_id, id }) => correlation_id ?? trace_id ?? id);
    let failures = 0;
    for (const operation of operations.values()) {
      const failed = operation.some(
        (event) => event.status === 'error' || event.level === 'ERROR' || event.level === 'CRITICAL',
      );
      if (failed) failures++;
      const attributes = new Map<string, [string, string]>();
      for (const event of operation) for (const each of attributesOf(event)) attributes.set(each.join('\0'), each);
      for (const [key, [name, value]] of attributes) {
        let rate = rates.get(key);
        if (rate === undefined) {
          if (rates.size === FEATURES_MAX) continue;
          rates.set(key, (rate = { name, value, failed: sides.map(() => 0), all: sides.map(() => 0) }));
        }
        rate.all[side]!++;
        if (failed) rate.failed[side]!++;
      }
    }
    failedOfAll.push(failures);
    operationsOf.push(operations.size);
  }
  const gapOfAll = compareShares(failedOfAll, operationsOf)?.score ?? 0;
  const tested: Tested[] = [];
  for (const { name, value, failed, all } of rates.values()) {
    if (all.filter((count) => count >= SEEN_MIN).length < 2 || OUTCOME.test(name)) continue;
    const compared = compareShares(failed, all);
    if (compared === null || compared.score < gapOfAll + SHARE_GAP_MIN) continue;
    // Within the worse side, those without it must fail less, else it is only along.
    const worst = compared.per_side.indexOf(Math.max(...compared.per_side.map((share) => share ?? 0)));
    const without = operationsOf[worst]! - all[worst]!;
    const failedWithout = failedOfAll[worst]! - failed[worst]!;
    const inside = shareChance(failed[worst]!, all[worst]!, failedWithout, without);
    if (without > 0 && failedWithout / without < compared.per_side[worst]!)
      tested.push({ kind: 'error_rate', name, value, ...compared, chance: Math.max(compared.chance, inside) });
  }
  return tested;
}

/** They say that it failed, not with what. */
const OUTCOME = /^(?:error|exception)\.|status|^otel\.|result|outcome/i;

// ---- how long, and in what state --------------------------------------------------------------------------------------

function latencies(sides: readonly SampledSide[], areComponents: boolean): Tested[] {
  const bySpan = new Map<string, { name: string; value: string | null; durations: number[][] }>();
  for (const [side, { events }] of sides.entries()) {
    for (const { span, name = '', duration_ms = 0, component_type, component_id } of events) {
      if (span === undefined) continue;
      const value = areComponents ? null : `${component_type}/${component_id}`;
      const key = `${value}\0${name}`;
      let known = bySpan.get(key);
      if (known === undefined) bySpan.set(key, (known = { name, value, durations: sides.map(() => []) }));
      known.durations[side]!.push(duration_ms);
    }
  }
  const tested: Tested[] = [];
  for (const { name, value, durations } of bySpan.values()) {
    for (const each of durations) each.sort((a, b) => a - b);
    const per_side = durations.map((each) => (each.length < LATENCY_SAMPLES_MIN ? null : each[each.length >> 1]!));
    const known = [...per_side.keys()].filter((side) => per_side[side] !== null);
    if (known.length < 2) continue;
    known.sort((a, b) => per_side[a]! - per_side[b]!);
    const [fast, slow] = [known[0]!, known.at(-1)!];
    const score = per_side[slow]! <= 0 ? 0 : 1 - per_side[fast]! / per_side[slow]!;
    if (score < LATENCY_GAP_MIN) continue;
    const chance = rankChance(durations[fast]!, durations[slow]!);
    tested.push({ kind: 'span_latency', name, value, per_side, score, chance });
  }
  return tested;
}

/** What the newest snapshots of each side hold: a value that all of one side hold, and of another side none. */
function states(sides: readonly SampledSide[]): Difference[] {
  const holders = new Map<string, { path: string; value: string; counts: number[] }>();
  const latest = sides.map(({ snapshots }) => {
    const byNode = new Map<string, Snapshot>();
    for (const snapshot of snapshots) {
      const key = `${snapshot.component_type}/${snapshot.component_id}/${snapshot.node_id}`;
      if (!byNode.has(key)) byNode.set(key, snapshot);
    }
    return [...byNode.values()];
  });
  const pathsOf = latest.map(
    (snapshots) => new Set(snapshots.flatMap((each) => [...leavesOf(each.state_data)].map(([path]) => path))),
  );
  const known = pathsOf.filter(({ size }) => size > 0);
  // States of different things have nothing in common; what each of them holds is no difference.
  if (known.length < 2) return [];
  const common = known.reduce((a, b) => a.intersection(b)).size;
  if (common * 2 < known.reduce((a, b) => a.union(b)).size) return [];
  for (const [side, snapshots] of latest.entries()) {
    for (const snapshot of snapshots) {
      for (const [path, value] of leavesOf(snapshot.state_data)) {
        const key = `${path}\0${value}`;
        let known = holders.get(key);
        if (known === undefined) {
          if (holders.size === FEATURES_MAX) break;
          holders.set(key, (known = { path, value, counts: sides.map(() => 0) }));
        }
        known.counts[side]!++;
      }
    }
  }
  const found = new Map<string, Difference>();
  for (const { path, value, counts } of holders.values()) {
    const per_side = counts.map((count, side) => (latest[side]!.length === 0 ? null : count / latest[side]!.length));
    const known = per_side.filter((share) => share !== null);
    if (known.length < 2 || Math.max(...known) < 1 || Math.min(...known) > 0) continue;
    // The newer side's value tells; both would tell the same twice.
    const isLater = (per_side.at(-1) ?? 0) === 1;
    if (isLater || !found.has(path))
      found.set(path, { kind: 'state', name: path, value, per_side, score: STATE_SCORE });
  }
  return [...found.values()].sort((a, b) => (a.name < b.name ? -1 : 1)).slice(0, STATES_MAX);
}

function* leavesOf(value: Json, path = ''): Generator<[path: string, value: string]> {
  if (isJsonObject(value)) for (const key of Object.keys(value)) yield* leavesOf(value[key]!, pathOf(path, key));
  else yield [path, JSON.stringify(value).slice(0, VALUE_CHARS_MAX)];
}

function order({ kind }: Difference): number {
  return DIFFERENCE_KINDS.indexOf(kind);
}
