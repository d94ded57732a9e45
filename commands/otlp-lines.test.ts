import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { gzipSync, zstdCompressSync } from 'node:zlib';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { describe as describeBody, NewestTime, readLines, shiftTimes, timesOf } from './otlp-lines.ts';

let folder: string;
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'ai-debug-lines-'));
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));

describe('reading', () => {
  const text = '{"a":"ä"}\n\n  {"b":1}\r\n{"last":"no line end"}';

  it.each([
    ['plain', Buffer.from(text)],
    ['gzip', gzipSync(text)],
    ['zstd', zstdCompressSync(text)],
    [
      'two gzip members in one file',
      Buffer.concat([gzipSync('{"a":"ä"}\n\n  {"b"'), gzipSync(':1}\r\n{"last":"no line end"}')]),
    ],
  ])('gives the lines that are not empty, with their numbers: %s', async (name, bytes) => {
    const path = join(folder, name);
    writeFileSync(path, bytes);
    const lines = await Array.fromAsync(readLines(path));
    expect(lines.map(({ number, text }) => [number, text])).toEqual([
      [1, '{"a":"ä"}'],
      [3, '{"b":1}'],
      [4, '{"last":"no line end"}'],
    ]);
    expect(lines.at(-1)!.fileBytes).toBe(bytes.length);
  });

  it('joins a line that is much longer than what one read brings', async () => {
    const path = join(folder, 'long');
    const long = 'x'.repeat(3_000_000);
    writeFileSync(path, `${long}\n${long}\n`);
    expect((await Array.fromAsync(readLines(path))).map((line) => line.text.length)).toEqual([3_000_000, 3_000_000]);
  });

  it('says which file and line a broken archive breaks in', async () => {
    const path = join(folder, 'cut.gz');
    writeFileSync(path, gzipSync('{"a":1}\n'.repeat(1000)).subarray(0, -12));
    await expect(Array.fromAsync(readLines(path))).rejects.toThrow(/cut\.gz, line \d+: unexpected end of file/);
  });

  it('lets go of the file when the reader leaves early', async () => {
    const path = join(folder, 'left');
    writeFileSync(path, 'line\n'.repeat(100_000));
    for await (const line of readLines(path)) {
      expect(line.number).toBe(1);
      break;
    }
  });
});

describe('what a body holds', () => {
  it.each([
    ['log', 3, { resourceLogs: [{ scopeLogs: [{ logRecords: [{}, {}] }, { logRecords: [{}] }] }, {}] }],
    ['span', 1, { resourceSpans: [{ scopeSpans: [{ spans: [{}] }] }] }],
    [
      'metric',
      3,
      {
        resourceMetrics: [
          { scopeMetrics: [{ metrics: [{ sum: { dataPoints: [{}, {}] } }, { gauge: { dataPoints: [{}] } }] }] },
        ],
      },
    ],
    ['log', 0, { resourceLogs: [] }],
  ])('%s with %i records', (signal, records, body) => {
    expect(describeBody(JSON.stringify(body))).toEqual({ signal, records });
  });

  it.each(['', '{', '[]', 'null', '1', '{}', '{"resourceLogs":{}}'])('refuses %j', (text) => {
    expect(() => describeBody(text)).toThrow();
  });
});

describe('shifting', () => {
  it('moves every time field and leaves every other byte as it was', () => {
    const body =
      '{"resourceSpans":[{"scopeSpans":[{"spans":[{"startTimeUnixNano":"1700000000000000001", "endTimeUnixNano" : 1700000000000000009,' +
      '"events":[{"timeUnixNano":"1700000000000000005"}],"attributes":[{"key":"n","value":{"intValue":9223372036854775807}},' +
      '{"key":"timeUnixNano","value":{"stringValue":"{\\"timeUnixNano\\":\\"1\\",\\"endTimeUnixNano\\":2}"}}]}]}]}]}';
    const shifted = shiftTimes(body, 1_000_000_000n);
    expect(shifted).toBe(
      body
        .replace('"1700000000000000001"', '"1700000001000000001"')
        .replace('1700000000000000009', '1700000001000000009')
        .replace('"1700000000000000005"', '"1700000001000000005"'),
    );
    expect([...timesOf(body)]).toEqual([1700000000000000001n, 1700000000000000009n, 1700000000000000005n]);
  });

  it('keeps a time that is not set, and stays within uint64', () => {
    expect(shiftTimes('{"timeUnixNano":"0","observedTimeUnixNano":"18446744073709551615"}', 5n)).toBe(
      '{"timeUnixNano":"0","observedTimeUnixNano":"18446744073709551615"}',
    );
    expect(shiftTimes('{"timeUnixNano":"3"}', -5n)).toBe('{"timeUnixNano":"1"}');
  });
});

describe('the newest time', () => {
  const now = 1_700_000_000_000_000_000n;
  const newestOf = (times: bigint[]) => {
    const newest = new NewestTime(now);
    for (const time of times) newest.add(time);
    return newest.get();
  };
  const minute = 60_000_000_000n;

  it('is the largest of a few', () => {
    expect(newestOf([now - 5n, now - 2n * minute, now - 100n * minute])).toBe(now - 5n);
  });

  it('is none of a clock that was never set or runs in another century', () => {
    expect(newestOf([1n, 1_000_000_000n, now - minute, 2n ** 64n - 1n, now + 48n * 60n * minute])).toBe(now - minute);
    expect(newestOf([1n, 2n ** 63n])).toBeNull();
  });

  it('is none of a single clock that is months ahead of all the others', () => {
    const capture = Array.from({ length: 2000 }, (_, i) => now - 1_000_000n * minute + BigInt(i));
    expect(newestOf([...capture, now - 10n * minute])).toBe(capture.at(-1));
  });

  it('may be the only one of its hour when the hour before is full', () => {
    const hour = 60n * minute;
    const boundary = now - (now % hour);
    const capture = Array.from({ length: 2000 }, (_, i) => boundary - BigInt(i) - 1n);
    expect(newestOf([...capture, boundary + 1n])).toBe(boundary + 1n);
  });
});
