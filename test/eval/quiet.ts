/**
 * False alarms: what the engine tells, on its own, of minutes in which nothing was wrong. Each fault-free capture gets a collector of its own
 * with the automatic engine on; everything above `info` that it has stored half a minute later is a false alarm.
 */
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { NewestTime, shiftTimes, timesOf } from '../../commands/otlp-lines.ts';
import type { Insight } from '../../model/insight.ts';
import { startCollector } from '../support/collector.ts';
import { demandFolder, readLines } from './data.ts';
import type { EvaluationOptions } from './evaluation.ts';
import { filesOf, send, spanOf } from './rca.ts';

// The engine looks ten seconds after the last record came, every five seconds, and once a minute without errors.
const LOOKED_MS = 30_000;

export async function evaluateQuiet({ data, print }: EvaluationOptions) {
  const folder = join(data, 'trainticket-faults', 'normal');
  demandFolder(folder);
  const byDay = Map.groupBy(filesOf(folder), (path) => path.slice(folder.length + 1).split('.')[0]!);
  const bySeverity = { info: 0, warning: 0, critical: 0 };
  let minutes = 0;
  for (const [day, paths] of byDay) {
    const lines = paths.flatMap(readLines);
    const newest = new NewestTime(BigInt(Date.now()) * 1_000_000n);
    for (const line of lines) for (const time of timesOf(line)) newest.add(time);
    const byNanos = BigInt(Date.now()) * 1_000_000n - newest.get()!;
    const { start, end } = spanOf(lines, byNanos);
    minutes += (Date.parse(end) - Date.parse(start)) / 60_000;
    const insights = await insightsAbout(lines.map((line) => shiftTimes(line, byNanos)));
    for (const { severity, insight_type, title, confidence_score } of insights) {
      bySeverity[severity]++;
      print(`${day}  ${severity.padEnd(8)} ${insight_type.padEnd(11)} ${confidence_score}  ${title}`);
    }
  }
  const falseAlarms = bySeverity.warning + bySeverity.critical;
  const perHour = Math.round((falseAlarms * 600) / minutes) / 10;
  print(
    `${minutes.toFixed(1)} fault-free minutes: ${falseAlarms} above info, ${perHour} an hour; ${bySeverity.info} info`,
  );
  return {
    minutes: Math.round(minutes * 10) / 10,
    above_info: falseAlarms,
    above_info_per_hour: perHour,
    ...bySeverity,
  };
}

async function insightsAbout(lines: readonly string[]): Promise<Insight[]> {
  const collector = await startCollector();
  try {
    for (const line of lines) await send(collector.otlpHttp, line);
    await sleep(LOOKED_MS);
    const response = await fetch(`${collector.http}/api/debug/insights?limit=1000`);
    if (!response.ok) throw new Error(`GET /insights: ${response.status} ${await response.text()}`);
    return ((await response.json()) as { data: Insight[] }).data;
  } finally {
    await collector.stop();
  }
}
