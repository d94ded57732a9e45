import { stat } from 'node:fs/promises';
import { setTimeout as sleep } from 'node:timers/promises';
import { parseArgs } from 'node:util';
import { SingleBar } from 'cli-progress';
import type { Signal } from '../model/block.ts';
import { NANOS_PER_MS, parseNanos } from '../model/time.ts';
import { type CommandContext, EXIT, numberOption, UsageError, urlOption } from './command.ts';
import { deliver } from './delivery.ts';
import { describe, NewestTime, readLines, shiftTimes, timesOf } from './otlp-lines.ts';

export const REPLAY_HELP = `ai-debug replay FILES… sends recorded telemetry to an OTLP endpoint.

FILES hold one OTLP/JSON export body a line (logs, traces or metrics), plain, gzip or zstd, as the OpenTelemetry
collector's file exporter writes them. They are sent in the order given.

  --endpoint URL       OTLP/HTTP (default http://127.0.0.1:4318)
  --shift-to TIME      move all times so that the newest record lands at TIME, 'now' or RFC 3339; order and distances
                       stay. Times before 2000, after tomorrow, or with less than a thousandth of all within an hour
                       of them are broken clocks: they move along, but do not count as the newest.
  --rate N             at most N records a second (lines are sent whole)
  --concurrency N      requests in flight (default 4)
  --header 'K: V'      sent with each request, repeatable
  --json               print the summary as JSON

Exit code 0: all taken. 1: something was unreadable or refused. 2: usage. 3: the endpoint cannot be reached.
`;

/** Two passes when times are shifted, for the newest record may be in the last line of the last file. */
export async function replay(context: CommandContext, args: string[]): Promise<number> {
  const options = parseOptions(args);
  if (options.help) {
    context.stdout.write(REPLAY_HELP);
    return EXIT.ok;
  }
  const totalBytes = await sizeOf(options.files);
  const progress = new Progress(context, options.json, totalBytes);
  try {
    const newest = options.shiftTo === null ? null : await findNewest(context, options.files, progress);
    const target = options.shiftTo === 'now' ? context.clock.nowNanos() : options.shiftTo;
    const shiftNanos = target === null || newest === null ? 0n : target - newest;
    const tally = await send(context, options, shiftNanos, progress);
    progress.stop();
    report(context, options, tally, shiftNanos);
    return tally.rejected + tally.unreadableLines > 0 || context.signal.aborted ? EXIT.trouble : EXIT.ok;
  } finally {
    progress.stop();
  }
}

interface ReplayOptions {
  files: string[];
  shiftTo: 'now' | bigint | null;
  ratePerSecond: number;
  endpoint: string;
  concurrency: number;
  headers: Record<string, string>;
  json: boolean;
  help: boolean;
}

interface Tally {
  files: number;
  requests: number;
  records: Record<Signal, number>;
  rejected: number;
  unreadableLines: number;
  retries: number;
  durationMs: number;
  /** The first few, in the words of the endpoint or the parser. */
  complaints: string[];
}

/** Reads ahead no further than what is in flight, so that a slow endpoint holds back the reading. */
async function send(
  { signal }: CommandContext,
  options: ReplayOptions,
  shiftNanos: bigint,
  progress: Progress,
): Promise<Tally> {
  const startedMs = performance.now();
  const tally: Tally = {
    files: options.files.length,
    requests: 0,
    records: { log: 0, span: 0, metric: 0 },
    rejected: 0,
    unreadableLines: 0,
    retries: 0,
    durationMs: 0,
    complaints: [],
  };
  const complain = (text: string) => tally.complaints.length < COMPLAINTS_MAX && tally.complaints.push(text);
  const failure = new AbortController();
  const abort = AbortSignal.any([signal, failure.signal]);
  const inFlight = new Set<Promise<void>>();
  let read = 0;

  progress.begin('sending');
  for await (const { file, line, bytes } of linesOf(options.files)) {
    if (abort.aborted) break;
    const request = tryDescribe(line.text);
    if (typeof request === 'string') {
      tally.unreadableLines++;
      complain(`${file}:${line.number}: ${request}`);
      continue;
    }
    const dueMs = startedMs + (read / options.ratePerSecond) * 1000;
    read += request.records;
    if (dueMs > performance.now()) await sleep(dueMs - performance.now(), undefined, { signal: abort }).catch(() => {});
    if (inFlight.size >= options.concurrency) await Promise.race(inFlight);
    if (abort.aborted) break;

    const delivery = deliver(request.signal, shiftTimes(line.text, shiftNanos), request.records, {
      endpoint: options.endpoint,
      headers: options.headers,
      signal: abort,
      retryForMs: tally.requests > 0 ? RETRY_FOR_MS : FIRST_CONTACT_MS,
    })
      .then(({ rejected, reason, retries }) => {
        tally.requests++;
        tally.records[request.signal] += request.records - rejected;
        tally.rejected += rejected;
        tally.retries += retries;
        if (rejected > 0) complain(`${file}:${line.number}: ${rejected} of ${request.records} refused: ${reason}`);
        progress.update(bytes, tally.records.log + tally.records.span + tally.records.metric);
      })
      .catch((error) => failure.abort(error))
      .finally(() => inFlight.delete(delivery));
    inFlight.add(delivery);
  }
  await Promise.all(inFlight);
  if (failure.signal.aborted && !signal.aborted) throw failure.signal.reason;
  tally.durationMs = Math.round(performance.now() - startedMs);
  return tally;
}

const ENDPOINT = 'http://127.0.0.1:4318';
const CONCURRENCY = 4;
/** An endpoint that has never answered is a wrong address; one that has is given time to restart. */
const FIRST_CONTACT_MS = 3_000;
const RETRY_FOR_MS = 120_000;
const COMPLAINTS_MAX = 10;

async function findNewest(
  { signal, clock }: CommandContext,
  files: string[],
  progress: Progress,
): Promise<bigint | null> {
  const newest = new NewestTime(clock.nowNanos());
  progress.begin('reading');
  for await (const { line, bytes } of linesOf(files)) {
    signal.throwIfAborted();
    for (const time of timesOf(line.text)) newest.add(time);
    progress.update(bytes, 0);
  }
  return newest.get();
}

async function* linesOf(files: string[]) {
  let before = 0;
  for (const file of files) {
    let fileBytes = 0;
    for await (const line of readLines(file)) {
      fileBytes = line.fileBytes;
      yield { file, line, bytes: before + fileBytes };
    }
    before += fileBytes;
  }
}

function tryDescribe(text: string): ReturnType<typeof describe> | string {
  try {
    return describe(text);
  } catch (error) {
    return (error as Error).message;
  }
}

async function sizeOf(files: string[]): Promise<number> {
  let bytes = 0;
  for (const file of files) {
    const found = await stat(file).catch(() => null);
    if (found === null || found.isDirectory()) throw new UsageError(`${file} is not a file that can be read`);
    bytes += found.size;
  }
  return bytes;
}

function report({ stdout }: CommandContext, options: ReplayOptions, tally: Tally, shiftNanos: bigint): void {
  const { log, span, metric } = tally.records;
  if (options.json) {
    const summary = {
      files: tally.files,
      requests: tally.requests,
      records: { logs: log, spans: span, metric_points: metric },
      rejected: tally.rejected,
      unreadable_lines: tally.unreadableLines,
      retries: tally.retries,
      duration_ms: tally.durationMs,
      shifted_by_nanos: String(shiftNanos),
      complaints: tally.complaints,
    };
    stdout.write(`${JSON.stringify(summary)}\n`);
    return;
  }
  const kinds = [
    [span, 'spans'],
    [log, 'logs'],
    [metric, 'metric points'],
  ] as const;
  const listed = kinds.filter(([count]) => count > 0).map(([count, kind]) => `${count.toLocaleString('en')} ${kind}`);
  const seconds = (tally.durationMs / 1000).toFixed(1);
  stdout.write(`sent ${listed.join(', ') || 'nothing'} in ${tally.requests} requests, ${seconds} s\n`);
  if (shiftNanos !== 0n) stdout.write(`times moved by ${formatShift(shiftNanos)}\n`);
  if (tally.retries > 0) stdout.write(`${tally.retries} retries\n`);
  if (tally.rejected > 0) stdout.write(`${tally.rejected} records refused\n`);
  if (tally.unreadableLines > 0) stdout.write(`${tally.unreadableLines} lines unreadable\n`);
  for (const complaint of tally.complaints) stdout.write(`  ${complaint}\n`);
}

function formatShift(nanos: bigint): string {
  const seconds = Number(nanos / NANOS_PER_MS) / 1000;
  return Math.abs(seconds) < 86_400 ? `${seconds} s` : `${(seconds / 86_400).toFixed(2)} days`;
}

function parseOptions(args: string[]): ReplayOptions {
  const { values, positionals } = parseArgs({
    args,
    allowPositionals: true,
    options: {
      endpoint: { type: 'string', default: ENDPOINT },
      'shift-to': { type: 'string' },
      rate: { type: 'string' },
      concurrency: { type: 'string', default: String(CONCURRENCY) },
      header: { type: 'string', multiple: true, default: [] },
      json: { type: 'boolean', default: false },
      help: { type: 'boolean', short: 'h', default: false },
    },
  });
  if (positionals.length === 0 && !values.help) throw new UsageError('which files?');
  return {
    files: positionals,
    shiftTo: parseShift(values['shift-to']),
    ratePerSecond: numberOption('rate', values.rate, 0.001) ?? Number.POSITIVE_INFINITY,
    endpoint: urlOption('endpoint', values.endpoint),
    concurrency: Math.floor(numberOption('concurrency', values.concurrency, 1)!),
    headers: Object.fromEntries(values.header.map(parseHeader)),
    json: values.json,
    help: values.help,
  };
}

function parseShift(text: string | undefined): 'now' | bigint | null {
  if (text === undefined) return null;
  if (text === 'now') return 'now';
  const time = parseNanos(text);
  if (time === null) throw new UsageError(`--shift-to takes 'now' or an RFC 3339 time, not '${text}'`);
  return time;
}

function parseHeader(text: string): [string, string] {
  const colon = text.indexOf(':');
  if (colon < 1) throw new UsageError(`--header takes 'Name: value', not '${text}'`);
  return [text.slice(0, colon).trim(), text.slice(colon + 1).trim()];
}

/** A bar on a terminal, nothing elsewhere. It counts bytes of the files, for nobody knows how many records are to come. */
class Progress {
  readonly #bar: SingleBar | null;
  readonly #totalBytes: number;

  constructor({ stderr }: CommandContext, json: boolean, totalBytes: number) {
    this.#totalBytes = totalBytes;
    const format = '{phase} [{bar}] {percentage}% | {records} records | {eta_formatted} left';
    const stream = stderr as NodeJS.WriteStream;
    this.#bar =
      stderr.isTTY && !json ? new SingleBar({ stream, format, hideCursor: true, clearOnComplete: true }) : null;
  }

  begin(phase: string): void {
    this.#bar?.stop();
    this.#bar?.start(this.#totalBytes, 0, { phase, records: 0 });
  }

  update(bytes: number, records: number): void {
    this.#bar?.update(bytes, { records });
  }

  stop(): void {
    this.#bar?.stop();
  }
}
