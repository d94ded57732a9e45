import { create, toBinary } from '@bufbuild/protobuf';
import { BinaryWriter } from '@bufbuild/protobuf/wire';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { decodeIndex, decodePayload, type Signal } from '../../model/block.ts';
import { buildBlock } from '../../model/block-builder.ts';
import { eventId } from '../../model/ids.ts';
import { jsonToProtobuf } from '../../otlp/json.ts';
import { indexRequest } from '../../otlp/walk.ts';
import { LENGTH, VARINT } from '../../otlp/wire.ts';
import { ExportLogsServiceRequestSchema } from '../../proto/gen/opentelemetry/proto/collector/logs/v1/logs_service_pb.js';
import { ExportMetricsServiceRequestSchema } from '../../proto/gen/opentelemetry/proto/collector/metrics/v1/metrics_service_pb.js';
import { ExportTraceServiceRequestSchema } from '../../proto/gen/opentelemetry/proto/collector/trace/v1/trace_service_pb.js';
import { NOON } from '../../test/support/blocks.ts';
import { type ArchivedRecords, fromLines, toLines } from './lines.ts';

const encode = (text: string) => new TextEncoder().encode(text);
const text = (value: string) => ({ value: { case: 'stringValue' as const, value } });
const int = (value: bigint) => ({ value: { case: 'intValue' as const, value } });

/** A block of the records of several requests, as the receiver makes it. */
function blockOf(...requests: [Signal, Uint8Array][]) {
  const records = requests.flatMap(([signal, body]) => [...indexRequest(signal, body).records]);
  const block = buildBlock(
    'default',
    0,
    '2026-01-15',
    records.map((record) => ({ ...record, receivedAt: NOON, template: null })),
  );
  return { index: decodeIndex(block.index), payload: decodePayload(block.payload) };
}

/** Archives and reads back, which gives the very bytes whatever they are. */
function thereAndBack(block: ReturnType<typeof blockOf>): ArchivedRecords {
  const archived = toLines(block.index, block.payload);
  expect(Buffer.compare(fromLines(block.index, archived), block.payload)).toBe(0);
  return archived;
}

const log = (fields: object = {}) => ({ timeUnixNano: NOON, body: text('hello'), ...fields });
const logs = (...logRecords: object[]) =>
  toBinary(
    ExportLogsServiceRequestSchema,
    create(ExportLogsServiceRequestSchema, {
      resourceLogs: [
        {
          resource: { attributes: [{ key: 'service.name', value: text('shop') }] },
          schemaUrl: 'https://opentelemetry.io/schemas/1.30.0',
          scopeLogs: [{ scope: { name: 'scope', version: '1' }, schemaUrl: 'https://scope.test', logRecords }],
        },
      ],
    }),
  );
const spans = (name: string) =>
  toBinary(
    ExportTraceServiceRequestSchema,
    create(ExportTraceServiceRequestSchema, {
      resourceSpans: [
        {
          resource: { attributes: [{ key: 'service.name', value: text('shop') }] },
          scopeSpans: [
            {
              spans: [
                {
                  traceId: new Uint8Array(16).fill(1),
                  spanId: new Uint8Array(8).fill(2),
                  name,
                  startTimeUnixNano: NOON,
                  endTimeUnixNano: NOON + 5n,
                  attributes: [{ key: 'large', value: int(-9223372036854775808n) }],
                  events: [
                    {
                      name: 'exception',
                      timeUnixNano: NOON + 1n,
                      attributes: [{ key: 'exception.type', value: text('E') }],
                    },
                    { name: 'later', timeUnixNano: NOON + 2n },
                  ],
                  links: [{ traceId: new Uint8Array(16).fill(3), spanId: new Uint8Array(8).fill(4) }],
                },
              ],
            },
          ],
        },
      ],
    }),
  );
const points = (...values: number[]) =>
  toBinary(
    ExportMetricsServiceRequestSchema,
    create(ExportMetricsServiceRequestSchema, {
      resourceMetrics: [
        {
          scopeMetrics: [
            {
              metrics: [
                {
                  name: 'load',
                  data: {
                    case: 'gauge',
                    value: {
                      dataPoints: values.map((value, i) => ({
                        timeUnixNano: NOON + BigInt(i),
                        value: { case: 'asDouble' as const, value },
                      })),
                    },
                  },
                },
              ],
            },
          ],
        },
      ],
    }),
  );

/** A log record of raw protobuf fields after its time. */
function rawLog(write: (writer: BinaryWriter) => void): Uint8Array {
  const record = new BinaryWriter().tag(1, 1).fixed64(NOON);
  write(record);
  return requestOf(record.finish());
}

/** @param resource its bytes, if there is one */
function requestOf(record: Uint8Array, resource?: Uint8Array): Uint8Array {
  const ofScope = new BinaryWriter().tag(2, LENGTH).bytes(record).finish();
  const ofResource = new BinaryWriter();
  if (resource !== undefined) ofResource.tag(1, LENGTH).bytes(resource);
  return new BinaryWriter().tag(1, LENGTH).bytes(ofResource.tag(2, LENGTH).bytes(ofScope).finish()).finish();
}

describe('lines', () => {
  it('give back by themselves what is encoded by the rules', () => {
    const other = logs(log()).map((byte) => (byte === 0x31 ? 0x32 : byte)); // of a scope of another version
    const requests: [Signal, Uint8Array][] = [
      ['log', logs(log(), log({ severityNumber: 17 }))],
      ['span', spans('a')],
      ['log', other],
      ['metric', points(1, 2)],
      ['log', logs(log({ body: text('again') }))],
      ['log', logs({}, {}, log(), {})],
    ];
    expect(thereAndBack(blockOf(...requests)).patch).toHaveLength(0);
  });

  it('are requests that any reader of OTLP files takes, with records of the same ids', () => {
    const block = blockOf(
      ['log', logs(log(), log({ body: text('second') }))],
      ['span', spans('a')],
      ['log', logs(log({ body: text('third') }))],
      ['metric', points(0.5, Number.NaN)],
    );
    const ids: string[] = [];
    const lines = new TextDecoder().decode(thereAndBack(block).lines).split('\n');
    expect(lines.pop()).toBe('');
    for (const line of lines) {
      const [key, ...others] = Object.keys(JSON.parse(line));
      expect(others).toEqual([]);
      const signal = ({ resourceLogs: 'log', resourceSpans: 'span', resourceMetrics: 'metric' } as const)[key!]!;
      const { records } = indexRequest(signal, jsonToProtobuf(signal, encode(line)));
      ids.push(...records.map(({ time, hash }) => eventId(time, hash)));
    }
    const { columns, count } = block.index;
    expect(ids).toEqual(Array.from({ length: count }, (_, i) => eventId(columns.time[i]!, columns.hash[i]!)));
    expect(lines).toHaveLength(4);
  });

  it('are the same in every version: an archive outlives who wrote it', () => {
    const block = blockOf(['log', logs(log({ attributes: [{ key: 'n', value: int(7n) }] }))]);
    const { lines, patch } = thereAndBack(block);
    expect(new TextDecoder().decode(lines)).toBe(
      '{"resourceLogs":[{"resource":{"attributes":[{"key":"service.name","value":{"stringValue":"shop"}}]},' +
        '"scopeLogs":[{"scope":{"name":"scope","version":"1"},"logRecords":[{"timeUnixNano":"1768478400000000000",' +
        '"body":{"stringValue":"hello"},"attributes":[{"key":"n","value":{"intValue":"7"}}]}],' +
        '"schemaUrl":"https://scope.test"}],"schemaUrl":"https://opentelemetry.io/schemas/1.30.0"}]}\n',
    );
    expect(patch).toHaveLength(0);
    expect(Buffer.from(block.payload).toString('hex')).toBe(
      '0a160a0c736572766963652e6e616d6512060a0473686f700a0573636f7065120131090080f328bce58a182a070a0568656c6c6f32070a016e12021807',
    );
  });
});

describe('a patch gives back', () => {
  it.each<[string, Uint8Array]>([
    ['zeros that were written out', rawLog((w) => w.tag(2, VARINT).int32(0).tag(7, VARINT).uint32(0))],
    ['fields out of order', rawLog((w) => w.tag(3, LENGTH).string('WARN').tag(2, VARINT).int32(13))],
    ['text that is no UTF-8', rawLog((w) => w.tag(3, LENGTH).bytes(Uint8Array.of(0x61, 0xff)))],
    ['a field of a record that this version does not know', rawLog((w) => w.tag(500, LENGTH).string('later'))],
    [
      'a field of a resource that this version does not know',
      requestOf(
        new BinaryWriter().tag(1, 1).fixed64(NOON).finish(),
        new BinaryWriter().tag(500, VARINT).int32(1).finish(),
      ),
    ],
  ])('%s', (_, request) => {
    const { lines, patch } = thereAndBack(blockOf(['log', logs(log())], ['log', request]));
    expect(patch.length).toBeGreaterThan(0);
    expect(new TextDecoder().decode(lines).trim().split('\n')).toHaveLength(2);
  });

  it('minus zero', () => {
    thereAndBack(blockOf(['metric', points(-0)]));
  });

  it('a record with a part that cannot be decoded; its neighbours have their line', () => {
    const span = new BinaryWriter().tag(1, LENGTH).bytes(new Uint8Array(16).fill(1));
    span.tag(2, LENGTH).bytes(new Uint8Array(8).fill(2)).tag(7, 1).fixed64(NOON);
    const brokenLink = Uint8Array.of(0x0a, 0x7f); // a trace id longer than what follows
    const broken = requestOf(span.tag(13, LENGTH).bytes(brokenLink).finish());
    const { lines } = thereAndBack(blockOf(['span', spans('good')], ['span', broken], ['span', spans('good')]));
    expect(new TextDecoder().decode(lines).split('good')).toHaveLength(3);
  });

  it('a block of several megabytes, and stays small', () => {
    const zeros = (i: number) => rawLog((w) => w.tag(2, VARINT).int32(0).tag(3, LENGTH).string(`${i}`.repeat(500)));
    const block = blockOf(...Array.from({ length: 2000 }, (_, i): [Signal, Uint8Array] => ['log', zeros(1000 + i)]));
    expect(block.payload.length).toBeGreaterThan(4_000_000);
    expect(thereAndBack(block).patch.length).toBeLessThan(2000 * 10);
  });
});

it('whatever bytes the walk lets in are given back', () => {
  const seeds: [Signal, Uint8Array][] = [
    ['log', logs(log({ attributes: [{ key: 'k', value: int(5n) }] }), log(), {})],
    ['span', spans('a')],
    ['metric', points(1.5, 0)],
  ];
  let tried = 0;
  const mutation = fc.record({ at: fc.nat(), byte: fc.nat(255) });
  fc.assert(
    fc.property(fc.constantFrom(...seeds), fc.array(mutation, { maxLength: 3 }), ([signal, seed], mutations) => {
      const body = Uint8Array.from(seed);
      for (const { at, byte } of mutations) body[at % body.length] = byte;
      try {
        if (indexRequest(signal, body).records.length === 0) return;
      } catch {
        return; // refused at the door
      }
      tried++;
      thereAndBack(blockOf([signal, body]));
    }),
    { numRuns: 1000 },
  );
  expect(tried).toBeGreaterThan(200);
});
