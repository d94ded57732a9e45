/**
 * Captures: files of OTLP/JSON export bodies, one a line, as the collector's file exporter writes them. Read as a stream, so
 * that memory is bounded by one line.
 */
import { createReadStream } from 'node:fs';
import { open } from 'node:fs/promises';
import { PassThrough, pipeline, type Transform } from 'node:stream';
import { createGunzip, createZstdDecompress } from 'node:zlib';
import type { Signal } from '../model/block.ts';

/** Larger than any exporter sends; a file without line ends is refused instead of read into memory. */
export const LINE_BYTES_MAX = 64 * 1024 * 1024;

export interface Line {
  /** From 1. */
  number: number;
  text: string;
  /** Bytes of the file, as it lies on disk, read so far. */
  fileBytes: number;
}

/**
 * The lines of a file, empty ones left out. gzip and zstd are told by their first bytes, not by the name.
 * @throws Error that names the file, when it cannot be read or a line is longer than LINE_BYTES_MAX
 */
export async function* readLines(path: string): AsyncGenerator<Line> {
  const source = createReadStream(path);
  // Its failures come out of the loop below.
  const chunks = pipeline(source, await decompressor(path), () => {});
  const line = new LineBuffer();
  let number = 0;
  try {
    for await (const chunk of chunks as AsyncIterable<Buffer>) {
      let start = 0;
      for (let end = chunk.indexOf(LINE_END); end !== -1; end = chunk.indexOf(LINE_END, start)) {
        const text = line.take(chunk.subarray(start, end));
        number++;
        if (text !== '') yield { number, text, fileBytes: source.bytesRead };
        start = end + 1;
      }
      line.add(chunk.subarray(start));
    }
  } catch (error) {
    throw new Error(`${path}, line ${number + 1}: ${(error as Error).message}`, { cause: error });
  } finally {
    source.destroy();
  }
  const text = line.take(Buffer.alloc(0));
  if (text !== '') yield { number: number + 1, text, fileBytes: source.bytesRead };
}

export interface Request {
  signal: Signal;
  /** Log records, spans or metric data points. */
  records: number;
}

/** What an export body holds. @throws Error that says why it is none */
export function describe(text: string): Request {
  const body = JSON.parse(text) as Record<string, unknown> | null;
  if (typeof body !== 'object' || body === null) throw new Error('not a JSON object');
  if (Array.isArray(body.resourceLogs)) {
    return { signal: 'log', records: count(body.resourceLogs, 'scopeLogs', 'logRecords') };
  }
  if (Array.isArray(body.resourceSpans)) {
    return { signal: 'span', records: count(body.resourceSpans, 'scopeSpans', 'spans') };
  }
  if (Array.isArray(body.resourceMetrics)) return { signal: 'metric', records: countPoints(body.resourceMetrics) };
  throw new Error('neither resourceLogs nor resourceSpans nor resourceMetrics in it');
}

/** Every time of an export body that was set, in nanoseconds. */
export function* timesOf(text: string): Generator<bigint> {
  for (const match of text.matchAll(TIME_FIELD)) {
    const time = BigInt(match[2]!);
    if (time !== 0n) yield time;
  }
}

/** The body with all its times moved. One that is not set stays so; what would leave uint64 stops at its ends. */
export function shiftTimes(text: string, byNanos: bigint): string {
  return text.replace(TIME_FIELD, (field, before: string, digits: string) => {
    const time = BigInt(digits);
    if (time === 0n) return field;
    const shifted = time + byNanos;
    return before + String(shifted < 1n ? 1n : shifted > UINT64_MAX ? UINT64_MAX : shifted);
  });
}

/**
 * Finds the newest time that can be believed. Clocks break: a record of 1970 or of next century must not decide where a
 * whole capture lands. Believed is what lies between 2000 and a day from now and has company: within the hour around
 * it at least one in a thousand of all times.
 */
export class NewestTime {
  readonly #latest: bigint;
  readonly #hours = new Map<number, { count: number; newest: bigint }>();
  #total = 0;

  constructor(now: bigint) {
    this.#latest = now + 24n * HOUR;
  }

  add(time: bigint): void {
    if (time < YEAR_2000 || time > this.#latest) return;
    this.#total++;
    const hour = Number(time / HOUR);
    const seen = this.#hours.get(hour);
    if (seen === undefined) this.#hours.set(hour, { count: 1, newest: time });
    else {
      seen.count++;
      if (time > seen.newest) seen.newest = time;
    }
  }

  /** Null when there was none to believe. */
  get(): bigint | null {
    const count = (hour: number) => this.#hours.get(hour)?.count ?? 0;
    let newest: bigint | null = null;
    for (const [hour, seen] of this.#hours) {
      const company = count(hour - 1) + seen.count + count(hour + 1);
      if (company * 1000 >= this.#total && (newest === null || seen.newest > newest)) newest = seen.newest;
    }
    return newest;
  }
}

/**
 * The time fields, in the JSON text itself: nothing else of a body may change, and a parsed 64-bit number would. A quote inside
 * a string is escaped, so `{"` and `,"` can only begin a key.
 */
const TIME_FIELD = /([{,]\s*"(?:\w*UnixNano|\w*_unix_nano)"\s*:\s*"?)(\d+)/g;

const UINT64_MAX = 2n ** 64n - 1n;
const HOUR = 3_600_000_000_000n;
const YEAR_2000 = 946_684_800_000_000_000n;
const LINE_END = 0x0a;

async function decompressor(path: string): Promise<Transform> {
  const file = await open(path);
  try {
    const { buffer, bytesRead } = await file.read(Buffer.alloc(4), 0, 4, 0);
    const magic = buffer.subarray(0, bytesRead).toString('hex');
    if (magic.startsWith('1f8b')) return createGunzip();
    return magic === '28b52ffd' ? createZstdDecompress() : new PassThrough();
  } finally {
    await file.close();
  }
}

class LineBuffer {
  #parts: Buffer[] = [];
  #bytes = 0;

  add(part: Buffer): void {
    this.#bytes += part.length;
    if (this.#bytes > LINE_BYTES_MAX) throw new Error(`longer than ${LINE_BYTES_MAX} bytes`);
    this.#parts.push(part);
  }

  take(last: Buffer): string {
    this.add(last);
    const text = Buffer.concat(this.#parts).toString('utf8').trim();
    this.#parts = [];
    this.#bytes = 0;
    return text;
  }
}

type Container = Record<string, unknown>;

function count(resources: unknown[], scopes: string, records: string): number {
  return lists(lists(resources, scopes), records).length;
}

function countPoints(resources: unknown[]): number {
  const metrics = lists(lists(resources, 'scopeMetrics'), 'metrics') as Container[];
  let points = 0;
  for (const metric of metrics) {
    for (const kind of ['gauge', 'sum', 'histogram', 'exponentialHistogram', 'summary']) {
      points += lists([metric[kind]], 'dataPoints').length;
    }
  }
  return points;
}

/** The elements of the lists that the given objects hold under a key. */
function lists(objects: unknown[], key: string): unknown[] {
  return objects.flatMap((object) => (object as Container | null | undefined)?.[key] ?? []);
}
