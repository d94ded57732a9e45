/**
 * `npm run bench:query [-- --rows 1000000,10000000 --days 7 --store pg|embedded|all --only QUESTION,… --json FILE]`: what answers cost, and what becomes of that cost
 * when ten times as much is stored. A week of telemetry (query-data.ts) takes the way of real one, from OTLP over index and derivation
 * to the store's commit; then the query service is asked in this process, as every face asks it. PostgreSQL (with Redis for the last hour)
 * and Redis are throw-away servers with their defaults. Loading takes some 80 µs an event, 10 million about thirteen minutes and 4 GB of disk.
 */
import { writeFile } from 'node:fs/promises';
import { parseArgs } from 'node:util';
import { ask, GOALS, type Latency, type QuestionName } from './query-questions.ts';
import { type Loaded, loadEmbedded, loadPostgres } from './query-stores.ts';
import { type Cell, printTable } from './table.ts';

interface Measured {
  rows: number;
  answers: Map<QuestionName, Latency>;
  loaded: Pick<Loaded, 'bytesPerEvent' | 'archive' | 'seconds' | 'events'>;
}

async function main(): Promise<void> {
  const { values } = parseArgs({
    options: {
      rows: { type: 'string', default: '1000000,10000000' },
      days: { type: 'string', default: '7' },
      store: { type: 'string', default: 'all' },
      only: { type: 'string' },
      json: { type: 'string' },
    },
  });
  const rows = values.rows.split(',').map(Number);
  if (!rows.every((count) => count >= 10_000))
    throw new Error('--rows takes numbers from 10000 on, joined with commas');
  if (!['pg', 'embedded', 'all'].includes(values.store)) throw new Error('--store takes pg, embedded or all');
  const days = Number(values.days);
  if (!(days > 1)) throw new Error('--days takes a number above 1: a day of them is asked for');
  const only = values.only?.split(',') as QuestionName[] | undefined;
  const figures: Record<string, unknown> = {};
  if (values.store !== 'embedded') {
    const measured = await measure(rows, (count) => loadPostgres(count, days), only);
    report('PostgreSQL, the last hour in Redis', measured);
    Object.assign(figures, { queries: queriesOf(measured), bytes_per_event: measured.at(-1)!.loaded.bytesPerEvent });
  }
  if (values.store !== 'pg') {
    const measured = await measure([Math.min(...rows)], (count) => loadEmbedded(count, days), only);
    report('Embedded, the last hour in memory', measured);
    const { bytesPerEvent } = measured[0]!.loaded;
    figures.embedded = { queries: queriesOf(measured), bytes_per_event: bytesPerEvent };
    if (values.store === 'embedded') Object.assign(figures, figures.embedded);
  }
  if (values.json !== undefined) await writeFile(values.json, `${JSON.stringify(figures, null, 2)}\n`);
}

async function measure(
  rows: readonly number[],
  load: (rows: number) => Promise<Loaded>,
  only: QuestionName[] | undefined,
): Promise<Measured[]> {
  const measured: Measured[] = [];
  for (const count of rows) {
    const loaded = await load(count);
    try {
      const answers = await ask(loaded, only);
      const { bytesPerEvent, archive, seconds, events } = loaded;
      measured.push({ rows: count, answers, loaded: { bytesPerEvent, archive, seconds, events } });
    } finally {
      await loaded.stop();
    }
  }
  return measured;
}

function report(title: string, measured: readonly Measured[]): void {
  const names = [...measured[0]!.answers.keys()];
  const last = measured.at(-1)!;
  printTable(
    `${title}: milliseconds an answer`,
    [
      'question',
      ...measured.flatMap(({ rows }) => [`p50 at ${short(rows)}`, 'p95']),
      ...(measured.length > 1 ? ['growth of p50'] : []),
      ...measured.map(({ rows }) => `listed at ${short(rows)}`),
      'goal (p95)',
      'holds',
    ],
    names.map((name): Cell[] => {
      const all = measured.map(({ answers }) => answers.get(name)!);
      const growth = all.at(-1)!.p50 / all[0]!.p50;
      return [
        name,
        ...all.flatMap(({ p50, p95 }) => [p50, p95]),
        ...(measured.length > 1 ? [growth] : []),
        ...all.map(({ listed }) => listed),
        GOALS[name],
        last.answers.get(name)!.p95 <= GOALS[name] ? 'yes' : 'no',
      ];
    }),
  );
  for (const [name, { plan }] of last.answers) {
    if (plan !== undefined)
      process.stdout.write(`\n${title}, ${name}: the slowest statement at ${short(last.rows)}, ${plan}\n`);
  }
  printTable(
    `${title}: bytes an event, and the archive`,
    [
      'rows',
      'hot',
      'warm',
      '… of which blocks and keys',
      'cold',
      'archived events/s',
      'read back events/s',
      'loaded in s',
    ],
    measured.map(({ rows, loaded: { bytesPerEvent, archive, seconds } }) => [
      short(rows),
      bytesPerEvent.hot,
      bytesPerEvent.warm,
      bytesPerEvent.blocks,
      bytesPerEvent.cold,
      archive.writtenPerSecond,
      archive.readPerSecond,
      seconds,
    ]),
  );
}

function queriesOf(measured: readonly Measured[]): Record<string, Record<string, number>> {
  return Object.fromEntries(
    [...measured[0]!.answers.keys()].map((name) => [
      name,
      {
        ...Object.fromEntries(
          measured.flatMap(({ rows, answers }) => [
            [`p50_ms_${short(rows)}`, answers.get(name)!.p50],
            [`p95_ms_${short(rows)}`, answers.get(name)!.p95],
            [`listed_${short(rows)}`, answers.get(name)!.listed],
          ]),
        ),
        goal_ms: GOALS[name],
      },
    ]),
  );
}

/** `1m`, `100k`. */
function short(rows: number): string {
  return rows >= 1_000_000 ? `${rows / 1_000_000}m` : `${rows / 1000}k`;
}

await main();
