/**
 * Root cause ranking on labelled faults, through the whole program: each case gets a collector of its own on free ports and an empty
 * folder, is sent to it over OTLP/HTTP as it was captured, moved in time as one, and asked about over REST.
 *
 * Figures: AS@k, the share of cases whose culprit is among the k best, ties against us (as `score.py rca` counts); `region_as1`, the share of
 * cases where the first of the ranking is the culprit and its region is the one that was broken. The labels say the broken region as the
 * two log statements around it, or as a metric. A region matches when its name or first reason has one of the two statements in it,
 * or when it is a resource for a fault in a resource of that name, or a connection for a fault in the network.
 */
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { describe, NewestTime, shiftTimes, timesOf } from '../../commands/otlp-lines.ts';
import { startCollector } from '../support/collector.ts';
import { demandFolder, readLines } from './data.ts';
import type { EvaluationOptions } from './evaluation.ts';
import { filesOf, type LabelledFault, matchesRegion, spanOf } from './labelled-faults.ts';
import { stressRca } from './rca-stress.ts';

export async function evaluateRca({ data, predictions, stress, print }: EvaluationOptions) {
  const folder = join(data, 'trainticket-faults');
  demandFolder(folder);
  const labels = JSON.parse(readFileSync(join(folder, 'labels.json'), 'utf8')) as LabelledFault[];
  const predicted: Record<string, { component_id: string; score: number }[]> = {};
  const hits = { as1: 0, as3: 0, as5: 0, region_as1: 0 };
  const rankingMs: number[] = [];
  for (const label of labels) {
    const { ranked, ranking_ms, window, baseline } = await askAbout(folder, label);
    predicted[label.case] = ranked.map(({ component_id, score }) => ({ component_id, score }));
    rankingMs.push(ranking_ms);
    const mine = ranked.find(({ component_id }) => component_id === label.root_cause_service);
    const rank = mine === undefined ? null : ranked.filter(({ score }) => score >= mine.score).length;
    if (rank !== null && rank <= 1) hits.as1++;
    if (rank !== null && rank <= 3) hits.as3++;
    if (rank !== null && rank <= 5) hits.as5++;
    const isRegion = rank === 1 && matchesRegion(mine!, label.inner);
    if (isRegion) hits.region_as1++;
    print(
      `${label.case}  ${label.fault_type.padEnd(15)} rank ${String(rank ?? '-').padStart(2)}  ${isRegion ? 'region' : '      '}  ` +
        `${window.events + baseline.events} records in ${ranking_ms} ms  ` +
        ranked
          .slice(0, 3)
          .map(({ component_id, score, confidence }) => `${component_id} ${score} (${confidence})`)
          .join(', '),
    );
  }
  const share = (count: number) => Math.round((1000 * count) / labels.length) / 10;
  const figures = {
    as1: share(hits.as1),
    as3: share(hits.as3),
    as5: share(hits.as5),
    cases: labels.length,
    region_as1: share(hits.region_as1),
    ranking_ms: { median: rankingMs.sort((a, b) => a - b)[rankingMs.length >> 1]!, max: rankingMs.at(-1)! },
  };
  print(
    `cases ${figures.cases}  AS@1 ${figures.as1}  AS@3 ${figures.as3}  AS@5 ${figures.as5}  region ${figures.region_as1}  ` +
      `ranking ${figures.ranking_ms.median} ms median, ${figures.ranking_ms.max} ms at most`,
  );
  if (predictions !== null) {
    const path = `${predictions}.json`;
    mkdirSync(dirname(path), { recursive: true });
    writeFileSync(path, JSON.stringify(predicted));
  }
  return stress ? { ...figures, stress: await stressRca(folder, labels, print) } : figures;
}

interface Ranked {
  component_id: string;
  score: number;
  confidence: number;
  region: { kind: string; name: string };
  reasons: string[];
}

interface RootCause {
  ranked: Ranked[];
  ranking_ms: number;
  window: { events: number };
  baseline: { events: number };
}

async function askAbout(folder: string, { case: name }: LabelledFault): Promise<RootCause> {
  const ofDay = filesOf(join(folder, 'normal')).filter((path) => path.includes(name.slice(0, 10)));
  const ofCase = filesOf(join(folder, 'cases', name));
  const part = (prefix: string) => ofCase.filter((path) => path.includes(`/${prefix}.`)).flatMap(readLines);
  const normal = ofDay.flatMap(readLines);
  const fault = part('fault');
  const lines = [...normal, ...part('pre'), ...fault, ...part('metrics')];
  const now = BigInt(Date.now()) * 1_000_000n;
  const newest = new NewestTime(now);
  for (const line of lines) for (const time of timesOf(line)) newest.add(time);
  const byNanos = now - newest.get()!;
  const collector = await startCollector();
  try {
    for (const line of lines) await send(collector.otlpHttp, shiftTimes(line, byNanos));
    const response = await fetch(`${collector.http}/api/debug/analytics/root-cause`, {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify({ window: spanOf(fault, byNanos), baseline: spanOf(normal, byNanos), limit: 100 }),
    });
    if (!response.ok) throw new Error(`root cause of ${name}: ${response.status} ${await response.text()}`);
    return ((await response.json()) as { data: RootCause }).data;
  } finally {
    await collector.stop();
  }
}

export async function send(otlpHttp: string, line: string): Promise<void> {
  const path = { span: 'traces', log: 'logs', metric: 'metrics' }[describe(line).signal];
  const headers = { 'content-type': 'application/json' };
  const response = await fetch(`${otlpHttp}/v1/${path}`, { method: 'POST', headers, body: line });
  if (!response.ok) throw new Error(`POST /v1/${path}: ${response.status} ${await response.text()}`);
  await response.arrayBuffer();
}
