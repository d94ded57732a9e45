/**
 * `npm run bench [-- --only SECTION --full --json FILE …]`: what it costs to take telemetry in, next to what it costs at best. Stores are
 * throw-away servers on this machine, the generator is a process of its own; everything shares the machine's cores.
 *
 *   --only decode|yardsticks|ingest|ack|growth|connections|overload   one section instead of all
 *   --records N          of one measurement end to end
 *   --growth-rows A,B,C  measures with so many records stored already; --full: 0, 1, 5 and 10 million
 *   --json FILE          writes the same figures
 */
import { writeFile } from 'node:fs/promises';
import { cpus } from 'node:os';
import { parseArgs } from 'node:util';
import { createDatabase, startPostgres } from '../support/postgres.ts';
import { startRedis } from '../support/redis.ts';
import { benchDecode } from './decode.ts';
import type { Load } from './generator.ts';
import { benchOverload, CALM_MS, OVERLOAD_ENVIRONMENT, OVERLOAD_REQUESTS } from './overload.ts';
import { RECORDS } from './payloads.ts';
import { type Ingested, ingest, type SystemUnderLoad, startSystem } from './system.ts';
import { printTable } from './table.ts';
import { benchYardsticks } from './yardsticks.ts';

const { values: options } = parseArgs({
  options: {
    only: { type: 'string' },
    records: { type: 'string', default: '600000' },
    'growth-rows': { type: 'string' },
    full: { type: 'boolean', default: false },
    json: { type: 'string' },
  },
});

const ALL = Number(options.records);
const GROWTH_ROWS = (options['growth-rows'] ?? (options.full ? '0,1000000,5000000,10000000' : '0,1000000'))
  .split(',')
  .map(Number);

type Context = { pgUrl: string; redisUrl: string };
type Figures = Record<string, unknown>;

/** V8's threads compile for 2.6 µs an event in a first round of 300,000, and for 0.4 in the second. */
const WARM_UP_RECORDS = 300_000;

/** What the generator offers unless a section says otherwise. */
const LOAD = {
  signals: ['span'],
  records: ALL,
  recordsPerRequest: RECORDS,
  connections: 4,
  inFlight: 16,
  retry: true,
} satisfies Omit<Load, 'address' | 'firstSequence'>;

const figures: Figures = {};

const SECTIONS: Record<string, (context: Context) => Promise<void>> = {
  async decode() {
    const results = (['span', 'log'] as const).map((signal) => benchDecode(signal, options.full ? 300 : 60));
    printTable(
      `Decode, one core, requests of ${RECORDS}: µs a record (best of many rounds)`,
      [
        'signal',
        'walk',
        'walk to block',
        'resources noted',
        'fromBinary',
        'protobufjs',
        'fromBinary / block',
        'protobufjs / block',
      ],
      results.map(({ signal, walkMicros, blockMicros, resourcesMicros, fromBinaryMicros, protobufjsMicros }) => [
        signal,
        ...[walkMicros, blockMicros, resourcesMicros, fromBinaryMicros, protobufjsMicros],
        ...[fromBinaryMicros / blockMicros, protobufjsMicros / blockMicros],
      ]),
    );
    const [spans, logs] = results.map(({ fromBinaryMicros, blockMicros }) => fromBinaryMicros / blockMicros);
    figures.decode = { spans_vs_from_binary: spans, logs_vs_from_binary: logs, micros: results };
  },

  async yardsticks({ pgUrl }) {
    await withDatabase(pgUrl, async (url) => {
      const { rowsPerSecond, blocksPerSecond } = await benchYardsticks(url, Math.min(ALL, 200_000), ['span']);
      printTable(
        'Yardsticks: raw COPY BINARY, one connection',
        ['what', 'events/s'],
        [
          ['rows ready encoded, two b-trees', rowsPerSecond],
          ['blocks ready made, with keys', blocksPerSecond],
        ],
      );
      figures.yardsticks = { row_copy_per_s: rowsPerSecond, block_copy_per_s: blocksPerSecond };
    });
  },

  async ingest(context) {
    const { row_copy_per_s: rows } = figures.yardsticks as { row_copy_per_s: number };
    const measured: [string, Ingested][] = [];
    for (const [name, stores] of STORES) {
      await withSystem(stores === null ? null : context, async (system) => {
        await ingest(system, { ...LOAD, signals: ['span', 'log'], records: WARM_UP_RECORDS });
        measured.push([`${name}, spans`, await ingest(system, LOAD)]);
        measured.push([`${name}, logs`, await ingest(system, { ...LOAD, signals: ['log'] })]);
        measured.push([`${name}, spans and logs`, await ingest(system, { ...LOAD, signals: ['span', 'log'] })]);
      });
    }
    printTable(
      'End to end: OTLP/gRPC until committed',
      [
        'what',
        'events/s',
        '/ raw row COPY',
        'CPU µs an event: receiver',
        'generator',
        'stores and kernel',
        'ack p50 ms',
        'p95',
      ],
      measured.map(([name, { eventsPerSecond, cpu, ackMs }]) => [
        name,
        eventsPerSecond,
        eventsPerSecond / rows,
        ...[cpu.receiver, cpu.generator, cpu.others, ackMs.p50, ackMs.p95],
      ]),
    );
    const of = (name: string) => measured.find(([known]) => known === name)![1].eventsPerSecond;
    figures.ingest = {
      ...(figures.ingest as object),
      events_per_s: of('PostgreSQL, spans'),
      logs_per_s: of('PostgreSQL, logs'),
      ratio_to_row_copy: of('PostgreSQL, spans') / rows,
    };
    figures.embedded = { events_per_s: of('embedded, spans'), logs_per_s: of('embedded, logs') };
  },

  async ack(context) {
    const rows: [string, string, number, Ingested][] = [];
    for (const [name, stores] of STORES) {
      await withSystem(stores === null ? null : context, async (system) => {
        await ingest(system, { ...LOAD, records: Math.min(ALL, 100_000) });
        const most = await ingest(system, { ...LOAD, records: Math.min(ALL, 300_000) });
        for (const [what, rate] of [
          ['10,000', 10_000],
          ['half of the most', most.eventsPerSecond / 2],
        ] as const) {
          const records = rate * (options.full ? 20 : 8);
          rows.push([name, what, rate, await ingest(system, { ...LOAD, records, rate })]);
        }
      });
    }
    printTable(
      'Acknowledged (on disk in the journal), milliseconds from when a request was due',
      ['store', 'offered', 'events/s', 'p50', 'p95', 'p99', 'max'],
      rows.map(([name, what, rate, { ackMs }]) => [name, what, rate, ackMs.p50, ackMs.p95, ackMs.p99, ackMs.max]),
    );
    const [at10k, atHalf] = rows.map(
      ([
        ,
        ,
        ,
        {
          ackMs: { p50, p95, p99 },
        },
      ]) => ({ p50, p95, p99 }),
    );
    figures.ingest = { ...(figures.ingest as object), ack_ms_at_10k: at10k, ack_ms_at_half: atHalf };
  },

  async growth(context) {
    const rows: [number, Ingested][] = [];
    await withSystem(context, async (system) => {
      let stored = 0;
      const add = async (records: number) => {
        const result = await ingest(system, { ...LOAD, records });
        stored += result.acknowledged;
        return result;
      };
      await add(Math.min(ALL, 100_000));
      for (const level of GROWTH_ROWS) {
        while (stored < level) await add(Math.min(level - stored, 1_000_000));
        rows.push([level, await add(Math.min(ALL, 300_000))]);
      }
    });
    const first = rows[0]![1].eventsPerSecond;
    printTable(
      'Growth, PostgreSQL and Redis',
      ['records stored before', 'events/s', '/ the first'],
      rows.map(([level, { eventsPerSecond }]) => [
        level.toLocaleString('en'),
        eventsPerSecond,
        eventsPerSecond / first,
      ]),
    );
    figures.growth = Object.fromEntries(rows.map(([level, { eventsPerSecond }]) => [level, eventsPerSecond]));
  },

  async connections(context) {
    const rows: [string, Ingested][] = [];
    const records = Math.min(ALL, 200_000);
    await withSystem(context, async (system) => {
      await ingest(system, { ...LOAD, records: Math.min(ALL, 100_000) });
      for (const connections of [1, 10, 100]) {
        const inFlight = Math.max(16, connections);
        rows.push([`${connections}`, await ingest(system, { ...LOAD, records, connections, inFlight })]);
      }
      rows.push(['4, gzip', await ingest(system, { ...LOAD, records, gzip: true })]);
    });
    printTable(
      'Connections, PostgreSQL and Redis',
      ['connections', 'events/s', 'ack p50 ms', 'p95'],
      rows.map(([name, { eventsPerSecond, ackMs }]) => [name, eventsPerSecond, ackMs.p50, ackMs.p95]),
    );
    figures.connections = Object.fromEntries(rows.map(([name, { eventsPerSecond }]) => [name, eventsPerSecond]));
  },

  async overload(context) {
    const run = (system: SystemUnderLoad) => benchOverload(system, LOAD, options.full ? 30 : 10);
    const result = await withSystem(context, run, OVERLOAD_ENVIRONMENT);
    const { flood } = result;
    const share = flood.refused / (flood.refused + flood.acknowledged);
    printTable(
      `Overload, PostgreSQL and Redis: ${OVERLOAD_REQUESTS} requests under way at once, ten times as many as are taken in, each sent anew as soon as it is answered`,
      [
        'events/s acknowledged',
        'refused share',
        'requests refused with',
        'memory before MB',
        'peak MB, first half',
        'second half',
        `s until 10,000 events/s are acknowledged within ${CALM_MS} ms again`,
      ],
      [
        [
          result.acknowledgedPerSecond,
          share,
          Object.entries(flood.refusals)
            .map(([name, count]) => `${name} ${count.toLocaleString('en')}`)
            .join(', ') || 'none',
          ...[result.bytesBefore, ...result.bytesPeak].map((bytes) => bytes / 1e6),
          result.recoverySeconds,
        ],
      ],
    );
    figures.overload = {
      acknowledged_per_s: result.acknowledgedPerSecond,
      refused_share: share,
      refusals: flood.refusals,
      rss_before: result.bytesBefore,
      rss_peak: Math.max(...result.bytesPeak),
      recovery_s: result.recoverySeconds,
    };
  },
};

const STORES = [
  ['PostgreSQL', 'servers'],
  ['embedded', null],
] as const;

async function withDatabase<T>(pgUrl: string, work: (url: string) => Promise<T>): Promise<T> {
  const database = await createDatabase(pgUrl);
  try {
    return await work(database.url);
  } finally {
    await database.drop();
  }
}

async function withSystem<T>(
  context: Context | null,
  work: (system: SystemUnderLoad) => Promise<T>,
  environment: Record<string, string> = {},
): Promise<T> {
  const run = async (stores: Context | null) => {
    const system = await startSystem(stores, { environment });
    try {
      return await work(system);
    } finally {
      await system.stop();
    }
  };
  if (context === null) return run(null);
  return withDatabase(context.pgUrl, (pgUrl) => run({ ...context, pgUrl }));
}

/** What a section needs of another. */
const NEEDS: Record<string, string[]> = { ingest: ['yardsticks'] };

const wanted = options.only === undefined ? Object.keys(SECTIONS) : [...(NEEDS[options.only] ?? []), options.only];
if (wanted.some((name) => SECTIONS[name] === undefined)) {
  throw new Error(`--only takes one of ${Object.keys(SECTIONS).join(', ')}`);
}
const servers = wanted.every((name) => name === 'decode') ? [] : [await startPostgres(), await startRedis()];
const context = { pgUrl: servers[0]?.url ?? '', redisUrl: servers[1]?.url ?? '' };
try {
  console.log(
    `Node ${process.versions.node}, ${cpus().length} cores (${cpus()[0]!.model.trim()}), ${new Date().toISOString().slice(0, 10)}`,
  );
  for (const name of wanted) await SECTIONS[name]!(context);
  if (options.json !== undefined) await writeFile(options.json, `${JSON.stringify(figures, null, 2)}\n`);
} finally {
  await Promise.all(servers.map((server) => server.stop()));
}
