/** The rules of OTLP about what a request says, by their numbers in the checklist of OTLP.md: read by JSON and by protobuf, up to the event. */
import { BinaryWriter } from '@bufbuild/protobuf/wire';
import { describe, expect, test } from 'vitest';
import { DebugError, ERROR_CODES } from '../../base/errors.ts';
import { compressBlockSync, decodeIndex, decodePayload, type Signal } from '../../model/block.ts';
import { BlockBuilder } from '../../model/block-builder.ts';
import type { DebugEvent } from '../../model/event.ts';
import { jsonToProtobuf, jsonToProtobufInTurns } from '../../otlp/json.ts';
import { DECODE_ERROR_KEY, readBlock } from '../../otlp/read.ts';
import { indexRequest } from '../../otlp/walk.ts';
import { DEPTH_MAX } from '../../otlp/wire.ts';
import { responseJson, responseProtobuf } from '../../receiver/services.ts';
import { failureOf } from '../../receiver/status.ts';

const TRACE = '0af7651916cd43dd8448eb211c80319c';
const SPAN = 'b7ad6b7169203331';

describe('R13 warnings', () => {
  test('R13 a message with nothing rejected is a partial success of none', () => {
    expect(JSON.parse(responseJson('log', { rejected: 0, message: 'clock skew' }))).toEqual({
      partialSuccess: { errorMessage: 'clock skew' },
    });
    expect(responseProtobuf('log', { rejected: 0, message: '' })).toHaveLength(0);
  });
});

describe('R9 answers are bounded', () => {
  test.each(['span', 'log', 'metric'] as const)('R9 %s: whatever was wrong, the message is cut', (signal) => {
    const result = { rejected: 1, message: '😀'.repeat(5 << 20) };
    expect(responseProtobuf(signal, result).length).toBeLessThan(4096);
    expect(responseJson(signal, result).length).toBeLessThan(4096);
    expect(responseJson(signal, result).isWellFormed()).toBe(true);
  });
});

describe('R17 R19 R20 codes', () => {
  // The collector's map of gRPC codes to HTTP, as far as ours go.
  const HTTP: Record<number, number[]> = {
    3: [400],
    5: [404],
    6: [409],
    7: [403],
    8: [429, 413],
    12: [404],
    13: [500],
    14: [503],
    16: [401],
  };
  test.each(ERROR_CODES)(
    'R20 %s has the status that its gRPC code has on HTTP, and is retryable on both or on neither',
    (code) => {
      const { grpcCode, httpStatus, retryAfterSeconds } = failureOf(new DebugError(code, 'x'));
      expect(HTTP[grpcCode]).toContain(httpStatus);
      const retryableOnHttp = [429, 502, 503, 504].includes(httpStatus);
      // R18: RESOURCE_EXHAUSTED is retryable only where a RetryInfo says so.
      const retryableOnGrpc =
        [1, 4, 10, 11, 14, 15].includes(grpcCode) || (grpcCode === 8 && retryAfterSeconds !== undefined);
      expect(retryableOnGrpc).toBe(retryableOnHttp);
      expect(retryAfterSeconds !== undefined).toBe(retryableOnHttp);
    },
  );

  test('R17 a mistake of ours is final, and says nothing of the inside', () => {
    expect(failureOf(new TypeError('secret'))).toMatchObject({
      httpStatus: 500,
      grpcCode: 13,
      message: 'internal error',
    });
  });
});

describe('R23 ids', () => {
  test.each([
    [TRACE, TRACE],
    [TRACE.toUpperCase(), TRACE],
    [`${TRACE.slice(0, 16)}${TRACE.slice(16).toUpperCase()}`, TRACE],
    ['0'.repeat(32), null],
    ['', null],
    [TRACE.slice(1), null],
    [`${TRACE}0`, null],
    [`${TRACE}00`, null],
    ['zz'.repeat(16), null],
    ['CvdlGRbNQ92ESOshHIAxnA==', null], // base64, as protobuf's own JSON would say it
  ])('R23 trace id %s of a log record is %s; a span of it is kept or rejected alone', (sent, read) => {
    const [event] = logs(`{"traceId":"${sent}"}`);
    expect(event!.trace_id).toBe(read);
    const spans = `{"resourceSpans":[{"scopeSpans":[{"spans":[{"traceId":"${sent}","spanId":"${SPAN}"},{"traceId":"${TRACE}","spanId":"${SPAN}","name":"good"}]}]}]}`;
    const index = indexRequest('span', jsonToProtobuf('span', bytes(spans)));
    expect([index.accepted, index.rejected]).toEqual(read === null ? [1, 1] : [2, 0]);
  });

  test('R23 other bytes are base64, in either alphabet', () => {
    expect(attribute('{"bytesValue":"+/8="}')).toBe('+/8=');
    expect(attribute('{"bytesValue":"-_8"}')).toBe('+/8=');
  });
});

describe('R24 R30 enums and flags', () => {
  test('R24 an enum is its number; its name, and numbers nobody knows, are read too', () => {
    expect(logs('{"severityNumber":13}')[0]).toMatchObject({ level: 'WARNING', severity_number: 13 });
    expect(logs('{"severityNumber":"SEVERITY_NUMBER_WARN"}')[0]).toMatchObject({ level: 'WARNING' });
    expect(logs('{"severityNumber":"13"}')[0]).toMatchObject({ level: 'WARNING' });
    expect(logs('{"severityNumber":77}')[0]).toMatchObject({ level: null, severity_number: 77 });
    expect(span('"kind":9')).toMatchObject({ span: { kind: '9' } });
  });

  test('R30 flag bits that nobody has defined are kept as they came', () => {
    expect(span('"flags":4294967295').flags).toBe(4294967295);
    expect(logs('{"flags":4294967041}')[0]!.flags).toBe(4294967041);
    expect(span(`"links":[{"traceId":"${TRACE}","spanId":"${SPAN}","flags":769}]`).span!.links[0]!.flags).toBe(769);
  });

  test('R30 a record without a time has the time that it was observed', () => {
    expect(logs('{"observedTimeUnixNano":"5"}')[0]!.timestamp).toBe('1970-01-01T00:00:00.000000005Z');
    expect(logs('{"timeUnixNano":"7","observedTimeUnixNano":"5"}')[0]!.timestamp).toBe(
      '1970-01-01T00:00:00.000000007Z',
    );
  });
});

describe('R25 R26 R27 R28 lenient JSON', () => {
  test.each([
    [
      'R25 unknown fields, however they nest',
      '{"body":{"stringValue":"a","x":[[{"y":null}]]},"resourceLogs":[1],"z":{"body":{"stringValue":"b"}}}',
    ],
    ['R26 snake_case', '{"body":{"string_value":"a"}}'],
    [
      'R28 null for absent',
      '{"body":{"stringValue":"a","intValue":null},"attributes":null,"traceId":null,"severityNumber":null}',
    ],
    ['R28 a key twice: the last counts', '{"body":{"stringValue":"b"},"body":{"stringValue":"a"}}'],
    ['R28 a key and its snake_case: its own name counts', '{"body":{"stringValue":"a","string_value":"b"}}'],
    ['a key with escapes', '{"b\\u006fdy":{"stringValu\\u0065":"\\u0061"}}'],
    ['white space of every kind', '{\t"body"\r\n:\n{ "stringValue" : "a" }\t}'],
    [
      '__proto__ and constructor',
      '{"__proto__":{"body":{"stringValue":"b"}},"constructor":{},"body":{"stringValue":"a"}}',
    ],
  ])('%s', (_name, record) => expect(logs(record)[0]!.message).toBe('a'));

  test.each([
    ['{"intValue":42}', 42],
    ['{"intValue":"42"}', 42],
    ['{"intValue":1e3}', 1000],
    ['{"intValue":-0}', 0],
    ['{"intValue":9223372036854775807}', '9223372036854775807'],
    ['{"intValue":"-9223372036854775808"}', '-9223372036854775808'],
    ['{"doubleValue":"1e-7"}', 1e-7],
    ['{"doubleValue":1E+2}', 100],
    ['{"doubleValue":"NaN"}', 'NaN'],
    ['{"doubleValue":1e308}', 1e308],
    ['{"doubleValue":1e400}', 'Infinity'],
    ['{"boolValue":false}', false],
    ['{}', null],
    ['{"arrayValue":{}}', []],
    ['{"arrayValue":{"values":[{},{"intValue":1}]}}', [null, 1]],
    [
      '{"kvlistValue":{"values":[{"key":"__proto__","value":{"intValue":1}},{"key":""}]}}',
      JSON.parse('{"__proto__":1,"":null}'),
    ],
    ['{"stringValueStrindex":3}', null], // R29
  ])('R27 R28 R29 value %s', (json, expected) =>
    expect(JSON.stringify(attribute(json))).toBe(JSON.stringify(expected)),
  );

  test.each([
    '{"intValue":9223372036854775808}',
    '{"intValue":1.5}',
    '{"intValue":"1.5"}',
    '{"intValue":""}',
    '{"intValue":" 1"}',
    '{"intValue":true}',
    '{"doubleValue":""}',
    '{"doubleValue":"x"}',
    '{"boolValue":"true"}',
    '{"stringValue":1}',
    '{"arrayValue":[]}',
    '{"arrayValue":{"values":{}}}',
    '{"bytesValue":"%"}',
  ])('R16 value %s is refused', (json) => {
    expect(() => attribute(json)).toThrow(
      expect.objectContaining({ code: 'MALFORMED', message: expect.stringContaining('attributes[0].value.') }),
    );
  });

  test.each([
    '{}x',
    '{},',
    '{"a":01}',
    '{"a":+1}',
    '{"a":.5}',
    '{"a":1.}',
    '{"a":1e}',
    '{"a":-}',
    "{'a':1}",
    '{"a":1,}',
    '{"a"}',
    '{"a":[1,]}',
    '{"a":tru}',
    '{"a":nul}',
    '{"a":"\n"}',
    '{"a":"\\x"}',
    '{"a":"\\u12"}',
    '{"a":"',
    '{/**/}',
    '\u00a0{}',
    '{"a":NaN}',
    '',
  ])('R16 %j is no JSON', (text) =>
    expect(() => jsonToProtobuf('log', bytes(text))).toThrow(
      expect.objectContaining({ code: 'MALFORMED', message: expect.stringMatching(/^not JSON: .* at byte \d+$/) }),
    ),
  );

  test('R28 a byte order mark is passed over', () => {
    expect(jsonToProtobuf('log', bytes('\ufeff{}'))).toHaveLength(0);
    expect(() => jsonToProtobuf('log', bytes('\ufeff\ufeff{}'))).toThrow();
  });

  test('R8 what would become more protobuf than the limit is too large', () => {
    const doubles = `{"resourceMetrics":[{"scopeMetrics":[{"metrics":[{"histogram":{"dataPoints":[{"explicitBounds":[1${',1'.repeat(300_000)}]}]}}]}]}]}`;
    expect(() => jsonToProtobuf('metric', bytes(doubles), 1 << 20)).toThrow(
      expect.objectContaining({ code: 'TOO_LARGE' }),
    );
    expect(jsonToProtobuf('metric', bytes(doubles)).length).toBeGreaterThan(2_400_000);
  });

  test('a large request that is read in turns is the same, and others have theirs', async () => {
    const records = Array.from(
      { length: 5000 },
      (_, i) => `{"timeUnixNano":"${i}","body":{"stringValue":"m ${i}"},"x":[${i}]}`,
    );
    const large = bytes(`{"resourceLogs":[{"scopeLogs":[{"logRecords":[${records}]}]}]}`);
    let turns = 0;
    const counting = setInterval(() => turns++, 0);
    const read = await jsonToProtobufInTurns('log', large);
    clearInterval(counting);
    expect(Buffer.compare(read, jsonToProtobuf('log', large))).toBe(0);
    expect(turns).toBeGreaterThan(0);
    await expect(jsonToProtobufInTurns('log', large.subarray(0, -1))).rejects.toMatchObject({ code: 'MALFORMED' });
    await expect(
      jsonToProtobufInTurns('log', bytes('{"resourceLogs":[{"scopeLogs":[{"logRecords":[{},7]}]}]}')),
    ).rejects.toThrow('resourceLogs[0].scopeLogs[0].logRecords[1]: number 7 where an object belongs');
  });
});

describe('R25 R29 protobuf as others write it', () => {
  const record = (write: (writer: BinaryWriter) => void) => {
    const writer = new BinaryWriter();
    write(writer);
    return eventsOf('log', inRequest(writer.finish()));
  };
  const body = (writer: BinaryWriter, text: string) => writer.tag(5, 2).fork().tag(1, 2).string(text).join();

  test('R25 unknown fields and groups, in front, between and behind', () => {
    const unknown = (w: BinaryWriter) =>
      w
        .tag(99, 0)
        .uint32(1)
        .tag(98, 3)
        .tag(1, 3)
        .tag(1, 4)
        .tag(98, 4)
        .tag(536870911, 5)
        .fixed32(1)
        .tag(97, 1)
        .fixed64(1n)
        .tag(96, 2)
        .string('x');
    expect(
      record((w) => {
        unknown(w);
        body(w, 'a');
        unknown(w);
      })[0],
    ).toMatchObject({ message: 'a' });
  });

  test('of a oneof the last counts, of a message that comes twice both are merged', () => {
    expect(record((w) => w.tag(5, 2).fork().tag(3, 0).int64(7).tag(1, 2).string('last').join())[0]!.message).toBe(
      'last',
    );
    const twice = record((w) => {
      w.tag(6, 2).fork().tag(1, 2).string('k').tag(2, 2).fork().tag(3, 0).int64(1).join().join();
      body(w, 'first');
      body(w, 'second');
    });
    expect(twice[0]).toMatchObject({ message: 'second', data: { k: 1 } });
  });

  test('empty messages are defaults', () => {
    expect(record((w) => w.tag(5, 2).fork().join().tag(6, 2).fork().join())[0]).toMatchObject({
      message: '',
      data: { '': null },
    });
  });

  test('repeated numbers are read packed and one by one', () => {
    const point = (write: (w: BinaryWriter) => void) => {
      const w = new BinaryWriter();
      w.tag(1, 2).fork().tag(2, 2).fork().tag(2, 2).fork().tag(1, 2).string('m').tag(9, 2).fork().tag(1, 2).fork();
      write(w);
      return eventsOf('metric', w.join().join().join().join().join().finish())[0]!.metric;
    };
    const packed = point((w) => w.tag(6, 2).fork().fixed64(1n).fixed64(2n).join().tag(7, 2).fork().double(0.5).join());
    const apart = point((w) => w.tag(6, 1).fixed64(1n).tag(6, 1).fixed64(2n).tag(7, 1).double(0.5));
    expect(packed).toMatchObject({ bucket_counts: [1, 2], explicit_bounds: [0.5] });
    expect(apart).toEqual(packed);
  });

  test('R29 an index into a string table that no log request has is empty', () => {
    expect(
      record((w) => w.tag(6, 2).fork().tag(3, 0).int32(5).tag(2, 2).fork().tag(8, 0).int32(5).join().join())[0]!.data,
    ).toEqual({ '': null });
  });

  test.each(Array.from({ length: 8 }, (_, i) => [1, 2, 63, 64, 65, 66, 100, 200][i]!))(
    'R16 F19 a value nested %i deep is kept to 64 and rejected beyond',
    (depth) => {
      let value: Uint8Array = new BinaryWriter().tag(1, 2).string('deep').finish();
      for (let i = 0; i < depth; i++)
        value = new BinaryWriter().tag(5, 2).fork().tag(1, 2).bytes(value).join().finish();
      const index = indexRequest('log', inRequest(new BinaryWriter().tag(5, 2).bytes(value).finish()));
      expect([index.accepted, index.rejected]).toEqual(depth <= DEPTH_MAX ? [1, 0] : [0, 1]);
      if (depth > DEPTH_MAX) return;
      const [event] = eventsOf('log', inRequest(new BinaryWriter().tag(5, 2).bytes(value).finish()));
      expect(event!.data).not.toHaveProperty(DECODE_ERROR_KEY);
      expect(JSON.stringify(event!.log!.body)).toBe(`${'['.repeat(depth)}"deep"${']'.repeat(depth)}`);
    },
  );

  test.each([
    ['a truncated varint', [0x0a, 0x80]],
    ['a varint over ten bytes', [0x08, ...new Array(11).fill(0xff)]],
    ['a length past the end', [0x0a, 0x05, 0x00]],
    ['a negative length', [0x0a, ...new Array(9).fill(0xff), 0x01]],
    ['field 0', [0x02, 0x00]],
    ['a group that ends another', [0x13, 0x1c]],
    ['a group without a beginning', [0x14]],
    ['wire types that are none', [0x0e]],
  ])('R16 %s is refused', (_name, wire) => {
    for (const signal of ['log', 'span', 'metric'] as const)
      expect(() => indexRequest(signal, Uint8Array.from(wire))).toThrow(expect.objectContaining({ code: 'MALFORMED' }));
  });
});

describe('R31 schemas', () => {
  test('R31 a resource and a scope keep their schema and their entities', () => {
    const [event] = eventsOf(
      'log',
      jsonToProtobuf(
        'log',
        bytes(
          `{"resourceLogs":[{"resource":{"entityRefs":[{"type":"service","idKeys":["service.name"],"descriptionKeys":["service.version"],"schemaUrl":"e"}]},"schemaUrl":"r","scopeLogs":[{"scope":{"name":"n"},"schemaUrl":"s","logRecords":[{}]}]}]}`,
        ),
      ),
    );
    expect(event!.resource).toMatchObject({
      schema_url: 'r',
      entity_refs: [
        { type: 'service', id_keys: ['service.name'], description_keys: ['service.version'], schema_url: 'e' },
      ],
    });
    expect(event!.scope).toMatchObject({ name: 'n', schema_url: 's' });
  });
});

describe('metrics, every kind', () => {
  const points = (data: string) =>
    eventsOf(
      'metric',
      jsonToProtobuf('metric', bytes(`{"resourceMetrics":[{"scopeMetrics":[{"metrics":[{"name":"m",${data}}]}]}]}`)),
    ).map(({ metric }) => metric!);

  test.each([-10, -1, 0, 1, 20])('an exponential histogram of scale %i keeps all that it has', (scale) => {
    const [view] = points(
      `"exponentialHistogram":{"aggregationTemporality":1,"dataPoints":[{"count":"6","sum":1.5,"scale":${scale},"zeroCount":"2","zeroThreshold":0.25,"positive":{"offset":-3,"bucketCounts":["1","2"]},"negative":{"offset":4,"bucketCounts":["1"]}}]}`,
    );
    expect(view).toMatchObject({
      type: 'exponential_histogram',
      temporality: 'delta',
      count: 6,
      sum: 1.5,
      scale,
      zero_count: 2,
      zero_threshold: 0.25,
      positive: { offset: -3, bucket_counts: [1, 2] },
      negative: { offset: 4, bucket_counts: [1] },
    });
    expect(view).not.toHaveProperty('min');
    expect(view).not.toHaveProperty('max');
  });

  test('gauges of integers and doubles, sums of either temporality, points without a value', () => {
    expect(
      points('"gauge":{"dataPoints":[{"asInt":"-7"},{"asDouble":"NaN"},{"flags":1,"asInt":"9"},{}]}').map(
        ({ value }) => value,
      ),
    ).toEqual([-7, 'NaN', null, null]);
    expect(points('"sum":{"aggregationTemporality":2,"isMonotonic":true,"dataPoints":[{"asInt":1}]}')[0]).toMatchObject(
      { type: 'sum', temporality: 'cumulative', is_monotonic: true, value: 1 },
    );
    expect(points('"sum":{"aggregationTemporality":1,"dataPoints":[{"asDouble":0.5}]}')[0]).toMatchObject({
      temporality: 'delta',
      is_monotonic: false,
      value: 0.5,
    });
  });

  test('summaries, and exemplars with their trace', () => {
    expect(
      points(
        '"summary":{"dataPoints":[{"count":"2","sum":3,"quantileValues":[{"quantile":0.5,"value":1},{"quantile":1,"value":"Infinity"}]}]}',
      )[0],
    ).toMatchObject({
      type: 'summary',
      count: 2,
      sum: 3,
      quantile_values: [
        { quantile: 0.5, value: 1 },
        { quantile: 1, value: 'Infinity' },
      ],
    });
    expect(
      points(
        `"gauge":{"dataPoints":[{"asInt":1,"exemplars":[{"asDouble":0.5,"timeUnixNano":"1","traceId":"${TRACE}","spanId":"${SPAN}","filteredAttributes":[{"key":"k","value":{"stringValue":"v"}}]},{"asInt":"2","traceId":"00"}]}]}`,
      )[0]!.exemplars,
    ).toEqual([
      {
        value: 0.5,
        timestamp: '1970-01-01T00:00:00.000000001Z',
        trace_id: TRACE,
        span_id: SPAN,
        filtered_attributes: { k: 'v' },
      },
      { value: 2, timestamp: '1970-01-01T00:00:00.000000000Z', filtered_attributes: {} },
    ]);
  });
});

function bytes(text: string): Uint8Array {
  return new TextEncoder().encode(text);
}

/** A request around the bytes of one log record. */
function inRequest(record: Uint8Array): Uint8Array {
  return new BinaryWriter().tag(1, 2).fork().tag(2, 2).fork().tag(2, 2).bytes(record).join().join().finish();
}

function eventsOf(signal: Signal, body: Uint8Array): DebugEvent[] {
  const { records } = indexRequest(signal, body);
  const builder = new BlockBuilder(Math.max(1, records.length));
  builder.begin(records, 1n);
  for (let row = 0; row < records.length; row++) builder.add(row, null);
  const block = compressBlockSync(builder.build('default', 0, '2026-01-01'));
  const read = readBlock(decodeIndex(block.index), decodePayload(block.payload));
  return Array.from({ length: read.count }, (_, i) => read.event(i, () => undefined));
}

function logs(record: string): DebugEvent[] {
  return eventsOf('log', jsonToProtobuf('log', bytes(`{"resourceLogs":[{"scopeLogs":[{"logRecords":[${record}]}]}]}`)));
}

function span(fields: string): DebugEvent {
  const text = `{"resourceSpans":[{"scopeSpans":[{"spans":[{"traceId":"${TRACE}","spanId":"${SPAN}",${fields}}]}]}]}`;
  return eventsOf('span', jsonToProtobuf('span', bytes(text)))[0]!;
}

/** What an attribute's value reads back as. */
function attribute(value: string): unknown {
  return logs(`{"attributes":[{"key":"k","value":${value}}]}`)[0]!.data.k;
}
