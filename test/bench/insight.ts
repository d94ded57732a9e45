/**
 * What it costs to look for insights: `npm run bench:insight [-- --json FILE]`. One correlation of ten thousand events, and a window of a
 * thousand components with its minutes, each through the whole engine over a store in memory, so that what is measured is
 * the analyzers and not a disk. The slowest of the analyzers are listed by themselves.
 */
import { writeFileSync } from 'node:fs';
import { systemClock } from '../../base/clock.ts';
import { createLogger } from '../../base/log.ts';
import { createMeter } from '../../base/meter.ts';
import { createInsightEngine, type InsightStore } from '../../insight/engine.ts';
import { readWindow } from '../../insight/read-window.ts';
import type { Reader, Scope } from '../../insight/reader.ts';
import { STANDARD_ANALYZERS } from '../../insight/standard.ts';
import type { DebugEvent } from '../../model/event.ts';
import type { Insight } from '../../model/insight.ts';
import type { ComponentMinute } from '../../model/rollup.ts';
import { Sketch } from '../../model/sketch.ts';
import { NANOS_PER_MINUTE } from '../../model/time.ts';
import { at, errorLog, log, readerOf, span } from '../support/telemetry.ts';
import { printTable } from './table.ts';

const EVENTS = 10_000;
const COMPONENTS = 1000;
const ROUNDS = 7;
const MINUTES = 90;
const tenant = 'bench';

interface Load {
  name: string;
  reader: Reader;
  scope: Scope;
}

/** Operations of five spans, three logs and now and then an error, by so many components. */
function operations(events: number, components: number, correlationOf: (i: number) => string): DebugEvent[] {
  const made: DebugEvent[] = [];
  for (let i = 0; made.length < events; i++) {
    const trace = `t${i}`;
    const correlation = correlationOf(i);
    const by = (depth: number) => `svc-${(i * 7 + depth) % components}`;
    const ms = i * 20;
    const failed = i % 50 === 0;
    for (let depth = 0; depth < 5; depth++) {
      const parent = depth === 0 ? {} : { parent: `s${i}.${depth - 1}` };
      const took = 50 - depth * 8 + (i % 7);
      made.push(
        span({
          ms: ms + depth,
          by: by(depth),
          correlation,
          trace,
          id: `s${i}.${depth}`,
          name: `step ${depth}`,
          took,
          failed,
          ...parent,
        }),
      );
    }
    for (let line = 0; line < 3; line++)
      made.push(
        log({
          ms: ms + line,
          by: by(line),
          correlation,
          trace,
          span: `s${i}.${line}`,
          message: `order ${i} reached stage ${line}`,
        }),
      );
    if (failed)
      made.push(
        errorLog({ ms: ms + 4, by: by(4), correlation, trace, span: `s${i}.4`, message: `pool of ${i} is exhausted` }),
      );
  }
  return made.slice(0, events);
}

function minutesOf(components: number): ComponentMinute[] {
  const rows: ComponentMinute[] = [];
  const end = (at(EVENTS * 20) / NANOS_PER_MINUTE) * NANOS_PER_MINUTE;
  for (let component = 0; component < components; component++) {
    for (let minute = 0; minute < MINUTES; minute++) {
      const latency = new Sketch();
      for (let i = 0; i < 20; i++) latency.add(40 + ((component + minute + i) % 17));
      rows.push({
        minute: end - BigInt(minute) * NANOS_PER_MINUTE,
        component_type: 'service',
        component_id: `svc-${component}`,
        total: 60 + ((component * 31 + minute * 17) % 13),
        errors: minute % 30 === 0 ? 1 : 0,
        critical: 0,
        latency,
      });
    }
  }
  return rows;
}

function storeInMemory(): InsightStore {
  const all = new Map<string, Insight>();
  return {
    async changeInsight(_, id, change) {
      const next = change(all.get(id) ?? null);
      if (next !== null) all.set(id, next);
      return next;
    },
    insights: async (_, { limit }) => [...all.values()].slice(0, limit),
  };
}

async function measure({ name, reader, scope }: Load): Promise<{
  name: string;
  analyzers: { name: string; ms: number }[];
  ms: number;
  firstMs: number;
  found: number;
}> {
  const engine = createInsightEngine({
    reader,
    insights: storeInMemory(),
    clock: systemClock(),
    confidenceThreshold: 0.7,
    retentionHours: 24,
    log: createLogger('silent'),
    meter: createMeter(),
  });
  const all: number[] = [];
  let found = 0;
  for (let round = 0; round < ROUNDS; round++) {
    const began = performance.now();
    found = (await engine.generate(scope)).length;
    all.push(performance.now() - began);
  }
  const needs = new Set(STANDARD_ANALYZERS.flatMap((analyzer) => analyzer.needs));
  const analyzers: { name: string; ms: number }[] = [];
  const { window } = await readWindow(reader, scope, needs, at(EVENTS * 20));
  for (const analyzer of STANDARD_ANALYZERS) {
    const began = performance.now();
    analyzer.analyze(window, { check() {} });
    analyzers.push({ name: analyzer.name, ms: performance.now() - began });
  }
  analyzers.sort((a, b) => b.ms - a.ms);
  return { name, analyzers, ms: all.toSorted((a, b) => a - b)[ROUNDS >> 1]!, firstMs: all[0]!, found };
}

const one = operations(EVENTS, 8, () => 'c');
const many = operations(EVENTS, COMPONENTS, (i) => `c${i}`);
const minutes = minutesOf(COMPONENTS);
const window = { tenant, start: at(0), end: at(EVENTS * 20) };
const results = [
  await measure({
    name: 'one correlation of 10,000 events',
    reader: readerOf(one),
    scope: { tenant, correlation_id: 'c' },
  }),
  await measure({
    name: '10,000 events of 20 components',
    reader: readerOf(operations(EVENTS, 20, (i) => `c${i}`)),
    scope: window,
  }),
  await measure({
    name: `10,000 events of ${COMPONENTS.toLocaleString('en')} components, ${MINUTES} minutes each`,
    reader: { ...readerOf(many), componentMinutes: async () => minutes },
    scope: window,
  }),
];

printTable(
  'Looking for insights (goal: one correlation of 10,000 events under 500 ms)',
  ['what', 'first ms', `median of ${ROUNDS} ms`, 'times the first row', 'insights'],
  results.map(({ name, firstMs, ms, found }) => [name, firstMs, ms, ms / results[0]!.ms, found]),
);
printTable(
  'The slowest analyzers, after a window was joined by the one before',
  ['what', 'analyzer', 'ms'],
  results.flatMap(({ name, analyzers }) => analyzers.slice(0, 5).map((each) => [name, each.name, each.ms])),
);
const file = process.argv.indexOf('--json');
if (file > 0) writeFileSync(process.argv[file + 1]!, `${JSON.stringify(results, null, 2)}\n`);
