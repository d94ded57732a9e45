/** What a payload can do to a receiver, by the numbers of FAULTS.md. F18 is test/fuzz, F20 poison.test.ts. */
import { type ChildProcess, spawn } from 'node:child_process';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { constants, gzipSync, zstdCompressSync } from 'node:zlib';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { ATTRIBUTES_MAX, SPAN_PARTS_MAX } from '../../otlp/read.ts';
import { DEPTH_MAX } from '../../otlp/wire.ts';
import { STORES, startWholeSystem, type WholeSystem } from '../support/whole-system.ts';

describe('F17 bombs', () => {
  const limitBytes = 64 << 20;
  const allowedBytes = limitBytes + (100 << 20);
  let child: ChildProcess;
  let lines: AsyncIterator<string>;
  let http: string;
  let restBytes: number;

  beforeAll(async () => {
    child = spawn(process.execPath, [join(import.meta.dirname, 'bomb-receiver.ts')], {
      stdio: ['pipe', 'pipe', 'inherit'],
    });
    lines = createInterface({ input: child.stdout! })[Symbol.asyncIterator]();
    const started = JSON.parse((await lines.next()).value) as { http: string; peakBytes: number };
    http = started.http;
    restBytes = started.peakBytes;
  });
  afterAll(async () => {
    child.stdin!.end();
    if (child.exitCode === null) await new Promise((resolve) => child.once('exit', resolve));
  });

  const zeros = Buffer.alloc(1 << 28);
  const bombs: [name: string, type: string, encoding: string, bomb: () => Uint8Array, status: number][] = [
    ['256 MB in 260 kB of gzip', 'x-protobuf', 'gzip', () => gzipSync(zeros), 413],
    ['256 MB in 10 kB of zstd', 'x-protobuf', 'zstd', () => zstdCompressSync(zeros), 413],
    ['gzip in gzip', 'x-protobuf', 'gzip, gzip', () => gzipSync(gzipSync(zeros)), 400],
    ['gzip in gzip, said to be one', 'x-protobuf', 'gzip', () => gzipSync(gzipSync(zeros)), 400],
    [
      'zstd with a window of 2 GB',
      'x-protobuf',
      'zstd',
      () => zstdCompressSync(zeros.subarray(0, 1 << 26), { params: { [constants.ZSTD_c_windowLog]: 31 } }),
      400,
    ],
    ['JSON of nothing but blanks', 'json', 'gzip', () => gzipSync(Buffer.alloc(limitBytes + 1, ' ')), 413],
    // JSON.parse would make 1.2 GB of objects of it.
    [
      'JSON of twenty million empty objects',
      'json',
      'gzip',
      () => gzipSync(`{"x":[{}${',{}'.repeat(20_000_000)}]}`),
      200,
    ],
  ];
  test.each(bombs)('F17 %s', async (_name, type, encoding, bomb, status) => {
    const headers = { 'content-type': `application/${type}`, 'content-encoding': encoding };
    const response = await fetch(`${http}/v1/logs`, { method: 'POST', headers, body: Buffer.from(bomb()) });
    expect([response.status, status === 200 ? '' : await response.text()]).toEqual([status, expect.any(String)]);
    child.stdin!.write('peak\n');
    const { peakBytes } = JSON.parse((await lines.next()).value) as { peakBytes: number };
    expect(peakBytes - restBytes).toBeLessThan(allowedBytes);
  });
});

describe.each(STORES)('on %s', (store) => {
  let system: WholeSystem;
  beforeAll(async () => {
    system = await startWholeSystem(store);
  });
  afterAll(() => system?.stop());

  test('F13 clocks that are absurd are kept as sent, and make no partitions of their own', async () => {
    const now = BigInt(Date.now()) * 1_000_000n;
    const day = 86_400_000_000_000n;
    const times: [name: string, nanos: bigint][] = [
      ['now', now],
      ['a day behind', now - day],
      ['a day ahead', now + day],
      ['zero', 0n],
      ['1970', 1n],
      ['2554', 2n ** 64n - 1n],
      ...Array.from({ length: 300 }, (_, i) => [`day ${i}`, BigInt(i + 1) * 40n * day] as [string, bigint]),
    ];
    const logRecords = times.map(([name, nanos]) =>
      log({ body: name, nanos, attributes: [attribute('clock', 'absurd')] }),
    );
    expect(await system.send('log', { resourceLogs: [{ scopeLogs: [{ logRecords }] }] })).toMatchObject({
      status: 200,
    });
    const events = await system.events({ 'attr.clock': 'absurd' });
    expect(events).toHaveLength(times.length);
    const at = Object.fromEntries(events.map(({ message, timestamp }) => [message, timestamp]));
    expect(at['2554']).toBe('2554-07-21T23:34:33.709551615Z');
    expect(at['1970']).toBe('1970-01-01T00:00:00.000000001Z');
    // The two days of its own that are retained, and the day it arrived.
    expect(await system.days()).toHaveLength(2);

    const span = {
      traceId: '1'.repeat(32),
      spanId: '1'.repeat(16),
      name: 'backwards',
      startTimeUnixNano: String(now),
      endTimeUnixNano: String(now - day),
    };
    expect(await system.send('span', { resourceSpans: [{ scopeSpans: [{ spans: [span] }] }] })).toMatchObject({
      status: 200,
    });
    expect((await system.events({ trace_id: '1'.repeat(32) }))[0]).toMatchObject({
      duration_ms: 0,
      message: 'backwards',
    });
  });

  test('F19 values nested too deep cost their record, as JSON and as protobuf, and what nests without end is refused', async () => {
    const logRecords = [DEPTH_MAX, DEPTH_MAX + 1, 10_000].map((depth) => ({
      ...log({ body: '', attributes: [attribute('depth', `${store}`)] }),
      body: nested(depth),
    }));
    const text = withoutRecursion(
      {
        resourceLogs: [
          { scopeLogs: [{ logRecords: [log({ body: 'flat', attributes: [attribute('depth', `${store}`)] }), '@'] }] },
        ],
      },
      logRecords,
    );
    const answer = await system.send('log', text);
    expect([answer.status, JSON.parse(answer.body.toString())]).toEqual([
      200,
      {
        partialSuccess: { rejectedLogRecords: '2', errorMessage: expect.stringContaining(`deeper than ${DEPTH_MAX}`) },
      },
    ]);
    const messages = (await system.events({ 'attr.depth': store })).map(({ message }) => message);
    expect(messages).toHaveLength(2);
    expect(messages).toContain('flat');
    for (const endless of ['['.repeat(1e6), '{"a":'.repeat(1e6), `{"x":${'['.repeat(1e6)}${']'.repeat(1e6)}}`]) {
      expect(await system.send('log', endless)).toMatchObject({ status: 400 });
    }
  });

  test('F21 more attributes, events and links than anybody reads: the first are answered, and how many are not', async () => {
    // The store only keeps them: one of the two is shown all of it.
    const length = store === 'embedded' ? 100_000 : 10_000;
    const attributes = Array.from({ length }, (_, i) => attribute(`key.${i}`, 'v'));
    const traceId = '2'.repeat(32);
    const part = (name: string) => ({ name, timeUnixNano: '1' });
    const spans = [
      {
        traceId,
        spanId: '1'.repeat(16),
        name: 'attributes',
        startTimeUnixNano: '1',
        attributes,
        droppedAttributesCount: 5,
      },
      {
        traceId,
        spanId: '2'.repeat(16),
        name: 'parts',
        startTimeUnixNano: '2',
        droppedLinksCount: 7,
        events: Array.from({ length }, () => part('e')),
        links: Array.from({ length }, () => ({ traceId, spanId: '1'.repeat(16) })),
      },
      {
        traceId,
        spanId: '3'.repeat(16),
        name: 'duplicates',
        startTimeUnixNano: '3',
        attributes: [attribute('k', 'first'), attribute('k', 'last')],
      },
    ];
    expect(
      await system.send('span', { resourceSpans: [{ resource: { attributes }, scopeSpans: [{ spans }] }] }),
    ).toMatchObject({ status: 200 });
    const found = Object.fromEntries(
      (await system.events({ trace_id: traceId })).map((event) => [event.message, event]),
    );
    expect(Object.keys(found.attributes!.data)).toHaveLength(ATTRIBUTES_MAX);
    expect(found.attributes!.dropped_attributes_count).toBe(length - ATTRIBUTES_MAX + 5);
    expect(found.attributes!.resource.dropped_attributes_count).toBe(length - ATTRIBUTES_MAX);
    expect(found.parts!.span!.events).toHaveLength(SPAN_PARTS_MAX);
    expect(found.parts!.span!.dropped_events_count).toBe(length - SPAN_PARTS_MAX);
    expect(found.parts!.span!.dropped_links_count).toBe(length - SPAN_PARTS_MAX + 7);
    expect(found.duplicates!.data).toEqual({ k: 'last' });
  });

  test('F23 numbers at their edges come back as they were sent, as numbers where JSON can hold them and as text where not', async () => {
    const values = {
      int_max: ['{"intValue":"9223372036854775807"}', '9223372036854775807'],
      int_min: ['{"intValue":-9223372036854775808}', '-9223372036854775808'],
      int_bare: ['{"intValue":9007199254740993}', '9007199254740993'],
      int_safe: ['{"intValue":"9007199254740991"}', 9007199254740991],
      double_max: ['{"doubleValue":1e308}', 1e308],
      double_min: ['{"doubleValue":5e-324}', 5e-324],
      nan: ['{"doubleValue":"NaN"}', 'NaN'],
      infinity: ['{"doubleValue":"Infinity"}', 'Infinity'],
      minus_infinity: ['{"doubleValue":"-Infinity"}', '-Infinity'],
      minus_zero: ['{"doubleValue":-0.0}', 0],
    } as const;
    const attributes = Object.entries(values).map(([key, [value]]) => `{"key":"${key}","value":${value}}`);
    const point = `{"timeUnixNano":"1","count":"18446744073709551615","sum":"-Infinity","bucketCounts":["18446744073709551615",1],"explicitBounds":[1e308],"attributes":[${attributes}]}`;
    const metric = `{"resourceMetrics":[{"scopeMetrics":[{"metrics":[{"name":"edges","histogram":{"aggregationTemporality":2,"dataPoints":[${point}]}}]}]}]}`;
    const state = `{"resourceLogs":[{"scopeLogs":[{"logRecords":[{"timeUnixNano":"1","eventName":"debug.state.snapshot","body":{"kvlistValue":{"values":[${attributes}]}},"attributes":[${attributes},{"key":"operation_id","value":{"stringValue":"edges"}}]}]}]}]}`;
    expect(await system.send('metric', metric)).toMatchObject({ status: 200 });
    expect(await system.send('log', state)).toMatchObject({ status: 200 });
    const read = Object.fromEntries(Object.entries(values).map(([key, [, value]]) => [key, value]));
    const [edges] = await system.events({ event_type: 'metric' });
    expect(edges!.data).toEqual(read);
    expect(edges!.metric).toMatchObject({
      count: '18446744073709551615',
      sum: '-Infinity',
      bucket_counts: ['18446744073709551615', 1],
      explicit_bounds: [1e308],
    });
    const [snapshot] = await system.events({ operation_id: 'edges' });
    expect(snapshot!.data).toEqual({ ...read, operation_id: 'edges' });
    expect(snapshot!.log!.body).toEqual(read);
    const answer = await fetch(`${system.http}/api/debug/state/service/unknown_service?operation_id=edges`);
    expect(((await answer.json()) as { data: { state_data: object } }).data.state_data).toEqual(read);
  });
});

function log(said: { body: string; nanos?: bigint; attributes?: object[] }) {
  const { body, nanos = BigInt(Date.now()) * 1_000_000n, attributes = [] } = said;
  return { timeUnixNano: String(nanos), body: { stringValue: body }, attributes };
}

function attribute(key: string, value: string) {
  return { key, value: { stringValue: value } };
}

/** JSON text of a value: JSON.stringify recurses. */
function nested(depth: number): string {
  return '{"arrayValue":{"values":['.repeat(depth) + ']}}'.repeat(depth);
}

/** The request with the records in the place of `"@"`, their bodies being text already. */
function withoutRecursion(request: object, records: readonly { body: string | object }[]): string {
  const texts = records.map((record) => JSON.stringify({ ...record, body: '@' }).replace('"@"', record.body as string));
  return JSON.stringify(request).replace('"@"', texts.join(','));
}
