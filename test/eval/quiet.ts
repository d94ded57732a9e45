/**
 * False alarms: what the engine tells, on its own, of minutes in which nothing was wrong. Each fault-free capture gets a collector of its own
 * with the automatic engine on; everything above `info` that it has stored half a minute later is a false alarm. With `--demo-minutes N`
 * the same is counted of the demo's real services, in which for N minutes everybody orders and nothing is broken; without `--data` only that.
 */
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { NewestTime, shiftTimes, timesOf } from '../../commands/otlp-lines.ts';
import { type Order, openShop } from '../../demo/shop.ts';
import type { Insight } from '../../model/insight.ts';
import { startCollector } from '../support/collector.ts';
import { startSystem } from '../support/system.ts';
import { demandFolder, readLines } from './data.ts';
import type { EvaluationOptions } from './evaluation.ts';
import { filesOf, spanOf } from './labelled-faults.ts';
import { send } from './rca.ts';

// The engine looks ten seconds after the last record came, every five seconds, and once a minute without errors.
const LOOKED_MS = 30_000;
const LOOKED_WITHOUT_ERRORS_MS = 90_000;

export async function evaluateQuiet({ data, demoMinutes, print }: EvaluationOptions) {
  if (data === '' && demoMinutes > 0) return { demo: await watchHealthyDemo(demoMinutes, print) };
  const folder = join(data, 'trainticket-faults', 'normal');
  demandFolder(folder);
  const byDay = Map.groupBy(filesOf(folder), (path) => path.slice(folder.length + 1).split('.')[0]!);
  const captures = tally(print);
  let minutes = 0;
  for (const [day, paths] of byDay) {
    const lines = inOrderOfTime(paths.flatMap(readLines));
    const newest = new NewestTime(BigInt(Date.now()) * 1_000_000n);
    for (const line of lines) for (const time of timesOf(line)) newest.add(time);
    const byNanos = BigInt(Date.now()) * 1_000_000n - newest.get()!;
    const { start, end } = spanOf(lines, byNanos);
    minutes += (Date.parse(end) - Date.parse(start)) / 60_000;
    captures.add(day, await insightsAbout(lines.map((line) => shiftTimes(line, byNanos))));
  }
  const figures = captures.figures('fault-free', minutes);
  return demoMinutes === 0 ? figures : { ...figures, demo: await watchHealthyDemo(demoMinutes, print) };
}

async function watchHealthyDemo(minutes: number, print: EvaluationOptions['print']) {
  const demo = tally(print);
  const { insights, ...orders } = await insightsOfHealthyDemo(minutes);
  demo.add('demo', insights);
  print(
    `demo: ${orders.placed} orders placed, ${orders.failed} failed, ${orders.unanswered_minutes} minutes with orders that nobody answered`,
  );
  return { ...demo.figures('healthy demo', minutes), ...orders };
}

/** As they came: what services say at one time does not arrive a file after the other. */
function inOrderOfTime(lines: readonly string[]): string[] {
  const latest = (line: string) => timesOf(line).reduce((a, b) => (a > b ? a : b), 0n);
  return lines
    .map((line) => ({ line, at: latest(line) }))
    .sort((a, b) => (a.at < b.at ? -1 : a.at > b.at ? 1 : 0))
    .map(({ line }) => line);
}

async function insightsAbout(lines: readonly string[]): Promise<Insight[]> {
  const collector = await startCollector();
  try {
    for (const line of lines) await send(collector.otlpHttp, line);
    await sleep(LOOKED_MS);
    return await insightsOf(collector.http);
  } finally {
    await collector.stop();
  }
}

/** The shop's processes, customers all the time, and the system in a process of its own, as `ai-debug demo` runs them. */
async function insightsOfHealthyDemo(minutes: number) {
  const directory = await mkdtemp(join(tmpdir(), 'ai-debug-quiet-'));
  const system = await startSystem();
  try {
    const shop = await openShop(directory, system.otlpHttp);
    try {
      const orders: Order[] = [];
      // A starved machine may leave an order without any answer; that is said, and the watch goes on.
      let unanswered_minutes = 0;
      for (let minute = 0; minute < minutes; minute++) {
        const sold = await shop.sell(60_000, new AbortController().signal).catch(() => null);
        if (sold === null) unanswered_minutes++;
        else orders.push(...sold);
      }
      await sleep(LOOKED_WITHOUT_ERRORS_MS);
      const placed = orders.filter((order) => order.placed).length;
      return { insights: await insightsOf(system.http), placed, failed: orders.length - placed, unanswered_minutes };
    } finally {
      await shop.stop();
    }
  } finally {
    await system.stop();
    await rm(directory, { recursive: true, force: true });
  }
}

async function insightsOf(http: string): Promise<Insight[]> {
  const response = await fetch(`${http}/api/debug/insights?limit=1000`);
  if (!response.ok) throw new Error(`GET /insights: ${response.status} ${await response.text()}`);
  return ((await response.json()) as { data: Insight[] }).data;
}

/** Prints what is added, and counts it by severity and by analyzer, the first word of a fingerprint. */
function tally(print: (line: string) => void) {
  const bySeverity = { info: 0, warning: 0, critical: 0 };
  const byAnalyzer: Record<string, typeof bySeverity> = {};
  return {
    add(of: string, insights: readonly Insight[]) {
      for (const { severity, fingerprint, title, confidence_score } of insights) {
        const analyzer = fingerprint.split('|')[0]!;
        bySeverity[severity]++;
        (byAnalyzer[analyzer] ??= { info: 0, warning: 0, critical: 0 })[severity]++;
        print(`${of}  ${severity.padEnd(8)} ${analyzer.padEnd(16)} ${confidence_score}  ${title}`);
      }
    },
    figures(what: string, minutes: number) {
      const falseAlarms = bySeverity.warning + bySeverity.critical;
      const perHour = Math.round((falseAlarms * 600) / minutes) / 10;
      for (const [analyzer, { info, warning, critical }] of Object.entries(byAnalyzer))
        print(`${analyzer.padEnd(16)} ${warning + critical} above info, ${info} info`);
      print(
        `${minutes.toFixed(1)} ${what} minutes: ${falseAlarms} above info, ${perHour} an hour; ${bySeverity.info} info`,
      );
      return {
        minutes: Math.round(minutes * 10) / 10,
        above_info: falseAlarms,
        above_info_per_hour: perHour,
        ...bySeverity,
        by_analyzer: byAnalyzer,
      };
    },
  };
}
