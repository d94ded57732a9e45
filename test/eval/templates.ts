/**
 * Log templates against the true ones of labelled logs: grouping accuracy (Zhu et al., Tools and benchmarks for automated log
 * parsing, ICSE-SEIP 2019) and F1 of grouping (Jiang et al., A large-scale evaluation for log parsing techniques, ISSTA 2024).
 */
import { mkdirSync, readdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { createTemplateMiner } from '../../insight/templates.ts';
import type { Template } from '../../model/rollup.ts';
import { currentTemplates } from '../../model/template.ts';
import { demandFolder, readBodies, readCsv } from './data.ts';
import type { EvaluationOptions } from './evaluation.ts';

export async function evaluateTemplates({ data, predictions, print }: EvaluationOptions) {
  const folder = join(data, 'log-templates');
  demandFolder(folder);
  const sets: Record<string, { ga: number; fga: number }> = {};
  const texts: Record<string, string[]> = {};
  const names = readdirSync(folder)
    .filter((name) => name.endsWith(TRUTH))
    .map((name) => name.slice(0, -TRUTH.length))
    .sort();
  for (const name of names) {
    const truth = new Map(readCsv(join(folder, name + TRUTH)).map((row) => [row.LineId!, row.EventId!]));
    const lines = readLines(join(folder, `${name}.logs.jsonl.gz`));
    texts[name] = lines.map(({ message }) => message);
    const miner = createTemplateMiner();
    const given = lines.map(({ message }) => miner.templateOf(message));
    const current = await storedTemplates([...given, ...miner.takeMerged()]);
    const mined = new Map(lines.map(({ id }, i) => [id, current.get(given[i]!.id)!.id]));
    const score = scoreGroups(truth, mined);
    sets[name] = { ga: score.ga, fga: score.fga };
    print(
      `${name.padEnd(12)} GA ${score.ga.toFixed(4)} FGA ${score.fga.toFixed(4)} groups ${score.groups}/${score.trueGroups}`,
    );
    if (predictions !== null) {
      mkdirSync(predictions, { recursive: true });
      const rows = [...mined].map(([id, template]) => `${id},${template}`);
      writeFileSync(join(predictions, `${name}.csv`), `LineId,EventId\n${rows.join('\n')}\n`);
    }
  }
  print(`${Math.round(linesPerSecond(Object.values(texts)))} lines/s on one core`);
  const mean = { ga: meanOf(sets, 'ga'), fga: meanOf(sets, 'fga') };
  print(`mean over ${names.length} sets: GA ${mean.ga.toFixed(4)} FGA ${mean.fga.toFixed(4)}`);
  return { sets, mean };
}

/**
 * Of all sets together, repeated with other digits so that few messages come twice, in CPU time: a fleet logs the same statements with
 * other values.
 */
function linesPerSecond(sets: readonly string[][]): number {
  const rounds = Array.from({ length: 20 }, (_, round) =>
    sets.map((lines) => lines.map((line) => line.replace(/\d/g, (digit) => String((Number(digit) + round * 3) % 10)))),
  );
  const miners = sets.map(() => createTemplateMiner());
  const started = process.cpuUsage();
  let count = 0;
  for (const round of rounds) {
    for (const [i, lines] of round.entries()) {
      for (const line of lines) miners[i]!.templateOf(line);
      count += lines.length;
    }
  }
  return count / (process.cpuUsage(started).user / 1e6);
}

const TRUTH = '.truth.csv';

export interface GroupScore {
  /** Share of lines whose group is, as a set of lines, exactly a true one; 0 to 1. */
  ga: number;
  /** F1 over groups, 0 to 1. */
  fga: number;
  groups: number;
  trueGroups: number;
}

/** @param truth, mined group by line; a line that was not mined is in a group `missing` */
export function scoreGroups(truth: ReadonlyMap<string, string>, mined: ReadonlyMap<string, string>): GroupScore {
  const trueSizes = new Map<string, number>();
  const minedSizes = new Map<string, number>();
  const both = new Map<string, { group: string; mined: string; size: number }>();
  for (const [line, group] of truth) {
    const minedGroup = mined.get(line) ?? 'missing';
    trueSizes.set(group, (trueSizes.get(group) ?? 0) + 1);
    minedSizes.set(minedGroup, (minedSizes.get(minedGroup) ?? 0) + 1);
    const key = `${group.length} ${group}${minedGroup}`;
    const pair = both.get(key);
    if (pair === undefined) both.set(key, { group, mined: minedGroup, size: 1 });
    else pair.size++;
  }
  const right = [...both.values()].filter(
    ({ group, mined, size }) => size === trueSizes.get(group) && size === minedSizes.get(mined),
  );
  return {
    ga: right.reduce((sum, { size }) => sum + size, 0) / truth.size,
    fga: (2 * right.length) / (trueSizes.size + minedSizes.size),
    groups: minedSizes.size,
    trueGroups: trueSizes.size,
  };
}

/** What becomes of the ids that records were given once the rows are stored, as the product's answers read them. */
async function storedTemplates(written: readonly Template[]): Promise<Map<string, Template>> {
  const rows = new Map<string, Template>();
  for (const row of written) if (row.merged || !rows.has(row.id)) rows.set(row.id, row);
  const read = async (ids: readonly string[]) => ids.map((id) => rows.get(id)).filter((row) => row !== undefined);
  return currentTemplates([...rows.keys()], read);
}

/** Log records in the order of the file. */
function readLines(path: string): { id: string; message: string }[] {
  return readBodies(path).flatMap((body) =>
    (body as LogsBody).resourceLogs.flatMap(({ scopeLogs }) =>
      scopeLogs.flatMap(({ logRecords }) =>
        logRecords.map(({ body, attributes }) => ({
          id: attributes.find(({ key }) => key === 'log.record.uid')!.value.stringValue,
          message: body.stringValue,
        })),
      ),
    ),
  );
}

interface LogsBody {
  resourceLogs: {
    scopeLogs: {
      logRecords: {
        body: { stringValue: string };
        attributes: { key: string; value: { stringValue: string } }[];
      }[];
    }[];
  }[];
}

function meanOf(sets: Record<string, { ga: number; fga: number }>, figure: 'ga' | 'fga'): number {
  const values = Object.values(sets);
  return values.reduce((sum, set) => sum + set[figure], 0) / values.length;
}
