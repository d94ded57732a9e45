/**
 * How root cause ranking holds up on less than it was shown: the labelled cases once more, with a part of the traces, a part of the window, a
 * shorter baseline, without metrics or without logs. What only works on the whole was fitted to it.
 */
import { join } from 'node:path';
import { describe } from '../../commands/otlp-lines.ts';
import { renameTemplates, utilizationRange } from '../../insight/root-cause/find.ts';
import { type RootCauseInput, rankRootCauses, type TimeRange } from '../../insight/root-cause/rank.ts';
import type { DebugEvent } from '../../model/event.ts';
import { hashText } from '../../model/hash.ts';
import { parseNanos } from '../../model/time.ts';
import { jsonToProtobuf } from '../../otlp/json.ts';
import type { EventQuery } from '../../storage/query.ts';
import { startQuerySystem } from '../support/query-system.ts';
import { readLines } from './data.ts';
import { filesOf, type LabelledFault, matchesRegion, spanOf } from './labelled-faults.ts';

type Variation = (input: RootCauseInput) => RootCauseInput;

/** By name; what is drawn is drawn by the trace's id, so that a run can be repeated. */
const VARIATIONS: Readonly<Record<string, Variation>> = {
  'all of it': (input) => input,
  ...Object.fromEntries([0, 1].map((draw) => [`half of the traces, draw ${draw + 1}`, ofTraces(0.5, draw)])),
  ...Object.fromEntries([0, 1].map((draw) => [`a quarter of the traces, draw ${draw + 1}`, ofTraces(0.25, draw)])),
  'a tenth of the traces': ofTraces(0.1, 0),
  'half of the traces of both sides': (input) => ofBaseline(0.5)(ofTraces(0.5, 2)(input)),
  'a quarter of the baseline': ofBaseline(0.25),
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

export async function stressRca(folder: string, labels: readonly LabelledFault[], print: (line: string) => void) {
  const hits = new Map(
    Object.keys(VARIATIONS).map((name) => [name, { as1: 0, as3: 0, region: 0, missed: [] as string[] }]),
  );
  for (const label of labels) {
    const input = await readCase(folder, label);
    for (const [name, vary] of Object.entries(VARIATIONS)) {
      const { ranked } = rankRootCauses(vary(input));
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
      `${name.padEnd(36)} AS@1 ${String(percent(as1)).padStart(5)}  AS@3 ${String(percent(as3)).padStart(5)}  region ${String(percent(region)).padStart(5)}  ${missed.join(', ')}`,
    );
  return Object.fromEntries(
    [...hits].map(([name, { as1, as3, region }]) => [
      name,
      { as1: percent(as1), as3: percent(as3), region_as1: percent(region) },
    ]),
  );
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

function ofBaseline(share: number): Variation {
  return (input) => ({ ...input, baselineEvents: drawn(input.baselineEvents, share, 3) });
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
