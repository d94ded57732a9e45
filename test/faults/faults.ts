/**
 * `npm run faults -- [--kills 1000] [--seed N] [--store embedded|postgres|both] [--worlds 4] [--json FILE] [--log-level warn]`: the model
 * test for as long as one likes, in several worlds of each store at once, since a world mostly waits. Prints where processes were
 * killed and what was broken, and ends with 1 when the promise was.
 */
import { writeFile } from 'node:fs/promises';
import { parseArgs } from 'node:util';
import { buildServer } from '../../build.ts';
import { startPostgres } from '../support/postgres.ts';
import { startRedis } from '../support/redis.ts';
import { type ModelReport, runModel } from './model.ts';

async function main(): Promise<void> {
  const { values } = parseArgs({
    options: {
      kills: { type: 'string', default: '1000' },
      seed: { type: 'string', default: String(Date.now() % 2 ** 31) },
      store: { type: 'string', default: 'both' },
      worlds: { type: 'string', default: '4' },
      json: { type: 'string' },
      'log-level': { type: 'string', default: 'silent' },
    },
  });
  const stores = values.store === 'both' ? ['embedded', 'postgres'] : [values.store];
  const worlds = Number(values.worlds);
  const kills = Math.ceil(Number(values.kills) / stores.length / worlds);
  const seed = Number(values.seed);
  console.log(
    `seed ${seed}: again with --kills ${values.kills} --seed ${seed} --store ${values.store} --worlds ${worlds}`,
  );

  await buildServer();
  const reports: Record<string, ModelReport> = {};
  for (const store of stores) reports[store] = await run(store, { worlds, kills, seed, logLevel: values['log-level'] });
  print(reports);
  if (values.json !== undefined) await writeFile(values.json, `${JSON.stringify(reports, null, 2)}\n`);
  process.exitCode = Object.values(reports).some(({ violations }) => violations.length > 0) ? 1 : 0;
}

interface Run {
  worlds: number;
  /** In each world. */
  kills: number;
  seed: number;
  logLevel: string;
}

async function run(store: string, { worlds, kills, seed, logLevel }: Run): Promise<ModelReport> {
  const [postgres, redis] = store === 'embedded' ? [] : await Promise.all([startPostgres(), startRedis()]);
  let done = 0;
  const progress = () => {
    if (++done % 50 === 0 || done === kills * worlds) console.log(`${store}: ${done} of ${kills * worlds} kills`);
  };
  try {
    const servers = postgres && redis && { postgres: postgres.url, redis: redis.url };
    const options = { kills, logLevel, progress, built: true, ...(servers && { servers }) };
    const seeds = Array.from({ length: worlds }, (_, world) => seed + world);
    return together(await Promise.all(seeds.map((seed) => runModel({ ...options, seed }))));
  } finally {
    await postgres?.stop();
    await redis?.stop();
  }
}

/** Several worlds as one report. */
function together(reports: readonly ModelReport[]): ModelReport {
  const sum = <K extends string>(counts: readonly Partial<Record<K, number>>[]) => {
    const total: Partial<Record<K, number>> = {};
    for (const count of counts) {
      for (const [name, n] of Object.entries(count) as [K, number][]) total[name] = (total[name] ?? 0) + n;
    }
    return total;
  };
  return {
    seed: reports[0]!.seed,
    kills: sum(reports.map(({ kills }) => kills)),
    faults: sum(reports.map(({ faults }) => faults)) as ModelReport['faults'],
    records: sum(reports.map(({ records }) => records)) as ModelReport['records'],
    requests: sum(reports.map(({ requests }) => requests)) as ModelReport['requests'],
    checks: reports.reduce((all, { checks }) => all + checks, 0),
    violations: reports.flatMap(({ seed, violations }) => violations.map((violation) => `seed ${seed}: ${violation}`)),
    seconds: Math.max(...reports.map(({ seconds }) => seconds)),
  };
}

function print(reports: Record<string, ModelReport>): void {
  for (const part of ['kills', 'faults', 'requests', 'records'] as const) {
    const names = [...new Set(Object.values(reports).flatMap((report) => Object.keys(report[part])))];
    const rows = names.map((name) => [
      name,
      ...Object.values(reports).map((report) => (report[part] as Record<string, number>)[name] ?? 0),
    ]);
    if (part === 'kills') {
      const sum = (report: ModelReport) => Object.values(report.kills).reduce((a, b) => a + b, 0);
      rows.push(['all', ...Object.values(reports).map(sum)]);
    }
    table([part, ...Object.keys(reports)], rows);
  }
  table(
    ['outcome', ...Object.keys(reports)],
    [
      ['checks', ...Object.values(reports).map(({ checks }) => checks)],
      ['violations', ...Object.values(reports).map(({ violations }) => violations.length)],
      ['seconds', ...Object.values(reports).map(({ seconds }) => Math.round(seconds))],
    ],
  );
  for (const [store, { violations }] of Object.entries(reports)) {
    for (const violation of violations) console.log(`${store}: ${violation}`);
  }
}

function table(head: string[], rows: (string | number)[][]): void {
  const widths = head.map((_, column) => Math.max(...[head, ...rows].map((row) => String(row[column]).length)));
  const line = (row: (string | number)[]) =>
    row.map((cell, i) => (i === 0 ? String(cell).padEnd(widths[i]!) : String(cell).padStart(widths[i]!))).join('  ');
  console.log(`\n${[head, ...rows].map(line).join('\n')}`);
}

if (import.meta.main) await main();
