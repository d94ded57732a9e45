/**
 * The anomaly detector against labelled windows of metric series. Points are sent in order, one at a time, so the score of a point
 * knows nothing of what follows.
 */
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { ALARM_SCORE, AnomalyDetector } from '../../insight/anomaly/detector.ts';
import { demandFolder, readBodies } from './data.ts';
import type { EvaluationOptions } from './evaluation.ts';
import { nabScore, type ScoredSeries } from './nab.ts';

export async function evaluateAnomalies({ data, predictions, print }: EvaluationOptions) {
  const folder = join(data, 'metric-anomalies');
  demandFolder(folder);
  const labels: Record<string, [string, string][]> = JSON.parse(readFileSync(join(folder, 'windows.json'), 'utf8'));
  const byFamily = new Map<string, ScoredSeries[]>();
  const started = process.cpuUsage();
  for (const [file, windows] of Object.entries(labels)) {
    const points = readPoints(join(folder, file.replace(/\.csv$/, '.metrics.jsonl.gz')));
    const detector = new AnomalyDetector();
    const series = {
      timestamps: points.map(({ time }) => secondOf(time)),
      scores: points.map(({ time, value }) => detector.score(value, time).score),
      windows: windows.map(([from, to]) => [wholeSecond(from), wholeSecond(to)] as const),
    };
    const family = dirname(file);
    byFamily.set(family, [...(byFamily.get(family) ?? []), series]);
    if (predictions !== null) writePrediction(join(predictions, file), series);
  }
  const microseconds = process.cpuUsage(started).user;
  for (const [family, series] of byFamily)
    if (series.some(({ windows }) => windows.length > 0)) printScore(family, series);
  const all = [...byFamily.values()].flat();
  const figures = printScore(`all ${all.length} series`, all);
  const count = all.reduce((sum, { scores }) => sum + scores.length, 0);
  print(`${Math.round(count / (microseconds / 1e6))} points/s`);
  return figures;

  function printScore(name: string, series: readonly ScoredSeries[]): { best: number; fixed: number } {
    const best = nabScore(series, 'best');
    const fixed = nabScore(series, ALARM_SCORE);
    print(`${name.padEnd(24)} best ${best.toFixed(2)} fixed ${fixed.toFixed(2)}`);
    return { best, fixed };
  }
}

function writePrediction(path: string, { timestamps, scores }: ScoredSeries): void {
  mkdirSync(dirname(path), { recursive: true });
  const rows = timestamps.map((timestamp, i) => `${timestamp},${scores[i]}`);
  writeFileSync(path, `timestamp,anomaly_score\n${rows.join('\n')}\n`);
}

/** Gauge points in the order of the file. */
function readPoints(path: string): { time: bigint; value: number }[] {
  return readBodies(path).flatMap((body) =>
    (body as MetricsBody).resourceMetrics.flatMap(({ scopeMetrics }) =>
      scopeMetrics.flatMap(({ metrics }) =>
        metrics.flatMap(({ gauge }) =>
          gauge.dataPoints.map(({ timeUnixNano, asDouble, asInt }) => ({
            time: BigInt(timeUnixNano),
            value: asDouble ?? Number(asInt),
          })),
        ),
      ),
    ),
  );
}

interface MetricsBody {
  resourceMetrics: {
    scopeMetrics: {
      metrics: { gauge: { dataPoints: { timeUnixNano: string; asDouble?: number; asInt?: string }[] } }[];
    }[];
  }[];
}

/** As the windows spell it: `2014-04-10 07:15:00`. */
function secondOf(time: bigint): string {
  return new Date(Number(time / 1_000_000n)).toISOString().slice(0, 19).replace('T', ' ');
}

function wholeSecond(timestamp: string): string {
  return timestamp.split('.')[0]!;
}
