/**
 * How root cause ranking holds up on less than it was shown, and on other than it was shown: the labelled cases once more, with a part of the
 * traces, the window or the baseline, with records lost, clocks that wander, errors that have nothing to do with it, the baseline of
 * another day, without metrics or without logs. What only works on the whole was fitted to it. And two changes that must change
 * nothing at all: every name replaced by another one, everything moved in time.
 */
import { join } from 'node:path';
import { describe } from '../../commands/otlp-lines.ts';
import { renameTemplates, utilizationRange } from '../../insight/root-cause/find.ts';
import {
  type RankedCause,
  type RootCauseInput,
  rankRootCauses,
  type TimeRange,
} from '../../insight/root-cause/rank.ts';
import type { DebugEvent } from '../../model/event.ts';
import { hashText } from '../../model/hash.ts';
import { hex64 } from '../../model/ids.ts';
import { formatNanos, parseNanos } from '../../model/time.ts';
import { jsonToProtobuf } from '../../otlp/json.ts';
import type { EventQuery } from '../../storage/query.ts';
import { startQuerySystem } from '../support/query-system.ts';
import { readLines } from './data.ts';
import { filesOf, type LabelledFault, matchesRegion, spanOf } from './labelled-faults.ts';

type Variation = (input: RootCauseInput, ofOtherDay: RootCauseInput | undefined) => RootCauseInput;

/** By name; what is drawn is drawn by the trace's id, so that a run can be repeated. */
const VARIATIONS: Readonly<Record<string, Variation>> = {
  'all of it': (input) => input,
  ...Object.fromEntries([0, 1].map((draw) => [`half of the traces, draw ${draw + 1}`, ofTraces(0.5, draw)])),
  ...Object.fromEntries([0, 1].map((draw) => [`a quarter of the traces, draw ${draw + 1}`, ofTraces(0.25, draw)])),
  'a tenth of the traces': ofTraces(0.1, 0),
  ...Object.fromEntries(
    [0, 1, 2].map((draw) => [
      `half of the traces of both sides, draw ${draw + 1}`,
      ofBoth((events, side) => drawn(events, 0.5, 2 + side + 2 * draw)),
    ]),
  ),
  'half of the baseline': ofBaseline(0.5, 3),
  ...Object.fromEntries(
    [0, 1].map((draw) => [`a quarter of the baseline, draw ${draw + 1}`, ofBaseline(0.25, 3 + 8 * draw)]),
  ),
  'the baseline of another day': (input, other) =>
    other === undefined ? input : { ...input, baseline: other.baseline, baselineEvents: other.baselineEvents },
  'a tenth of the spans lost': ofBoth((events) => events.filter((event) => event.span === undefined || isKept(event))),
  'a tenth of the logs lost': ofBoth((events) => events.filter((event) => event.span !== undefined || isKept(event))),
  'clocks of components up to 20 ms apart': ofBoth((events) => events.map(ofItsClock)),
  'a healthy component logs a new error in every third trace': (input) => ({
    ...input,
    events: [...input.events, ...unrelatedErrors(input)],
  }),
  'first half of the window': ofWindow(0, 0.5),
  'second half of the window': ofWindow(0.5, 1),
  'first half of the baseline': (input) => {
    const baseline = partOf(input.baseline, 0, 0.5);
    return { ...input, baseline, baselineEvents: within(input.baselineEvents, baseline) };
  },
  'no metrics': (input) => ({ ...input, points: [] }),
  'no logs': (input) => ({
    ...input,
    events: input.events.filter(({ span }) => span !== undefined),
    baselineEvents: input.baselineEvents.filter(({ span }) => span !== undefined),
  }),
  'no spans': (input) => ({
    ...input,
    events: input.events.filter(({ span }) => span === undefined),
    baselineEvents: input.baselineEvents.filter(({ span }) => span === undefined),
  }),
};

/** Changes that must leave the ranking as it is, and what they make of a component's name. */
const METAMORPHOSES: Readonly<
  Record<string, { vary: (input: RootCauseInput) => RootCauseInput; named: (component: string) => string }>
> = {
  'every name another': { vary: renamed, named: (component) => anotherName(component) },
  'all of it 40 days later': {
    vary: (input) => moved(input, 40n * 86_400_000_000_000n),
    named: (component) => component,
  },
};

export async function stressRca(folder: string, labels: readonly LabelledFault[], print: (line: string) => void) {
  const unchanged = new Map(Object.keys(METAMORPHOSES).map((name) => [name, 0]));
  const days = new Map<string, RootCauseInput>();
  for (const label of [...labels].reverse()) {
    const day = label.case.slice(0, 10);
    if (!days.has(day)) days.set(day, await readCase(folder, label));
  }
  const hits = new Map(
    Object.keys(VARIATIONS).map((name) => [name, { as1: 0, as3: 0, region: 0, missed: [] as string[] }]),
  );
  for (const label of labels) {
    const input = await readCase(folder, label);
    const [, ofOtherDay] = [...days].find(([day]) => !label.case.startsWith(day)) ?? [];
    const plain = inWords(rankRootCauses(input).ranked, (component) => component);
    for (const [name, { vary, named }] of Object.entries(METAMORPHOSES)) {
      const same = inWords(rankRootCauses(vary(input)).ranked, (component) => component);
      if (same === plain.replaceAll(/^[^ ]+/gm, named)) unchanged.set(name, unchanged.get(name)! + 1);
    }
    for (const [name, vary] of Object.entries(VARIATIONS)) {
      const { ranked } = rankRootCauses(vary(input, ofOtherDay));
      const mine = ranked.find(({ component_id }) => component_id === label.root_cause_service);
      const rank = mine === undefined ? null : ranked.filter(({ score }) => score >= mine.score).length;
      const hit = hits.get(name)!;
      if (rank === 1) hit.as1++;
      else hit.missed.push(`${label.case} ${label.fault_type} ${rank ?? '-'}`);
      if (rank !== null && rank <= 3) hit.as3++;
      if (rank === 1 && matchesRegion(mine!, label.inner)) hit.region++;
    }
  }
  const percent = (count: number) => Math.round((1000 * count) / labels.length) / 10;
  for (const [name, { as1, as3, region, missed }] of hits)
    print(
      `${name.padEnd(60)} AS@1 ${String(percent(as1)).padStart(5)}  AS@3 ${String(percent(as3)).padStart(5)}  region ${String(percent(region)).padStart(5)}  ${missed.join(', ')}`,
    );
  for (const [name, count] of unchanged) print(`${name.padEnd(60)} ranking unchanged ${percent(count)}`);
  const metamorphic = Object.fromEntries([...unchanged].map(([name, count]) => [name, percent(count)]));
  const varied = Object.fromEntries(
    [...hits].map(([name, { as1, as3, region }]) => [
      name,
      { as1: percent(as1), as3: percent(as3), region_as1: percent(region) },
    ]),
  );
  return { ...varied, unchanged: metamorphic };
}

/** A line for each component with its score. */
function inWords(ranked: readonly RankedCause[], named: (component: string) => string): string {
  return ranked
    .map(({ component_id, score, signals }) => `${named(component_id)} ${score} ${JSON.stringify(signals)}`)
    .join('\n');
}

/** What the ranking would read of the case, through pipeline and store. */
async function readCase(folder: string, { case: name }: LabelledFault): Promise<RootCauseInput> {
  const normal = filesOf(join(folder, 'normal'))
    .filter((path) => path.includes(name.slice(0, 10)))
    .flatMap(readLines);
  const ofCase = filesOf(join(folder, 'cases', name));
  const part = (prefix: string) => ofCase.filter((path) => path.includes(`/${prefix}.`)).flatMap(readLines);
  const fault = part('fault');
  // As old as it is: nothing here asks what time it is.
  const system = await startQuerySystem();
  try {
    for (const line of [...normal, ...part('pre'), ...fault, ...part('metrics')]) {
      const { signal } = describe(line);
      await system.send(signal, jsonToProtobuf(signal, Buffer.from(line)));
    }
    await system.needs.settled();
    const all = async (query: Omit<EventQuery, 'limit' | 'tenant'>) => {
      const events: DebugEvent[] = [];
      for (let before: string | null = null; ; ) {
        const page = await system.needs.events.events({
          tenant: 'default',
          ...query,
          limit: 5000,
          ...(before !== null && { before }),
        });
        events.push(...page.events);
        before = page.next;
        if (before === null) return events;
      }
    };
    const window = rangeOf(fault);
    const baseline = rangeOf(normal);
    const event_types = ['log', 'span', 'error', 'system'] as const;
    const input = {
      window,
      baseline,
      events: await all({ ...window, event_types }),
      baselineEvents: await all({ ...baseline, event_types }),
      points: await all({ ...utilizationRange(window), event_types: ['metric'], q: 'utilization' }),
    };
    await renameTemplates(system.needs.rows, 'default', [...input.events, ...input.baselineEvents]);
    return input;
  } finally {
    await system.stop();
  }
}

function rangeOf(lines: readonly string[]): TimeRange {
  const { start, end } = spanOf(lines, 0n);
  return { start: parseNanos(start)!, end: parseNanos(end)! };
}

function ofTraces(share: number, draw: number): Variation {
  return (input) => ({ ...input, events: drawn(input.events, share, draw) });
}

function ofBaseline(share: number, draw: number): Variation {
  return (input) => ({ ...input, baselineEvents: drawn(input.baselineEvents, share, draw) });
}

/** @param change is told which side it changes: 0 the window, 1 the baseline */
function ofBoth(change: (events: readonly DebugEvent[], side: 0 | 1) => DebugEvent[]): Variation {
  return (input) => ({ ...input, events: change(input.events, 0), baselineEvents: change(input.baselineEvents, 1) });
}

function isKept({ id }: DebugEvent): boolean {
  return hashText(id, 'kept') % 10n !== 0n;
}

function ofItsClock(event: DebugEvent): DebugEvent {
  const off = (hashText(event.component_id, event.node_id ?? '') % 40_000_001n) - 20_000_000n;
  return { ...event, timestamp: formatNanos(parseNanos(event.timestamp)! + off) };
}

/** By the component whose name comes first, which is no culprit of a case more often than not. */
function unrelatedErrors({ events }: RootCauseInput): DebugEvent[] {
  const spans = events.filter(
    ({ span, trace_id }) => span !== undefined && hashText(trace_id ?? '', 'noise') % 3n === 0n,
  );
  const by = spans.map(({ component_id }) => component_id).sort()[0];
  return spans
    .filter(({ component_id }) => component_id === by)
    .map(({ span: _, ...event }) => ({
      ...event,
      id: hex64(hashText(event.id, 'noise')).repeat(2),
      event_type: 'error' as const,
      level: 'ERROR' as const,
      severity_number: 17,
      message: 'a report could not be printed',
      template_id: 'noise',
      log: {},
    }));
}

/** The same for the same name, so that nothing can go by what something is called; letters only, as digits look like values. */
function anotherName(name: string): string {
  return [...hex64(hashText(name, 'another name'))]
    .map((digit) => 'abdefghiklmnoprs'[Number.parseInt(digit, 16)])
    .join('');
}

function renamed(input: RootCauseInput): RootCauseInput {
  const names = new Set([...input.events, ...input.baselineEvents].map(({ component_id }) => component_id));
  const longestFirst = [...names].sort((a, b) => b.length - a.length).map((name) => RegExp.escape(name));
  const anyName = new RegExp(longestFirst.join('|'), 'g');
  const statement = /[\w.$]+(?=#\d)/g;
  const inText = (text: string) => text.replaceAll(anyName, anotherName).replaceAll(statement, anotherName);
  const rename = (event: DebugEvent): DebugEvent => ({
    ...event,
    component_id: anotherName(event.component_id),
    message: event.span === undefined ? inText(event.message) : anotherName(event.message),
    ...(event.name !== undefined && { name: anotherName(event.name) }),
    template_id: event.template_id === null ? null : anotherName(event.template_id),
  });
  return {
    ...input,
    events: input.events.map(rename),
    baselineEvents: input.baselineEvents.map(rename),
    points: input.points.map((point) => ({ ...point, component_id: anotherName(point.component_id) })),
  };
}

function moved(input: RootCauseInput, by: bigint): RootCauseInput {
  const move = (event: DebugEvent): DebugEvent => ({
    ...event,
    timestamp: formatNanos(parseNanos(event.timestamp)! + by),
  });
  const range = ({ start, end }: TimeRange) => ({ start: start + by, end: end + by });
  return {
    window: range(input.window),
    baseline: range(input.baseline),
    events: input.events.map(move),
    baselineEvents: input.baselineEvents.map(move),
    points: input.points.map(move),
  };
}

function ofWindow(from: number, to: number): Variation {
  return (input) => {
    const window = partOf(input.window, from, to);
    return { ...input, window, events: within(input.events, window) };
  };
}

function drawn(events: readonly DebugEvent[], share: number, draw: number): DebugEvent[] {
  const limit = BigInt(Math.round(share * 1000));
  return events.filter(
    ({ trace_id, correlation_id, id }) => hashText(trace_id ?? correlation_id ?? id, `draw ${draw}`) % 1000n < limit,
  );
}

function partOf({ start, end }: TimeRange, from: number, to: number): TimeRange {
  const length = Number(end - start);
  return { start: start + BigInt(Math.round(length * from)), end: start + BigInt(Math.round(length * to)) };
}

function within(events: readonly DebugEvent[], { start, end }: TimeRange): DebugEvent[] {
  return events.filter(({ timestamp }) => {
    const time = parseNanos(timestamp)!;
    return time >= start && time <= end;
  });
}
