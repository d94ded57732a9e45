import { existsSync } from 'node:fs';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { gzipSync, zstdCompressSync } from 'node:zlib';
import { afterAll, beforeAll, beforeEach, describe, expect, it, type TestContext } from 'vitest';
import { readLines } from '../../commands/otlp-lines.ts';
import type { DebugEvent } from '../../model/event.ts';
import { parseNanos } from '../../model/time.ts';
import { runProgram, type System, startSystem } from '../support/system.ts';

let folder: string;
let system: System;

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'ai-debug-replay-'));
});
afterAll(() => rm(folder, { recursive: true, force: true }));

beforeEach(async () => {
  // What is compared is what was sent, secrets and all.
  system = await startSystem('--no-redact-enabled');
  return () => system.stop();
});

describe('a capture of all three signals', () => {
  const captured = 1_600_000_000_000_000_000n;
  const second = 1_000_000_000n;
  const logs = Array.from({ length: 300 }, (_, i) => ({
    timeUnixNano: String(captured + BigInt(i) * second),
    severityNumber: 9,
    body: { stringValue: `line ${i}` },
  }));
  const spans = Array.from({ length: 200 }, (_, i) => ({
    traceId: (i + 1).toString(16).padStart(32, '0'),
    spanId: (i + 1).toString(16).padStart(16, '0'),
    name: `step ${i % 7}`,
    kind: 2,
    startTimeUnixNano: String(captured + BigInt(i) * second),
    endTimeUnixNano: String(captured + BigInt(i) * second + 5_000_001n),
  }));
  const points = Array.from({ length: 50 }, (_, i) => ({
    timeUnixNano: String(captured + BigInt(i) * second),
    asInt: String(9_007_199_254_740_993n + BigInt(i)),
  }));
  // Clocks that were never set, or run in another century: they must not decide where the capture lands.
  const broken = [
    { timeUnixNano: '1000000000', body: { stringValue: 'a clock of 1970' } },
    { timeUnixNano: '7000000000000000000', body: { stringValue: 'a clock of 2191' } },
  ];
  const resource = { attributes: [{ key: 'service.name', value: { stringValue: 'shop' } }] };
  const logLine = (logRecords: unknown[]) =>
    JSON.stringify({ resourceLogs: [{ resource, scopeLogs: [{ logRecords }] }] });
  const spanLine = (some: unknown[]) =>
    JSON.stringify({ resourceSpans: [{ resource, scopeSpans: [{ spans: some }] }] });
  const metricLine = (dataPoints: unknown[]) =>
    JSON.stringify({
      resourceMetrics: [{ resource, scopeMetrics: [{ metrics: [{ name: 'stock', gauge: { dataPoints } }] }] }],
    });

  let files: string[];
  beforeAll(async () => {
    const contents: [string, string | Buffer][] = [
      ['logs.jsonl', `${logLine(logs.slice(0, 200))}\n${logLine(logs.slice(200))}\n${logLine(broken)}\n`],
      // The second half comes again in the second line, as where two captures overlap.
      ['traces.jsonl.gz', gzipSync(`${spanLine(spans)}\n${spanLine(spans.slice(100))}\n`)],
      ['metrics.jsonl.zst', zstdCompressSync(`${metricLine(points)}\n`)],
    ];
    files = contents.map(([name]) => join(folder, name));
    for (const [name, content] of contents) await writeFile(join(folder, name), content);
  });

  it('ends with every record readable once, the newest at the time that was asked for', async () => {
    const target = parseNanos('2026-01-02T03:04:05.000000006Z')!;
    const ran = await replay(...files, '--shift-to', '2026-01-02T03:04:05.000000006Z', '--json');
    // The newest is a log record: 300 seconds of lines against 200 of spans.
    const shift = target - BigInt(logs.at(-1)!.timeUnixNano);
    expect(ran.code).toBe(0);
    expect(JSON.parse(ran.stdout)).toMatchObject({
      files: 3,
      requests: 6,
      records: { logs: 302, spans: 300, metric_points: 50 },
      rejected: 0,
      unreadable_lines: 0,
      shifted_by_nanos: String(shift),
    });

    const found = Map.groupBy(await system.events({}), ({ event_type }) => event_type);
    expect(timesOf(found.get('span'))).toEqual(spans.map((span) => BigInt(span.startTimeUnixNano) + shift));
    expect(timesOf(found.get('log'))).toEqual(
      [1_000_000_000n, ...logs.map((log) => BigInt(log.timeUnixNano)), 7_000_000_000_000_000_000n].map(
        (time) => time + shift,
      ),
    );
    expect(timesOf(found.get('metric'))).toEqual(points.map((point) => BigInt(point.timeUnixNano) + shift));
    expect(found.get('span')!.every(({ duration_ms }) => duration_ms === 5.000001)).toBe(true);
    expect([...found.keys()].sort()).toEqual(['log', 'metric', 'span']);
  });

  it('stays where it is in time without a shift, and is stored once however often it is sent', async () => {
    expect((await replay(...files, '--concurrency', '1')).code).toBe(0);
    expect((await replay(...files)).code).toBe(0);
    const found = await system.events({ component_id: 'shop' });
    expect(found).toHaveLength(302 + 200 + 50);
    expect(timesOf(found.filter(({ event_type }) => event_type === 'span'))[0]).toBe(captured);
  });

  it('sends the readable lines of a damaged file and says which are not', async () => {
    const path = join(folder, 'damaged.jsonl');
    await writeFile(
      path,
      `${logLine(logs.slice(0, 5))}\n{"resourceLogs":[\n\n{"no":"signal"}\n${logLine(logs.slice(5, 7))}`,
    );
    const ran = await replay(path);
    expect(ran.code).toBe(1);
    expect(ran.stdout).toContain('2 lines unreadable');
    expect(ran.stdout).toContain(`${path}:2: `);
    expect(ran.stdout).toContain(`${path}:4: neither resourceLogs nor`);
    expect(await system.events({})).toHaveLength(7);
  });

  // Six starts of the program: 37 s on a machine that had other work too.
  it('says so when nobody answers, and when it is asked wrongly', { timeout: 120_000 }, async () => {
    const nowhere = await runProgram('replay', ...files, '--endpoint', 'http://127.0.0.1:9');
    expect([nowhere.code, nowhere.stdout]).toEqual([3, '']);
    expect(nowhere.stderr).toContain('http://127.0.0.1:9 does not answer');
    for (const wrong of [
      [],
      [join(folder, 'absent')],
      [...files, '--shift-to', 'yesterday'],
      [...files, '--rate', '0'],
      ['-x'],
    ]) {
      expect((await replay(...wrong)).code).toBe(2);
    }
  });
});

describe('a real capture', () => {
  const data = join(import.meta.dirname, '../../../shared/datasets/trainticket-faults');

  it('ends with every distinct record readable, none twice', { timeout: 240_000 }, async (context) => {
    skipWithout(data, context);
    const normal = ['29', '30'].flatMap((day) =>
      ['traces', 'logs'].map((kind) => `normal/2023-01-${day}.${kind}.jsonl.gz`),
    );
    const fault = ['traces', 'logs'].map((kind) => `cases/2023-01-29T102010/fault.${kind}.jsonl.gz`);
    const files = [...normal, ...fault].map((file) => join(data, file));
    const ran = await replay(...files, '--shift-to', 'now', '--json');
    expect(ran).toMatchObject({ code: 0, stderr: '' });
    const shift = BigInt(JSON.parse(ran.stdout).shifted_by_nanos);

    const wanted = new Set<string>();
    for (const file of files)
      for await (const { text } of readLines(file)) for (const key of keysOf(text, shift)) wanted.add(key);
    const found = await system.events({});
    expect(new Set(found.map(({ id }) => id)).size).toBe(found.length);
    expect(symmetricDifference(new Set(found.map(keyOf)), wanted)).toEqual([]);
    expect(found.length).toBeGreaterThan(15_000);
  });
});

function replay(...args: string[]): ReturnType<typeof runProgram> {
  return runProgram('replay', '--endpoint', system.otlpHttp, ...args);
}

/** Ascending. */
function timesOf(events: readonly DebugEvent[] = []): bigint[] {
  return events.map(({ timestamp }) => parseNanos(timestamp)!).sort((a, b) => (a < b ? -1 : 1));
}

/** What makes a record of the wire another one than the next: its time, who said it, and what. */
function keysOf(body: string, shift: bigint): string[] {
  const { resourceLogs = [], resourceSpans = [] } = JSON.parse(body);
  const keys: string[] = [];
  for (const { resource, scopeLogs = [], scopeSpans = [] } of [...resourceLogs, ...resourceSpans]) {
    const attribute = (name: string) =>
      resource.attributes.find(({ key }: { key: string }) => key === name)?.value.stringValue;
    const who = [attribute('service.name'), attribute('k8s.pod.name')];
    for (const { logRecords = [], spans = [] } of [...scopeLogs, ...scopeSpans]) {
      for (const log of logRecords) {
        keys.push(
          [BigInt(log.timeUnixNano) + shift, ...who, log.traceId ?? '', log.spanId ?? '', log.body.stringValue].join(
            '|',
          ),
        );
      }
      for (const span of spans) {
        keys.push([BigInt(span.startTimeUnixNano) + shift, ...who, span.traceId, span.spanId, span.name].join('|'));
      }
    }
  }
  return keys;
}

function keyOf(event: DebugEvent): string {
  const { timestamp, component_id, node_id, trace_id, span_id, message } = event;
  return [parseNanos(timestamp), component_id, node_id, trace_id ?? '', span_id ?? '', message].join('|');
}

function symmetricDifference(a: ReadonlySet<string>, b: ReadonlySet<string>): string[] {
  return [...a.symmetricDifference(b)].slice(0, 10);
}

/** The labelled data is never part of the repository. */
function skipWithout(folder: string, context: TestContext): void {
  if (!existsSync(folder)) context.skip(`there is no ${folder}: the labelled data is not here`);
}
