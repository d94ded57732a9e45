/**
 * The promise held against a model. A collector in a process of its own is sent records, killed at a named point, started again,
 * while its links to PostgreSQL and Redis break, slow down and go deaf, its disk fills up and the tail of its journal is
 * torn; the model remembers what was sent and what was acknowledged. Whenever the dust settles:
 *
 *   acknowledged ⊆ stored ⊆ sent, every record once in the answers, and counted once.
 *
 * The seed repeats every choice; when a process gets its turn on the machine is not ours to repeat.
 */
import { execFile } from 'node:child_process';
import { mkdtemp, open, readdir, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { promisify } from 'node:util';
import type { Addresses } from '../../collector.ts';
import type { JournalPoint } from '../../receiver/journal.ts';
import { type Link, startLink } from '../support/link.ts';
import { createDatabase } from '../support/postgres.ts';
import { allPages } from '../support/system.ts';
import { createRandom, type Random } from './random.ts';
import { createSenders, kindOf, messageOf, numberOf, requestOf, type Senders, WAYS } from './telemetry.ts';
import { createVictims, type Victim } from './victims.ts';

const JOURNAL_POINTS: readonly JournalPoint[] = [
  'write',
  'fsync',
  'ack',
  'rotate',
  'begin',
  'checkpoint',
  'unlink',
  'unlinked',
];
/** Of a commit: half of a COPY is sent; COMMIT is answered, and the answer lost. */
const STORE_POINTS = ['copy', 'commit'] as const;
/** While it starts, and at any moment. */
const OTHER_POINTS = ['start', 'any'] as const;

export type KillPoint = JournalPoint | (typeof STORE_POINTS)[number] | (typeof OTHER_POINTS)[number];

export interface ModelOptions {
  seed: number;
  /** How many processes are killed. */
  kills: number;
  /** Absent: the embedded store. */
  servers?: { postgres: string; redis: string };
  /** Kills between two looks at what is stored. */
  killsPerCheck?: number;
  /** Whether the processes run what lies in dist/. */
  built?: boolean;
  /** Told now and then how far it is. */
  progress?: (kills: number) => void;
  logLevel?: string;
}

export interface ModelReport {
  seed: number;
  kills: Partial<Record<KillPoint, number>>;
  faults: Record<string, number>;
  records: { sent: number; acknowledged: number; stored: number };
  requests: { acknowledged: number; refused: number; unknown: number };
  checks: number;
  /** Empty when the promise holds. */
  violations: string[];
  seconds: number;
}

export async function runModel(options: ModelOptions): Promise<ModelReport> {
  const { seed, kills, servers, killsPerCheck = 50, progress = () => {} } = options;
  const startMs = performance.now();
  const random = createRandom(seed);
  const world = await createWorld(options, random);
  const { report } = world;
  try {
    const points: readonly KillPoint[] = [...JOURNAL_POINTS, ...(servers ? STORE_POINTS : []), ...OTHER_POINTS];
    let queue: KillPoint[] = [];
    for (let kill = 1; kill <= kills && report.violations.length === 0; kill++) {
      if (queue.length === 0) queue = random.shuffled(points);
      await world.live(queue.pop()!);
      if (kill % killsPerCheck === 0 || kill === kills) await world.check();
      progress(kill);
    }
  } finally {
    await world.stop();
  }
  report.seconds = (performance.now() - startMs) / 1000;
  return report;
}

const LIFE_MS_MAX = 3000;
const DRAIN_MS_MAX = 60_000;
const SENDERS = 4;
const REQUEST_RECORDS_MAX = 12;
// Small, so that files rotate and are dropped within a life, and a store that is away soon leaves it full.
const JOURNAL_BYTES = 2 ** 20;
const MINUTE_NANOS = 60_000_000_000n;

async function createWorld({ seed, servers, logLevel, built }: ModelOptions, random: Random) {
  const folder = await mkdtemp(join(tmpdir(), 'ai-debug-faults-'));
  const victims = createVictims(join(folder, 'compile-cache'), logLevel, built);
  const database = servers && (await createDatabase(servers.postgres));
  const postgres = database && (await startLink(database.url));
  const redis = servers && (await startLink(servers.redis));
  const since = ((BigInt(Date.now()) * 1_000_000n) / MINUTE_NANOS) * MINUTE_NANOS;
  const flags = {
    'data-dir': join(folder, 'data'),
    'otlp-grpc-port': '0',
    'otlp-http-port': '0',
    'http-port': '0',
    'grpc-port': '0',
    'journal-bytes-max': `${JOURNAL_BYTES}`,
    'request-bytes-max': `${JOURNAL_BYTES / 4}`,
    'batch-size-ms': '20',
    'insight-auto-generate': 'false',
    ...(postgres && { 'pg-url': postgres.url }),
    ...(redis && { 'redis-url': redis.url, 'redis-key-prefix': `faults-${process.pid}-${seed}` }),
  };
  const report: ModelReport = {
    seed,
    kills: {},
    faults: {},
    records: { sent: 0, acknowledged: 0, stored: 0 },
    requests: { acknowledged: 0, refused: 0, unknown: 0 },
    checks: 0,
    violations: [],
    seconds: 0,
  };
  const acknowledged = new Set<number>();
  const requests: number[][] = []; // those of late, to be sent again
  let next = 0;

  // ── sending ──────────────────────────────────────────────────────────────────────────────────────────────────────────────

  /** New records, a request sent before, or records that went before in other requests. */
  function chooseNumbers(): number[] {
    const kind = random.one([0, 1]);
    const some = random.between(1, REQUEST_RECORDS_MAX);
    const how = next < 50 ? 0 : random.next();
    if (how < 0.6) {
      const first = next + (kindOf(next) === kindOf(kind) ? 0 : 1);
      next = first + 2 * some;
      return Array.from({ length: some }, (_, i) => first + 2 * i);
    }
    if (how < 0.8) return random.one(requests);
    const numbers = new Set(Array.from({ length: some }, () => 2 * random.between(0, Math.floor(next / 2) - 1) + kind));
    return [...numbers];
  }

  async function sendUntil(dead: () => boolean, senders: Senders): Promise<void> {
    while (!dead()) {
      const numbers = chooseNumbers();
      requests[requests.length < 500 ? requests.length : random.between(0, 499)] = numbers;
      try {
        const outcome = await senders.send(random.one(WAYS), requestOf(numbers, since));
        report.requests[outcome]++;
        if (outcome === 'acknowledged') for (const number of numbers) acknowledged.add(number);
        if (outcome === 'refused') await sleep(20);
      } catch (error) {
        report.violations.push(`no sender may be told: ${(error as Error).message}`);
        return;
      }
    }
  }

  // ── breaking ─────────────────────────────────────────────────────────────────────────────────────────────────────────────

  const FAULTS: Record<string, (victim: Victim) => unknown> = {
    'disk full': (victim) => limitFiles(victim.pid, 12_000),
    ...(postgres && linkFaults('PostgreSQL', postgres)),
    ...(redis && linkFaults('Redis', redis)),
  };

  function linkFaults(name: string, link: Link): Record<string, () => unknown> {
    return {
      [`${name} cut`]: () => link.cut(),
      [`${name} away`]: () => link.refuse(),
      [`${name} silent`]: () => link.hang(),
      [`${name} slow`]: () => link.delay(random.between(5, 80)),
      [`${name} hears nothing`]: () => link.lose('sent'),
      [`${name} is not heard`]: () => link.lose('answers'),
    };
  }

  async function disturb(victim: Victim): Promise<void> {
    if (random.chance(0.4)) return;
    const name = random.one(Object.keys(FAULTS));
    await sleep(random.between(0, 80));
    if (victim.dead) return;
    report.faults[name] = (report.faults[name] ?? 0) + 1;
    await FAULTS[name]!(victim);
    if (random.chance(0.2)) return; // until its end
    await sleep(random.between(20, 300));
    if (!victim.dead) await heal(victim);
  }

  async function heal(victim?: Victim): Promise<void> {
    if (victim !== undefined) await limitFiles(victim.pid, 'unlimited');
    for (const link of [postgres, redis]) {
      link?.resume();
      await link?.accept();
    }
  }

  /** What a write that the machine did not survive leaves behind the last whole record. */
  async function tearTail(): Promise<void> {
    const journal = join(flags['data-dir'], 'journal');
    const last = (await readdir(journal))
      .filter((name) => name.endsWith('.segment'))
      .sort()
      .at(-1);
    if (last === undefined) return;
    report.faults['torn tail'] = (report.faults['torn tail'] ?? 0) + 1;
    const length = random.between(1, 5000);
    const zeros = random.chance(0.3);
    const garbage = Buffer.from(Array.from({ length }, () => (zeros ? 0 : random.between(0, 255))));
    if (random.chance(0.5)) garbage.write('ADJ1'); // as a record begins
    const file = await open(join(journal, last), 'a');
    await file.write(garbage);
    await file.close();
  }

  // ── one life, and the look at what is left of it ─────────────────────────────────────────────────────────────────────────

  async function live(point: KillPoint): Promise<void> {
    const victim = await victims.start(flags);
    let reached = true;
    if (point === 'start') {
      await sleep(random.between(0, 250));
      victim.kill();
    } else {
      const addresses = await victim.up;
      const senders = createSenders(addresses!);
      arm(point, victim);
      const late = setTimeout(() => {
        reached = false;
        victim.kill();
      }, LIFE_MS_MAX);
      const load = Array.from({ length: SENDERS }, () => sendUntil(() => victim.dead, senders));
      const disturbed = disturb(victim);
      await victim.ended;
      clearTimeout(late);
      await Promise.all([...load, disturbed]);
      senders.stop();
    }
    await victim.ended;
    await heal();
    if (random.chance(0.3)) await tearTail().catch(() => {}); // killed before it had a journal
    const where = reached ? point : 'any';
    report.kills[where] = (report.kills[where] ?? 0) + 1;
  }

  function arm(point: KillPoint, victim: Victim): void {
    const kill = () => victim.kill();
    if (point === 'any') setTimeout(kill, random.between(1, 300));
    else if (point === 'copy') postgres!.cutAfterSent(random.between(1, 30_000), { from: 'COPY block ', act: kill });
    else if (point === 'commit') postgres!.cutAnswerTo('COMMIT\0', kill);
    else victim.killAt(point as JournalPoint, random.between(1, POINT_TIMES_MAX[point as JournalPoint]));
  }

  async function check(): Promise<void> {
    const victim = await victims.start(flags);
    const addresses = (await victim.up)!;
    await drained(addresses);
    const events = await allPages(`${addresses.http}/api/debug/events`, {});
    const stored = new Set<number>();
    for (const { message } of events) {
      const number = numberOf(message);
      if (stored.has(number)) violated(`answered twice: ${message}`);
      if (number < 0 || number >= next) violated(`stored, never sent: ${message}`);
      stored.add(number);
    }
    for (const number of acknowledged) {
      if (!stored.has(number)) violated(`acknowledged, not stored: ${messageOf(number)}`);
    }
    const counted = await count(addresses);
    if (counted !== stored.size) violated(`${stored.size} records are stored, ${counted} are counted`);
    const code = await victim.stop();
    if (code !== 0) violated(`ended with ${code} when asked to stop`);
    Object.assign(report.records, { sent: next, acknowledged: acknowledged.size, stored: stored.size });
    report.checks++;
  }

  function violated(what: string): void {
    if (report.violations.length < 20) report.violations.push(what);
  }

  async function drained({ http }: Addresses): Promise<void> {
    const endMs = performance.now() + DRAIN_MS_MAX;
    for (;;) {
      const metrics = await (await fetch(`${http}/metrics`)).text();
      if (/^ai_debug_journal_bytes 0$/m.test(metrics)) return;
      if (performance.now() > endMs) {
        return violated(`not drained after a minute: ${/^ai_debug_journal_bytes .*$/m.exec(metrics)?.[0]}`);
      }
      await sleep(50);
    }
  }

  /** As health and throughput count: from minutes, not from blocks. */
  async function count({ http }: Addresses): Promise<number> {
    const iso = (nanos: bigint) => new Date(Number(nanos / 1_000_000n)).toISOString();
    const range = new URLSearchParams({ start: iso(since), end: iso(since + 1440n * MINUTE_NANOS) });
    const response = await fetch(`${http}/api/debug/analytics/throughput?${range}`);
    return ((await response.json()) as { data: { total_events: number } }).data.total_events;
  }

  return {
    report,
    live,
    check,
    async stop() {
      await victims.stop();
      await postgres?.stop();
      await redis?.stop();
      await database?.drop();
      await rm(folder, { recursive: true, force: true });
    },
  };
}

/** So often a point may be passed within a life: group commits come by the hundred, files end a few times. */
const POINT_TIMES_MAX: Record<JournalPoint, number> = {
  write: 20,
  fsync: 20,
  ack: 20,
  rotate: 4,
  begin: 4,
  checkpoint: 6,
  unlink: 4,
  unlinked: 4,
};

/** RLIMIT_FSIZE of a running process: what would make a file longer is refused, in part or whole, as a full disk would. */
async function limitFiles(pid: number, bytes: number | 'unlimited'): Promise<void> {
  await promisify(execFile)('prlimit', [`--pid=${pid}`, `--fsize=${bytes}:`]).catch(() => {}); // it has ended
}
